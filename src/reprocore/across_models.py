"""What holds over several models, and how early in training a ranking shows.

Models are fixed: every statement is about the models of the study, not about others. A seed
number that two models share starts different networks, so models are taken as independent.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit
from scipy.stats import rankdata

from reprocore.errors import ReprocoreError
from reprocore.inference import Floats, paired_pseudo_values
from reprocore.seed_tests import LEAST_SEEDS, ROUNDING

DRAWS = 4_000


@dataclass(frozen=True)
class LogRatio:
    """Logarithm of the ratio of two activations' means in one model, over M paired seeds.

    Attributes:
        estimate: log(mean of the first / mean of the second).
        se: its standard error over seeds.
        seeds: M, at least 3.
    """

    estimate: float
    se: float
    seeds: int

    def chance_below(self, log_ratio: float = 0.0) -> float:
        """Chance that the true log ratio is below `log_ratio`, by t with M−1 degrees of freedom.

        This is the posterior under a flat prior, and 1 less the one-sided p-value.
        """
        return _chance_below(self.estimate - log_ratio, self.se, self.seeds - 1)


@dataclass(frozen=True)
class MeanRatio:
    """One activation against another over several models.

    Attributes:
        ratio: geometric mean over models; None if no model has one.
        low: lower end of its interval.
        high: upper end of it.
        chance_lower: that the mean ratio is below 1.
        share_lower: expected share of the models in which the first is the lower.
        models: models that it rests on.
        note: what a reader must know.
    """

    ratio: float | None
    low: float | None
    high: float | None
    chance_lower: float | None
    share_lower: float | None
    models: int
    note: str = ""


def log_ratio(first: npt.ArrayLike, second: npt.ArrayLike) -> LogRatio | None:
    """Log ratio of two means over the same M seeds, its error by the delta method.

    Args:
        first: pseudo-values of pairs (`paired_pseudo_values`), or one figure per seed [M].
        second: the same of the other activation, at the same places.

    Returns:
        None for fewer than 3 seeds, or unless both means are finite and above 0.

    Raises:
        ReprocoreError: the two differ in shape.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ReprocoreError(f"ratio: shapes {a.shape} and {b.shape}, must be one [seeds]")
    if len(a) < LEAST_SEEDS or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    if a.mean() <= 0 or b.mean() <= 0:
        return None
    linear = a / a.mean() - b / b.mean()
    se = float(linear.std(ddof=1)) / math.sqrt(len(a))
    return LogRatio(math.log(a.mean() / b.mean()), 0.0 if se <= ROUNDING else se, len(a))


def mean_ratio(models: Sequence[LogRatio | None], confidence: float = 0.95) -> MeanRatio:
    """Geometric mean ratio over models, with an interval for exactly these models.

    Geometric, because then A to B is the inverse of B to A, and a halving in one model cancels a
    doubling in another; the arithmetic mean of 2 and ½ would make both activations the worse.
    Every model counts the same, however well it is known. The interval is by t on the sum of the
    models' variances, with Satterthwaite's degrees of freedom (Welch 1947); it says nothing of
    how models differ, which `share_lower` shows.

    Args:
        models: one per model; None where the model has no ratio, which is left out and said.
        confidence: in 0–1, exclusive.
    """
    known = [m for m in models if m is not None]
    absent = len(models) - len(known)
    note = f"{absent} of {len(models)} models without a ratio" if absent else ""
    if not known:
        return MeanRatio(None, None, None, None, None, 0, note or "no models")
    mean = math.fsum(m.estimate for m in known) / len(known)
    variances = [(m.se / len(known)) ** 2 for m in known]
    total = math.fsum(variances)
    parts = math.fsum(v**2 / (m.seeds - 1) for v, m in zip(variances, known, strict=True))
    dof = total**2 / parts if parts > 0 else 1.0
    half = float(stdtrit(dof, (1 + confidence) / 2)) * math.sqrt(total)
    return MeanRatio(
        math.exp(mean),
        math.exp(mean - half),
        math.exp(mean + half),
        _chance_below(mean, math.sqrt(total), dof),
        math.fsum(m.chance_below() for m in known) / len(known),
        len(known),
        note,
    )


@dataclass(frozen=True)
class RankCorrelation:
    """How well the ranking of activations at one time foretells that at another.

    Attributes:
        estimate: Spearman's correlation of the two rankings as measured, −1 to 1.
        low: lower end of the interval of that of the true rankings.
        high: upper end of it.
        chance_best: that the activation found lowest at first is the truly lowest in the end.
        activations: ranked.
        seeds: that they share.
        note: what a reader must know.
    """

    estimate: float | None
    low: float | None
    high: float | None
    chance_best: float | None
    activations: int
    seeds: int
    note: str = ""


def rank_correlation(
    early: npt.ArrayLike,
    late: npt.ArrayLike,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's rank correlation between estimates at two times, with an interval over seeds.

    A bootstrap that draws seeds with replacement would pair a seed with its own copy, a
    difference of 0 that no retraining has; a jackknife of ranks finds no spread at all where no
    single seed turns an order round, however near two activations are. So the estimates' error
    is drawn: normal around them with the covariance of the pseudo-values of both times, seed by
    seed, and t tails of M−1 degrees of freedom (a multiplier bootstrap over seeds). The interval
    holds the rankings of the draws. Where the order is not resolved, it is wide.

    Args:
        early: per pair [A, M, M], or per seed [A, M].
        late: the same, same activations and seeds.
        confidence: in 0–1, exclusive.
        draws: of the estimates' error.
        seed: of the draws.

    Raises:
        ReprocoreError: shapes differ or do not fit.
    """
    x, y = np.asarray(early, dtype=np.float64), np.asarray(late, dtype=np.float64)
    if x.shape != y.shape or x.ndim not in (2, 3) or x.shape[1] != x.shape[-1]:
        raise ReprocoreError(
            f"rank correlation: shapes {x.shape} and {y.shape}, must be one "
            "[activations, seeds] or [activations, seeds, seeds]"
        )
    activations, seeds = x.shape[:2]
    fault = f"{activations} activations, needs 3 to rank" if activations < 3 else ""
    fault = fault or (f"{seeds} seeds, needs {LEAST_SEEDS}" if seeds < LEAST_SEEDS else "")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        fault = "a value is not finite"
    if fault:
        return RankCorrelation(None, None, None, None, activations, seeds, fault)
    if x.ndim == 3:
        x, y = paired_pseudo_values(x), paired_pseudo_values(y)
    estimate = float(_spearman(x.mean(axis=1), y.mean(axis=1)))
    if math.isnan(estimate):
        note = "all activations alike at one time: no ranking"
        return RankCorrelation(None, None, None, None, activations, seeds, note)
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((draws, seeds))
    weights *= np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, size=(draws, 1)))
    weights /= math.sqrt(seeds * (seeds - 1))
    first, last = (v.mean(axis=1) + weights @ (v - v.mean(axis=1, keepdims=True)).T for v in (x, y))
    found = _spearman(first, last)
    low, high = np.quantile(found[np.isfinite(found)], [(1 - confidence) / 2, (1 + confidence) / 2])
    best = float(np.mean(last.argmin(axis=1) == x.mean(axis=1).argmin()))
    return RankCorrelation(estimate, float(low), float(high), best, activations, seeds)


def _spearman(first: Floats, second: Floats) -> Floats:
    """Rank correlation along the last axis, ties at their mean rank; NaN if all are tied."""
    a, b = (rankdata(x, axis=-1) - (x.shape[-1] + 1) / 2 for x in (first, second))
    scale = np.asarray(np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1)))
    product = np.asarray((a * b).sum(axis=-1))
    return np.divide(product, scale, out=np.full_like(scale, np.nan), where=scale > 0)


def _chance_below(estimate: float, se: float, dof: float) -> float:
    if se > 0:
        return float(stdtr(dof, -estimate / se))
    return 0.5 if estimate == 0 else float(estimate < 0)
