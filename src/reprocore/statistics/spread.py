"""How much a model's activations differ, beyond what seeds alone would show."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import chdtri, chndtr

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import paired_pseudo_values, variance_components
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.vocabulary import Reason

PERMUTATIONS = 10_000
# Quantiles that stand for the chi-square of the noise variance; more change nothing in 1e-3.
NODES = 64


@dataclass(frozen=True)
class ActivationSpread:
    """Spread of a model's activations. What cannot be had is None, and `reasons` say why.

    Attributes:
        cv: standard deviation over mean of the estimates, percent; what the noise adds included.
        corrected: the same less the noise, percent.
        low: lower end of its interval.
        high: upper end of it.
        p_omnibus: that the activations are alike, by permutation within seeds.
        activations: activations compared.
        seeds: seeds that they share.
        seeds_for_omnibus: with which the omnibus test can pass its level; None if not tested.
        reasons: what is missing, and what limits it.
    """

    cv: float | None
    corrected: float | None
    low: float | None
    high: float | None
    p_omnibus: float | None
    activations: int
    seeds: int
    seeds_for_omnibus: int | None = None
    reasons: tuple[Reason, ...] = ()


def activation_spread(
    values: npt.ArrayLike,
    confidence: float = 0.95,
    permutations: int = PERMUTATIONS,
) -> ActivationSpread:
    """Spread of A activations over the same M seeds, with its interval and omnibus test.

    Noise is the activation × seed part alone: what a seed does to all activations alike cancels
    in their spread. See `relative_spread` for the estimate and `cv_interval` for the interval.
    The corrected CV, its interval and the omnibus test suppose errors about as large for every
    activation: where they differ fourfold, the nominal 95% interval covers 85 to 89%, the test
    rejects up to 9% at 5%, and contrasts are to be preferred (benchmarks/coverage.py).

    Args:
        values: per pair [A, M, M], or per seed [A, M]; symmetric with zero diagonals if per pair.
        confidence: in 0–1, exclusive.
        permutations: at most, of the omnibus test.

    Raises:
        ReprocoreError: not such values, or `confidence` out of range.
    """
    if not 0 < confidence < 1:
        raise ReprocoreError(f"confidence: {confidence}, must be between 0 and 1")
    x = np.asarray(values, dtype=np.float64)
    if x.ndim not in (2, 3) or 0 in x.shape or x.shape[1] != x.shape[-1]:
        raise ReprocoreError(
            f"spread: shape {x.shape}, must be [activations, seeds] or [activations, seeds, seeds]"
        )
    activations, seeds = x.shape[:2]
    cv, reason = _plain_cv(x)
    if reason is not None:
        return no_spread(reason, activations, seeds, cv)
    spread, noise, dof = relative_spread(x)
    ends = cv_interval(float(spread), float(noise), activations - 1, dof, confidence)
    per_seed = x if x.ndim == 2 else paired_pseudo_values(x)
    needed = _seeds_for_omnibus(activations, 1 - confidence)
    return ActivationSpread(
        cv,
        100 * math.sqrt(max(0.0, float(spread - noise))),
        *ends,
        omnibus(per_seed, permutations),
        activations,
        seeds,
        needed,
        (Reason.FEW_SEEDS_FOR_OMNIBUS,) * (seeds < needed),
    )


def no_spread(
    reason: Reason, activations: int, seeds: int, cv: float | None = None
) -> ActivationSpread:
    """Return what stands for a spread without interval and test, and why."""
    return ActivationSpread(cv, None, None, None, None, activations, seeds, None, (reason,))


def _plain_cv(x: Floats) -> tuple[float | None, Reason | None]:
    """Return the CV of values as measured, and why it has no interval."""
    activations, seeds = x.shape[:2]
    if not np.isfinite(x).all():
        return None, Reason.NOT_FINITE
    if x.ndim == 3 and seeds < 2:
        return None, Reason.FEW_SEEDS
    estimates = x.mean(axis=1) if x.ndim == 2 else x.sum(axis=(1, 2)) / (seeds * (seeds - 1))
    cv = coefficient_of_variation(estimates)
    if cv is None:
        return None, Reason.ONE_ACTIVATION if activations < 2 else Reason.ZERO_MEAN
    return cv, Reason.FEW_SEEDS if seeds < LEAST_SEEDS else None


def relative_spread(values: npt.ArrayLike) -> tuple[Floats, Floats, int]:
    """Variance between activations and the noise in it, both over the squared mean.

    With g_a the estimate of activation a over the mean of all, the noise is the mean variance of
    the g_a. It is taken from their linear parts, (x_a − g_a·x̄)/mean, so that a seed which scales
    all activations alike adds nothing. Of pairs it is the unbiased (mean square of pseudo-values
    − what single pairs add to it too much)/M, see `variance_components`.

    Args:
        values: [..., A, M, M] if the last two axes are equal and the one before is A, that is for
            3 or more dimensions; [A, M] per seed.

    Returns:
        Both [...], their difference estimating the squared CV without bias, and the noise's
        degrees of freedom (A−1)(M−1).
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim == 2:
        activations, seeds = x.shape
        estimates = x.mean(axis=1)
        total = estimates.mean()
        share = estimates / total
        own = (x - share[:, None] * x.mean(axis=0)) / total
        dof = (activations - 1) * (seeds - 1)
        # By construction its means over seeds are 0.
        return np.asarray(share.var(ddof=1)), np.asarray((own**2).sum() / dof / seeds), dof
    activations, seeds = x.shape[-3], x.shape[-1]
    estimates = x.sum(axis=(-2, -1)) / (seeds * (seeds - 1))
    total = estimates.mean(axis=-1, keepdims=True)
    share = estimates / total
    common = x.mean(axis=-3, keepdims=True)
    centred = (x - share[..., None, None] * common) / total[..., None, None]
    seed_ms, pair_ms = variance_components(centred)
    noise = seed_ms / seeds - 2 * pair_ms / ((seeds - 1) * (seeds - 2))
    # Even if seeds did not differ, single pairs would leave this much.
    noise = np.maximum(noise, 2 * pair_ms / (seeds * (seeds - 1)))
    return np.asarray(share.var(axis=-1, ddof=1)), noise, (activations - 1) * (seeds - 1)


def spread_below(
    spread: npt.ArrayLike, noise: npt.ArrayLike, truth: npt.ArrayLike, free: int, dof: int
) -> Floats:
    """Chance of a spread no larger than measured, if `truth` were the real one; arrays [...].

    The spread is noise·χ²/free, noncentral by free·truth/noise. The noise is itself only known
    to dof·noise/χ² of `dof` degrees of freedom, and the chance is averaged over that.
    """
    measured, v, real = (np.asarray(x, dtype=np.float64)[..., None] for x in (spread, noise, truth))
    scale = v * dof / chdtri(dof, (np.arange(NODES) + 0.5) / NODES)
    return np.asarray(chndtr(free * measured / scale, free, free * real / scale).mean(axis=-1))


def cv_interval(
    spread: float, noise: float, free: int, dof: int, confidence: float
) -> tuple[float, float]:
    """Interval of the CV in percent, from `relative_spread`: all that `spread_below` keeps.

    Its lower end is 0 unless the activations differ clearly.
    """
    if noise <= 0 or spread / noise > 1e8:
        return 100 * math.sqrt(spread), 100 * math.sqrt(spread)
    ends = []
    for chance in ((1 + confidence) / 2, (1 - confidence) / 2):

        def excess(cv: float, chance: float = chance) -> float:
            return float(spread_below(spread, noise, cv**2, free, dof)) - chance

        high = math.sqrt(spread) + math.sqrt(noise)
        while excess(high) > 0:
            high *= 2
        ends.append(0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, high)))
    return 100 * ends[0], 100 * ends[1]


def omnibus(values: npt.ArrayLike, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """p-value that A activations are alike, permuting them within each of M seeds.

    The statistic is the variance of the activations' means, which for fixed seeds grows with the
    F of a two-way layout without interaction. All (A!)^(M−1) arrangements that can differ if
    there are at most `permutations`, else as many random ones of a fixed seed and the observed
    one: (count + 1)/(permutations + 1) (Phipson & Smyth 2010).

    Args:
        values: [A, M], paired pseudo-values or one figure per seed; finite.
        permutations: at least 1.
        seed: of the random arrangements.
    """
    x = np.asarray(values, dtype=np.float64)
    activations, seeds = x.shape
    x = x - x.mean(axis=0)
    observed = float((x.sum(axis=1) ** 2).sum())
    # Arrangements that differ from the observed one by rounding alone are ties, and ties count.
    least = observed - 1e-9 * seeds * float((x**2).sum())
    if math.factorial(activations) ** (seeds - 1) <= permutations:
        orders = np.array(list(itertools.permutations(range(activations))))
        sums = x[np.newaxis, :, 0]
        for column in x.T[1:]:
            sums = (sums[:, np.newaxis] + column[orders]).reshape(-1, activations)
        return float(np.mean((sums**2).sum(axis=1) >= least))
    rng, count, left = np.random.default_rng(seed), 0, permutations
    while left:
        block = min(left, max(1, 1_000_000 // x.size))
        shuffled = rng.permuted(np.broadcast_to(x, (block, *x.shape)), axis=1)
        count += int(np.count_nonzero((shuffled.sum(axis=2) ** 2).sum(axis=1) >= least))
        left -= block
    return (count + 1) / (permutations + 1)


def _seeds_for_omnibus(activations: int, alpha: float) -> int:
    """Return the seeds at which the permutation test's floor, (A!)^(1−M), is at most `alpha`."""
    # Permuting all seeds alike gives the observed statistic again.
    seeds = 1
    while float(math.factorial(activations)) ** (1 - seeds) > alpha:
        seeds += 1
    return seeds


def coefficient_of_variation(estimates: Sequence[float] | Floats) -> float | None:
    """Sample standard deviation over mean, in percent, across a model's activations.

    Args:
        estimates: one per activation [A], of a measure that is ≥ 0.

    Returns:
        ≥ 0; None for fewer than 2 activations, a mean of 0, or a non-finite estimate.
    """
    x = np.asarray(estimates, dtype=np.float64)
    if x.size < 2 or not np.isfinite(x).all() or x.mean() == 0.0:
        return None
    return float(100.0 * x.std(ddof=1) / abs(x.mean()))
