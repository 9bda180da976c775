"""Outputs in Parquet files: those that cells of a study store, and columns of anyone's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.store.arrays.sources import TARGETS, Portion, Source, Stored, in_memory
from reprocore.store.predictions import read_predictions

_OWN = {"step", "position", "target", "probabilities"}


def read_cell_predictions(path: Path, step: int | None) -> Source:
    """Return one snapshot of what a cell predicted; the last one where no step is given.

    Raises:
        ReprocoreError: the file is damaged, or has no such step.
    """
    stored = read_predictions(path)
    steps = stored.steps.tolist()
    if step is not None and step not in steps:
        raise ReprocoreError(f"{path}: no step {step}; allowed: {', '.join(map(str, steps))}")
    index = -1 if step is None else steps.index(step)
    # A copy, so that the other snapshots need not be kept.
    probabilities = in_memory(stored.probabilities[index].copy(), str(path))
    return Source(
        str(path),
        probabilities,
        0,
        probabilities.shape,
        OutputKind.PROBABILITIES,
        stored.targets.astype(np.int64),
        probe_hash=stored.probe_hash,
    )


def is_of_a_cell(path: Path) -> bool:
    """Return whether a Parquet file has the columns of a cell's predictions.

    Raises:
        ReprocoreError: not a Parquet file.
    """
    return set(_schema(path).names) >= _OWN


def read_columns(path: Path) -> dict[str, Stored]:
    """Return the columns of numbers, or of lists of one length, as arrays [N] or [N, V].

    Raises:
        ReprocoreError: not a Parquet file.
    """
    arrays = {}
    with pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
    for field in _schema(path):
        kind = field.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            arrays[field.name] = _column(path, field.name, (rows,), kind)
        elif pa.types.is_fixed_size_list(kind):
            shape = (rows, kind.list_size)
            arrays[field.name] = _column(path, field.name, shape, kind.value_type)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            shape = (rows, _length(path, field.name))
            arrays[field.name] = _column(path, field.name, shape, kind.value_type)
    singular = arrays.pop("target", None)
    return arrays | ({TARGETS: singular} if singular else {})


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or "damaged").splitlines()[0]
        raise ReprocoreError(f"{path}: not a whole Parquet file: {reason}") from None


def _batches(path: Path, column: str, rows: int) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(batch_size=rows, columns=[column]):
                yield batch.column(0)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or "damaged").splitlines()[0]
        raise ReprocoreError(f"{path}: not a whole Parquet file: {reason}") from None


def _length(path: Path, column: str) -> int:
    """Return the length of the first list of a column."""
    first = next(_batches(path, column, 1), None)
    return 0 if first is None or first[0].as_py() is None else len(first[0])


def _column(path: Path, column: str, shape: tuple[int, ...], kind: pa.DataType) -> Stored:
    width = int(np.prod(shape[1:]))

    def elements(first: int, last: int, size: int) -> Iterator[Portion]:
        kept, start = np.empty(0, kind.to_pandas_dtype()), 0
        for batch in _batches(path, column, max(1, size // width)):
            flat = _flat(batch, width, f"{path}: column {column!r}")
            part = flat[max(first - start, 0) : max(last - start, 0)]
            start += len(flat)
            kept = np.concatenate([kept, part])
            while len(kept) >= size:
                yield kept[:size]
                kept = kept[size:]
        if len(kept):
            yield kept

    return Stored(shape, str(kind).replace("halffloat", "float16"), elements)


def _flat(column: Any, width: int, name: str) -> Portion:
    nested = pa.types.is_nested(column.type)
    if nested and not (pc.list_value_length(column).to_numpy(zero_copy_only=False) == width).all():
        raise ReprocoreError(f"{name}: a list is missing or not of length {width}, as the first is")
    values = column.flatten() if nested else column
    if values.null_count:
        raise ReprocoreError(f"{name}: a value is missing")
    return np.asarray(values.to_numpy(zero_copy_only=False))
