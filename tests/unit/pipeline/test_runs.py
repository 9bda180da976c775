"""What `study.json` says of the runs that made a results folder."""

import platform
from pathlib import Path

from reprocore.pipeline.runs import WorkflowRun
from reprocore.store.records import read_sealed
from reprocore.study.study import load_study


def test_a_run_names_the_machines_of_its_finished_cells(study_file: Path) -> None:
    study = load_study(study_file)
    run = WorkflowRun(study, "snakemake")
    run.begin()
    run.end("success")
    content = read_sealed(Path(study.results) / "study.json")
    assert content["hosts"] == [platform.node()]
    assert [each["outcome"] for each in content["runs"]] == ["success"]
