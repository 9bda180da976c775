"""Which folder can hold results: a new one, or one that does already; nothing else."""

from pathlib import Path

import pytest

from conftest import one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.study.permissions import check_ours, check_places
from reprocore.study.study import parse_study


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with something of everything in it, the results' place."""
    folder = tmp_path / "work"
    for name in ("src/package", ".git", ".venv", "docs", "data/corpus", "empty", "cells/images"):
        (folder / name).mkdir(parents=True)
    (folder / "data/corpus/text.txt").write_text("a text")
    (folder / "link").symlink_to("src")
    (folder / "file").write_text("a file")
    monkeypatch.chdir(folder)
    return folder


REFUSED = {
    ".": "is the working folder",
    "..": "holds the working folder",
    "/": "holds the working folder",
    "src": "is in src, a folder of the project itself",
    "src/": "is in src, a folder of the project itself",
    "./docs/new": "is in docs, a folder of the project itself",
    "workflow": "is in workflow, a folder of the project itself",
    "link": "is in src, a folder of the project itself",
    "link/package/out": "is in src, a folder of the project itself",
    ".git": "is a hidden folder",
    ".venv/out": "is a hidden folder",
    "new/.hidden": "is a hidden folder",
    "data": "holds other files than results of this program, such as corpus",
    "cells": "holds other files than results of this program, such as images",
    "file": "is not a folder that can be written to",
}


@pytest.mark.parametrize("results", REFUSED)
def test_a_folder_of_something_else_is_refused(
    results: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPROCORE_ALLOW", "/")
    study = parse_study(tiny_config(results=results))
    with pytest.raises(ReprocoreError) as error:
        check_places(study)
    line = one_line(error)
    assert line.startswith(f"results: {study.results}: ")
    assert REFUSED[results] in line


@pytest.mark.parametrize("results", ["~", "~/x", "~root/x"])
def test_a_home_folder_is_to_be_written_in_full(results: str) -> None:
    with pytest.raises(ReprocoreError) as error:
        parse_study(tiny_config(results=results))
    assert one_line(error) == f"config: results: {results!r}: ~ is not replaced here; " + (
        "write the full path"
    )


@pytest.mark.parametrize("path", ["x" * 256, "x/" * 1001])
@pytest.mark.parametrize("key", ["results", "claims"])
def test_a_path_that_no_file_system_takes_is_refused(key: str, path: str) -> None:
    with pytest.raises(ReprocoreError) as error:
        parse_study(tiny_config(**{key: path}))
    assert "is too long for a path" in one_line(error)


OURS = {
    "nothing": (),
    "a lock of a run that was killed": (".lock", ".study.json.abc.tmp"),
    "logs": ("logs/corpus.log",),
    "a placeholder": (".gitkeep",),
    "a run": ("study.json", "corpus/tokens.parquet", "notes.txt"),
    "a corpus": ("corpus/tokens.parquet",),
    "single cells": ("cells/charlm/relu/all-1/cell.json",),
    "cells of a pilot": ("pilot/charlm-100/cells/charlm/relu/all-1/cell.json", ".lock"),
    "a pilot that failed before its first cell": ("pilot/charlm-100/.lock",),
    "a cell under way": ("cells/charlm/relu/all-1/checkpoint.safetensors", "notes.txt"),
}


@pytest.mark.parametrize("case", OURS)
def test_a_folder_of_results_is_taken(here: Path, case: str) -> None:
    for name in OURS[case]:
        path = here / "empty" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    check_ours("empty")
    check_places(parse_study(tiny_config(results="empty")))


def test_a_folder_that_is_absent_is_taken() -> None:
    check_places(parse_study(tiny_config(results="new/out")))


def test_claims_that_are_absent_are_named() -> None:
    with pytest.raises(ReprocoreError) as error:
        check_places(parse_study(tiny_config(claims="absent.yaml")))
    assert one_line(error) == "claims: absent.yaml: no such file"
