"""Readers of the tables that several stages share."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from reprocore.store.schemas import CURVES_SCHEMA, ESTIMATES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import Cell


def read_history(path: str | Path) -> pa.Table:
    """Read the columns of a cell's history that `CURVES_SCHEMA` has.

    Raises:
        ReprocoreError: the file is missing, damaged or foreign.
    """
    own = [field for field in CURVES_SCHEMA if field.name not in Cell.__annotations__]
    return read_table(path, pa.schema(own))


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
