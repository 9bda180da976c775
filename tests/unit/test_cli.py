"""The command line: what it prints, and its one-line errors."""

import io
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from conftest import one_line, tiny_config
from project import REPROCORE, started
from reprocore.analysis.arrays import compare_arrays, load_array
from reprocore.data.probe import Probe, write_probe
from reprocore.data.tokens import Corpus, decode, write_corpus
from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import Plan
from reprocore.pipeline.status import seconds_left, study_status
from reprocore.pipeline.verification.verify import verify
from reprocore.report.terminal import PlainConsole
from reprocore.statistics.divergence import churn, relative_pd
from reprocore.store.schemas import PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell, parse_cell
from reprocore.study.study import load_study
from reprocore.training.cell import train_cell
from reprocore.training.checkpoint import StoppedError
from reprocore.vocabulary import MEASURES


@pytest.fixture
def study_file(
    tmp_path: Path, tiny_corpus: Corpus, tiny_probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A study with one cell done, one failed and the rest missing."""
    monkeypatch.chdir(tmp_path)
    content = tiny_config(activations=["relu", "swiglu"], results=str(tmp_path / "out"))
    content["models"] = {"charlm": content["models"]["charlm"]}
    content["models"]["big"] = {**content["models"]["charlm"], "resources": {"gpu": 1}}
    content["gpu"] = "none"
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    study = load_study(path)
    write_corpus(tmp_path / "out/corpus/tokens.parquet", tiny_corpus)
    write_probe(tmp_path / "out/corpus/probe.parquet", tiny_probe)
    cell = Cell("charlm", "relu", "all", 1)
    train_cell(study, cell, tiny_corpus, tiny_probe, cell.folder(study.results))
    failed = Cell("charlm", "relu", "all", 2).folder(study.results)
    failed.mkdir(parents=True)
    (failed / "failed.json").write_text(json.dumps({"reason": "the loss became nan"}))
    return path


def distributions(count: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.dirichlet(np.ones(5), size=20) for _ in range(count)]


def save_all(folder: Path, arrays: list[np.ndarray]) -> list[Path]:
    paths = [folder / f"{index}.npy" for index in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        np.save(path, array)
    return paths


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
        content = yaml.safe_load(study_file.read_text())
        content["training"]["learning_rate"] = 0.5
        study_file.write_text(yaml.safe_dump(content, sort_keys=False))
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
        content = yaml.safe_load(study_file.read_text())
        content["training"]["learning_rate"] = 0.5
        study_file.write_text(yaml.safe_dump(content, sort_keys=False))
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


class TestCompare:
    def test_two_files_have_every_measure_but_no_interval(
        self, command: Any, tmp_path: Path
    ) -> None:
        p, q = distributions(2)
        code, out, _ = command("compare", *save_all(tmp_path, [p, q]))
        assert code == 0
        assert "2 models, 1 pair\n" in re.sub(" +\n", "\n", out)
        assert f"{relative_pd(p, q):.4f}" in out
        assert f"{churn(p, q):.4f}" in out
        assert "No interval: 2 seeds, needs 3" in out

    def test_three_files_have_an_interval(self, command: Any, tmp_path: Path) -> None:
        arrays = distributions(3)
        code, out, _ = command("compare", *save_all(tmp_path, arrays))
        assert code == 0
        _, values, estimates = compare_arrays([load_array(tmp_path / f"{i}.npy") for i in range(3)])
        estimate = estimates["churn"]
        assert estimate.estimate == pytest.approx(values["churn"].mean())
        # To the second digit of half the interval.
        assert 0.1 <= (estimate.high - estimate.low) / 2 < 1
        assert f" {estimate.low:.2f} " in out

    def test_no_number_is_cut_on_a_narrow_terminal(
        self, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("reprocore.cli.console", PlainConsole(width=60, highlight=False))
        code, out, _ = command("compare", *save_all(tmp_path, distributions(3)))
        assert code == 0
        assert "…" not in out

    def test_npz_and_parquet_of_the_same_numbers_differ_by_nothing(
        self, tmp_path: Path, study_file: Path
    ) -> None:
        study = load_study(study_file)
        stored = Cell("charlm", "relu", "all", 1).folder(study.results) / "predictions.parquet"
        own = load_array(stored)
        path = tmp_path / "copy.npz"
        np.savez(path, probabilities=own.probabilities, targets=own.targets)
        _, values, _ = compare_arrays([own, load_array(path)])
        assert values["relative_pd"][0] == 0
        assert values["relative_pd_true"][0] == 0

    def test_an_earlier_step_can_be_chosen(self, study_file: Path) -> None:
        study = load_study(study_file)
        stored = Cell("charlm", "relu", "all", 1).folder(study.results) / "predictions.parquet"
        with pytest.raises(ReprocoreError) as error:
            load_array(stored, step=3)
        assert "allowed: 2, 4, 8" in one_line(error)
        assert not np.array_equal(
            load_array(stored, 2).probabilities, load_array(stored).probabilities
        )

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda p: p - 0.1, "must be 0 or more"),
            (lambda p: 2 * p, "must be 1 within"),
            (lambda p: np.where(p == p[3, 2], np.nan, p), "position 3, symbol 2, must be finite"),
            (lambda p: p[:10], "shape"),
            (lambda p: p.astype(str), "must be real numbers"),
            (lambda p: p[0], "2-D"),
        ],
        ids=["negative", "sum", "nan", "shape", "text", "one row"],
    )
    def test_bad_numbers_end_in_one_line(
        self, command: Any, tmp_path: Path, change: Any, told: str
    ) -> None:
        p, q = distributions(2)
        code, _, err = command("compare", *save_all(tmp_path, [p, change(q)]))
        assert code == 1
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "1.npy" in err
        assert told in err

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            ("absent.npy", None, "no such file"),
            ("empty.npy", b"", "not a numpy array file"),
            ("text.npy", b"hello", "not a numpy array file"),
            ("broken.npz", b"PK\x03\x04broken", "not a numpy array file"),
            ("broken.parquet", b"PAR1broken", "not a whole Parquet file"),
            ("table.csv", b"1,2", "allowed are files that end in"),
        ],
    )
    def test_bad_files_end_in_one_line(
        self, command: Any, tmp_path: Path, name: str, content: bytes | None, told: str
    ) -> None:
        (good,) = save_all(tmp_path, distributions(1))
        if content is not None:
            (tmp_path / name).write_bytes(content)
        code, _, err = command("compare", good, tmp_path / name)
        assert code == 1
        assert err.count("\n") == 1
        assert name in err
        assert told in err

    def test_a_pickle_is_never_loaded(self, command: Any, tmp_path: Path) -> None:
        np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        (good,) = save_all(tmp_path, distributions(1))
        code, _, err = command("compare", good, tmp_path / "evil.npy")
        assert code == 1
        assert "evil.npy" in err

    def test_one_file_is_too_few(self, command: Any, tmp_path: Path) -> None:
        code, _, err = command("compare", *save_all(tmp_path, distributions(1)))
        assert code == 1
        assert "at least 2" in err


class TestSampleAndTrain:
    def test_a_sample_continues_the_prompt_and_repeats(
        self, command: Any, study_file: Path
    ) -> None:
        arguments = (
            "sample",
            "charlm/relu/1",
            "-c",
            study_file,
            "--length",
            30,
            "--prompt",
            "the ",
        )
        code, out, _ = command(*arguments)
        assert code == 0
        assert out.startswith("the ")
        assert len(out) == len("the ") + 30 + 1
        assert command(*arguments)[1] == out

    def test_a_prompt_outside_the_corpus_is_refused(self, command: Any, study_file: Path) -> None:
        code, _, err = command("sample", "charlm/relu/1", "-c", study_file, "--prompt", "é")
        assert code == 1
        assert "'é' is not in the corpus" in err

    def test_a_cell_that_is_not_trained_is_named(self, command: Any, study_file: Path) -> None:
        code, _, err = command("sample", "charlm/relu/3", "-c", study_file)
        assert code == 1
        assert "train the cell first" in err

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
        content = yaml.safe_load(study_file.read_text())
        content["training"]["iterations"] = 6
        study_file.write_text(yaml.safe_dump(content, sort_keys=False))
        code, out, _ = command("train", "charlm/relu/1", "-c", study_file)
        assert code == 0
        assert "iteration 6/6" in out

    def test_a_broken_activation_is_refused_before_training(
        self, command: Any, study_file: Path, user_module: Any
    ) -> None:
        user_module("dead", "def dead(x):\n    return x * 0\n")
        content = yaml.safe_load(study_file.read_text())
        content |= {
            "activations": ["relu", "own"],
            "custom_activations": {"own": {"path": "dead:dead"}},
        }
        study_file.write_text(yaml.safe_dump(content, sort_keys=False))
        code, out, err = command("train", "charlm/own/1", "-c", study_file)
        assert code == 1
        assert err == "error: charlm/own: activation 'own' never reaches the model's output\n"
        assert "iteration" not in out

    @pytest.mark.parametrize(
        ("key", "told"),
        [
            ("charlmm/relu/1", "no model 'charlmm'; allowed: charlm, big"),
            ("charlm/gelu/1", "no activation 'gelu'; allowed: relu, swiglu"),
            ("charlm/relu/9", "no cell '9'; allowed: all-1, all-2, all-3"),
            ("charlm", "no activation"),
        ],
    )
    def test_an_unknown_cell_is_told_what_there_is(
        self, study_file: Path, key: str, told: str
    ) -> None:
        with pytest.raises(ReprocoreError) as error:
            parse_cell(load_study(study_file), key)
        assert told in one_line(error)

    def test_a_missing_config_is_named(self, command: Any, tmp_path: Path) -> None:
        code, _, err = command("status", "-c", tmp_path / "absent.yaml")
        assert code == 1
        assert err == f"error: {tmp_path / 'absent.yaml'}: no such file\n"


class TestPilot:
    @pytest.fixture
    def with_text(self, study_file: Path, tiny_corpus: Corpus, tmp_path: Path) -> Path:
        text = tmp_path / "text.txt"
        text.write_text(decode(tiny_corpus.tokens, tiny_corpus.symbols))
        content = yaml.safe_load(study_file.read_text())
        content["corpus"] = {"source": "file", "path": str(text)}
        study_file.write_text(yaml.safe_dump(content, sort_keys=False))
        return study_file

    @pytest.mark.slow
    def test_it_says_what_shows_and_how_surely(self, command: Any, with_text: Path) -> None:
        options = ("-c", with_text, "--iterations", 4, "--seeds", 3)
        code, out, err = command("pilot", "charlm", *options)
        assert code == 0, err
        assert out.count("training charlm/") == 6
        assert re.search(r"swiglu +relu +\d\.\d+ +\d\.\d+ +\d\.\d+ +undecided", out)
        assert "After 50% of the training" in out
        assert "3 seeds, a verdict needs 4" in out

    @pytest.mark.slow
    def test_two_seeds_give_no_recommendation(self, command: Any, with_text: Path) -> None:
        options = ("-c", with_text, "--iterations", 4, "--seeds", 2)
        code, out, _ = command("pilot", "charlm", *options)
        assert code == 0
        assert "No recommendation: 2 seeds, needs 3" in out
        assert "nan" not in out.lower()

    @pytest.mark.slow
    def test_a_pilot_that_was_killed_resumes_with_the_cell_that_was_missing(
        self, command: Any, with_text: Path
    ) -> None:
        options = ("-c", str(with_text), "--iterations", "4", "--seeds", "2")
        cells = Path(load_study(with_text).results) / "pilot/charlm-4/cells/charlm/relu"
        with started([*REPROCORE, "pilot", "charlm", *options], cwd=with_text.parent) as process:
            while not (cells / "all-1/cell.json").is_file():
                assert process.poll() is None
                time.sleep(0.01)
            process.terminate()
            assert process.wait(timeout=60) != 0
        kept = (cells / "all-1/cell.json").read_bytes()
        code, out, err = command("pilot", "charlm", *options)
        assert code == 0, err
        assert "training charlm/relu/all-1" not in out
        assert "training charlm/swiglu/all-2" in out
        assert (cells / "all-1/cell.json").read_bytes() == kept

    @pytest.mark.slow
    def test_a_second_pilot_trains_only_what_is_new(self, command: Any, with_text: Path) -> None:
        options = ("-c", with_text, "--iterations", 4, "--seeds")
        assert command("pilot", "charlm", *options, 2)[0] == 0
        code, out, _ = command("pilot", "charlm", *options, 3)
        assert code == 0
        assert "4 cells are done already" in out
        assert re.findall(r"^training (\S+)", out, re.M) == [
            "charlm/relu/all-3",
            "charlm/swiglu/all-3",
        ]

    def test_the_cells_of_a_pilot_are_no_foreign_files(self, command: Any, with_text: Path) -> None:
        options = ("-c", with_text, "--iterations", 4, "--seeds", 2)
        assert command("pilot", "charlm", *options)[0] == 0
        result = verify(load_study(with_text))
        assert not [p for p in (*result.problems, *result.kept) if p.path.startswith("pilot")]

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("absent",), "no model 'absent'; allowed: charlm, big"),
            (("charlm", "--iterations", 9), "iterations: 9; allowed: 2 to 8"),
            (("charlm", "--iterations", 4, "--seeds", 4), "seeds: 4; allowed: 2 to 3"),
        ],
    )
    def test_what_the_study_does_not_have_is_refused(
        self, command: Any, with_text: Path, arguments: tuple, told: str
    ) -> None:
        code, _, err = command("pilot", *arguments, "-c", with_text)
        assert code == 1
        assert told in err


SHARES = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong", "flips")


class TestPlan:
    def file(self, folder: Path, **keys: Any) -> Path:
        content = tiny_config(activations=["relu", "gelu"], results=str(folder / "out"))
        content |= {"seeds": [1, 2, 3, 4, 5], **keys}
        (folder / "study.yaml").write_text(yaml.safe_dump(content), "utf-8")
        return folder / "study.yaml"

    def pairs(self, folder: Path, noise: float) -> None:
        rng = np.random.default_rng(0)
        for activation in ("relu", "gelu"):
            rows = [
                {"model": "charlm", "activation": activation, "arm": "all", "step": 8}
                | {"seed_a": a, "seed_b": b}
                | dict.fromkeys(SHARES, 0.1)
                | dict.fromkeys(MEASURES, 0.5 + noise * float(rng.standard_normal()))
                for a, b in itertools.combinations(range(1, 6), 2)
            ]
            path = folder / "out/pairs/charlm" / activation / "all.parquet"
            write_table(path, pa.Table.from_pylist(rows, schema=PAIRS_SCHEMA))
        (folder / "out/study.json").write_text("{}", "utf-8")

    def test_without_results_it_takes_what_is_shipped(self, command: Any, tmp_path: Path) -> None:
        code, out, err = command("plan", "-c", self.file(tmp_path), "--directory", tmp_path)
        assert code == 0, err
        assert re.search(r"charlm +2 +5 +\d+\.\d% +\d+\.\d% +\d+\.\d% +reference", out)

    def test_with_results_it_takes_those(self, command: Any, tmp_path: Path) -> None:
        found = []
        for noise in (0.01, 0.05):
            self.pairs(tmp_path, noise)
            code, out, err = command("plan", "-c", self.file(tmp_path), "--directory", tmp_path)
            assert code == 0, err
            assert {"5", "seeds", "of", "earlier", "results"} <= set(out.split())
            found.append(float(re.search(r"charlm +2 +5 +(\d+\.\d)%", out)[1]))
        assert 3 * found[0] < found[1]

    @pytest.mark.parametrize(
        ("keys", "why"),
        [
            ({"seeds": [1, 2, 3]}, "3 seeds, a verdict needs 4"),
            ({"activations": ["relu"]}, "one activation"),
        ],
    )
    def test_what_cannot_be_planned_is_said(
        self, command: Any, tmp_path: Path, keys: dict[str, Any], why: str
    ) -> None:
        file = self.file(tmp_path, **keys)
        code, out, err = command("plan", "-c", file, "--directory", tmp_path)
        assert code == 0, err
        assert set(why.split()) <= set(out.split())


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, reprocore.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"matplotlib", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "snakemake", "torch"}
    assert not heavy & {*done.stdout.split()}


HOSTILE = "study [/red] \x1b[31mred\u202e :smile: [link=x]\x07"
SHOWN = r"study [/red] \x1b[31mred\u202e :smile: [link=x]\x07"


def with_title(study_file: Path, title: str) -> Path:
    content = yaml.safe_load(study_file.read_text())
    study_file.write_text(yaml.safe_dump({**content, "title": title}, sort_keys=False))
    return study_file


class TestTextOfOthers:
    @pytest.mark.parametrize("name", ["status", "verify"])
    def test_a_title_is_printed_as_it_is(self, command: Any, study_file: Path, name: str) -> None:
        _, out, err = command(name, "-c", with_title(study_file, HOSTILE))
        assert SHOWN in " ".join(out.split())
        assert err == ""
        assert not {"\x1b", "\x07", "\u202e"} & {*out}

    def test_a_reason_is_printed_as_it_is(self, command: Any, study_file: Path) -> None:
        failed = Cell("charlm", "relu", "all", 2).folder("out") / "failed.json"
        failed.write_text(json.dumps({"reason": f"[bold]{HOSTILE}"}))
        _, out, _ = command("status", "-c", study_file)
        assert f"failed charlm/relu/all-2: [bold]{SHOWN}" in out

    def test_a_path_is_printed_as_it_is(self, command: Any, study_file: Path) -> None:
        Path("out/pairs").mkdir()
        (Path("out/pairs") / "a\x1b[2J[red]\nb\udcff").write_text("")
        _, out, _ = command("verify", "-c", study_file)
        assert r"out/pairs/a\x1b[2J[red]" in out
        assert "\x1b" not in out
        for arguments in (("compare", "a\x1b[2J"), ("status", "-c", "a\x1b[2J"), ("a\x1b[2J",)):
            code, _, err = command(*arguments)
            assert code != 0
            assert r"a\x1b[2J" in err
            assert "\x1b" not in err

    @pytest.mark.slow
    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_a_terminal_without_unicode_is_enough(self, study_file: Path, encoding: str) -> None:
        with_title(study_file, "Étude № 5 μ")
        for name in ("status", "verify"):
            done = subprocess.run(
                [sys.executable, "-m", "reprocore", name, "-c", study_file],
                capture_output=True,
                env={**os.environ, "PYTHONIOENCODING": encoding},
            )
            assert done.stderr == b""
            assert "tude" in done.stdout.decode(encoding)
            if name == "status" and encoding != "utf-8":
                assert re.search(
                    r"charlm +\| relu +\| all +\| \+ x \. ", done.stdout.decode(encoding)
                )

    @pytest.mark.slow
    def test_a_reader_that_ends_early_is_no_error(self, study_file: Path) -> None:
        line = f"{sys.executable} -m reprocore verify -c {study_file} | true"
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def header_only(shape: tuple[int, int]) -> bytes:
    """An array file that declares a shape and holds next to nothing."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(64)


FILES = {
    "plain.npy": b"a plain text, saved under a wrong name\n" * 20,
    "numbers.npy": b"0.5 0.5\n0.4 0.6\n",
    "magic.npy": b"\x93NUMPY and then a plain text that goes on for a while",
    "huge.npy": header_only((10**12, 65)),
    "beyond.npy": header_only((2**62, 2**62)),
    "negative.npy": header_only((-1, 65)),
    "none.npy": header_only((0, 5)),
    "noise.npz": b"PK\x03\x04" + bytes(range(256)),
    "plain.npz": b"no zip at all",
    "plain.parquet": b"no table at all",
    "no_suffix": b"",
}
ARGUMENTS = {
    "no such command": ("statu",),
    "no such option": ("status", "--colour"),
    "an option without its value": ("status", "-c"),
    "a missing argument": ("train",),
    "an argument too many": ("status", "charlm"),
    "no number": ("pilot", "charlm", "--iterations", "many"),
    "half a number": ("pilot", "charlm", "--seeds", "2.5"),
    "too few": ("pilot", "charlm", "--iterations", "1"),
    "an impossible level": ("compare", "0.npy", "1.npy", "2.npy", "--confidence", "2"),
    "no level": ("compare", "0.npy", "1.npy", "2.npy", "--confidence", "nan"),
    "a step of arrays": ("compare", "0.npy", "1.npy", "--step", "3"),
    "a folder for a file": ("status", "-c", "."),
    "an empty name": ("status", "-c", ""),
    "nothing to compare": ("compare", "", ""),
    "a cell of nowhere": ("train", "../../etc/passwd"),
    "no cell": ("sample", ""),
    "a temperature of nan": ("sample", "charlm/relu/1", "--temperature", "nan"),
    "an infinite temperature": ("sample", "charlm/relu/1", "--temperature", "inf"),
    "no text": ("sample", "charlm/relu/1", "--length", "0"),
    "a seed below 0": ("sample", "charlm/relu/1", "--seed", "-1"),
    "an empty prompt": ("sample", "charlm/relu/1", "--prompt", ""),
    "a text that is not there": ("pilot", "charlm", "--iterations", "4"),
}


class TestBadInput:
    @pytest.mark.parametrize("name", FILES)
    def test_a_bad_file_is_one_line(self, command: Any, tmp_path: Path, name: str) -> None:
        (good,) = save_all(tmp_path, distributions(1))
        (tmp_path / name).write_bytes(FILES[name])
        code, out, err = command("compare", good, tmp_path / name)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith(f"error: {tmp_path / name}: ")
        assert "pickle" not in err

    @pytest.mark.parametrize("case", ARGUMENTS)
    def test_a_bad_argument_is_one_line(
        self, command: Any, study_file: Path, case: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_all(Path.cwd(), distributions(3))
        content = yaml.safe_load(study_file.read_text())
        content["corpus"] = {"source": "file", "path": "absent.txt"}
        Path("config").mkdir()
        Path("config/config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        code, out, err = command(*ARGUMENTS[case])
        assert code in (1, 2), out
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "Input should" not in err

    def test_a_refused_command_says_where_to_read_on(self, command: Any) -> None:
        _, _, err = command("statu")
        assert err == (
            "error: no such command 'statu'; did you mean 'status'? see reprocore --help\n"
        )
        _, _, err = command("pilot", "charlm", "--iterations", "x")
        assert err == (
            "error: invalid value for '--iterations': must be a whole number; "
            "see reprocore pilot --help\n"
        )

    def test_results_among_other_files_are_refused_by_every_command(
        self, command: Any, study_file: Path
    ) -> None:
        Path("src").mkdir()
        Path("src/module.py").write_text("")
        content = yaml.safe_load(study_file.read_text())
        study_file.write_text(yaml.safe_dump({**content, "results": "src"}, sort_keys=False))
        for name in (("status",), ("verify",), ("train", "charlm/relu/1")):
            code, out, err = command(*name, "-c", study_file)
            assert (code, out, err.count("\n")) == (1, "", 1)
            assert "is in src, a folder of the project itself" in err
        assert [*Path("src").iterdir()] == [Path("src/module.py")]

    def test_the_corpus_is_made_by_the_command_that_is_named(
        self, command: Any, study_file: Path
    ) -> None:
        Path("out/corpus/tokens.parquet").unlink()
        _, _, err = command("train", "charlm/relu/1", "-c", study_file, "--force")
        assert "out/corpus/tokens.parquet: no such file; make it with: snakemake " in err
        made = shlex.split(err.partition("make it with: ")[2])
        assert made[1].endswith("out/corpus/probe.parquet")
        assert made[2] == "--configfile"


class TestProgram:
    def test_it_says_its_version(self, command: Any) -> None:
        code, out, _ = command("--version")
        assert code == 0
        assert re.fullmatch(r"reprocore \d+\.\d+\.\d+\S*\n", out)

    def test_it_runs_as_a_module(self) -> None:
        line = [sys.executable, "-m", "reprocore", "--help"]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert "Usage: reprocore " in done.stdout

    def test_a_shell_completes_it(self, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
        _, out, _ = command("--show-completion", "bash")
        assert "complete -o default -F _reprocore_completion reprocore" in out
        asked = {"_REPROCORE_COMPLETE": "complete_bash", "COMP_WORDS": "reprocore st"}
        line = [sys.executable, "-m", "reprocore"]
        done = subprocess.run(
            line,
            capture_output=True,
            text=True,
            env={**os.environ, **asked, "COMP_CWORD": "1"},
        )
        assert done.stdout.split() == ["status"]

    def test_without_a_command_it_prints_its_help(self, command: Any) -> None:
        code, out, err = command()
        assert code == 2
        assert "Usage: reprocore" in out + err
