"""Tests of differences against other implementations, by enumeration, and where they must fail."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.closed_test import MOST_ACTIVATIONS, closed_test
from reprocore.statistics.contrasts import Margin, SeedValues, activation_pairs, contrasts
from reprocore.statistics.jackknife import paired_pseudo_values, pseudo_values
from reprocore.statistics.tests_over_seeds import (
    equivalence,
    holm,
    holm_over_groups,
    paired_difference,
    ratio_interval,
    ratio_interval_at,
    seeds_needed,
    welch_difference,
)
from reprocore.vocabulary import ContrastVerdict, Family, Method, Reason

positive = st.floats(0.01, 100.0)


@st.composite
def two_samples(draw):
    seeds = draw(st.integers(3, 9))
    one = st.lists(positive, min_size=seeds, max_size=seeds)
    return np.array(draw(one)), np.array(draw(one))


@given(two_samples())
def test_t_tests_agree_with_scipy(samples):
    a, b = samples
    if np.std(a - b) > 1e-6:
        theirs = stats.ttest_rel(a, b)
        assert paired_difference(a, b).p_two_sided() == pytest.approx(theirs.pvalue, abs=1e-10)
    if min(np.std(a), np.std(b)) > 1e-6:
        found, theirs = welch_difference(a, b), stats.ttest_ind(a, b, equal_var=False)
        assert found.p_two_sided() == pytest.approx(theirs.pvalue, abs=1e-10)
        assert found.dof == pytest.approx(theirs.df, rel=1e-10)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=40)
@pytest.mark.slow
def test_holm_agrees_with_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-10)


def test_holm_of_many_families_at_once():
    p = np.random.default_rng(0).random((5, 7))
    np.testing.assert_array_equal(holm(p), [holm(row) for row in p])


def test_holm_over_groups_by_hand():
    # 0.01 has 2 groups; the first group is then done, and 0.03 has 1; 0.02 · 2 stays above it.
    assert holm_over_groups([[0.01], [0.03]]) == [[0.02], [0.03]]
    assert holm_over_groups([[0.01, 0.3], [0.02]]) == [[0.02, 0.3], [0.04]]
    assert holm_over_groups([[0.9], [], [0.8]]) == [[1.0], [], [1.0]]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_over_groups_of_one_is_holm(p):
    np.testing.assert_allclose(holm_over_groups([[each] for each in p]), holm(p)[:, None])
    assert holm_over_groups([p]) == [p]


@given(two_samples(), st.floats(0.01, 100.0))
def test_symmetries(samples, scale):
    a, b = samples
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.estimate == -other.estimate
    assert one.p_two_sided() == pytest.approx(other.p_two_sided(), abs=1e-12)
    assert equivalence(a, b, 0.1) == pytest.approx(equivalence(b, a, 0.1), abs=1e-12)
    assert equivalence(scale * a, scale * b, 0.1) == pytest.approx(equivalence(a, b, 0.1), abs=1e-8)
    ends, scaled = ratio_interval(a, b), ratio_interval(scale * a, scale * b)
    if ends is not None and scaled is not None and np.std(a - b) > 1e-3:
        assert ends[0] - 1e-9 <= a.mean() / b.mean() <= ends[1] + 1e-9
        assert scaled == pytest.approx(ends, rel=1e-6, abs=1e-6)


@given(two_samples(), st.floats(0.5, 0.9999), st.floats(0.5, 0.9999))
def test_a_ratio_interval_of_one_level_gives_that_of_another(samples, confidence, wanted):
    a, b = samples
    ends = ratio_interval(a, b, confidence)
    if ends is None or a.mean() < 0.1 or b.mean() < 0.1:
        return
    cvs = tuple(stats.sem(x) / x.mean() for x in (a, b))
    ratio = a.mean() / b.mean()
    found = ratio_interval_at(ratio, ends, cvs, len(a) - 1, confidence, wanted)
    expected = ratio_interval(a, b, wanted)
    assert (found is None) == (expected is None)
    if expected is not None and ends[1] < 100:
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_ratio_interval_ends_where_the_t_test_does():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1.2, 0.1, 6), rng.normal(1, 0.1, 6)
    for end in ratio_interval(a, b, 0.9):
        assert stats.ttest_rel(a, end * b).pvalue == pytest.approx(0.1, abs=1e-10)
    # Two one-sided 5% tests reject exactly if the 90% interval is inside the margin.
    low, high = ratio_interval(a, b, 0.9)
    assert equivalence(a, b, high - 1 + 1e-6) < 0.05 < equivalence(a, b, high - 1 - 1e-6)
    assert low > 1 / high
    assert ratio_interval(a, [-1, 1, -1, 1, -1, 1]) is None


def test_seeds_needed_have_the_power():
    needed = seeds_needed(se=0.02, seeds=5, difference=0.05)
    effect = 0.05 / (0.02 * math.sqrt(5))
    power = [
        stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, effect * math.sqrt(n))
        for n in (needed - 1, needed)
    ]
    assert power[0] < 0.8 <= power[1]
    d = np.random.default_rng(4).normal(effect, 1, (4000, needed))
    rejected = paired_difference(d, np.zeros_like(d)).p_two_sided() <= 0.05
    assert 0.78 <= rejected.mean() <= 0.86


def test_seeds_needed_at_the_ends():
    assert seeds_needed(0.0, 5, 0.1) == seeds_needed(1e-9, 5, 0.1) == 3
    assert seeds_needed(1.0, 5, 1e-6) is None
    few, many = (seeds_needed(0.02, 5, d) for d in (0.2, 0.02))
    assert few < many == seeds_needed(0.02, 5, -0.02)
    assert seeds_needed(0.02, 5, 0.05, alpha=0.05 / 15) > seeds_needed(0.02, 5, 0.05)
    for bad in ((-1, 5, 0.1), (0.1, 1, 0.1), (0.1, 5, 0.0), (math.nan, 5, 0.1)):
        with pytest.raises(ReprocoreError, match=r"^seeds needed"):
            seeds_needed(*bad)


def of_means(means, seeds=12, noise=0.01, seed=5, matrices=True):
    rng = np.random.default_rng(seed)
    every = pair_matrices(rng, len(means), seeds, noise, noise / 2)
    names = [f"act{i}" for i in range(len(means))]
    data = np.array(means)[:, None, None] * every
    data = data if matrices else data[:, 0, 1:]
    return {n: SeedValues(range(x.shape[-1]), x) for n, x in zip(names, data, strict=True)}


def test_verdicts_and_their_direction():
    activations = of_means([0.7, 1.0, 1.003])
    lower, higher, neither = (
        [contrasts(activations, f"act{r}", c)[i] for r, i in ((1, 0), (0, 0), (2, 1))]
        for c in ("lower", "higher", None)
    )
    more, less, same = (
        ContrastVerdict.MORE_REPRODUCIBLE,
        ContrastVerdict.LESS_REPRODUCIBLE,
        ContrastVerdict.EQUIVALENT,
    )
    assert [c.verdict for c in lower] == [more, less, same]
    assert [c.verdict for c in higher] == [less, more, same]
    assert [c.verdict for c in neither] == [ContrastVerdict.LOWER, ContrastVerdict.HIGHER, same]
    first, back, _ = lower
    assert first.difference == -back.difference
    assert (first.low, first.high) == pytest.approx((-back.high, -back.low))
    assert first.ratio == pytest.approx(1 / back.ratio)
    assert first.ratio_low < first.ratio < first.ratio_high
    assert (first.method, first.seeds, first.reasons) == (Method.CLOSED_TEST, 12, ())
    assert first.p <= first.p_adjusted
    (close, _) = contrasts(of_means([1.0, 1.05], noise=0.002), "act1")
    assert (close.verdict, close.reasons) == (more, (Reason.WITHIN_MARGIN,))
    (open_, _) = contrasts(of_means([1.0, 1.05], noise=0.3), "act1")
    assert (open_.verdict, open_.reasons) == (ContrastVerdict.UNDECIDED, ())


def test_a_verdict_needs_four_seeds():
    (few, _) = contrasts(of_means([0.5, 1.0], seeds=3), "act1")
    assert (few.p, few.p_adjusted, few.p_equivalence) == (None, None, None)
    assert few.low < few.difference < few.high < 0
    assert few.ratio_low < few.ratio < few.ratio_high
    assert few.verdict == ContrastVerdict.UNDECIDED
    assert (few.reasons, few.seeds) == ((Reason.FEW_SEEDS_FOR_TEST,), 3)
    (enough, _) = contrasts(of_means([0.5, 1.0], seeds=4), "act1")
    assert (enough.verdict, enough.reasons) == (ContrastVerdict.MORE_REPRODUCIBLE, ())


def test_thirteen_activations_are_compared_with_holm():
    activations = of_means(np.linspace(1, 1.3, MOST_ACTIVATIONS + 1), seeds=6)
    found = contrasts(activations, "act0")
    assert {c.method for c in found} == {Method.PAIRED}
    of_reference = [c for c in found if c.family == Family.REFERENCE]
    adjusted = multipletests([c.p for c in of_reference], method="holm")[1]
    assert [c.p_adjusted for c in of_reference] == pytest.approx(adjusted)
    (closed, *_) = contrasts(of_means(np.linspace(1, 1.3, MOST_ACTIVATIONS), seeds=6), "act0")
    assert closed.method == Method.CLOSED_TEST


def test_the_two_families_and_their_adjustments():
    activations = of_means([1.0, 1.02, 1.04, 1.3], seeds=5, noise=0.03)
    found = contrasts(activations, "act1")
    by_family = {
        family: {(c.first, c.second): c for c in found if c.family == family} for family in Family
    }
    reference, pairs = by_family[Family.REFERENCE], by_family[Family.ALL_PAIRS]
    assert list(reference) == [(f"act{i}", "act1") for i in (0, 2, 3)]
    assert len(pairs) == 6
    assert {c.comparisons for c in reference.values()} == {3}
    assert {c.comparisons for c in pairs.values()} == {6}
    x = paired_pseudo_values([v.values for v in activations.values()])
    test = closed_test(x)
    for (first, second), c in reference.items():
        a, b = int(first[-1]), int(second[-1])
        assert c.p == pytest.approx(stats.ttest_rel(x[a], x[b]).pvalue)
        assert c.p_adjusted == test.reference[a, b] <= pairs[first, second].p_adjusted
        assert c.p == pairs[first, second].p
    same = [c.p_equivalence for c in reference.values()]
    adjusted = multipletests(same, method="holm")[1]
    assert [c.p_equivalence_adjusted for c in reference.values()] == pytest.approx(adjusted)


def test_an_activation_with_few_seeds_leaves_the_family():
    activations = of_means([1.0, 0.7, 0.9], seeds=6)
    values = np.asarray(activations["act2"].values)[:3, :3]
    short = activations | {"act2": SeedValues(range(3), values)}
    found = {(c.family, c.first, c.second): c for c in contrasts(short, "act0")}
    left = found[Family.REFERENCE, "act2", "act0"]
    assert (left.p, left.seeds, left.method) == (None, 3, Method.PAIRED)
    assert left.reasons == (Reason.PART_OF_SEEDS, Reason.FEW_SEEDS_FOR_TEST)
    kept = found[Family.REFERENCE, "act1", "act0"]
    without = {name: activations[name] for name in ("act0", "act1")}
    assert kept == contrasts(without, "act0")[0]
    assert (kept.seeds, kept.comparisons) == (6, 1)


def test_equivalence_of_shares_is_on_what_lacks_to_1():
    values = of_means([0.90, 0.93], seeds=8, noise=0.002, matrices=False)
    (plain, _) = contrasts(values, "act1")
    (complement, _) = contrasts(values, "act1", "higher", Margin(0.1, complement=True))
    assert plain.p_equivalence < 0.05 < complement.p_equivalence
    a, b = (1 - np.asarray(v.values) for v in values.values())
    assert complement.p_equivalence == pytest.approx(equivalence(a, b, 0.1))
    (none, _) = contrasts(values, "act1", None, None)
    assert (none.p_equivalence, none.p_equivalence_adjusted) == (None, None)
    (full, _) = contrasts(
        {"a": SeedValues(range(4), np.ones(4)), **values},
        "act0",
        "higher",
        Margin(0.1, complement=True),
    )[:2]
    assert full.p_equivalence is None


def test_estimates_of_pairs_are_means_over_pairs():
    activations = of_means([0.7, 1.0, 1.3], seeds=6)
    c = contrasts(activations, "act0")[1]
    a, b = (
        np.asarray(activations[n].values)[np.triu_indices(6, 1)].mean() for n in ("act2", "act0")
    )
    assert c.difference == pytest.approx(a - b, abs=1e-12)
    assert c.ratio == pytest.approx(a / b)
    per_seed = paired_pseudo_values([values.values for values in activations.values()])
    assert c.p == pytest.approx(stats.ttest_rel(per_seed[2], per_seed[0]).pvalue, abs=1e-10)


@pytest.mark.parametrize("matrices", [True, False])
def test_only_shared_seeds_count(matrices):
    activations = of_means([1.0, 1.2], seeds=9, matrices=matrices)
    one, two = (np.asarray(values.values) for values in activations.values())
    last = [3, 4, 5, 6, 7]
    cut = two[np.ix_(*[last] * two.ndim)]
    (c, _) = contrasts({"a": SeedValues(range(len(one)), one), "b": SeedValues(last, cut)}, "b")
    part = one[np.ix_(*[last] * one.ndim)]
    (same, _) = contrasts({"a": SeedValues(last, part), "b": SeedValues(last, cut)}, "b")
    assert c.reasons[0] == Reason.PART_OF_SEEDS
    assert (c.seeds_shared, c.seeds_first, c.seeds_second) == (5, len(one), 5)
    assert (c.difference, c.p, c.seeds) == (same.difference, same.p, 5)
    # The order in which seeds are given does not matter.
    turned = last[::-1]
    flipped = cut[np.ix_(*[range(4, -1, -1)] * cut.ndim)]
    (back, _) = contrasts({"a": SeedValues(last, part), "b": SeedValues(turned, flipped)}, "b")
    assert back.p == pytest.approx(same.p, rel=1e-9)


def test_unshared_seeds_are_compared_by_welch():
    activations = of_means([0.7, 1.0], seeds=6)
    a, b = (np.asarray(values.values) for values in activations.values())
    (c, _) = contrasts({"a": SeedValues(range(6), a), "b": SeedValues(range(5, 11), b)}, "b")
    theirs = stats.ttest_ind(pseudo_values(a), pseudo_values(b), equal_var=False)
    assert (c.method, c.seeds, c.p_adjusted) == (Method.WELCH, 6, c.p)
    assert c.p == pytest.approx(theirs.pvalue, abs=1e-10)
    assert (c.low, c.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert (c.reasons, c.seeds_shared) == ((Reason.UNPAIRED,), 1)
    assert c.verdict == ContrastVerdict.MORE_REPRODUCIBLE


def no_nan(c):
    for name, value in vars(c).items():
        assert not (isinstance(value, float) and not math.isfinite(value)), name


ALIKE = 0.3 * (1 - np.eye(6))
DEGENERATE = {
    "two seeds": (
        SeedValues([1, 2], [[0, 0.3], [0.3, 0]]),
        SeedValues([1, 2], [[0, 0.4], [0.4, 0]]),
    ),
    "one seed": (SeedValues([1], [[0.0]]), SeedValues([1], [[0.0]])),
    "all pairs equal": (SeedValues(range(6), ALIKE), SeedValues(range(6), 2 * ALIKE)),
    "all zero": (SeedValues(range(6), 0 * ALIKE), SeedValues(range(6), 0 * ALIKE)),
    "zero reference": (SeedValues(range(6), ALIKE), SeedValues(range(6), 0 * ALIKE)),
    "infinite": (
        SeedValues(range(6), ALIKE),
        SeedValues(range(6), np.where(np.eye(6), 0, math.inf)),
    ),
    "no spread": (SeedValues(range(6), np.ones(6)), SeedValues(range(6), np.full(6, 1.1))),
}
REASONS = {
    "two seeds": (Reason.FEW_SEEDS,),
    "one seed": (Reason.NOT_FINITE,),
    "all pairs equal": (Reason.CONSTANT_DIFFERENCE,),
    "all zero": (Reason.CONSTANT_DIFFERENCE, Reason.NO_RATIO),
    "zero reference": (Reason.CONSTANT_DIFFERENCE, Reason.NO_RATIO),
    "infinite": (Reason.NOT_FINITE,),
    "no spread": (Reason.CONSTANT_DIFFERENCE,),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_input_gives_a_reason_and_no_number_that_is_none(case):
    first, second = DEGENERATE[case]
    (c, _) = contrasts({"a": first, "b": second}, "b")
    no_nan(c)
    assert c.reasons == REASONS[case]
    assert (c.p, c.verdict) == (None, ContrastVerdict.UNDECIDED)


def test_identical_activations_are_equivalent():
    # What an activation that never reaches the network looks like.
    (values,) = of_means([1.0], seeds=8).values()
    (c, _) = contrasts({"a": values, "b": values}, "b")
    no_nan(c)
    assert (c.difference, c.ratio, c.se, c.p_adjusted) == (0, 1, 0, None)
    assert c.verdict == ContrastVerdict.EQUIVALENT


def test_an_infinite_third_activation_does_not_matter():
    activations = of_means([0.7, 1.0], seeds=6)
    more = activations | {"bad": SeedValues(range(6), np.where(np.eye(6), 0, math.inf))}
    found = contrasts(more, "act1")
    assert (found[0], found[2]) == tuple(contrasts(activations, "act1"))
    assert found[1].reasons == (Reason.NOT_FINITE,)


def test_bad_arguments_say_what():
    activations = of_means([1, 1.1], seeds=4)
    for text, arguments in (
        ("contrasts: margin 0,", (activations, "act0", "lower", Margin(0))),
        ("contrasts: margin 0.1, confidence 1", (activations, "act0", "lower", Margin(0.1), 1)),
        ("a: seeds \\[1, 1\\] must be different", ({"a": SeedValues([1, 1], [1, 2])}, "a")),
        ("a: 2 seeds, but values of shape \\(3,\\)", ({"a": SeedValues([1, 2], [1, 2, 3])}, "a")),
    ):
        with pytest.raises(ReprocoreError, match=f"^{text}"):
            contrasts(*arguments)
    assert contrasts({"act0": activations["act0"]}, "act0") == []
    assert [c.family for c in contrasts(activations, "absent")] == [Family.ALL_PAIRS]


def test_the_reference_always_stands_second():
    pairs = activation_pairs(["a", "b", "c"], "b")
    assert pairs == [("a", "b"), ("a", "c"), ("c", "b")]


# Error rates; benchmarks/coverage.py has them in full. 3,000 studies of 15 contrasts each put a
# Monte-Carlo error of less than 0.3 points on 5%.
@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("by_seed", [0.025, 0.1])
def test_error_rates(seeds, by_seed):
    values = paired_pseudo_values(
        pair_matrices(np.random.default_rng(seeds), (3000, 6), seeds, by_seed)
    )
    i, j = np.triu_indices(6, 1)
    p = paired_difference(values[:, i], values[:, j]).p_two_sided()
    assert 0.03 <= np.mean(p <= 0.05) <= 0.07
    assert np.mean((holm(p) <= 0.05).any(axis=1)) <= 0.06
    assert np.mean(equivalence(1.1 * values[:, i], values[:, j], 0.1) <= 0.05) <= 0.06
    test = closed_test(values)
    assert np.mean((test.reference[:, 0] <= 0.05).any(axis=1)) <= 0.06
    assert np.mean((test.all_pairs <= 0.05).any(axis=(1, 2))) <= 0.06


def test_plain_pseudo_values_are_too_wide_for_contrasts():
    matrices = pair_matrices(np.random.default_rng(6), (3000, 2), 8, 0.01)
    plain = np.array([[pseudo_values(m) for m in study] for study in matrices])
    paired = paired_pseudo_values(matrices)
    np.testing.assert_allclose(paired.mean(axis=-1), plain.mean(axis=-1), atol=1e-12)
    rates = [
        np.mean(paired_difference(*v.swapaxes(0, 1)).p_two_sided() <= 0.05) for v in (plain, paired)
    ]
    assert rates[0] < 0.02 < rates[1] < 0.06


def test_paired_pseudo_values_of_few():
    matrix = pair_matrices(np.random.default_rng(7), 2, 3)
    np.testing.assert_allclose(paired_pseudo_values(matrix), [pseudo_values(m) for m in matrix])
    np.testing.assert_allclose(paired_pseudo_values(matrix[:1])[0], pseudo_values(matrix[0]))
    np.testing.assert_allclose(paired_pseudo_values([ALIKE, ALIKE]), 0.3)
    for bad, text in (
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((3, 3)), "shape"),
        (np.ones((1, 3, 3)), "matrices must be symmetric"),
        (np.full((1, 3, 3), math.nan), "a pair is infinite"),
    ):
        with pytest.raises(ReprocoreError, match=f"^pairs: {text}"):
            paired_pseudo_values(bad)
