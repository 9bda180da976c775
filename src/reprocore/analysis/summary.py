"""The cross-model summary: one row per (model, activation, arm), whether it has run or not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.store.readers import read_estimates
from reprocore.store.schemas import CELLS_SCHEMA, SUMMARY_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.study import Study

CELL_KEYS = ("model", "activation", "arm", "seed")


def summarise(study: Study, estimates: Sequence[Path], cells: Sequence[Path]) -> pa.Table:
    """Put the final estimates of all models into one table of `SUMMARY_SCHEMA`.

    Every combination of the config has a row; where nothing ran its numbers are null and its
    flags say so.

    Args:
        study: what was to run, in the order of the rows.
        estimates: the models' estimates files.
        cells: the models' cell tables.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign, or cells predicted different probes.
    """
    found = read_estimates(estimates)
    described = pa.concat_tables(
        [CELLS_SCHEMA.empty_table(), *(read_table(path, CELLS_SCHEMA) for path in cells)]
    ).to_pandas()
    _check_one_probe(described)
    rows = []
    for model in study.models:
        for activation in study.activations_of(model):
            for arm in study.arms_of(model):
                key = (model, activation, arm)
                rows.append(_row(study, key, _select(found, key), _select(described, key)))
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
    study: Study, key: tuple[str, str, str], found: pd.DataFrame, cells: pd.DataFrame
) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(("model", "activation", "arm"), key, strict=True))
    row |= {"seeds": len(cells), "seeds_wanted": len(study.seeds)}
    row["flags"] = "; ".join(_flags(study, found, cells))
    if len(cells):
        row["parameters"] = int(cells["parameters"].iloc[0])
    if len(found):
        step = int(found["step"].max())
        row["step"] = step
        for item in found[found["step"] == step].to_dict("records"):
            for end, column in (
                ("", "estimate"),
                ("_se", "se"),
                ("_low", "low"),
                ("_high", "high"),
            ):
                value = item[column]
                row[f"{item['measure']}{end}"] = None if pd.isna(value) else float(value)
    return row


def _flags(study: Study, found: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Say what a reader must know before using a row; empty if there is nothing."""
    wanted, done = len(study.seeds), len(cells)
    if done == 0:
        return ["not run"]
    flags = []
    if done < wanted:
        missing = sorted(set(study.seeds) - set(cells["seed"]))
        flags.append(f"missing seed{'s' * (len(missing) > 1)} {', '.join(map(str, missing))}")
    if found.empty:
        flags.append("no pair of seeds")
    elif (final := found[found["step"] == found["step"].max()])["note"].ne("").any():
        flags.append("no interval: " + ", ".join(sorted(set(final["note"]) - {""})))
    if (behind := int((~cells["beats_unigram"]).sum())) > 0:
        flags.append(f"{behind} of {done} not below unigram entropy")
    if cells["environment"].nunique() > 1:
        flags.append("cells of different machines or torch versions")
    if cells["source"].nunique() > 1:
        flags.append("cells of different code")
    return flags
