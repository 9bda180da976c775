"""Levels for new seeds and new text: by naive loops, at the ends, and their coverage."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import jackknife, pseudo_values
from reprocore.statistics.levels import (
    OPEN,
    block_pseudo_values,
    components,
    interval,
    level_of_pairs,
    level_of_seeds,
    level_on_this_text,
)
from reprocore.vocabulary import Reason


def seed_means(pairs):
    """[M, B] of [M, M, B] with a zero diagonal."""
    return pairs.sum(axis=1) / (len(pairs) - 1)


def pairs_of(rng, seeds, blocks, by_seed=0.05, by_block=0.1, rest=0.05):
    y = np.zeros((seeds, seeds, blocks))
    s, t = rng.normal(0, by_seed, seeds), rng.normal(0, by_block, blocks)
    for i, j in itertools.combinations(range(seeds), 2):
        y[i, j] = y[j, i] = 1 + s[i] + s[j] + t + rng.normal(0, rest, blocks)
    return y


def naive(y):
    """Every sum of the formulas as a loop."""
    seeds, blocks = y.shape[1:]
    pairs = list(itertools.combinations(range(seeds), 2))
    theta_b = [sum(y[i, j, b] for i, j in pairs) / len(pairs) for b in range(blocks)]
    theta = sum(theta_b) / blocks
    ps = [
        [
            (2 * sum(y[i, j, b] for j in range(seeds) if j != i) - seeds * theta_b[b]) / (seeds - 2)
            for b in range(blocks)
        ]
        for i in range(seeds)
    ]
    ps_i = [sum(row) / blocks for row in ps]
    v_s = sum((p - theta) ** 2 for p in ps_i) / (seeds - 1) / seeds
    v_b = sum((t - theta) ** 2 for t in theta_b) / (blocks - 1) / blocks
    v_i = sum(
        (ps[i][b] - ps_i[i] - theta_b[b] + theta) ** 2 for i in range(seeds) for b in range(blocks)
    ) / ((seeds - 1) * (blocks - 1) * seeds * blocks)
    v = max(v_s + v_b - v_i, v_s, v_b)
    nu = v**2 / (
        v_s**2 / (seeds - 1)
        + v_b**2 / (blocks - 1)
        + min(v_i, v_s, v_b) ** 2 / ((seeds - 1) * (blocks - 1))
    )
    return theta, v_s, v_b, v_i, v, nu


@given(st.integers(3, 6), st.integers(2, 6), st.integers(0, 2**32))
@settings(max_examples=15)
def test_components_are_the_loops(seeds, blocks, seed):
    y = pairs_of(np.random.default_rng(seed), seeds, blocks)
    found = components(block_pseudo_values(seed_means(y)))
    assert [float(part) for part in found] == pytest.approx(naive(y), rel=1e-8)
    level, theta = level_of_pairs(seed_means(y)), naive(y)[0]
    half = stats.t.ppf(0.975, naive(y)[-1]) * math.sqrt(naive(y)[-2])
    assert (level.low, level.high) == pytest.approx((theta - half, theta + half))
    assert (level.se_seeds, level.se_text) == pytest.approx(tuple(map(math.sqrt, naive(y)[1:3])))


def test_over_seeds_it_is_the_jackknife():
    y = pairs_of(np.random.default_rng(1), 5, 8)
    level, plain = level_of_pairs(seed_means(y)), jackknife(y.mean(axis=2))
    assert (level.estimate, level.se_seeds) == pytest.approx((plain.estimate, plain.se))
    blocks = block_pseudo_values(seed_means(y))
    for b in range(8):
        np.testing.assert_allclose(blocks[:, b], pseudo_values(y[..., b]))


def test_on_this_text_it_is_the_jackknife_within_the_bounds():
    matrix = np.array(
        [[0, 0.2, 0.9, 0.8], [0.2, 0, 0.7, 0.9], [0.9, 0.7, 0, 0.95], [0.8, 0.9, 0.95, 0]]
    )
    plain, free = jackknife(matrix), level_on_this_text(matrix)
    assert (free.estimate, free.se, free.low, free.high) == pytest.approx(
        (plain.estimate, plain.se, plain.low, plain.high)
    )
    assert (free.se_seeds, free.se_text, free.dof, free.blocks) == (plain.se, None, 3, 0)
    bounded = level_on_this_text(matrix, (0.0, 1.0))
    assert plain.high > 1 > bounded.high > bounded.estimate > bounded.low > 0
    assert bounded.se == plain.se


@pytest.mark.parametrize(
    ("matrix", "ends", "reason"),
    [
        (np.zeros((4, 4)), (0.0, 0.0), Reason.NO_VARIATION),
        (1 - np.eye(3), (1.0, 1.0), Reason.NO_VARIATION),
        ([[0, 0.3], [0.3, 0]], (None, None), Reason.FEW_SEEDS),
        ([[0, 1, math.inf], [1, 0, 1], [math.inf, 1, 0]], (None, None), Reason.INFINITE),
        ([[0, 1, 1], [1, 0, math.nan], [1, math.nan, 0]], (None, None), Reason.NOT_A_NUMBER),
        ([[0, 0, -0.3], [0, 0, 0.3], [-0.3, 0.3, 0]], (None, None), Reason.ON_A_BOUND),
    ],
)
def test_on_this_text_edge_cases_have_reasons(matrix, ends, reason):
    level = level_on_this_text(matrix, (0.0, 1.0))
    assert (level.low, level.high, level.reasons) == (*ends, (reason,))


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 2.0), (0.0, math.inf), OPEN])
def test_ends_stay_within_the_bounds_and_agree_where_they_are_far(bounds):
    for mean, se in ((0.01, 0.02), (0.5, 0.3), (0.99, 0.05)):
        low, high = interval(mean, se, 3.0, bounds, 0.95)
        assert bounds[0] <= low < mean < high <= bounds[1]
    ends = interval(0.5, 1e-4, 7.0, bounds, 0.95)
    assert ends == pytest.approx(interval(0.5, 1e-4, 7.0, OPEN, 0.95), abs=1e-6)


def test_the_scales_by_hand():
    t = stats.t.ppf(0.95, 4)
    low, high = interval(0.2, 0.05, 4.0, (0.0, 1.0), 0.9)
    for end, sign in ((low, -1), (high, 1)):
        there = math.log(0.2 / 0.8) + sign * t * 0.05 / (0.2 * 0.8)
        assert end == pytest.approx(1 / (1 + math.exp(-there)))
    low, high = interval(0.2, 0.05, 4.0, (0.0, math.inf), 0.9)
    assert (low, high) == pytest.approx((0.2 * math.exp(-t / 4), 0.2 * math.exp(t / 4)))
    # Turned round, accuracy and error have the same interval.
    one, other = (
        interval(0.8, 0.05, 4.0, (0.0, 1.0), 0.9),
        interval(0.2, 0.05, 4.0, (0.0, 1.0), 0.9),
    )
    assert (1 - one[1], 1 - one[0]) == pytest.approx(other)


CASES = {
    "two seeds": (np.ones((2, 4)), (0, 1), Reason.FEW_SEEDS),
    "one block": (np.array([[0.1], [0.2], [0.4]]), (0, 1), Reason.ONE_BLOCK),
    "not a number": (np.array([[0.1, math.nan]] * 3), (0, 1), Reason.NOT_A_NUMBER),
    "infinite": (np.array([[0.1, math.inf]] * 3), (0, math.inf), Reason.INFINITE),
    "alike": (np.full((4, 5), 0.3), (0, 1), Reason.NO_VARIATION),
    "no difference": (np.zeros((4, 5)), (0, 2), Reason.NO_VARIATION),
    "on a bound": (np.array([[-0.1, -0.1], [0.1, 0.1], [0.0, 0.0]]), (0, 1), Reason.ON_A_BOUND),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("of", [level_of_pairs, level_of_seeds])
def test_edges_have_a_reason(case, of):
    values, bounds, reason = CASES[case]
    found = of(values, bounds)
    assert found.reasons == (reason,)
    assert (found.seeds, found.blocks) == values.shape
    if reason == Reason.NO_VARIATION:
        assert found.low == found.high == found.estimate == pytest.approx(values.mean())
    else:
        assert found.low is None
        assert found.high is None
    assert (found.se_seeds is not None) == (
        reason in (Reason.ONE_BLOCK, Reason.NO_VARIATION, Reason.ON_A_BOUND)
    )


def test_bad_arguments_say_what():
    for bad in (np.zeros(3), np.zeros((0, 3))):
        with pytest.raises(ReprocoreError, match=r"^level: shape"):
            level_of_pairs(bad)
    with pytest.raises(ReprocoreError, match=r"^confidence: 1"):
        level_of_seeds(np.ones((3, 3)), confidence=1)


# benchmarks/coverage.py has more generators, seeds and blocks.
@pytest.mark.parametrize("by_block", [0.02, 0.3])
def test_the_interval_covers_new_seeds_and_new_text(by_block):
    rng, studies, seeds, blocks = np.random.default_rng(5), 3000, 6, 24
    x = 1 + rng.normal(0, 0.05, (studies, seeds, 1)) + rng.normal(0, by_block, (studies, 1, blocks))
    x = x + rng.normal(0, 0.1, (studies, seeds, blocks))
    found = components(x)
    low, high = interval(found.mean, np.sqrt(found.total), found.dof, OPEN, 0.95)
    assert 0.93 <= np.mean((low <= 1) & (high >= 1)) <= 0.98


def test_degrees_of_freedom_hold_where_noise_hides_seeds_and_text():
    x = np.random.default_rng(0).normal(size=(2000, 3, 4))
    found = components(x)
    assert (found.both > np.minimum(found.seeds, found.text)).mean() > 0.3
    assert found.total == pytest.approx(
        np.maximum(found.seeds + found.text - found.both, np.maximum(found.seeds, found.text))
    )
    assert found.dof.min() >= 1 / (1 / 2 + 1 / 3 + 1 / 6) - 1e-9
    low, high = interval(found.mean, np.sqrt(found.total), found.dof, OPEN, 0.95)
    assert ((low <= 0) & (high >= 0)).mean() > 0.95
