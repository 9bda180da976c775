"""Between two activations: against plain loops, where nothing is known, and the coverage."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reprocore.errors import ReprocoreError
from reprocore.statistics.cross import across, within
from reprocore.vocabulary import Reason

SAME, OTHER, OWN = 0.4, 0.6, 0.5


def symmetric(upper):
    return np.triu(upper, 1) + np.triu(upper, 1).T


def drawn(rng, seeds, shared, noise=0.03):
    """What is between two activations [M, M], and within each [2, M, M]; means as above.

    Each training adds its own part, of which the share `shared` is common to the two trainings of
    a seed.
    """
    common = rng.normal(0, 0.04, seeds) * math.sqrt(shared)
    parts = [common + rng.normal(0, 0.04, seeds) * math.sqrt(1 - shared) for _ in range(2)]

    def chance():
        return rng.normal(0, noise, (seeds, seeds))

    between = OTHER + parts[0][:, None] + parts[1] + chance()
    np.fill_diagonal(between, SAME + sum(parts) / 2 + rng.normal(0, 0.02, seeds))
    return between, np.stack([symmetric(OWN + p[:, None] + p + chance()) for p in parts])


def test_estimates_and_errors_agree_with_leaving_out_one_seed_after_the_other():
    between, own = drawn(np.random.default_rng(1), 5, 0.5)
    same, other = across(between, own)

    def mean(seeds):
        pairs = list(itertools.permutations(seeds, 2))
        return math.fsum(between[i, j] for i, j in pairs) / len(pairs)

    left = [mean([s for s in range(5) if s != gone]) for gone in range(5)]
    pseudo = [5 * mean(range(5)) - 4 * value for value in left]
    se = np.std(pseudo, ddof=1) / math.sqrt(5)
    half = stats.t.ppf(0.975, 4) * se
    assert (other.estimate, other.se, other.pairs) == pytest.approx((mean(range(5)), se, 20))
    assert (other.low, other.high) == pytest.approx((other.estimate - half, other.estimate + half))
    diagonal = np.array([between[i, i] for i in range(5)])
    wanted = stats.t.interval(0.95, 4, diagonal.mean(), stats.sem(diagonal))
    assert (same.estimate, same.low, same.high) == pytest.approx((diagonal.mean(), *wanted))
    assert (same.pairs, same.seeds) == (5, 5)
    again = [own[a][i, j] for a in range(2) for i in range(5) for j in range(i)]
    assert same.ratio == pytest.approx(diagonal.mean() / np.mean(again))
    assert other.ratio == pytest.approx(mean(range(5)) / np.mean(again))
    for found in (same, other):
        assert found.ratio_low < found.ratio < found.ratio_high


def test_where_more_is_closer_ratios_are_of_one_less_the_measure():
    between, own = drawn(np.random.default_rng(2), 6, 0.5)
    overlap = np.stack([symmetric(1 - d) for d in own])
    for plain, turned in zip(across(between, own), across(1 - between, overlap, True), strict=True):
        assert turned.estimate == pytest.approx(1 - plain.estimate)
        assert turned.ratio == pytest.approx(plain.ratio)
        assert (turned.ratio_low, turned.ratio_high) == pytest.approx(
            (plain.ratio_low, plain.ratio_high)
        )


def test_no_end_of_an_interval_leaves_the_bounds():
    between, own = drawn(np.random.default_rng(3), 3, 0.5)
    for found in across(between, own, False, (0.35, 0.65)):
        assert 0.35 < found.low < found.estimate < found.high < 0.65


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_too_few_seeds_have_a_reason(seeds):
    between, own = drawn(np.random.default_rng(4), seeds, 0.5)
    same, other = across(between, own)
    for found in (same, other):
        assert found.ratio is None
        assert found.ratio_low is None
    wanted = {
        0: ((Reason.NO_SHARED_SEED,), (Reason.NO_SHARED_SEED,)),
        1: ((Reason.ONE_SEED,), (Reason.ONE_SEED,)),
        2: ((Reason.FEW_SEEDS,), (Reason.FEW_SEEDS,)),
    }[seeds]
    assert (same.reasons, other.reasons) == wanted
    assert (same.low is None) == (seeds < 2)
    assert other.low is None


def test_what_has_no_ratio_says_why():
    between, own = drawn(np.random.default_rng(5), 4, 0.5)
    for found in across(between, np.zeros_like(own)):
        assert (found.ratio, found.reasons) == (None, (Reason.NO_RATIO,))
    own[0][0, 1] = own[0][1, 0] = np.inf
    for found in across(between, own):
        assert (found.ratio, found.reasons) == (None, (Reason.NOT_FINITE,))
    wild = symmetric(np.array([[0, 9, 0.01, 0.01]] + 3 * [[0, 0, 0.01, 0.01]]))
    found, _ = across(between, np.stack([wild, wild]))
    assert found.ratio_low is None
    assert found.reasons == (Reason.RETRAINING_NOT_CLEAR,)


def test_identical_cells_have_an_interval_without_width():
    between, own = np.full((3, 3), 0.2), np.stack(2 * [symmetric(np.full((3, 3), 0.2))])
    for found in (*across(between, own, bounds=(0, 1)), within(own[0], (0, 1))):
        assert found.low == found.high == found.estimate == pytest.approx(0.2)
        assert found.reasons == (Reason.NO_VARIATION,)


def test_where_nothing_varies_a_ratio_that_lacks_has_its_own_reason():
    between, own = np.full((3, 3), 0.2), np.zeros((2, 3, 3))
    for found in across(between, own):
        assert found.reasons == (Reason.NO_VARIATION, Reason.NO_RATIO)
    same, different = across(between[:2, :2], own[:, :2, :2])
    assert same.reasons == (Reason.NO_VARIATION, Reason.FEW_SEEDS)
    assert different.reasons == (Reason.FEW_SEEDS,)
    own[0][0, 1] = own[0][1, 0] = np.inf
    for found in across(between, own):
        assert found.reasons == (Reason.NO_VARIATION, Reason.NOT_FINITE)


def test_bad_shapes_are_one_line():
    with pytest.raises(ReprocoreError, match="shapes"):
        across(np.zeros((3, 3)), np.zeros((2, 4, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_intervals_hold_as_often_as_they_say(seeds, shared):
    rng = np.random.default_rng([seeds, int(10 * shared)])
    truths = ((SAME, SAME / OWN), (OTHER, OTHER / OWN))
    hits, runs = np.zeros(4), 400
    for _ in range(runs):
        found = zip(across(*drawn(rng, seeds, shared)), truths, strict=True)
        hits += [
            low is not None and low <= truth <= high
            for one, (level, ratio) in found
            for low, truth, high in (
                (one.low, level, one.high),
                (one.ratio_low, ratio, one.ratio_high),
            )
        ]
    # Three standard errors of 400 runs below 95%; a jackknife may be wide, and one is not bounded.
    assert (hits / runs >= 0.917).all(), hits / runs
