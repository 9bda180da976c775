"""Estimates of one model: each measure of each activation, with an interval over seeds."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from reprocore.analysis.rows import result_row
from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import Estimate, jackknife, mean_interval, pair_matrix
from reprocore.store.readers import read_history, read_pairs
from reprocore.store.records import read_cell
from reprocore.store.schemas import CELLS_SCHEMA, CURVES_SCHEMA, ESTIMATES_SCHEMA
from reprocore.study.cells import GROUP
from reprocore.vocabulary import AGREEMENT_MEASURES, MEASURES, SCORES, TEXT_MEASURES


def estimate_model(
    pairs: Iterable[str | Path],
    histories: Iterable[str | Path],
    descriptions: Iterable[str | Path],
    confidence: float,
) -> dict[str, pa.Table]:
    """Make the tables of one model: `estimates`, `curves` and `cells`.

    Args:
        pairs: the pairs files, one per activation and arm.
        histories: the `history.parquet` of all cells.
        descriptions: the `cell.json` of all cells.
        confidence: level of the intervals.

    Raises:
        ReprocoreError: a file is missing, damaged, foreign, or does not fit the others.
    """
    curves = gather_curves(histories)
    return {
        "estimates": estimate_groups(pairs, curves, confidence),
        "curves": curves,
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


def estimate_groups(pairs: Iterable[str | Path], curves: pa.Table, confidence: float) -> pa.Table:
    """Estimate every measure, loss and accuracy at every snapshot; of text, at the last.

    Differences are means over pairs with the jackknife over seeds; loss and accuracy are means
    over seeds with a t interval. Where there is no interval, `reason` says why.

    Args:
        pairs: the pairs files, one per activation and arm.
        curves: of `CURVES_SCHEMA`, for the same cells.
        confidence: level of the intervals.

    Returns:
        A table of `ESTIMATES_SCHEMA`, one row per (activation, arm, step, measure).

    Raises:
        ReprocoreError: a pairs file is damaged or lacks a pair, or a history lacks a step.
    """
    table = curves.to_pandas()
    rows: list[dict[str, Any]] = []
    for path in map(Path, pairs):
        frame = read_pairs(path).to_pandas()
        for key, group in frame.groupby([*GROUP, "step"], sort=True):
            labels = dict(zip((*GROUP, "step"), key, strict=True))
            scores = table[
                (table.activation == labels["activation"])
                & (table.arm == labels["arm"])
                & (table.iteration == labels["step"])
            ]
            estimates = _step_estimates(group, scores, confidence, path)
            rows += [
                {**labels, "measure": measure, **result_row(estimate)}
                for measure, estimate in estimates.items()
            ]
    return pa.Table.from_pylist(rows, schema=ESTIMATES_SCHEMA)


def _step_estimates(
    group: pd.DataFrame, scores: pd.DataFrame, confidence: float, path: Path
) -> dict[str, Estimate]:
    labels = group[["seed_a", "seed_b"]].to_numpy()
    seeds = np.unique(labels)
    if sorted(scores["seed"]) != seeds.tolist():
        raise ReprocoreError(
            f"{path}: has seeds {seeds.tolist()}, the histories {sorted(scores['seed'])}"
        )
    of_text = [name for name in TEXT_MEASURES if group[name].notna().all()]
    estimates = {
        name: jackknife(pair_matrix(labels, group[name].to_numpy())[1], confidence)
        for name in (*MEASURES, *AGREEMENT_MEASURES, *of_text)
    }
    return estimates | {name: mean_interval(scores[name].to_numpy(), confidence) for name in SCORES}
