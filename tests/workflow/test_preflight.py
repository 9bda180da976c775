"""The real Snakemake: a model is checked with each activation once, before any of its cells."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from project import REPROCORE, TINY, Project, finished, listed_jobs, rules_of
from reprocore.pipeline.verification.verify import verify
from reprocore.study.study import load_study

STUDY: dict[str, Any] = {
    **TINY,
    "models": {"small": TINY["models"]["small"]},
    "activations": ["relu", "broken"],
    "custom_activations": {"broken": {"path": "broken_activation:broken"}},
    "seeds": [1, 2],
}
CONSTANT = "import torch\n\n\ndef broken(x):\n    return torch.zeros_like(x)\n"
RAISING = "def raising(x):\n    raise IndexError('no such\\nthing')\n"
SOUND = "import torch\n\n\ndef broken(x):\n    return torch.sin(x)\n"
PASSED, FAILED = "out/preflight/small/broken.json", "out/preflight/small/broken.failed.json"


def error_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("error: ")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study whose own activation works, after its first run."""
    project = Project(tmp_path_factory.mktemp("preflight"), STUDY)
    (project.root / "src/broken_activation.py").write_text(SOUND)
    ran = rules_of(project.jobs())
    assert (ran["preflight"], ran["train"]) == (2, 4)
    return project


def test_broken_activations_fail_once_and_the_others_are_trained(tmp_path: Path) -> None:
    own = {"broken": {"path": "broken_activation:broken"}, "raising": {"path": "raising:raising"}}
    names = ["relu", *own]
    project = Project(tmp_path, {**STUDY, "activations": names, "custom_activations": own})
    (tmp_path / "src/broken_activation.py").write_text(CONSTANT)
    (tmp_path / "src/raising.py").write_text(RAISING)
    allowed = {"REPROCORE_ALLOW": "broken_activation,raising"}
    done = project.snakemake(**allowed)
    output = done.stdout + done.stderr
    reasons = {
        "broken": "small/broken: activation 'broken' never reaches the model's output",
        "raising": "small/raising: IndexError: no such thing",
    }
    assert done.returncode != 0
    assert sorted(error_lines(output)) == [f"error: {reason}" for reason in reasons.values()]
    failed = [line for line in output.splitlines() if "failed: small" in line]
    assert sorted(failed) == [f"failed: {reason}" for reason in reasons.values()]
    assert output.count("CalledProcessError") == 2
    trained = {path.parent for path in tmp_path.glob("out/cells/**/cell.json")}
    assert trained == {tmp_path / f"out/cells/small/relu/all-{seed}" for seed in (1, 2)}
    assert (tmp_path / "out/pairs/small/relu/all.parquet").is_file()
    for name, reason in reasons.items():
        recorded = json.loads((tmp_path / f"out/preflight/small/{name}.failed.json").read_text())
        assert recorded == {"reason": reason}
    status = finished(
        [*REPROCORE, "status", "--configfile", "study.yaml"], **project.place(**allowed)
    )
    for reason in reasons.values():
        assert f"failed check of {reason}" in status.stdout
    # One mended, only what waited for it runs.
    (tmp_path / "src/broken_activation.py").write_text(SOUND)
    mended = project.snakemake("out/pairs/small/broken/all.parquet", **allowed)
    jobs = listed_jobs(mended.stdout + mended.stderr)
    assert set(jobs) == {
        *("preflight small/broken", "compare small/broken/all"),
        *("train small/broken/all-1", "train small/broken/all-2"),
    }
    assert not (tmp_path / FAILED).exists()


def test_a_second_run_checks_nothing(project: Project) -> None:
    assert project.jobs() == {}


def test_a_check_that_was_deleted_is_done_again_and_retrains_nothing(project: Project) -> None:
    path = project.root / PASSED
    content, cell = path.read_bytes(), project.root / "out/cells/small/broken/all-1/cell.json"
    trained = cell.stat().st_mtime_ns
    path.unlink()
    assert set(project.jobs()) == {"preflight small/broken", "all"}
    assert path.read_bytes() == content
    assert cell.stat().st_mtime_ns == trained
    assert project.jobs() == {}


def test_an_added_seed_after_a_deleted_check_trains_its_cell_alone(project: Project) -> None:
    path = project.root / PASSED
    content = path.read_bytes()
    path.unlink()
    try:
        added = project.planned(project.changed(seeds=[1, 2, 3]))
        forced = project.jobs("--dry-run", "--force", "out/cells/small/broken/all-1/cell.json")
    finally:
        path.write_bytes(content)
    assert {job for job in added if job.startswith(("train", "preflight"))} == {
        "preflight small/broken",
        "train small/relu/all-3",
        "train small/broken/all-3",
    }
    assert set(forced) >= {"preflight small/broken", "train small/broken/all-1"}


def test_another_setting_checks_again_and_trains_again(project: Project) -> None:
    training = {**TINY["training"], "learning_rate": 0.01}
    own = project.study
    project.write(project.changed(training=training))
    try:
        done = project.snakemake("--dry-run")
    finally:
        project.write(own)
    output = done.stdout + done.stderr
    jobs = rules_of(listed_jobs(output))
    assert (jobs["preflight"], jobs["train"]) == (2, 4)
    # Snakemake names the setting, and does not say that something was forced.
    assert re.search(r"reason: Params have changed.*training \{", output)
    assert "reason: Forced" not in output


def test_a_forced_check_retrains_nothing_and_a_forced_cell_is_trained(project: Project) -> None:
    checked = rules_of(project.jobs("--dry-run", "--forcerun", "preflight"))
    trained = rules_of(project.jobs("--dry-run", "--forcerun", "train"))
    both = rules_of(project.jobs("--dry-run", "--forcerun", "train", "preflight"))
    assert checked == {"preflight": 2, "all": 1}
    assert (trained["preflight"], trained["train"]) == (0, 4)
    assert (both["preflight"], both["train"]) == (2, 4)


def test_what_a_check_writes_is_the_same_everywhere(project: Project) -> None:
    content = json.loads((project.root / PASSED).read_text())
    assert set(content) == {"model", "activation", "parameters", "checks", "identity"}
    assert content["checks"] == ["parameters", "shape", "causality", "training step", "liveness"]
    assert (
        content["parameters"]
        == json.loads((project.root / "out/cells/small/broken/all-1/cell.json").read_text())[
            "parameters"
        ]
    )


def test_code_of_the_checks_checks_again_and_retrains_nothing(project: Project) -> None:
    path = project.root / "src/reprocore/training/preflight.py"
    before = path.read_text()
    try:
        project.edit("src/reprocore/training/preflight.py", "BATCH_SIZE = 2", "BATCH_SIZE = 3")
        assert rules_of(project.jobs("--dry-run")) == {"preflight": 2, "all": 1}
    finally:
        path.write_text(before)


def test_a_stale_check_is_known_without_snakemakes_memory(project: Project) -> None:
    memory, away = project.root / ".snakemake/metadata", project.root / "metadata"
    path = project.root / "src/reprocore/training/preflight.py"
    before = path.read_text()
    memory.rename(away)
    os.utime(project.root / "text.txt", (1, 1))
    try:
        unchanged = project.jobs("--dry-run")
        project.edit("src/reprocore/training/preflight.py", "BATCH_SIZE = 2", "BATCH_SIZE = 3")
        jobs = project.jobs("--dry-run")
    finally:
        path.write_text(before)
        shutil.rmtree(memory, ignore_errors=True)
        away.rename(memory)
    assert "preflight" not in rules_of(unchanged)
    assert rules_of(jobs)["preflight"] == 2
    assert "train" not in rules_of(jobs)


def test_an_added_seed_needs_no_other_check(project: Project) -> None:
    jobs = rules_of(project.planned(project.changed(seeds=[1, 2, 3])))
    assert (jobs["preflight"], jobs["train"]) == (0, 2)


def test_a_partial_study_needs_no_check(project: Project) -> None:
    path = project.root / PASSED
    content = path.read_bytes()
    path.unlink()
    try:
        done = project.snakemake("--dry-run", "--config", "partial=true")
    finally:
        path.write_bytes(content)
    assert done.returncode == 0, done.stderr
    assert "preflight" not in rules_of(listed_jobs(done.stdout + done.stderr))


def test_a_model_for_a_gpu_is_checked_on_the_cpu(tmp_path: Path) -> None:
    big = {**TINY["models"]["small"], "resources": {"gpu": 1}}
    project = Project(tmp_path, {**TINY, "models": {"big": big}, "gpu": "available"})
    done = project.snakemake("out/preflight/big/relu.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/preflight/big/relu.json").is_file()


def test_verify_knows_checks_that_passed_and_that_failed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    monkeypatch.syspath_prepend(project.root / "src")
    monkeypatch.setenv("REPROCORE_ALLOW", "broken_activation")
    study = load_study("study.yaml")
    path, saved = Path(PASSED), Path("saved.json")
    assert not [problem for problem in verify(study).problems if "preflight" in problem.path]
    shutil.copy2(path, saved)
    try:
        path.write_text("{}")
        (damaged,) = [problem for problem in verify(study).problems if "preflight" in problem.path]
        path.unlink()
        Path(FAILED).write_text("{}")
        (missing,) = [p for p in verify(study).problems if p.path == "preflight/small/broken.json"]
    finally:
        shutil.copy2(saved, path)
        Path(FAILED).unlink(missing_ok=True)
    assert (damaged.path, damaged.state) == ("preflight/small/broken.json", "damaged")
    assert (missing.path, missing.state) == ("preflight/small/broken.json", "missing")
