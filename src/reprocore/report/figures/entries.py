"""From the pipeline's tables to what a figure draws: a number with its interval, or why not."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reprocore.report.figures import style
from reprocore.report.words import gap_text, readable
from reprocore.store.readers import final_rows
from reprocore.study.base import Arm
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, counted

TableRow = Mapping[Any, Any]

NAME_LETTERS = 16
BEHIND = "†"

ARM_WORDS: Mapping[str, str] = {
    "all": "initial weights, order of the data and dropout all follow the seed",
    "init": "only the initial weights follow the seed",
    "order": "only the order of the data follows the seed",
    "dropout": "only dropout follows the seed",
    "none": "nothing follows the seed (control: all differences must be 0)",
}


@dataclass(frozen=True)
class Entry:
    """One number of a figure.

    Attributes:
        activation: of which.
        estimate: the number; None where there is none, never a stand-in.
        se: standard error, None where there is no interval.
        low: lower end of the interval, or None.
        high: upper end of the interval, or None.
        seeds: seeds that ran.
        wanted: seeds in the config.
        gap: why there is no number, None if there is one.
        behind: whether a seed did not get below the unigram entropy.
    """

    activation: str
    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    seeds: int
    wanted: int
    gap: Gap | None = None
    behind: bool = False

    @property
    def span(self) -> tuple[float, float | None, float | None] | None:
        """The number with its interval; None where there is none."""
        return None if self.estimate is None else (self.estimate, self.low, self.high)

    @property
    def note_parts(self) -> tuple[str, ...]:
        """What to say beside the number: that it has no interval, and seeds that are missing."""
        if self.estimate is None:
            return ()
        whole = self.seeds >= self.wanted
        count = counted(self.seeds, "seed") if whole else f"{self.seeds} of {self.wanted} seeds"
        if self.low is None:
            return ("no interval", count)
        return () if whole else (count,)

    @property
    def note(self) -> str:
        """The same in one line."""
        first, *rest = self.note_parts or ("",)
        return f"{first} ({rest[0]})" if rest else first

    @property
    def why(self) -> str:
        """Why there is no number, in words; "" if there is one."""
        return gap_text(self.gap, self.seeds)


def is_no_dropout(study: Study, row: TableRow) -> bool:
    """Return whether a share of `SOURCES_SCHEMA` is 0 because its model has no dropout at all.

    Any other share is drawn: the stream of dropout also feeds what a custom activation draws.
    """
    zero = row["arm"] == "dropout" and row["share"] == 0
    return bool(zero) and study.lacks_dropout(row["model"])


def rows_of(table: pd.DataFrame, **wanted: object) -> list[TableRow]:
    """Return the rows of a table in which these columns have these values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return list(table.to_dict("records"))


def legend_text(entry: Entry) -> str:
    """Return an activation's name for a legend, with what is missing of it."""
    name = style.wrap(readable(entry.activation), 24) + f" {BEHIND}" * entry.behind
    notes = entry.why or entry.note
    return f"{name}: {notes}" if notes else name


def behind_of(entries: Iterable[Entry]) -> str:
    """Say which activations of a model have learned nothing; "" for none."""
    return behind_text([readable(e.activation) for e in entries if e.behind])


def look_of(study: Study, activation: str) -> style.Look:
    """Return how an activation is drawn in every figure of a study."""
    return style.looks(study.studied_activations(), study.figures.colours)[activation]


def study_arm(study: Study) -> Arm:
    """Return the arm that figures over all models show: `all`, or the first that is drawn."""
    arms = [study.primary_arm(model) for model in study.models]
    return "all" if "all" in arms else arms[0]


Entries = Mapping[str, Sequence[Entry]]


def confidence_text(study: Study) -> str:
    """Return the level of the intervals, such as `95%`."""
    return f"{100 * study.statistics.confidence:.6g}%"


def between(study: Study, models: Iterable[str]) -> str:
    """Say which random streams follow the seed in the trainings that a figure compares."""
    arms = {study.primary_arm(model) for model in models}
    if len(arms) == 1:
        return f"Between trainings, {ARM_WORDS[arms.pop()]}."
    return "Which random streams follow the seed differs by model and is named in brackets."


def basis(study: Study, models: Iterable[str], holds: str, marks: str = "Bars") -> str:
    """Say what the marks of a figure are, for what they hold, and what its trainings differ in."""
    return f"{marks}: {confidence_text(study)} intervals, {holds}. {between(study, models)}"


def behind_text(names: Sequence[str]) -> str:
    """Say which of the drawn have learned nothing; "" for none."""
    if not names:
        return ""
    return (
        f"{BEHIND} {', '.join(names)}: a seed predicts no better than letter frequencies do, and "
        "predictions that learned nothing agree easily."
    )


def missing_text(study: Study, entries: Entries) -> str:
    """Name what has no number, a whole model by its name alone; "" if nothing is missing."""
    names = []
    for model, of_model in entries.items():
        gone = [entry for entry in of_model if entry.gap]
        if len(gone) == len(study.activations_of(model)):
            names.append(f"{model} ({', '.join(sorted({entry.why for entry in gone}))})")
        else:
            names += [f"{model} {readable(e.activation)} ({e.why})" for e in gone]
    return f"Not drawn, because there is no such number: {', '.join(names)}." if names else ""


def matched_loss(study: Study, model: str, contrasts: pd.DataFrame) -> float | None:
    """Return the loss at which a model's activations are compared, nats; None if they are not."""
    rows = rows_of(contrasts, model=model, arm=study.primary_arm(model))
    return next((loss for row in rows if math.isfinite(loss := row["matched_loss"])), None)


def flat(entries: Entries) -> list[Entry]:
    """Return the entries of all models in one list."""
    return [entry for of_model in entries.values() for entry in of_model]


def none_ran(entries: Iterable[Entry]) -> bool:
    """Return whether nothing of a model has run; false for no entries."""
    gaps = {entry.gap for entry in entries}
    return gaps == {Gap.NOT_RUN}


def model_label(study: Study, model: str) -> str:
    """Return a model's name in lines, with the arm that is drawn where models differ in it."""
    arms = {study.primary_arm(name) for name in study.models}
    name = style.wrap(model, NAME_LETTERS)
    return name if len(arms) == 1 else f"{name}\n({study.primary_arm(model)})"


def model_entries(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame, measure: str
) -> list[Entry]:
    """Return the final estimates of one measure for all activations of `model`.

    Args:
        study: what was to run.
        model: one of its models.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`.
        measure: a measure, or `val_loss` or `val_accuracy`.
    """
    arm, counts = study.primary_arm(model), {}
    for activation in study.activations_of(model):
        own = rows_of(cells, model=model, arm=arm, activation=activation)
        counts[activation] = (len(own), not all(row["beats_unigram"] for row in own))
    return _entries(study, model, estimates, counts, measure)


def summary_entries(
    study: Study, model: str, estimates: pd.DataFrame, summary: pd.DataFrame, measure: str
) -> list[Entry]:
    """Return the same as `model_entries`, with the seeds and flags from the study's summary."""
    counts = {
        str(row["activation"]): (int(row["seeds"]), row["cells_above_unigram"] > 0)
        for row in rows_of(summary, model=model, arm=study.primary_arm(model))
    }
    return _entries(study, model, estimates, counts, measure)


def _entries(
    study: Study,
    model: str,
    estimates: pd.DataFrame,
    counts: Mapping[str, tuple[int, bool]],
    measure: str,
) -> list[Entry]:
    of_model = estimates[estimates["model"] == model]
    final = final_rows(of_model[of_model["arm"] == study.primary_arm(model)])
    rows = {str(row["activation"]): row for row in rows_of(final, measure=measure)}
    ran = any(seeds for seeds, _ in counts.values())
    return [
        _entry(name, rows.get(name), *counts.get(name, (0, False)), len(study.seeds), ran)
        for name in study.activations_of(model)
    ]


def _entry(
    activation: str,
    row: Mapping[Any, Any] | None,
    seeds: int,
    behind: bool,
    wanted: int,
    model_ran: bool,
) -> Entry:
    def without(gap: Gap) -> Entry:
        return Entry(activation, None, None, None, None, seeds, wanted, gap, behind)

    if seeds == 0:
        return without(Gap.MISSING if model_ran else Gap.NOT_RUN)
    if row is None:
        return without(Gap.NO_PAIR if seeds == 1 else Gap.MISSING)
    estimate = float(row["estimate"])
    if not math.isfinite(estimate):
        return without(Gap.NOT_A_NUMBER if math.isnan(estimate) else Gap.INFINITE)
    se, low, high = (None if pd.isna(row[k]) else float(row[k]) for k in ("se", "low", "high"))
    return Entry(activation, estimate, se, low, high, seeds, wanted, None, behind)
