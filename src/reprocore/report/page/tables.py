"""The tables that the page draws from, and their numbers as text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from reprocore.report.terminal import interval_numbers
from reprocore.store.catalogue import schemas_of
from reprocore.store.tables import read_table
from reprocore.study.study import Study
from reprocore.vocabulary import PAIR_MEASURES, SCORES, Measure

TABLES = schemas_of(
    *("summary", "estimates", "cells", "contrasts", "steps", "sensitivity", "sources", "early"),
    *("cross", "strata", "text", "pairs", "tuning", "audit"),
)
# Each of them is a list of files: one for each model, or one for all.
Files = Mapping[str, Sequence[str | Path]]
Row = dict[str, Any]

# In the order in which a reader chooses among them.
QUANTITIES: Mapping[str, Measure] = {**PAIR_MEASURES, **SCORES}
NOTHING = "–"


@dataclass(frozen=True)
class Tables:
    """A study and its tables.

    Attributes:
        study: what was to run.
        tables: by the names of `TABLES`, each of all models; one that the study lacks is empty.
    """

    study: Study
    tables: Mapping[str, pa.Table]

    def rows(self, name: str, **wanted: Any) -> list[Row]:
        """Return the rows of a table that have these values."""
        rows: list[Row] = self.tables[name].to_pylist()
        return [row for row in rows if all(row[key] == value for key, value in wanted.items())]

    def drawn(self, name: str, **wanted: Any) -> list[Row]:
        """Return such rows of the arm that the study of their model is about."""
        rows = self.rows(name, **wanted)
        return [row for row in rows if row["arm"] == self.study.primary_arm(row["model"])]

    def last(self, name: str, **wanted: Any) -> list[Row]:
        """Return such rows of the last step of their model, activation and arm."""
        rows = self.drawn(name)
        ends: dict[tuple[str, str], int] = {}
        for row in rows:
            key = row["model"], row["activation"]
            ends[key] = max(ends.get(key, 0), row["step"])
        return [
            row
            for row in rows
            if row["step"] == ends[row["model"], row["activation"]]
            and all(row[key] == value for key, value in wanted.items())
        ]


def read_tables(study: Study, files: Files) -> Tables:
    """Read the tables of a study.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign.
    """
    return Tables(
        study,
        {
            name: pa.concat_tables(
                [schema.empty_table(), *(read_table(path, schema) for path in files.get(name, ()))]
            )
            for name, schema in TABLES.items()
        },
    )


def with_interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """Write `0.52 [0.49, 0.55]`, or what there is of it, with the digits that it warrants."""
    estimate, low, high = map(finite, (estimate, low, high))
    if estimate is None:
        return NOTHING
    written = interval_numbers(estimate, low, high)
    if low is None and high is None:
        return written[0]
    return f"{written[0]} [{written[1]}, {written[2]}]"


def percent(row: Row) -> str:
    """Write the estimate of a share, with its interval, in percent."""
    ends = (None if row[k] is None else 100 * row[k] for k in ("estimate", "low", "high"))
    number, bracket, rest = with_interval(*ends).partition(" ")
    return f"{number}%{bracket}{rest}"


def finite(value: float | None) -> float | None:
    """Return a number, or None where there is none that can be drawn."""
    return value if value is not None and math.isfinite(value) else None


def rounded(value: Any) -> Any:
    """Return a number with the digits that a chart shows."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None
