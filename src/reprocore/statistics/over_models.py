"""What holds over several models, and how early in training a ranking shows.

Models are fixed: every statement is about the models of the study, not about others. With the same
seed, models draw the same batches, and some the same initial values, so that they err together.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, ROUNDING, holm, paired_difference
from reprocore.vocabulary import Reason

# Two have a line through them and an order whatever they are.
LEAST_MODELS = 3


@dataclass(frozen=True)
class LogRatio:
    """Logarithm of the ratio of two activations' means in one model, over M paired seeds.

    Attributes:
        estimate: log(mean of the first / mean of the second).
        by_seed: seed number to what that seed adds to the estimate, to first order; they have the
            mean 0. M of them, at least 3.
    """

    estimate: float
    by_seed: Mapping[int, float]

    @property
    def se(self) -> float:
        """Standard error of the estimate, over seeds."""
        return _standard_error([self])

    def chance_lower(self) -> float | None:
        """Chance that the first's true mean is the lower, by t with M−1 degrees of freedom.

        This is the posterior under a flat prior, and 1 less the one-sided p-value. None where
        nothing varies between seeds: a spread of 0 in few seeds proves nothing.
        """
        return _chance_lower(self.estimate, self.se, len(self.by_seed) - 1)


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
        models_total: models that were asked for.
        reasons: what is missing, and what limits it.
    """

    ratio: float | None
    low: float | None
    high: float | None
    chance_lower: float | None
    share_lower: float | None
    models: int
    models_total: int
    reasons: tuple[Reason, ...] = ()


def log_ratio(
    first: npt.ArrayLike, second: npt.ArrayLike, seeds: Sequence[int] | None = None
) -> LogRatio | None:
    """Log ratio of two means over the same M seeds, its error by the delta method.

    Args:
        first: pseudo-values of pairs (`paired_pseudo_values`), or one figure per seed [M].
        second: the same of the other activation, at the same places.
        seeds: their numbers, by which models are matched; 0 to M−1 by default.

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
    numbers = range(len(a)) if seeds is None else seeds
    by_seed = dict(zip(numbers, linear.tolist(), strict=True))
    return LogRatio(math.log(a.mean() / b.mean()), by_seed)


def _standard_error(models: Sequence[LogRatio]) -> float:
    """Return the standard error over seeds of the mean of the models' log ratios.

    The covariance of two models is that of the seeds that both have; where they are the same in
    all, it comes to the standard error of the seeds' means over the models.
    """
    total = 0.0
    for one, other in itertools.product(models, repeat=2):
        shared = one.by_seed.keys() & other.by_seed.keys()
        if len(shared) > 1:
            x, y = (np.array([m.by_seed[seed] for seed in shared]) for m in (one, other))
            covariance = (x - x.mean()) @ (y - y.mean()) / (len(shared) - 1)
            total += covariance * len(shared) / (len(one.by_seed) * len(other.by_seed))
    se = math.sqrt(max(total, 0.0)) / len(models)
    return 0.0 if se <= ROUNDING else se


def mean_ratio(models: Sequence[LogRatio | None], confidence: float = 0.95) -> MeanRatio:
    """Geometric mean ratio over models, with an interval for exactly these models.

    Geometric, because then A to B is the inverse of B to A, and a halving in one model cancels a
    doubling in another; the arithmetic mean of 2 and ½ would make both activations the worse.
    Every model counts the same, however well it is known. The interval is by t over seeds, with
    one degree of freedom less than the model with fewest seeds has seeds, and holds however models
    err together; it says nothing of how models differ, which `share_lower` shows.

    Args:
        models: one per model; None where the model has no ratio, which is left out and counted.
        confidence: in 0–1, exclusive.
    """
    known = [m for m in models if m is not None]
    reasons = (Reason.MODELS_WITHOUT_RATIO,) * (len(known) < len(models))
    if not known:
        reasons = reasons or (Reason.NO_MODELS,)
        return MeanRatio(None, None, None, None, None, 0, len(models), reasons)
    chances = [m.chance_lower() for m in known]
    reasons += (Reason.CONSTANT_RATIO,) * (None in chances)
    mean = math.fsum(m.estimate for m in known) / len(known)
    se, dof = _standard_error(known), min(len(m.by_seed) for m in known) - 1
    half = float(stdtrit(dof, (1 + confidence) / 2)) * se
    return MeanRatio(
        math.exp(mean),
        math.exp(mean - half) if se > 0 else None,
        math.exp(mean + half) if se > 0 else None,
        _chance_lower(mean, se, dof),
        None if None in chances else math.fsum(c for c in chances if c is not None) / len(known),
        len(known),
        len(models),
        reasons,
    )


@dataclass(frozen=True)
class RankCorrelation:
    """How well the order of activations at one time predicts that at another.

    Attributes:
        estimate: Kendall's τ of the two orders as measured, −1 to 1 (τ-b, ties counted out).
        low: lower end of the interval of τ of the true orders.
        high: upper end of it.
        agree: pairs of activations whose order is certain at both times, and is the same.
        disagree: such pairs whose order is not the same.
        pairs: pairs of activations in all.
        seeds: that the activations share.
        reasons: why there is none; empty if there is one.
    """

    estimate: float | None
    low: float | None
    high: float | None
    agree: int
    disagree: int
    pairs: int
    seeds: int
    reasons: tuple[Reason, ...] = ()


def rank_correlation(
    early: npt.ArrayLike, late: npt.ArrayLike, confidence: float = 0.95
) -> RankCorrelation:
    """Kendall's rank correlation of the estimates at two times, with an interval over seeds.

    The interval asks which orders are certain. All pairs of activations are tested at both times
    by paired t, Holm holding the chance of any wrong order below 1 − `confidence`; a pair that is
    certain at both times counts for or against, every other one may do either. So the
    interval holds the truth with at least `confidence`, and is −1 to 1 where nothing is resolved.
    With few seeds that is the rule, and the price of an interval that holds: of orders that are
    truly the same but poorly resolved, errors drawn around the estimates add noise to noise and
    often miss the 1, as does the jackknife (by half or more at 5 seeds); a bootstrap would pair a
    seed with its own copy.

    Args:
        early: per pair [A, M, M], or per seed [A, M].
        late: the same, same activations and seeds.
        confidence: in 0–1, exclusive.

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
    pairs = activations * (activations - 1) // 2
    reason = _no_order(x, y)
    if reason is not None:
        return no_rank_correlation(reason, pairs, seeds)
    if x.ndim == 3:
        x, y = paired_pseudo_values(x), paired_pseudo_values(y)
    return _rank_correlation(x, y, pairs, confidence)


def _rank_correlation(x: Floats, y: Floats, pairs: int, confidence: float) -> RankCorrelation:
    """Rank correlation of per-seed values [A, M] at two times."""
    activations, seeds = x.shape
    i, j = np.triu_indices(activations, 1)
    tests = [paired_difference(v[i], v[j]) for v in (x, y)]
    signs = [np.sign(test.estimate) for test in tests]
    ranked = [np.count_nonzero(sign) for sign in signs]
    if not all(ranked):
        return no_rank_correlation(Reason.ALL_ALIKE, pairs, seeds)
    certain = holm(np.concatenate([test.p_two_sided() for test in tests])) <= 1 - confidence
    product = signs[0] * signs[1]
    certain_product = product[certain[:pairs] & certain[pairs:]]
    agree, disagree = int((certain_product > 0).sum()), int((certain_product < 0).sum())
    return RankCorrelation(
        float(product.sum() / math.sqrt(ranked[0] * ranked[1])),
        2 * agree / pairs - 1,
        1 - 2 * disagree / pairs,
        agree,
        disagree,
        pairs,
        seeds,
    )


def no_rank_correlation(reason: Reason, pairs: int, seeds: int) -> RankCorrelation:
    """Return what stands for a rank correlation that does not exist, and why."""
    return RankCorrelation(None, None, None, 0, 0, pairs, seeds, (reason,))


def _no_order(x: Floats, y: Floats) -> Reason | None:
    """Say why values at two times have no order; None if they may have one."""
    activations, seeds = x.shape[:2]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return Reason.NOT_FINITE
    if activations < 2:
        return Reason.ONE_ACTIVATION
    return Reason.FEW_SEEDS if seeds < LEAST_SEEDS else None


def _chance_lower(estimate: float, se: float, dof: float) -> float | None:
    return float(stdtr(dof, -estimate / se)) if se > 0 else None
