"""From the pipeline's tables to what a figure draws: a number with its interval, or why not."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reprocore.report.figures import style
from reprocore.report.words import counted, gap_text
from reprocore.store.readers import final_rows
from reprocore.study.base import Arm
from reprocore.study.study import Study
from reprocore.vocabulary import Gap

NAME_LETTERS = 16

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


def drawn_arm(study: Study, model: str) -> Arm:
    """Return the arm of `model` that figures show."""
    return study.primary_arm(model)


def study_arm(study: Study) -> Arm:
    """Return the arm that figures over all models show: `all`, or the first that is drawn."""
    arms = [drawn_arm(study, model) for model in study.models]
    return "all" if "all" in arms else arms[0]


Entries = Mapping[str, Sequence[Entry]]


def confidence_text(study: Study) -> str:
    """Return the level of the intervals, such as `95%`."""
    return f"{100 * study.statistics.confidence:.6g}%"


def matched_loss(study: Study, model: str, contrasts: pd.DataFrame) -> float | None:
    """Return the loss at which a model's activations are compared, nats; None if they are not."""
    rows = contrasts[(contrasts["model"] == model) & (contrasts["arm"] == drawn_arm(study, model))]
    losses = rows["matched_loss"].dropna()
    return float(losses.iloc[0]) if len(losses) and math.isfinite(losses.iloc[0]) else None


def flat(entries: Entries) -> list[Entry]:
    """Return the entries of all models in one list."""
    return [entry for of_model in entries.values() for entry in of_model]


def none_ran(entries: Iterable[Entry]) -> bool:
    """Return whether nothing of a model has run; false for no entries."""
    gaps = {entry.gap for entry in entries}
    return gaps == {Gap.NOT_RUN}


def model_label(study: Study, model: str) -> str:
    """Return a model's name in lines, with the arm that is drawn where models differ in it."""
    arms = {drawn_arm(study, name) for name in study.models}
    name = style.wrap(model, NAME_LETTERS)
    return name if len(arms) == 1 else f"{name}\n({drawn_arm(study, model)})"


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
    arm = drawn_arm(study, model)
    cells = cells[(cells["model"] == model) & (cells["arm"] == arm)]
    counts = {
        activation: (
            int((cells["activation"] == activation).sum()),
            bool((~cells.loc[cells["activation"] == activation, "beats_unigram"]).any()),
        )
        for activation in study.activations_of(model)
    }
    return _entries(study, model, estimates, counts, measure)


def summary_entries(
    study: Study, model: str, estimates: pd.DataFrame, summary: pd.DataFrame, measure: str
) -> list[Entry]:
    """Return the same as `model_entries`, with the seeds and flags from the study's summary."""
    rows = summary[(summary["model"] == model) & (summary["arm"] == drawn_arm(study, model))]
    counts = {
        str(row["activation"]): (int(row["seeds"]), row["cells_above_unigram"] > 0)
        for row in rows.to_dict("records")
    }
    return _entries(study, model, estimates, counts, measure)


def _entries(
    study: Study,
    model: str,
    estimates: pd.DataFrame,
    counts: Mapping[str, tuple[int, bool]],
    measure: str,
) -> list[Entry]:
    final = final_rows(
        estimates[(estimates["model"] == model) & (estimates["arm"] == drawn_arm(study, model))]
    )
    final = final[final["measure"] == measure]
    rows = {str(row["activation"]): row for row in final.to_dict("records")}
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
