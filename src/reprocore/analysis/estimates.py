"""Estimates of one model: each measure of each activation, for new seeds and new text."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from reprocore.analysis.rows import result_row
from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import pair_matrix
from reprocore.statistics.levels import (
    Level,
    level_of_pairs,
    level_of_seeds,
    level_on_this_text,
)
from reprocore.store.readers import read_blocks, read_evaluation, read_history, read_pairs
from reprocore.store.records import read_cell
from reprocore.store.schemas import CELLS_SCHEMA, CURVES_SCHEMA, ESTIMATES_SCHEMA
from reprocore.study.cells import GROUP
from reprocore.vocabulary import (
    PAIR_MEASURES,
    POSITION_MEASURES,
    SCORES,
    TEXT_MEASURES,
    bounds_of,
    generalisation,
)


def estimate_model(
    pairs: Iterable[str | Path],
    blocks: Iterable[str | Path],
    histories: Iterable[str | Path],
    evaluations: Iterable[str | Path],
    descriptions: Iterable[str | Path],
    confidence: float,
) -> dict[str, pa.Table]:
    """Make the tables of one model: `estimates`, `curves` and `cells`.

    Args:
        pairs: the pairs files, one per activation and arm.
        blocks: the blocks files, one for each pairs file.
        histories: the `history.parquet` of all cells.
        evaluations: the `evaluation.parquet` of all cells.
        descriptions: the `cell.json` of all cells.
        confidence: level of the intervals.

    Raises:
        ReprocoreError: a file is missing, damaged, foreign, or does not fit the others.
    """
    scores = gather_scores(evaluations)
    return {
        "estimates": estimate_groups(pairs, blocks, scores, confidence),
        "curves": gather_curves(histories),
        "cells": gather_cells(descriptions),
    }


def gather_curves(histories: Iterable[str | Path]) -> pa.Table:
    """Put the histories of a model's cells into one table of `CURVES_SCHEMA`.

    Raises:
        ReprocoreError: a history is missing, damaged or foreign.
    """
    tables = [CURVES_SCHEMA.empty_table()]
    for path in histories:
        cell, history = read_history(path)
        labels = {name: [value] * len(history) for name, value in asdict(cell).items()}
        columns = labels | {name: history[name] for name in history.column_names}
        tables.append(pa.table(columns, schema=CURVES_SCHEMA))
    return pa.concat_tables(tables)


def gather_scores(evaluations: Iterable[str | Path]) -> pd.DataFrame:
    """Put the scores by block of a model's cells into one frame, with the names of `SCORES`.

    Raises:
        ReprocoreError: an evaluation is missing, damaged or foreign.
    """
    read = map(read_evaluation, evaluations)
    frames = [table.to_pandas().assign(**asdict(cell)) for cell, table in read]
    if not frames:
        return pd.DataFrame(columns=[*GROUP, "seed", "step", "block", *SCORES])
    named = {"loss": "val_loss", "accuracy": "val_accuracy"}
    scores: pd.DataFrame = pd.concat(frames)
    return scores.rename(columns=named)


def gather_cells(descriptions: Iterable[str | Path]) -> pa.Table:
    """Put what the `cell.json` of a model's cells say into one table of `CELLS_SCHEMA`.

    Raises:
        ReprocoreError: a file is missing, damaged, foreign, or of another cell.
    """
    rows = [_cell_row(Path(path)) for path in descriptions]
    return pa.Table.from_pylist(rows, schema=CELLS_SCHEMA)


def _cell_row(path: Path) -> dict[str, Any]:
    content = read_cell(path)
    try:
        # A stopped cell may have gone on on another machine.
        parts = [part["hardware"] for part in (*content["earlier"], content)]
        where = ", ".join(dict.fromkeys(part.get("gpu") or part["processor"] for part in parts))
        taken = {name: content[name] for name in CELLS_SCHEMA.names if name in content}
        return {
            **content["cell"],
            **taken,
            "source": content["identity"]["source"],
            "environment": f"torch {content['versions']['torch']}, {where}",
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ReprocoreError(f"{path}: not a cell.json of this program: {error!r}") from None


def estimate_groups(
    pairs: Iterable[str | Path],
    blocks: Iterable[str | Path],
    scores: pd.DataFrame,
    confidence: float,
) -> pa.Table:
    """Estimate every measure, loss and accuracy at every snapshot; of text, at the last.

    What is a mean over positions has an interval for new seeds and new text, any other measure one
    for new seeds. Where there is no interval, `reason` says why.

    Args:
        pairs: the pairs files, one per activation and arm.
        blocks: the blocks files, in the same order.
        scores: of `gather_scores`, for the same cells.
        confidence: level of the intervals.

    Returns:
        A table of `ESTIMATES_SCHEMA`, one row per (activation, arm, step, measure).

    Raises:
        ReprocoreError: a file is damaged, lacks a pair, or does not fit the others.
    """
    scored = _by_step(scores)
    rows: list[dict[str, Any]] = []
    for path, beside in zip(map(Path, pairs), map(Path, blocks), strict=True):
        parts = _by_step(read_blocks(beside).to_pandas())
        for key, group in _by_step(read_pairs(path).to_pandas()).items():
            labels = dict(zip((*GROUP, "step"), key, strict=True))
            ends = group[["seed_a", "seed_b"]].to_numpy()
            seeds = np.unique(ends)
            for frame, name in ((parts.get(key), beside), (scored.get(key), "the evaluations")):
                _check_grid(frame, seeds, f"{path}: has seeds {seeds.tolist()}, {name}")
            levels = {
                **_levels(parts[key], POSITION_MEASURES, level_of_pairs, confidence),
                **_on_this_text(group, ends, confidence),
                **_levels(scored[key], SCORES, level_of_seeds, confidence),
            }
            counts = {name: 0 if name in SCORES else len(group) for name in levels}
            rows += [labels | _row(name, level, counts[name]) for name, level in levels.items()]
    return pa.Table.from_pylist(rows, schema=ESTIMATES_SCHEMA)


def _by_step(frame: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    return dict(iter(frame.groupby([*GROUP, "step"], sort=True)))


def _check_grid(frame: pd.DataFrame | None, seeds: npt.NDArray[np.int64], context: str) -> None:
    """Raise unless a step's rows are of these seeds, and of the same blocks of each."""
    found = [] if frame is None else np.unique(frame["seed"]).tolist()
    if frame is None or found != seeds.tolist():
        raise ReprocoreError(f"{context} {found}")
    blocks = np.sort(frame["block"].to_numpy())
    if not np.array_equal(blocks, np.repeat(np.arange(len(frame) // len(seeds)), len(seeds))):
        raise ReprocoreError(f"{context} not the same blocks of each")


def _levels(
    frame: pd.DataFrame,
    names: Iterable[str],
    level_of: Callable[..., Level],
    confidence: float,
) -> dict[str, Level]:
    """Estimate what a frame has by seed and block."""
    ordered, seeds = frame.sort_values(["seed", "block"]), frame["seed"].nunique()
    return {
        name: level_of(ordered[name].to_numpy().reshape(seeds, -1), bounds_of(name), confidence)
        for name in names
    }


def _on_this_text(
    group: pd.DataFrame, ends: npt.NDArray[np.int64], confidence: float
) -> dict[str, Level]:
    """Estimate the measures that are no means over positions, as far as the step has them."""
    others = [name for name in PAIR_MEASURES if name not in POSITION_MEASURES]
    return {
        name: level_on_this_text(
            pair_matrix(ends, group[name].to_numpy())[1], bounds_of(name), confidence
        )
        for name in others
        if name not in TEXT_MEASURES or group[name].notna().all()
    }


def _row(name: str, level: Level, pairs: int) -> dict[str, Any]:
    own = {"measure": name, "pairs": pairs, "generalisation": generalisation(name)}
    return own | result_row(level)
