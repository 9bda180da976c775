"""Estimates by hand, by brute force, and their coverage where the truth is known."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics import divergence
from reprocore.statistics.jackknife import (
    jackknife,
    mean_interval,
    pair_matrix,
    paired_pseudo_values,
    pseudo_values,
)
from reprocore.statistics.tests_over_seeds import paired_difference
from reprocore.vocabulary import Reason


def raises(text):
    return pytest.raises(ReprocoreError, match=f"^{re.escape(text)}$")


@st.composite
def matrices(draw, smallest=3, largest=9):
    seeds = draw(st.integers(smallest, largest))
    count = seeds * (seeds - 1) // 2
    upper = draw(st.lists(st.floats(0.0, 2.0), min_size=count, max_size=count))
    matrix = np.zeros((seeds, seeds))
    matrix[np.triu_indices(seeds, 1)] = upper
    return matrix + matrix.T


FOUR_SEEDS = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]], dtype=float)


def test_hand_worked_jackknife():
    # θ = (1+2+3+4+5+6)/6 = 3.5; r = (6, 10, 12, 14)/3
    # ps_i = [2·3·r_i − 4·3.5]/2 = (12−14, 20−14, 24−14, 28−14)/2 = (−1, 3, 5, 7), mean 3.5
    np.testing.assert_allclose(pseudo_values(FOUR_SEEDS), [-1, 3, 5, 7], rtol=1e-14)
    # sd² = (4.5² + 0.5² + 1.5² + 3.5²)/3 = 35/3; SE = √(35/12); t(0.975, 3) = 3.182446
    estimate = jackknife(FOUR_SEEDS)
    assert estimate.estimate == 3.5
    assert estimate.se == pytest.approx(math.sqrt(35 / 12), rel=1e-14)
    assert estimate.low == pytest.approx(3.5 - 3.182446305 * math.sqrt(35 / 12), rel=1e-8)
    assert estimate.high == pytest.approx(3.5 + 3.182446305 * math.sqrt(35 / 12), rel=1e-8)
    assert (estimate.seeds, estimate.pairs, estimate.reasons) == (4, 6, ())


def mean_over_pairs(matrix, kept):
    return float(np.mean([matrix[i, j] for i, j in itertools.combinations(kept, 2)]))


@given(matrices())
def test_agrees_with_leaving_one_seed_out(matrix):
    m = len(matrix)
    theta = mean_over_pairs(matrix, range(m))
    without = np.array([mean_over_pairs(matrix, [j for j in range(m) if j != i]) for i in range(m)])
    np.testing.assert_allclose(pseudo_values(matrix), m * theta - (m - 1) * without, atol=1e-12)
    brute_se = math.sqrt((m - 1) / m * np.sum((without - without.mean()) ** 2))
    estimate = jackknife(matrix, 0.9)
    half = stats.t.ppf(0.95, m - 1) * brute_se
    assert estimate.estimate == pytest.approx(theta, abs=1e-12)
    assert estimate.se == pytest.approx(brute_se, abs=1e-12)
    assert estimate.low == pytest.approx(theta - half, abs=1e-11)
    assert estimate.high == pytest.approx(theta + half, abs=1e-11)


@given(matrices(), st.randoms(use_true_random=False))
def test_the_order_of_pairs_and_names_of_seeds_do_not_matter(matrix, random):
    m = len(matrix)
    seeds = random.sample(range(1000), m)
    rows = [[seeds[i], seeds[j], matrix[i, j]] for i, j in itertools.combinations(range(m), 2)]
    rows = [(b, a, x) if random.random() < 0.5 else (a, b, x) for a, b, x in rows]
    random.shuffle(rows)
    found, rebuilt = pair_matrix([(a, b) for a, b, _ in rows], [x for *_, x in rows])
    assert found.tolist() == sorted(seeds)
    order = np.argsort(seeds)
    np.testing.assert_array_equal(rebuilt, matrix[np.ix_(order, order)])
    one, other = jackknife(matrix), jackknife(rebuilt)
    assert other.estimate == pytest.approx(one.estimate, abs=1e-13)
    assert other.se == pytest.approx(one.se, abs=1e-12)


def test_identical_seeds_have_no_spread():
    estimate = jackknife(np.zeros((5, 5)))
    assert (estimate.estimate, estimate.se, estimate.low, estimate.high) == (0, 0, 0, 0)


def test_intervals_are_not_clipped():
    assert jackknife(FOUR_SEEDS).low < 0


def test_no_interval_where_none_can_be_had():
    two = jackknife([[0, 0.3], [0.3, 0]])
    assert (two.estimate, two.se, two.low, two.high) == (0.3, None, None, None)
    assert (two.seeds, two.pairs, two.reasons) == (2, 1, (Reason.FEW_SEEDS,))
    for bad, reason in ((math.inf, Reason.INFINITE), (math.nan, Reason.NOT_A_NUMBER)):
        matrix = FOUR_SEEDS.copy()
        matrix[0, 1] = matrix[1, 0] = bad
        estimate = jackknife(matrix)
        assert estimate.estimate == pytest.approx(bad, nan_ok=True)
        assert (estimate.se, estimate.low, estimate.high) == (None, None, None)
        assert estimate.reasons == (reason,)
    single = mean_interval([2.5])
    assert (single.estimate, single.se, single.reasons) == (2.5, None, (Reason.ONE_SEED,))
    assert mean_interval([1.0, math.inf, 2.0]).reasons == (Reason.INFINITE,)
    assert mean_interval([math.inf, -math.inf]).reasons == (Reason.NOT_A_NUMBER,)


def test_mean_interval_is_students():
    values = [2.5, 2.6, 2.4, 2.9]
    estimate = mean_interval(values, 0.9)
    low, high = stats.t.interval(0.9, 3, loc=np.mean(values), scale=stats.sem(values))
    assert estimate.low == pytest.approx(low, rel=1e-12)
    assert estimate.high == pytest.approx(high, rel=1e-12)
    assert (estimate.estimate, estimate.seeds, estimate.pairs) == (pytest.approx(2.6), 4, 0)


def test_bad_inputs_say_what():
    with raises("pairs: pair (3, 9) is missing"):
        pair_matrix([(3, 5), (5, 9)], [1, 2])
    with raises("pairs: pair (3, 5) is given more than once"):
        pair_matrix([(3, 5), (5, 3)], [1, 2])
    with raises("pairs: pair (5, 5) is of a seed with itself"):
        pair_matrix([(3, 5), (5, 5)], [1, 2])
    with raises("pairs: 1 pairs, but values of shape (2,)"):
        pair_matrix([(3, 5)], [1, 2])
    with raises("pairs: float64 of shape (1, 2), must be integers [pairs, 2]"):
        pair_matrix([(3.0, 5.0)], [1])
    with raises("pairs: matrix of shape (2, 3), must be [seeds, seeds]"):
        jackknife(np.zeros((2, 3)))
    for matrix in ([[0, 1], [2, 0]], [[1, 0], [0, 1]]):
        with raises("pairs: matrix must be symmetric with zeros on the diagonal"):
            jackknife(matrix)
    for seeds in (0, 1):
        with raises(f"estimate over pairs: {seeds} seeds, needs at least 2"):
            jackknife(np.zeros((seeds, seeds)))
    with raises("pseudo-values: 2 seeds, needs at least 3"):
        pseudo_values(np.zeros((2, 2)))
    with raises("pseudo-values: a pair is infinite or not a number, must be finite"):
        pseudo_values(INFINITE)
    with raises("mean over seeds: shape (0,), must be [seeds], at least 1"):
        mean_interval([])
    for confidence in (0.0, 1.0, 95):
        with raises(f"confidence: {confidence}, must be between 0 and 1"):
            jackknife(FOUR_SEEDS, confidence)
        with raises(f"confidence: {confidence}, must be between 0 and 1"):
            mean_interval([1.0], confidence)


INFINITE = np.where(np.eye(3), 0.0, math.inf)


def test_no_pairs_give_an_empty_matrix():
    seeds, matrix = pair_matrix([], [])
    assert seeds.shape == (0,)
    assert matrix.shape == (0, 0)


def test_paired_pseudo_values_of_few():
    matrix = pair_matrices(np.random.default_rng(7), 2, 3)
    np.testing.assert_allclose(paired_pseudo_values(matrix), [pseudo_values(m) for m in matrix])
    np.testing.assert_allclose(paired_pseudo_values(matrix[:1])[0], pseudo_values(matrix[0]))
    alike = 0.3 * (1 - np.eye(6))
    np.testing.assert_allclose(paired_pseudo_values([alike, alike]), 0.3)
    for bad, text in (
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((3, 3)), "shape"),
        (np.ones((1, 3, 3)), "matrices must be symmetric"),
        (np.full((1, 3, 3), math.nan), "a pair is infinite"),
    ):
        with pytest.raises(ReprocoreError, match=f"^pairs: {text}"):
            paired_pseudo_values(bad)


# Coverage. 4,000 studies put a standard error of 0.35 points on a coverage of 95%.
STUDIES = 4000


def random_effects(rng, seeds):
    """PD_ij = 1 + a_i + a_j + e_ij, the truth being 1."""
    own = rng.normal(0, 0.1, size=(STUDIES, seeds))
    noise = np.triu(rng.normal(0, 0.05, size=(STUDIES, seeds, seeds)), 1)
    both = own[:, :, np.newaxis] + own[:, np.newaxis]
    matrices = 1 + both + (noise + noise.swapaxes(1, 2))
    matrices[:, range(seeds), range(seeds)] = 0.0
    return matrices, 1.0


def predictions(rng, seeds):
    """Relative PD of softmax(shared logits + seed noise), some seeds noisier than others."""
    shared = rng.normal(0, 2, size=(12, 5))

    def draw(count):
        scale = np.exp(rng.normal(-1, 0.3, size=(count, 1, 1)))
        p = np.exp(shared + scale * rng.normal(size=(count, 12, 5)))
        return p / p.sum(axis=-1, keepdims=True)

    def relative_pd(p, q):
        return (2 * np.abs(p - q) / (p + q)).mean(axis=(-2, -1))

    truth = float(relative_pd(draw(50_000), draw(50_000)).mean())
    stack = draw(STUDIES * seeds).reshape(STUDIES, seeds, 12, 5)
    assert relative_pd(stack[0, 0], stack[0, 1]) == pytest.approx(
        divergence.relative_pd(stack[0, 0], stack[0, 1])
    )
    return relative_pd(stack[:, :, np.newaxis], stack[:, np.newaxis]), truth


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("simulate", [random_effects, predictions])
def test_coverage_of_seeds_and_of_pairs(simulate, seeds):
    matrices, truth = simulate(np.random.default_rng(20 + seeds), seeds)
    upper = np.triu_indices(seeds, 1)
    by_seed = [jackknife(matrix) for matrix in matrices]
    by_pair = [mean_interval(matrix[upper]) for matrix in matrices]
    covers, naive = (
        np.mean([e.low <= truth <= e.high for e in estimates]) for estimates in (by_seed, by_pair)
    )
    assert 0.92 <= covers <= 0.97
    assert naive < 0.8


@pytest.mark.slow
def test_squared_standard_error_is_not_too_small():
    # Var θ̂ = 4·σ_a²/M + 2·σ_e²/(M(M−1)) with σ_a = 0.1, σ_e = 0.05, M = 5; the jackknife's
    # expectation is 4·σ_a²/M + 4·σ_e²/(M(M−2)), larger as Efron & Stein prove
    matrices, _ = random_effects(np.random.default_rng(3), 5)
    squared = np.mean([jackknife(matrix).se ** 2 for matrix in matrices])
    assert squared > 4 * 0.1**2 / 5 + 2 * 0.05**2 / 20
    assert squared == pytest.approx(4 * 0.1**2 / 5 + 4 * 0.05**2 / 15, rel=0.06)


def test_plain_pseudo_values_are_too_wide_for_contrasts():
    matrices = pair_matrices(np.random.default_rng(6), (3000, 2), 8, 0.01)
    plain = np.array([[pseudo_values(m) for m in study] for study in matrices])
    paired = paired_pseudo_values(matrices)
    np.testing.assert_allclose(paired.mean(axis=-1), plain.mean(axis=-1), atol=1e-12)
    rates = [
        np.mean(paired_difference(*v.swapaxes(0, 1)).p_two_sided() <= 0.05) for v in (plain, paired)
    ]
    assert rates[0] < 0.02 < rates[1] < 0.06
