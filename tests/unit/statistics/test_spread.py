"""Spread of activations: by hand, by enumeration, and on noise and on known spreads."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.closed_test import alike
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.spread import (
    activation_spread,
    coefficient_of_variation,
    cv_interval,
    relative_spread,
    spread_below,
)
from reprocore.vocabulary import Reason


def test_coefficients_of_variation_by_hand():
    # mean 4, sd² = (4 + 0 + 4)/2 = 4: CV 50%
    assert coefficient_of_variation([2, 4, 6]) == pytest.approx(50.0)


@pytest.mark.parametrize("estimates", [[], [1.0], [0.0, 0.0], [1.0, math.inf], [1.0, math.nan]])
def test_no_coefficient_of_variation(estimates):
    assert coefficient_of_variation(estimates) is None


def test_the_omnibus_test_is_that_of_all_activations():
    matrices = pair_matrices(np.random.default_rng(1), 4, 5)
    assert activation_spread(matrices).p_omnibus == alike(paired_pseudo_values(matrices))
    values = np.random.default_rng(2).normal(5, 1, (3, 6))
    assert activation_spread(values).p_omnibus == alike(values)


def test_epsilon_reduces_all_degrees_of_freedom():
    values = np.random.default_rng(3).normal(5, [[0.1], [0.1], [1]], (3, 6))
    found = relative_spread(values)
    assert 0.5 <= found.epsilon < 0.8
    assert (found.free, found.dof) == (2 * found.epsilon, 10 * found.epsilon)
    share = values.mean(axis=1) / values.mean()
    own = (values - share[:, None] * values.mean(axis=0)) / values.mean()
    k = np.cov(own)
    assert found.epsilon == pytest.approx(np.trace(k) ** 2 / (2 * np.trace(k @ k)))
    assert found.noise == pytest.approx(np.trace(k) / 2 / 6)
    spherical = cv_interval(found.spread, found.noise, 2, 10, 0.95)
    assert cv_interval(*found[:4], 0.95)[1] > spherical[1]


def test_the_average_over_the_noise_is_the_integral():
    spread, noise, truth, free, dof = 0.02, 0.004, 0.01, 2.3, 8.1

    def chance(u):
        scale = noise * dof / stats.chi2.isf(u, dof)
        return stats.ncx2.cdf(free * spread / scale, free, free * truth / scale)

    wanted = quad(chance, 0, 1, limit=200)[0]
    assert spread_below(spread, noise, truth, free, dof) == pytest.approx(wanted, abs=1e-4)


@given(st.integers(0, 2**32), st.floats(0.01, 100))
@settings(max_examples=20)
def test_units_and_order_do_not_matter(seed, scale):
    matrices = pair_matrices(np.random.default_rng(seed), 4, 5)
    one = activation_spread(matrices)
    other = activation_spread(scale * matrices)
    turned = activation_spread(matrices[::-1])
    for name in ("cv", "corrected", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-6)
        assert getattr(turned, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-6)
    assert one.low <= one.corrected <= one.cv


def test_a_seed_that_scales_all_activations_is_no_noise():
    base = pair_matrices(np.random.default_rng(2), 1, 5)
    found = activation_spread(np.array([0.9, 1.0, 1.1])[:, None, None] * base)
    assert found.corrected == pytest.approx(found.cv)
    assert (found.low, found.high) == pytest.approx((found.cv, found.cv))
    values = np.array([0.9, 1.0, 1.1])[:, None] * np.array([1.0, 3.0, 2.0])
    assert activation_spread(values).corrected == pytest.approx(10.0)


def test_the_interval_ends_where_the_chance_does():
    spread, noise, free, dof = 0.02, 0.004, 5, 20
    low, high = cv_interval(spread, noise, free, dof, 0.9)
    for end, chance in ((low, 0.95), (high, 0.05)):
        found = spread_below(spread, noise, (end / 100) ** 2, free, dof)
        assert found == pytest.approx(chance, abs=1e-6)
    assert low < 100 * math.sqrt(spread - noise) < high
    assert cv_interval(0.001, 0.004, free, dof, 0.95)[0] == 0.0


@given(st.floats(0, 1), st.integers(1, 5), st.integers(3, 40))
def test_a_spread_below_its_noise_does_not_shorten_the_interval(share, free, dof):
    noise = 0.004
    at_noise = cv_interval(noise, noise, free, dof, 0.95)
    assert at_noise[1] > 0
    assert cv_interval(share * noise, noise, free, dof, 0.95) == pytest.approx((0, at_noise[1]))


@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("by_seed", [0.025, 0.1])
@pytest.mark.parametrize("cv", [0.0, 0.1, 0.2])
def test_corrected_cv_and_its_interval(seeds, by_seed, cv):
    pattern = np.array([-1.5, -0.5, -0.2, 0.1, 0.6, 1.5])
    means = 1 + cv * pattern / pattern.std(ddof=1)
    noise = pair_matrices(np.random.default_rng(seeds), (2000, 6), seeds, by_seed)
    spread, error, free, dof, _ = relative_spread(means[:, None, None] * noise)
    plain, corrected = np.sqrt(spread), np.sqrt(np.maximum(0, spread - error))
    if cv:
        assert corrected.mean() == pytest.approx(cv, rel=0.1)
        assert plain.mean() > corrected.mean()
    else:
        assert np.median(corrected) == 0
        assert corrected.mean() < 0.5 * plain.mean()
        assert np.median(plain) > 0.01
    chance = spread_below(spread, error, np.full(2000, cv**2), free, dof, nodes=64)
    covers = np.mean((chance <= 0.975) & ((chance >= 0.025) | (cv == 0)))
    assert 0.92 <= covers <= 1.0


@pytest.mark.parametrize("by_seed", [0.025, 0.1])
def test_omnibus_error_rate(by_seed):
    matrices = pair_matrices(np.random.default_rng(9), (3000, 6), 8, by_seed)
    assert 0.01 <= np.mean(alike(paired_pseudo_values(matrices)) <= 0.05) <= 0.06


ALIKE = 0.3 * (1 - np.eye(6))
DEGENERATE = {
    "one activation": (ALIKE[None], (Reason.ONE_ACTIVATION,)),
    "two seeds": (np.array([0.3, 0.4])[:, None, None] * (1 - np.eye(2)), (Reason.FEW_SEEDS,)),
    "one seed": (np.zeros((3, 1, 1)), (Reason.FEW_SEEDS,)),
    "zero mean": (np.zeros((2, 6, 6)), (Reason.ZERO_MEAN,)),
    "infinite": (np.where(np.eye(4), 0, np.full((2, 4, 4), math.inf)), (Reason.NOT_FINITE,)),
    "all pairs equal": (np.stack([ALIKE, ALIKE]), ()),
    "no spread over seeds": (np.stack([ALIKE, 2 * ALIKE]), ()),
    "three seeds": (
        pair_matrices(np.random.default_rng(3), 2, 3),
        (Reason.FEW_SEEDS_FOR_TEST,),
    ),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_input(case):
    values, reasons = DEGENERATE[case]
    found = activation_spread(values)
    assert (found.reasons, found.seeds) == (reasons, values.shape[1])
    if case == "three seeds":
        assert found.p_omnibus is None
        assert found.low is not None
    for value in vars(found).values():
        assert not (isinstance(value, float) and not math.isfinite(value))
    if case == "all pairs equal":
        assert (found.cv, found.corrected, found.low, found.high) == (0, 0, 0, 0)
        assert found.p_omnibus == 1.0


def test_bad_arguments_say_what():
    for shape in ((3,), (2, 3, 4), (2, 0)):
        with pytest.raises(ReprocoreError, match=r"^spread: shape"):
            activation_spread(np.zeros(shape))
    with pytest.raises(ReprocoreError, match=r"^confidence: 1, must be between 0 and 1$"):
        activation_spread(np.ones((2, 3)), 1)
