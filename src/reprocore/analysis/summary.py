"""The cross-model summary: one row per (model, activation, arm), whether it has run or not."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.store.readers import final_rows, read_estimates
from reprocore.store.schemas import CELLS_SCHEMA, SUMMARY_SCHEMA, TUNING_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import GROUP
from reprocore.study.study import Study
from reprocore.vocabulary import Flag, Reason, join_codes, split_codes

CELL_KEYS = ("model", "activation", "arm", "seed")
# The end of a column's name in the summary, and the column of the estimates that it holds.
ENDS = {"": "estimate", "_se": "se", "_low": "low", "_high": "high"}


def summarise(
    study: Study,
    estimates: Sequence[Path],
    cells: Sequence[Path],
    tuning: str | Path | None = None,
) -> pa.Table:
    """Put the final estimates of all models into one table of `SUMMARY_SCHEMA`.

    Every combination of the config has a row; where nothing ran its numbers are null and its
    flags say so.

    Args:
        study: what was to run, in the order of the rows.
        estimates: the models' estimates files.
        cells: the models' cell tables.
        tuning: the table of the tuning, of a study that tunes.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign, or cells predicted different probes.
    """
    estimated = read_estimates(estimates)
    described = pa.concat_tables(
        [CELLS_SCHEMA.empty_table(), *(read_table(path, CELLS_SCHEMA) for path in cells)]
    ).to_pandas()
    _check_one_probe(described)
    tuned = read_table(tuning, TUNING_SCHEMA).to_pylist() if tuning else []
    ends = {(row["model"], row["activation"]) for row in tuned if row["at_end"]}
    rows = []
    for model in study.models:
        for activation in study.activations_of(model):
            for arm in study.arms_of(model):
                key = (model, activation, arm)
                flags = [Flag.RATE_AT_END] if key[:2] in ends else []
                of_key = _select(estimated, key), _select(described, key)
                rows.append(_row(study, key, *of_key, flags))
    return pa.Table.from_pylist(rows, schema=SUMMARY_SCHEMA)


def _check_one_probe(cells: pd.DataFrame) -> None:
    first = cells.drop_duplicates("probe_hash").to_dict("records")
    if len(first) > 1:
        one, other = ("/".join(str(row[name]) for name in CELL_KEYS) for row in first[:2])
        raise ReprocoreError(
            f"cells {one} and {other} predicted different probes; all must predict the same"
        )


def _select(frame: pd.DataFrame, key: tuple[str, str, str]) -> pd.DataFrame:
    model, activation, arm = key
    return frame[
        (frame["model"] == model) & (frame["activation"] == activation) & (frame["arm"] == arm)
    ]


def _row(
    study: Study,
    key: tuple[str, str, str],
    estimates: pd.DataFrame,
    cells: pd.DataFrame,
    flags: Sequence[Flag],
) -> dict[str, Any]:
    final = final_rows(estimates)
    seeds_missing = sorted(set(study.seeds) - set(cells["seed"]))
    row: dict[str, Any] = dict(zip(GROUP, key, strict=True))
    row |= {
        "seeds": len(cells),
        "seeds_wanted": len(study.seeds),
        "missing_seeds": ", ".join(map(str, seeds_missing)),
        "cells_above_unigram": int((~cells["beats_unigram"].astype(bool)).sum()),
        "flags": join_codes([*_flags(final, cells, seeds_missing), *flags]),
        "reason": join_codes(_no_interval(final)),
    }
    if len(cells):
        row["parameters"] = int(cells["parameters"].iloc[0])
    if len(final):
        row["step"] = int(final["step"].iloc[0])
    for item in final.to_dict("records"):
        for end, column in ENDS.items():
            value = item[column]
            row[f"{item['measure']}{end}"] = None if pd.isna(value) else float(value)
    return row


def _no_interval(final: pd.DataFrame) -> list[Reason]:
    """Return why estimates of the last step have no interval, one reason of each kind."""
    texts = final.loc[final["low"].isna(), "reason"]
    reasons = {reason for text in texts for reason in split_codes(text, Reason)}
    return sorted(reasons)


def _flags(
    final: pd.DataFrame, cells: pd.DataFrame, seeds_missing: Sequence[int]
) -> Iterator[Flag]:
    """Yield what a reader must know before using a row."""
    if cells.empty:
        yield Flag.NOT_RUN
        return
    if seeds_missing:
        yield Flag.MISSING_SEEDS
    if final.empty:
        yield Flag.NO_PAIR
    elif _no_interval(final):
        yield Flag.NO_INTERVAL
    if not cells["beats_unigram"].all():
        yield Flag.ABOVE_UNIGRAM
    if cells["environment"].nunique() > 1:
        yield Flag.MIXED_MACHINES
    if cells["source"].nunique() > 1:
        yield Flag.MIXED_CODE
