"""Slopes over models: by hand, against a numerical derivative, and their coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conftest import one_line, pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import jackknife
from reprocore.statistics.scaling import log_values, slope_over_models
from reprocore.statistics.spread import relative_spread, squared_cv_values
from reprocore.vocabulary import Reason


def test_slope_by_hand():
    # Means 1, 2, 4 at 0, 1, 2: slope 1.5; seeds 0 and 2 of the last model are 1 off: slopes ± 0.5.
    found = slope_over_models([0, 1, 2], [[1, 1, 1], [2, 2, 2], [3, 4, 5]])
    assert found.slope == pytest.approx(1.5)
    half = 4.302653 * 0.5 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((1.5 - half, 1.5 + half), rel=1e-6)
    assert (found.models, found.seeds, found.reasons) == (3, 3, ())


@given(st.integers(0, 10_000), st.integers(3, 6), st.integers(3, 8))
def test_a_seeds_slope_is_the_derivative_by_its_weight(random, models, seeds):
    rng = np.random.default_rng(random)
    x = np.arange(models)[:, None] + rng.normal(0, 0.1, (models, seeds))
    y = rng.normal(size=(models, seeds))

    def slope(weights):
        return np.polyfit(x @ weights, y @ weights, 1)[0]

    even, step = np.full(seeds, 1 / seeds), 1e-5
    moved = [even + step * (np.eye(seeds)[i] - even) for i in range(seeds)]
    other = [even - step * (np.eye(seeds)[i] - even) for i in range(seeds)]
    parts = np.array([slope(a) - slope(b) for a, b in zip(moved, other, strict=True)]) / step / 2
    found = slope_over_models(x, y)
    assert found.slope == pytest.approx(slope(even))
    half = stats.t.ppf(0.975, seeds - 1) * parts.std(ddof=1) / math.sqrt(seeds)
    assert found.high - found.slope == pytest.approx(half, rel=1e-5)


def test_values_of_a_level_and_of_a_squared_cv_have_these_as_their_means():
    stack = pair_matrices(np.random.default_rng(1), 3, 6)
    level = jackknife(stack[0])
    assert log_values(stack[0]).mean() == pytest.approx(math.log(level.estimate))
    spread = log_values(stack[0]).std(ddof=1) / math.sqrt(6)
    assert spread == pytest.approx(level.se / level.estimate)
    whole = relative_spread(stack)
    assert squared_cv_values(stack).mean() == pytest.approx(1e4 * (whole.spread - whole.noise))
    assert log_values(np.zeros((4, 4))) is None


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([0, 1], np.ones((2, 4)), Reason.FEW_MODELS),
        ([1, 1, 1], np.ones((3, 4)), Reason.ALIKE_MODELS),
        (np.array([[1, 2, 3], [2, 3, 1], [3.1, 1, 2]]), np.ones((3, 3)), Reason.ALIKE_MODELS),
        ([0, 1, math.nan], np.ones((3, 4)), Reason.NOT_FINITE),
        ([0, 1, 2], np.full((3, 4), math.inf), Reason.NOT_FINITE),
    ],
)
def test_what_has_no_slope_says_why(x, y, reason):
    found = slope_over_models(x, y)
    assert (found.slope, found.low, found.high) == (None, None, None)
    assert found.reasons == (reason,)


def test_one_seed_gives_a_slope_without_interval_and_wrong_shapes_are_refused():
    found = slope_over_models([0, 1, 2], [[1], [2], [3]])
    assert found.slope == pytest.approx(1)
    assert found.low is None
    assert found.reasons
    with pytest.raises(ReprocoreError) as error:
        slope_over_models([0, 1, 2], np.ones((2, 4)))
    assert one_line(error).startswith("slope: shapes")


def simulated(rng, models, seeds, unequal, shared):
    """Pairs [K, A, M, M] of K sizes, whose errors grow `unequal`-fold; true levels [K, A]."""
    x = np.linspace(5, 7, models)
    level, cv = 0.6 * 10 ** (-0.1 * (x - 5)), np.linspace(0.06, 0.02, models)
    truth = level[:, None] * (1 + cv[:, None] * np.array([-1, 0, 1]))
    noise = 0.02 * unequal ** np.linspace(-0.5, 0.5, models)
    common = rng.normal(size=(1, 1, seeds)) * math.sqrt(shared)
    own = common + rng.normal(size=(models, 3, seeds)) * math.sqrt(1 - shared)
    own = own * noise[:, None, None]
    single = np.triu(rng.normal(size=(models, 3, seeds, seeds)), 1) * noise[:, None, None, None] / 2
    sums = own[..., :, None] + own[..., None, :] + single + single.swapaxes(-1, -2)
    pairs = truth[..., None, None] * (1 + sums)
    pairs[..., range(seeds), range(seeds)] = 0
    return x, pairs, truth


@pytest.mark.parametrize(("unequal", "shared"), [(1, 0), (16, 0), (1 / 16, 0), (4, 0.6)])
@pytest.mark.parametrize("seeds", [4, 8])
def test_interval_of_a_slope_of_levels_covers_the_truth(seeds, unequal, shared):
    rng, held, runs = np.random.default_rng(5), 0, 300
    for _ in range(runs):
        x, pairs, truth = simulated(rng, 4, seeds, unequal, shared)
        found = slope_over_models(x, [log_values(matrix) for matrix in pairs[:, 0]])
        held += found.low <= np.polyfit(x, np.log(truth[:, 0]), 1)[0] <= found.high
    # Nominal 0.95; a binomial of 300 is below 0.915 once in 200 times.
    assert 0.915 <= held / runs <= 0.99


@pytest.mark.parametrize("noise", [0.02, 0.08])
def test_interval_over_an_axis_that_is_uncertain_itself_covers_the_truth(noise):
    """Losses 0.2 nats apart: with the larger noise, F is not far above its least."""
    rng, held, runs = np.random.default_rng(2), 0, 0
    for _ in range(300):
        place, pairs, truth = simulated(rng, 4, 6, 4, 0)
        loss = -0.2 * (place - 5)
        found = slope_over_models(
            loss[:, None] + rng.normal(0, noise, (4, 6)), [log_values(d) for d in pairs[:, 0]]
        )
        if found.slope is not None:
            runs += 1
            held += found.low <= np.polyfit(loss, np.log(truth[:, 0]), 1)[0] <= found.high
    assert runs > 150
    assert held / runs >= 0.91


@pytest.mark.slow
@pytest.mark.parametrize("unequal", [1, 16, 1 / 16])
def test_interval_of_a_slope_of_squared_cvs_covers_the_truth(unequal):
    rng, held, runs = np.random.default_rng(0), 0, 150
    for _ in range(runs):
        x, pairs, truth = simulated(rng, 4, 6, unequal, 0)
        found = slope_over_models(x, [squared_cv_values(stack) for stack in pairs])
        squared = (100 * truth.std(axis=1, ddof=1) / truth.mean(axis=1)) ** 2
        held += found.low <= np.polyfit(x, squared, 1)[0] <= found.high
    assert held / runs >= 0.9
