"""Judging claims by a contrast of activations, or by a figure between bounds.

Multiplicity: the verdicts of contrasts are adjusted within a model's family, and where a claim is
refuted by any one of several models, measures or intervals, each is judged at the level over their
number (Bonferroni). Where all must hold to support it, none needs more.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from reprocore.report.audit.claims import TIME, Between, Contrast, Level, Reached
from reprocore.report.audit.evidence import (
    Bounds,
    Evidence,
    Known,
    Row,
    Tables,
    independent_ratio,
    known,
    known_ratio,
)
from reprocore.report.audit.outcome import (
    NOT_MEASURED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Fact,
    Figure,
    Outcome,
    all_of,
    at_least,
    outcome,
)
from reprocore.report.words import readable
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS, ratio_interval
from reprocore.vocabulary import (
    COMPLEMENTS,
    QUANTITIES,
    ClaimReason,
    ContrastVerdict,
    Reason,
    split_codes,
)

# Verdicts of contrasts: which say that the first is better, and which that it is worse.
_REPRODUCIBLE = (ContrastVerdict.MORE_REPRODUCIBLE, ContrastVerdict.LESS_REPRODUCIBLE)
_SCORES = {
    "val_loss": (ContrastVerdict.LOWER, ContrastVerdict.HIGHER),
    "val_accuracy": (ContrastVerdict.HIGHER, ContrastVerdict.LOWER),
}


def _quantity(measure: str) -> str:
    return QUANTITIES[measure].label if measure in QUANTITIES else measure


def _label(model: str, measure: str, first: str, second: str, joined: str = "/") -> str:
    return f"{model}: {_quantity(measure)} of {readable(first)}{joined}{readable(second)}"


def _over_pairs(
    test: Contrast | Between, evidence: Evidence, judge: Callable[[str, str, str, str], Outcome]
) -> Outcome:
    """Judge (model, measure, first, second) and combine by the test's quantifiers."""

    def quantified(quantifier: str | int, parts: Sequence[Outcome]) -> Outcome:
        count = {"each": len(parts), "some": 1}.get(str(quantifier), quantifier)
        return at_least(int(count), parts)

    def in_model(model: str) -> Outcome:
        rows = [
            [all_of([judge(model, m, a, b) for m in test.measures]) for b in test.partners(a)]
            for a in test.first
        ]
        parts = [quantified(test.quantifier, row) for row in rows]
        return quantified(test.first_quantifier, parts)

    return all_of([evidence.gap(model) or in_model(model) for model in test.models])


def judge_contrast(test: Contrast, evidence: Evidence) -> Outcome:
    """Judge by the verdicts of contrasts; equivalence supports only that one is no worse.

    A refutation counts only if it stands when the adjusted p is multiplied by the number of
    models and measures.
    """

    def judge(model: str, measure: str, first: str, second: str) -> Outcome:
        tables, families = evidence.models[model], len(test.models) * len(test.measures)
        label = _label(model, measure, first, second)
        row = tables.contrast(measure, first, second)
        if row is None:
            return outcome(NOT_MEASURED, ClaimReason.NOT_THERE, label=label)
        names: dict[str, Any] = {
            "model": model,
            "measure": _quantity(measure),
            "first": readable(first),
            "second": readable(second),
            # What a margin is of, where it is not of the values themselves.
            "of": " of 1 less the values" if measure in COMPLEMENTS else "",
        }
        ends = (row["ratio_low"], row["ratio_high"])
        interval, level = None if None in ends else ends, 1 - evidence.alpha
        figure = Figure(label, row["ratio"], interval, "", row["p_adjusted"], level, adjusted=True)
        better, worse = _SCORES.get(measure, _REPRODUCIBLE)
        small = Reason.WITHIN_MARGIN in split_codes(row["reason"], Reason)
        less_than = evidence.margin(measure) if small else None
        if row["verdict"] == better:
            return outcome(SUPPORTED, ClaimReason.BETTER, figure, less_than=less_than, **names)
        if row["verdict"] == worse:
            if row["p_adjusted"] is not None and row["p_adjusted"] * families <= evidence.alpha:
                return outcome(REFUTED, ClaimReason.WORSE, figure, less_than=less_than, **names)
            return outcome(
                UNDECIDED, ClaimReason.NOT_CLEAR_OVER_MODELS, figure, families=families, **names
            )
        if row["verdict"] == ContrastVerdict.EQUIVALENT:
            verdict = SUPPORTED if test.relation == "no_worse" else UNDECIDED
            margin = evidence.margin(measure)
            return outcome(verdict, ClaimReason.EQUIVALENT, figure, margin=margin, **names)
        more = tables.seeds_to_separate(measure, row["seeds"] or 0)
        return outcome(UNDECIDED, ClaimReason.NOT_SEPARATED, figure, more=more, row=row, **names)

    return _over_pairs(test, evidence, judge)


def judge_between(test: Between, evidence: Evidence) -> Outcome:
    """Judge by whether the intervals of ratios or differences lie between the bounds.

    Each interval is made at the level over the number of figures that the claim is about.
    """
    pairs = sum(len(test.partners(first)) for first in test.first)
    alpha = evidence.alpha / (pairs * len(test.measures) * len(test.models))

    def judge(model: str, measure: str, first: str, second: str) -> Outcome:
        tables, label = evidence.models[model], _label(model, measure, first, second)
        bounds = _bounds(test, evidence, measure)
        if measure == TIME and not evidence.study.timed:
            return outcome(NOT_MEASURED, ClaimReason.NOT_TIMED, label=label)
        if measure == TIME:
            return _time(tables, label, first, second, bounds, alpha)
        row = tables.contrast(measure, first, second)
        if row is None:
            return outcome(NOT_MEASURED, ClaimReason.NOT_THERE, label=label)
        if test.figure == "difference":
            label = _label(model, measure, first, second, " less ")
            return within(label, known(row, "difference"), bounds, alpha)
        ends = evidence.ratio_ends(row, alpha)
        return _ratio_within(label, ends, row["seeds"] or 0, bounds, alpha, row)

    return _over_pairs(test, evidence, judge)


def judge_level(test: Level, evidence: Evidence) -> Outcome:
    """Judge by whether the intervals of all activations' estimates lie between the bounds.

    Each interval is made at the level over the number of figures that were measured.
    """
    parts = list(_estimates(test, evidence))
    alpha = evidence.alpha / max(1, sum(isinstance(part, _Estimate) for part in parts))
    return all_of(
        [
            part
            if isinstance(part, Outcome)
            else part.judge(_bounds(test, evidence, part.row["measure"]), alpha)
            for part in parts
        ]
    )


def _bounds(test: Between | Level, evidence: Evidence, measure: str) -> Bounds:
    """Return a test's bounds, widened by the margin if it asks for that; see `Margin`."""
    if not test.within_margin:
        return test.bounds
    (low, high), factor = test.bounds, 1 + evidence.margin(measure)
    if measure in COMPLEMENTS:
        return (
            None if low is None else 1 - (1 - low) * factor,
            None if high is None else 1 - (1 - high) / factor,
        )
    return (None if low is None else low / factor, None if high is None else high * factor)


def _time(
    tables: Tables, label: str, first: str, second: str, bounds: Bounds, alpha: float
) -> Outcome:
    """Judge a ratio of times on the seeds that both ran; only cells of one machine are compared."""
    times = {name: tables.seconds_per_character(name) for name in (first, second)}
    if not all(times.values()):
        return outcome(NOT_MEASURED, ClaimReason.NOT_THERE, label=label)
    if len({row["environment"] for row in tables.cells if row["activation"] in times}) > 1:
        return outcome(UNDECIDED, ClaimReason.OTHER_MACHINE, label=label)
    seeds = sorted(set(times[first]) & set(times[second]))
    missing = LEAST_SEEDS - len(seeds)
    if missing > 0:
        return outcome(
            UNDECIDED, ClaimReason.FEW_SEEDS, more=missing, label=label, seeds=len(seeds)
        )
    above, below = ([times[name][seed] for seed in seeds] for name in (first, second))
    return _ratio_within(label, ratio_interval(above, below, 1 - alpha), len(seeds), bounds, alpha)


def _ratio_within(
    label: str,
    ends: tuple[float, float] | None,
    seeds: int,
    bounds: Bounds,
    alpha: float,
    row: Row | None = None,
) -> Outcome:
    """Judge a ratio by its interval at level 1 − alpha, which may reach 0."""
    value = row["ratio"] if row else None
    low, high = ends or (None, None)
    ratio = known_ratio(low, high, seeds, alpha, row)
    if isinstance(ratio, Fact) and ratio.reason == ClaimReason.NOT_POSITIVE:
        figure = Figure(label, value, ends, level=1 - alpha)
        judged = by_interval(figure, bounds)
        clear = judged.verdict in (SUPPORTED, REFUTED)
        return judged if clear else outcome(UNDECIDED, ratio.reason, figure, label=label)
    return within(label, ratio, bounds, alpha, value)


class _Estimate(NamedTuple):
    """An estimate, or its ratio over `other`: of another model, or another measure of its own."""

    label: str
    row: Row
    other: Row | None = None
    same_seeds: bool = False

    def judge(self, bounds: Bounds, alpha: float) -> Outcome:
        one = known(self.row)
        if self.other is None or isinstance(one, Fact):
            return within(self.label, one, bounds, alpha)
        other = known(self.other)
        if isinstance(other, Fact):
            return within(self.label, other, bounds, alpha)
        if not self.same_seeds:
            return within(self.label, independent_ratio(one, other), bounds, alpha)
        # How two measures of the same seeds go together is not in the tables. So each has half of
        # the allowed error, and the ratio is between the outermost ratios of their ends.
        (a_low, a_high), (b_low, b_high) = one.interval(alpha / 2), other.interval(alpha / 2)
        if b_low <= 0:
            return outcome(UNDECIDED, ClaimReason.NOT_POSITIVE, label=self.label)
        ends = (min(a_low / b_high, a_low / b_low), a_high / b_low)
        ratio = one.estimate / other.estimate
        return by_interval(Figure(self.label, ratio, ends, level=1 - alpha), bounds)


def _estimates(test: Level, evidence: Evidence) -> Iterator[_Estimate | Outcome]:
    """List the estimates of a test, and which activations of a model have none."""
    for model, other_model, measure, other_measure in itertools.product(
        test.models, test.other_models or ("",), test.measures, test.other_measures or ("",)
    ):
        gap = evidence.gap(model) or (evidence.gap(other_model) if other_model else None)
        if gap:
            yield gap
            continue
        tables = evidence.models[model]
        label = f"{model}: {_quantity(measure)}"
        rows = [row for row in tables.estimates if row["measure"] == measure]
        if test.at:
            places = _reached(tables, test.at, evidence)
            rows = [row for row in rows if (row["activation"], row["step"]) in places]
            label += f" where {_quantity(test.at.measure)} is {test.at.value:g}"
        else:
            rows = list(tables.final(measure).values())
        if other_model or other_measure:
            below = evidence.models[other_model or model].final(other_measure or measure)
            rows = [row for row in rows if row["activation"] in below]
            label += (
                f" over that of {other_model}" if other_model else f"/{_quantity(other_measure)}"
            )
        measured = {row["activation"] for row in rows}
        for activation in evidence.study.activations_of(model):
            if activation not in measured:
                name = f"{label}, {readable(activation)}"
                yield outcome(NOT_MEASURED, ClaimReason.NOT_THERE, label=name)
        for row in rows:
            name = f"{label}, {readable(row['activation'])} at step {row['step']}"
            other = below[row["activation"]] if other_model or other_measure else None
            yield _Estimate(name, row, other, same_seeds=bool(other_measure))


def _reached(tables: Tables, at: Reached, evidence: Evidence) -> set[tuple[str, int]]:
    """Return (activation, step) of the snapshots at which a quantity surely is what it was.

    Its whole interval must be from value/(1+m) to value·(1+m): this margin m is on the value
    itself, of whatever quantity.
    """
    factor = 1 + evidence.margin(at.measure)
    found = set()
    for row in tables.estimates:
        figure = known(row) if row["measure"] == at.measure else None
        if isinstance(figure, Known):
            low, high = figure.interval(evidence.alpha)
            if at.value / factor <= low and high <= at.value * factor:
                found.add((row["activation"], row["step"]))
    return found


def within(
    label: str, figure: Known | Fact, bounds: Bounds, alpha: float, value: float | None = None
) -> Outcome:
    """Judge whether a figure lies between two bounds, by its interval.

    Args:
        label: of the figure, for people.
        figure: what is known of it, or why nothing is that decides.
        bounds: None is open.
        alpha: of the interval; divide it by the number of figures judged together.
        value: the figure as the tables have it; None is what is known of it.

    Returns:
        Supported if the whole interval does, refuted if none of it does, else undecided, with the
        seeds with which an estimate that stays where it is would clear the nearest bound.
    """
    if isinstance(figure, Fact):
        return outcome(UNDECIDED, figure.reason, label=label, **figure.data)
    estimate = figure.value() if value is None else value
    shown = Figure(label, estimate, figure.interval(alpha), level=1 - alpha)
    return by_interval(shown, bounds, lambda: figure.seeds_more(bounds, alpha))


def by_interval(
    figure: Figure, bounds: Bounds, more: Callable[[], int | None] = lambda: None
) -> Outcome:
    """Judge a figure's interval, which it must have; `more` gives the seeds if it is undecided."""
    assert figure.interval is not None
    (low, high), (bottom, top) = figure.interval, bounds
    names: dict[str, Any] = {"label": figure.label, "bounds": bounds}
    if (top is not None and low > top) or (bottom is not None and high < bottom):
        return outcome(REFUTED, ClaimReason.OUTSIDE, figure, **names)
    if (top is None or high <= top) and (bottom is None or low >= bottom):
        return outcome(SUPPORTED, ClaimReason.INSIDE, figure, **names)
    return outcome(UNDECIDED, ClaimReason.ACROSS, figure, more=more(), **names)
