"""What `status` and `verify` print of a study."""

from collections.abc import Iterable
from pathlib import Path

from reprocore.pipeline.plan import Problem
from reprocore.pipeline.runs import recorded_study
from reprocore.report.terminal import console
from reprocore.store.choices import choice_is_current
from reprocore.study.study import Study


def print_title(study: Study) -> None:
    """Print the title of a study and where its results lie."""
    # Not as the title of a table, which would break a long path.
    console.lines(f"{study.title}: {Path(study.results).absolute()}")


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


def print_problems(study: Study, problems: Iterable[Problem], limit: int | None) -> None:
    """Print a line for each problem, of each state no more than `limit`."""
    by_state: dict[str, list[Problem]] = {}
    for problem in problems:
        by_state.setdefault(problem.state, []).append(problem)
    for state, members in by_state.items():
        for problem in members[:limit]:
            console.lines(f"{study.results}/{problem.path}: {state}: {problem.reason}")
        if limit is not None and len(members) > limit:
            console.lines(f"and {len(members) - limit:,} more that are {state}; --all lists them")
