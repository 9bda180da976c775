"""The tiny study through `profiles/slurm` on a real SLURM cluster, and what its jobs go through."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slurm import Cluster, missing, output, slurm_cluster, wait_until

from project import TINY, Project

REASON = missing(accounting=True)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(REASON), reason=f"no SLURM cluster: {REASON}"),
]

SMALL = TINY["models"]["small"]
TRAINING = {**TINY["training"], "iterations": 150}
MEM_MB = 1100
ALLOWED = "troubled_activation"
TWO_OF_THREE = ["COMPLETED", "COMPLETED", "RUNNING"]

# Slow: for as long as it is the cell's first process. Each step of training is two seconds then.
TROUBLED = """
import json
import os
import time
from pathlib import Path

import __main__
import torch

HELD = []


def troubled(x):
    wildcards = __main__.snakemake.wildcards
    # None in the check before all cells, which has no seed.
    cell = f"{wildcards.model}-{wildcards.get('seed')}"
    trouble = json.loads(Path("troubles.json").read_text()).get(cell)
    if trouble == "failing":
        raise ValueError("this cell always fails")
    slow = trouble is not None and is_first(Path(f"first-{cell}"))
    if trouble == "hungry" and not HELD:
        HELD.append(b"x" * 700_000_000)
    if slow and x.requires_grad:
        time.sleep(2)
    return torch.relu(x)


def is_first(marker):
    own = f"{os.environ['SLURM_JOB_ID']} {os.getpid()}"
    if not marker.exists():
        marker.write_text(own)
    return marker.read_text() == own
"""


def troubled_project(
    root: Path, models: dict[str, Any], seeds: list[int], troubles: dict[str, str]
) -> Project:
    """Return a project whose activation `troubled` does to cells what `troubles` says."""
    study = {
        **TINY,
        "models": models,
        "seeds": seeds,
        "activations": ["troubled"],
        "training": TRAINING,
        "custom_activations": {"troubled": {"path": "troubled_activation:troubled"}},
    }
    project = Project(root, study)
    (root / "src/troubled_activation.py").write_text(TROUBLED)
    (root / "troubles.json").write_text(json.dumps(troubles))
    return project


@contextmanager
def snakemake(project: Project, *targets: str) -> Iterator[subprocess.Popen[str]]:
    """Run Snakemake under `profiles/slurm`; it does not outlive the block."""
    process = project.start(
        *targets,
        "--profile=profiles/slurm",
        "--slurm-steady-init-seconds-before-status-checks=2",
        "--slurm-steady-keep-successful-logs",
        REPROCORE_ALLOW=ALLOWED,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            print("Snakemake was killed:", *process.communicate())


def end(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """Wait for the end; return the exit status and all that was printed."""
    printed, errors = process.communicate(timeout=seconds)
    return process.returncode, printed + errors


def slurm_jobs() -> list[dict[str, str]]:
    """Return all jobs that SLURM knows, in the order of their submission."""
    lines = output("scontrol", "--oneliner", "show", "job").splitlines()
    return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "Comment=rule_" in line]


def jobs_of(jobs: list[dict[str, str]], cell: str) -> list[dict[str, str]]:
    name = "rule_train_wildcards_" + cell.replace("/", "_").replace("-", "_")
    return [job for job in jobs if job["Comment"] == name]


def folder(project: Project, cell: str) -> Path:
    return project.root / "out/cells" / cell


def log(project: Project, cell: str) -> str:
    return (project.root / "out/logs/train" / f"{cell}.log").read_text()


def trains(project: Project, cell: str) -> bool:
    return (folder(project, cell) / "checkpoint.safetensors").exists()


def states(cells: list[str]) -> list[str]:
    """Return the state of the last SLURM job of each cell."""
    jobs = slurm_jobs()
    return [job["JobState"] for cell in cells for job in jobs_of(jobs, cell)[-1:]]


def running(cell: str) -> str:
    """Return the id of the SLURM job of a cell that runs now, or nothing."""
    jobs = [job for job in jobs_of(slurm_jobs(), cell) if job["JobState"] == "RUNNING"]
    return jobs[-1]["JobId"] if jobs else ""


def gpus(job: dict[str, str]) -> int:
    found = re.search(r"gpu:(\d+)", job.get("TresPerJob", ""))
    return int(found[1]) if found else 0


HUNGRY, SLOW, CANCELLED, FAILING = (f"small/troubled/all-{seed}" for seed in (1, 2, 3, 4))
EVICTED = "accelerated/troubled/all-4"


@dataclass
class Campaign:
    project: Project
    status: int
    printed: str
    jobs: list[dict[str, str]]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """One run in which a cell each is too hungry, too slow, cancelled, evicted, and failing.

    And SLURM does not answer for some time.
    """
    resources = {"mem_mb": MEM_MB, "minutes": 2, "checkpoint_seconds": 0}
    models = {
        "small": {**SMALL, "resources": resources, "activations": ["relu", "troubled"]},
        "accelerated": {**SMALL, "resources": {**resources, "gpu": 1, "device": "cpu"}},
    }
    troubles = {"small-1": "hungry", "small-2": "slow", "small-3": "slow", "small-4": "failing"}
    project = troubled_project(
        tmp_path_factory.mktemp("campaign"),
        models,
        [1, 2, 3, 4],
        {**troubles, "accelerated-4": "slow"},
    )
    project.edit(
        "profiles/slurm/config.yaml",
        "train: { alone: 1 }",
        "train: { alone: 1, slurm_partition: \"'gpu_low' if wildcards.model == 'accelerated'"
        " and wildcards.seed == '4' else ''\" }",
    )
    with slurm_cluster() as cluster, snakemake(project) as run:
        wait_until(lambda: trains(project, CANCELLED), 300, "the cell to cancel")
        output("scancel", running(CANCELLED))
        wait_until(lambda: trains(project, EVICTED), 300, "the cell to evict")
        output("sbatch", "--partition=gpu", "--gpus=2", "--wrap=sleep 5", "--output=/dev/null")
        wait_until(lambda: states([EVICTED]) == ["PENDING"], 60, "the eviction")
        cluster.stop_controller()
        time.sleep(15)
        cluster.start_controller()
        status, printed = end(run, 400)
        return Campaign(project, status, printed, slurm_jobs())


def test_every_cell_ran_in_its_partition_with_its_memory_and_gpus(campaign: Campaign) -> None:
    found = {}
    for model, names in {"small": ("relu", "troubled"), "accelerated": ("troubled",)}.items():
        for cell in (f"{model}/{name}/all-{seed}" for name in names for seed in (1, 2, 3, 4)):
            job = jobs_of(campaign.jobs, cell)[0]
            memory = re.search(r"mem=(\w+)", job["TRES"])
            assert memory is not None
            found[cell] = (job["Partition"], gpus(job), memory[1], job["NumCPUs"])
    for cell, asked in found.items():
        partition = "cpu" if cell.startswith("small") else "gpu"
        partition = "gpu_low" if cell == EVICTED else partition
        assert asked == (partition, int(partition != "cpu"), f"{MEM_MB}M", "1"), cell


def test_a_model_whose_cells_are_done_has_its_statistics_from_one_job(campaign: Campaign) -> None:
    assert (campaign.project.root / "out/models/accelerated/estimates.parquet").is_file()
    (job,) = (job for job in campaign.jobs if "statistics" in job["Comment"])
    assert job["JobState"] == "COMPLETED"
    assert job["Partition"] == "cpu"


def test_a_cell_over_its_memory_is_killed_and_succeeds_with_more(campaign: Campaign) -> None:
    first, second = jobs_of(campaign.jobs, HUNGRY)
    assert first["JobState"] in ("FAILED", "OUT_OF_MEMORY")
    told = campaign.project.root.glob(f"logs/slurm/**/{first['JobId']}.log")
    assert "memory" in next(told).read_text()
    assert second["JobState"] == "COMPLETED"
    assert f"mem={2 * MEM_MB}M" in second["TRES"]
    assert (folder(campaign.project, HUNGRY) / "cell.json").is_file()


def test_a_cell_over_its_time_goes_on_in_the_retry(campaign: Campaign) -> None:
    first, second = jobs_of(campaign.jobs, SLOW)
    assert (first["JobState"], first["TimeLimit"]) == ("TIMEOUT", "00:02:00")
    assert (second["JobState"], second["TimeLimit"]) == ("COMPLETED", "00:04:00")
    assert resumed_from(campaign.project, SLOW) > 10


def test_a_cancelled_cell_goes_on_in_the_retry(campaign: Campaign) -> None:
    first, second = jobs_of(campaign.jobs, CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert resumed_from(campaign.project, CANCELLED) > 0


def test_an_evicted_cell_goes_on_in_the_same_job(campaign: Campaign) -> None:
    (job,) = jobs_of(campaign.jobs, EVICTED)
    assert job["JobState"] == "COMPLETED"
    # More than one where the controller was stopped just as it started the job again.
    assert int(job["Restarts"]) >= 1
    assert resumed_from(campaign.project, EVICTED) > 0


def test_a_cell_that_always_fails_is_named_and_the_others_are_finished(campaign: Campaign) -> None:
    assert [job["JobState"] for job in jobs_of(campaign.jobs, FAILING)] == ["FAILED"] * 3
    assert campaign.status == 1
    assert f"failed: {FAILING}: this cell always fails" in campaign.printed.splitlines()[-10:]
    finished = {path.parent for path in campaign.project.root.glob("out/cells/*/*/*/cell.json")}
    assert len(finished) == 11
    assert folder(campaign.project, FAILING) not in finished
    assert list(campaign.project.root.glob("out/cells/*/*/*/checkpoint*")) == []


def resumed_from(project: Project, cell: str) -> int:
    """Return the iteration from which the last process of a cell went on."""
    found = re.search(r"resumes from iteration (\d+) of", log(project, cell))
    assert found is not None, log(project, cell)
    return int(found[1])


def content(project: Project, cell: str) -> dict[str, str]:
    """Return the hash of each file of a cell; cell.json tells when it was made."""
    files = sorted(path for path in folder(project, cell).iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def three_cells(root: Path, **options: bool) -> Iterator[tuple[Cluster, Project, list[str]]]:
    """A cluster, and a project of three cells of which the last is slow at first."""
    resources = {"mem_mb": MEM_MB, "checkpoint_seconds": 0}
    project = troubled_project(
        root, {"small": {**SMALL, "resources": resources}}, [1, 2, 3], {"small-3": "slow"}
    )
    with slurm_cluster(**options) as cluster:
        yield cluster, project, [f"small/troubled/all-{seed}" for seed in (1, 2, 3)]


def test_a_killed_snakemake_and_a_forgetful_slurm_lose_no_finished_cell(tmp_path: Path) -> None:
    with three_cells(tmp_path) as (cluster, project, cells):
        targets = [f"out/cells/{cell}/cell.json" for cell in cells]
        with snakemake(project, *targets):
            wait_until(lambda: trains(project, cells[2]), 300, "the third cell")
            wait_until(lambda: states(cells) == TWO_OF_THREE, 300, "two cells")
        finished = [content(project, cell) for cell in cells[:2]]

        with snakemake(project, *targets) as run:
            wait_until(lambda: len(jobs_of(slurm_jobs(), cells[2])) == 2, 300, "the second job")
            cluster.stop_controller()
            cluster.start_controller("-c")
            status, printed = end(run, 200)

        assert status == 0, printed
        assert "is unknown to it" in printed
        assert [content(project, cell) for cell in cells[:2]] == finished
        assert resumed_from(project, cells[2]) > 0
        assert len(jobs_of(slurm_jobs(), cells[2])) == 1


def test_what_squeue_forgot_is_asked_of_accounting(tmp_path: Path) -> None:
    with three_cells(tmp_path, accounting=True) as (cluster, project, cells):
        with snakemake(project, *(f"out/cells/{cell}/cell.json" for cell in cells)) as run:
            wait_until(lambda: states(cells) == ["RUNNING"] * 3, 300, "three jobs")
            os.killpg(run.pid, signal.SIGSTOP)
            wait_until(lambda: trains(project, cells[2]), 300, "the third cell")
            wait_until(lambda: states(cells) == TWO_OF_THREE, 300, "two cells")
            told = ("sacct", "-nX", "--format=State")
            # Two cells, and the check before them.
            wait_until(lambda: output(*told).split().count("COMPLETED") == 3, 60, "accounting")
            finished = [content(project, cell) for cell in cells[:2]]
            cluster.stop_controller()
            cluster.start_controller("-c")
            os.killpg(run.pid, signal.SIGCONT)
            status, printed = end(run, 200)

        assert status == 0, printed
        assert [content(project, cell) for cell in cells[:2]] == finished
        assert resumed_from(project, cells[2]) > 0
