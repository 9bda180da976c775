"""Tests of a difference or a ratio of two means over seeds, and how many seeds they need.

Everything counts seeds. Values of the same seeds are compared seed by seed; labels are never
permuted across seeds, which would need the two to spread alike.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import nctdtr, stdtr, stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats

LEAST_SEEDS = 3
# Three seeds have an interval, but a spread over them is too little known for a verdict.
LEAST_SEEDS_OF_A_TEST = 4
MOST_SEEDS = 10_000
# Below this share of the values a spread is rounding.
ROUNDING = 1e-12


class Difference(NamedTuple):
    """Estimate of a difference, its standard error, its degrees of freedom; arrays [...]."""

    estimate: Floats
    se: Floats
    dof: Floats

    def p_two_sided(self) -> Floats:
        """By t; 1 where nothing varies, since a spread of 0 in few seeds proves nothing."""
        return np.asarray(2 * self._tail(-np.abs(self.estimate))).clip(max=1.0)

    def p_below_zero(self) -> Floats:
        """One-sided p for "the difference is below 0"; 1 where nothing varies."""
        return self._tail(self.estimate)

    def _tail(self, x: Floats) -> Floats:
        t = np.divide(x, self.se, out=np.full_like(self.se, np.inf), where=self.se > 0)
        return np.asarray(stdtr(self.dof, t))


def paired_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Difference:
    """Difference of means [...] of values [..., M] of the same seeds, M ≥ 2 (paired t)."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    d = a - b
    se = np.asarray(d.std(axis=-1, ddof=1) / math.sqrt(d.shape[-1]))
    scale = np.maximum(np.abs(a).max(axis=-1), np.abs(b).max(axis=-1))
    se = np.where(se <= ROUNDING * scale, 0.0, se)
    return Difference(np.asarray(d.mean(axis=-1)), se, np.full(se.shape, d.shape[-1] - 1.0))


def welch_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Difference:
    """Difference of means [...] of values [..., M₁], [..., M₂] of different seeds (Welch 1947)."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    va, vb = (x.var(axis=-1, ddof=1) / x.shape[-1] for x in (a, b))
    scale = np.maximum(np.abs(a).max(axis=-1), np.abs(b).max(axis=-1))
    total = np.where(np.sqrt(va + vb) <= ROUNDING * scale, 0.0, va + vb)
    parts = va**2 / (a.shape[-1] - 1) + vb**2 / (b.shape[-1] - 1)
    dof = np.divide(total**2, parts, out=np.ones_like(total), where=(total > 0) & (parts > 0))
    return Difference(np.asarray(a.mean(axis=-1) - b.mean(axis=-1)), np.sqrt(total), dof)


def equivalence(
    first: npt.ArrayLike, second: npt.ArrayLike, margin: float, paired: bool = True
) -> Floats:
    """p-value [...] of two one-sided tests that 1/(1+margin) < ratio of means < 1+margin.

    The ratio is below 1+margin exactly if mean(first − (1+margin)·second) is below 0, which is
    an ordinary t test over seeds and needs no logarithm (Fieller 1954; Schuirmann 1987 for two
    one-sided tests). The bounds are each other's inverse, so that the answer does not depend on
    which of the two is named first.

    Args:
        first: values [..., M], mean above 0.
        second: the same.
        margin: above 0, such as 0.1.
        paired: whether values of one place are of one seed; else as Welch.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    test = paired_difference if paired else welch_difference
    sides = (test(a, (1 + margin) * b), test(b, (1 + margin) * a))
    return np.maximum(*(side.p_below_zero() for side in sides))


def ratio_interval(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95, paired: bool = True
) -> tuple[float, float] | None:
    """Interval of the ratio of two means: every ρ that a t test of first − ρ·second keeps.

    Fieller (1954). For unshared seeds the degrees of freedom are those of the difference.

    Args:
        first: values [M].
        second: values [M], or of other seeds if not `paired`.
        confidence: in 0–1, exclusive.
        paired: whether values of one place are of one seed.

    Returns:
        Its ends; None if the second mean is not clearly different from 0.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if paired:
        covariance, dof = np.cov(a, b) / len(a), len(a) - 1.0
    else:
        covariance = np.diag([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
        dof = float(welch_difference(a, b).dof)
    return _fieller((a.mean(), b.mean()), covariance, _squared_quantile(dof, confidence))


def ratio_interval_at(
    ratio: float,
    ends: tuple[float, float],
    cvs: tuple[float, float],
    dof: float,
    confidence: float,
    wanted: float,
) -> tuple[float, float] | None:
    """Fieller's interval at another confidence, from one that is known.

    With the second mean as unit, the sum of the ends gives the covariance of the two means, and
    with their own errors that is all that the interval of any level is made of.

    Args:
        ratio: of the two means, above 0.
        ends: of its interval at `confidence`.
        cvs: of the first and of the second mean, its standard error over the mean.
        dof: degrees of freedom of the t.
        confidence: of `ends`, in 0–1, exclusive.
        wanted: confidence of the interval that is asked for, likewise.

    Returns:
        Its ends; None if at that confidence the second mean is not clearly different from 0.
    """
    q = _squared_quantile(dof, confidence)
    both = (ratio - (1 - q * cvs[1] ** 2) * (ends[0] + ends[1]) / 2) / q
    covariance = np.array([[(cvs[0] * ratio) ** 2, both], [both, cvs[1] ** 2]])
    return _fieller((ratio, 1.0), covariance, _squared_quantile(dof, wanted))


def _squared_quantile(dof: float, confidence: float) -> float:
    return float(stdtrit(dof, (1 + confidence) / 2)) ** 2


def _fieller(
    means: tuple[float, float], covariance: Floats, q: float
) -> tuple[float, float] | None:
    """Return the ends of all ρ with (first − ρ·second)² at most q of its variance, if they are."""
    leading = means[1] ** 2 - q * covariance[1, 1]
    middle = means[0] * means[1] - q * covariance[0, 1]
    last = means[0] ** 2 - q * covariance[0, 0]
    square = middle**2 - leading * last
    if leading <= 0 or square < -ROUNDING * middle**2:
        return None
    root = math.sqrt(max(square, 0.0))
    return float((middle - root) / leading), float((middle + root) / leading)


def holm(p_values: npt.ArrayLike) -> Floats:
    """Adjust p-values [..., K] so that rejecting those ≤ α errs anywhere with at most α.

    Holm (1979): the i-th smallest times K−i+1, never below a smaller one's, at most 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, axis=-1, kind="stable")
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(
        adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), axis=-1
    )
    return adjusted


def holm_over_groups(groups: Sequence[Sequence[float]]) -> list[list[float]]:
    """Adjust p-values, each already adjusted within its group, over all groups.

    Holm (1979) on groups: a p-value is multiplied by the number of groups of which not all have
    smaller ones. Before the first wrong rejection no group with a true hypothesis is done, so
    that any error is made with at most α.

    Args:
        groups: p-values by group, such as those of each model's family.

    Returns:
        The same, adjusted.
    """
    ordered = sorted((p, g, i) for g, group in enumerate(groups) for i, p in enumerate(group))
    left = [len(group) for group in groups]
    adjusted = [[1.0] * len(group) for group in groups]
    largest = 0.0
    for p, g, i in ordered:
        largest = max(largest, min(1.0, p * sum(map(bool, left))))
        adjusted[g][i] = largest
        left[g] -= 1
    return adjusted


def seeds_needed(
    se: float, seeds: int, difference: float, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Smallest number of seeds with which a paired t test finds `difference`.

    By the noncentral t, taking the spread of differences from `se`·√`seeds`.

    Args:
        se: measured standard error of the mean paired difference, ≥ 0.
        seeds: seeds that it rests on, ≥ 2.
        difference: to be found, not 0, in the unit of `se`.
        power: chance of finding it, in 0–1.
        alpha: two-sided level; divide it by the family for Holm's first step.

    Returns:
        At least 3; None for more than `MOST_SEEDS`.

    Raises:
        ReprocoreError: an argument is out of range.
    """
    if not (se >= 0 and math.isfinite(se) and seeds >= 2 and math.isfinite(difference)):
        raise ReprocoreError(f"seeds needed: SE {se} of {seeds} seeds, difference {difference}")
    if difference == 0 or not (0 < alpha < 1 and 0 < power < 1):
        raise ReprocoreError(
            f"seeds needed: difference {difference}, power {power}, alpha {alpha}: "
            "the difference must not be 0, the others in 0 to 1"
        )
    if se == 0:
        return LEAST_SEEDS
    effect = abs(difference) / (se * math.sqrt(seeds))

    def enough(n: int) -> bool:
        critical, shift = float(stdtrit(n - 1, 1 - alpha / 2)), effect * math.sqrt(n)
        # Beyond this the power is 1 and the noncentral t overflows.
        return shift > critical + 30 or 1 - float(nctdtr(n - 1, shift, critical)) >= power

    return fewest_seeds(enough, LEAST_SEEDS)


def fewest_seeds(enough: Callable[[int], bool], least: int) -> int | None:
    """Smallest number of seeds from `least` on that is enough; so must be every larger number.

    Returns:
        None if `MOST_SEEDS` are not enough.
    """
    low, high = least - 1, least
    while not enough(high):
        if high >= MOST_SEEDS:
            return None
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
