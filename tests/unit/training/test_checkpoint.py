"""A stopped cell resumes bit for bit; a checkpoint that is not its own or damaged is not used."""

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import MODELS, ROOT, fitting, one_line, tiny_config, tiny_study, with_training
from project import no_signal_ignored, started
from reprocore.data.probe import write_probe
from reprocore.data.tokens import write_corpus
from reprocore.errors import ReprocoreError
from reprocore.store.cell_schemas import HISTORY_SCHEMA
from reprocore.store.files import read_json, write_json
from reprocore.store.tables import read_table
from reprocore.study.cells import CELL_FILES, CHECKPOINT, Cell
from reprocore.study.study import parse_study
from reprocore.training.cell import train_cell as train
from reprocore.training.checkpoint import Clock, StoppedError, read_checkpoint, write_checkpoint

RESULTS = (
    *("weights.safetensors", "predictions.parquet"),
    *("evaluation.parquet", "continuations.parquet"),
)
TIMES = ("elapsed_s", "tokens_per_second")


def assert_same_results(one: Path, other: Path) -> None:
    for name in RESULTS:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    histories = [
        read_table(folder / "history.parquet", HISTORY_SCHEMA).drop_columns(TIMES).to_pydict()
        for folder in (one, other)
    ]
    assert histories[0] == histories[1]


@pytest.fixture
def stopping(tiny_corpus, tiny_probe, tmp_path):
    """Return a function that trains a cell and gives it a signal at a row of its history."""

    def run(study, cell: Cell, at: int, number: int = signal.SIGTERM) -> Path:
        def progress(row, _total, _left) -> None:
            if row.iteration == at:
                signal.raise_signal(number)

        folder = cell.folder(tmp_path / "results")
        with no_signal_ignored():
            train(study, cell, tiny_corpus, tiny_probe, folder, progress)
        return folder

    return run


STOPPED = [
    (model, activation, precision)
    for model in MODELS
    for activation, precision in (("prelu", "float32"), ("apl", "float32"), ("swiglu", "bfloat16"))
    if activation in fitting(model)
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "activation", "precision"), STOPPED)
def test_a_cell_that_is_stopped_twice_equals_one_that_is_not(
    train_cell, stopping, model, activation, precision
):
    study = tiny_study(
        activations=["prelu", "apl", "swiglu"],
        training=tiny_config()["training"] | {"precision": precision},
    )
    cell = Cell(model, activation, "all", 1)
    with pytest.raises(StoppedError) as error:
        stopping(study, cell, at=0)
    assert "stopped at iteration 1 of 8" in one_line(error)
    with pytest.raises(StoppedError, match="at iteration 5 of 8"):
        stopping(study, cell, at=4, number=signal.SIGINT)
    folder = stopping(study, cell, at=-1)
    whole, described = train_cell(study, model, activation, results="undisturbed")
    assert_same_results(folder, whole)
    resumed = read_json(folder / "cell.json")
    assert [part["until"] for part in resumed["earlier"]] == [1, 5]
    assert resumed["val_loss"] == described["val_loss"]
    assert described["earlier"] == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(CELL_FILES)


def test_a_stop_leaves_a_checkpoint_and_no_result_or_failure(stopping, tmp_path):
    cell = Cell("charlm", "gelu", "all", 1)
    write_json(cell.folder(tmp_path / "results") / "failed.json", {"reason": "of an earlier try"})
    with pytest.raises(StoppedError):
        stopping(tiny_study(), cell, at=4)
    assert [path.name for path in cell.folder(tmp_path / "results").iterdir()] == [CHECKPOINT]


NOISY = """
from torch import nn
from torch.nn import functional

class Noisy(nn.Module):
    def forward(self, x):
        return functional.dropout(functional.relu(x), 0.2, self.training)
"""


def test_what_a_users_module_draws_is_resumed_too(train_cell, stopping, user_module):
    user_module("noisy", NOISY)
    study = tiny_study(activations=["noise"], custom_activations={"noise": {"path": "noisy:Noisy"}})
    cell = Cell("tinylstm", "noise", "all", 1)
    with pytest.raises(StoppedError):
        stopping(study, cell, at=4)
    torch.manual_seed(99)
    folder = stopping(study, cell, at=-1)
    assert_same_results(folder, train_cell(study, "tinylstm", "noise", results="undisturbed")[0])


def test_under_slurm_sigterm_saves_and_the_job_continues(train_cell, stopping, monkeypatch, capfd):
    """Preemption: SLURM starts a job that stays again, and counts one that leaves as failed."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    seen = []
    write = os.replace

    def replace(source, target):
        seen.append(Path(target).name)
        write(source, target)

    monkeypatch.setattr(os, "replace", replace)
    folder = stopping(tiny_study(), Cell("charlm", "gelu", "all", 1), at=4)
    assert seen[0] == CHECKPOINT
    assert seen[-1] == "cell.json"
    assert sorted(seen[1:]) == sorted(CELL_FILES)
    assert_same_results(folder, train_cell(tiny_study(), "charlm", results="undisturbed")[0])


def test_under_slurm_ctrl_c_stops(stopping, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with pytest.raises(StoppedError):
        stopping(tiny_study(), Cell("charlm", "gelu", "all", 1), at=4, number=signal.SIGINT)


def test_the_handlers_of_signals_are_put_back(stopping):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(StoppedError):
        stopping(tiny_study(), Cell("charlm", "gelu", "all", 1), at=4)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_signal_that_is_ignored_stays_ignored():
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        clock = Clock(seconds=1000)
        with clock.listening():
            signal.raise_signal(signal.SIGHUP)
        assert not clock.due()
        assert not clock.stopping()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_setting_starts_from_the_beginning_with_a_notice(train_cell, stopping, capfd):
    cell, other = Cell("charlm", "gelu", "all", 1), with_training(learning_rate=1e-3)
    with pytest.raises(StoppedError):
        stopping(tiny_study(), cell, at=4)
    folder = stopping(other, cell, at=-1)
    assert "starts from the beginning" in capfd.readouterr().out
    assert_same_results(folder, train_cell(other, "charlm", results="undisturbed")[0])
    assert not (folder / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("versions", "torch"), "version of torch"),
        (("identity", "source"), "digest of source"),
        (("hardware", "device"), "device"),
    ],
)
def test_another_origin_starts_from_the_beginning_with_a_notice(
    stopping, tmp_path, capfd, keys, told
):
    cell = Cell("charlm", "gelu", "all", 1)
    path = cell.folder(tmp_path / "results") / CHECKPOINT
    with pytest.raises(StoppedError):
        stopping(tiny_study(), cell, at=4)
    tensors, values = read_checkpoint(path)
    values["origin"][keys[0]][keys[1]] = "another"
    write_checkpoint(path, tensors, values)
    folder = stopping(tiny_study(), cell, at=-1)
    assert (
        f"starts from the beginning because the checkpoint has another {told}\n"
        in capfd.readouterr().out
    )
    assert read_json(folder / "cell.json")["earlier"] == []


class Foreign:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("content", ["", "cut", "pickle", "torch", "noise"])
def test_a_damaged_or_foreign_checkpoint_starts_from_the_beginning_and_runs_no_code(
    train_cell, stopping, tmp_path, capfd, content
):
    cell, trace = Cell("charlm", "gelu", "all", 1), tmp_path / "trace"
    path = cell.folder(tmp_path / "results") / CHECKPOINT
    with pytest.raises(StoppedError):
        stopping(tiny_study(), cell, at=4)
    if content == "torch":
        torch.save({"model": Foreign(trace)}, path)
    else:
        whole = path.read_bytes()
        path.write_bytes(
            {
                "": b"",
                "cut": whole[: len(whole) // 2],
                "pickle": pickle.dumps(Foreign(trace)),
                "noise": os.urandom(len(whole)),
            }[content]
        )
    folder = stopping(tiny_study(), cell, at=-1)
    told = capfd.readouterr().out
    assert "starts from the beginning because the checkpoint cannot be used" in told
    assert "Traceback" not in told
    assert not trace.exists()
    assert_same_results(folder, train_cell(tiny_study(), "charlm", results="undisturbed")[0])


@pytest.fixture(scope="module")
def checkpoint_bytes(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / CHECKPOINT
    tensors = {"model.a": torch.arange(6.0).reshape(2, 3), "loss_sum": torch.tensor(1.5)}
    write_checkpoint(path, tensors, {"iteration": 3, "order": {"state": 2**100}})
    return path.read_bytes()


@pytest.mark.slow
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_goes_unnoticed(checkpoint_bytes, tmp_path, data):
    place = data.draw(st.integers(0, len(checkpoint_bytes) - 1))
    bit = data.draw(st.integers(0, 7))
    content = bytearray(checkpoint_bytes)
    content[place] ^= 1 << bit
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    wanted = (tmp_path / "whole").write_bytes(checkpoint_bytes) and read_checkpoint(
        tmp_path / "whole"
    )
    try:
        tensors, values = read_checkpoint(path)
    except ReprocoreError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:  # padding in the header, say
        assert values == wanted[1]
        assert tensors.keys() == wanted[0].keys()
        assert all(torch.equal(tensors[name], wanted[0][name]) for name in tensors)


SCRIPT = """
import json, sys, time
from pathlib import Path
from reprocore.training.cell import train_cell
from reprocore.study.study import parse_study
from reprocore.data.probe import read_probe
from reprocore.data.tokens import read_corpus
from reprocore.study.cells import CHECKPOINT, Cell
root = Path(sys.argv[1])
study = parse_study(json.loads((root / "study.json").read_text()))
cell = Cell("charlm", "gelu", "all", 1)
corpus, probe = read_corpus(root / "corpus.parquet"), read_probe(root / "probe.parquet")
def progress(row, total, left):
    print("row", row.iteration, flush=True)
    while row.iteration == 11 and not (root / "go").exists():
        time.sleep(0.05)
train_cell(study, cell, corpus, probe, cell.folder(root / "results"), progress)
"""


@pytest.fixture
def process(tiny_corpus, tiny_probe, tmp_path):
    """Return a function that starts a process which trains the cell, and pauses at row 11."""
    study = tiny_config()
    study["training"] |= {"iterations": 40, "evaluate_every": 1}
    study["models"]["charlm"]["resources"] = {"checkpoint_seconds": 0}
    (tmp_path / "study.json").write_text(json.dumps(study))
    write_corpus(tmp_path / "corpus.parquet", tiny_corpus)
    write_probe(tmp_path / "probe.parquet", tiny_probe)
    processes = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        processes.append(started(command, stdout=subprocess.PIPE, env=variables))
        return processes[-1]

    yield start
    for each in processes:
        each.kill()
        each.communicate()


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted in line:
            return
    raise AssertionError(f"ended before {wanted!r}")


WAITING = "another process trains this cell; waiting for it"


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_the_steps_since_its_checkpoint(
    process, train_cell, tmp_path
):
    first = process()
    wait_for_line(first, "row 11")
    first.kill()
    first.wait()
    (tmp_path / "go").touch()
    second = process()
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    study = parse_study(json.loads((tmp_path / "study.json").read_text()))
    whole, _ = train_cell(study, "charlm", results="undisturbed")
    folder = Cell("charlm", "gelu", "all", 1).folder(tmp_path / "results")
    assert_same_results(folder, whole)
    assert [part["until"] for part in read_json(folder / "cell.json")["earlier"]] == [11]
    assert "resumes from iteration 11 of " in output
    assert sorted(path.name for path in folder.iterdir()) == sorted(CELL_FILES)


@pytest.mark.slow
def test_a_second_process_waits_and_takes_what_the_first_has_made(process, tmp_path):
    """What is left behind by a killed Snakemake meets the next one at the same cell."""
    first = process()
    wait_for_line(first, "row 11")
    second = process()
    wait_for_line(second, WAITING)
    (tmp_path / "go").touch()
    outputs = [each.communicate(timeout=120)[0] for each in (first, second)]
    assert [each.returncode for each in (first, second)] == [0, 0]
    assert "row 40" in outputs[0]
    assert "row" not in outputs[1]
    assert "the other process has trained it" in outputs[1]


@pytest.mark.slow
def test_a_second_process_resumes_where_the_first_is_killed(process, tmp_path):
    first = process()
    wait_for_line(first, "row 11")
    second = process()
    wait_for_line(second, WAITING)
    first.kill()
    (tmp_path / "go").touch()
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert "resumes from iteration" in output
