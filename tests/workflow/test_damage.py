"""Every kind of file of a results folder, damaged in every way: named in one line, and repaired."""

import copy
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conftest import one_line
from damages import (
    CELL,
    DAMAGES,
    FILES,
    OTHER_CELL,
    ROUND,
    SEEN,
    TABLES,
    WITHOUT_FRACTIONS,
    damage_all,
    emptied,
    flipped,
    noise,
    removed,
    results_of,
    truncated,
    without_numbers,
)
from project import TINY, Project, finished, listed_jobs, rules_of
from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import Plan
from reprocore.pipeline.status import study_status
from reprocore.pipeline.verification.repair import repairs
from reprocore.pipeline.verification.verify import verify
from reprocore.store.records import check_inputs
from reprocore.study.cells import UNARCHIVED_FILES
from reprocore.study.study import Study, load_study, parse_study

MEMORY = {**TINY["models"]["memory"], "activations": ["relu"]}
STUDY = {
    **TINY,
    "seeds": [1, 2],
    "models": {**TINY["models"], "memory": MEMORY},
    "claims": "config/claims.yaml",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("damaged"), STUDY)
    project.jobs()
    return project


@pytest.fixture
def study(project: Project, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(project.root)
    return load_study("study.yaml")


def advice(study: Study) -> list[str]:
    """The commands that `reprocore verify` gives."""
    result = verify(study)
    return repairs(result.plan, result.problems, "snakemake --configfile study.yaml").commands


def repair(project: Project, commands: list[str]) -> None:
    """Run the commands that `reprocore verify` prints, in a shell."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        done = finished(command, 900, shell=True, **project.place(PATH=path))
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_an_undisturbed_study_has_nothing_to_repair(project: Project, study: Study) -> None:
    result = verify(study)
    assert result.problems == []
    on_disk = {
        str(path.relative_to(project.root / "out"))
        for path in (project.root / "out").rglob("*")
        if path.is_file()
        and not {"logs", "records"} & set(path.relative_to(project.root / "out").parts)
    }
    # What is checked is all that is there: no file of a study is overlooked.
    assert sum(result.checked.values()) == len(on_disk - {".lock", "study.json"})
    done = project.reprocore("verify", "--configfile", "study.yaml")
    assert (done.returncode, "All is well." in done.stdout) == (0, True)


@pytest.mark.parametrize("name", FILES)
def test_every_damage_is_named_by_the_job_that_reads_it_and_by_verify(
    project: Project, study: Study, name: str
) -> None:
    out = project.root / "out"
    path, saved = Path("out") / name, project.root / "saved"
    shutil.copy2(path, saved)
    for damage in DAMAGES:
        damage(path, out / FILES[name])
        if damage is without_numbers and path.read_bytes() == saved.read_bytes():
            assert name in WITHOUT_FRACTIONS
            continue
        try:
            with pytest.raises(ReprocoreError) as error:
                check_inputs("out", [str(path)])
            (problem,) = verify(study).problems
        finally:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            shutil.copy2(saved, path)
        assert one_line(error).startswith(f"{path}: "), damage.__name__
        assert "make it again with: snakemake out/" in one_line(error)
        assert one_line(error).endswith(" --configfile study.yaml --force")
        assert (problem.path, problem.state) == (name, "damaged"), damage.__name__
        assert problem.reason
    assert verify(study).problems == []


def test_a_whole_cell_in_the_place_of_another_is_damage(project: Project, study: Study) -> None:
    out, saved = project.root / "out", project.root / "saved_cell"
    shutil.copytree(out / CELL, saved)
    try:
        for path in (out / OTHER_CELL).iterdir():
            shutil.copy2(path, out / CELL / path.name)
        with pytest.raises(ReprocoreError) as error:
            check_inputs("out", [f"out/{CELL}/predictions.parquet"])
        assert "must be of small/relu/all-1" in one_line(error)
        assert verify(study).problems[0].path == f"{CELL}/cell.json"
    finally:
        shutil.rmtree(out / CELL)
        shutil.move(saved, out / CELL)


def test_records_that_are_damaged_or_gone(project: Project, study: Study) -> None:
    path = "out/pairs/small/relu/all.parquet"
    record = Path("out/records/pairs/small/relu/all.parquet.json")
    before = record.read_text()
    try:
        record.write_text(before.replace("compare", "comparf"))
        with pytest.raises(ReprocoreError) as error:
            check_inputs("out", [path])
        assert one_line(error).startswith(f"{record}: its content is not what was written")
        record.unlink()
        # Nothing is known against the file; that nothing vouches for it is listed.
        assert list(check_inputs("out", [path])) == ["pairs/small/relu/all.parquet"]
        (problem,) = verify(study).problems
        assert (problem.path, problem.state) == ("pairs/small/relu/all.parquet", "unrecorded")
        assert advice(study)[0] == f"snakemake {path} --configfile study.yaml --force"
    finally:
        record.write_text(before)


def test_what_a_killed_run_left_is_removed_and_what_is_unknown_is_kept(
    project: Project, study: Study
) -> None:
    out = project.root / "out"
    leftover = [
        f"{CELL}/.history.parquet.abc.tmp",
        f"{CELL}/.tmpa1B2c3",
        f"{CELL}/checkpoint.safetensors",
        "records/pairs/small/gone/all.parquet.json",
    ]
    unknown = [
        f"{CELL}/notes.txt",
        "cells/small/gelu/all-1/history.parquet",
        "cells/mine/notes.txt",
        "pairs/small/gelu/all.parquet",
        "notes.txt",
    ]
    for name in (*leftover, *unknown):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("{}")
    result = verify(study)
    assert {(p.path, p.state) for p in result.problems} == {(name, "leftover") for name in leftover}
    assert {(p.path, p.state) for p in result.kept} == {(name, "unknown") for name in unknown}
    (command,) = advice(study)
    assert set(shlex.split(command)) == {"rm", "-f", "--", *(f"out/{name}" for name in leftover)}
    subprocess.run(command, shell=True, check=True)
    assert verify(study).problems == []
    done = project.reprocore("verify", "--configfile", "study.yaml")
    assert done.returncode == 0
    for name in unknown:
        assert f"out/{name}: unknown: no " in done.stdout
        (out / name).unlink()


def test_intact_results_of_another_config_are_listed_apart_and_kept(
    project: Project, study: Study
) -> None:
    smaller = parse_study(project.changed(models={"small": TINY["models"]["small"]}))
    result = verify(smaller)
    kept = {problem.path for problem in result.kept}
    assert {problem.state for problem in result.kept} == {"not in this config"}
    assert {"cells/memory/relu/all-1", "cells/memory/relu/all-2"} <= kept
    assert {"pairs/memory/relu/all.parquet", "models/memory/curves.parquet"} <= kept
    assert "figures/memory/contrasts.svg" in kept
    # The tables over all models rest on other cells than this config has.
    assert {problem.state for problem in result.problems} == {"stale"}
    assert not any("rm" in shlex.split(command) for command in advice(smaller))

    other_seeds = parse_study(project.changed(seeds=[2, 3]))
    assert {p.path for p in verify(other_seeds, quick=True).kept} == {
        f"cells/{group}/all-1" for group in ("small/relu", "small/swiglu", "memory/relu")
    }


@pytest.mark.parametrize(
    ("name", "damage", "files"),
    [
        ("cells/memory/relu/all-1/predictions.parquet", flipped, 1),
        ("cells/memory/relu/all-1/cell.json", truncated, 1),
        ("pairs/memory/relu/all.parquet", flipped, 2),
    ],
)
def test_of_another_config_the_damaged_file_alone_is_deleted(
    project: Project, study: Study, name: str, damage: Callable[[Path, Path], None], files: int
) -> None:
    smaller = parse_study(project.changed(models={"small": TINY["models"]["small"]}))
    path = project.root / "out" / name
    before = path.read_bytes()
    damage(path, path)
    try:
        (problem,) = [p for p in verify(smaller).problems if p.state == "damaged"]
        assert problem.path == name
        deletion = shlex.split(advice(smaller)[0])
        assert deletion[:4] == ["rm", "-f", "--", f"out/{name}"]
        assert len(deletion) == 3 + files
    finally:
        path.write_bytes(before)


def test_other_settings_than_todays_are_stale(project: Project, study: Study) -> None:
    def stale(**sections: object) -> set[str]:
        problems = verify(parse_study(project.changed(**sections)), quick=True).problems
        return {problem.path.partition("/")[0] for problem in problems if problem.state == "stale"}

    assert stale() == set()
    assert "cells" in stale(training={**TINY["training"], "learning_rate": 0.5})
    assert "cells" in stale(probe={**TINY["probe"], "positions": 32})
    assert {"models", "summary.parquet"} <= stale(statistics={"confidence": 0.9})
    assert stale(figures={"dpi": 60}) == {"figures"}
    # Of a new seed only the cells are missing, but what compares or sums up must follow.
    assert {"pairs", "models", "figures"} <= stale(seeds=[1, 2, 3])


def test_damage_is_named_and_the_advice_repairs_it(project: Project) -> None:
    out = project.root / "out"
    before = results_of(out)
    damage_all(out, ROUND)
    done = project.reprocore("verify", "--configfile", "study.yaml")
    assert done.returncode == 1
    lines, _, commands = done.stdout.partition("To repair:\n")
    for name in ROUND:
        assert f"out/{name}: " in lines, name
    repair(project, [line.strip() for line in commands.splitlines()])

    after = project.reprocore("verify", "--configfile", "study.yaml")
    assert after.returncode == 0, after.stdout
    assert results_of(out) == before


def test_damage_that_only_a_reader_sees_stops_snakemake_in_one_line(
    project: Project, study: Study
) -> None:
    out = project.root / "out"
    before = results_of(out)
    (out / "summary.parquet").unlink()
    damage_all(out, {f"{CELL}/predictions.parquet": flipped, "models/small/cells.parquet": noise})
    (out / "pairs/small/relu/all.parquet").unlink()
    done = project.snakemake()
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors
    for line in errors:
        assert line.startswith((f"error: out/{CELL}/pred", "error: out/models/small/cells"))
    repair(project, advice(study))
    assert verify(study).problems == []
    assert results_of(out) == before


DELETED = ("pairs/memory/relu/all.parquet", "summary.md", "figures/ratios.svg")


def test_the_same_command_again_repairs_what_a_quick_look_shows(
    project: Project, study: Study
) -> None:
    out = project.root / "out"
    before, kept = results_of(out), (out / "cells/small/relu/all-2/cell.json").read_bytes()
    damage_all(out, SEEN)
    for name in DELETED:
        (out / name).unlink()
    seen = {problem.path for problem in verify(study, quick=True).problems}
    jobs = project.jobs("--dry-run")
    assert {*DELETED, *SEEN} - {"records/audit.md.json"} <= seen
    assert {job for job in jobs if job.startswith("train")} == {
        *("train small/relu/all-1", "train small/swiglu/all-2"),
        *("train memory/relu/all-1", "train memory/relu/all-2"),
    }
    states = {status.cell.key: status for status in study_status(Plan.of(study))}
    assert states["memory/relu/all-1"].state == "damaged"
    assert states["memory/relu/all-1"].reason.startswith("cell.json: not a whole JSON file")
    done = project.snakemake()
    assert done.returncode == 0, done.stderr
    assert "Damaged: 9 files, made again where asked for: out/" in done.stderr + done.stdout
    # Damaged cells wait for a corpus that is made again, though finished ones do not.
    assert "(before update)" not in done.stderr + done.stdout
    assert verify(study).problems == []
    assert results_of(out) == before
    assert (out / "cells/small/relu/all-2/cell.json").read_bytes() == kept
    assert project.jobs() == {}


def test_what_is_not_asked_for_is_not_repaired(project: Project, study: Study) -> None:
    out = project.root / "out"
    before = (out / "summary.csv").read_bytes()
    emptied(out / "summary.csv", out)
    assert project.jobs("out/pairs/small/relu/all.parquet", "--dry-run") == {}
    assert rules_of(project.jobs("out/summary.csv"))["summarise"] == 1
    assert (out / "summary.csv").read_bytes() == before


def test_the_tables_of_an_archive_are_taken_as_they_are(project: Project, tmp_path: Path) -> None:
    """What is large is gone of a model that was trained elsewhere, and another is there whole."""
    archive = copy.copy(project)
    archive.root = shutil.copytree(project.root, tmp_path / "archive")
    out = archive.root / "out"
    for cell in out.glob("cells/memory/*/*"):
        for name in UNARCHIVED_FILES:
            (cell / name).unlink()
    before = {path: path.read_bytes() for path in out.glob("models/memory/*")}
    for path in ("models/small/estimates.parquet", "preflight/memory/relu.json"):
        (out / path).unlink()
    # As an archive has them: without records, whatever they rest on.
    for path in ("records/models/memory", "records/pairs/memory", "records/blocks/memory"):
        shutil.rmtree(out / path)
    (out / "records/summary.parquet.json").unlink()
    ran = archive.jobs("--config", "partial=true")
    assert {"summarise", "page", "estimate small"} <= {*ran}
    assert not [job for job in ran if job.startswith(("train", "compare")) or "memory" in job]
    assert {path: path.read_bytes() for path in before} == before
    assert len(before) == len(TABLES)
    assert set(pq.read_table(out / "summary.parquet")["model"].to_pylist()) == {"small", "memory"}
    done = archive.reprocore("verify", "-c", "study.yaml", "--config", "partial=true")
    assert "All is well." in done.stdout, done.stdout


def test_a_corpus_that_is_made_again_trains_no_finished_cell(
    project: Project, study: Study
) -> None:
    out = project.root / "out"
    before, cells = results_of(out), {path: path.read_bytes() for path in out.rglob("cell.json")}
    removed(out / "corpus/tokens.parquet", out)
    emptied(out / "corpus/probe.parquet", out)
    (out / CELL / "weights.safetensors").unlink()
    jobs = project.jobs()
    assert jobs["corpus"] == 1
    assert {job for job in jobs if job.startswith("train")} == {"train small/relu/all-1"}
    again = {path: path.read_bytes() for path in out.rglob("cell.json")}
    assert {path for path in cells if cells[path] != again[path]} == {out / CELL / "cell.json"}
    assert results_of(out) == before
    assert verify(study).problems == []
    assert project.jobs() == {}


def test_a_damaged_corpus_is_repaired_without_training_anew(project: Project, study: Study) -> None:
    out = project.root / "out"
    before, cells = results_of(out), (out / CELL / "cell.json").read_bytes()
    flipped(out / "corpus/tokens.parquet", out)
    repair(project, advice(study))
    last = project.snakemake()
    assert last.returncode == 0, last.stderr
    assert "train" not in rules_of(listed_jobs(last.stdout + last.stderr))
    assert results_of(out) == before
    assert (out / CELL / "cell.json").read_bytes() == cells
    assert verify(study).problems == []
