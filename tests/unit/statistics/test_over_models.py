"""Ratios over models and orders over time: by hand, their symmetries, and their coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from conftest import pair_matrices
from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.over_models import LogRatio, log_ratio, mean_ratio, rank_correlation
from reprocore.vocabulary import Reason

seeds_values = st.lists(st.floats(0.1, 10), min_size=5, max_size=5).map(np.array)


def test_log_ratio_by_hand():
    # Means 2 and 1: linear parts a/2 − b are (−0.5, 0, 0.5) − (−0.1, 0, 0.1), sd 0.4
    found = log_ratio([1, 2, 3], [0.9, 1.0, 1.1])
    assert found.estimate == pytest.approx(math.log(2))
    assert found.se == pytest.approx(0.4 / math.sqrt(3))
    assert found.chance_lower() == pytest.approx(stats.t.cdf(-math.log(2) / found.se, 2))


def test_mean_ratio_by_hand():
    # By seed (1, −1, 0), variance 1, and (0, −0.5, 0.5), variance 0.25, of means of 3 seeds.
    models = [
        LogRatio(math.log(2), {1: 1, 2: -1, 3: 0}),
        LogRatio(math.log(0.5), {1: 0, 2: -0.5, 3: 0.5}),
    ]
    found = mean_ratio(models)
    # The seeds' means over models are 0.5, −0.75 and 0.25.
    se = np.std([0.5, -0.75, 0.25], ddof=1) / math.sqrt(3)
    assert found.ratio == pytest.approx(1)
    assert found.high == pytest.approx(math.exp(se * stats.t.ppf(0.975, 2)))
    assert found.low == pytest.approx(1 / found.high)
    assert found.chance_lower == pytest.approx(0.5)
    errors = np.array([1, 0.5]) / math.sqrt(3)
    chances = stats.t.cdf(np.array([-math.log(2), math.log(2)]) / errors, 2)
    assert found.share_lower == pytest.approx(chances.mean())


def test_models_of_other_seeds_do_not_err_together():
    one, other = {1: 1, 2: -1, 3: 0}, {4: 1, 5: -1, 6: 0}
    apart = mean_ratio([LogRatio(0.0, one), LogRatio(0.0, other)])
    together = mean_ratio([LogRatio(0.0, one), LogRatio(0.0, one)])
    assert math.log(together.high) / math.log(apart.high) == pytest.approx(math.sqrt(2))


@given(seeds_values, seeds_values, seeds_values, st.floats(0.01, 100))
def test_turning_the_ratio_round_inverts_it(a, b, c, scale):
    there = mean_ratio([log_ratio(a, b), log_ratio(b, c)])
    back = mean_ratio([log_ratio(b, a), log_ratio(scale * c, scale * b)])
    assert there.ratio == pytest.approx(1 / back.ratio, rel=1e-9)
    if there.low is not None and min(there.low, back.low) > 1e-6:
        assert there.low == pytest.approx(1 / back.high, rel=1e-6)
    if there.chance_lower is not None and there.share_lower is not None:
        assert there.chance_lower == pytest.approx(1 - back.chance_lower, abs=1e-6)
        assert there.share_lower == pytest.approx(1 - back.share_lower, abs=1e-6)


def test_no_ratio_without_what_it_needs():
    good = [1.0, 2.0, 3.0]
    for bad in ([0.0, 0.0, 0.0], [-1.0, 0.0, 0.5], [1.0, math.inf, 1.0]):
        assert log_ratio(good, bad) is None
        assert log_ratio(bad, good) is None
    assert log_ratio([1.0, 2.0], [1.0, 2.0]) is None
    with pytest.raises(ReprocoreError, match=r"^ratio: shapes \(3,\) and \(2,\)"):
        log_ratio(good, [1.0, 2.0])
    assert mean_ratio([]).reasons == (Reason.NO_MODELS,)
    nothing = mean_ratio([None, None])
    assert (nothing.ratio, nothing.reasons) == (None, (Reason.MODELS_WITHOUT_RATIO,))
    assert (nothing.models, nothing.models_total) == (0, 2)
    part = mean_ratio([None, log_ratio(good, [1.0, 1.1, 1.3])])
    assert (part.models, part.models_total) == (1, 2)
    assert part.reasons == (Reason.MODELS_WITHOUT_RATIO,)
    same = mean_ratio([log_ratio(good, good)])
    assert (same.ratio, same.low, same.high, same.chance_lower, same.share_lower) == (
        1,
        *[None] * 4,
    )
    assert same.reasons == (Reason.CONSTANT_RATIO,)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("by_seed", [0.025, 0.1])
@pytest.mark.parametrize("together", [False, True])
def test_mean_ratio_coverage(seeds, by_seed, together):
    # 3 models with true ratios 0.8, 1 and 1.5, one of them noisier; they err apart or together.
    truth = (0.8 * 1.0 * 1.5) ** (1 / 3)
    rng = np.random.default_rng(seeds)
    models = []
    for number, (ratio, noise) in enumerate(((0.8, 1), (1.0, 1), (1.5, 2))):
        drawn = np.random.default_rng(seeds) if together and number < 2 else rng
        matrices = pair_matrices(drawn, (1500, 2), seeds, noise * by_seed, noise * 0.05)
        models.append(paired_pseudo_values(np.array([ratio, 1.0])[:, None, None] * matrices))
    found = [
        mean_ratio([log_ratio(*study) for study in each]) for each in zip(*models, strict=True)
    ]
    assert 0.92 <= np.mean([r.low <= truth <= r.high for r in found]) <= 0.98


def at_two_times(rng, early, late, seeds, noise):
    return [
        np.array(means)[:, None, None] * pair_matrices(rng, len(means), seeds, noise, noise / 2)
        for means in (early, late)
    ]


def test_rank_correlation_of_clear_orders():
    rng = np.random.default_rng(1)
    order = [0.6, 0.8, 1.0, 1.2]
    for late, tau in ((order, 1), (order[::-1], -1), ([0.8, 0.6, 1.0, 1.2], 2 / 3)):
        found = rank_correlation(*at_two_times(rng, order, late, 8, 0.01))
        assert (found.estimate, found.low, found.high) == pytest.approx((tau, tau, tau))
        assert found.agree + found.disagree == found.pairs == 6


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_rank_correlation_agrees_with_scipy_and_with_itself(seed):
    rng = np.random.default_rng(seed)
    early, late = rng.integers(0, 9, (2, 5, 6)).astype(float)
    found = rank_correlation(early, late)
    tau = stats.kendalltau(early.mean(axis=1), late.mean(axis=1)).statistic
    if math.isnan(tau):
        assert (found.estimate, found.low) == (None, None)
        return
    assert found.estimate == pytest.approx(tau, abs=1e-10)
    assert -1 <= found.low <= found.high <= 1
    back = rank_correlation(late, early)
    assert (back.estimate, back.low, back.high) == (found.estimate, found.low, found.high)
    turned = rank_correlation(-early, late)
    assert turned.estimate == pytest.approx(-found.estimate)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("late", [[0.9, 1.0, 1.1, 1.2], [1.2, 1.1, 1.0, 0.9], [1.0, 0.9, 1.2, 1.1]])
@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_rank_correlation_covers(late, noise):
    early = [0.9, 1.0, 1.1, 1.2]
    truth = stats.kendalltau(early, late).statistic
    rng = np.random.default_rng(2)
    found = [rank_correlation(*at_two_times(rng, early, late, 5, noise)) for _ in range(200)]
    assert np.mean([r.low - 1e-9 <= truth <= r.high + 1e-9 for r in found]) >= 0.93
    assert np.mean([r.high - r.low for r in found]) < (1.5 if noise < 0.1 else 2.1)


def test_rank_correlation_of_too_little():
    few = (1 - np.eye(2)) * np.ones((3, 1, 1))
    same = (1 - np.eye(4)) * np.ones((3, 1, 1))
    for early, reason in (
        (few, Reason.FEW_SEEDS),
        (same[:1], Reason.ONE_ACTIVATION),
        (same, Reason.ALL_ALIKE),
        (np.where(same > 0, math.inf, 0), Reason.NOT_FINITE),
    ):
        found = rank_correlation(early, early)
        assert (found.estimate, found.low, found.high) == (None, None, None)
        assert (found.reasons, found.seeds) == ((reason,), early.shape[1])
    with pytest.raises(ReprocoreError, match=r"^rank correlation: shapes"):
        rank_correlation(same, few)
