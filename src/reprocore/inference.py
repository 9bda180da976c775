"""Estimates with intervals from few seeds.

The M(M−1)/2 pairs of M seeds share seeds and are not independent, so everything here counts
seeds, never pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from reprocore.errors import ReprocoreError

Floats = npt.NDArray[np.float64]


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
        note: why there is no interval, else "".
    """

    estimate: float
    se: float | None
    low: float | None
    high: float | None
    seeds: int
    pairs: int
    note: str = ""


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
    means = d.sum(axis=1) / (seeds - 1)
    result: Floats = (2 * (seeds - 1) * means - seeds * means.mean()) / (seeds - 2)
    return result


def jackknife(matrix: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over pairs with a jackknife-over-seeds standard error and t interval (M−1 dof).

    The standard error is sd(pseudo-values)/√M (Arvesen 1969). Its square is too large rather
    than too small in expectation (Efron & Stein 1981), so the interval errs on the wide side.

    Args:
        matrix: [M, M] symmetric, zeros on the diagonal, as from `pair_matrix`; M ≥ 2.
        confidence: in 0–1, exclusive.

    Returns:
        The estimate; without interval, and with a note, for M = 2 or non-finite values.

    Raises:
        ReprocoreError: fewer than 2 seeds, not such a matrix, or `confidence` out of range.
    """
    _check_confidence(confidence)
    d = _checked(matrix)
    seeds, pairs = len(d), len(d) * (len(d) - 1) // 2
    if seeds < 2:
        raise ReprocoreError(f"estimate over pairs: {seeds} seeds, needs at least 2")
    estimate, note = _mean(d[np.triu_indices(seeds, 1)])
    note = note or ("needs 3 seeds" if seeds < 3 else "")
    if note:
        return Estimate(estimate, None, None, None, seeds, pairs, note)
    return _with_interval(estimate, pseudo_values(d), confidence, pairs)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over seeds with the ordinary t interval (M−1 dof), for loss and accuracy.

    Args:
        values: one per seed [M], M ≥ 1.
        confidence: in 0–1, exclusive.

    Returns:
        The estimate, `pairs` 0; without interval, and with a note, for M = 1 or non-finite values.

    Raises:
        ReprocoreError: no values, not one-dimensional, or `confidence` out of range.
    """
    _check_confidence(confidence)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ReprocoreError(f"mean over seeds: shape {x.shape}, must be [seeds], at least 1")
    estimate, note = _mean(x)
    note = note or ("needs 2 seeds" if len(x) < 2 else "")
    if note:
        return Estimate(estimate, None, None, None, len(x), 0, note)
    return _with_interval(estimate, x, confidence, 0)


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


def noise_corrected_cv(
    estimates: Sequence[float] | Floats, ses: Sequence[float | None] | Floats
) -> float | None:
    """CV across activations in percent, less what seed noise alone would show.

    √max(0, variance between activations − mean squared standard error) over the mean. Seeds
    shared by the activations make part of their noise common; it cancels in the variance but
    not in the standard errors, so with paired cells the correction is rather too strong.

    Args:
        estimates: one per activation [A].
        ses: their standard errors [A].

    Returns:
        ≥ 0; None where the plain CV is None or a standard error is missing.

    Raises:
        ReprocoreError: `estimates` and `ses` differ in length.
    """
    if len(estimates) != len(ses):
        raise ReprocoreError(f"CV: {len(estimates)} estimates, but {len(ses)} standard errors")
    # None becomes NaN here, and max(0, NaN) would pass for a variance of 0.
    noise = np.asarray(ses, dtype=np.float64)
    if not np.isfinite(noise).all() or coefficient_of_variation(estimates) is None:
        return None
    x = np.asarray(estimates, dtype=np.float64)
    between = max(0.0, float(x.var(ddof=1) - np.mean(noise**2)))
    return float(100.0 * math.sqrt(between) / abs(x.mean()))


def _with_interval(estimate: float, values: Floats, confidence: float, pairs: int) -> Estimate:
    seeds = len(values)
    se = float(values.std(ddof=1)) / math.sqrt(seeds)
    half = float(stdtrit(seeds - 1, (1.0 + confidence) / 2.0)) * se
    return Estimate(estimate, se, estimate - half, estimate + half, seeds, pairs)


def _mean(x: Floats) -> tuple[float, str]:
    with np.errstate(invalid="ignore"):
        mean = float(x.mean())
    if math.isnan(mean):
        return mean, "not a number"
    return mean, "infinite" if math.isinf(mean) else ""


def _checked(matrix: npt.ArrayLike) -> Floats:
    d = np.asarray(matrix, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1]:
        raise ReprocoreError(f"pairs: matrix of shape {d.shape}, must be [seeds, seeds]")
    if not np.array_equal(d, d.T, equal_nan=True) or d.diagonal().any():
        raise ReprocoreError("pairs: matrix must be symmetric with zeros on the diagonal")
    return d


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ReprocoreError(f"confidence: {confidence}, must be between 0 and 1")
