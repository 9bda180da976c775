"""Every file of a results folder against its schema, its hashes and what the study says today."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import safetensors

from reprocore.data.probe import read_probe
from reprocore.data.tokens import read_corpus
from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import Plan
from reprocore.store import schemas
from reprocore.store.identity import changed_settings, parameters, rule_settings
from reprocore.store.predictions import read_predictions
from reprocore.store.readers import read_history, read_pairs
from reprocore.store.records import file_sha256, read_cell, read_record, read_sealed, with_targets
from reprocore.store.tables import read_table
from reprocore.study.cells import CELL_FILES, CHECKPOINT, Cell, all_cells
from reprocore.study.layout import CORPUS_FILES, UNCHECKED, derived_files, preflight_failure
from reprocore.study.study import Study

STATES = ("damaged", "foreign", "stale", "missing", "leftover")
KINDS = ("corpus", "preflight", "cells", "pairs", "models", "across", "figures", "summary", "other")
_TEMPORARY = re.compile(r"\..+\.tmp")


@dataclass(frozen=True)
class Finding:
    """What is wrong with one file, or one folder that is of no cell.

    Attributes:
        path: inside the results folder.
        state: one of `STATES`.
        reason: in words.
    """

    path: str
    state: str
    reason: str


@dataclass
class Verification:
    """What was found.

    Attributes:
        checked: how many files of each kind the study has, or has left behind.
        findings: what is wrong, ordered by path; empty if all is well.
    """

    checked: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def kind_of(path: str) -> str:
    """Return the kind of a file by its path inside the results, one of `KINDS`."""
    first, slash, _ = path.partition("/")
    if slash:
        return first if first in KINDS else "other"
    return "summary" if first.startswith(("summary.", "audit.")) else "other"


def verify(study: Study, quick: bool = False) -> Verification:
    """Check every file of the study's results folder.

    Args:
        study: the resolved study.
        quick: leave out what must read whole files: whether they are there, and which settings
            and code they were made with, is checked all the same.
    """
    check = _Check(study, quick)
    result = Verification()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(check.cell, check.cells):
            result.findings += found
    # One after the other, as they share what they find out about their inputs.
    for place in check.files:
        result.findings += check.derived(place)
    result.findings += check.others()
    result.findings.sort(key=lambda each: each.path)
    known = [f"{check.cell_path(cell)}/{name}" for cell in check.cells for name in CELL_FILES]
    others = {found.path for found in result.findings} - {*known, *check.files}
    result.checked.update(map(kind_of, (*known, *check.files, *others)))
    return result


class _Check:
    """One pass over a results folder."""

    def __init__(self, study: Study, quick: bool) -> None:
        self.study, self.quick = study, quick
        self.results = Path(study.results)
        plan = Plan.of(study)
        self.files = derived_files(plan.taken, study.claims is not None)
        # Also those that cannot be trained here and are not as the study says today.
        self.cells = [
            cell
            for cell in plan.cells
            if cell in plan.taken or (cell.folder(self.results) / "cell.json").is_file()
        ]
        failures = (preflight_failure(cell.model, cell.activation) for cell in plan.cells)
        self.known = {*self.files, *failures, ".lock"}
        self.probe = self._probe_hash()
        self._records: dict[str, dict[str, Any] | None] = {}
        self._behind: dict[str, set[str]] = {}

    def cell_path(self, cell: Cell) -> str:
        return f"cells/{cell.key}"

    def _probe_hash(self) -> str | None:
        try:
            return read_probe(self.results / "corpus/probe.parquet").hash
        except ReprocoreError:
            return None

    def cell(self, cell: Cell) -> list[Finding]:
        """Check the files of one cell."""
        folder, place = cell.folder(self.results), self.cell_path(cell)
        absent = [name for name in CELL_FILES if not os.path.lexists(folder / name)]
        if len(absent) == len(CELL_FILES):
            failed = (folder / "failed.json").is_file()
            return [Finding(place, "missing", "its training failed" if failed else "not trained")]
        found = [Finding(f"{place}/{name}", "missing", "no such file") for name in absent]
        if "cell.json" in absent:
            return found
        try:
            described = read_cell(folder / "cell.json")
        except ReprocoreError as error:
            return [*found, _damaged(f"{place}/cell.json", error)]
        for name in set(CELL_FILES) - {"cell.json", *absent}:
            if not self.quick:
                found += self._cell_file(cell, name, described)
        reason = self._why_stale(cell, described)
        return [*found, Finding(f"{place}/cell.json", "stale", reason)] if reason else found

    def _cell_file(self, cell: Cell, name: str, described: dict[str, Any]) -> Iterator[Finding]:
        path, place = cell.folder(self.results) / name, f"{self.cell_path(cell)}/{name}"
        try:
            if file_sha256(path) != described["sha256"].get(name):
                yield Finding(place, "damaged", "is not what train wrote")
            elif name == "history.parquet":
                read_history(path)
            elif name == "weights.safetensors":
                with safetensors.safe_open(path, "numpy"):
                    pass
            else:
                predicted = read_predictions(path)
                if (predicted.cell, predicted.probe_hash) != (cell.key, described["probe_hash"]):
                    yield Finding(place, "foreign", f"holds predictions of {predicted.cell}")
        except (ReprocoreError, safetensors.SafetensorError) as error:
            yield _damaged(place, error)

    def _why_stale(self, cell: Cell, described: dict[str, Any]) -> str:
        if changed := changed_settings(described, self.study, cell):
            return f"was trained otherwise than the study says today: {', '.join(changed)}"
        if self.probe is not None and described["probe_hash"] != self.probe:
            return "predicted another probe than today's"
        return ""

    def derived(self, place: str) -> list[Finding]:
        """Check one file that follows from others."""
        path = self.results / place
        if not os.path.lexists(path):
            # Nothing is trained in a partial study, so nothing needs to have been checked.
            needless = self.study.partial and place.startswith("preflight/")
            return [] if needless else [Finding(place, "missing", "no such file")]
        try:
            record = read_record(self.results, path)
            if record is None:
                return [Finding(place, "foreign", "no record says what made it")]
            if not path.is_file() or not self.quick:
                if file_sha256(path) != record["sha256"]:
                    return [Finding(place, "damaged", f"is not what {record['rule']} wrote")]
                _read(place, path)
        except ReprocoreError as error:
            return [_damaged(place, error)]
        reason = self._why_changed(place, record)
        return [Finding(place, "stale", reason)] if reason else []

    def _why_changed(self, place: str, record: dict[str, Any]) -> str:
        labels = (record["wildcards"].get(name) for name in ("model", "activation"))
        settings = parameters(rule_settings(self.study, record["rule"], *labels))
        if changed := _differing(record["settings"], settings):
            return f"was made with other settings than today's: {', '.join(changed)}"
        for name, sha256 in record["inputs"].items():
            today = self._today(name)
            if today is not None and today != sha256:
                return f"was made from another {name} than today's"
        if self._cells_behind(place) != {cell.key for cell in self.files[place]}:
            return "rests on other cells than the study has today"
        return ""

    def _today(self, name: str) -> str | None:
        """The SHA-256 of an input as its record has it, so that its damage is told only once."""
        record = self._recorded(name)
        if name.startswith("cells/") and record is None:
            return None
        if record and not name.endswith("/cell.json"):
            return str(record["sha256"][Path(name).name] if "cell" in record else record["sha256"])
        try:
            return file_sha256(self.results / name)
        except ReprocoreError:
            return None

    def _recorded(self, name: str) -> dict[str, Any] | None:
        """The record of a file of the results, of a cell or not; None without a good one."""
        key = name.rpartition("/")[0] if name.startswith("cells/") else name
        if key not in self._records:
            path = self.results / name
            try:
                if key != name:
                    self._records[key] = read_cell(path.with_name("cell.json"))
                else:
                    inside = not Path(name).is_absolute()
                    self._records[key] = read_record(self.results, path) if inside else None
            except ReprocoreError:
                self._records[key] = None
        return self._records[key]

    def _cells_behind(self, place: str) -> set[str]:
        """Keys of the cells that a file was made from, directly or through other files."""
        if place.startswith("cells/"):
            return {place.removeprefix("cells/").rpartition("/")[0]}
        if place not in self._behind:
            self._behind[place] = set()  # meanwhile: a record must not lead back to itself
            inputs = (self._recorded(place) or {"inputs": {}})["inputs"]
            self._behind[place] = {key for name in inputs for key in self._cells_behind(name)}
        return self._behind[place]

    def others(self) -> list[Finding]:
        """Find what is in the folder and should not be."""
        found: dict[str, Finding] = {}
        cells = {self.cell_path(cell): cell for cell in all_cells(self.study)}
        whole = {
            self.cell_path(cell)
            for cell in self.cells
            if (cell.folder(self.results) / "cell.json").is_file()
        }
        for place in _walk(self.results):
            parent, _, name = place.rpartition("/")
            each: Finding | None
            if _TEMPORARY.fullmatch(name):
                each = Finding(place, "leftover", "a temporary file of a run that was killed")
            elif place in self.known or _is_unchecked(place):
                continue
            elif place == "study.json":
                each = self._study_file()
            elif place.startswith("records/"):
                each = self._record(place)
            elif parent in cells:
                each = _beside_cell(place, name, parent in whole)
            elif place.startswith("cells/"):
                each = Finding(parent, "foreign", "is of no cell of this study")
            else:
                each = Finding(place, "foreign", "no file of this study")
            if each is not None:
                found[each.path] = each
        return list(found.values())

    def _study_file(self) -> Finding | None:
        try:
            read_sealed(self.results / "study.json")
        except ReprocoreError as error:
            return _damaged("study.json", error)
        return None

    def _record(self, place: str) -> Finding | None:
        about = place.removeprefix("records/").removesuffix(".json")
        if about in self.files or os.path.lexists(self.results / about):
            return None
        return Finding(place, "leftover", "a record of a file that is gone")


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _is_unchecked(place: str) -> bool:
    return place.partition("/")[0] in UNCHECKED


def _beside_cell(place: str, name: str, whole: bool) -> Finding | None:
    if name in CELL_FILES:
        return None
    if name not in ("failed.json", ".lock", CHECKPOINT):
        return Finding(place, "foreign", "no file of this study")
    return Finding(place, "leftover", "its cell is done") if whole else None


def _damaged(place: str, error: Exception) -> Finding:
    _, colon, reason = str(error).partition(": ")
    return Finding(place, "damaged", " ".join((reason if colon else str(error)).split()))


def _walk(folder: Path) -> Iterator[str]:
    """Yield the path inside `folder` of everything in it that is no folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield str((Path(parent) / name).relative_to(folder))


_SCHEMAS: dict[str, pa.Schema] = {
    "models/estimates": schemas.ESTIMATES_SCHEMA,
    "models/curves": schemas.CURVES_SCHEMA,
    "models/cells": schemas.CELLS_SCHEMA,
    "models/contrasts": schemas.CONTRASTS_SCHEMA,
    "models/sensitivity": schemas.SENSITIVITY_SCHEMA,
    "models/sources": schemas.SOURCES_SCHEMA,
    "models/early": schemas.EARLY_SCHEMA,
    "across/ratios": schemas.RATIOS_SCHEMA,
    "across/early_model_order": schemas.EARLY_MODEL_ORDER_SCHEMA,
    "summary/summary": schemas.SUMMARY_SCHEMA,
    "summary/audit": schemas.AUDIT_SCHEMA,
}
_READERS: dict[str, Callable[[Path], Any]] = {
    "corpus/tokens": read_corpus,
    "corpus/probe": read_probe,
}


def _read(place: str, path: Path) -> None:
    """Read a table by its own reader or schema; other kinds of file have none."""
    if path.suffix != ".parquet":
        return
    kind = kind_of(place)
    if kind == "pairs":
        read_pairs(path)
    elif reader := _READERS.get(f"{kind}/{path.stem}"):
        reader(path)
    else:
        read_table(path, _SCHEMAS[f"{kind}/{path.stem}"])


def repair_commands(study: Study, configfile: Path, findings: Iterable[Finding]) -> list[str]:
    """Return the shell commands that mend what was found, in their order."""
    known = derived_files(all_cells(study), study.claims is not None)
    removed: list[str] = []
    remade: dict[bool, list[str]] = {True: [], False: []}
    left = False
    for each in findings:
        path = Path(study.results) / each.path
        made = each.path in known or (path.name in CELL_FILES and each.path.startswith("cells/"))
        if each.state == "leftover" or (not made and each.state in ("damaged", "foreign")):
            removed.append(str(path))
            continue
        left = True
        if path.is_dir() and each.state == "damaged":
            removed.append(str(path))
        if made:
            remade[each.path in CORPUS_FILES].append(str(path))
    snakemake = f"snakemake --configfile {shlex.quote(str(configfile))}"
    # The corpus by itself: made again beside what follows from it, all of that would be, too,
    # while alone it turns out to be the same as before.
    forced = [with_targets(f"{snakemake} --force", paths) for paths in remade.values() if paths]
    removal = [f"rm -rf -- {shlex.join(removed)}"] if removed else []
    return [*removal, *forced, *([snakemake] if left else [])]
