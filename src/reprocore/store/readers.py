"""Readers of the tables that several stages share."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA, EVALUATION_SCHEMA
from reprocore.store.schemas import BLOCKS_SCHEMA, CURVES_SCHEMA, ESTIMATES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import GROUP, Cell


def read_history(path: str | Path) -> tuple[Cell, pa.Table]:
    """Read a cell's history: which cell, and the columns that `CURVES_SCHEMA` has.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    own = [field for field in CURVES_SCHEMA if field.name not in Cell.__annotations__]
    return _read_of_cell(path, pa.schema(own))


def read_evaluation(path: str | Path) -> tuple[Cell, pa.Table]:
    """Read a cell's scores by block: which cell, and the columns of `EVALUATION_SCHEMA`.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    return _read_of_cell(path, EVALUATION_SCHEMA)


def read_continuations(path: str | Path) -> tuple[Cell, pa.Table]:
    """Read what a cell has written: which cell, and the columns of `CONTINUATIONS_SCHEMA`.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    return _read_of_cell(path, CONTINUATIONS_SCHEMA)


def _read_of_cell(path: str | Path, schema: pa.Schema) -> tuple[Cell, pa.Table]:
    table = read_table(path, schema)
    try:
        return Cell.of_key(table.schema.metadata[b"cell"].decode()), table
    except (TypeError, KeyError, ValueError):
        raise ReprocoreError(f"{path}: does not name its cell") from None


def read_estimates(paths: Sequence[Path]) -> pd.DataFrame:
    """Read and join the estimates of several models.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign.
    """
    tables = [read_table(path, ESTIMATES_SCHEMA) for path in paths]
    frame: pd.DataFrame = pa.concat_tables([ESTIMATES_SCHEMA.empty_table(), *tables]).to_pandas()
    return frame


def read_pairs(path: str | Path) -> pa.Table:
    """Read a table that `compare_cells` made.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    return read_table(path, PAIRS_SCHEMA)


def read_blocks(path: str | Path) -> pa.Table:
    """Read the means by seed and block of text that `compare_cells` made.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    return read_table(path, BLOCKS_SCHEMA)


def final_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last step of each (model, activation, arm)."""
    if frame.empty:
        return frame
    last = frame.groupby([*GROUP])["step"].transform("max")
    return frame[frame["step"] == last]
