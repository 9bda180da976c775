"""A run that is disturbed from outside: a full disk, a second run, a clock that is set back."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import one_line, tiny_config
from project import REPROCORE, TINY, Project, finished, rules_of, started, study_command
from reprocore.data.probe import Probe, write_probe
from reprocore.data.tokens import Corpus, decode, write_corpus
from reprocore.errors import ReprocoreError
from reprocore.pipeline.runs import hold_results, snakemake_command
from reprocore.store.records import read_cell, read_sealed

STUDY = {
    **TINY,
    "seeds": [1, 2],
    "activations": ["relu"],
    "models": {"small": TINY["models"]["small"]},
}
PAIRS = "pairs/small/relu/all.parquet"
CELLS = [f"cells/small/relu/all-{seed}" for seed in (1, 2)]
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, STUDY)


def runs(out: Path) -> list[dict[str, Any]]:
    return list(read_sealed(out / "study.json")["runs"])


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stdout + done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def waited_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_study_json_tells_of_every_run_that_did_something(project: Project) -> None:
    out = project.root / "out"
    target = "out/corpus/tokens.parquet"
    assert project.snakemake("--dry-run", target).returncode == 0
    assert not out.exists()
    project.jobs(target)
    (first,) = runs(out)
    assert (first["outcome"], first["seconds"] > 0) == ("success", True)
    assert first["end"] >= first["start"]
    content = read_sealed(out / "study.json")
    assert content["command"] == "snakemake --configfile study.yaml"
    assert content["study"]["models"]["small"]["sizes"]["width"] == 16

    assert project.jobs(target) == {}
    assert len(runs(out)) == 1
    (project.root / "text.txt").write_bytes(b"\xff" * 100)
    assert project.snakemake(target).returncode != 0
    assert [each["outcome"] for each in runs(out)] == ["success", "failure"]


def test_the_command_of_a_study_holds_its_files_and_values(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / "my study.yaml", "/elsewhere/b.yaml"]
    assert snakemake_command(files, {"seeds": [1, 2], "gpu": "none"}) == (
        "snakemake --configfile 'my study.yaml' /elsewhere/b.yaml --config 'seeds=[1, 2]' gpu=none"
    )


def test_one_folder_is_written_by_one_run_at_a_time(project: Project, tmp_path: Path) -> None:
    slow = {**TINY["training"], "iterations": 10**6, "evaluate_every": 10**5}
    project.write(project.changed(training=slow))
    out = tmp_path / "out"
    first = project.start(f"out/{CELLS[0]}/cell.json", "--cores", "1")
    try:
        waited_for(lambda: (out / "corpus/probe.parquet").exists())
        here = project.snakemake("out/summary.parquet")
        assert here.returncode == 1
        assert errors(here) == ["error: out: another run writes here; wait until it ends"]

        other = tmp_path / "other"
        other.mkdir()
        shutil.copy(tmp_path / "text.txt", other)
        (other / "study.yaml").write_text(
            yaml.safe_dump({**STUDY, "results": str(out), "claims": None})
        )
        command = study_command(str(out / "summary.parquet"), "--snakefile", "../Snakefile")
        done = finished(command, **{**project.place(REPROCORE_ALLOW=str(out)), "cwd": other})
        assert done.returncode == 1
        assert errors(done) == [f"error: {out}: another run writes here; wait until it ends"]
        with pytest.raises(ReprocoreError) as error:
            hold_results(out)
        assert "another run writes here" in one_line(error)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    hold_results(out).release()
    (killed,) = runs(out)
    assert (killed["end"], killed["outcome"]) == (None, None)


def test_a_disk_that_is_full_stops_jobs_in_one_line_and_loses_nothing(
    project: Project, small_disk: Path
) -> None:
    out = small_disk / "out"
    project.write(project.changed(results="disk/out"))
    project.jobs(f"disk/out/{PAIRS}")
    kept = [f"{CELLS[0]}/weights.safetensors", f"{CELLS[0]}/predictions.parquet", PAIRS]
    before = [(out / name).read_bytes() for name in kept]
    shutil.rmtree(out / CELLS[0])
    (out / PAIRS).unlink()
    # Room for study.json, but for no result.
    filler, block = small_disk / "filler", b"x" * 4096
    with open(filler, "wb", buffering=0) as stream:
        free = os.statvfs(small_disk).f_bavail * 4096
        stream.write(b"x" * (free - 4 * len(block)))

    done = project.snakemake(f"disk/out/{CELLS[0]}/cell.json")
    assert done.returncode != 0
    assert any("No space left on device" in line and CELLS[0] in line for line in errors(done))
    assert [path for path in small_disk.rglob("*") if path.name.endswith(".tmp")] == []
    filler.unlink()
    project.jobs(f"disk/out/{PAIRS}")
    assert [(out / name).read_bytes() for name in kept] == before


def test_files_from_before_the_clock_was_set_back_rerun_nothing(project: Project) -> None:
    out = project.root / "out"
    project.jobs(f"out/{CELLS[0]}/cell.json")
    ahead = time.time() + 2 * 86400
    for path in out.rglob("*.*"):
        os.utime(path, (ahead, ahead))
    assert rules_of(project.jobs(f"out/{PAIRS}")) == {"train": 1, "compare": 1}
    assert project.jobs(f"out/{PAIRS}") == {}


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (Debian package faketime)")
def test_a_clock_set_back_during_training_makes_no_time_negative(
    tmp_path: Path, tiny_corpus: Corpus, tiny_probe: Probe
) -> None:
    training = {**tiny_config()["training"], "iterations": 2000, "evaluate_every": 100}
    (tmp_path / "text.txt").write_text(decode(tiny_corpus.tokens, tiny_corpus.symbols))
    corpus = {"source": "file", "path": "text.txt"}
    content = tiny_config(activations=["relu"], training=training, corpus=corpus, results="out")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    write_corpus(tmp_path / "out/corpus/tokens.parquet", tiny_corpus)
    write_probe(tmp_path / "out/corpus/probe.parquet", tiny_probe)
    clock = tmp_path / "clock"
    clock.write_text("+0")
    # Of the command line, as libfaketime breaks Python's sleep, which Snakemake needs.
    variables = {
        **os.environ,
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    command = [*REPROCORE, "train", "charlm/relu/1", "-c", "study.yaml"]
    run = started(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("iteration 0/2000")
    clock.write_text("-2d")
    rest, _ = run.communicate(timeout=100)
    assert run.returncode == 0
    assert "-" not in re.sub(r"train loss -|-\n", "", rest.partition("written:")[0])
    described = read_cell(tmp_path / "out/cells/charlm/relu/all-1/cell.json")
    assert 0 < described["train_seconds"] <= described["wall_seconds"] < 100
