"""The real Snakemake on a tiny study: which jobs run, and what a failure leaves behind."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from project import REPOSITORY, TINY, Project, listed_jobs, rules_of
from reprocore.store.files import write_json
from reprocore.store.records import sealed
from reprocore.vocabulary import Flag


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"), TINY)
    first = project.jobs()
    assert rules_of(first) == {
        "corpus": 1,
        "probe": 1,
        "preflight": 4,
        "train": 12,
        "compare": 4,
        "estimate": 2,
        "analyse": 2,
        "positions": 2,
        "across": 1,
        "audit": 1,
        "draw_model": 2,
        "summarise": 1,
        "draw_study": 1,
        "page": 1,
        "all": 1,
    }
    return project


def test_a_second_run_does_nothing_and_says_so(project: Project) -> None:
    done = project.snakemake()
    assert done.returncode == 0
    assert listed_jobs(done.stdout + done.stderr) == {}
    assert "Nothing to be done" in done.stdout + done.stderr


def test_the_results_follow_the_contract(project: Project) -> None:
    out = project.root / "out"
    cell = out / "cells/small/relu/all-1"
    assert {path.name for path in cell.iterdir()} == {
        *("history.parquet", "predictions.parquet", "evaluation.parquet"),
        *("continuations.parquet", "weights.safetensors", "cell.json"),
    }
    assert (out / "corpus/tokens.parquet").is_file()
    assert (out / "pairs/memory/swiglu/all.parquet").is_file()
    assert (out / "blocks/memory/swiglu/all.parquet").is_file()
    assert (out / "models/small/estimates.parquet").is_file()
    summary = pd.read_parquet(out / "summary.parquet")
    assert len(summary) == 4
    assert (summary["relative_pd_low"] < summary["relative_pd"]).all()
    for name in ("summary.csv", "summary.md", "figures/cross_model.png", "figures/cross_model.svg"):
        assert (out / name).stat().st_size > 0
    temporary = [path for path in out.rglob("*") if path.name.endswith(".tmp")]
    assert temporary == []


def test_every_cell_names_the_same_probe(project: Project) -> None:
    cells = list((project.root / "out/cells").rglob("cell.json"))
    assert len(cells) == 12
    assert len({json.loads(path.read_text())["probe_hash"] for path in cells}) == 1


def test_an_independent_recomputation_gives_the_same_tables(project: Project) -> None:
    script = REPOSITORY / "docs/study/recompute.py"
    done = subprocess.run([sys.executable, script, project.root / "out"], stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()
    assert b"pairs.relative_pd " in done.stdout


def test_the_report_is_one_file_with_every_figure_and_its_caption(project: Project) -> None:
    done = project.snakemake("--report", "report.html")
    assert done.returncode == 0, done.stderr
    text = (project.root / "report.html").read_text()
    for label in ("figure: cross model", "summary table", "training curves", "pd along training"):
        assert label in text
    assert "A page to read" in text
    answer = (project.root / "out/answer.txt").read_text()
    assert f"<p>{answer.splitlines()[0]}</p>" in text
    assert "summary with the verdicts" in text
    assert "figures/memory/accuracy_and_loss.png" in text
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", text)


def test_another_learning_rate_concerns_that_model_alone(project: Project) -> None:
    jobs = project.planned(project.changed(models=with_other_rate()))
    trained = {job for job in jobs if job.startswith("train")}
    assert trained == {f"train memory/{a}/all-{s}" for a in ("relu", "swiglu") for s in (1, 2, 3)}
    assert rules_of(jobs)["compare"] == 2
    assert "estimate small" not in jobs


def test_what_does_not_change_a_result_runs_nothing(project: Project) -> None:
    models = {
        **TINY["models"],
        "memory": {**TINY["models"]["memory"], "resources": {"mem_mb": 900}},
    }
    assert project.planned(project.changed(models=models, gpu="none")) == {}


def test_a_figure_option_redraws_and_runs_nothing_else(project: Project) -> None:
    jobs = project.planned(project.changed(figures={"dpi": 60}))
    assert set(rules_of(jobs)) == {"draw_model", "draw_study", "all"}


def test_another_confidence_estimates_again_and_trains_nothing(project: Project) -> None:
    jobs = project.planned(project.changed(statistics={"confidence": 0.9}))
    assert "train" not in rules_of(jobs)
    assert "compare" not in rules_of(jobs)
    assert rules_of(jobs)["estimate"] == 2


@pytest.fixture
def source(project: Project) -> Iterator[Path]:
    """The package's source in the project, put back afterwards."""
    folder, kept = project.root / "src/reprocore", project.root / "kept"
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)


def test_only_code_that_trains_trains_again(project: Project, source: Path) -> None:
    project.edit(
        "src/reprocore/training/loop.py",
        'AdamW on random windows, with its trajectory as a stream of rows."""',
        'Another docstring."""\n\n# and a comment',
    )
    assert project.jobs("--dry-run") == {}
    measures = source / "statistics/divergence.py"
    head, churn, body = measures.read_text().partition("\ndef churn(")
    measures.write_text(head + churn + body.replace("return ", "return 2 * ", 1))
    for place in ("store/schemas", "vocabulary", "report/figures/style", "__init__"):
        with (source / f"{place}.py").open("a") as stream:
            stream.write("\nEDITED = 1\n")
    jobs = rules_of(project.jobs("--dry-run"))
    assert "train" not in jobs
    assert jobs["compare"] == 4
    project.edit(
        "src/reprocore/training/models/recurrent.py",
        "x = self.dropout(layer(x)[0])",
        "x = self.dropout(layer(x)[0] * 1)",
    )
    jobs = project.jobs("--dry-run")
    assert {job.split("/")[0] for job in jobs if job.startswith("train")} == {"train memory"}
    assert rules_of(jobs)["train"] == 6
    project.edit("src/reprocore/training/loop.py", "EVALUATION_ROWS = 32", "EVALUATION_ROWS = 16")
    assert rules_of(project.jobs("--dry-run"))["train"] == 12


def state_of(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Date, size and content of every file below a folder, those of Snakemake itself aside."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            path.stat().st_size,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.rglob("*")
        if path.is_file() and not {".snakemake", "__pycache__"} & set(path.parts)
    }


def with_other_rate() -> dict[str, Any]:
    memory = {**TINY["models"]["memory"], "training": {"learning_rate": 0.01}}
    return {**TINY["models"], "memory": memory}


@pytest.mark.parametrize("remembered", [True, False], ids=["", "without .snakemake"])
def test_reading_the_workflow_changes_nothing(project: Project, remembered: bool) -> None:
    memory, away = project.root / ".snakemake", project.root / "away"
    if not remembered:
        memory.rename(away)
    own = project.study
    project.write(project.changed(models=with_other_rate()))
    before = state_of(project.root)
    try:
        for option in ("--dry-run", "--lint", "--summary", "--list-rules"):
            project.snakemake(option)
            assert state_of(project.root) == before, option
    finally:
        project.write(own)
        if not remembered:
            shutil.rmtree(memory, ignore_errors=True)
            away.rename(memory)


def test_the_reason_names_the_setting_that_changed(project: Project) -> None:
    own = project.study
    project.write(project.changed(models=with_other_rate()))
    try:
        done = project.snakemake("--dry-run")
    finally:
        project.write(own)
    output = done.stdout + done.stderr
    assert "Not as the study says today: 6 finished cells" in output
    assert "changed: training" in output
    (reason, *_) = re.findall(r"reason: Params have changed.*", output)
    assert re.search(r'before: \S*training \{.*"learning_rate":0\.0003', reason)
    assert re.search(r'now: \S*training \{.*"learning_rate":0\.01', reason)


def test_both_entries_give_the_same_plan(project: Project) -> None:
    study = project.changed(seeds=[1, 2, 3, 4])
    own = project.study
    project.write(study)
    try:
        root = project.jobs("--dry-run")
        inner = project.jobs("--dry-run", "--snakefile", "workflow/Snakefile")
    finally:
        project.write(own)
    assert root == inner
    assert rules_of(root)["train"] == 4


def test_touched_files_run_nothing(project: Project) -> None:
    """A fresh checkout changes the age of every file, but no content."""
    for path in [*project.root.glob("src/**/*.py"), *project.root.glob("workflow/**/*.*")]:
        path.touch()
    (project.root / "text.txt").touch()
    assert project.jobs("--dry-run") == {}


def test_a_deleted_file_of_a_cell_is_made_again(project: Project) -> None:
    folder = project.root / "out/cells/small/relu/all-1"
    for name in ("weights.safetensors", "cell.json"):
        (folder / name).rename(project.root / name)
        trained = {job for job in project.jobs("--dry-run") if job.startswith("train")}
        (project.root / name).rename(folder / name)
        assert trained == {"train small/relu/all-1"}


def test_stale_cells_are_known_without_snakemakes_memory(project: Project) -> None:
    """Its records lie in `.snakemake`, which people delete, and go by the folder's name."""
    memory, away = project.root / ".snakemake/metadata", project.root / "metadata"
    memory.rename(away)
    # Without records of content only dates are left to tell that the text is the same.
    os.utime(project.root / "text.txt", (1, 1))
    own = project.study
    try:
        project.write(project.changed(models=with_other_rate()))
        jobs = project.jobs("--dry-run")
        of_another = project.jobs("out/figures/small/contrasts.png", "--dry-run")
        project.write(own)
        unchanged = project.jobs("--dry-run")
    finally:
        project.write(own)
        shutil.rmtree(memory, ignore_errors=True)
        away.rename(memory)
    assert {job.split("/")[0] for job in jobs if job.startswith("train")} == {"train memory"}
    assert rules_of(jobs)["train"] == 6
    assert "train" not in rules_of(of_another)
    assert "train" not in rules_of(unchanged)


def test_changed_tables_are_known_without_snakemakes_memory(project: Project) -> None:
    memory, away = project.root / ".snakemake", project.root / "away"
    record = project.root / "out/records/pairs/small/relu/all.parquet.json"
    before = record.read_text()
    memory.rename(away)
    try:
        unchanged = project.jobs("--dry-run")
        other = project.snakemake("--dry-run", "--config", "statistics={confidence: 0.9}")
        write_json(record, sealed({**json.loads(before), "source": "source of old"}))
        of_code = project.jobs("--dry-run")
    finally:
        record.write_text(before)
        shutil.rmtree(memory, ignore_errors=True)
        away.rename(memory)
    assert not {"train", "compare", "estimate"} & {*rules_of(unchanged)}
    jobs = rules_of(listed_jobs(other.stdout + other.stderr))
    assert (jobs["estimate"], jobs["compare"], jobs["train"]) == (2, 0, 0)
    assert "Made with other settings or code than today's: " in other.stderr + other.stdout
    assert {job for job in of_code if job.startswith(("train", "compare"))} == {
        "compare small/relu/all"
    }


def test_another_text_of_an_older_date_is_seen(project: Project) -> None:
    text = project.root / "text.txt"
    before = text.read_text()
    try:
        text.write_text(before[::-1])
        os.utime(text, (0, 0))
        assert rules_of(project.jobs("--dry-run"))["train"] == 12
    finally:
        text.write_text(before)


def test_seeds_can_be_given_on_the_command_line(project: Project) -> None:
    done = project.snakemake("--dry-run", "--config", "seeds=[1,2,3,4]")
    assert done.returncode == 0, done.stderr
    assert rules_of(listed_jobs(done.stdout + done.stderr))["train"] == 4


def test_reading_the_workflow_imports_no_torch(project: Project, tmp_path: Path) -> None:
    for name in ("torch", "matplotlib", "scipy"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    path = os.pathsep.join([str(tmp_path), str(project.root / "src")])
    done = project.snakemake("--dry-run", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr


def test_what_the_workflow_imports_of_the_package_is_light() -> None:
    """Snakemake's SLURM plugin imports pandas by itself, so this looks at the package alone."""
    lines = (REPOSITORY / "workflow/rules/common.smk").read_text().splitlines()
    modules = [line.split()[1] for line in lines if line.startswith("from reprocore")]
    heavy = "{'torch', 'pandas', 'pyarrow', 'matplotlib', 'scipy', 'numpy'}"
    code = f"import sys, {', '.join(modules)}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_an_added_seed_runs_its_cells_and_what_follows(project: Project) -> None:
    project.write(project.changed(seeds=[1, 2, 3, 7]))
    jobs = project.jobs()
    trained = {job for job in jobs if job.startswith("train")}
    assert trained == {
        f"train {model}/{activation}/all-7"
        for model in ("small", "memory")
        for activation in ("relu", "swiglu")
    }
    follows = {
        "compare": 4,
        "estimate": 2,
        "analyse": 2,
        "positions": 2,
        "across": 1,
        "audit": 1,
        "summarise": 1,
        "draw_model": 2,
        "draw_study": 1,
        "page": 1,
    }
    assert rules_of(jobs) == {"train": 4, "all": 1, **follows}
    assert project.jobs() == {}
    summary = pd.read_parquet(project.root / "out/summary.parquet")
    assert (summary["seeds"] == 4).all()


@pytest.mark.parametrize(("file", "cells"), [("ablation", 11 * 3 * 8), ("scale", 4 * 3 * 8)])
def test_shipped_studies_are_planned_with_what_is_drawn(project: Project, file, cells) -> None:
    content = yaml.safe_load((project.root / f"config/{file}.yaml").read_text("utf-8"))
    own, place = project.study, content["results"]
    project.write(content)
    try:
        done = project.snakemake("--dry-run")
    finally:
        project.write(own)
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert rules_of(listed_jobs(text))["train"] == cells
    assert f"{place}/across/scale.parquet" in text
    assert (f"{place}/figures/scale.png" in text) == (file == "scale")
    assert ("gpt_10740k needs a GPU" in text) == (file == "scale")


def test_an_added_activation_runs_its_cells_alone(project: Project) -> None:
    jobs = project.planned(project.changed(activations=["relu", "swiglu", "smelu_1"]))
    trained = {job for job in jobs if job.startswith("train")}
    assert len(trained) == 2 * len(project.study["seeds"])
    assert all("/smelu_1/" in job for job in trained)


def test_a_gpu_model_is_left_out_with_a_notice_and_shown_as_not_run(project: Project) -> None:
    big = {**TINY["models"]["small"], "resources": {"gpu": 1}}
    study = project.changed(models={**TINY["models"], "big": big})
    own = project.study
    project.write(study)
    try:
        done = project.snakemake()
        assert done.returncode == 0, done.stderr
        jobs = listed_jobs(done.stdout + done.stderr)
        assert "train" not in rules_of(jobs)
        assert re.search(r"big needs a GPU and none is here: left out", done.stderr + done.stdout)
        summary = pd.read_parquet(project.root / "out/summary.parquet").set_index("model")
        assert (summary.loc["big", "flags"] == Flag.NOT_RUN).all()
        assert summary.loc["big", "relative_pd"].isna().all()
        reachable = project.snakemake("--dry-run", "--config", "gpu=available")
        planned = listed_jobs(reachable.stdout + reachable.stderr)
        assert sum(job.startswith("train big/") for job in planned) == 2 * len(study["seeds"])
    finally:
        project.write(own)
