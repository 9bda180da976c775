"""The commands that mend what `verify` lists: as few as will do, and none that loses a result."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from reprocore.pipeline.plan import Plan, Problem, State
from reprocore.store.records import record_path, with_targets
from reprocore.study.cells import cell_of_path
from reprocore.study.layout import CORPUS_FILES


class Action(Enum):
    """What mends a problem."""

    DELETE = auto()
    # By itself: with `--force`, all that follows from it would be made again, too.
    FORCE_CORPUS = auto()
    FORCE = auto()
    RUN = auto()
    RUN_ELSEWHERE = auto()
    RESTORE = auto()


@dataclass(frozen=True)
class Repairs:
    """What to do about problems.

    Attributes:
        commands: for a shell, in their order.
        elsewhere: cells that cannot be trained here.
        archived: files of archived models, which no run makes again.
    """

    commands: list[str]
    elsewhere: list[Problem]
    archived: list[Problem]


def action_for(plan: Plan, problem: Problem) -> Action:
    """Return what mends a problem.

    Deleted is what nobody needs: leftovers, and what is damaged and no run makes again.
    """
    cell, damaged = cell_of_path(problem.path), problem.state is State.DAMAGED
    if problem.state is State.LEFTOVER:
        return Action.DELETE
    if problem.path in plan.files:
        if plan.cannot_remake(problem.path):
            return Action.RESTORE
        forced = Action.FORCE_CORPUS if problem.path in CORPUS_FILES else Action.FORCE
        return Action.RUN if problem.state is State.MISSING else forced
    if cell is None or cell not in plan.looks:
        return Action.DELETE if damaged else Action.RUN
    if cell.model not in plan.runnable:
        return Action.RUN_ELSEWHERE
    return Action.FORCE if damaged else Action.RUN


def repairs(plan: Plan, problems: Iterable[Problem], command: str) -> Repairs:
    """Return what to do about problems.

    Args:
        plan: of the study.
        problems: from `verify`.
        command: that runs the study, without targets.
    """
    results = Path(plan.study.results)
    by_action: dict[Action, list[Problem]] = {action: [] for action in Action}
    for problem in problems:
        by_action[action_for(plan, problem)].append(problem)
    forced = [by_action[Action.FORCE_CORPUS], by_action[Action.FORCE]]
    deleted = [path for p in by_action[Action.DELETE] for path in _with_record(results, p.path)]
    # Snakemake puts no file in the place of a folder, and may take a link to nothing for a file.
    blocked = [results / p.path for members in forced for p in members if _blocks(results, p)]
    commands = [
        *([f"rm -f -- {_joined(deleted)}"] if deleted else []),
        *([f"rm -r -- {_joined(blocked)}"] if blocked else []),
        *(
            with_targets(f"{command} --force", [str(results / p.path) for p in members])
            for members in forced
            if members
        ),
    ]
    run = any(by_action[action] for action in (Action.FORCE_CORPUS, Action.FORCE, Action.RUN))
    return Repairs(
        [*commands, *([command] if run else [])],
        by_action[Action.RUN_ELSEWHERE],
        by_action[Action.RESTORE],
    )


def _with_record(results: Path, place: str) -> list[Path]:
    path = results / place
    record = record_path(results, path)
    return [path, record] if record.is_file() else [path]


def _blocks(results: Path, problem: Problem) -> bool:
    path = results / problem.path
    return (path.is_symlink() and not path.exists()) or (path.is_dir() and not path.is_symlink())


def _joined(paths: Iterable[Path]) -> str:
    return shlex.join(map(str, paths))
