"""Estimates with intervals from few seeds.

The M(M−1)/2 pairs of M seeds share seeds and are not independent, so everything here counts
seeds, never pairs.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import fdtri, stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.vocabulary import Reason


@dataclass(frozen=True)
class Estimate:
    """A figure and how well it is known.

    `low` and `high` are not clipped to a measure's range: a bound that was clipped would read as
    one that the data support. With `se` None there is no interval and no claim can be made.

    Attributes:
        estimate: the point estimate; may be infinite or NaN, then without interval.
        se: standard error, or None.
        low: lower end of the interval, or None.
        high: upper end of the interval, or None.
        seeds: seeds it rests on.
        pairs: pairs of seeds it rests on; 0 for a mean over seeds.
        reasons: why there is no interval, or why it has no width.
    """

    estimate: float
    se: float | None
    low: float | None
    high: float | None
    seeds: int
    pairs: int
    reasons: tuple[Reason, ...] = ()


def pair_matrix(
    pairs: npt.ArrayLike, values: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Arrange the values of all pairs of M seeds as a symmetric matrix.

    Args:
        pairs: seed numbers [P, 2], P = M(M−1)/2, each unordered pair once, in any order.
        values: [P].

    Returns:
        Seeds [M] ascending, and the matrix [M, M] with zeros on the diagonal.

    Raises:
        ReprocoreError: a pair is missing, given twice, or of a seed with itself.
    """
    labels, numbers = np.asarray(pairs), np.asarray(values, dtype=np.float64)
    if labels.size == 0:
        labels = np.empty((0, 2), dtype=np.int64)
    if labels.dtype.kind not in "iu" or labels.ndim != 2 or labels.shape[1] != 2:
        raise ReprocoreError(
            f"pairs: {labels.dtype} of shape {labels.shape}, must be integers [pairs, 2]"
        )
    if numbers.shape != (len(labels),):
        raise ReprocoreError(f"pairs: {len(labels)} pairs, but values of shape {numbers.shape}")
    seeds = np.unique(labels).astype(np.int64)
    ends = np.sort(np.searchsorted(seeds, labels), axis=1)
    counts = np.zeros((len(seeds), len(seeds)), dtype=np.int64)
    np.add.at(counts, (ends[:, 0], ends[:, 1]), 1)
    once = np.triu(np.ones_like(counts), 1)
    for fault, what in (
        (np.diag(np.diag(counts)) > 0, "of a seed with itself"),
        (counts > once, "given more than once"),
        (counts < once, "missing"),
    ):
        if fault.any():
            i, j = np.argwhere(fault)[0]
            raise ReprocoreError(f"pairs: pair ({seeds[i]}, {seeds[j]}) is {what}")
    matrix = np.zeros(counts.shape)
    matrix[ends[:, 0], ends[:, 1]] = numbers
    matrix[ends[:, 1], ends[:, 0]] = numbers
    return seeds, matrix


def pseudo_values(matrix: npt.ArrayLike) -> Floats:
    """Jackknife pseudo-values [M] of the mean over pairs, one per seed; their mean is that mean.

    ps_i = M·θ − (M−1)·θ without seed i = [2(M−1)·r_i − M·θ] / (M−2), with r_i the mean of seed
    i's pairs and θ the mean of all (Arvesen 1969).

    Args:
        matrix: [M, M] symmetric and finite, M ≥ 3, zeros on the diagonal.

    Raises:
        ReprocoreError: not such a matrix.
    """
    d = _checked(matrix)
    seeds = len(d)
    if seeds < 3:
        raise ReprocoreError(f"pseudo-values: {seeds} seeds, needs at least 3")
    if not np.isfinite(d).all():
        raise ReprocoreError("pseudo-values: a pair is infinite or not a number, must be finite")
    return _pseudo(d)


def jackknife(matrix: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over pairs with a jackknife-over-seeds standard error and t interval (M−1 dof).

    The standard error is sd(pseudo-values)/√M (Arvesen 1969). Its square is too large rather
    than too small in expectation (Efron & Stein 1981), so the interval errs on the wide side.

    Args:
        matrix: [M, M] symmetric, zeros on the diagonal, as from `pair_matrix`; M ≥ 2.
        confidence: in 0–1, exclusive.

    Returns:
        The estimate; without interval, and with a reason, for M = 2 or non-finite values.

    Raises:
        ReprocoreError: fewer than 2 seeds, not such a matrix, or `confidence` out of range.
    """
    _check_confidence(confidence)
    d = _checked(matrix)
    seeds, pairs = len(d), len(d) * (len(d) - 1) // 2
    if seeds < 2:
        raise ReprocoreError(f"estimate over pairs: {seeds} seeds, needs at least 2")
    estimate, reason = _mean(d[np.triu_indices(seeds, 1)])
    if reason is None and seeds < 3:
        reason = Reason.FEW_SEEDS
    if reason is not None:
        return Estimate(estimate, None, None, None, seeds, pairs, (reason,))
    return _with_interval(estimate, pseudo_values(d), confidence, pairs)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over seeds with the ordinary t interval (M−1 dof), for loss and accuracy.

    Args:
        values: one per seed [M], M ≥ 1.
        confidence: in 0–1, exclusive.

    Returns:
        The estimate, `pairs` 0; without interval, and with a reason, for M = 1 or non-finite
        values.

    Raises:
        ReprocoreError: no values, not one-dimensional, or `confidence` out of range.
    """
    _check_confidence(confidence)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ReprocoreError(f"mean over seeds: shape {x.shape}, must be [seeds], at least 1")
    estimate, reason = _mean(x)
    if reason is None and len(x) < 2:
        reason = Reason.ONE_SEED
    if reason is not None:
        return Estimate(estimate, None, None, None, len(x), 0, (reason,))
    return _with_interval(estimate, x, confidence, 0)


def paired_pseudo_values(matrices: npt.ArrayLike) -> Floats:
    """Pseudo-values [..., A, M] of A activations trained from the same M seeds, for contrasts.

    A difference of plain pseudo-values spreads too widely: part of it is the noise e of single
    pairs (PD_ij = θ + s_i + s_j + e_ij), which enters with 4σ²/(M(M−2)) and should with
    2σ²/(M(M−1)) (Efron & Stein 1981). Seeds that are alike leave little else, and a nominal 5%
    test then rejects 1 to 3%. Here that surplus is taken out of the activation × seed part: its
    deviations are multiplied by √(1 − surplus), the surplus being what is known of it with 90%
    confidence (the lower bound of a ratio of variances by F, pooled over the activations), and
    never more than there is without any difference between seeds. Means do not change, nor does
    the part common to the activations.

    Args:
        matrices: [..., A, M, M], each symmetric and finite, zeros on the diagonal, M ≥ 3.

    Returns:
        [..., A, M], whose means over seeds are the estimates. Plain pseudo-values for A = 1, and
        for M = 3, where a pair's own noise cannot be separated from its seeds'.

    Raises:
        ReprocoreError: not such matrices.
    """
    d = _checked_stack(matrices)
    activations, seeds = d.shape[-3], d.shape[-1]
    values = _pseudo(d)
    seed_ms, pair_ms = variance_components(d - d.mean(axis=-3, keepdims=True))
    if activations < 2 or seeds < 4:
        return values
    kept = kept_variance(seed_ms, pair_ms, activations, seeds)
    common = values.mean(axis=-2, keepdims=True)
    own = values - common
    level = own.mean(axis=-1, keepdims=True)
    shrunk: Floats = common + level + np.sqrt(kept)[..., None, None] * (own - level)
    return shrunk


def kept_variance(
    seed_ms: npt.ArrayLike, pair_ms: npt.ArrayLike, activations: int, seeds: int
) -> Floats:
    """Share [...] of the activation × seed variance that `paired_pseudo_values` keeps.

    Args:
        seed_ms: mean square by seed, of `variance_components`.
        pair_ms: mean square by pair.
        activations: A ≥ 2.
        seeds: M ≥ 4.
    """
    seed, pair = np.asarray(seed_ms, dtype=np.float64), np.asarray(pair_ms, dtype=np.float64)
    surplus = np.divide(
        2 * pair * seeds / ((seeds - 1) * (seeds - 2)),
        seed,
        out=np.zeros_like(seed),
        where=seed > 0,
    )
    sets = activations - 1
    bound = float(fdtri(sets * seeds * (seeds - 3) / 2, sets * (seeds - 1), 0.9))
    return np.asarray(np.clip(1 - surplus / bound, (seeds - 2) / (2 * (seeds - 1)), 1.0))


def variance_components(centred: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Mean squares of an activation × seed interaction of pair matrices, by seed and by pair.

    Args:
        centred: [..., A, M, M] whose sum over A is zero, M ≥ 3.

    Returns:
        Mean square of pseudo-values on (A−1)(M−1) degrees of freedom, expecting
        4σ_s² + 4σ_e²/(M−2) for PD_ij = θ + s_i + s_j + e_ij; and that of what a pair has beyond
        its seeds, expecting σ_e², on (A−1)M(M−3)/2. Both [...]; 0 where there is no freedom.
    """
    d = np.asarray(centred, dtype=np.float64)
    activations, seeds = d.shape[-3], d.shape[-1]
    own = _pseudo(d)
    level = own.mean(axis=-1, keepdims=True)
    half = (own - level) / 2
    rest = d - level[..., None] - half[..., :, None] - half[..., None, :]
    rest[..., range(seeds), range(seeds)] = 0.0
    free = max(activations - 1, 1)
    pair_free = max(free * seeds * (seeds - 3) / 2, 1)
    seed_ms = 4 * (half**2).sum(axis=(-2, -1)) / (free * (seeds - 1))
    pair_ms = (rest**2).sum(axis=(-3, -2, -1)) / 2 / pair_free
    return np.asarray(seed_ms), np.asarray(pair_ms if seeds > 3 else np.zeros_like(pair_ms))


def _with_interval(estimate: float, values: Floats, confidence: float, pairs: int) -> Estimate:
    seeds = len(values)
    se = float(values.std(ddof=1)) / math.sqrt(seeds)
    half = float(stdtrit(seeds - 1, (1.0 + confidence) / 2.0)) * se
    return Estimate(estimate, se, estimate - half, estimate + half, seeds, pairs)


def _pseudo(d: Floats) -> Floats:
    seeds = d.shape[-1]
    means = d.sum(axis=-1) / (seeds - 1)
    total = means.mean(axis=-1, keepdims=True)
    result: Floats = (2 * (seeds - 1) * means - seeds * total) / (seeds - 2)
    return result


def _mean(x: Floats) -> tuple[float, Reason | None]:
    with np.errstate(invalid="ignore"):
        mean = float(x.mean())
    if math.isnan(mean):
        return mean, Reason.NOT_A_NUMBER
    return mean, Reason.INFINITE if math.isinf(mean) else None


def _checked(matrix: npt.ArrayLike) -> Floats:
    d = np.asarray(matrix, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1]:
        raise ReprocoreError(f"pairs: matrix of shape {d.shape}, must be [seeds, seeds]")
    if not np.array_equal(d, d.T, equal_nan=True) or d.diagonal().any():
        raise ReprocoreError("pairs: matrix must be symmetric with zeros on the diagonal")
    return d


def _checked_stack(matrices: npt.ArrayLike) -> Floats:
    d = np.asarray(matrices, dtype=np.float64)
    if d.ndim < 3 or d.shape[-1] != d.shape[-2] or d.shape[-1] < 3 or d.shape[-3] < 1:
        raise ReprocoreError(
            f"pairs: shape {d.shape}, must be [activations, seeds, seeds] with 3 seeds or more"
        )
    if not np.isfinite(d).all():
        raise ReprocoreError("pairs: a pair is infinite or not a number, must be finite")
    if not np.array_equal(d, d.swapaxes(-1, -2)) or np.diagonal(d, axis1=-2, axis2=-1).any():
        raise ReprocoreError("pairs: matrices must be symmetric with zeros on the diagonal")
    return d


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ReprocoreError(f"confidence: {confidence}, must be between 0 and 1")
