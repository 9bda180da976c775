"""What made each file of a results folder: a record for each, checked wherever it is read.

A cell's record is its `cell.json`. Any other file `results/a/b` has `results/records/a/b.json`.
Both carry a digest of their own content.
"""

import hashlib
import os
import platform
import shlex
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.files import read_json, write_json
from reprocore.store.source_digest import digest
from reprocore.study.cells import Cell, cell_of_path
from reprocore.study.layout import CORPUS_FILES

PACKAGES = ("reprocore", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "snakemake")


class DamagedError(ReprocoreError):
    """A file is not what its record says, or its record cannot be read."""


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, hexadecimal.

    Raises:
        DamagedError: it is missing, or is no file that can be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read: {error.strerror}") from None


class Fault(StrEnum):
    """What is wrong with a file, as far as one look at its folder shows."""

    MISSING = "no such file"
    NOT_A_FILE = "is not a file"
    EMPTY = "is empty"
    SIZE = "has another size than the file that was written"


def quick_fault(path: str | Path, size: int | None) -> Fault | None:
    """Return what is wrong with a file without reading it, None if nothing is seen.

    Args:
        path: the file.
        size: in bytes, as its record tells; None if that is not known.
    """
    try:
        seen = Path(path).stat()
    except OSError:
        return Fault.NOT_A_FILE if os.path.lexists(path) else Fault.MISSING
    if not stat.S_ISREG(seen.st_mode):
        return Fault.NOT_A_FILE
    if seen.st_size == 0 and size != 0:
        return Fault.EMPTY
    return Fault.SIZE if size not in (None, seen.st_size) else None


def fingerprints(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the SHA-256 and the sizes in bytes of files, as a `cell.json` has them."""
    paths = {name: folder / name for name in names}
    return {
        "sha256": {name: file_sha256(path) for name, path in paths.items()},
        "bytes": {name: path.stat().st_size for name, path in paths.items()},
    }


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return `content` with a digest of itself as `digest`."""
    bare = {key: value for key, value in content.items() if key != "digest"}
    return {**bare, "digest": digest(bare)}


def read_sealed(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that holds what `sealed` gave.

    Raises:
        DamagedError: the file is missing, not JSON, or its content has changed.
    """
    try:
        content = read_json(path)
    except ReprocoreError as error:
        raise DamagedError(str(error)) from None
    if not isinstance(content, dict) or content.get("digest") != sealed(content)["digest"]:
        raise DamagedError(f"{path}: its content is not what was written")
    return content


def read_cell(path: str | Path) -> dict[str, Any]:
    """Read a `cell.json`, which must be of the cell whose folder it lies in.

    Raises:
        DamagedError: it is missing, damaged, or of another cell.
    """
    content, folder = read_sealed(path), Path(path).parent
    try:
        cell = Cell(**content["cell"])
    except (KeyError, TypeError):
        raise DamagedError(f"{path}: names no cell") from None
    names = Path(cell.key).parts
    if folder.parts[-len(names) :] != names:
        place = "/".join(folder.parts[-len(names) :])
        raise DamagedError(f"{path}: is of the cell {cell.key}, must be of {place}")
    return content


def record_path(results: str | Path, path: str | Path) -> Path:
    """Return where the record of a file of `results` lies."""
    return Path(results) / "records" / f"{Path(path).relative_to(results)}.json"


def read_record(results: str | Path, path: str | Path) -> dict[str, Any] | None:
    """Return the record of a file that is of no cell, None if it has none.

    Raises:
        DamagedError: the record is damaged or of another file.
    """
    place = record_path(results, path)
    if not place.is_file():
        return None
    record = read_sealed(place)
    if record.get("file") != str(Path(path).relative_to(results)):
        raise DamagedError(f"{place}: is the record of {record.get('file')}")
    return record


def check_file(results: str | Path, path: str | Path) -> str:
    """Return the SHA-256 of a file, which must be the one on record if it lies in `results`.

    A file without a record passes: nothing is known against it, and results from elsewhere may
    come without their records. `reprocore verify` lists it.

    Raises:
        DamagedError: the file cannot be read, or is not what its rule wrote.
    """
    path, found = Path(path), file_sha256(path)
    if not path.is_relative_to(results):
        return found
    rule, known = "train", found
    if cell := cell_of_path(str(path.relative_to(results))):
        rule, described = cell.rule, read_cell(path.with_name("cell.json"))
        if path.name != "cell.json":
            known = described["sha256"].get(path.name)
    elif (record := read_record(results, path)) is not None:
        rule, known = record["rule"], record["sha256"]
    if found != known:
        raise DamagedError(f"{path}: is not what {rule} wrote (damaged or replaced)")
    return found


def check_inputs(results: str, paths: Iterable[str]) -> dict[str, str]:
    """Check every input of a job; return their SHA-256, by path inside the results if there.

    Raises:
        ReprocoreError: names the first file that is not what its rule wrote, and the command
            that makes it again.
    """
    found = {}
    for path in paths:
        try:
            found[_name(results, path)] = check_file(results, path)
        except DamagedError as error:
            again = forced_command(results, path, study_command(results))
            raise ReprocoreError(f"{error}; make it again with: {again}") from None
    return found


def forget(results: str, paths: Iterable[str]) -> None:
    """Delete the records of files that are about to be written."""
    for path in paths:
        record_path(results, path).unlink(missing_ok=True)


def write_records(results: str, paths: Iterable[str], made: Mapping[str, Any]) -> None:
    """Write the record of each file that a job has made.

    Args:
        results: the results folder.
        paths: the files.
        made: what the records of these files have in common.
    """
    for path in paths:
        own = {
            "file": _name(results, path),
            "sha256": file_sha256(path),
            "bytes": Path(path).stat().st_size,
        }
        write_json(record_path(results, path), sealed({**made, **own}))


def _name(results: str, path: str) -> str:
    """A path inside the results, or else an absolute one."""
    inside = Path(path).is_relative_to(results)
    return str(Path(path).relative_to(results) if inside else Path(path).absolute())


def study_command(results: str | Path) -> str:
    """Return the command that ran the study of a results folder last, as `study.json` has it."""
    try:
        command = read_sealed(Path(results) / "study.json").get("command")
    except DamagedError:
        command = None
    return command or "snakemake"


def forced_command(results: str | Path, path: str | Path, command: str) -> str:
    """Return the command that makes a file of a results folder again though it is there.

    Args:
        results: the results folder.
        path: of the file.
        command: that runs the study, without targets.
    """
    corpus = [str(Path(results) / name) for name in CORPUS_FILES]
    # Snakemake deletes the probe before a job that makes it anew and fails.
    return with_targets(f"{command} --force", corpus if str(path) in corpus else [str(path)])


def with_targets(command: str, targets: Iterable[str]) -> str:
    """Return a Snakemake command with targets, in front of its options.

    `--configfile` and `--config` take all words up to the next option, targets too.
    """
    # It may first go to another folder.
    before, sign, command = ("", "", command)
    if command.startswith("cd "):
        before, sign, command = command.partition(" && ")
    program, space, options = command.partition(" ")
    return f"{before}{sign}{program} {shlex.join(targets)}{space}{options}"


def environment() -> dict[str, Any]:
    """Return what a record says of the code and the machine: versions, commit and host."""
    return {"versions": versions(), "code": code_version(), "host": platform.node()}


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of those of `packages` that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_version() -> dict[str, Any] | None:
    """Return the git commit of this package and whether files differ from it; None without git."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        # Without fsmonitor, which would let a repository's own configuration run a program.
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    try:
        # An environment inside another project's checkout is not that project's code.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no", ":/")
        return {"commit": git("rev-parse", "HEAD").strip(), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return None


def utc(seconds: float) -> str:
    """Write a time in UTC, such as 2025-01-31T12:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
