"""`reprocore status` and `verify` speak of the study that Snakemake ran, wherever they start."""

import subprocess
from pathlib import Path

import pytest

from project import REPROCORE, TINY, Project, finished, rules_of

SMALL = {**TINY, "models": {"small": TINY["models"]["small"]}, "activations": ["relu"]}
MORE_SEEDS = ("--config", "seeds=[1,2,3,4]", "gpu=none")


def reprocore(project: Project, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return finished([*REPROCORE, *arguments], **{**project.place(), "cwd": folder})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study that has run with one seed more than its file says."""
    project = Project(tmp_path_factory.mktemp("status"), SMALL)
    project.jobs("--config", "seeds=[1,2,3,4]", "gpu=none", "--cores", "2")
    return project


def test_a_study_that_has_not_run_says_how_to_start(project: Project, tmp_path: Path) -> None:
    project.write({**SMALL, "results": "elsewhere"})
    try:
        verify = project.reprocore("verify", "--configfile", "study.yaml", *MORE_SEEDS)
        status = project.reprocore("status", "--configfile", "study.yaml")
    finally:
        project.write(SMALL)
    command = "snakemake --configfile study.yaml"
    (line,) = verify.stdout.splitlines()
    assert line == (
        f"{project.root}/elsewhere: nothing has run yet. "
        f'To start: {command} --config \'seeds=["1", "2", "3", "4"]\' gpu=none'
    )
    assert status.stdout.splitlines()[-1] == f"Nothing has run yet. To start: {command}"
    assert (verify.returncode, status.returncode) == (1, 0)


def test_the_values_of_the_run_give_its_states(project: Project) -> None:
    status = project.reprocore("status", "--configfile", "study.yaml", *MORE_SEEDS)
    assert status.returncode == 0, status.stderr
    assert status.stdout.startswith(f"reprocore: {project.root}/out\n")
    assert "✓ 4 done" in status.stdout
    assert "another configuration" not in status.stdout
    verify = project.reprocore("verify", "--configfile", "study.yaml", *MORE_SEEDS)
    assert verify.returncode == 0, verify.stdout
    assert verify.stdout.startswith(f"reprocore: {project.root}/out\n")
    assert "All is well." in verify.stdout


def test_without_them_the_keys_and_the_command_of_the_run_are_named(project: Project) -> None:
    for name in ("status", "verify"):
        done = project.reprocore(name, "--configfile", "study.yaml")
        (line,) = [line for line in done.stdout.splitlines() if "another configuration" in line]
        assert line.startswith(
            "out/study.json: the last run had another configuration: gpu, seeds; its command: "
            "snakemake --configfile study.yaml --config "
        )
    assert "out/cells/small/relu/all-4: not in this config: a cell" in done.stdout
    assert "rm " not in done.stdout


def test_the_advice_for_another_config_keeps_its_cells(project: Project) -> None:
    cell = project.root / "out/cells/small/relu/all-4/cell.json"
    before = cell.read_bytes()
    jobs = project.jobs()
    assert "train" not in rules_of(jobs)
    done = project.reprocore("verify", "--configfile", "study.yaml")
    assert done.returncode == 0, done.stdout
    assert "All is well." in done.stdout
    assert cell.read_bytes() == before
    # And back again, without training.
    assert "train" not in rules_of(project.jobs(*MORE_SEEDS, "--cores", "2"))


@pytest.mark.parametrize("inside", ["", "src/reprocore", "out/cells/small"])
def test_every_folder_of_the_project_shows_the_same(project: Project, inside: str) -> None:
    folder = project.root / inside
    study = "../" * len(Path(inside).parts) + "study.yaml"
    status = reprocore(project, folder, "status", "-c", study, *MORE_SEEDS)
    assert status.returncode == 0, status.stderr
    assert "✓ 4 done" in status.stdout
    assert f"{project.root}/out\n" in status.stdout


def test_another_folder_is_named_by_directory(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text((project.root / "study.yaml").read_text())
    options = ("-c", "mine.yaml", "--directory", str(project.root), *MORE_SEEDS)
    done = reprocore(project, tmp_path, "verify", *options, "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    (project.root / "out/summary.csv").rename(project.root / "summary.csv")
    try:
        done = reprocore(project, tmp_path, "verify", *options, "--quick")
    finally:
        (project.root / "summary.csv").rename(project.root / "out/summary.csv")
    command = done.stdout.splitlines()[-1].strip()
    assert command.startswith(f"cd {project.root} && snakemake --configfile {tmp_path}/mine.yaml ")


def test_without_a_config_the_projects_own_is_taken(project: Project, tmp_path: Path) -> None:
    folder = project.root / "workflow/rules"
    assert "charlm" in reprocore(project, folder, "status", "--config", "gpu=none").stdout
    done = reprocore(project, tmp_path, "status")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/config/config.yaml: no such file\n"
    done = reprocore(project, tmp_path, "status", "--directory", "absent")
    assert done.stderr == f"error: {tmp_path}/absent: no such folder\n"


def test_a_wrong_value_is_refused_in_one_line(project: Project) -> None:
    done = project.reprocore("status", "-c", "study.yaml", "--config", "seedz=[1,2]")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "unknown key 'seedz'; did you mean 'seeds'?" in done.stderr


def test_many_problems_are_shown_in_part(project: Project) -> None:
    seeds = f"seeds=[{','.join(map(str, range(1, 41)))}]"
    done = project.reprocore("verify", "-c", "study.yaml", "--quick", "--config", seeds)
    assert done.stdout.count(": missing: not trained") == 20
    assert "and 16 more that are missing; --all lists them" in done.stdout
    done = project.reprocore("verify", "-c", "study.yaml", "--quick", "--all", "--config", seeds)
    assert done.stdout.count(": missing: not trained") == 36
