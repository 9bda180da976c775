"""The measures against plain loops, their mathematical properties, and what bad inputs say."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprocore.errors import ReprocoreError
from reprocore.statistics import divergence
from reprocore.statistics.checks import check_comparable, check_probabilities, check_targets
from reprocore.vocabulary import MEASURES

WITHOUT_TARGETS = [name for name in MEASURES if name != "relative_pd_true"]


def loop_reference(p, q, targets):
    """All measures by their definitions, one position and one symbol at a time."""
    positions, symbols = len(p), len(p[0])
    top = min(5, symbols)
    sums = dict.fromkeys(MEASURES, 0.0)
    for row_p, row_q, target in zip(p.tolist(), q.tolist(), targets.tolist(), strict=True):
        for v, (a, b) in enumerate(zip(row_p, row_q, strict=True)):
            relative = 2 * abs(a - b) / (a + b) if a + b > 0 else 0.0
            sums["relative_pd"] += relative / (positions * symbols)
            sums["relative_pd_true"] += relative / positions if v == target else 0.0
            sums["total_variation"] += abs(a - b) / 2 / positions
            for x, y in ((a, b), (b, a)):
                if x > 0:
                    ratio = 2 * (x / (x + y))
                    sums["jensen_shannon"] += 0.5 * x * math.log(ratio) / positions
                    kl = x * (math.log(x) - math.log(y)) if y > 0 else math.inf
                    sums["jeffreys"] += kl / positions
        ranked_p, ranked_q = (
            sorted(range(symbols), key=lambda v: (-row[v], v)) for row in (row_p, row_q)
        )
        sums["churn"] += (ranked_p[0] != ranked_q[0]) / positions
        sums["top5_overlap"] += len(set(ranked_p[:top]) & set(ranked_q[:top])) / top / positions
    return sums


def value(name, p, q, targets):
    arguments = (p, q, targets) if name == "relative_pd_true" else (p, q)
    return getattr(divergence, name)(*arguments)


WEIGHTS = st.one_of(
    st.just(0.0),
    st.sampled_from([5e-324, 1e-310, 1e-300, 1e-30, 1e-12, 0.25, 1.0, 1.0 + 1e-15]),
    st.floats(0.0, 1.0),
)


@st.composite
def rows(draw, symbols):
    weights = np.array(draw(st.lists(WEIGHTS, min_size=symbols, max_size=symbols)))
    if weights.sum() < 1e-3:
        weights[draw(st.integers(0, symbols - 1))] = 1.0
    return weights / weights.sum()


@st.composite
def stacks(draw, models):
    """Probabilities [models, N, V] and targets; models often share rows, or rows but for dust."""
    positions, symbols = draw(st.integers(1, 4)), draw(st.integers(2, 7))
    stack = np.empty((models, positions, symbols))
    for m in range(models):
        for n in range(positions):
            if m > 0 and draw(st.booleans()):
                stack[m, n] = stack[m - 1, n] * (1 + 1e-9 * draw(st.integers(0, 1)))
            else:
                stack[m, n] = draw(rows(symbols))
    ids = draw(st.lists(st.integers(0, symbols - 1), min_size=positions, max_size=positions))
    return stack, np.array(ids)


def soft(rng, models, positions, symbols, scale=2.0):
    logits = rng.normal(size=(models, positions, symbols)) * scale
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


@pytest.mark.slow
@given(stacks(2))
@settings(max_examples=200)
def test_measures_agree_with_loops(case):
    (p, q), targets = case
    for name, expected in loop_reference(p, q, targets).items():
        assert value(name, p, q, targets) == pytest.approx(expected, rel=1e-12, abs=1e-14), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_measures_agree_with_loops_on_realistic_predictions(dtype):
    rng = np.random.default_rng(1)
    p, q = soft(rng, 2, 40, 65).astype(dtype)
    targets = rng.integers(0, 65, 40)
    for name, expected in loop_reference(p, q, targets).items():
        assert value(name, p, q, targets) == pytest.approx(expected, rel=1e-12), name


def test_hand_worked_pair():
    p, q = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.75, 0.0]])
    # 2·0.25/0.75 = 2/3, 2·0.25/1.25 = 2/5, and 0 where both are 0
    assert divergence.relative_pd(p, q) == pytest.approx((2 / 3 + 2 / 5) / 3)
    assert divergence.relative_pd_true(p, q, [1]) == pytest.approx(2 / 5)
    assert divergence.total_variation(p, q) == 0.25
    # (p−q)·ln(p/q) = 0.25·ln 2 + 0.25·ln 1.5
    assert divergence.jeffreys(p, q) == pytest.approx(0.25 * math.log(3))
    # p's tie between symbols 0 and 1 goes to 0, q's likeliest is 1
    assert divergence.churn(p, q) == 1.0
    assert divergence.top5_overlap(p, q) == 1.0


@given(stacks(1))
def test_distance_to_itself_is_exactly_zero(case):
    (p,), targets = case
    for name in MEASURES:
        assert value(name, p, p.copy(), targets) == (1.0 if name == "top5_overlap" else 0.0), name
    _, values = divergence.pairwise(np.stack([p, p]), targets)
    for name in MEASURES:
        assert values[name][0] == (1.0 if name == "top5_overlap" else 0.0), name


@given(stacks(2))
def test_symmetric_and_in_range(case):
    (p, q), targets = case
    for name, measure in MEASURES.items():
        forward = value(name, p, q, targets)
        assert forward == value(name, q, p, targets), name
        assert measure.lower <= forward <= measure.upper, name


@given(stacks(2))
def test_relative_pd_ignores_symbols_that_both_rule_out(case):
    (p, q), _ = case
    symbols = p.shape[1]
    wider = [np.pad(x, ((0, 0), (0, 3))) for x in (p, q)]
    expected = divergence.relative_pd(p, q) * symbols / (symbols + 3)
    assert divergence.relative_pd(*wider) == pytest.approx(expected, rel=1e-14)
    assert divergence.relative_pd_true(*wider, np.full(len(p), symbols)) == 0.0


@given(stacks(2))
def test_the_studys_first_formula_is_total_variation(case):
    (p, q), _ = case
    first_formula = np.abs(p - q).mean() / (p.mean() + q.mean())
    assert divergence.total_variation(p, q) == pytest.approx(first_formula, rel=1e-8, abs=1e-15)


@given(stacks(3))
def test_total_variation_obeys_the_triangle_inequality(case):
    (p, q, r), _ = case
    tv = divergence.total_variation
    assert tv(p, r) <= tv(p, q) + tv(q, r) + 1e-15


@given(stacks(2))
def test_pinsker_and_its_kin(case):
    (p, q), _ = case
    tv, js = divergence.total_variation(p, q), divergence.jensen_shannon(p, q)
    assert js <= tv * math.log(2) + 1e-9  # Lin 1991
    assert js >= tv**2 / 2 - 1e-9
    assert divergence.jeffreys(p, q) >= 4 * tv**2 - 1e-9


def test_disjoint_predictions_reach_the_upper_ends():
    p, q = np.eye(12)[[0, 3]], np.eye(12)[[1, 5]]
    assert divergence.relative_pd_true(p, q, [0, 5]) == 2.0
    assert divergence.total_variation(p, q) == 1.0
    assert divergence.jensen_shannon(p, q) == math.log(2)
    assert divergence.jeffreys(p, q) == math.inf
    assert divergence.churn(p, q) == 1.0


def test_row_sums_within_tolerance_stay_in_range():
    p, q = np.array([[1.00005, 0.0]]), np.array([[0.0, 1.00005]])
    assert divergence.total_variation(p, q) == 1.0
    assert divergence.jensen_shannon(p, q) == math.log(2)
    _, values = divergence.pairwise(np.stack([p, q]))
    assert values["total_variation"][0] == 1.0
    assert values["jensen_shannon"][0] == math.log(2)


def test_small_divergences_keep_their_digits():
    d = 1e-6
    p, q = np.array([[0.5 + d, 0.5 - d]]), np.array([[0.5, 0.5]])
    # second order: JS = Σ (p−q)² / (8·m), Jeffreys = 8·JS; here Σ = 2·d²/0.5
    assert divergence.jensen_shannon(p, q) == pytest.approx(4 * d**2 / 8, rel=1e-3)
    assert divergence.jeffreys(p, q) == pytest.approx(4 * d**2, rel=1e-6)


def test_ties_go_to_the_lowest_symbol():
    uniform = np.full((1, 8), 1 / 8)
    last = np.array([[0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.2]])
    first = np.array([[0.6, 0.1, 0.1, 0.1, 0.1, 0, 0, 0]])
    assert divergence.top5_overlap(uniform, last) == 2 / 5
    assert divergence.top5_overlap(uniform, first) == 1.0
    assert divergence.churn(uniform, first) == 0.0
    assert divergence.churn(uniform, last) == 1.0


@pytest.mark.slow
@given(stacks(4))
@settings(max_examples=200)
def test_pairwise_agrees_with_the_single_functions(case):
    stack, targets = case
    assert_pairwise_agrees(stack, targets)


@pytest.mark.parametrize("positions", [1, 252, 600])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairwise_agrees_across_blocks(positions, dtype):
    rng = np.random.default_rng(positions)
    assert 252 * 65 < divergence.BLOCK_ELEMENTS < 600 * 65
    stack = soft(rng, 4, positions, 65, scale=4.0).astype(dtype)
    stack[1:, ::3][stack[1:, ::3] < 1e-6] = 0.0
    assert_pairwise_agrees(stack, rng.integers(0, 65, positions))


def assert_pairwise_agrees(stack, targets):
    pairs, values = divergence.pairwise(stack, targets)
    assert pairs.tolist() == [[i, j] for i in range(4) for j in range(i + 1, 4)]
    assert list(values) == list(MEASURES)
    for name, column in values.items():
        assert column.dtype == np.float64
        expected = [value(name, stack[i], stack[j], targets) for i, j in pairs]
        np.testing.assert_allclose(column, expected, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("positions", "block"), [(600, 50), (600, 600), (252, 63), (12, 1)])
def test_blocks_are_the_means_of_their_positions_and_leave_the_whole_as_it_is(positions, block):
    rng = np.random.default_rng(block)
    stack = soft(rng, 4, positions, 65, scale=4.0)
    stack[1:, :block][stack[1:, :block] < 1e-6] = 0.0
    targets = rng.integers(0, 65, positions)
    pairs, whole = divergence.pairwise(stack, targets)
    _, same, parts = divergence.pairwise_by_block(stack, targets, block)
    for name, values in whole.items():
        np.testing.assert_array_equal(same[name], values)
        assert parts[name].shape == (6, positions // block)
        np.testing.assert_allclose(parts[name].mean(axis=1), values, rtol=1e-11, atol=1e-14)
        for b in (0, positions // block - 1):
            rows = slice(b * block, (b + 1) * block)
            wanted = [value(name, stack[i, rows], stack[j, rows], targets[rows]) for i, j in pairs]
            np.testing.assert_allclose(parts[name][:, b], wanted, rtol=1e-11, atol=1e-14)


def test_blocks_must_divide_the_positions():
    stack = soft(np.random.default_rng(0), 2, 6, 5)
    for block in (4, 0):
        with raises(f"block: {block}, must divide the 6 positions"):
            divergence.pairwise_by_block(stack, None, block)


def test_pairwise_without_targets_leaves_out_the_true_symbol():
    _, values = divergence.pairwise(soft(np.random.default_rng(0), 3, 5, 6))
    assert list(values) == WITHOUT_TARGETS


def test_pairwise_of_one_model_is_empty():
    pairs, values = divergence.pairwise(soft(np.random.default_rng(0), 1, 5, 6), np.zeros(5, int))
    assert pairs.shape == (0, 2)
    assert all(column.shape == (0,) for column in values.values())


def test_what_is_no_probability_is_refused():
    stack = soft(np.random.default_rng(0), 2, 5, 6)
    for bad, what in ((math.nan, "must be finite"), (-0.1, "must be 0 or more"), (1, "sum to")):
        stack[0, 2, 3] = bad
        with pytest.raises(ReprocoreError, match=f"^model 0: .*position 2.*{what}"):
            divergence.pairwise(stack, np.full(5, 3))
        for name in MEASURES:
            with pytest.raises(ReprocoreError, match=f"^p: .*position 2.*{what}"):
                value(name, stack[0], stack[1], np.full(5, 3))


def test_inputs_are_left_unchanged():
    stack = soft(np.random.default_rng(0), 3, 5, 6)
    before = stack.copy()
    divergence.pairwise(stack)
    for name in WITHOUT_TARGETS:
        value(name, stack[0], stack[1], None)
    np.testing.assert_array_equal(stack, before)


def test_records_match_the_functions():
    assert all(
        name == m.name and callable(getattr(divergence, name)) for name, m in MEASURES.items()
    )
    assert [name for name, m in MEASURES.items() if m.more_is_closer] == ["top5_overlap"]


def raises(text):
    return pytest.raises(ReprocoreError, match=f"^{re.escape(text)}$")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full(3, 1 / 3), "x: shape (3,), must be 2-D [positions, symbols]"),
        (np.empty((0, 3)), "x: no positions, needs at least 1"),
        (np.ones((3, 1)), "x: symbols: 1, needs at least 2"),
        (np.array([["a", "b"]]), "x: type <U1, must be real numbers"),
        (np.array([[1j, 1]]), "x: type complex128, must be real numbers"),
        (
            np.array([[0.5, 0.5], [0.5, np.nan]]),
            "x: probability nan at position 1, symbol 1, must be finite",
        ),
        (
            np.array([[np.inf, 0.5]]),
            "x: probability inf at position 0, symbol 0, must be finite",
        ),
        (
            np.array([[0.5, 0.5], [0.5, 0.5], [1.5, -0.5]]),
            "x: probability -0.5 at position 2, symbol 1, must be 0 or more",
        ),
        (
            np.array([[0.5, 0.501], [0.5, 0.25], [0.5, 0.5]]),
            "x: probabilities at position 1 sum to 0.75, must be 1 within 0.0001",
        ),
        (
            np.array([[0.5, 0.25]], dtype=np.float16),
            "x: probabilities at position 0 sum to 0.75, must be 1 within 0.001",
        ),
    ],
)
def test_check_probabilities_says_what_and_where(array, message):
    with raises(message):
        check_probabilities(array, "x")


def test_check_probabilities_tolerances():
    check_probabilities(np.eye(3, dtype=int), "one-hot")
    check_probabilities(np.array([[0.5, 0.50009]]), "near")
    check_probabilities(np.array([[0.5, 0.5005]], dtype=np.float16), "half")
    with pytest.raises(ReprocoreError):
        check_probabilities(np.array([[0.5, 0.5005]]), "far")
    for dtype in (np.float16, np.float32):
        check_probabilities(soft(np.random.default_rng(0), 1, 99, 65)[0].astype(dtype), "cast")


def test_shapes_and_targets_that_do_not_fit():
    p = np.full((2, 4), 0.25)
    with raises("probabilities: shapes (1, 4) and (2, 4), must be one [positions, symbols]"):
        divergence.relative_pd(p[:1], p)
    with raises("probabilities: shape (2, 4), must be [models, positions, symbols]"):
        divergence.pairwise(p)
    for targets in ([0], [0.0, 1.0], [[0], [1]]):
        with pytest.raises(ReprocoreError, match=r"^targets: .* must be 2 integers$"):
            divergence.relative_pd_true(p, p, targets)
    with raises("t: symbol -1 at position 1, must be in 0 to 3"):
        check_targets([0, -1], 2, 4, "t")
    with raises("targets: symbol 4 at position 0, must be in 0 to 3"):
        divergence.pairwise(p[np.newaxis], [4, 0])


def test_check_comparable():
    names, shapes, t = ["a", "b", "c"], [(2, 4)] * 3, np.array([1, 2])
    check_comparable(names, shapes)
    check_comparable(names, shapes, [t, None, t.astype(np.int32)], ["h", None, "h"])
    with raises("c: probe k, but b has h; all must be of one probe"):
        check_comparable(names, shapes, probe_hashes=[None, "h", "k"])
    with raises("b: shape (2, 5), but a has (2, 4); all must be of one probe"):
        check_comparable(names, [(2, 4), (2, 5), (2, 4)])
    with raises("c: targets differ from those of a; all must be of one probe"):
        check_comparable(names, shapes, [t, t, t[::-1]])
    with raises("c: targets differ from those of a; all must be of one probe"):
        check_comparable(names, shapes, [t, t, t[:1]])
