"""Levels that hold for new seeds and new text: two crossed factors, seeds and blocks of text.

The characters that models are compared on are a sample as the seeds are. An interval over seeds
alone says what more seeds would give on the very same text.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import Estimate, jackknife, mean_interval
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, ROUNDING
from reprocore.vocabulary import Reason

Bounds = tuple[float, float]
OPEN: Bounds = (-math.inf, math.inf)


class Components(NamedTuple):
    """A mean over seeds and blocks of text, and the variance of it; arrays [...].

    Attributes:
        mean: over all.
        seeds: V_s, its variance for new seeds on the same text.
        text: V_b, its variance for new text with the same seeds.
        both: V_i, what both of these hold, and what seeds and blocks have together.
        total: V, its variance for new seeds and new text.
        dof: ν, degrees of freedom of `total` (Satterthwaite); 1 where nothing varies.
    """

    mean: Floats
    seeds: Floats
    text: Floats
    both: Floats
    total: Floats
    dof: Floats


@dataclass(frozen=True)
class Level:
    """A level with its interval for new seeds and new text.

    Attributes:
        estimate: the mean over seeds, or over pairs of seeds, and over blocks.
        se: its standard error for new seeds and new text, None if it is not known.
        se_seeds: that for new seeds on the same text.
        se_text: that for new text with the same seeds.
        low: lower end of the interval, or None.
        high: upper end of it.
        dof: degrees of freedom of `se`, None without interval.
        seeds: M.
        blocks: B; 0 where the text is not taken in blocks.
        reasons: why there is no interval, or why it has no width.
    """

    estimate: float
    se: float | None
    se_seeds: float | None
    se_text: float | None
    low: float | None
    high: float | None
    dof: float | None
    seeds: int
    blocks: int
    reasons: tuple[Reason, ...] = ()


def block_pseudo_values(means: npt.ArrayLike) -> Floats:
    """Pseudo-values [..., M, B] of each block's mean over pairs; their mean over seeds is that.

    ps_ib = [2(M−1)·r_ib − M·θ_b]/(M−2) (Arvesen 1969).

    Args:
        means: [..., M, B]: r_ib, the mean over seed i's M−1 pairs in block b; M ≥ 3.
    """
    r = np.asarray(means, dtype=np.float64)
    seeds = r.shape[-2]
    total = r.mean(axis=-2, keepdims=True)
    return np.asarray((2 * (seeds - 1) * r - seeds * total) / (seeds - 2))


def seed_means(pairs: npt.NDArray[np.int64], values: Floats) -> Floats:
    """Mean [M, ...] over the M−1 pairs of each of M seeds.

    Args:
        pairs: [P, 2], indices of seeds; all pairs of M.
        values: [P, ...], of each pair.
    """
    sums = np.zeros((int(pairs.max()) + 1, *values.shape[1:]))
    for column in pairs.T:
        np.add.at(sums, column, values)
    return sums / (len(sums) - 1)


def with_sizes(values: npt.ArrayLike, sizes: npt.ArrayLike) -> Floats:
    """Values [M, B] of blocks of any size, so that their plain mean is that over all positions.

    A block counts by its share of the positions: y' = θ + w·(y − θ), w its size over the mean size
    and θ the mean over seeds and positions. The variance over blocks of y' is that of a ratio
    estimator over clusters of unequal size (Cochran 1977, section 9A.1). Blocks of equal size are
    left as they are.

    Args:
        values: [M, B], the mean of seed i in block b.
        sizes: [B], positions of each block, at least 1.

    Examples:
        >>> with_sizes([[0.0, 1.0]], [1, 3]).mean()
        np.float64(0.75)
    """
    y, n = np.asarray(values, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if (n == n[0]).all():
        return y
    with np.errstate(invalid="ignore"):
        mean = float((y * n).sum() / (n.sum() * len(y)))
        return np.asarray(mean + n / n.mean() * (y - mean))


def components(values: npt.ArrayLike) -> Components:
    """Variance of a mean over two crossed random factors (Owen 2007; Cameron et al. 2011).

    Seeds and blocks each count what they have in common with the other, V_i, so V_s + V_b has it
    twice. No more than the smaller of them is taken off, since a variance of few seeds or blocks
    may by chance fall below its part of V_i; nor does more of it count in ν, which would fall
    below 1 and make the interval endless.

    Args:
        values: [..., M, B], one figure per seed and block, or `block_pseudo_values`; M, B ≥ 2.
    """
    x = np.asarray(values, dtype=np.float64)
    m, b = x.shape[-2:]
    by_seed, by_block = x.mean(axis=-1), x.mean(axis=-2)
    mean = by_seed.mean(axis=-1)
    rest = x - by_seed[..., :, None] - by_block[..., None, :] + mean[..., None, None]
    v_s, v_b = by_seed.var(axis=-1, ddof=1) / m, by_block.var(axis=-1, ddof=1) / b
    v_i = (rest**2).sum(axis=(-2, -1)) / ((m - 1) * (b - 1) * m * b)
    twice = np.minimum(v_i, np.minimum(v_s, v_b))
    total = np.maximum(v_s, v_b) + (np.minimum(v_s, v_b) - twice)
    parts = v_s**2 / (m - 1) + v_b**2 / (b - 1) + twice**2 / ((m - 1) * (b - 1))
    dof = np.divide(total**2, parts, out=np.ones_like(total), where=parts > 0)
    return Components(mean, v_s, v_b, v_i, total, dof)


def interval(
    mean: npt.ArrayLike, se: npt.ArrayLike, dof: npt.ArrayLike, bounds: Bounds, confidence: float
) -> tuple[Floats, Floats]:
    """Ends [...] of the interval of a mean by t, none of which leaves what is possible.

    With two bounds it is symmetric on the scale of logit((θ−lo)/(hi−lo)), with a lower one on that
    of log(θ−lo), both by the delta method; without bounds on the plain scale.

    Args:
        mean: [...], between the bounds.
        se: its standard error, above 0.
        dof: of the t.
        bounds: lo and hi; infinite for none.
        confidence: in 0–1, exclusive.
    """
    x, error = np.asarray(mean, dtype=np.float64), np.asarray(se, dtype=np.float64)
    half = stdtrit(np.asarray(dof), (1 + confidence) / 2) * error
    low, high = bounds
    if not math.isfinite(low):
        return x - half, x + half
    if not math.isfinite(high):
        factor = np.exp(half / (x - low))
        return low + (x - low) / factor, low + (x - low) * factor
    width = high - low
    share = (x - low) / width
    half = half / width / (share * (1 - share))
    ends = (expit(logit(share) - half), expit(logit(share) + half))
    return low + width * ends[0], low + width * ends[1]


def possible(found: Estimate, bounds: Bounds, confidence: float) -> Estimate:
    """Return an estimate over seeds with the same error and the ends of `interval`.

    M−1 degrees of freedom. On a bound there is no interval, where nothing varies it has no width;
    both have a reason.
    """
    if found.se is None:
        return found
    if found.se <= ROUNDING * abs(found.estimate):
        level = found.estimate
        return replace(found, low=level, high=level, reasons=(Reason.NO_VARIATION,))
    if not bounds[0] < found.estimate < bounds[1]:
        return replace(found, low=None, high=None, reasons=(Reason.ON_A_BOUND,))
    low, high = interval(found.estimate, found.se, found.seeds - 1, bounds, confidence)
    return replace(found, low=float(low), high=float(high))


def level_of_pairs(means: npt.ArrayLike, bounds: Bounds = OPEN, confidence: float = 0.95) -> Level:
    """Level of a measure of pairs of seeds, for new seeds and new text.

    Args:
        means: [M, B]: the mean over seed i's pairs in block b; blocks of equal size.
        bounds: what the measure lies between; infinite for none.
        confidence: in 0–1, exclusive.

    Returns:
        Without interval, and with a reason: for M < 3, B = 1, values that are not finite, or a
        level that is one of the bounds. Where nothing varies both ends are the estimate.

    Raises:
        ReprocoreError: not two-dimensional, empty, or an argument out of range.
    """
    r = _checked(means, confidence)
    reason = _no_variance(r)
    if reason is not None:
        return _without(r, reason)
    return _level(block_pseudo_values(r), bounds, confidence)


def level_of_seeds(values: npt.ArrayLike, bounds: Bounds = OPEN, confidence: float = 0.95) -> Level:
    """Level of a figure of single seeds, such as loss or accuracy, for new seeds and new text.

    Args:
        values: [M, B]: the mean of seed i in block b; blocks of equal size.
        bounds: see `level_of_pairs`, as for all else.
        confidence: likewise.
    """
    x = _checked(values, confidence)
    reason = _no_variance(x)
    return _level(x, bounds, confidence) if reason is None else _without(x, reason)


def _checked(values: npt.ArrayLike, confidence: float) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.size == 0:
        raise ReprocoreError(f"level: shape {x.shape}, must be [seeds, blocks], at least 1 of each")
    if not 0 < confidence < 1:
        raise ReprocoreError(f"confidence: {confidence}, must be between 0 and 1")
    return x


def _no_variance(x: Floats) -> Reason | None:
    """Say why the variance of values [M, B] is not known."""
    if np.isnan(x).any():
        return Reason.NOT_A_NUMBER
    if np.isinf(x).any():
        return Reason.INFINITE
    return Reason.FEW_SEEDS if len(x) < LEAST_SEEDS else None


def _without(x: Floats, reason: Reason) -> Level:
    with np.errstate(invalid="ignore"):
        mean = float(x.mean())
    seeds, blocks = x.shape
    return Level(mean, None, None, None, None, None, None, seeds, blocks, (reason,))


def _level(values: Floats, bounds: Bounds, confidence: float) -> Level:
    """Make a level of one figure per seed and block [M, B]."""
    seeds, blocks = values.shape
    if blocks == 1:
        mean, se = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(seeds)
        return Level(mean, None, se, None, None, None, None, seeds, blocks, (Reason.ONE_BLOCK,))
    found = components(values)
    mean, v_s, v_b, v = (float(part) for part in (found.mean, found.seeds, found.text, found.total))
    errors = (math.sqrt(v), math.sqrt(v_s), math.sqrt(v_b))
    if errors[0] <= ROUNDING * abs(mean):
        reasons = (Reason.NO_VARIATION,)
        return Level(mean, 0.0, 0.0, 0.0, mean, mean, None, seeds, blocks, reasons)
    if not bounds[0] < mean < bounds[1]:
        return Level(mean, *errors, None, None, None, seeds, blocks, (Reason.ON_A_BOUND,))
    low, high = map(float, interval(mean, errors[0], found.dof, bounds, confidence))
    return Level(mean, *errors, low, high, float(found.dof), seeds, blocks)


def level_on_this_text(
    matrix: npt.ArrayLike, bounds: Bounds = OPEN, confidence: float = 0.95
) -> Level:
    """Level of a measure of pairs that is no mean over positions, for new seeds alone.

    Args:
        matrix: [M, M], symmetric: the measure of each pair; the diagonal does not count.
        bounds: see `level_of_pairs`, as for all else.
        confidence: likewise.
    """
    return _over_seeds(jackknife(matrix, confidence), bounds, confidence)


def score_on_this_text(
    values: npt.ArrayLike, bounds: Bounds = OPEN, confidence: float = 0.95
) -> Level:
    """Level of a figure of single seeds on one and the same text, for new seeds alone.

    Args:
        values: [M], one figure per seed.
        bounds: see `level_of_pairs`, as for all else.
        confidence: likewise.
    """
    return _over_seeds(mean_interval(values, confidence), bounds, confidence)


def _over_seeds(found: Estimate, bounds: Bounds, confidence: float) -> Level:
    found = possible(found, bounds, confidence)
    se, ends, reasons = found.se, (found.low, found.high), found.reasons
    dof = None if reasons else found.seeds - 1.0
    return Level(found.estimate, se, se, None, *ends, dof, found.seeds, 0, reasons)
