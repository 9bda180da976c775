"""Predictions of a cell on the probe, as stored: one row per snapshot and position."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import check_probabilities, check_targets
from reprocore.store.cell_schemas import predictions_schema
from reprocore.store.tables import read_table, write_table


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one cell predicted.

    Attributes:
        steps: int64 [S], ascending; the last is the final model.
        positions: int64 [N].
        targets: uint16 [N].
        probabilities: float32 [S, N, V].
        probe_hash: of the probe that was predicted.
        cell: key of the cell that predicted.
    """

    steps: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.uint16]
    probabilities: npt.NDArray[np.float32]
    probe_hash: str
    cell: str


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as Parquet, atomically; the probe's hash is in the metadata."""
    steps, count, vocabulary = predictions.probabilities.shape
    flat = pa.array(np.ascontiguousarray(predictions.probabilities).ravel())
    schema = predictions_schema(vocabulary).with_metadata(
        {"probe_hash": predictions.probe_hash, "cell": predictions.cell}
    )
    columns = [
        pa.array(np.repeat(predictions.steps, count)),
        pa.array(np.tile(predictions.positions, steps)),
        pa.array(np.tile(predictions.targets, steps)),
        pa.FixedSizeListArray.from_arrays(flat, vocabulary),
    ]
    write_table(path, pa.table(columns, schema=schema))


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign, or a row is no distribution.
    """
    table = read_table(path, predictions_schema(0))
    metadata = table.schema.metadata or {}
    vocabulary = table.schema.field("probabilities").type.list_size
    column = table["probabilities"].combine_chunks()
    flat = column.values.to_numpy(zero_copy_only=False)
    steps, counts = np.unique(table["step"].to_numpy(), return_counts=True)
    rows = table.num_rows
    if (
        not {b"probe_hash", b"cell"} <= set(metadata)
        or rows == 0
        or any(table[name].null_count for name in table.schema.names)
        or flat.size != rows * vocabulary
    ):
        raise ReprocoreError(f"{path}: not a predictions file of this program")
    count = int(counts[0])
    positions, targets = table["position"].to_numpy(), table["target"].to_numpy()
    whole = (
        np.all(counts == count)
        and np.array_equal(table["step"].to_numpy(), np.repeat(steps, count))
        and np.array_equal(positions, np.tile(positions[:count], len(steps)))
        and np.array_equal(targets, np.tile(targets[:count], len(steps)))
    )
    if not whole:
        raise ReprocoreError(f"{path}: its snapshots do not hold the same positions each")
    check_targets(targets[:count], count, vocabulary, str(path))
    check_probabilities(flat.reshape(rows, vocabulary), str(path))
    return Predictions(
        steps=steps,
        positions=positions[:count],
        targets=targets[:count],
        probabilities=flat.reshape(len(steps), count, vocabulary),
        probe_hash=metadata[b"probe_hash"].decode(),
        cell=metadata[b"cell"].decode(),
    )
