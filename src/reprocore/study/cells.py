"""The cells of a study, where their files lie, and which of them can run here."""

from dataclasses import dataclass
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.study.study import Study

CELL_FILES = (
    "history.parquet",
    "predictions.parquet",
    "evaluation.parquet",
    "continuations.parquet",
    "weights.safetensors",
    "cell.json",
)
# Of a cell under way; no result.
CHECKPOINT = "checkpoint.safetensors"
# What cells that are compared have in common.
GROUP = ("model", "activation", "arm")


@dataclass(frozen=True, order=True)
class Cell:
    """One training job: a model with an activation, trained once.

    `arm` says which random streams follow `seed`; see `reprocore.training.randomness`.
    """

    model: str
    activation: str
    arm: str
    seed: int

    @property
    def key(self) -> str:
        """The cell's path under `cells/`, such as `charlm/relu/all-1`."""
        return f"{self.model}/{self.activation}/{self.arm}-{self.seed}"

    def folder(self, results: str | Path) -> Path:
        """Return the folder that holds the files of this cell."""
        return Path(results) / "cells" / self.key

    @classmethod
    def of_key(cls, key: str) -> "Cell":
        """Return the cell of a `key`; ValueError for text that is none."""
        model, activation, last = key.split("/")
        arm, _, seed = last.rpartition("-")
        return cls(model, activation, arm, int(seed))


def cell_of_path(path: str) -> Cell | None:
    """Return the cell of a path inside a results folder, None for what is in no cell's folder."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "cells":
        return None
    try:
        cell = Cell.of_key("/".join(parts[1:4]))
    except ValueError:
        return None
    return cell if cell.key == "/".join(parts[1:4]) else None


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
