"""How far two activations are apart, beside how far two trainings with one activation are.

Cells of the same seed start alike and see the same text, whatever their activation. So what is
drawn at random is not a seed of the first activation and one of the second, but one *unit* per
seed: the two trainings with it. With x[i, j] the measure between the first activation's seed i and
the second's seed j, two statistics follow:

- the same seed: x[i, i], one figure per unit; its mean has the ordinary t interval;
- different seeds: y[i, j] = (x[i, j] + x[j, i])/2 is a symmetric kernel of units i and j, so its
  mean is a U-statistic of order 2 in M independent units, and the jackknife over seeds holds for it
  as for pairs of one activation (Hoeffding 1948; Arvesen 1969), with M−1 degrees of freedom. A
  jackknife of two samples, which leaves out seeds of either activation apart, would miss that
  x[i, ·] and x[·, i] share what the seed does to both: where that adds up it is too narrow.

Pair matrices within the two activations are of the same units, so ratios to them are compared seed
by seed.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import (
    Estimate,
    jackknife,
    mean_interval,
    paired_pseudo_values,
    pseudo_values,
)
from reprocore.statistics.levels import OPEN, Bounds, possible
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, ROUNDING, ratio_interval
from reprocore.vocabulary import Reason


@dataclass(frozen=True)
class Crossed:
    """A measure between two activations, or within one.

    Attributes:
        estimate: the mean; None where there is no pair.
        se: standard error over seeds, or None.
        low: lower end of the interval, or None.
        high: upper end of it.
        seeds: M, seeds that both have.
        pairs: of trainings that the estimate rests on.
        ratio: the estimate over the mean of the two activations' own.
        ratio_low: lower end of the ratio's interval (Fieller 1954), or None.
        ratio_high: upper end of it.
        reasons: what is missing.
    """

    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    seeds: int
    pairs: int
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    reasons: tuple[Reason, ...] = ()


def within(matrix: npt.ArrayLike, bounds: Bounds = OPEN, confidence: float = 0.95) -> Crossed:
    """Mean of a pair matrix [M, M] of one activation, symmetric with zeros on the diagonal.

    No end of the interval leaves the bounds.
    """
    d = np.asarray(matrix, dtype=np.float64)
    if len(d) < 2:
        return Crossed(None, None, None, None, len(d), 0, reasons=(Reason.ONE_SEED,))
    return _crossed(possible(jackknife(d, confidence), bounds, confidence))


def across(
    between: npt.ArrayLike,
    own: npt.ArrayLike,
    more_is_closer: bool = False,
    bounds: Bounds = OPEN,
    confidence: float = 0.95,
) -> tuple[Crossed, Crossed]:
    """Compare two activations on M shared seeds, for the same seed and for different seeds.

    Args:
        between: [M, M], the measure of the first activation's seed i and the second's seed j.
        own: [2, M, M], the pair matrices of the first and of the second, of the same seeds.
        more_is_closer: the measure is 1 for equal predictions and less for others; ratios are then
            of 1 less the measure, so that above 1 always means farther apart.
        bounds: of the measure; no end of an interval of it leaves them.
        confidence: in 0–1, exclusive.

    Returns:
        Same seed, different seeds. Without estimate, interval or ratio, and with a reason: for too
        few seeds, values that are not finite, or means that are not above 0.

    Raises:
        ReprocoreError: shapes that do not fit, or `confidence` out of range.
    """
    x, d = np.asarray(between, dtype=np.float64), np.asarray(own, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] != x.shape[1] or d.shape != (2, *x.shape):
        raise ReprocoreError(
            f"pairs: shapes {x.shape} and {d.shape}, must be [seeds, seeds] and twice that"
        )
    seeds = len(x)
    if seeds == 0:
        none = Crossed(None, None, None, None, 0, 0, reasons=(Reason.NO_SHARED_SEED,))
        return none, none
    same, other = np.diag(x), _hollow((x + x.T) / 2)
    same_seed = _crossed(possible(mean_interval(same, confidence), bounds, confidence), seeds)
    different = within(other, bounds, confidence)
    different = replace(different, pairs=2 * different.pairs)
    if seeds < LEAST_SEEDS:
        return _for_lack(same_seed, Reason.FEW_SEEDS), _for_lack(different, Reason.FEW_SEEDS)
    if not (np.isfinite(x).all() and np.isfinite(d).all()):
        return _for_lack(same_seed, Reason.NOT_FINITE), _for_lack(different, Reason.NOT_FINITE)
    base = d.mean(axis=0)
    if more_is_closer:
        same, other, base = 1 - same, _hollow(1 - other), _hollow(1 - base)
    above, below = paired_pseudo_values(np.stack([other, base]))
    return (
        _with_ratio(same_seed, same, pseudo_values(base), confidence),
        _with_ratio(different, above, below, confidence),
    )


def _with_ratio(crossed: Crossed, above: Floats, below: Floats, confidence: float) -> Crossed:
    """Add the ratio of the means of two figures per seed [M]."""
    means = float(above.mean()), float(below.mean())
    if min(means) <= ROUNDING * max(means):
        return replace(crossed, reasons=(*crossed.reasons, Reason.NO_RATIO))
    ratio = means[0] / means[1]
    ends: tuple[float, float] | None = (ratio, ratio)
    if np.ptp(above - ratio * below) > ROUNDING * means[0]:
        ends = ratio_interval(above, below, confidence)
    if ends is None:
        return replace(
            crossed, ratio=ratio, reasons=(*crossed.reasons, Reason.RETRAINING_NOT_CLEAR)
        )
    return replace(crossed, ratio=ratio, ratio_low=ends[0], ratio_high=ends[1])


def _for_lack(crossed: Crossed, reason: Reason) -> Crossed:
    """Say why there is no ratio, unless that is why there is no interval."""
    if crossed.low is None and crossed.reasons:
        return crossed
    return replace(crossed, reasons=(*crossed.reasons, reason))


def _crossed(found: Estimate, pairs: int | None = None) -> Crossed:
    count = found.pairs if pairs is None else pairs
    return Crossed(
        *(found.estimate, found.se, found.low, found.high, found.seeds, count),
        reasons=found.reasons,
    )


def _hollow(matrix: Floats) -> Floats:
    """Return a matrix with zeros on the diagonal."""
    hollow: Floats = matrix.copy()
    np.fill_diagonal(hollow, 0.0)
    return hollow
