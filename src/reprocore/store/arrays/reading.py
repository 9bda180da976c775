"""Any file of outputs or of labels, by the end of its name."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.kinds import Layout, OutputKind
from reprocore.store.arrays.harness import read_samples
from reprocore.store.arrays.numpy_files import read_npy, read_npz
from reprocore.store.arrays.parquet_files import (
    is_of_a_cell,
    read_cell_predictions,
    read_columns,
)
from reprocore.store.arrays.sources import Source, Stored, chosen, sources_of, with_targets
from reprocore.store.arrays.tensor_files import read_pt, read_safetensors
from reprocore.store.arrays.whole_numbers import whole_number

_ARRAYS: Mapping[str, Callable[[Path], dict[str, Stored]]] = {
    ".parquet": read_columns,
    ".npy": lambda path: {"": read_npy(path)},
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    ".pt": read_pt,
    ".pth": read_pt,
}
SAMPLES = ".jsonl"
TEXTS = (".txt", ".csv")
SUFFIXES = (*_ARRAYS, SAMPLES)
OF_LABELS = (*_ARRAYS, *TEXTS)


def read_sources(
    path: str | Path, kind: OutputKind, layout: Layout | None = None, step: int | None = None
) -> list[Source]:
    """Return the models whose outputs a file holds, one unless `layout` says that it has more.

    Args:
        path: `.npy`, `.npz`, `.safetensors`, `.pt`, `.parquet` or `.jsonl`.
        kind: of the outputs; Parquet files of cells and samples of lm-evaluation-harness have a
            kind of their own.
        layout: of arrays with one axis more.
        step: which snapshot, of Parquet files of cells; None is the last.

    Raises:
        ReprocoreError: the file is missing, of another form, or damaged.
    """
    path = existing(path, SUFFIXES)
    if path.suffix == ".parquet" and is_of_a_cell(path):
        return [read_cell_predictions(path, step)]
    if step is not None:
        raise ReprocoreError(f"{path}: has no snapshots, so a step cannot be chosen")
    if path.suffix == SAMPLES:
        return [read_samples(path)]
    stored, targets = chosen(_ARRAYS[path.suffix](path), kind, str(path))
    return with_targets(sources_of(stored, str(path), kind, layout), targets)


def read_labels(path: str | Path, what: str) -> npt.NDArray[Any]:
    """Return one label per position, [N]: of an array file, or of a text file with one per line.

    Args:
        path: as of `read_sources`, or `.txt` or `.csv` without a heading.
        what: the name of such an array, if there are several in the file.

    Raises:
        ReprocoreError: the file is missing, of another form, or not one-dimensional.
    """
    path = existing(path, OF_LABELS)
    if path.suffix in TEXTS:
        return _lines(path)
    arrays = _ARRAYS[path.suffix](path)
    if what not in arrays and len(arrays) != 1:
        raise ReprocoreError(f"{path}: needs an array named {what!r}, or one alone")
    labels = (arrays[what] if what in arrays else next(iter(arrays.values()))).whole()
    if labels.ndim != 1 or not labels.size:
        raise ReprocoreError(f"{path}: shape {list(labels.shape)}, must be one label per position")
    return labels


def existing(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Return the path of a file with one of these ends.

    Raises:
        ReprocoreError: another end, or no such file.
    """
    path = Path(path)
    if path.suffix not in suffixes:
        raise ReprocoreError(f"{path}: allowed are files that end in {', '.join(suffixes)}")
    if not path.is_file():
        raise ReprocoreError(f"{path}: no such file")
    try:
        with open(path, "rb"):
            return path
    except OSError as error:
        raise ReprocoreError(f"{path}: cannot be read: {error.strerror}") from None


def _lines(path: Path) -> npt.NDArray[Any]:
    try:
        lines = io.StringIO(path.read_text("utf-8"))
        words = [row[0].strip() for row in csv.reader(lines) if row]
    except (UnicodeDecodeError, csv.Error):
        raise ReprocoreError(f"{path}: not a text file with one label per line") from None
    if not words:
        raise ReprocoreError(f"{path}: no labels")
    numbers = [number for word in words if (number := whole_number(word)) is not None]
    return np.array(numbers if len(numbers) == len(words) else words)
