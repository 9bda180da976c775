"""What a study has found, as codes with the rows that they rest on; `sentences` has the words."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any

from reprocore.analysis.strata import DIVERGENCES
from reprocore.report.page.elsewhere import DIFFERENCES, at_matched_loss, late_steps, steady
from reprocore.report.page.tables import Row, Tables, finite
from reprocore.report.summary_text import clear_over_models
from reprocore.report.words import reason_texts
from reprocore.vocabulary import (
    COMPLEMENTS,
    ContrastVerdict,
    Family,
    Flag,
    Reason,
    split_codes,
)

# What a difference of this size would take is said; the table of the sensitivity has others too.
PLANNED_PERCENT = 10


class Topic(StrEnum):
    """What a sentence of the answer says."""

    CHANGED_CHARACTERS = auto()
    NOTHING_MEASURED = auto()
    DISTANCE = auto()
    ONE_ACTIVATION = auto()
    NO_REFERENCE = auto()
    FEW_SEEDS = auto()
    NOT_COMPARED = auto()
    ALL_DECIDED = auto()
    SOME_DECIDED = auto()
    NONE_DECIDED = auto()
    VERDICT = auto()
    WITHIN_MARGIN = auto()
    OTHER_MEASURES = auto()
    UNTESTED = auto()
    CLEAR_OVER_MODELS = auto()
    NOT_CLEAR_OVER_MODELS = auto()
    STEADY = auto()
    AT_MATCHED_LOSS = auto()
    SEEDS_NEEDED = auto()
    SWAPPED = auto()
    ACCURACY = auto()
    NOT_RUN = auto()
    MISSING_SEEDS = auto()
    ABOVE_UNIGRAM = auto()
    BFLOAT16 = auto()
    TUNED = auto()
    ONE_RATE = auto()
    RATE_AT_END = auto()
    MIXED_MACHINES = auto()
    MIXED_CODE = auto()


_FLAGS = {
    Flag.ABOVE_UNIGRAM: Topic.ABOVE_UNIGRAM,
    Flag.NOT_RUN: Topic.NOT_RUN,
    Flag.MISSING_SEEDS: Topic.MISSING_SEEDS,
    Flag.RATE_AT_END: Topic.RATE_AT_END,
    Flag.MIXED_MACHINES: Topic.MIXED_MACHINES,
    Flag.MIXED_CODE: Topic.MIXED_CODE,
}


@dataclass(frozen=True)
class Finding:
    """One sentence to be.

    Attributes:
        topic: what it says.
        data: what it says it of: rows of tables, names, numbers.
    """

    topic: Topic
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What is found, in the order in which it is told.

    Attributes:
        level: how far apart trainings are.
        activation: whether the activation changes that.
        limits: what to know before relying on it.
    """

    level: Sequence[Finding]
    activation: Sequence[Finding]
    limits: Sequence[Finding]


def answer_of(tables: Tables) -> Answer:
    """Return what the tables of a study say."""
    return Answer(
        list(_level(tables)), list(_activation(tables)), [*flags(tables), *_training(tables)]
    )


def _level(tables: Tables) -> Iterator[Finding]:
    measure = tables.study.statistics.primary.measure
    changed, apart = (extremes(tables, name) for name in ("churn", measure))
    if changed is None:
        yield Finding(Topic.NOTHING_MEASURED)
        return
    yield Finding(Topic.CHANGED_CHARACTERS, changed)
    if apart is not None and measure != "churn":
        yield Finding(Topic.DISTANCE, {**apart, "measure": measure})


def extremes(tables: Tables, measure: str, **wanted: Any) -> Row | None:
    """Return the rows of the lowest and of the highest final estimate; None without any."""
    found = tables.last("estimates", measure=measure, **wanted)
    rows = [row for row in found if finite(row["estimate"]) is not None]
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: row["estimate"])
    return {"low": ordered[0], "high": ordered[-1], "count": len(rows)}


def _activation(tables: Tables) -> Iterator[Finding]:
    study = tables.study
    if len(study.studied_activations()) == 1:
        yield Finding(Topic.ONE_ACTIVATION, {"activation": study.studied_activations()[0]})
        return
    if lacking := [m for m in study.models if _lacks_reference(tables, m)]:
        pairs = [(model, study.reference_of(model)) for model in lacking]
        yield Finding(Topic.NO_REFERENCE, {"pairs": pairs})
    declared = tables.drawn("contrasts", family=Family.REFERENCE, exploratory=False)
    yield from _verdicts(tables, [row for row in declared if row["model"] not in lacking])
    yield from _swapped(tables)


def _lacks_reference(tables: Tables, model: str) -> bool:
    """Return whether other activations of a model have run, but not its reference."""
    ran = {
        row["activation"]
        for row in tables.drawn("summary", model=model)
        if Flag.NOT_RUN not in split_codes(row["flags"], Flag)
    }
    return bool(ran) and tables.study.reference_of(model) not in ran


def _verdicts(tables: Tables, declared: Sequence[Row]) -> Iterator[Finding]:
    tested = [row for row in declared if is_tested(row)]
    decided = [row for row in tested if row["verdict"] != ContrastVerdict.UNDECIDED]
    if not declared:
        yield Finding(Topic.NOT_COMPARED)
        return
    if not tested:
        lacking = {Reason.FEW_SEEDS, Reason.FEW_SEEDS_FOR_TEST}
        few = any(lacking & {*reasons_of(row)} for row in declared)
        yield Finding(Topic.FEW_SEEDS if few else Topic.NOT_COMPARED)
        return
    topics = {0: Topic.NONE_DECIDED, len(tested): Topic.ALL_DECIDED}
    reference = {row["second"] for row in tested}
    data = {"decided": len(decided), "tested": len(tested), "reference": sorted(reference)}
    yield Finding(topics.get(len(decided), Topic.SOME_DECIDED), data)
    for verdict in ContrastVerdict:
        if rows := [row for row in tested if row["verdict"] == verdict]:
            yield Finding(Topic.VERDICT, {"verdict": verdict, "rows": rows})
    yield from _margin(tables, tested)
    yield from _other_measures(tables, tested)
    if untested := [row for row in declared if not is_tested(row)]:
        texts = [text for row in untested for text in reason_texts(row)]
        reasons = list(dict.fromkeys(texts)) or ["no test"]
        yield Finding(Topic.UNTESTED, {"rows": untested, "reasons": reasons})
    models = {row["model"] for row in tested}
    apart = sum(row["verdict"] in DIFFERENCES for row in tested)
    if apart and len(models) > 1:
        clear = [row for row, _ in clear_over_models(tables.study, tested)]
        topic = Topic.CLEAR_OVER_MODELS if clear else Topic.NOT_CLEAR_OVER_MODELS
        yield Finding(topic, {"clear": clear, "models": len(models), "differences": apart})
    if any((found := steady(tables, tested)).values()):
        yield Finding(Topic.STEADY, {**found, "steps": late_steps(tables)})
    if any((kinds := at_matched_loss(tables, tested)).values()):
        others = dict(_others_at_matched_loss(tables, tested))
        yield Finding(Topic.AT_MATCHED_LOSS, {**kinds, "others": others})
    yield from _needed(tables, tested)


def is_tested(row: Row) -> bool:
    """Return whether a contrast was tested: what no seed changes has no p, yet can be alike."""
    return row["p_adjusted"] is not None or row["verdict"] != ContrastVerdict.UNDECIDED


def _margin(tables: Tables, tested: Sequence[Row]) -> Iterator[Finding]:
    """Say from which ratio on a difference counts, where that sets any of them apart."""
    apart = [row for row in tested if row["verdict"] in DIFFERENCES]
    small = [row for row in apart if Reason.WITHIN_MARGIN in reasons_of(row)]
    statistics = tables.study.statistics
    margin = statistics.margins[statistics.primary.measure]
    if margin is not None and (small or len(apart) < len(tested)):
        yield Finding(
            Topic.WITHIN_MARGIN,
            {
                "margin": margin,
                "small": len(small),
                "differences": len(apart),
                "complement": statistics.primary.measure in COMPLEMENTS,
            },
        )


def _other_measures(tables: Tables, tested: Sequence[Row]) -> Iterator[Finding]:
    """Say what the same comparisons are in the measures that stand beside the declared one."""
    counts = {
        measure: Counter(row["verdict"] for row in rows)
        for measure, rows in _beside(tables, tested)
    }
    if any(counts.values()):
        yield Finding(Topic.OTHER_MEASURES, {"counts": counts})


def _beside(tables: Tables, tested: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield each measure that stands beside the declared one, with the same comparisons in it."""
    places = {(row["model"], row["first"], row["condition"]) for row in tested}
    for measure in DIVERGENCES:
        if measure != tables.study.statistics.primary.measure:
            rows = tables.drawn("contrasts", family=Family.REFERENCE, measure=measure)
            yield (
                measure,
                [r for r in rows if (r["model"], r["first"], r["condition"]) in places],
            )


def _others_at_matched_loss(
    tables: Tables, tested: Sequence[Row]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Count for each of these measures its differences, and those that stay at matched loss."""
    for measure, rows in _beside(tables, tested):
        counts = {kind: len(found) for kind, found in at_matched_loss(tables, rows).items()}
        if total := sum(counts.values()) - counts["appear"]:
            yield measure, (counts["same"], total)


def reasons_of(row: Row) -> tuple[Reason, ...]:
    """Return the codes of what limits a row."""
    return split_codes(row["reason"], Reason)


def _needed(tables: Tables, tested: Sequence[Row]) -> Iterator[Finding]:
    compared = {row["model"]: row["seeds"] for row in tested}
    rows = [
        {**row, "compared": compared[row["model"]]}
        for row in tables.drawn("sensitivity", exploratory=False)
        if row["model"] in compared and not row["seeds_reason"]
    ]
    if rows:
        yield Finding(Topic.SEEDS_NEEDED, {"rows": rows, "percent": PLANNED_PERCENT})


def _swapped(tables: Tables) -> Iterator[Finding]:
    measure = tables.study.statistics.primary.measure
    found = [
        row
        for row in tables.drawn("cross", measure=measure)
        if row["activation_a"] != row["activation_b"] and finite(row["ratio"]) is not None
    ]
    ordered = sorted(found, key=lambda row: row["ratio"])
    kept, rows = ([row for row in ordered if row["same_seed"] is same] for same in (True, False))
    if not rows:
        return
    larger = sum(1 for row in rows if row["ratio_low"] is not None and row["ratio_low"] > 1)
    data = {"low": rows[0], "high": rows[-1], "larger": larger, "count": len(rows)}
    yield Finding(Topic.SWAPPED, {**data, "measure": measure, "kept": [*kept[:1], *kept[1:][-1:]]})


def flags(tables: Tables) -> Iterator[Finding]:
    """Yield what rows of the summary warn of, each warning with its rows."""
    rows: dict[Topic, list[Row]] = {topic: [] for topic in _FLAGS.values()}
    for row in tables.drawn("summary"):
        for flag in split_codes(row["flags"], Flag):
            if flag in _FLAGS:
                rows[_FLAGS[flag]].append(row)
    for topic, found in rows.items():
        counts = Counter(row["model"] for row in found)
        whole = {m for m, count in counts.items() if count == len(tables.study.activations_of(m))}
        if found:
            yield Finding(topic, {"rows": found, "whole": whole})


def _training(tables: Tables) -> Iterator[Finding]:
    study = tables.study
    ran = {row["model"] for row in tables.drawn("cells")}
    steps = sorted({study.training_of(model).iterations for model in ran})
    if steps and (accuracy := extremes(tables, "val_accuracy")):
        yield Finding(Topic.ACCURACY, {**accuracy, "steps": steps})
    low = [m for m in study.models if m in ran and study.training_of(m).precision == "bfloat16"]
    if low:
        yield Finding(Topic.BFLOAT16, {"models": low})
    if study.tuning is not None:
        chosen = {row["learning_rate"] for row in tables.rows("tuning", chosen=True)}
        yield Finding(Topic.TUNED, {"tuning": study.tuning, "chosen": sorted(chosen)})
    elif len(study.studied_activations()) > 1:
        yield Finding(Topic.ONE_RATE)
