"""What a study may do: run code, or write elsewhere, only where the user says so.

The user names what they trust in the environment, which no file of a study can reach.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.study.study import Study

ALLOW = "REPROCORE_ALLOW"
# Of a checkout; results would lie among what is kept by hand.
PROJECT_FOLDERS = (
    *("src", "workflow", "config", "docs", "tests", "profiles", "plugins", "benchmarks"),
)
# What a folder may hold that has no results yet: a lock, logs, and what keeps it in git.
_UNMARKED = {".lock", "logs", ".gitkeep", ".gitignore", ".DS_Store"}
# Any of these shows that results are ours. `study.json` and the lock of a pilot are written before
# any other file; the others are of cells that were trained one by one, or copied.
_MARKS = (
    *("study.json", "corpus/tokens.parquet", "cells/*/*/*-[0-9]*"),
    *("pilot/*-[0-9]*/.lock", "pilot/*/cells/*/*/*-[0-9]*"),
)


def check_code(study: Study) -> None:
    """Refuse a study that names code from outside this package without the user's word.

    Raises:
        ReprocoreError: names the key, the path and what to set.
    """
    for name, custom in study.custom_activations.items():
        check_module(custom.path, f"custom_activations.{name}.path")
    for name, model in study.models.items():
        if ":" in model.family:
            check_module(model.family, f"models.{name}.family")


def check_module(path: str, key: str) -> None:
    """Refuse `module:name` unless it is of this package or its top-level module is allowed.

    Raises:
        ReprocoreError: names `key`, the path and what to set.
    """
    top = path.partition(":")[0].partition(".")[0]
    if top != "reprocore" and top not in _allowed():
        raise ReprocoreError(
            f"{key}: {path!r} is code from outside reprocore; if you trust it, {_setting(top)}"
        )


def check_results(results: str) -> None:
    """Refuse results that lie outside the working folder, symbolic links resolved.

    Raises:
        ReprocoreError: names the folder and what to set.
    """
    folder, here = os.path.realpath(results), os.path.realpath(".")
    if not any(_inside(folder, place) for place in (here, *_allowed_folders())):
        raise ReprocoreError(
            f"results: {results}: {folder} is outside the working folder {here}; if the results "
            f"belong there, {_setting(folder)}"
        )


def check_ours(results: str) -> None:
    """Refuse a results folder that is there for something else.

    Results are written into it, and `reprocore verify` lists all else in it as foreign. So it is
    a new folder (absent or empty), or one that bears the mark of earlier results.

    Raises:
        ReprocoreError: names the folder, and what it is instead.
    """
    folder, here = Path(os.path.realpath(results)), Path(os.path.realpath("."))
    if reason := _why_not_ours(folder, here):
        raise ReprocoreError(f"results: {results}: {reason}; name a new folder, such as results")


def _why_not_ours(folder: Path, here: Path) -> str:
    if here.is_relative_to(folder):
        return "is the working folder" if folder == here else "holds the working folder"
    inside = folder.relative_to(here).parts if folder.is_relative_to(here) else ()
    if any(part.startswith(".") for part in inside):
        return "is a hidden folder"
    if inside and inside[0] in PROJECT_FOLDERS:
        return f"is in {inside[0]}, a folder of the project itself"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:  # not there yet; or not a folder, or not readable, which is refused elsewhere
        return ""
    others = [n for n in names if n not in _UNMARKED and not n.startswith(".study.json.")]
    if not others or any(any(folder.glob(mark)) for mark in _MARKS):
        return ""
    return f"holds other files than results of this program, such as {others[0]}"


def check_links(results: str) -> None:
    """Refuse results that hold a symbolic link which leads out of their folder, or to nothing.

    Snakemake may take a link to nothing for a file that is there, and then fail to read its date.

    Raises:
        ReprocoreError: names the link, where it leads, and what to set.
    """
    root = os.path.realpath(results)
    for link in _links(root):
        target = os.path.realpath(link)
        if not any(_inside(target, place) for place in (root, *_allowed_folders())):
            raise ReprocoreError(
                f"{link}: is a link that leads out of the results, to {target}; delete it, or, "
                f"if that is meant, {_setting(target)}"
            )
        if not Path(link).exists():
            raise ReprocoreError(f"{link}: is a link to nothing; delete it: {_deletion(link)}")


def _deletion(link: str) -> str:
    return shlex.join(["rm", "--", os.path.relpath(link)])


def _allowed() -> list[str]:
    entries = os.environ.get(ALLOW, "").split(",")
    return [entry.strip() for entry in entries if entry.strip()]


def _allowed_folders() -> list[str]:
    return [os.path.realpath(entry) for entry in _allowed() if "/" in entry]


def _setting(entry: str) -> str:
    return f"set the environment variable {ALLOW}={','.join([*_allowed(), entry])}"


def _inside(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _links(folder: str) -> Iterator[str]:
    """Yield every symbolic link below `folder`, following none."""
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # not there yet, or not to be read: nothing is written there either
            continue
        for entry in entries:
            if entry.is_symlink():
                yield entry.path
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def check_places(study: Study) -> None:
    """Refuse a study that asks for what it may not do, or cannot: run foreign code, write there.

    Raises:
        ReprocoreError: names the key and the path.
    """
    check_code(study)
    check_results(study.results)
    check_ours(study.results)
    if study.corpus.source == "file" and not Path(str(study.corpus.path)).is_file():
        raise ReprocoreError(f"corpus.path: {study.corpus.path}: no such file")
    if study.claims is not None and not Path(study.claims).is_file():
        raise ReprocoreError(f"claims: {study.claims}: no such file")
    folder = Path(study.results).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ReprocoreError(
            f"results: {study.results}: {folder} is not a folder that can be written to"
        )
