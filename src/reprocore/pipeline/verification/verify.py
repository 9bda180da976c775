"""Every file of a results folder against its schema, its hashes and what the study says today."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reprocore.data.probe import read_probe
from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import (
    Plan,
    Problem,
    State,
    look_at_cell,
    look_at_file,
    only,
    reason_of,
)
from reprocore.pipeline.runs import SET_ASIDE
from reprocore.pipeline.verification.contents import (
    cell_content_problems,
    file_content_problem,
    kind_of,
)
from reprocore.pipeline.verification.origins import Origins
from reprocore.store.identity import changed_settings
from reprocore.store.records import (
    DamagedError,
    file_sha256,
    read_cell,
    read_record,
    read_sealed,
    record_path,
)
from reprocore.store.source_digest import digest
from reprocore.study.cells import CHECKPOINT, Cell, cell_of_path
from reprocore.study.layout import PROBE_FILE, UNCHECKED
from reprocore.study.study import Study

PROBLEMS = (State.DAMAGED, State.STALE, State.MISSING, State.UNRECORDED, State.LEFTOVER)
# What is listed apart and kept: nothing is wrong with it, or nothing is known of it.
KEPT = (State.NOT_IN_CONFIG, State.UNKNOWN)
_TEMPORARY = re.compile(r"\..+\.tmp")
# What safetensors writes to first, beside a checkpoint or weights.
_TEMPORARY_OF_SAFETENSORS = re.compile(r"\.tmp[A-Za-z0-9]{6}")
_BESIDE_CELL = ("failed.json", ".lock", CHECKPOINT)


@dataclass(frozen=True)
class Verification:
    """What a check of a results folder has shown.

    Attributes:
        plan: of the study.
        checked: how many files of each kind the study has, or has left behind.
        problems: what is wrong, ordered by path; empty if all is well.
        kept: what is in the folder beside the study, ordered by path.
    """

    plan: Plan
    checked: Counter[str]
    problems: list[Problem]
    kept: list[Problem]


def verify(study: Study, quick: bool = False) -> Verification:
    """Check every file of the study's results folder.

    Files beside the cells are held against today's settings, inputs and cells. Whether the code
    that made them has changed is for a run to tell, which knows the rules.

    Args:
        study: the resolved study.
        quick: leave out what must read whole files: whether they are there and of their size, and
            which settings they were made with, cells also with which code, is checked all the same.
    """
    plan = Plan.of(study)
    # Also those that cannot be trained here and are not as the study says today.
    run = {*plan.taken, *plan.trials}
    cells = [c for c in plan.looks if c in run or plan.looks[c].state is not State.MISSING]
    strays = _stray_cells(plan)
    probe, origins = _probe_hash(study.results), Origins(plan)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [
            *pool.map(partial(_cell_problems, plan, probe, quick), cells),
            *pool.map(partial(_stray_cell_problems, study.results, quick), strays),
        ]
    # One after the other, as they share what they read.
    found += [_file_problems(plan, origins, quick, place) for place in plan.files]
    found += [_other_file(plan, strays, quick, place) for place in _walk(Path(study.results))]
    problems = sorted((p for some in found for p in some), key=lambda p: p.path)
    of_cells = ((c.place, {*c.files} - {*plan.looks[c].left_out}) for c in cells)
    known = [*(f"{place}/{name}" for place, names in of_cells for name in names), *plan.files]
    others = {problem.path for problem in problems if problem.state not in KEPT} - {*known}
    kept = only(problems, *KEPT)
    return Verification(
        plan,
        Counter(map(kind_of, (*known, *others))),
        [problem for problem in problems if problem not in kept],
        kept,
    )


def _probe_hash(results: str) -> str | None:
    try:
        return read_probe(Path(results) / PROBE_FILE).hash
    except ReprocoreError:
        return None


def _cell_problems(plan: Plan, probe: str | None, quick: bool, cell: Cell) -> list[Problem]:
    """Check the files of a cell of the study."""
    look, place = plan.looks[cell], cell.place
    folder = cell.folder(plan.study.results)
    if look.state is State.MISSING:
        waits = cell.rate is None and (cell.model, cell.activation) in plan.unchosen
        reason = "its learning rate is not chosen yet" if waits else "not trained"
        if (folder / "failed.json").is_file():
            reason = "its training failed"
        return [Problem(place, look.state, reason)]
    problems = list(look.problems)
    if not look.sha256:
        return problems
    described = read_cell(folder / "cell.json")
    if not quick:
        problems += cell_content_problems(folder, place, described, look)
    if changed := changed_settings(described, plan.study, cell):
        reason = f"was trained otherwise than the study says today: {', '.join(changed)}"
        return [*problems, Problem(f"{place}/cell.json", State.STALE, reason)]
    if probe is not None and described["probe_hash"] != probe:
        # Not stale, which a run would see by itself: the settings are today's.
        reason = "predicted another probe than today's"
        return [*problems, Problem(f"{place}/cell.json", State.DAMAGED, reason)]
    return problems


def _file_problems(plan: Plan, origins: Origins, quick: bool, place: str) -> list[Problem]:
    """Check one file of the study that is of no cell."""
    if problem := plan.file_problems.get(place):
        return [problem]
    if not (Path(plan.study.results) / place).exists():
        return []  # Nothing asks for it.
    problem = None if quick else file_content_problem(plan.study.results, place)
    if problem is None and (reason := origins.why_stale(place)):
        problem = Problem(place, State.STALE, reason)
    return [problem] if problem else []


def _stray_cells(plan: Plan) -> list[Cell]:
    """Return the cells in the folder that are not in the config and have a `cell.json`."""
    results = Path(plan.study.results)
    patterns = ("cells/*/*/*-*/cell.json", "tuning/*/*/*/*/cell.json")
    paths = (path.relative_to(results) for each in patterns for path in results.glob(each))
    cells = {cell_of_path(str(path)) for path in paths}
    strays = (cell for cell in cells if cell is not None and cell not in plan.looks)
    return sorted(strays, key=lambda cell: cell.place)


def _stray_cell_problems(results: str, quick: bool, cell: Cell) -> list[Problem]:
    """Check a cell that is not in the config against what it says of itself."""
    folder, place = cell.folder(results), cell.place
    look = look_at_cell(results, cell, None)
    problems = list(look.problems)
    if look.sha256:
        described = read_cell(folder / "cell.json")
        identity = described.get("identity", {}).get("settings")
        if identity != digest(described.get("settings")):
            reason = "its settings and their digest differ"
            problems.append(Problem(f"{place}/cell.json", State.DAMAGED, reason))
        if not quick:
            problems += cell_content_problems(folder, place, described, look)
    if damaged := only(problems, State.DAMAGED):
        return damaged
    if missing := only(problems, State.MISSING):
        names = ", ".join(Path(problem.path).name for problem in missing)
        return [Problem(place, State.NOT_IN_CONFIG, f"a cell without {names}")]
    return [Problem(place, State.NOT_IN_CONFIG, "a cell")]


def _other_file(plan: Plan, strays: list[Cell], quick: bool, place: str) -> list[Problem]:
    """Check a file that is neither a cell's result nor made by a rule of this study."""
    name, cell = Path(place).name, cell_of_path(place)
    of_cell = cell is not None and _TEMPORARY_OF_SAFETENSORS.fullmatch(name)
    if of_cell or _TEMPORARY.fullmatch(name):
        return [Problem(place, State.LEFTOVER, "a temporary file of a run that was killed")]
    if place in plan.files or place == ".lock" or place.partition("/")[0] in UNCHECKED:
        return []
    if place == "study.json":
        return _study_file(plan.study.results)
    if place == SET_ASIDE:
        return [Problem(place, State.UNKNOWN, "a study.json that was damaged when a run began")]
    if place.startswith("preflight/") and place.endswith(".failed.json"):
        return []
    if place.startswith("records/"):
        return _record_problems(plan, place)
    if cell is not None and (cell in plan.looks or cell in strays):
        return _beside_cell(plan, place, cell)
    if cell is not None and name in (CHECKPOINT, "failed.json", ".lock"):
        return [Problem(place, State.NOT_IN_CONFIG, "of a cell that is not trained to its end")]
    return _stray_file(plan.study.results, quick, place)


def _study_file(results: str) -> list[Problem]:
    try:
        read_sealed(Path(results) / "study.json")
    except DamagedError as error:
        reason = reason_of(error, Path(results) / "study.json")
        return [Problem("study.json", State.DAMAGED, reason)]
    return []


def _record_problems(plan: Plan, place: str) -> list[Problem]:
    """Check the record of a file that is gone, or that this study does not make."""
    results = Path(plan.study.results)
    about = place.removeprefix("records/").removesuffix(".json")
    if about in plan.files:
        return []
    if not os.path.lexists(results / about):
        return [Problem(place, State.LEFTOVER, "a record of a file that is gone")]
    try:
        read_record(results, results / about)
    except DamagedError as error:
        return [Problem(place, State.DAMAGED, reason_of(error, results / place))]
    return []


def _beside_cell(plan: Plan, place: str, cell: Cell) -> list[Problem]:
    """Judge a file in the folder of a cell."""
    folder, name = cell.folder(plan.study.results), Path(place).name
    if name in cell.files:
        return []
    if name not in _BESIDE_CELL or Path(place).parent != Path(cell.place):
        return [Problem(place, State.UNKNOWN, "no file of a study")]
    done = (folder / "cell.json").is_file()
    return [Problem(place, State.LEFTOVER, "its cell is done")] if done else []


def _stray_file(results: str, quick: bool, place: str) -> list[Problem]:
    """Check a file that this study does not make against its record, if it has one."""
    path = Path(results) / place
    if not record_path(results, path).is_file():
        return [Problem(place, State.UNKNOWN, "no record says what made it")]
    try:
        record = read_record(results, path) or {}
    except DamagedError:
        return [Problem(place, State.UNKNOWN, "its record is damaged")]
    problem = look_at_file(results, place)
    if problem is None and not quick and file_sha256(path) != record["sha256"]:
        problem = Problem(place, State.DAMAGED, f"is not what {record['rule']} wrote")
    kept = Problem(place, State.NOT_IN_CONFIG, f"made by {record['rule']}")
    return [problem or kept]


def _walk(folder: Path) -> Iterator[str]:
    """Yield the path inside `folder` of everything in it that is no folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield str((Path(parent) / name).relative_to(folder))
