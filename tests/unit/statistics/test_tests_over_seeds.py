"""Tests of differences over seeds: other implementations, symmetries, power and error rates."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.closed_test import closed_test
from reprocore.statistics.jackknife import paired_pseudo_values
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
def test_holm_agrees_with_statsmodels(p):
    with mock.patch("gc.collect"):  # each call of theirs takes a second where much is loaded
        theirs = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(holm(p), theirs, atol=1e-10)


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
