"""Judging claims by the spread of a measure across activations: its size, or its order over models.

Multiplicity: a spread that is too large is judged at the level over the number of models
(Bonferroni), but orders of CVs pair by pair, by the intervals of the tables.
"""

import itertools
from statistics import median
from typing import Any

from reprocore.report.audit.claims import Spread
from reprocore.report.audit.evidence import Evidence, Row
from reprocore.report.audit.outcome import (
    NOT_MEASURED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Figure,
    Outcome,
    all_of,
    outcome,
)
from reprocore.report.audit.primitives import by_interval
from reprocore.statistics.spread import cv_interval
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.vocabulary import ClaimReason


def judge_spread(test: Spread, evidence: Evidence) -> Outcome:
    """Judge the noise-corrected CV across activations: its size, or its order over models."""
    if test.order is None:
        return all_of([evidence.gap(m) or _small_cv(test, evidence, m) for m in test.models])
    if test.order == "falling":
        pairs = itertools.combinations(test.models, 2)
        return all_of([_higher_cv(test, evidence, *pair) for pair in pairs])
    gaps = {model: evidence.gap(model) for model in test.models}
    absent = [gap for gap in gaps.values() if gap]
    size = {
        model: median(row["parameters"] for row in evidence.models[model].cells)
        for model in test.models
        if not gaps[model]
    }
    ordered = itertools.combinations(sorted(size, key=lambda model: -size[model]), 2)
    parts = [
        _higher_cv(test, evidence, *pair)
        for pair in ordered
        if size[pair[0]] >= test.factor * size[pair[1]]
    ]
    return all_of([*(parts or [outcome(NOT_MEASURED, ClaimReason.SIZES_ALIKE)]), *absent])


def _cv(test: Spread, evidence: Evidence, model: str) -> tuple[Figure, int | None] | Outcome:
    """Return a model's CV and the seeds to add for more, or why it decides nothing."""
    tables = evidence.models[model]
    row, label = tables.spread(test.measure), f"{model}: CV"
    if row is None:
        return outcome(NOT_MEASURED, ClaimReason.NOT_THERE, label=label)
    if row["low"] is None or row["high"] is None:
        more = LEAST_SEEDS - row["seeds"] if row["seeds"] < LEAST_SEEDS else None
        return outcome(UNDECIDED, ClaimReason.NO_INTERVAL, more=more, label=label, row=row)
    ends, p = (row["low"], row["high"]), row["p_omnibus"]
    figure = Figure(label, row["corrected"], ends, "%", p, 1 - evidence.alpha)
    if row["low"] == row["high"]:
        return outcome(UNDECIDED, ClaimReason.NO_VARIATION, figure, label=label)
    if row["activations"] < len(evidence.study.activations_of(model)):
        # Those that are missing may make it larger or smaller.
        return outcome(UNDECIDED, ClaimReason.PARTLY_MEASURED, figure)
    return figure, tables.seeds_to_separate(test.measure, row["seeds"])


def _small_cv(test: Spread, evidence: Evidence, model: str) -> Outcome:
    """Support it by the whole interval; refute it by all of that and the omnibus test.

    Interval and test refute at the level over the number of models.
    """
    cv = _cv(test, evidence, model)
    if isinstance(cv, Outcome):
        return cv
    figure, more = cv
    bounds, alpha = (None, test.at_most), evidence.alpha / len(test.models)
    judged = by_interval(figure, bounds, lambda: more)
    if judged.verdict != REFUTED:
        return judged
    if figure.p is None or figure.p > alpha:
        return outcome(
            UNDECIDED, ClaimReason.OMNIBUS_UNDECIDED, figure, more=more, label=figure.label
        )
    row = evidence.models[model].spread(test.measure)
    if row is None or len(test.models) == 1:
        return judged
    figure = figure._replace(interval=_ends_above_0(row, alpha), level=1 - alpha)
    return by_interval(figure, bounds, lambda: more)


def _ends_above_0(row: Row, alpha: float) -> tuple[float, float]:
    """Return the ends of a CV's interval at level 1 − alpha, as `activation_spread` makes them.

    The corrected CV must be above 0: of one that is cut off there, a row does not say the noise.
    """
    spread, corrected = ((row[name] / 100) ** 2 for name in ("cv", "corrected"))
    free = row["epsilon"] * (row["activations"] - 1)
    return cv_interval(spread, spread - corrected, free, free * (row["seeds"] - 1), 1 - alpha)


def _higher_cv(test: Spread, evidence: Evidence, first: str, second: str) -> Outcome:
    """Judge whether the first model's interval is above the second's.

    Intervals that do not overlap are a stricter test than one of the difference.
    """
    gaps = [gap for gap in map(evidence.gap, (first, second)) if gap]
    if gaps:
        return all_of(gaps)
    one, other = (_cv(test, evidence, model) for model in (first, second))
    if isinstance(one, Outcome) or isinstance(other, Outcome):
        return all_of([cv for cv in (one, other) if isinstance(cv, Outcome)])
    figures, more = (one[0], other[0]), [seeds for _, seeds in (one, other) if seeds is not None]
    (low, high), (other_low, other_high) = (figure.interval or (0, 0) for figure in figures)
    names: dict[str, Any] = {"first": first, "second": second}
    if low > other_high:
        return outcome(SUPPORTED, ClaimReason.MORE_SENSITIVE, *figures, **names)
    if high < other_low:
        return outcome(REFUTED, ClaimReason.LESS_SENSITIVE, *figures, **names)
    most = max(more, default=None)
    return outcome(UNDECIDED, ClaimReason.CVS_OVERLAP, *figures, more=most, **names)
