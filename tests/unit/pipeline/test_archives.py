"""What is published of the reference studies: files, tables, pages and sentences agree."""

import hashlib
import json
import re
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from project import REPOSITORY
from reprocore.analysis.strata import DIVERGENCES
from reprocore.pipeline.documents.details import DETAILS
from reprocore.pipeline.documents.studies import CONFIGURATIONS, SOURCES, STUDIES
from reprocore.pipeline.plan import Plan
from reprocore.report.page.tables import with_interval
from reprocore.report.words import readable
from reprocore.study.layout import MODEL_FOLDERS, TUNING_FOLDER
from reprocore.study.overrides import read_config
from reprocore.study.study import parse_study
from reprocore.vocabulary import MEASURES

MOST_BYTES = 25_000_000
FOLDERS = [REPOSITORY / "docs/study" / name for name in (*STUDIES, SOURCES)]
ARCHIVES = [folder for folder in FOLDERS if folder.is_dir()]


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.concat(pd.read_parquet(path) for path in sorted(folder.glob(f"models/*/{name}")))


def rows(packed: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(packed["rows"], columns=packed["names"])


@pytest.fixture(params=ARCHIVES, ids=lambda folder: folder.name)
def archive(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def page(archive: Path) -> dict[str, Any]:
    text = (archive / "report.html").read_text("utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def test_something_is_published() -> None:
    assert ARCHIVES
    files = (path for folder in ARCHIVES for path in folder.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_every_file_is_as_listed(archive: Path) -> None:
    lines = (archive / "SHA256SUMS").read_text("utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    files = {p for p in archive.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
    assert {path.relative_to(archive).as_posix() for path in files} == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((archive / name).read_bytes()).hexdigest() == digest, name


def test_what_is_kept_of_a_cell_is_what_the_cell_wrote(archive: Path) -> None:
    cells = list(archive.glob("cells/*/*/*/cell.json"))
    assert cells
    for described in cells:
        known = json.loads(described.read_text("utf-8"))["sha256"]
        for path in {*described.parent.iterdir()} - {described}:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == known[path.name], path


def test_the_levels_of_the_page_are_those_of_the_tables(archive: Path, page) -> None:
    shown, table = rows(page["levels"]), read(archive, "estimates.parquet")
    arm = table["arm"].eq("all") & table["step"].eq(table["step"].max())
    keys = ["model", "activation", "measure"]
    both = shown.dropna(subset=["estimate"]).merge(table[arm], on=keys, suffixes=("", "_stored"))
    assert len(both) == shown["estimate"].notna().sum() > 0
    for name in ("estimate", "low", "high"):
        stored = both[f"{name}_stored"]
        assert (both[name] - stored).abs().le(1e-4 * stored.abs()).eq(stored.notna()).all(), name


def test_the_contrasts_of_the_page_are_those_of_the_tables(archive: Path, page) -> None:
    shown, table = rows(page["contrasts"]), read(archive, "contrasts.parquet")
    keys = ["model", "family", "measure", "condition", "first", "second"]
    both = shown.merge(table[table["arm"] == "all"], on=keys, suffixes=("", "_stored"))
    assert len(both) == len(shown) > 0
    for name, stored in (("estimate", "ratio"), ("low", "ratio_low"), ("p", "p_adjusted")):
        far = (both[name] - both[stored]).abs()
        assert far.le(1e-4 * both[stored].abs()).eq(both[stored].notna()).all(), name


def test_pairs_give_the_estimates(archive: Path) -> None:
    pairs = pd.concat(pd.read_parquet(path) for path in archive.glob("pairs/*/*/*.parquet"))
    keys = ["model", "activation", "arm", "step"]
    means = pairs.groupby(keys)["relative_pd"].mean().rename("mean").reset_index()
    table = read(archive, "estimates.parquet").query("measure == 'relative_pd'")
    both = table.merge(means, on=keys)
    assert len(both) == len(table) == len(means)
    assert (both["estimate"] - both["mean"]).abs().max() < 1e-12


def test_blocks_of_text_give_the_levels_of_the_last_step(archive: Path) -> None:
    blocks = pd.concat(pd.read_parquet(path) for path in archive.glob("blocks/*/*/*.parquet"))
    table = read(archive, "estimates.parquet").query("measure == 'relative_pd'")
    table = table[table["step"] == table.groupby("model")["step"].transform("max")]
    keys = ["model", "activation", "arm", "step"]
    means = blocks.groupby(keys)["relative_pd"].mean().rename("mean").reset_index()
    both = table.merge(means, on=keys)
    assert len(both) == len(table) == len(means)
    assert (both["estimate"] - both["mean"]).abs().max() < 1e-12


@pytest.mark.parametrize("archive", ARCHIVES[:-1], indirect=True, ids=lambda folder: folder.name)
def test_every_verdict_is_in_the_details(archive: Path) -> None:
    text = (REPOSITORY / DETAILS).read_text("utf-8").partition(STUDIES[archive.name].heading)[2]
    lines = text.partition("### Every activation")[2].partition("\n##")[0].splitlines()
    heads = next(line for line in lines if line.startswith("| model |")).strip("| ").split(" | ")
    places = {"final": "at the last step", "matched_loss": "at equal loss"}
    labels = {name: MEASURES[name].label for name in DIVERGENCES} | {"val_loss": "loss"}
    declared = read(archive, "contrasts.parquet").query("family == 'reference' and arm == 'all'")
    for row in declared[declared["measure"].isin(labels)].itertuples():
        start = f"| {row.model} | {readable(row.first)} |"
        (line,) = [each for each in lines if each.startswith(start)]
        mark = {"undecided": "*", "equivalent": ""}.get(row.verdict, "**")
        shown = mark + with_interval(row.ratio, row.ratio_low, row.ratio_high) + mark
        column = heads.index(f"{labels[row.measure]} {places[row.condition]}")
        assert line.strip("| ").split(" | ")[column] == shown


@pytest.mark.parametrize("archive", ARCHIVES, indirect=True, ids=lambda folder: folder.name)
def test_a_study_can_go_on_from_its_archive(archive: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(archive, results)
    file = REPOSITORY / CONFIGURATIONS[archive.name]
    content = read_config([file], {"results": str(results), "partial": True})
    plan = Plan.of(parse_study(content, str(file)))
    assert {*plan.archived} == {path.name for path in (archive / "models").iterdir()}
    kept = (*MODEL_FOLDERS, TUNING_FOLDER)
    assert [path for path in plan.file_problems if path.partition("/")[0] in kept] == []


class TestScript:
    @pytest.fixture
    def archive_again(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
        def run(results: Path, target: Path) -> None:
            script = str(REPOSITORY / "docs/study/archive.py")
            monkeypatch.setattr(sys, "argv", [script, str(results), str(target)])
            runpy.run_path(script, run_name="__main__")

        return run

    def test_an_archive_of_what_began_with_one_is_whole(self, archive_again, tmp_path) -> None:
        results, target = tmp_path / "results", tmp_path / "archive"
        shutil.copytree(REPOSITORY / "docs/study/trained", results)
        target.mkdir()
        (target / "of_old.json").touch()
        archive_again(results, target)
        test_every_file_is_as_listed(target)
        test_blocks_of_text_give_the_levels_of_the_last_step(target)
        assert not (target / "of_old.json").exists()
        assert {path.name for path in tmp_path.iterdir()} == {"results", "archive"}

    def test_what_would_lose_a_model_is_refused(self, archive_again, tmp_path, capsys) -> None:
        results = tmp_path / "results"
        for name in (results, tmp_path / "sources"):
            shutil.copytree(REPOSITORY / "docs/study/sources", name)
        (results / "models/charlm/contrasts.parquet").unlink()
        before = {*(tmp_path / "sources").rglob("*")}
        with pytest.raises(SystemExit):
            archive_again(results, tmp_path / "sources")
        assert "lacks charlm" in capsys.readouterr().err
        assert {*(tmp_path / "sources").rglob("*")} == before
