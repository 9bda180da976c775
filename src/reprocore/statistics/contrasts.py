"""Which of two activations is the more reproducible, and by how much: tests over seeds.

Everything counts seeds. Activations that were trained from the same seeds are compared seed by
seed; the activations' labels are never permuted across seeds, which would need them to spread
alike.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import paired_pseudo_values, pseudo_values
from reprocore.statistics.tests_over_seeds import (
    LEAST_SEEDS,
    equivalence,
    holm,
    least_seeds,
    paired_difference,
    ratio_interval,
    sign_flip,
    welch_difference,
)
from reprocore.vocabulary import ContrastVerdict, Method, Reason

Closer = Literal["lower", "higher"]


class SeedValues(NamedTuple):
    """What the seeds of one activation gave.

    Attributes:
        seeds: seed numbers [M], all different.
        values: one figure per seed [M], or those of all pairs [M, M], in the order of `seeds`.
    """

    seeds: Sequence[int]
    values: npt.ArrayLike


@dataclass(frozen=True)
class Contrast:
    """One activation against another. What cannot be had is None, and `reasons` say why.

    Attributes:
        first: the activation in question.
        second: the activation that it is compared with.
        difference: mean of the first less that of the second; None if not finite.
        ratio: mean of the first over that of the second; None unless both are above 0.
        se: standard error of the difference.
        low: lower end of the difference's interval.
        high: upper end of it.
        ratio_low: lower end of the ratio's interval (Fieller 1954).
        ratio_high: upper end of it.
        method: how it was tested; None for not at all.
        p: two-sided, by t.
        p_sign_flip: two-sided, exact; paired only.
        p_equivalence: that the ratio is outside the margin.
        p_adjusted: `p` after Holm in the family.
        p_equivalence_adjusted: `p_equivalence` after Holm in the family.
        seeds: seeds shared, or the smaller number of seeds where none need be shared.
        seeds_first: seeds of the first activation.
        seeds_second: seeds of the second activation.
        seeds_shared: seeds that both have.
        comparisons: size of the family.
        seeds_needed: shared seeds with which a contrast of this family can be decided.
        verdict: on `first`.
        reasons: what is missing, and what limits the comparison.
    """

    first: str
    second: str
    difference: float | None
    ratio: float | None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    method: Method | None = None
    p: float | None = None
    p_sign_flip: float | None = None
    p_equivalence: float | None = None
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None
    seeds: int = 0
    seeds_first: int = 0
    seeds_second: int = 0
    seeds_shared: int = 0
    comparisons: int = 0
    seeds_needed: int | None = None
    verdict: ContrastVerdict = ContrastVerdict.UNDECIDED
    reasons: tuple[Reason, ...] = ()


def contrasts(
    activations: Mapping[str, SeedValues],
    pairs: Sequence[tuple[str, str]],
    closer: Closer | None = "lower",
    margin: float = 0.1,
    confidence: float = 0.95,
) -> list[Contrast]:
    """Contrast the named pairs of a model's activations as one family.

    Where two activations share 3 seeds or more, those are compared pairwise; else all seeds of
    both by Welch. The verdict is on a difference by t after Holm, or else on equivalence by its
    own two one-sided tests after Holm. There is none where paired seeds are so few that the
    sign-flip test, which supposes no normal distribution, could not pass Holm's first step
    however clear the difference.

    Args:
        activations: by name; all of one kind, per seed [M] or per pair [M, M].
        pairs: (first, second), both in `activations`.
        closer: whether "lower" or "higher" values are the more reproducible; None for a measure
            that says nothing of it, such as a loss.
        margin: of equivalence, on the ratio.
        confidence: of the intervals; the family's error is 1 less this.

    Returns:
        One contrast per pair, in their order.

    Raises:
        ReprocoreError: an unknown activation, values that do not fit their seeds, or `margin` or
            `confidence` out of range.
    """
    if not margin > 0 or not 0 < confidence < 1:
        raise ReprocoreError(
            f"contrasts: margin {margin}, confidence {confidence}: the margin must be above 0, "
            "the confidence in 0 to 1"
        )
    for name in {name for pair in pairs for name in pair} - set(activations):
        raise ReprocoreError(
            f"contrasts: no values of {name!r}; there are {', '.join(activations)}"
        )
    checked = {name: _check(name, *values) for name, values in activations.items()}
    family = [_contrast(checked, first, second, margin, confidence) for first, second in pairs]
    return _judge(_adjust(family), closer, 1 - confidence)


Checked = tuple[npt.NDArray[np.int64], Floats]


def _check(name: str, seeds: Sequence[int], values: npt.ArrayLike) -> Checked:
    numbers, x = np.asarray(seeds, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(set(numbers.tolist())) < numbers.size or numbers.size == 0:
        raise ReprocoreError(f"{name}: seeds {list(seeds)} must be different, at least one")
    if x.ndim not in (1, 2) or x.shape != (numbers.size,) * x.ndim:
        raise ReprocoreError(f"{name}: {numbers.size} seeds, but values of shape {x.shape}")
    order = np.argsort(numbers)
    return numbers[order], x[np.ix_(*(order,) * x.ndim)]


def _contrast(
    activations: Mapping[str, Checked], first: str, second: str, margin: float, confidence: float
) -> Contrast:
    (seeds_a, a), (seeds_b, b) = activations[first], activations[second]
    shared = np.intersect1d(seeds_a, seeds_b)
    paired = len(shared) >= LEAST_SEEDS
    fewest = len(shared) if paired else min(len(seeds_a), len(seeds_b))
    if paired:
        a, b = (_restrict(activations[name], shared) for name in (first, second))
    contrast = Contrast(
        first,
        second,
        difference=None,
        ratio=None,
        seeds=fewest,
        seeds_first=len(seeds_a),
        seeds_second=len(seeds_b),
        seeds_shared=len(shared),
    )
    means = [_mean(x) for x in (a, b)]
    if not all(map(math.isfinite, means)):
        return replace(contrast, reasons=(Reason.NOT_FINITE,))
    contrast = replace(contrast, difference=means[0] - means[1], ratio=_ratio(*means))
    if fewest < LEAST_SEEDS:
        return replace(contrast, reasons=(Reason.FEW_SEEDS,))
    if a.ndim == 2 and paired:
        a, b = _of_pool(activations, shared, (first, second))
    elif a.ndim == 2:
        a, b = pseudo_values(a), pseudo_values(b)
    contrast = replace(contrast, method=Method.PAIRED if paired else Method.WELCH)
    return _test(contrast, a, b, margin, confidence)


def _test(contrast: Contrast, a: Floats, b: Floats, margin: float, confidence: float) -> Contrast:
    """Add what the per-seed values a [M₁] and b [M₂] say."""
    paired = contrast.method == Method.PAIRED
    difference = (paired_difference if paired else welch_difference)(a, b)
    estimate, se = float(difference.estimate), float(difference.se)
    half = float(stdtrit(difference.dof, (1 + confidence) / 2)) * se
    ends, p_equivalence = None, None
    if contrast.ratio is not None:
        ends = ratio_interval(a, b, confidence, paired)
        p_equivalence = float(equivalence(a, b, margin, paired))
    return replace(
        contrast,
        se=se,
        low=estimate - half,
        high=estimate + half,
        ratio_low=ends[0] if ends else None,
        ratio_high=ends[1] if ends else None,
        p=float(difference.p_two_sided()) if se > 0 else None,
        p_sign_flip=sign_flip(a - b) if paired else None,
        p_equivalence=p_equivalence,
        reasons=tuple(_limits(contrast, se)),
    )


def _limits(contrast: Contrast, se: float) -> Iterator[Reason]:
    """Yield what limits a contrast that was tested."""
    if contrast.method == Method.WELCH:
        yield Reason.UNPAIRED
    elif contrast.seeds_shared < max(contrast.seeds_first, contrast.seeds_second):
        yield Reason.PART_OF_SEEDS
    if se == 0:
        yield Reason.CONSTANT_DIFFERENCE
    if contrast.ratio is None:
        yield Reason.NO_RATIO


def _restrict(values: Checked, shared: npt.NDArray[np.int64]) -> Floats:
    seeds, x = values
    kept = np.searchsorted(seeds, shared)
    return np.asarray(x[np.ix_(*(kept,) * x.ndim)])


def _of_pool(
    activations: Mapping[str, Checked], shared: npt.NDArray[np.int64], names: tuple[str, str]
) -> tuple[Floats, Floats]:
    """Pseudo-values of two activations, with all that ran those seeds to judge the noise by."""
    pool = {
        name: _restrict(values, shared)
        for name, values in activations.items()
        if np.isin(shared, values[0]).all() and np.isfinite(values[1]).all()
    }
    pseudo = dict(zip(pool, paired_pseudo_values(np.stack(list(pool.values()))), strict=True))
    return pseudo[names[0]], pseudo[names[1]]


def _mean(x: Floats) -> float:
    """Mean over seeds [M], or over the pairs of [M, M]; NaN for less than one pair."""
    kept = x if x.ndim == 1 else x[np.triu_indices(len(x), 1)]
    return float(kept.mean()) if kept.size and np.isfinite(kept).all() else math.nan


def _ratio(first: float, second: float) -> float | None:
    return first / second if first > 0 and second > 0 else None


def _adjust(family: list[Contrast]) -> list[Contrast]:
    """Add Holm's p-values. A contrast without a test counts as one without a difference."""
    difference = _holm([c.p for c in family])
    same = _holm([c.p_equivalence for c in family])
    return [
        replace(c, p_adjusted=p, p_equivalence_adjusted=q)
        for c, p, q in zip(family, difference, same, strict=True)
    ]


def _holm(p_values: list[float | None]) -> list[float | None]:
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return [None if p is None else float(q) for p, q in zip(p_values, adjusted, strict=True)]


def _judge(family: list[Contrast], closer: Closer | None, alpha: float) -> list[Contrast]:
    needed = least_seeds(alpha, max(len(family), 1))
    return [
        _judged(replace(c, comparisons=len(family), seeds_needed=needed), closer, alpha)
        for c in family
    ]


def _judged(contrast: Contrast, closer: Closer | None, alpha: float) -> Contrast:
    def passes(p: float | None) -> bool:
        return p is not None and p <= alpha

    same = passes(contrast.p_equivalence_adjusted)
    few = contrast.seeds_needed is not None and contrast.seeds < contrast.seeds_needed
    if contrast.method == Method.PAIRED and few:
        return replace(contrast, reasons=(*contrast.reasons, Reason.FEW_SEEDS_FOR_FAMILY))
    if passes(contrast.p_adjusted) and contrast.difference is not None:
        within = (Reason.WITHIN_MARGIN,) * same
        verdict = _direction(contrast.difference, closer)
        return replace(contrast, verdict=verdict, reasons=(*contrast.reasons, *within))
    return replace(contrast, verdict=ContrastVerdict.EQUIVALENT) if same else contrast


def _direction(difference: float, closer: Closer | None) -> ContrastVerdict:
    lower = difference < 0
    if closer is None:
        return ContrastVerdict.LOWER if lower else ContrastVerdict.HIGHER
    if lower == (closer == "lower"):
        return ContrastVerdict.MORE_REPRODUCIBLE
    return ContrastVerdict.LESS_REPRODUCIBLE
