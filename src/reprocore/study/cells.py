"""The cells of a study, where their files lie, and which of them can run here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.study.sections import TuningSettings
from reprocore.study.study import Study

CELL_FILES = (
    "history.parquet",
    "predictions.parquet",
    "evaluation.parquet",
    "continuations.parquet",
    "weights.safetensors",
    "cell.json",
)
# What the tables of a model hold, or go without: an archive of a study leaves them out.
UNARCHIVED_FILES = (
    "history.parquet",
    "predictions.parquet",
    "evaluation.parquet",
    "weights.safetensors",
)
# Of a tuning cell, of which only the loss matters.
TUNING_FILES = ("history.parquet", "cell.json")
# Of a cell under way; no result.
CHECKPOINT = "checkpoint.safetensors"
# What cells that are compared have in common.
GROUP = ("model", "activation", "arm")


@dataclass(frozen=True, order=True)
class Cell:
    """One training job: a model with an activation, trained once.

    `arm` says which random streams follow `seed`; see `reprocore.training.randomness`. `rate` is
    the learning rate that a tuning cell tries, None for the cells that are compared.
    """

    model: str
    activation: str
    arm: str
    seed: int
    rate: float | None = None

    @property
    def key(self) -> str:
        """The cell's name, such as `charlm/relu/all-1`; of a tuning cell `charlm/relu/0.003/7`."""
        last = f"{self.arm}-{self.seed}" if self.rate is None else f"{self.rate!r}/{self.seed}"
        return f"{self.model}/{self.activation}/{last}"

    @property
    def place(self) -> str:
        """The path of the cell's folder inside the results."""
        return f"{'cells' if self.rate is None else 'tuning'}/{self.key}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that the cell consists of, `cell.json` last."""
        return CELL_FILES if self.rate is None else TUNING_FILES

    @property
    def rule(self) -> str:
        """The rule that trains it."""
        return "train" if self.rate is None else "tune"

    def folder(self, results: str | Path) -> Path:
        """Return the folder that holds the files of this cell."""
        return Path(results) / self.place

    @classmethod
    def of_key(cls, key: str) -> "Cell":
        """Return the cell of a `key`; ValueError for text that is none."""
        model, activation, *last = key.split("/")
        if len(last) == 2:
            return cls(model, activation, "all", int(last[1]), float(last[0]))
        arm, _, seed = "/".join(last).rpartition("-")
        return cls(model, activation, arm, int(seed))

    @classmethod
    def of_labels(cls, labels: Any) -> "Cell":
        """Return the cell of a rule's wildcards."""
        rate = labels.get("rate")
        arm, seed = labels.get("arm", "all"), int(labels["seed"])
        return cls(labels["model"], labels["activation"], arm, seed, rate and float(rate))


def cell_of_path(path: str) -> Cell | None:
    """Return the cell of a path inside a results folder, None for what is in no cell's folder."""
    first, *parts = path.split("/")
    if first not in ("cells", "tuning"):
        return None
    key = "/".join(parts[: 3 if first == "cells" else 4])
    try:
        cell = Cell.of_key(key)
    except ValueError:
        return None
    return cell if cell.place == f"{first}/{key}" else None


def cells_of(study: Study, model: str, activation: str, arm: str) -> list[Cell]:
    """Return the cells that one comparison takes: one per seed, in the order of the config."""
    return [Cell(model, activation, arm, seed) for seed in study.seeds]


def all_cells(study: Study) -> list[Cell]:
    """Return every cell of the study, in the order of the config."""
    return [
        cell
        for model in study.models
        for activation in study.activations_of(model)
        for arm in study.arms_of(model)
        for cell in cells_of(study, model, activation, arm)
    ]


def trials_of(tuning: TuningSettings, model: str, activation: str) -> list[Cell]:
    """Return the tuning cells of a model with an activation, by rate, then seed."""
    return [
        Cell(model, activation, "all", seed, rate)
        for rate in tuning.learning_rates
        for seed in tuning.seeds
    ]


def tuning_cells(study: Study) -> list[Cell]:
    """Return the tuning cells of the study, in the order of the config; none where it has none."""
    if study.tuning is None:
        return []
    return [
        cell
        for model in study.models
        for activation in study.activations_of(model)
        for cell in trials_of(study.tuning, model, activation)
    ]


def parse_cell(study: Study, key: str) -> Cell:
    """Return the cell of a key such as `charlm/relu/all-1`, or `charlm/relu/1` for arm `all`.

    Raises:
        ReprocoreError: the study has no such cell; says what it has.
    """
    model, _, rest = key.strip("/").partition("/")
    activation, _, last = rest.partition("/")
    arm, _, seed = last.rpartition("-")
    if model not in study.models:
        raise ReprocoreError(f"{key!r}: no model {model!r}; allowed: {', '.join(study.models)}")
    activations = study.activations_of(model)
    if activation not in activations:
        allowed = ", ".join(activations)
        raise ReprocoreError(f"{key!r}: no activation {activation!r}; allowed: {allowed}")
    for cell in (c for a in study.arms_of(model) for c in cells_of(study, model, activation, a)):
        if (cell.arm, str(cell.seed)) == (arm or "all", seed):
            return cell
    ends = ", ".join(f"{a}-{s}" for a in study.arms_of(model) for s in study.seeds)
    raise ReprocoreError(f"{key!r}: no cell {last!r}; allowed: {ends}")
