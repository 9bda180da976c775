"""Which of two activations is the more reproducible, and by how much: tests over seeds.

Everything counts seeds. Activations that were trained from the same seeds are compared seed by
seed; the activations' labels are never permuted across seeds, which would need them to spread
alike.
"""

import math
from collections.abc import Mapping, Sequence
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

Closer = Literal["lower", "higher"]
Verdict = Literal[
    "more reproducible", "less reproducible", "lower", "higher", "equivalent", "undecided"
]


class Runs(NamedTuple):
    """What the seeds of one activation gave.

    Attributes:
        seeds: seed numbers [M], all different.
        values: one figure per seed [M], or those of all pairs [M, M], in the order of `seeds`.
    """

    seeds: Sequence[int]
    values: npt.ArrayLike


@dataclass(frozen=True)
class Contrast:
    """One activation against another. What cannot be had is None, and `note` says why.

    Attributes:
        first: the activation in question.
        second: what it is held against.
        difference: mean of the first less that of the second; None if not finite.
        ratio: mean of the first over that of the second; None unless both are above 0.
        se: standard error of the difference.
        low: lower end of the difference's interval.
        high: upper end of it.
        ratio_low: lower end of the ratio's interval (Fieller 1954).
        ratio_high: upper end of it.
        method: how it was tested; "" for not at all.
        p: two-sided, by t.
        p_sign_flip: two-sided, exact; paired only.
        p_equivalence: that the ratio is outside the margin.
        p_adjusted: `p` after Holm in the family.
        p_equivalence_adjusted: `p_equivalence` after Holm in the family.
        seeds: seeds shared, or the smaller number of seeds where none need be shared.
        verdict: of `first`, in words.
        note: what a reader must know.
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
    method: Literal["paired", "welch", ""] = ""
    p: float | None = None
    p_sign_flip: float | None = None
    p_equivalence: float | None = None
    p_adjusted: float | None = None
    p_equivalence_adjusted: float | None = None
    seeds: int = 0
    verdict: Verdict = "undecided"
    note: str = ""


def contrasts(
    runs: Mapping[str, Runs],
    pairs: Sequence[tuple[str, str]],
    closer: Closer | None = "lower",
    margin: float = 0.1,
    confidence: float = 0.95,
) -> list[Contrast]:
    """Contrast the named pairs of a model's activations as one family.

    Where two activations share 3 seeds or more, those are compared pairwise; else all seeds of
    both by Welch. A difference is told by t after Holm, or else equivalence by its own two
    one-sided tests after Holm. Nothing is told of paired seeds so few that the sign-flip test,
    which supposes no normal distribution, could not pass Holm's first step however clear the
    difference.

    Args:
        runs: by activation; all of one kind, per seed [M] or per pair [M, M].
        pairs: (first, second), both in `runs`.
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
    for name in {name for pair in pairs for name in pair} - set(runs):
        raise ReprocoreError(f"contrasts: no runs of {name!r}; there are {', '.join(runs)}")
    checked = {name: _check_runs(name, *run) for name, run in runs.items()}
    family = [_contrast(checked, first, second, margin, confidence) for first, second in pairs]
    return _judge(_adjust(family), closer, 1 - confidence, margin)


Checked = tuple[npt.NDArray[np.int64], Floats]


def _check_runs(name: str, seeds: Sequence[int], values: npt.ArrayLike) -> Checked:
    numbers, x = np.asarray(seeds, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(set(numbers.tolist())) < numbers.size or numbers.size == 0:
        raise ReprocoreError(f"{name}: seeds {list(seeds)} must be different, at least one")
    if x.ndim not in (1, 2) or x.shape != (numbers.size,) * x.ndim:
        raise ReprocoreError(f"{name}: {numbers.size} seeds, but values of shape {x.shape}")
    order = np.argsort(numbers)
    return numbers[order], x[np.ix_(*(order,) * x.ndim)]


def _contrast(
    runs: Mapping[str, Checked], first: str, second: str, margin: float, confidence: float
) -> Contrast:
    (seeds_a, a), (seeds_b, b) = runs[first], runs[second]
    shared = np.intersect1d(seeds_a, seeds_b)
    paired = len(shared) >= LEAST_SEEDS
    fewest = len(shared) if paired else min(len(seeds_a), len(seeds_b))
    notes = []
    if paired and len(shared) < max(len(seeds_a), len(seeds_b)):
        notes.append(f"the {len(shared)} shared seeds of {len(seeds_a)} and {len(seeds_b)}")
    if not paired and fewest >= LEAST_SEEDS:
        notes.append(f"{len(shared)} seeds shared: compared as unpaired")
    if paired:
        a, b = (_restrict(runs[name], shared) for name in (first, second))
    means = [_mean(x) for x in (a, b)]
    if not all(map(math.isfinite, means)):
        return Contrast(first, second, None, None, seeds=fewest, note="a value is not finite")
    found = Contrast(first, second, means[0] - means[1], _ratio(*means), seeds=fewest)
    if fewest < LEAST_SEEDS:
        return replace(found, note=f"{fewest} seeds, needs {LEAST_SEEDS}")
    if a.ndim == 2:
        a, b = (
            _of_pool(runs, shared, (first, second))
            if paired
            else (pseudo_values(a), pseudo_values(b))
        )
    return _test(found, a, b, "paired" if paired else "welch", margin, confidence, notes)


def _test(
    found: Contrast,
    a: Floats,
    b: Floats,
    method: Literal["paired", "welch"],
    margin: float,
    confidence: float,
    notes: list[str],
) -> Contrast:
    """Add what the per-seed values a [M₁] and b [M₂] say."""
    paired = method == "paired"
    difference = (paired_difference if paired else welch_difference)(a, b)
    estimate, se = float(difference.estimate), float(difference.se)
    half = float(stdtrit(difference.dof, (1 + confidence) / 2)) * se
    if se == 0:
        notes.append("the difference is the same for every seed: no t test")
    ends, p_equivalence = None, None
    if found.ratio is None:
        notes.append("a mean is not above 0: no ratio")
    else:
        ends = ratio_interval(a, b, confidence, paired)
        p_equivalence = float(equivalence(a, b, margin, paired))
    return replace(
        found,
        se=se,
        low=estimate - half,
        high=estimate + half,
        ratio_low=ends[0] if ends else None,
        ratio_high=ends[1] if ends else None,
        method=method,
        p=float(difference.p_two_sided()) if se > 0 else None,
        p_sign_flip=sign_flip(a - b) if paired else None,
        p_equivalence=p_equivalence,
        note="; ".join(notes),
    )


def _restrict(run: Checked, shared: npt.NDArray[np.int64]) -> Floats:
    seeds, x = run
    kept = np.searchsorted(seeds, shared)
    return np.asarray(x[np.ix_(*(kept,) * x.ndim)])


def _of_pool(
    runs: Mapping[str, Checked], shared: npt.NDArray[np.int64], names: tuple[str, str]
) -> tuple[Floats, Floats]:
    """Pseudo-values of two activations, with all that ran those seeds to judge the noise by."""
    pool = {
        name: _restrict(run, shared)
        for name, run in runs.items()
        if np.isin(shared, run[0]).all() and np.isfinite(run[1]).all()
    }
    values = dict(zip(pool, paired_pseudo_values(np.stack(list(pool.values()))), strict=True))
    return values[names[0]], values[names[1]]


def _mean(x: Floats) -> float:
    """Mean over seeds [M], or over the pairs of [M, M]; NaN for less than one pair."""
    kept = x if x.ndim == 1 else x[np.triu_indices(len(x), 1)]
    return float(kept.mean()) if kept.size and np.isfinite(kept).all() else math.nan


def _ratio(first: float, second: float) -> float | None:
    return first / second if first > 0 and second > 0 else None


def _adjust(family: list[Contrast]) -> list[Contrast]:
    """Add Holm's p-values. A contrast that had no test counts as one that found nothing."""
    difference = _holm([c.p for c in family])
    same = _holm([c.p_equivalence for c in family])
    return [
        replace(c, p_adjusted=p, p_equivalence_adjusted=q)
        for c, p, q in zip(family, difference, same, strict=True)
    ]


def _holm(p_values: list[float | None]) -> list[float | None]:
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return [None if p is None else float(q) for p, q in zip(p_values, adjusted, strict=True)]


def _judge(
    family: list[Contrast], closer: Closer | None, alpha: float, margin: float
) -> list[Contrast]:
    wanted = least_seeds(alpha, max(len(family), 1))
    judged = []
    for c in family:
        notes = [c.note] if c.note else []
        verdict: Verdict = "undecided"
        differs = c.p_adjusted is not None and c.p_adjusted <= alpha
        same = c.p_equivalence_adjusted is not None and c.p_equivalence_adjusted <= alpha
        if c.method == "paired" and c.seeds < wanted:
            notes.append(
                f"{c.seeds} seeds cannot decide a family of {len(family)}: {wanted} would do"
            )
        elif differs and c.difference is not None:
            verdict = _direction(c.difference, closer)
            notes += [f"within the margin of {margin:.0%}"] * same
        elif same:
            verdict = "equivalent"
        judged.append(replace(c, verdict=verdict, note="; ".join(notes)))
    return judged


def _direction(difference: float, closer: Closer | None) -> Verdict:
    if closer is None:
        return "lower" if difference < 0 else "higher"
    return "more reproducible" if (difference < 0) == (closer == "lower") else "less reproducible"
