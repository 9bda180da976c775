"""Which of two activations is the more reproducible, and by how much: tests over seeds.

Everything counts seeds. Activations that were trained from the same seeds are compared seed by
seed; the activations' labels are never permuted across seeds, which would need them to spread
alike.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.closed_test import MOST_ACTIVATIONS, closed_test
from reprocore.statistics.jackknife import paired_pseudo_values, pseudo_values
from reprocore.statistics.tests_over_seeds import (
    LEAST_SEEDS,
    LEAST_SEEDS_OF_A_TEST,
    equivalence,
    holm,
    paired_difference,
    ratio_interval,
    welch_difference,
)
from reprocore.vocabulary import ContrastVerdict, Family, Method, Reason

Closer = Literal["lower", "higher"]


class SeedValues(NamedTuple):
    """What the seeds of one activation gave.

    Attributes:
        seeds: seed numbers [M], all different.
        values: one figure per seed [M], or those of all pairs [M, M], in the order of `seeds`.
    """

    seeds: Sequence[int]
    values: npt.ArrayLike


class Margin(NamedTuple):
    """Within which ratio two activations count as equivalent.

    Attributes:
        size: 0.1 for ratios of 1/1.1 to 1.1.
        complement: whether it is on 1 less the values, as of a share that is close to 1.
    """

    size: float
    complement: bool = False


TENTH = Margin(0.1)


@dataclass(frozen=True)
class Contrast:
    """One activation against another. What cannot be had is None, and `reasons` say why.

    Attributes:
        family: with which other contrasts it is adjusted.
        first: the activation in question.
        second: the activation that it is compared with.
        difference: mean of the first less that of the second; None if not finite.
        ratio: mean of the first over that of the second; None unless both are above 0.
        se: standard error of the difference.
        dof: degrees of freedom of its t.
        low: lower end of the difference's interval, which is that of this contrast alone.
        high: upper end of it.
        ratio_low: lower end of the ratio's interval (Fieller 1954), of this contrast alone.
        ratio_high: upper end of it.
        first_cv: standard error of the first mean over that mean, for `ratio_interval_at`.
        second_cv: standard error of the second mean over that mean.
        method: how it was compared; None for not at all.
        p: two-sided, by t; None where there is no test.
        p_equivalence: that the ratio is outside the margin.
        p_adjusted: `p` adjusted for the family.
        p_equivalence_adjusted: `p_equivalence` after Holm in the family.
        seeds: seeds shared, or the smaller number of seeds where none need be shared.
        seeds_first: seeds of the first activation.
        seeds_second: seeds of the second activation.
        seeds_shared: seeds that both have.
        comparisons: contrasts of the family that were tested.
        verdict: on `first`.
        reasons: what is missing, and what limits the comparison.
    """

    family: Family
    first: str
    second: str
    difference: float | None
    ratio: float | None
    se: float | None = None
    dof: float | None = None
    low: float | None = None
    high: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    first_cv: float | None = None
    second_cv: float | None = None
    method: Method | None = None
    p: float | None = None
    p_equivalence: float | None = None
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None
    seeds: int = 0
    seeds_first: int = 0
    seeds_second: int = 0
    seeds_shared: int = 0
    comparisons: int = 0
    verdict: ContrastVerdict = ContrastVerdict.UNDECIDED
    reasons: tuple[Reason, ...] = ()


def contrasts(
    activations: Mapping[str, SeedValues],
    reference: str,
    closer: Closer | None = "lower",
    margin: Margin | None = TENTH,
    confidence: float = 0.95,
) -> list[Contrast]:
    """Contrast a model's activations: each with the reference, and all pairs.

    The two families are judged apart, each with an error of 1 − `confidence`. Activations with 4
    finite seeds or more are compared by the closed test on the seeds that all of them share. The
    others are estimated on what seeds they have, without a verdict. Where the family shares fewer
    than 4 seeds, pairs are compared by their own t tests, paired or else Welch's, with Holm; above
    `MOST_ACTIVATIONS` activations by paired t with Holm. The verdict is on a difference, or else
    on equivalence by two one-sided tests with Holm; the two together can err more often.

    Args:
        activations: by name; all of one kind, per seed [M] or per pair [M, M].
        reference: the activation that others are held against; one that is not in `activations`
            leaves its family empty.
        closer: whether "lower" or "higher" values are the more reproducible; None for a measure
            that says nothing of it, such as a loss.
        margin: of equivalence, on the ratio; None asks for no equivalence.
        confidence: of the intervals.

    Returns:
        The reference's contrasts in the order of `activations`, then all pairs, in which the
        reference always stands second.

    Raises:
        ReprocoreError: values that do not fit their seeds, or an argument out of range.
    """
    if not 0 < confidence < 1 or (margin and not margin.size > 0):
        raise ReprocoreError(
            f"contrasts: margin {margin and margin.size}, confidence {confidence}: the margin must "
            "be above 0, the confidence in 0 to 1"
        )
    checked = {name: _check(name, *values) for name, values in activations.items()}
    pool = _pool(checked)
    pairs = [
        _contrast(checked, pool, first, second, margin, confidence)
        for first, second in activation_pairs(list(checked), reference)
    ]
    result = []
    for family in Family:
        members = [
            replace(c, family=family)
            for c in pairs
            if family == Family.ALL_PAIRS or c.second == reference
        ]
        result += [_judged(c, closer, 1 - confidence) for c in _adjust(members, pool)]
    return result


def activation_pairs(activations: Sequence[str], reference: str) -> list[tuple[str, str]]:
    """Return all pairs of activations, the reference always in the second place."""
    pairs = itertools.combinations(activations, 2)
    return [(b, a) if a == reference else (a, b) for a, b in pairs]


Checked = tuple[npt.NDArray[np.int64], Floats]


class _Pool(NamedTuple):
    """The activations of the closed test: their names, and their values [A, M]."""

    names: list[str]
    values: Floats


def _check(name: str, seeds: Sequence[int], values: npt.ArrayLike) -> Checked:
    numbers, x = np.asarray(seeds, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(set(numbers.tolist())) < numbers.size or numbers.size == 0:
        raise ReprocoreError(f"{name}: seeds {list(seeds)} must be different, at least one")
    if x.ndim not in (1, 2) or x.shape != (numbers.size,) * x.ndim:
        raise ReprocoreError(f"{name}: {numbers.size} seeds, but values of shape {x.shape}")
    order = np.argsort(numbers)
    return numbers[order], x[np.ix_(*(order,) * x.ndim)]


def family_seeds(activations: Mapping[str, SeedValues]) -> tuple[list[str], list[int]]:
    """Return the activations with values for a test, 4 seeds or more, and the seeds all share."""
    names = [
        name
        for name, (seeds, x) in activations.items()
        if len(seeds) >= LEAST_SEEDS_OF_A_TEST and np.isfinite(x).all()
    ]
    seeds = [set(map(int, activations[name].seeds)) for name in names]
    return names, sorted(set.intersection(*seeds)) if seeds else []


def of_seeds(values: SeedValues | Checked, seeds: npt.ArrayLike) -> Floats:
    """Return the values [M] or [M, M] of some of the seeds, which are in ascending order."""
    own, x = values
    kept = np.searchsorted(own, seeds)
    x = np.asarray(x, dtype=np.float64)
    return np.asarray(x[np.ix_(*(kept,) * x.ndim)])


def _pool(activations: Mapping[str, Checked]) -> _Pool | None:
    """Return the activations that are compared on the seeds that all share, if they are enough."""
    named = {name: SeedValues(seeds.tolist(), x) for name, (seeds, x) in activations.items()}
    names, seeds = family_seeds(named)
    if len(names) < 2 or len(seeds) < LEAST_SEEDS_OF_A_TEST:
        return None
    return _Pool(names, _paired([of_seeds(activations[name], seeds) for name in names]))


def _paired(values: list[Floats]) -> Floats:
    """Return one figure per activation and seed [A, M] of the same seeds."""
    x = np.stack(values)
    return x if x.ndim == 2 else paired_pseudo_values(x)


def _contrast(
    activations: Mapping[str, Checked],
    pool: _Pool | None,
    first: str,
    second: str,
    margin: Margin | None,
    confidence: float,
) -> Contrast:
    (seeds_a, a), (seeds_b, b) = activations[first], activations[second]
    shared = np.intersect1d(seeds_a, seeds_b)
    contrast = Contrast(
        Family.ALL_PAIRS,
        first,
        second,
        difference=None,
        ratio=None,
        seeds=len(shared) if len(shared) >= LEAST_SEEDS else min(len(seeds_a), len(seeds_b)),
        seeds_first=len(seeds_a),
        seeds_second=len(seeds_b),
        seeds_shared=len(shared),
    )
    if pool and {first, second} <= set(pool.names):
        a, b = (pool.values[pool.names.index(name)] for name in (first, second))
        closed = len(pool.names) <= MOST_ACTIVATIONS
        method = Method.CLOSED_TEST if closed else Method.PAIRED
        return _compared(replace(contrast, method=method, seeds=len(a)), a, b, margin, confidence)
    # Before seeds are left out: with such a value an activation is in no family, on any seeds.
    if not all(math.isfinite(_mean(x)) for x in (a, b)):
        return replace(contrast, reasons=(Reason.NOT_FINITE,))
    if len(shared) >= LEAST_SEEDS:
        a, b = (of_seeds(activations[name], shared) for name in (first, second))
    return _on_its_own(contrast, a, b, margin, confidence)


def _on_its_own(
    contrast: Contrast, a: Floats, b: Floats, margin: Margin | None, confidence: float
) -> Contrast:
    """Compare two activations that are not in the closed test."""
    contrast = _with_means(contrast, _mean(a), _mean(b))
    if contrast.seeds < LEAST_SEEDS:
        return replace(contrast, reasons=(Reason.FEW_SEEDS,))
    paired = contrast.seeds_shared >= LEAST_SEEDS
    if paired:
        a, b = _paired([a, b])
    elif a.ndim == 2:
        a, b = pseudo_values(a), pseudo_values(b)
    contrast = replace(contrast, method=Method.PAIRED if paired else Method.WELCH)
    return _compared(contrast, a, b, margin, confidence)


def _compared(
    contrast: Contrast, a: Floats, b: Floats, margin: Margin | None, confidence: float
) -> Contrast:
    """Add what the per-seed values a [M₁] and b [M₂] say."""
    contrast = _with_means(contrast, float(a.mean()), float(b.mean()))
    paired = contrast.method != Method.WELCH
    difference = (paired_difference if paired else welch_difference)(a, b)
    estimate, se = float(difference.estimate), float(difference.se)
    half = float(stdtrit(difference.dof, (1 + confidence) / 2)) * se
    ends = ratio_interval(a, b, confidence, paired) if contrast.ratio is not None else None
    tested = contrast.seeds >= LEAST_SEEDS_OF_A_TEST
    return replace(
        contrast,
        se=se,
        dof=float(difference.dof),
        low=estimate - half,
        high=estimate + half,
        ratio_low=ends[0] if ends else None,
        ratio_high=ends[1] if ends else None,
        first_cv=_cv_of_mean(a) if ends else None,
        second_cv=_cv_of_mean(b) if ends else None,
        p=float(difference.p_two_sided()) if se > 0 and tested else None,
        p_equivalence=_equivalence(a, b, margin, paired) if tested else None,
        reasons=tuple(_limits(contrast, se)),
    )


def _cv_of_mean(x: Floats) -> float:
    return float(x.std(ddof=1) / math.sqrt(len(x)) / x.mean())


def _equivalence(a: Floats, b: Floats, margin: Margin | None, paired: bool) -> float | None:
    if margin is None:
        return None
    if margin.complement:
        a, b = 1 - a, 1 - b
    if a.mean() <= 0 or b.mean() <= 0:
        return None
    return float(equivalence(a, b, margin.size, paired))


def _limits(contrast: Contrast, se: float) -> Iterator[Reason]:
    """Yield what limits a contrast that was compared."""
    if contrast.method == Method.WELCH:
        yield Reason.UNPAIRED
    elif contrast.seeds < max(contrast.seeds_first, contrast.seeds_second):
        yield Reason.PART_OF_SEEDS
    if contrast.seeds < LEAST_SEEDS_OF_A_TEST:
        yield Reason.FEW_SEEDS_FOR_TEST
    if se == 0:
        yield Reason.CONSTANT_DIFFERENCE
    if contrast.ratio is None:
        yield Reason.NO_RATIO


def _mean(x: Floats) -> float:
    """Mean over seeds [M], or over the pairs of [M, M]; NaN for less than one pair."""
    kept = x if x.ndim == 1 else x[np.triu_indices(len(x), 1)]
    return float(kept.mean()) if kept.size and np.isfinite(kept).all() else math.nan


def _with_means(contrast: Contrast, first: float, second: float) -> Contrast:
    ratio = first / second if first > 0 and second > 0 else None
    return replace(contrast, difference=first - second, ratio=ratio)


def _adjust(family: list[Contrast], pool: _Pool | None) -> list[Contrast]:
    """Add p-values adjusted for all contrasts of the family that were tested."""
    adjusted = _holm([c.p for c in family])
    if pool and len(pool.names) <= MOST_ACTIVATIONS:
        adjusted = _closed(family, pool)
    same = _holm([c.p_equivalence for c in family])
    tested = sum(c.p is not None for c in family)
    return [
        replace(c, p_adjusted=p, p_equivalence_adjusted=q, comparisons=tested)
        for c, p, q in zip(family, adjusted, same, strict=True)
    ]


def _closed(family: list[Contrast], pool: _Pool) -> list[float | None]:
    """Return the closed test's p-values; a contrast outside the pool has none."""
    test = closed_test(pool.values)
    place = {name: index for index, name in enumerate(pool.names)}
    matrix = {Family.REFERENCE: test.reference, Family.ALL_PAIRS: test.all_pairs}
    return [
        None if c.p is None else float(matrix[c.family][place[c.first], place[c.second]])
        for c in family
    ]


def _holm(p_values: list[float | None]) -> list[float | None]:
    """Adjust those that exist."""
    adjusted = iter(holm([p for p in p_values if p is not None]).tolist())
    return [None if p is None else next(adjusted) for p in p_values]


def _judged(contrast: Contrast, closer: Closer | None, alpha: float) -> Contrast:
    def passes(p: float | None) -> bool:
        return p is not None and p <= alpha

    same = passes(contrast.p_equivalence_adjusted)
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
