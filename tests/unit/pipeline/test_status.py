"""How much of a study is left to be trained here, by the state of its cells."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reprocore.pipeline.plan import Plan
from reprocore.pipeline.status import CellStatus, seconds_left, study_status
from reprocore.store.identity import cell_identity
from reprocore.study.cells import CHECKPOINT, Cell
from reprocore.study.study import Study, load_study
from reprocore.training.checkpoint import write_checkpoint

# Of 8 iterations that the cells of `study_file` take.
ITERATION = 2
Change = Callable[[Study, Cell], None]


def begin(study: Study, cell: Cell) -> None:
    """Write the checkpoint of a cell that was stopped."""
    origin = {"identity": cell_identity(study, cell)}
    path = cell.folder(study.results) / CHECKPOINT
    path.parent.mkdir(parents=True)
    write_checkpoint(path, {}, {"iteration": ITERATION, "origin": origin})


def fail(study: Study, cell: Cell) -> None:
    folder = cell.folder(study.results)
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text(json.dumps({"reason": "the loss became nan"}))


def damage(study: Study, cell: Cell) -> None:
    folder = cell.folder(study.results)
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text("")


def status_of(study: Study, cell: Cell) -> CellStatus:
    return next(status for status in study_status(Plan.of(study)) if status.cell == cell)


@pytest.mark.parametrize(
    ("change", "state"), [(fail, "failed"), (begin, "begun"), (damage, "damaged")]
)
def test_a_cell_that_cannot_be_trained_here_is_no_work_left_whatever_its_state(
    study_file: Path, change: Change, state: str
) -> None:
    study, cell = load_study(study_file), Cell("big", "relu", "all", 1)
    before = seconds_left(study_status(Plan.of(study)))
    change(study, cell)
    assert status_of(study, cell).state == state
    assert seconds_left(study_status(Plan.of(study))) == before


@pytest.mark.parametrize(("change", "left"), [(fail, 1), (begin, 0.75), (damage, 1)])
def test_of_a_cell_that_has_begun_only_the_iterations_that_are_left_count(
    study_file: Path, change: Change, left: float
) -> None:
    study, cell = load_study(study_file), Cell("charlm", "relu", "all", 3)
    before, _ = seconds_left(study_status(Plan.of(study)))
    change(study, cell)
    statuses = study_status(Plan.of(study))
    (wall,) = [status.wall_seconds for status in statuses if status.wall_seconds]
    after, unknown = seconds_left(statuses)
    assert before - after == pytest.approx((1 - left) * wall)
    assert unknown == []
