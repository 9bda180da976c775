"""The real Snakemake: learning rates are chosen first; only what a choice changes is trained."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from project import TINY, Project, rules_of
from reprocore.store.records import sealed

GRID = {"learning_rates": [0.0001, 0.001, 0.01], "seeds": [11]}
MEMORY = {**TINY["models"]["memory"], "activations": ["relu"]}
MODELS = {**TINY["models"], "memory": MEMORY}
STUDY: dict[str, Any] = {**TINY, "models": MODELS, "seeds": [1, 2], "tuning": GRID}
del STUDY["claims"]
PAIRS = [("small", "relu"), ("small", "swiglu"), ("memory", "relu")]


def choice_path(project: Project, model: str, activation: str) -> Path:
    return project.root / f"out/tuning/{model}/{activation}.json"


def choices(project: Project) -> dict[tuple[str, str], float]:
    return {pair: json.loads(choice_path(project, *pair).read_text())["chosen"] for pair in PAIRS}


def jobs_of(rule: str, jobs: Counter[str]) -> set[str]:
    return {job.partition(" ")[2] for job in jobs if job.split()[0] == rule}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study after its first run, from nothing."""
    project = Project(tmp_path_factory.mktemp("tuning"), STUDY)
    status = project.reprocore("status", "-c", "study.yaml").stdout
    assert "Learning rates not chosen yet; a run does that: small/relu, small/swiglu" in status
    before = project.snakemake("--dry-run")
    assert "Learning rates to be chosen first: memory/relu" in before.stdout + before.stderr
    one = project.jobs("--dry-run", "out/cells/small/relu/all-1/cell.json")
    assert one == {
        **{f"tune small/relu/{rate}-11": 1 for rate in GRID["learning_rates"]},
        **dict.fromkeys(("choose_rate small/relu", "preflight small/relu", "corpus", "probe"), 1),
        "train small/relu/all-1": 1,
    }
    ran = rules_of(project.jobs())
    del ran["corpus"], ran["probe"]
    assert ran == {
        **{"preflight": 3, "tune": 9, "choose_rate": 3, "tabulate_tuning": 1, "draw_tuning": 1},
        **{"train": 6, "compare": 3, "estimate": 2, "analyse": 2, "positions": 2},
        **{"across": 1, "draw_model": 2, "summarise": 1, "draw_study": 1, "page": 1, "all": 1},
    }
    return project


def test_cells_are_trained_at_the_chosen_rates(project: Project) -> None:
    chosen = choices(project)
    for cell in (project.root / "out/cells").rglob("cell.json"):
        content = json.loads(cell.read_text())
        pair = content["cell"]["model"], content["cell"]["activation"]
        assert content["settings"]["training"]["learning_rate"] == chosen[pair]
        assert content["rate_is_tuned"]
    table = pd.read_parquet(project.root / "out/tuning.parquet")
    assert len(table) == 9
    rows = table[table["chosen"]]
    of_row = zip(rows["model"], rows["activation"], rows["learning_rate"], strict=True)
    assert {(model, activation): rate for model, activation, rate in of_row} == chosen
    ends = {pair for pair, rate in chosen.items() if rate in (0.0001, 0.01)}
    summary = (project.root / "out/summary.md").read_text()
    assert summary.count("learning rate chosen at an end of the grid") == len(ends)
    assert (project.root / "out/figures/tuning.svg").is_file()
    verified = project.reprocore("verify", "-c", "study.yaml")
    assert "All is well." in verified.stdout, verified.stdout


def test_a_second_run_does_nothing_also_without_snakemakes_memory(project: Project) -> None:
    assert project.jobs() == {}
    memory = project.root / ".snakemake"
    memory.rename(project.root / "kept")
    try:
        assert project.jobs("--dry-run") == {}
    finally:
        shutil.rmtree(memory)
        (project.root / "kept").rename(memory)


def test_a_choice_that_was_deleted_is_made_again_and_retrains_nothing(project: Project) -> None:
    path = choice_path(project, "small", "relu")
    content = path.read_bytes()
    path.unlink()
    # Without Snakemake's memory too.
    shutil.rmtree(project.root / ".snakemake")
    jobs = project.jobs()
    assert jobs_of("choose_rate", jobs) == {"small/relu"}
    # What is drawn from a younger file is drawn again.
    assert not {"tune", "train", "compare", "estimate", "analyse"} & set(rules_of(jobs))
    assert path.read_bytes() == content
    assert project.jobs("--dry-run") == {}


def test_another_choice_trains_its_own_cells_alone(project: Project) -> None:
    chosen = choices(project)[("small", "relu")]
    other = next(rate for rate in GRID["learning_rates"] if rate != chosen)
    path = project.root / f"out/tuning/small/relu/{other}/11/cell.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(sealed({**content, "val_loss": 0.5})))
    jobs = project.jobs()
    assert choices(project)[("small", "relu")] == other
    assert jobs_of("train", jobs) == {"small/relu/all-1", "small/relu/all-2"}
    assert jobs_of("choose_rate", jobs) == {"small/relu"}
    assert jobs_of("compare", jobs) == {"small/relu/all"}
    assert "tune" not in rules_of(jobs)
    assert jobs_of("estimate", jobs) == {"small"}
    assert project.jobs("--dry-run") == {}


def test_another_rate_trains_its_tuning_cells_and_what_it_changes(project: Project) -> None:
    before = choices(project)
    wider = {**GRID, "learning_rates": [0.0001, 0.001, 0.003, 0.01]}
    study = project.changed(tuning=wider)
    planned = project.planned(study)
    tuned = {f"{model}/{activation}/0.003-11" for model, activation in PAIRS}
    assert jobs_of("tune", planned) == tuned
    assert "train" not in rules_of(planned)
    project.write(study)
    jobs = project.jobs()
    changed = {pair for pair, rate in choices(project).items() if rate != before[pair]}
    assert jobs_of("tune", jobs) == tuned
    assert 0 < len(changed) < len(PAIRS)
    assert jobs_of("train", jobs) == {f"{m}/{a}/all-{s}" for m, a in changed for s in (1, 2)}
    assert project.jobs("--dry-run") == {}


def test_a_partial_study_takes_the_choices_that_are_there(project: Project) -> None:
    # A choice alone would be known from its tuning cells.
    lost = [choice_path(project, "small", "swiglu"), project.root / "out/tuning/small/swiglu"]
    kept = [path.rename(project.root / f"kept-{path.name}") for path in lost]
    try:
        done = project.snakemake("--config", "partial=true")
        assert done.returncode == 0, done.stdout + done.stderr
        table = pd.read_parquet(project.root / "out/tuning.parquet")
        summary = pd.read_parquet(project.root / "out/summary.parquet")
    finally:
        for path, place in zip(kept, lost, strict=True):
            path.rename(place)
    of_lost = (table["model"] == "small") & (table["activation"] == "swiglu")
    assert set(table.loc[of_lost, "trial"]) == {"missing"}
    assert set(table.loc[~of_lost, "trial"]) == {"done"}
    flags = summary.set_index(["model", "activation"])["flags"]
    assert "not_run" in flags["small", "swiglu"]
