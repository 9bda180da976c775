"""What `verify` prints of a results folder."""

from collections import Counter
from collections.abc import Iterable

from reprocore.pipeline.plan import Problem
from reprocore.pipeline.printing import print_notices, print_title
from reprocore.pipeline.runs import is_held
from reprocore.pipeline.verification.contents import KINDS, kind_of
from reprocore.pipeline.verification.repair import repairs
from reprocore.pipeline.verification.verify import PROBLEMS, Verification
from reprocore.report.terminal import console, table_of
from reprocore.study.study import Study

# How many problems of one state are listed unless all are asked for.
SHOWN = 20


def print_verification(result: Verification, command: str, quick: bool, everything: bool) -> None:
    """Print what a check of a results folder has shown, and what repairs it.

    Args:
        result: of the check.
        command: that runs the study, without targets.
        quick: files were not read.
        everything: list every problem, however many.
    """
    study, limit = result.plan.study, None if everything else SHOWN
    print_title(study)
    _print_counts(result)
    _print_problems(study, result.problems, limit)
    print_notices(study)
    if result.kept:
        console.lines("Beside this study, and kept:")
        _print_problems(study, result.kept, limit)
    if not result.problems:
        console.lines("No problem is seen; files were not read." if quick else "All is well.")
    elif is_held(study.results):
        console.lines("A run is writing here now; verify again when it has ended.")
    else:
        _print_repairs(result, command, limit)


def _print_counts(result: Verification) -> None:
    """Print how many files of each kind there are, and how many of them are in which state."""
    counts = Counter((kind_of(problem.path), problem.state) for problem in result.problems)
    heads = ("files", *PROBLEMS)
    rows = [
        [kind, str(files), *(str(counts[kind, state] or "·") for state in PROBLEMS)]
        for kind in KINDS
        if (files := result.checked[kind])
    ]
    console.print(table_of(None, ("kind", *heads), rows, numbers=heads))


def _print_problems(study: Study, problems: Iterable[Problem], limit: int | None) -> None:
    """Print a line for each problem, of each state no more than `limit`."""
    by_state: dict[str, list[Problem]] = {}
    for problem in problems:
        by_state.setdefault(problem.state, []).append(problem)
    for state, members in by_state.items():
        for problem in members[:limit]:
            console.lines(f"{study.results}/{problem.path}: {state}: {problem.reason}")
        if limit is not None and len(members) > limit:
            console.lines(f"and {len(members) - limit:,} more that are {state}; --all lists them")


def _print_repairs(result: Verification, command: str, limit: int | None) -> None:
    """Print the commands that mend the problems, and what can only be mended elsewhere."""
    repair = repairs(result.plan, result.problems, command)
    elsewhere = {
        "To be trained again where there is a GPU:": repair.elsewhere,
        "To be restored from the archive they are of:": repair.archived,
    }
    for heading, problems in elsewhere.items():
        if problems:
            console.lines(heading)
            _print_problems(result.plan.study, problems, limit)
    if repair.commands:
        console.lines("To repair:")
        for line in repair.commands:
            console.lines(f"  {line}")
