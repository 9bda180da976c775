"""What a quick look shows of cells and files, and what would mend it."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conftest import tiny_study
from reprocore.pipeline.plan import Plan, Problem, State
from reprocore.pipeline.verification.repair import repairs
from reprocore.store.files import write_json
from reprocore.store.identity import cell_identity, cell_settings
from reprocore.store.records import sealed, write_records
from reprocore.study.cells import CELL_FILES, Cell, cell_of_path
from reprocore.study.layout import tables_of_model
from reprocore.study.study import Study

CELL = Cell("charlm", "relu", "all", 1)


def write_cell(study: Study, cell: Cell, **changes: Any) -> Path:
    """Write a cell that is whole, but for what its files hold."""
    folder = cell.folder(study.results)
    folder.mkdir(parents=True)
    names = [name for name in CELL_FILES if name != "cell.json"]
    for name in names:
        (folder / name).write_bytes(b"content")
    described = {
        "cell": asdict(cell),
        "settings": cell_settings(study, cell),
        "identity": cell_identity(study, cell),
        "sha256": dict.fromkeys(names, hashlib.sha256(b"content").hexdigest()),
        "bytes": dict.fromkeys(names, 7),
    }
    write_json(folder / "cell.json", sealed({**described, **changes}))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return tiny_study(activations=["relu"], seeds=[1, 2], results=str(tmp_path), gpu="none")


def look(study: Study) -> tuple[State, dict[str, str]]:
    seen = Plan.of(study).looks[CELL]
    return seen.state, {Path(problem.path).name: problem.reason for problem in seen.problems}


def test_a_whole_cell_is_done_and_one_that_is_not_there_is_missing(study: Study) -> None:
    assert look(study) == (State.MISSING, {})
    write_cell(study, CELL)
    assert look(study) == (State.DONE, {})
    assert Plan.of(study).current == {CELL}


def test_a_cell_of_another_identity_is_stale(study: Study) -> None:
    write_cell(study, CELL, identity={"settings": "other", "source": "other"})
    assert look(study) == (State.STALE, {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"content, longer", "has another size than the file that was written"),
    ],
)
def test_a_cell_whose_file_is_seen_to_be_wrong_is_damaged(
    study: Study, content: bytes | None, reason: str
) -> None:
    path = write_cell(study, CELL) / "weights.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    assert look(study) == (State.DAMAGED, {"weights.safetensors": reason})


def test_a_file_of_a_cell_from_before_sizes_were_recorded_is_taken_as_it_is(study: Study) -> None:
    path = write_cell(study, CELL, bytes={}) / "weights.safetensors"
    path.write_bytes(b"content, longer")
    assert look(study) == (State.DONE, {})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"seed": 1', '"seed": 2'),
        lambda text: json.dumps(sealed(json.loads(text) | {"cell": {"model": "x"}})),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "digest"}),
    ],
    ids=["empty", "half", "changed", "no cell", "unsealed"],
)
def test_a_cell_json_that_is_not_as_written_is_damaged(study: Study, damage: Any) -> None:
    path = write_cell(study, CELL) / "cell.json"
    path.write_text(damage(path.read_text()))
    state, problems = look(study)
    assert (state, list(problems)) == (State.DAMAGED, ["cell.json"])


def test_a_file_is_held_against_its_record_without_being_read(study: Study) -> None:
    write_cell(study, CELL)
    name = "models/charlm/curves.parquet"
    path = Path(study.results) / name

    def problem() -> Problem | None:
        return Plan.of(study).file_problems.get(name)

    assert problem() == Problem(name, State.MISSING, "no such file")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    assert problem() == Problem(name, State.UNRECORDED, "no record says what made it")
    write_records(study.results, [str(path)], {"rule": "estimate", "inputs": {}})
    assert problem() is None
    path.write_bytes(b"CONTENT")
    assert problem() is None
    path.write_bytes(b"content, longer")
    assert problem() == Problem(
        name, State.DAMAGED, "has another size than the file that was written"
    )
    assert [p.path for p in Plan.of(study).damaged] == [name]


def test_a_partial_study_needs_nothing_that_is_made_for_training(study: Study) -> None:
    write_cell(study, CELL)
    whole, partial = study, study.model_copy(update={"partial": True})
    assert "corpus/tokens.parquet" in Plan.of(whole).file_problems
    wanted = Plan.of(partial).file_problems
    assert not [name for name in wanted if name.startswith(("corpus/", "preflight/"))]
    assert "models/charlm/curves.parquet" in wanted


COMMAND = "snakemake --configfile study.yaml"
FORCED = ["snakemake {path} --configfile study.yaml --force", "{command}"]


@pytest.mark.parametrize(
    ("path", "state", "expected"),
    [
        # What a run sees by itself needs no more than that run.
        ("cells/charlm/relu/all-1", "missing", ["{command}"]),
        ("cells/charlm/relu/all-1/cell.json", "stale", ["{command}"]),
        ("models/charlm/curves.parquet", "missing", ["{command}"]),
        ("corpus/tokens.parquet", "missing", ["{command}"]),
        (
            "models/charlm/curves.parquet",
            "stale",
            FORCED,
        ),
        (
            "models/charlm/curves.parquet",
            "unrecorded",
            FORCED,
        ),
        (
            "models/charlm/curves.parquet",
            "damaged",
            FORCED,
        ),
        (
            "corpus/tokens.parquet",
            "damaged",
            FORCED,
        ),
        (
            "cells/charlm/relu/all-1/cell.json",
            "damaged",
            FORCED,
        ),
        # No run makes these.
        ("cells/charlm/gelu/all-1/cell.json", "damaged", ["rm -f -- {path}"]),
        ("cells/charlm/relu/all-9/cell.json", "damaged", ["rm -f -- {path}"]),
        ("pairs/charlm/gelu/all.parquet", "damaged", ["rm -f -- {path}"]),
        ("study.json", "damaged", ["rm -f -- {path}"]),
        ("cells/charlm/relu/all-1/checkpoint.safetensors", "leftover", ["rm -f -- {path}"]),
    ],
)
def test_what_mends_a_problem(study: Study, path: str, state: str, expected: list[str]) -> None:
    plan = Plan.of(study)
    result = repairs(plan, [Problem(path, State(state), "")], COMMAND)
    full = f"{study.results}/{path}"
    assert result.commands == [line.format(command=COMMAND, path=full) for line in expected]
    assert result.elsewhere == []


@pytest.mark.parametrize("state", [State.DAMAGED, State.STALE])
def test_a_cell_that_cannot_be_trained_here_is_never_deleted(study: Study, state: State) -> None:
    model = study.models["charlm"]
    resources = model.resources.model_copy(update={"gpu": 1})
    gpu = model.model_copy(update={"resources": resources})
    plan = Plan.of(study.model_copy(update={"models": {**study.models, "charlm": gpu}}))
    problem = Problem("cells/charlm/relu/all-1/cell.json", state, "")
    result = repairs(plan, [problem], COMMAND)
    assert (result.commands, result.elsewhere) == ([], [problem])


def test_a_folder_in_the_place_of_a_file_is_removed_first(study: Study) -> None:
    path = Path(study.results) / "models/charlm/curves.parquet"
    path.mkdir(parents=True)
    plan = Plan.of(study)
    (problem,) = plan.damaged
    first, *_ = repairs(plan, [problem], COMMAND).commands
    assert first == f"rm -r -- {path}"


@pytest.mark.parametrize(
    ("path", "cell"),
    [
        ("cells/charlm/relu/all-1", CELL),
        ("cells/charlm/relu/all-1/cell.json", CELL),
        ("cells/charlm/relu/all-01/cell.json", None),
        ("cells/charlm/relu/notes.txt", None),
        ("cells/charlm", None),
        ("pairs/charlm/relu/all-1", None),
    ],
)
def test_the_cell_of_a_path(path: str, cell: Cell | None) -> None:
    assert cell_of_path(path) == cell


def test_tables_stay_where_predictions_behind_them_are_gone(tmp_path: Path) -> None:
    study = tiny_study(activations=["relu"], seeds=[1, 2], results=str(tmp_path), partial=True)
    first, _ = (write_cell(study, Cell("charlm", "relu", "all", seed)) for seed in (1, 2))
    for place in tables_of_model("charlm"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert Plan.of(study).archived == ()
    (first / "predictions.parquet").unlink()
    # One cell that still has its predictions must not make the tables anew from itself alone.
    plan = Plan.of(study)
    assert plan.archived == ("charlm",)
    assert len(plan.current) == 2
    # They are empty here. No run can make them again, so none is told to.
    problem = plan.file_problems["models/charlm/curves.parquet"]
    assert (problem.state, plan.damaged) == (State.DAMAGED, ())
    result = repairs(plan, [problem], COMMAND)
    assert (result.commands, result.archived) == ([], [problem])


def test_cells_that_cannot_be_used_nor_trained_again_are_named(tmp_path: Path) -> None:
    study = tiny_study(activations=["relu"], seeds=[1, 2, 3], results=str(tmp_path), partial=True)
    write_cell(study, CELL)
    stale = Cell("charlm", "relu", "all", 2)
    write_cell(study, stale, identity={"settings": "other", "source": "other"})
    assert list(Plan.of(study).left_out()) == [stale]
    whole = tiny_study(activations=["relu"], seeds=[1, 2, 3], results=str(tmp_path), gpu="none")
    assert list(Plan.of(whole).left_out()) == []


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_failed_check_whose_reason_is_lost_is_named(study: Study, content: str) -> None:
    path = Path(study.results) / "preflight/charlm/relu.failed.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert Plan.of(study).failed_preflights() == ["charlm/relu"]
    path.write_text('{"reason": "charlm/relu: broken"}')
    assert Plan.of(study).failed_preflights() == ["charlm/relu: broken"]
