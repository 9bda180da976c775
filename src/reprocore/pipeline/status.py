"""How far a study is: the state of every cell, and how long the rest will take."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import safetensors

from reprocore.pipeline.plan import Plan, State
from reprocore.store.files import read_entry
from reprocore.store.identity import cell_identity, cell_training
from reprocore.study.cells import CHECKPOINT, Cell


class Progress(StrEnum):
    """How far a cell is."""

    DONE = "done"
    STALE = "stale"
    DAMAGED = "damaged"
    FAILED = "failed"
    BEGUN = "begun"
    MISSING = "missing"
    NOT_RUNNABLE = "not runnable"


@dataclass(frozen=True)
class CellStatus:
    """State of one cell.

    Attributes:
        cell: which.
        state: `done` (as the config says today), `stale` (with other settings, data or code),
            `damaged` (a file is missing or is seen to be damaged), `failed`, `begun` (has a
            checkpoint to resume from), `missing`, or `not runnable` (needs a GPU that is not here).
        reason: of a failed or damaged cell; the iteration of one that has begun; else "".
        wall_seconds: of a done cell, start-up excluded, else None.
        left: the share of its training that is still to be done here: 0 for a done cell and, in
            whatever state, for one that cannot be trained here.
    """

    cell: Cell
    state: Progress
    reason: str = ""
    wall_seconds: float | None = None
    left: float = 0


def study_status(plan: Plan) -> list[CellStatus]:
    """Return the state of every cell of the study, tuning cells first, in the config's order."""
    return [_status(plan, cell) for cell in (*plan.tuning, *plan.cells)]


def _status(plan: Plan, cell: Cell) -> CellStatus:
    study, folder, look = plan.study, cell.folder(plan.study.results), plan.looks[cell]
    if look.state is State.DONE:
        return CellStatus(cell, Progress.DONE, wall_seconds=look.wall_seconds or None)
    # A cell from elsewhere may have failed, begun or be damaged though it cannot be trained here.
    left = float(cell.model in plan.runnable)
    if (folder / "failed.json").is_file():
        reason = str(read_entry(folder / "failed.json", "reason") or "")
        return CellStatus(cell, Progress.FAILED, reason, left=left)
    iteration = _begun(folder / CHECKPOINT, cell_identity(study, cell))
    if iteration is not None:
        total = cell_training(study, cell)["iterations"]
        left *= 1 - iteration / total
        return CellStatus(cell, Progress.BEGUN, f"iteration {iteration} of {total}", left=left)
    if look.state is State.DAMAGED:
        faults = (f"{Path(problem.path).name}: {problem.reason}" for problem in look.problems)
        return CellStatus(cell, Progress.DAMAGED, "; ".join(faults), left=left)
    if not left:
        return CellStatus(cell, Progress.NOT_RUNNABLE)
    state = Progress.STALE if look.state is State.STALE else Progress.MISSING
    return CellStatus(cell, state, left=left)


def _begun(path: Path, identity: dict[str, str]) -> int | None:
    """Return the iteration of a checkpoint of `identity`, None if there is none."""
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            values = json.loads(opened.metadata()["values"])
        return int(values["iteration"]) if values["origin"]["identity"] == identity else None
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None


def seconds_left(statuses: Iterable[CellStatus]) -> tuple[float, list[str]]:
    """Return the work left in cell-seconds at the measured rate, and the models without one.

    The rate of a model is the mean wall time of its done cells, tuning cells included. Cells that
    cannot run here do not count, and of one that has begun only the iterations that are left.
    """
    statuses = list(statuses)
    total, unknown = 0.0, []
    for model in dict.fromkeys(status.cell.model for status in statuses):
        of_model = [status for status in statuses if status.cell.model == model]
        left = sum(status.left for status in of_model)
        walls = [s.wall_seconds for s in of_model if s.wall_seconds is not None]
        if left and walls:
            total += left * sum(walls) / len(walls)
        elif left:
            unknown.append(model)
    return total, unknown
