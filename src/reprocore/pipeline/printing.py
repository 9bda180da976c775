"""What `status` and `verify` print of a study."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from reprocore.pipeline.plan import Plan, Problem
from reprocore.pipeline.runs import is_held, recorded_study
from reprocore.pipeline.status import CellStatus, seconds_left, study_status
from reprocore.pipeline.verification.contents import KINDS, kind_of
from reprocore.pipeline.verification.repair import repairs
from reprocore.pipeline.verification.verify import PROBLEMS, Verification, has_run
from reprocore.report.terminal import MARKS, console, duration, table_of
from reprocore.store.choices import choice_is_current
from reprocore.study.study import Study

# How many problems of one state are listed unless all are asked for.
SHOWN = 20


def print_status(plan: Plan, command: str) -> None:
    """Print the state of every cell of a study, why cells are not done, and the time left.

    Args:
        plan: of the study.
        command: that runs the study, without targets.
    """
    study, statuses = plan.study, study_status(plan)
    print_title(study)
    _print_matrix(study, statuses)
    for cell in statuses:
        if cell.reason:
            console.lines(f"{cell.state} {cell.cell.key}: {cell.reason}")
    for reason in plan.failed_preflights():
        console.lines(f"failed check of {reason}")
    _print_notices(study)
    if has_run(study):
        _print_time_left(statuses)
    else:
        console.lines(f"Nothing has run yet. To start: {command}")


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
    _print_notices(study)
    if result.kept:
        console.lines("Beside this study, and kept:")
        _print_problems(study, result.kept, limit)
    if not result.problems:
        console.lines("No problem is seen; files were not read." if quick else "All is well.")
    elif is_held(study.results):
        console.lines("A run is writing here now; verify again when it has ended.")
    else:
        _print_repairs(result, command, limit)


def print_title(study: Study) -> None:
    """Print the title of a study and where its results lie."""
    # Not as the title of a table, which would break a long path.
    console.lines(f"{study.title}: {Path(study.results).absolute()}")


def _print_matrix(study: Study, statuses: Iterable[CellStatus]) -> None:
    """Print the signs of all cells, a row for each group of seeds, and how many there are."""
    rows: dict[tuple[str, str, str], list[Text]] = {}
    counts: Counter[str] = Counter()
    for status in statuses:
        cell = status.cell
        key = (cell.model, cell.activation, cell.arm if cell.rate is None else "tuning")
        rows.setdefault(key, []).append(console.mark(status.state))
        counts[status.state] += 1
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("model", "activation", "arm", f"seeds {', '.join(map(str, study.seeds))}"):
        table.add_column(head, overflow="fold")
    for key, marks in rows.items():
        table.add_row(*key, Text(" ").join(marks))
    console.print(table)
    totals = [console.mark(state) + Text(f" {counts[state]} {state}") for state in MARKS]
    console.print(Text(", ").join(totals))


def _print_time_left(statuses: Iterable[CellStatus]) -> None:
    seconds, unknown = seconds_left(statuses)
    if seconds:
        console.print(f"left: about {duration(seconds)} of training on one core, start-up apart")
    if unknown:
        console.print(f"time unknown, as no cell is done yet: {', '.join(unknown)}")


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


def _print_notices(study: Study) -> None:
    """Say which learning rates are not chosen, and if another configuration made the results."""
    unchosen = [
        f"{model}/{activation}"
        for model in study.models
        for activation in study.activations_of(model)
        if study.tuning and not choice_is_current(study, model, activation)
    ]
    if unchosen:
        console.lines(f"Learning rates not chosen yet; a run does that: {', '.join(unchosen)}")
    recorded = recorded_study(study)
    if recorded and recorded.differs:
        console.lines(
            f"{study.results}/study.json: the last run had another configuration: "
            f"{', '.join(recorded.differs)}; its command: {recorded.command}"
        )


def _print_repairs(result: Verification, command: str, limit: int | None) -> None:
    """Print the commands that mend the problems, and what can only be mended elsewhere."""
    repair = repairs(result.plan, result.problems, command)
    if repair.elsewhere:
        console.lines("To be trained again where there is a GPU:")
        _print_problems(result.plan.study, repair.elsewhere, limit)
    console.lines("To repair:")
    for line in repair.commands:
        console.lines(f"  {line}")
