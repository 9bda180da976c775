"""What all cells of a model predict at the last step, together."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import check_comparable
from reprocore.store.predictions import Predictions, read_predictions
from reprocore.study.cells import Cell


@dataclass(frozen=True, eq=False)
class FinalPredictions:
    """Predictions of the final models of C cells of one model and arm.

    Attributes:
        cells: as they were given.
        step: the last one.
        targets: uint16 [N].
        probabilities: float32 [C, N, V], in a temporary file that goes with the array, so that the
            memory needed does not grow with the cells.
        probe_hash: of the probe that was predicted.
    """

    cells: Sequence[Cell]
    step: int
    targets: npt.NDArray[np.uint16]
    probabilities: npt.NDArray[np.float32]
    probe_hash: str

    def rows_of(self) -> Mapping[str, Mapping[int, int]]:
        """Return the row of each seed of each activation, seeds ascending."""
        rows: dict[str, dict[int, int]] = {}
        for row in sorted(range(len(self.cells)), key=lambda row: self.cells[row].seed):
            rows.setdefault(self.cells[row].activation, {})[self.cells[row].seed] = row
        return rows


def read_final_predictions(paths: Sequence[str | Path]) -> FinalPredictions | None:
    """Read the last snapshot of each file, one file after the other; None without a file.

    Raises:
        ReprocoreError: a file is damaged, of a cell that another has, or of another model, arm,
            probe or last step than the first.
    """
    if not paths:
        return None
    first = read_predictions(paths[0])
    shape = (len(paths), *first.probabilities.shape[1:])
    with tempfile.TemporaryFile() as file:
        stack = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
    cells: list[Cell] = []
    for row, path in enumerate(paths):
        found = read_predictions(path) if row else first
        _check_like((str(paths[0]), first), (str(path), found))
        cell = Cell.of_key(found.cell)
        if cell in cells:
            raise ReprocoreError(f"{path}: holds the predictions of {cell.key}, as another does")
        cells.append(cell)
        stack[row] = found.probabilities[-1]
    return FinalPredictions(cells, int(first.steps[-1]), first.targets, stack, first.probe_hash)


def _check_like(one: tuple[str, Predictions], other: tuple[str, Predictions]) -> None:
    """Raise unless two files can be of one table."""
    (name, first), (path, found) = one, other
    check_comparable(
        [name, path],
        [first.probabilities.shape[1:], found.probabilities.shape[1:]],
        [first.targets, found.targets],
        [first.probe_hash, found.probe_hash],
    )
    group, wanted = ((c.model, c.arm) for c in (Cell.of_key(found.cell), Cell.of_key(first.cell)))
    if group != wanted:
        raise ReprocoreError(f"{path}: is of {'/'.join(group)}, but {name} of {'/'.join(wanted)}")
    if found.steps[-1] != first.steps[-1]:
        raise ReprocoreError(
            f"{path}: ends at step {found.steps[-1]}, but {name} at {first.steps[-1]}"
        )
