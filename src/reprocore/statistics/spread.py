"""How much a model's activations differ, beyond what seeds alone would show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import chdtri, chndtr

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.closed_test import alike, epsilon
from reprocore.statistics.jackknife import paired_pseudo_values, variance_components
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, LEAST_SEEDS_OF_A_TEST
from reprocore.vocabulary import Reason

# Without one of them, the rest must still show what a seed adds.
LEAST_SEEDS_OF_CV_VALUES = LEAST_SEEDS + 1
# Quantiles that stand for the chi-square of the noise variance.
NODES = 1000


@dataclass(frozen=True)
class ActivationSpread:
    """Spread of a model's activations. What cannot be had is None, and `reasons` say why.

    Attributes:
        cv: standard deviation over mean of the estimates, percent; what the noise adds included.
        corrected: the same less the noise, percent.
        low: lower end of its interval.
        high: upper end of it.
        p_omnibus: that the activations are alike; None for fewer than 4 seeds.
        epsilon: how far their errors are from spherical, 1/(activations−1) to 1 (spherical).
        activations: activations compared.
        seeds: seeds that they share.
        reasons: what is missing, and what limits it.
    """

    cv: float | None
    corrected: float | None
    low: float | None
    high: float | None
    p_omnibus: float | None
    epsilon: float | None
    activations: int
    seeds: int
    reasons: tuple[Reason, ...] = ()


class RelativeSpread(NamedTuple):
    """What an interval of the CV is made from; arrays [...].

    Attributes:
        spread: variance between the estimates, over the squared mean.
        noise: what of it is expected of noise alone.
        free: degrees of freedom of the spread, ε(A−1).
        dof: degrees of freedom with which the noise is known, ε(A−1)(M−1).
        epsilon: how far the errors are from spherical.
    """

    spread: Floats
    noise: Floats
    free: Floats
    dof: Floats
    epsilon: Floats


def activation_spread(values: npt.ArrayLike, confidence: float = 0.95) -> ActivationSpread:
    """Spread of A activations over the same M seeds, with its interval and omnibus test.

    Noise is the activation × seed part alone: what a seed does to all activations alike cancels
    in their spread. See `relative_spread` for the estimate and `cv_interval` for the interval.
    Errors need not be spherical: the interval and the test take ε from the data
    (Greenhouse & Geisser 1959; benchmarks/coverage.py has what they keep).

    Args:
        values: per pair [A, M, M], or per seed [A, M]; symmetric with zero diagonals if per pair.
        confidence: in 0–1, exclusive.

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
    spread, noise, free, dof, eps = map(float, relative_spread(x))
    ends = cv_interval(spread, noise, free, dof, confidence)
    tested = seeds >= LEAST_SEEDS_OF_A_TEST
    return ActivationSpread(
        cv,
        100 * math.sqrt(max(0.0, spread - noise)),
        *ends,
        float(alike(x if x.ndim == 2 else paired_pseudo_values(x))) if tested else None,
        eps,
        activations,
        seeds,
        (Reason.FEW_SEEDS_FOR_TEST,) * (not tested),
    )


def no_spread(
    reason: Reason, activations: int, seeds: int, cv: float | None = None
) -> ActivationSpread:
    """Return what stands for a spread without interval and test, and why."""
    return ActivationSpread(cv, None, None, None, None, None, activations, seeds, (reason,))


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


def relative_spread(values: npt.ArrayLike) -> RelativeSpread:
    """Variance between activations and the noise in it, both over the squared mean.

    With g_a the estimate of activation a over the mean of all, the noise is the mean variance of
    the g_a. It is taken from their linear parts, (x_a − g_a·x̄)/mean, so that a seed which scales
    all activations alike adds nothing. Of pairs it is the unbiased (mean square of pseudo-values
    − what single pairs add to it too much)/M, see `variance_components`.

    Args:
        values: [..., A, M, M] if the last two axes are equal and the one before is A, that is for
            3 or more dimensions; [A, M] per seed.

    Returns:
        With `spread` − `noise` estimating the squared CV without bias.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim == 2:
        activations, seeds = x.shape
        estimates = x.mean(axis=1)
        total = estimates.mean()
        share = estimates / total
        own = (x - share[:, None] * x.mean(axis=0)) / total
        # By construction its means over seeds are 0.
        noise = np.asarray((own**2).sum() / ((activations - 1) * (seeds - 1)) / seeds)
        return _relative_spread(share, noise, own)
    seeds = x.shape[-1]
    estimates = x.sum(axis=(-2, -1)) / (seeds * (seeds - 1))
    total = estimates.mean(axis=-1, keepdims=True)
    share = estimates / total
    common = x.mean(axis=-3, keepdims=True)
    centred = (x - share[..., None, None] * common) / total[..., None, None]
    seed_ms, pair_ms = variance_components(centred)
    noise = seed_ms / seeds - 2 * pair_ms / ((seeds - 1) * (seeds - 2))
    # Even if seeds did not differ, single pairs would leave this much.
    noise = np.maximum(noise, 2 * pair_ms / (seeds * (seeds - 1)))
    own = paired_pseudo_values(centred)
    return _relative_spread(share, noise, own - own.mean(axis=-1, keepdims=True))


def _relative_spread(share: Floats, noise: Floats, own: Floats) -> RelativeSpread:
    """Join estimates over their mean [..., A], their noise, and its linear parts [..., A, M]."""
    eps = epsilon(own)
    free = eps * (own.shape[-2] - 1)
    spread = np.asarray(share.var(axis=-1, ddof=1))
    return RelativeSpread(spread, noise, free, free * (own.shape[-1] - 1), eps)


def spread_below(
    spread: npt.ArrayLike,
    noise: npt.ArrayLike,
    truth: npt.ArrayLike,
    free: npt.ArrayLike,
    dof: npt.ArrayLike,
    nodes: int = NODES,
) -> Floats:
    """Chance of a spread no larger than measured, if `truth` were the real one; arrays [...].

    The spread is noise·χ²/free, noncentral by free·truth/noise. The noise is itself only known
    to dof·noise/χ² of `dof` degrees of freedom, and the chance is averaged over that. With
    `free` and `dof` reduced by ε, both have the mean and the variance of non-spherical errors
    (Box 1954).
    """
    measured, v, real, free, dof = (
        np.asarray(x, dtype=np.float64)[..., None] for x in (spread, noise, truth, free, dof)
    )
    scale = v * dof / chdtri(dof, (np.arange(nodes) + 0.5) / nodes)
    return np.asarray(chndtr(free * measured / scale, free, free * real / scale).mean(axis=-1))


def cv_interval(
    spread: float, noise: float, free: float, dof: float, confidence: float
) -> tuple[float, float]:
    """Interval of the CV in percent, from `relative_spread`: all that `spread_below` keeps.

    Its lower end is 0 unless the activations differ clearly. Its upper end takes a spread below
    the noise for the noise itself: such a spread is luck, and does not show how small the CV is.
    """
    if noise <= 0 or spread / noise > 1e8:
        return 100 * math.sqrt(spread), 100 * math.sqrt(spread)
    ends = []
    least, most = (1 + confidence) / 2, (1 - confidence) / 2
    for chance, measured in ((least, spread), (most, max(spread, noise))):

        def excess(cv: float, chance: float = chance, measured: float = measured) -> float:
            return float(spread_below(measured, noise, cv**2, free, dof)) - chance

        high = math.sqrt(spread) + math.sqrt(noise)
        while excess(high) > 0:
            high *= 2
        ends.append(0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, high, rtol=1e-9)))
    return 100 * ends[0], 100 * ends[1]


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


def squared_cv_values(matrices: npt.ArrayLike) -> Floats:
    """Pseudo-values [M] of the squared CV across activations, less the noise, in percent².

    The square, because it is estimated without bias, below 0 too; its root is cut off at 0 and
    bends there.

    Args:
        matrices: [A, M, M], A ≥ 2 and M ≥ 4.

    Returns:
        M·T − (M−1)·T without seed i, moved so that their mean is T itself, which is the spread less
        the noise of `relative_spread`.
    """
    x = np.asarray(matrices, dtype=np.float64)
    kept = (np.delete(np.arange(x.shape[-1]), seed) for seed in range(x.shape[-1]))
    without = np.array([_squared_cv(x[:, k][:, :, k]) for k in kept])
    values: Floats = _squared_cv(x) - (len(without) - 1) * (without - without.mean())
    return values


def _squared_cv(matrices: Floats) -> float:
    found = relative_spread(matrices)
    return 1e4 * float(found.spread - found.noise)
