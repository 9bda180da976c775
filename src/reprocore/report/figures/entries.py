"""From the pipeline's tables to what a figure draws: a number with its interval, or why not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reprocore.report.figures import style
from reprocore.store.readers import final_rows
from reprocore.study.base import Arm
from reprocore.study.study import Study

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
        gap: why there is no number, else "".
        behind: whether a seed did not get below the unigram entropy.
    """

    activation: str
    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    seeds: int
    wanted: int
    gap: str = ""
    behind: bool = False

    @property
    def note(self) -> str:
        """What to say beside the number: seeds that are missing, or that it has no interval."""
        whole = self.seeds >= self.wanted
        if self.estimate is None:
            return ""
        if self.low is None:
            count = f"{self.seeds}" if whole else f"{self.seeds} of {self.wanted}"
            return f"no interval ({count} seed{'s' * (count != '1')})"
        return "" if whole else f"{self.seeds} of {self.wanted} seeds"


def drawn_arm(study: Study, model: str) -> Arm:
    """Return the arm of `model` that figures show: `all`, or the first where there is no `all`."""
    arms = study.arms_of(model)
    return "all" if "all" in arms else arms[0]


def study_arm(study: Study) -> Arm:
    """Return the arm that figures over all models show: `all`, or the first that is drawn."""
    arms = [drawn_arm(study, model) for model in study.models]
    return "all" if "all" in arms else arms[0]


Entries = Mapping[str, Sequence[Entry]]


def confidence_text(study: Study) -> str:
    """Return the level of the intervals, such as `95%`."""
    return f"{100 * study.statistics.confidence:.6g}%"


def flat(entries: Entries) -> list[Entry]:
    """Return the entries of all models in one list."""
    return [entry for each in entries.values() for entry in each]


def model_label(study: Study, model: str) -> str:
    """Return a model's name in lines, with the arm that is drawn where models differ in it."""
    arms = {drawn_arm(study, each) for each in study.models}
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
        str(row["activation"]): (int(row["seeds"]), "unigram" in str(row["flags"]))
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
    mine = final_rows(
        estimates[(estimates["model"] == model) & (estimates["arm"] == drawn_arm(study, model))]
    )
    mine = mine[mine["measure"] == measure]
    found = {str(row["activation"]): row for row in mine.to_dict("records")}
    ran = any(seeds for seeds, _ in counts.values())
    return [
        _entry(name, found.get(name), *counts.get(name, (0, False)), len(study.seeds), ran)
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
    def without(gap: str) -> Entry:
        return Entry(activation, None, None, None, None, seeds, wanted, gap, behind)

    if seeds == 0:
        return without("missing" if model_ran else "not run")
    if row is None:
        return without("1 seed: no pair" if seeds == 1 else "missing")
    estimate = float(row["estimate"])
    if not math.isfinite(estimate):
        return without("not a number" if math.isnan(estimate) else "infinite")
    se, low, high = (None if pd.isna(row[k]) else float(row[k]) for k in ("se", "low", "high"))
    return Entry(activation, estimate, se, low, high, seeds, wanted, "", behind)
