"""Pairwise prediction differences of one (model, activation, arm): all seeds against all."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import check_comparable
from reprocore.statistics.divergence import pairwise
from reprocore.store.predictions import Predictions, read_predictions
from reprocore.store.schemas import PAIRS_SCHEMA


def compare_cells(paths: Mapping[int, Path]) -> pa.Table:
    """Compare the predictions of all pairs of seeds at every snapshot.

    Args:
        paths: the predictions file of each seed; at least 2.

    Returns:
        A table of `PAIRS_SCHEMA`, one row per (step, pair); the probe's hash in the metadata.

    Raises:
        ReprocoreError: a file is damaged or of another cell, or files are of different probes or
            steps.
    """
    if len(paths) < 2:
        raise ReprocoreError(f"{len(paths)} predictions file, needs at least 2 to compare")
    seeds = sorted(paths)
    cells = [read_predictions(paths[seed]) for seed in seeds]
    names = [str(paths[seed]) for seed in seeds]
    for name, seed, found in zip(names, seeds, cells, strict=True):
        group, _, number = found.cell.rpartition("-")
        if (group, number) != (cells[0].cell.rpartition("-")[0], str(seed)):
            raise ReprocoreError(
                f"{name}: holds the predictions of {found.cell}, not of seed {seed}"
            )
    check_same_probe(names, cells)
    numbers = np.array(seeds)
    tables = []
    for index, step in enumerate(cells[0].steps):
        stack = np.stack([cell.probabilities[index] for cell in cells])
        pairs, values = pairwise(stack, cells[0].targets)
        columns = {
            "seed_a": numbers[pairs[:, 0]],
            "seed_b": numbers[pairs[:, 1]],
            "step": np.full(len(pairs), step),
            **values,
        }
        tables.append(pa.table(columns, schema=PAIRS_SCHEMA))
    metadata = {"probe_hash": cells[0].probe_hash}
    return pa.concat_tables(tables).replace_schema_metadata(metadata)


def check_same_probe(names: list[str], cells: list[Predictions]) -> None:
    """Raise unless all predictions are of one probe, vocabulary and set of steps.

    Raises:
        ReprocoreError: names the first file that differs, and how.
    """
    check_comparable(
        names,
        [cell.probabilities.shape[1:] for cell in cells],
        [cell.targets for cell in cells],
        [cell.probe_hash for cell in cells],
    )
    for name, cell in zip(names, cells, strict=True):
        if not np.array_equal(cell.steps, cells[0].steps):
            raise ReprocoreError(
                f"{name}: snapshots {cell.steps.tolist()}, but {names[0]} has "
                f"{cells[0].steps.tolist()}; all must be trained alike"
            )
