"""The commands that mend what `verify` lists: as few as will do, and none that loses a result."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from reprocore.pipeline.plan import Plan, Problem, State
from reprocore.pipeline.runs import again_command
from reprocore.store.records import record_path
from reprocore.study.cells import cell_of_path
from reprocore.study.layout import CORPUS_FILES


class Maker(StrEnum):
    """Who can make a file again."""

    RUN = "a run of this study here"
    ELSEWHERE = "a run of this study where its models can be trained"
    NOBODY = "no run of this study"


@dataclass(frozen=True)
class Repairs:
    """What to do about problems.

    Attributes:
        commands: for a shell, in their order.
        elsewhere: cells that cannot be trained here.
    """

    commands: list[str]
    elsewhere: list[Problem]


def maker_of(plan: Plan, path: str) -> Maker:
    """Return who can make a file of the results, or all files of a cell's folder."""
    if path in plan.files:
        return Maker.RUN
    cell = cell_of_path(path)
    if cell is None or cell not in plan.looks:
        return Maker.NOBODY
    return Maker.RUN if cell.model in plan.runnable else Maker.ELSEWHERE


def repairs(plan: Plan, problems: Iterable[Problem], command: str) -> Repairs:
    """Return what to do about problems.

    Deleted is what nobody needs: leftovers, and what is damaged and cannot be made again.

    Args:
        plan: of the study.
        problems: from `verify`.
        command: that runs the study, without targets.
    """
    results = Path(plan.study.results)
    deleted: list[str] = []
    forced: list[str] = []
    elsewhere: list[Problem] = []
    run = False
    for problem in problems:
        path, maker = results / problem.path, maker_of(plan, problem.path)
        damaged = problem.state is State.DAMAGED
        if problem.state is State.LEFTOVER or (damaged and maker is Maker.NOBODY):
            deleted += [str(path), *_record_of(results, path)]
        elif maker is Maker.ELSEWHERE:
            elsewhere.append(problem)
        else:
            run = True
            if path.is_dir() and not path.is_symlink() and damaged:
                deleted.append(str(path))
            if damaged or (problem.path in plan.files and problem.state is not State.MISSING):
                forced.append(str(path))
            if problem.state is State.MISSING and problem.path in CORPUS_FILES:
                forced.append(str(path))
    return Repairs(
        [
            *_deletions(deleted),
            *([again_command(command, forced)] if forced else []),
            *([command] if run else []),
        ],
        elsewhere,
    )


def _record_of(results: Path, path: Path) -> list[str]:
    record = record_path(results, path)
    return [str(record)] if record.is_file() else []


def _deletions(paths: list[str]) -> list[str]:
    folders = [path for path in paths if Path(path).is_dir() and not Path(path).is_symlink()]
    files = [path for path in paths if path not in folders]
    return [
        *([f"rm -f -- {shlex.join(files)}"] if files else []),
        *([f"rm -r -- {shlex.join(folders)}"] if folders else []),
    ]
