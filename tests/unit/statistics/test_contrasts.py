"""Contrasts of activations: verdicts, families, seeds that are shared, and degenerate input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.closed_test import MOST_ACTIVATIONS, closed_test
from reprocore.statistics.contrasts import Margin, SeedValues, activation_pairs, contrasts
from reprocore.statistics.jackknife import paired_pseudo_values, pseudo_values
from reprocore.statistics.tests_over_seeds import equivalence
from reprocore.vocabulary import ContrastVerdict, Family, Method, Reason


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


def test_a_value_that_is_not_finite_leaves_the_family_on_the_shared_seeds_too():
    activations = of_means([0.7, 1.0], seeds=5)
    (more,) = of_means([0.9], seeds=6).values()
    more.values[5, :5] = more.values[:5, 5] = math.inf
    found = contrasts(activations | {"more": more}, "act1")
    assert (found[0], found[2]) == tuple(contrasts(activations, "act1"))
    for c in (found[1], found[3], found[4], *contrasts({"more": more, **activations}, "more")[:2]):
        assert (c.reasons, c.p, c.difference) == ((Reason.NOT_FINITE,), None, None)


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 6), min_size=1), st.sampled_from([None, 5, 6])),
        min_size=2,
        max_size=4,
    ),
    st.booleans(),
)
def test_what_is_not_finite_is_never_tested_whatever_seeds_there_are(chosen, matrices):
    every = of_means([1.0, 1.1, 1.2, 1.3][: len(chosen)], seeds=8, matrices=matrices)
    activations, infinite = {}, set()
    for (name, (_, x)), (seeds, bad) in zip(every.items(), chosen, strict=True):
        x = x.copy()
        if bad in seeds and (len(seeds) > 1 or not matrices):
            x[bad] = math.inf
            infinite.add(name)
            if matrices:
                x[:, bad], x[bad, bad] = math.inf, 0.0
        own = sorted(seeds)
        activations[name] = SeedValues(own, x[np.ix_(*(own,) * x.ndim)])
    for c in contrasts(activations, "act0"):
        no_nan(c)
        if infinite & {c.first, c.second}:
            assert (c.reasons, c.p, c.difference) == ((Reason.NOT_FINITE,), None, None)


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
