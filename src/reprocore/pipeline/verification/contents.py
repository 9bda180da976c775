"""The content of the files of a results folder, read whole: against hashes, schemas and readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors

from reprocore.data.probe import read_probe
from reprocore.data.tokens import read_corpus
from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import CellLook, Problem, State, reason_of
from reprocore.store.catalogue import SCHEMAS_BY_PLACE
from reprocore.store.choices import read_choice
from reprocore.store.predictions import read_predictions
from reprocore.store.readers import (
    read_blocks,
    read_continuations,
    read_evaluation,
    read_history,
    read_pairs,
)
from reprocore.store.records import file_sha256, read_record
from reprocore.store.tables import read_table
from reprocore.study.cells import Cell

KINDS = (
    *("corpus", "preflight", "tuning", "cells", "pairs", "blocks", "models", "across"),
    *("figures", "summary", "other"),
)


_CELL_READERS: dict[str, Callable[[Path], Any]] = {
    "history.parquet": read_history,
    "evaluation.parquet": read_evaluation,
    "continuations.parquet": read_continuations,
}
_GROUP_READERS: dict[str, Callable[[Path], Any]] = {"pairs": read_pairs, "blocks": read_blocks}
_READERS: dict[str, Callable[[Path], Any]] = {
    "corpus/tokens": read_corpus,
    "corpus/probe": read_probe,
}


def kind_of(path: str) -> str:
    """Return the kind of a file by its path inside the results, one of `KINDS`."""
    first, slash, _ = path.partition("/")
    if slash:
        return first if first in KINDS else "other"
    return "summary" if first.startswith(("summary.", "audit.", "tuning.")) else "other"


def cell_content_problems(
    folder: Path, place: str, described: dict[str, Any], look: CellLook
) -> list[Problem]:
    """Read the files of a cell that are there and have no problem yet."""
    names = Cell(**described["cell"]).files
    paths = {f"{place}/{n}": n for n in names if n not in ("cell.json", *look.left_out)}
    for problem in look.problems:
        paths.pop(problem.path, None)
    reasons = {path: _cell_file_fault(folder / name, described) for path, name in paths.items()}
    return [Problem(path, State.DAMAGED, reason) for path, reason in reasons.items() if reason]


def _cell_file_fault(path: Path, described: dict[str, Any]) -> str:
    """Return what is wrong with the content of a cell's file, or ""."""
    cell = Cell(**described["cell"])
    try:
        if file_sha256(path) != described["sha256"].get(path.name):
            return f"is not what {cell.rule} wrote"
        if reader := _CELL_READERS.get(path.name):
            reader(path)
        elif path.name == "weights.safetensors":
            with safetensors.safe_open(path, "numpy"):
                pass
        else:
            predicted = read_predictions(path)
            expected = cell.key, described["probe_hash"]
            if (predicted.cell, predicted.probe_hash) != expected:
                return f"holds predictions of {predicted.cell}"
    except (ReprocoreError, safetensors.SafetensorError) as error:
        return reason_of(error, path)
    return ""


def file_content_problem(results: str, place: str) -> Problem | None:
    """Read a file, and compare it with its record if it has one."""
    path = Path(results) / place
    try:
        record = read_record(results, path)
        if record is not None and file_sha256(path) != record["sha256"]:
            return Problem(place, State.DAMAGED, f"is not what {record['rule']} wrote")
        _read(place, path)
    except ReprocoreError as error:
        return Problem(place, State.DAMAGED, reason_of(error, path))
    return None


def _read(place: str, path: Path) -> None:
    """Read a file by its own reader or schema; figures and texts have none."""
    if kind_of(place) == "tuning":
        read_choice(path)
    if path.suffix != ".parquet":
        return
    kind = kind_of(place)
    if reader := _GROUP_READERS.get(kind) or _READERS.get(f"{kind}/{path.stem}"):
        reader(path)
    else:
        read_table(path, SCHEMAS_BY_PLACE[f"{kind}/{path.stem}"])
