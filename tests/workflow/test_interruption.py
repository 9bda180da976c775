"""The real Snakemake, stopped and killed: finished cells stay, stopped ones resume."""

import os
import re
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from project import REPOSITORY, TINY, Project, finished, listed_jobs, rules_of
from reprocore.store.files import read_json
from reprocore.study.cells import CHECKPOINT

SLOW = """
import time

from torch import nn
from torch.nn import functional


class Slow(nn.Module):
    def forward(self, x):
        if self.training:
            time.sleep(0.02)
        return functional.relu(x)
"""
STUDY: dict[str, Any] = {
    **TINY,
    "models": {"small": {**TINY["models"]["small"], "resources": {"checkpoint_seconds": 0.2}}},
    "activations": ["slow"],
    "custom_activations": {"slow": {"path": "slow_activation:Slow"}},
    "seeds": [1, 2],
    "training": {**TINY["training"], "iterations": 200, "evaluate_every": 1000},
}
CELLS = "out/cells/small/slow"
TARGETS = [f"{CELLS}/all-{seed}/cell.json" for seed in (1, 2)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, STUDY)
    (tmp_path / "src/slow_activation.py").write_text(SLOW)
    return project


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


def logs(project: Project) -> str:
    return "".join(path.read_text() for path in project.root.glob("out/logs/train/**/*.log"))


def iterations_resumed(project: Project) -> list[int]:
    cells = [read_json(project.root / target) for target in TARGETS]
    return [part["until"] for cell in cells for part in cell["earlier"]]


def test_ctrl_c_stops_and_the_next_run_resumes(project: Project) -> None:
    process = project.start(*TARGETS)
    for seed in (1, 2):
        wait_for(project.root / CELLS / f"all-{seed}" / CHECKPOINT)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    stopped = re.findall(
        r"^error: (small/slow/all-\d: stopped at iteration \d+ of 200)", errors, re.M
    )
    assert len(stopped) == 2, errors + output
    assert "Traceback" not in errors + output
    assert not list(project.root.glob("out/cells/**/failed.json"))
    done = project.snakemake(*TARGETS)
    assert done.returncode == 0, done.stderr
    assert logs(project).count("resumes from iteration") == 2
    assert len(iterations_resumed(project)) == 2


def test_a_stopped_cell_is_the_only_one_to_run_again(project: Project) -> None:
    process = project.start(TARGETS[0], "--cores", "1")
    wait_for(project.root / TARGETS[0])
    process.communicate(timeout=60)
    kept = (project.root / TARGETS[0]).read_bytes()
    process = project.start(*TARGETS)
    wait_for(project.root / CELLS / "all-2" / CHECKPOINT)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert rules_of(listed_jobs(project.snakemake("--dry-run", *TARGETS).stdout))["train"] == 1
    assert project.snakemake(*TARGETS).returncode == 0
    assert (project.root / TARGETS[0]).read_bytes() == kept
    assert len(iterations_resumed(project)) == 1


def test_what_a_killed_snakemake_leaves_behind_is_waited_for(project: Project) -> None:
    project.write({**STUDY, "training": {**STUDY["training"], "iterations": 1000}})
    process = project.start(*TARGETS)
    for seed in (1, 2):
        wait_for(project.root / CELLS / f"all-{seed}" / CHECKPOINT)
    process.kill()
    process.wait(timeout=60)
    done = project.snakemake(*TARGETS)
    assert done.returncode == 0, done.stderr
    assert "another process trains this cell; waiting for it" in logs(project)
    assert iterations_resumed(project) == []


IGNORED = """
import signal
stops = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT)
print([each.name for each in stops if signal.getsignal(each) is signal.SIG_IGN])
"""


def test_what_tests_start_ignores_no_signal() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)]
    assert finished([sys.executable, "-c", IGNORED]).stdout == "[]\n"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)] == before


def test_tests_pass_where_signals_are_ignored() -> None:
    """As with `nohup make test &` in a script; once for each way in which tests use signals."""
    shell = ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", sys.executable]
    assert finished([*shell, "-c", IGNORED]).stdout == "['SIGINT', 'SIGHUP']\n"
    tests = (
        "workflow/test_interruption.py::test_what_tests_start_ignores_no_signal",
        "unit/training/test_checkpoint.py::test_under_slurm_ctrl_c_stops",
    )
    command = [*shell, "-m", "pytest", "-p", "no:cacheprovider", *(f"tests/{t}" for t in tests)]
    done = finished(command, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout


GPUS = """#!/bin/sh
echo "GPU 0: first (UUID: GPU-1)"
echo "GPU 1: second (UUID: GPU-2)"
"""


@pytest.mark.parametrize(("visible", "wanted"), [("0,1", 2), ("1", 1)])
def test_as_many_gpu_jobs_run_at_once_as_there_are_gpus(
    project: Project, tmp_path: Path, visible: str, wanted: int
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(GPUS)
    (programs / "nvidia-smi").chmod(0o755)
    small = {**STUDY["models"]["small"], "resources": {"gpu": 1, "device": "cpu"}}
    project.write({**STUDY, "models": {"small": small}, "seeds": [1, 2, 3, 4]})
    targets = [f"{CELLS}/all-{seed}/cell.json" for seed in (1, 2, 3, 4)]
    done = project.snakemake(
        *targets,
        *("--cores", "4"),
        PATH=f"{programs}:{os.environ['PATH']}",
        CUDA_VISIBLE_DEVICES=visible,
    )
    assert done.returncode == 0, done.stderr
    cells = [read_json(project.root / target) for target in targets]
    begins = [datetime.fromisoformat(cell["started"]).timestamp() for cell in cells]
    ends = [begin + cell["wall_seconds"] for begin, cell in zip(begins, cells, strict=True)]
    at_once = max(
        sum(a <= begin < b for a, b in zip(begins, ends, strict=True)) for begin in begins
    )
    assert at_once == wanted
