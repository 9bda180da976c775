"""Judging claims by the contrasts of a model's activations: one function per kind of test.

Multiplicity: the verdicts of contrasts are adjusted within a model's family (Holm), and where a
claim is refuted by any one of several models or intervals, each is held to the level over their
number (Bonferroni). Where all must hold to support it, none needs more.
"""

import itertools
from collections.abc import Callable

from reprocore import claims
from reprocore.evidence import (
    Compared,
    Evidence,
    Tables,
    compared,
    known_difference,
    known_ratio,
    seeds_to_tell,
    within,
)
from reprocore.findings import Finding, all_of, any_of, not_measured


def each_model(
    test: claims.ModelTest, evidence: Evidence, judge: Callable[[str, Tables], Finding]
) -> Finding:
    """Judge in each model and put together what was found: it must hold in all."""
    parts = []
    for model in test.models:
        gap = evidence.gap(model)
        parts.append(not_measured(gap) if gap else judge(model, evidence.models[model]))
    return all_of(parts)


def _more_reproducible(
    evidence: Evidence, model: str, measure: str, first: str, second: str, models: int = 1
) -> Finding:
    """Supported if the contrast's verdict says `more reproducible`, refuted if `less`.

    `equivalent` leaves it open: within the margin either may be the better. A refutation counts
    only if it stands when the adjusted p is multiplied by `models`.
    """
    tables = evidence.models[model]
    found = compared(tables, measure, first, second)
    if found is None:
        missing = [a for a in (first, second) if a not in tables.final(measure)]
        return not_measured(f"{model}: {' and '.join(missing or [first, second])} not measured")
    measured = _ratio_text(model, first, second, found)
    between = f"{model}: {first} and {second}"
    if found.verdict == "more reproducible":
        return Finding("supported", measured, f"{model}: {first} is better than {second}")
    if found.verdict == "less reproducible":
        if found.p is not None and found.p * models <= evidence.alpha:
            return Finding("refuted", measured, f"{model}: {first} is worse than {second}")
        return Finding(
            "undecided", measured, f"{between} differ, but not clearly enough for {models} models"
        )
    if found.verdict == "equivalent":
        margin = evidence.study.statistics.margin
        return Finding(
            "undecided", measured, f"{between} are within {margin:.0%}: no order can be told"
        )
    more = seeds_to_tell(tables, measure, found.seeds, evidence.alpha, found.family)
    why = f" ({found.note})" if found.note else ""
    return Finding("undecided", measured, f"{between} are not told apart{why}", more)


def _ratio_text(model: str, first: str, second: str, found: Compared) -> str:
    if found.ratio is None:
        return ""
    ends = "no interval"
    if found.low is not None and found.high is not None:
        ends = f"[{found.low:.3f}, {found.high:.3f}]"
    return f"{model}: {first}/{second} {found.ratio:.3f} {ends}"


def order(test: claims.Order, evidence: Evidence) -> Finding:
    """Every contrast of the better with the worse must say `more reproducible`."""

    def judge(model: str, _tables: Tables) -> Finding:
        return all_of(
            [
                _more_reproducible(evidence, model, test.measure, a, b, len(test.models))
                for a, b in itertools.product(test.better, test.worse)
                if a != b
            ]
        )

    return each_model(test, evidence, judge)


def worst(test: claims.Worst, evidence: Evidence) -> Finding:
    """Every other activation must be told to be more reproducible; one that is less refutes it."""

    def judge(model: str, _tables: Tables) -> Finding:
        return all_of(
            [
                _more_reproducible(evidence, model, test.measure, b, test.activation, test_models)
                for b in test.among
                if b != test.activation
            ]
        )

    test_models = len(test.models)
    return each_model(test, evidence, judge)


def never_worst(test: claims.NeverWorst, evidence: Evidence) -> Finding:
    """In each model one activation told to be less reproducible suffices.

    It is refuted by a model in which all others are told to be more reproducible.
    """
    models = len(test.models)

    def judge(model: str, _tables: Tables) -> Finding:
        others = [b for b in test.among if b != test.activation]
        return any_of(
            [
                _more_reproducible(evidence, model, test.measure, test.activation, b, models)
                for b in others
            ]
        )

    return each_model(test, evidence, judge)


def top(test: claims.Top, evidence: Evidence) -> Finding:
    """Supported in a model if enough others are told to be less reproducible to leave it a place.

    Refuted if as many are told to be more reproducible as there are places. Activations that
    were not measured count for neither, so few activations cannot support it.
    """
    models, others = len(test.models), [b for b in test.among if b != test.activation]

    def judge(model: str, _tables: Tables) -> Finding:
        parts = [
            _more_reproducible(evidence, model, test.measure, test.activation, b, models)
            for b in others
        ]
        behind, ahead = (
            [p for p in parts if p.verdict == verdict] for verdict in ("supported", "refuted")
        )
        if len(ahead) >= test.places:
            return all_of(ahead)
        if len(behind) > len(others) - test.places:
            return all_of(behind)
        rest = all_of([p for p in parts if p.verdict in ("undecided", "not measured")])
        if rest.verdict == "not measured" and not ahead and not behind:
            return rest
        count = f"{model}: {len(ahead)} told better, {len(behind)} worse, of {len(others)}"
        return Finding("undecided", rest.measured, f"{count}\n{rest.reason}", rest.seeds_more)

    return each_model(test, evidence, judge)


def magnitude(test: claims.Magnitude, evidence: Evidence) -> Finding:
    """The intervals of the ratios must lie between the bounds: all, or in each model one."""
    others = [b for b in test.others if b != test.activation]
    alpha = evidence.alpha / (len(others) * len(test.models))
    combine = all_of if test.quantifier == "each" else any_of

    def judge(model: str, tables: Tables) -> Finding:
        parts = []
        for b in others:
            found = compared(tables, test.measure, test.activation, b)
            name = f"{model}: {test.activation}/{b}"
            if found is None:
                parts.append(not_measured(f"{name} not measured"))
            else:
                ratio = known_ratio(found, evidence.alpha)
                parts.append(within(name, ratio, test.between, alpha))
        return combine(parts)

    return each_model(test, evidence, judge)


def equal(test: claims.Equal, evidence: Evidence) -> Finding:
    """The differences' intervals must lie where both values print alike, in every measure.

    Values that print alike differ by less than one unit of the last decimal, so that an interval
    beyond it refutes the claim.
    """
    unit = 10.0**-test.decimals
    alpha = evidence.alpha / (len(test.measures) * len(test.models))

    def judge(model: str, tables: Tables) -> Finding:
        parts = []
        for measure in test.measures:
            found = compared(tables, measure, test.first, test.second)
            name = f"{model}: {measure} of {test.first} less {test.second}"
            if found is None:
                parts.append(not_measured(f"{name} not measured"))
            else:
                parts.append(within(name, known_difference(found), (-unit, unit), alpha))
        return all_of(parts)

    return each_model(test, evidence, judge)


def no_trade_off(test: claims.NoTradeOff, evidence: Evidence) -> Finding:
    """Supported if one activation is told, against every other, to be no worse in either.

    No worse is better or equivalent. Refuted if for every activation another is told to be better
    in accuracy or in the measure, so that none is best in both.
    """

    def judge(model: str, tables: Tables) -> Finding:
        candidates = []
        for a in test.among:
            parts = [
                _no_worse(evidence, model, quantity, a, b)
                for b in test.among
                if b != a
                for quantity in (test.measure, "val_accuracy")
            ]
            candidates.append(all_of(parts))
        return any_of(candidates)

    return each_model(test, evidence, judge)


def _no_worse(evidence: Evidence, model: str, quantity: str, first: str, second: str) -> Finding:
    tables = evidence.models[model]
    found = compared(tables, quantity, first, second)
    if found is None:
        missing = [a for a in (first, second) if a not in tables.final(quantity)]
        return not_measured(f"{model}: {' and '.join(missing or [first, second])} not measured")
    measured = f"{quantity} {_ratio_text(model, first, second, found)}"
    names = f"{model}: {quantity} of {first} and {second}"
    if found.verdict in ("more reproducible", "higher", "equivalent"):
        return Finding("supported", measured, f"{names}: the first is no worse")
    if found.verdict in ("less reproducible", "lower"):
        return Finding("refuted", measured, f"{names}: the first is worse")
    more = seeds_to_tell(tables, quantity, found.seeds, evidence.alpha, found.family)
    return Finding("undecided", measured, f"{names} are not told apart", more)
