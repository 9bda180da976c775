"""Pairwise prediction differences of one (model, activation, arm): all seeds against all."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.analysis.continuations import continuation_distances, read_texts
from reprocore.errors import ReprocoreError
from reprocore.statistics.agreement import agreement, flips_by_block
from reprocore.statistics.checks import check_comparable
from reprocore.statistics.divergence import pairwise_by_block
from reprocore.statistics.levels import seed_means
from reprocore.store.predictions import Predictions, read_predictions
from reprocore.store.schemas import BLOCKS_SCHEMA, PAIRS_SCHEMA
from reprocore.study.cells import Cell


def compare_cells(
    paths: Iterable[str | Path], continuations: Iterable[str | Path], block: int
) -> dict[str, pa.Table]:
    """Compare the predictions of all pairs of seeds at every snapshot, and their final texts.

    Args:
        paths: the predictions files of at least 2 cells that differ in their seed alone.
        continuations: the continuations files of the same cells.
        block: positions of a block of the probe.

    Returns:
        `pairs`, a table of `PAIRS_SCHEMA`, one row per (step, pair), and `blocks`, one of
        `BLOCKS_SCHEMA`, one row per (step, seed, block); the probe's hash in the metadata.

    Raises:
        ReprocoreError: a file is damaged, or files are of different groups, probes, steps or
            contexts.
    """
    predictions, cells = _read_group(paths)
    seeds = np.array([cell.seed for cell in cells])
    group = {name: getattr(cells[0], name) for name in ("model", "activation", "arm")}
    texts = read_texts(continuations, cells)
    targets, steps = predictions[0].targets, predictions[0].steps
    tables: dict[str, list[pa.Table]] = {"pairs": [], "blocks": []}
    for index, step in enumerate(steps):
        stack = np.stack([content.probabilities[index] for content in predictions])
        pairs, values, parts = pairwise_by_block(stack, targets, block)
        agreed = agreement(stack, targets, pairs)
        parts["flips"] = flips_by_block(stack, targets, pairs, block)
        last = index == len(steps) - 1
        distances = continuation_distances(texts, pairs) if last else [None] * len(pairs)
        columns = {
            **{name: [value] * len(pairs) for name, value in group.items()},
            "seed_a": seeds[pairs[:, 0]],
            "seed_b": seeds[pairs[:, 1]],
            "step": np.full(len(pairs), step),
            **values,
            # What is not a number is missing.
            **{name: pa.array(column, from_pandas=True) for name, column in agreed.items()},
            "continuation_distance": distances,
        }
        tables["pairs"].append(pa.table(columns, schema=PAIRS_SCHEMA))
        tables["blocks"].append(_blocks(pairs, parts, group | {"step": step}, seeds))
    metadata = {"probe_hash": predictions[0].probe_hash}
    return {
        name: pa.concat_tables(of_steps).replace_schema_metadata(metadata)
        for name, of_steps in tables.items()
    }


def _read_group(paths: Iterable[str | Path]) -> tuple[list[Predictions], list[Cell]]:
    """Read the predictions of cells that differ in their seed alone, in the order of the seeds."""
    read = [(str(path), read_predictions(path)) for path in paths]
    if len(read) < 2:
        raise ReprocoreError(f"{len(read)} predictions file, needs at least 2 to compare")
    read.sort(key=lambda pair: Cell.of_key(pair[1].cell).seed)
    names, predictions = [name for name, _ in read], [content for _, content in read]
    cells = [Cell.of_key(content.cell) for content in predictions]
    for (one, cell), (other, following) in itertools.pairwise(zip(names, cells, strict=True)):
        if cell.seed == following.seed or replace(following, seed=cell.seed) != cell:
            raise ReprocoreError(
                f"{other}: holds the predictions of {following.key}, {one} those of {cell.key}; "
                "they must differ in the seed, and in nothing else"
            )
    check_same_probe(names, predictions)
    return predictions, cells


def _blocks(
    pairs: npt.NDArray[np.int64],
    parts: Mapping[str, npt.NDArray[np.float64]],
    labels: Mapping[str, Any],
    seeds: npt.NDArray[np.int64],
) -> pa.Table:
    """Return the rows of one step from the measures [P, B] of its pairs."""
    means = {name: seed_means(pairs, values) for name, values in parts.items()}
    blocks = next(iter(means.values())).shape[1]
    columns = {
        **{name: [value] * (len(seeds) * blocks) for name, value in labels.items()},
        "seed": np.repeat(seeds, blocks),
        "block": np.tile(np.arange(blocks), len(seeds)),
        **{name: values.ravel() for name, values in means.items()},
    }
    return pa.table({name: columns[name] for name in BLOCKS_SCHEMA.names}, schema=BLOCKS_SCHEMA)


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
