"""What `study.json` says of the runs that made a results folder."""

import platform
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from conftest import one_line, rewrite
from reprocore.errors import ReprocoreError
from reprocore.pipeline.jobs import check_corpus
from reprocore.pipeline.plan import Plan
from reprocore.pipeline.runs import (
    SET_ASIDE,
    WorkflowRun,
    check_archived,
    hold_results,
    is_held,
    profile_options,
    snakemake_command,
)
from reprocore.pipeline.verification.verify import verify
from reprocore.store.identity import parameters, rule_settings
from reprocore.store.records import read_sealed, write_records
from reprocore.study.study import load_study


def test_a_run_names_the_machines_of_its_finished_cells(study_file: Path) -> None:
    study = load_study(study_file)
    run = WorkflowRun(study, "snakemake")
    run.begin()
    run.end("success")
    content = read_sealed(Path(study.results) / "study.json")
    assert content["hosts"] == [platform.node()]
    assert [each["outcome"] for each in content["runs"]] == ["success"]


def test_the_runs_in_a_damaged_study_json_are_kept(study_file: Path) -> None:
    study = load_study(study_file)
    WorkflowRun(study, "snakemake").begin()
    path = Path(study.results) / "study.json"
    edited = path.read_text().replace('"snakemake"', '"snakemake -n"')
    path.write_text(edited)
    WorkflowRun(study, "snakemake").begin()
    assert len(read_sealed(path)["runs"]) == 1
    assert (path.parent / SET_ASIDE).read_text() == edited
    (kept,) = [problem for problem in verify(study).kept if "study.json" in problem.path]
    assert "damaged when a run began" in kept.reason


def test_a_run_that_was_planned_while_another_ended_is_refused(study_file: Path) -> None:
    study = load_study(study_file)
    waiting, other = (WorkflowRun(study, "snakemake") for _ in range(2))
    other.begin()
    other.end("success")
    del other
    with pytest.raises(ReprocoreError) as error:
        waiting.begin()
    assert one_line(error).endswith("another run has ended here meanwhile; start this one again")


def test_other_statistics_than_those_of_archived_tables_are_refused(study_file: Path) -> None:
    WorkflowRun(load_study(study_file), "snakemake").begin()
    rewrite(study_file, statistics={"confidence": 0.9})
    plan = Plan.of(load_study(study_file))
    check_archived(plan)
    with pytest.raises(ReprocoreError) as error:
        check_archived(replace(plan, archived=("charlm",)))
    assert one_line(error).startswith("statistics.confidence: the tables of charlm were made with")


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ("--cores 2 --config a=b", ""),
        ("a.txt --profile profiles/slurm --config a=b", "--profile profiles/slurm "),
        ("--profile=one -n --profile two", "--profile=one --profile two "),
        ("--workflow-profile none --configfile a.yaml", "--workflow-profile none "),
    ],
)
def test_a_command_keeps_the_profiles_of_its_run(arguments: str, kept: str) -> None:
    options = profile_options(["snakemake", *arguments.split()])
    assert snakemake_command(["b.yaml"], {}, options) == f"snakemake {kept}--configfile b.yaml"


def test_a_folder_is_held_while_a_run_writes_there(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    lock = hold_results(tmp_path)
    assert is_held(tmp_path)
    lock.release()
    assert not is_held(tmp_path)
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()
    assert not is_held(tmp_path), "what cannot be opened says nothing of a run"


@pytest.mark.parametrize(
    ("rule", "place", "changed"),
    [
        (
            "corpus",
            "corpus/tokens.parquet",
            {"corpus": {"source": "file", "path": "text.txt", "train_fraction": 0.5}},
        ),
        ("probe", "corpus/probe.parquet", {"probe": {"positions": 16, "block": 4, "lead": 24}}),
    ],
)
def test_a_corpus_of_other_settings_is_not_trained_on(
    study_file: Path, rule: str, place: str, changed: dict[str, dict[str, Any]]
) -> None:
    study = load_study(study_file)
    made = {"settings": parameters(rule_settings(study, rule))}
    write_records(study.results, [f"{study.results}/{place}"], made)
    text = sha256(Path("text.txt").read_bytes()).hexdigest()
    check_corpus(study, text, "snakemake")
    rewrite(study_file, **changed)
    with pytest.raises(ReprocoreError) as error:
        check_corpus(load_study(study_file), text, "snakemake --configfile a.yaml")
    assert f"{place}: was made with another {rule} than the study has today" in one_line(error)
    assert one_line(error).endswith("corpus/probe.parquet --configfile a.yaml --force")


def test_a_corpus_of_another_text_without_a_record_is_not_trained_on(study_file: Path) -> None:
    study = load_study(study_file)
    check_corpus(study, sha256(Path("text.txt").read_bytes()).hexdigest(), "snakemake")
    with pytest.raises(ReprocoreError) as error:
        check_corpus(study, sha256(b"another text").hexdigest(), "snakemake")
    assert "tokens.parquet: was made with another corpus" in one_line(error)
