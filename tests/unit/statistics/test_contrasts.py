"""Tests of differences against other implementations, by enumeration, and where they must fail."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.contrasts import SeedValues, contrasts
from reprocore.statistics.jackknife import paired_pseudo_values, pseudo_values
from reprocore.statistics.tests_over_seeds import (
    equivalence,
    holm,
    least_seeds,
    paired_difference,
    ratio_interval,
    seeds_needed,
    sign_flip,
    welch_difference,
)
from reprocore.vocabulary import ContrastVerdict, Method, Reason

positive = st.floats(0.01, 100.0)


@st.composite
def two_samples(draw):
    seeds = draw(st.integers(3, 9))
    one = st.lists(positive, min_size=seeds, max_size=seeds)
    return np.array(draw(one)), np.array(draw(one))


@given(two_samples())
@settings(deadline=None)
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
@settings(deadline=None, max_examples=40)
@pytest.mark.slow
def test_holm_agrees_with_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-10)


def test_holm_of_many_families_at_once():
    p = np.random.default_rng(0).random((5, 7))
    np.testing.assert_array_equal(holm(p), [holm(row) for row in p])


@given(st.lists(st.integers(-4, 4).map(float) | st.floats(-1, 1), min_size=1, max_size=9))
@settings(deadline=None)
def test_sign_flip_is_the_enumeration(differences):
    d = np.array(differences)
    signs = np.array(list(itertools.product((-1, 1), repeat=len(d))))
    at_least = np.abs(signs @ d) >= abs(d.sum()) - 1e-12 * np.abs(d).sum()
    assert sign_flip(d) == pytest.approx(at_least.mean(), abs=1e-10)
    assert sign_flip(-d) == sign_flip(d)
    assert sign_flip(d) >= min(1, 2 / 2 ** len(d))


def test_sign_flip_at_its_floor_and_agreeing_with_scipy():
    for seeds in (1, 3, 8, 20, 32):
        assert sign_flip(np.arange(1, seeds + 1)) == min(1.0, 2 / 2**seeds)
    d = np.random.default_rng(1).normal(0.5, 1, 10)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d) == pytest.approx(theirs.pvalue, abs=1e-10)


def test_sign_flip_of_many_seeds_is_drawn():
    d = np.random.default_rng(2).normal(0.3, 1, 40)
    drawn = sign_flip(d)
    assert drawn == sign_flip(d)
    assert drawn == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert sign_flip(np.ones(40)) == 1 / 100_001


@given(two_samples(), st.floats(0.01, 100.0))
@settings(deadline=None)
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


def test_least_seeds():
    assert [least_seeds(0.05, k) for k in (1, 15, 28)] == [6, 10, 11]
    assert least_seeds(0.25) == 3
    for k in (1, 15, 28):
        assert 2 / 2 ** least_seeds(0.05, k) <= 0.05 / k < 2 / 2 ** (least_seeds(0.05, k) - 1)


def of_means(means, seeds=12, noise=0.01, seed=5, matrices=True):
    rng = np.random.default_rng(seed)
    every = pair_matrices(rng, len(means), seeds, noise, noise / 2)
    names = [f"act{i}" for i in range(len(means))]
    data = np.array(means)[:, None, None] * every
    data = data if matrices else data[:, 0, 1:]
    return {n: SeedValues(range(x.shape[-1]), x) for n, x in zip(names, data, strict=True)}


def test_verdicts_and_their_direction():
    activations = of_means([0.7, 1.0, 1.003])
    pairs = [("act0", "act1"), ("act1", "act0"), ("act1", "act2")]
    lower, higher, neither = (contrasts(activations, pairs, c) for c in ("lower", "higher", None))
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
    assert (first.method, first.seeds, first.reasons) == (Method.PAIRED, 12, ())
    assert first.p <= first.p_adjusted
    (close,) = contrasts(of_means([1.0, 1.05], noise=0.002), [("act0", "act1")])
    assert (close.verdict, close.reasons) == (more, (Reason.WITHIN_MARGIN,))
    (open_,) = contrasts(of_means([1.0, 1.05], noise=0.3), [("act0", "act1")])
    assert (open_.verdict, open_.reasons) == (ContrastVerdict.UNDECIDED, ())


def test_too_few_seeds_for_a_verdict():
    (c,) = contrasts(of_means([0.5, 1.0], seeds=5), [("act0", "act1")])
    assert c.p < 0.001
    assert c.verdict == ContrastVerdict.UNDECIDED
    assert c.reasons == (Reason.FEW_SEEDS_FOR_FAMILY,)
    assert (c.seeds, c.comparisons, c.seeds_needed) == (5, 1, 6)
    activations = of_means([0.5, 1, 1.1, 1.2, 1.3, 1.4], seeds=9)
    family = contrasts(activations, list(itertools.combinations(activations, 2)))
    assert {c.reasons for c in family} == {(Reason.FEW_SEEDS_FOR_FAMILY,)}
    assert {(c.seeds, c.comparisons, c.seeds_needed) for c in family} == {(9, 15, 10)}


def test_estimates_of_pairs_are_means_over_pairs():
    activations = of_means([0.7, 1.0, 1.3], seeds=6)
    (c,) = contrasts(activations, [("act2", "act0")])
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
    (c,) = contrasts(
        {"a": SeedValues(range(len(one)), one), "b": SeedValues(last, cut)}, [("a", "b")]
    )
    part = one[np.ix_(*[last] * one.ndim)]
    (same,) = contrasts({"a": SeedValues(last, part), "b": SeedValues(last, cut)}, [("a", "b")])
    assert c.reasons[0] == Reason.PART_OF_SEEDS
    assert (c.seeds_shared, c.seeds_first, c.seeds_second) == (5, len(one), 5)
    assert (c.difference, c.p, c.seeds) == (same.difference, same.p, 5)
    # The order in which seeds are given does not matter.
    turned = last[::-1]
    flipped = cut[np.ix_(*[range(4, -1, -1)] * cut.ndim)]
    (back,) = contrasts(
        {"a": SeedValues(last, part), "b": SeedValues(turned, flipped)}, [("a", "b")]
    )
    assert back.p == pytest.approx(same.p, rel=1e-9)


def test_unshared_seeds_are_compared_by_welch():
    activations = of_means([0.7, 1.0], seeds=6)
    a, b = (np.asarray(values.values) for values in activations.values())
    (c,) = contrasts({"a": SeedValues(range(6), a), "b": SeedValues(range(5, 11), b)}, [("a", "b")])
    theirs = stats.ttest_ind(pseudo_values(a), pseudo_values(b), equal_var=False)
    assert (c.method, c.p_sign_flip, c.seeds) == (Method.WELCH, None, 6)
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
    (c,) = contrasts({"a": first, "b": second}, [("a", "b")])
    no_nan(c)
    assert c.reasons == REASONS[case]
    assert (c.p, c.verdict) == (None, ContrastVerdict.UNDECIDED)


def test_identical_activations_are_equivalent():
    # What an activation that never reaches the network looks like.
    (values,) = of_means([1.0], seeds=8).values()
    (c,) = contrasts({"a": values, "b": values}, [("a", "b")])
    no_nan(c)
    assert (c.difference, c.ratio, c.se, c.p_sign_flip) == (0, 1, 0, 1)
    assert c.verdict == ContrastVerdict.EQUIVALENT


def test_an_infinite_third_activation_does_not_matter():
    activations = of_means([0.7, 1.0], seeds=6)
    more = activations | {"bad": SeedValues(range(6), np.where(np.eye(6), 0, math.inf))}
    pairs = [("act0", "act1")]
    assert contrasts(more, pairs) == contrasts(activations, pairs)


def test_bad_arguments_say_what():
    activations = of_means([1, 1.1], seeds=4)
    for text, arguments in (
        ("contrasts: no values of 'x'; there are act0, act1", (activations, [("act0", "x")])),
        ("contrasts: margin 0", (activations, [], "lower", 0)),
        ("contrasts: margin 0.1, confidence 1", (activations, [], "lower", 0.1, 1)),
        ("a: seeds \\[1, 1\\] must be different", ({"a": SeedValues([1, 1], [1, 2])}, [])),
        ("a: 2 seeds, but values of shape \\(3,\\)", ({"a": SeedValues([1, 2], [1, 2, 3])}, [])),
    ):
        with pytest.raises(ReprocoreError, match=f"^{text}"):
            contrasts(*arguments)
    assert contrasts(activations, []) == []


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
    flips = [sign_flip(d) <= 0.05 for d in values[:, 0] - values[:, 1]]
    assert np.mean(flips) <= 0.07


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
