"""What `status` prints of a study, and what other commands print of any."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from reprocore.pipeline.plan import Plan
from reprocore.pipeline.runs import has_run, recorded_study
from reprocore.pipeline.status import CellStatus, seconds_left, study_status
from reprocore.report.terminal import MARKS, console, duration
from reprocore.store.choices import choice_is_current
from reprocore.study.cells import Cell
from reprocore.study.study import Study


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
    print_notices(study)
    if has_run(study):
        _print_time_left(statuses)
    else:
        console.lines(f"Nothing has run yet. To start: {command}")


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
        key = (cell.model, cell.activation, cell.arm if cell.rate is None else _tried(study, cell))
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


def _tried(study: Study, cell: Cell) -> str:
    """Return which tuning cells stand in a row; their seeds are not the study's."""
    seeds = study.tuning.seeds if study.tuning else ()
    return f"tuning {cell.rate:g}, seeds {', '.join(map(str, seeds))}"


def _print_time_left(statuses: Iterable[CellStatus]) -> None:
    seconds, unknown = seconds_left(statuses)
    if seconds:
        console.print(f"left: about {duration(seconds)} of training on one core, start-up apart")
    if unknown:
        console.print(f"time unknown, as no cell is done yet: {', '.join(unknown)}")


def print_notices(study: Study) -> None:
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
