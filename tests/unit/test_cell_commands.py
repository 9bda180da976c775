"""`reprocore status`, `sample` and `train`: the state of every cell, and one cell alone."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import rewrite, tiny_config
from reprocore.data.probe import Probe, build_probe, write_probe
from reprocore.data.tokens import Corpus
from reprocore.pipeline.plan import Plan
from reprocore.pipeline.status import seconds_left, study_status
from reprocore.pipeline.verification.repair import Action, action_for
from reprocore.pipeline.verification.verify import verify
from reprocore.store.records import read_cell
from reprocore.study.cells import Cell
from reprocore.study.study import load_study
from reprocore.training.cell import train_cell
from reprocore.training.checkpoint import StoppedError

TRAINING = tiny_config()["training"]
FASTER = {**TRAINING, "learning_rate": 0.5}


class TestStatus:
    def test_every_cell_has_its_state(self, study_file: Path) -> None:
        states = {
            status.cell.key: status.state
            for status in study_status(Plan.of(load_study(study_file)))
        }
        assert states["charlm/relu/all-1"] == "done"
        assert states["charlm/relu/all-2"] == "failed"
        assert states["charlm/swiglu/all-1"] == "missing"
        assert states["big/relu/all-1"] == "not runnable"

    def test_a_cell_of_other_settings_is_stale(self, study_file: Path) -> None:
        rewrite(study_file, training=FASTER)
        first = study_status(Plan.of(load_study(study_file)))[0]
        assert (first.cell.key, first.state) == ("charlm/relu/all-1", "stale")

    def test_a_cell_without_one_of_its_files_is_not_done(self, study_file: Path) -> None:
        study = load_study(study_file)
        (Cell("charlm", "relu", "all", 1).folder(study.results) / "history.parquet").unlink()
        status = study_status(Plan.of(study))[0]
        assert (status.state, status.reason) == ("damaged", "history.parquet: no such file")

    def test_a_stopped_cell_has_begun_unless_its_checkpoint_is_of_other_settings(
        self, study_file: Path, tiny_corpus: Corpus, tiny_probe: Probe
    ) -> None:
        study, cell = load_study(study_file), Cell("charlm", "relu", "all", 3)

        def progress(row: Any, _total: int, _left: float) -> None:
            signal.raise_signal(signal.SIGTERM)

        with pytest.raises(StoppedError):
            train_cell(study, cell, tiny_corpus, tiny_probe, cell.folder(study.results), progress)
        status = study_status(Plan.of(study))[2]
        assert (status.cell, status.state, status.reason) == (cell, "begun", "iteration 1 of 8")
        rewrite(study_file, training=FASTER)
        assert study_status(Plan.of(load_study(study_file)))[2].state == "missing"

    def test_the_time_left_is_the_measured_rate_times_the_cells(self, study_file: Path) -> None:
        statuses = study_status(Plan.of(load_study(study_file)))
        wall = statuses[0].wall_seconds
        assert wall is not None
        seconds, unknown = seconds_left(statuses)
        assert seconds == pytest.approx(5 * wall)
        assert unknown == []

    def test_it_prints_the_matrix_and_the_reason_of_a_failure(
        self, command: Any, study_file: Path
    ) -> None:
        code, out, _ = command("status", "--configfile", study_file)
        assert code == 0
        assert re.search(r"charlm +relu +all +✓ ✗ ·", out)
        assert "failed charlm/relu/all-2: the loss became nan" in out
        assert "✓ 1 done, ~ 0 stale, ! 0 damaged, ✗ 1 failed, › 0 begun, · 4 missing, –" in out


class TestSample:
    def test_a_sample_continues_the_prompt_and_repeats(
        self, command: Any, study_file: Path
    ) -> None:
        cell = ("charlm/relu/1", "-c", study_file)
        arguments = ("sample", *cell, "--length", 30, "--prompt", "the ")
        code, out, _ = command(*arguments)
        assert code == 0
        assert out.startswith("the ")
        assert len(out) == len("the ") + 30 + 1
        assert command(*arguments)[1] == out

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("charlm/relu/1", "--prompt", "é"), "'é' is not in the corpus"),
            (("charlm/relu/3",), "train the cell first"),
        ],
        ids=["a prompt outside the corpus", "a cell that is not trained"],
    )
    def test_what_cannot_be_sampled_is_said(
        self, command: Any, study_file: Path, arguments: tuple[str, ...], told: str
    ) -> None:
        code, _, err = command("sample", *arguments, "-c", study_file)
        assert code == 1
        assert told in err


class TestTrain:
    def test_training_one_cell_makes_the_same_files_as_the_library(
        self, command: Any, study_file: Path
    ) -> None:
        folder = Cell("charlm", "relu", "all", 1).folder(load_study(study_file).results)
        before = (folder / "weights.safetensors").read_bytes()
        (folder / "weights.safetensors").unlink()
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file)
        assert code == 0
        assert "iteration 8/8" in out
        assert (folder / "weights.safetensors").read_bytes() == before

    def test_a_finished_cell_is_trained_again_only_by_force(
        self, command: Any, study_file: Path
    ) -> None:
        path = Cell("charlm", "relu", "all", 1).folder(load_study(study_file).results) / "cell.json"
        before = path.read_bytes()
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file)
        assert (code, out) == (0, "charlm/relu/all-1 is done; --force trains it again\n")
        assert path.read_bytes() == before
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file, "--force")
        assert code == 0
        assert "iteration 8/8" in out
        assert path.read_bytes() != before

    def test_a_stale_cell_is_trained(self, command: Any, study_file: Path) -> None:
        rewrite(study_file, training={**TRAINING, "iterations": 6})
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file)
        assert code == 0
        assert "iteration 6/6" in out

    def test_a_cell_whose_description_is_damaged_is_trained_again(
        self, command: Any, study_file: Path
    ) -> None:
        path = Cell("charlm", "relu", "all", 1).folder(load_study(study_file).results) / "cell.json"
        identity = read_cell(path)["identity"]
        path.write_text(path.read_text().replace('"val_loss": ', '"val_loss": 1'))
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file)
        assert code == 0
        assert "iteration 8/8" in out
        assert read_cell(path)["identity"] == identity

    def test_a_broken_activation_is_refused_before_training(
        self, command: Any, study_file: Path, user_module: Any
    ) -> None:
        user_module("dead", "def dead(x):\n    return x * 0\n")
        custom = {"own": {"path": "dead:dead"}}
        rewrite(study_file, activations=["relu", "own"], custom_activations=custom)
        code, out, err = command("train", "charlm/own/1", "-c", study_file)
        assert code == 1
        assert err == "error: charlm/own: activation 'own' never reaches the model's output\n"
        assert "iteration" not in out


def test_a_cell_that_predicted_another_probe_is_made_again_by_force(
    study_file: Path, tiny_corpus: Corpus
) -> None:
    study = load_study(study_file)
    other = build_probe(tiny_corpus, context=32, positions=32, block=16)
    write_probe(Path(study.results) / "corpus/probe.parquet", other)
    result = verify(study)
    (problem,) = [p for p in result.problems if p.path == "cells/charlm/relu/all-1/cell.json"]
    assert (problem.state, problem.reason) == ("damaged", "predicted another probe than today's")
    # A run by itself would do nothing, since the settings are today's.
    assert action_for(result.plan, problem) is Action.FORCE
