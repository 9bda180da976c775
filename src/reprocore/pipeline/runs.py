"""`study.json`: the study and the runs that made a results folder; one run at a time.

Importing this module is cheap, so that a Snakefile can.
"""

import json
import os
import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import filelock

from reprocore.errors import ReprocoreError
from reprocore.pipeline.plan import Plan
from reprocore.store.files import write_json
from reprocore.store.records import DamagedError, environment, read_sealed, sealed, utc
from reprocore.study.overrides import parse_overrides, project_folder, read_config
from reprocore.study.permissions import check_ours
from reprocore.study.study import Study, parse_study

DEFAULT_CONFIG = "config/config.yaml"
# A `study.json` that was damaged when a run began; it has the runs before that.
SET_ASIDE = "study.json.damaged"


def hold_results(results: str | Path) -> filelock.BaseFileLock:
    """Lock a results folder against any other run until this process ends.

    Returns:
        The lock, which must be kept; the system frees it when the process ends, however it ends.

    Raises:
        ReprocoreError: another run has locked the folder, or it cannot be written.
    """
    path = Path(results) / ".lock"
    lock = filelock.FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise ReprocoreError(f"{results}: another run writes here; wait until it ends") from None
    except OSError as error:
        raise ReprocoreError(f"{path}: cannot be locked: {error.strerror or error}") from None
    return lock


class WorkflowRun:
    """One run of Snakemake, recorded in `study.json` from its start.

    The end and outcome of a run that was killed stay null.
    """

    def __init__(self, study: Study, command: str) -> None:
        """Prepare a run; nothing is written yet.

        What it does is planned after this, and before the folder is locked.

        Args:
            study: the resolved study.
            command: the Snakemake command that runs it, without targets.
        """
        self._study, self._command = study, command
        self._earlier = _earlier_runs(study.results)

    def begin(self) -> None:
        """Lock the results folder and write that a run has started.

        A `study.json` that is damaged is kept beside the new one.

        Raises:
            ReprocoreError: another run has locked the folder, or has ended there since this one
                was prepared; or the folder cannot be written.
        """
        results = self._study.results
        self._lock = hold_results(results)
        if _earlier_runs(results) != self._earlier:
            message = "another run has ended here meanwhile; start this one again"
            raise ReprocoreError(f"{results}: {message}")
        _set_aside_if_damaged(Path(results) / "study.json")
        self._start = time.monotonic()
        self._run = {"start": utc(time.time()), "end": None, "outcome": None, **environment()}
        self._write()

    def end(self, outcome: str) -> None:
        """Write that the run has ended, with its outcome.

        Raises:
            ReprocoreError: `study.json` cannot be written.
        """
        seconds = time.monotonic() - self._start
        self._run |= {"end": utc(time.time()), "seconds": seconds, "outcome": outcome}
        self._write()

    def _write(self) -> None:
        content = {
            "command": self._command,
            "study": self._study.model_dump(mode="json"),
            "hosts": _cell_hosts(self._study),
            "runs": [*self._earlier, self._run],
        }
        write_json(Path(self._study.results) / "study.json", sealed(content))


def _earlier_runs(results: str) -> list[Any]:
    try:
        return list(read_sealed(Path(results) / "study.json")["runs"])
    except (DamagedError, KeyError):
        return []


def _set_aside_if_damaged(path: Path) -> None:
    """Keep a `study.json` that cannot be read, which a new one would replace."""
    try:
        read_sealed(path)
    except DamagedError:
        if path.exists():
            os.replace(path, path.with_name(SET_ASIDE))


def _cell_hosts(study: Study) -> list[str]:
    """Return the machines that trained the finished cells of the study."""
    plan = Plan.of(study)
    return sorted({host for cell in plan.current if (host := plan.looks[cell].host)})


def snakemake_command(
    configfiles: Iterable[str | Path], overrides: Mapping[str, Any], options: Iterable[str] = ()
) -> str:
    """Write the Snakemake command of a study with these config files and `--config` values.

    Targets belong in front, see `reprocore.store.records.with_targets`.

    Args:
        configfiles: each over those before it.
        overrides: values of `--config`, by key.
        options: that stand in the command too, such as `profile_options`.
    """
    here = Path.cwd()
    files = [p.relative_to(here) if p.is_relative_to(here) else p for p in map(Path, configfiles)]
    parts = ["snakemake", *options, *(["--configfile", *map(str, files)] if files else [])]
    if overrides:
        parts += ["--config", *(f"{key}={_typed(value)}" for key, value in overrides.items())]
    return shlex.join(parts)


def profile_options(arguments: Iterable[str]) -> list[str]:
    """Return the options of a Snakemake command line that name profiles, as they stand there.

    They say where jobs run: without them, the command of a study on a cluster would run all of it
    on the login node.
    """
    found: list[str] = []
    for argument, following in pairwise([*arguments, ""]):
        name, equals, _ = argument.partition("=")
        if name in ("--profile", "--workflow-profile"):
            found += [argument] if equals else [argument, following]
    return found


def _typed(value: Any) -> str:
    """Write a value such that Snakemake reads the same from `--config`."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    # Text that could be taken for a number or for YAML; quotes at the ends would be stripped.
    if not isinstance(value, str):
        return str(value)
    is_other = value in ("True", "False") or value.lower() in ("inf", "infinity", "nan")
    if re.fullmatch(r"[A-Za-z_./][\w./-]*", value) and not is_other:
        return value
    return f"!!str {json.dumps(value, ensure_ascii=False)} #"


@dataclass(frozen=True)
class RecordedStudy:
    """The study of the last run that wrote a results folder.

    Attributes:
        command: that ran it.
        differs: keys whose values are others than in the study it is compared with.
    """

    command: str
    differs: list[str]


def recorded_study(study: Study) -> RecordedStudy | None:
    """Return what `study.json` tells of the last run, None where it tells nothing."""
    try:
        content = read_sealed(Path(study.results) / "study.json")
        recorded, command = _leaves(content["study"]), str(content["command"])
    except (DamagedError, KeyError):
        return None
    today = _leaves(study.model_dump(mode="json"))
    # Whether a study is drawn in part says nothing of what it is, and is no part of the command.
    keys = {*recorded, *today} - {"partial"}
    return RecordedStudy(command, sorted(k for k in keys if recorded.get(k) != today.get(k)))


def _leaves(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested sections by their dotted keys."""
    leaves: dict[str, Any] = {}
    for key, value in content.items():
        inside = isinstance(value, Mapping) and value
        leaves |= _leaves(value, f"{prefix}{key}.") if inside else {f"{prefix}{key}": value}
    return leaves


def check_archived(plan: Plan) -> None:
    """Refuse other statistics than those of tables that stay as they are.

    All that is written beside them would call their intervals what they are not.

    Raises:
        ReprocoreError: names the keys and the models.
    """
    recorded = recorded_study(plan.study) if plan.archived else None
    differs = recorded.differs if recorded else []
    if changed := [key for key in differs if key.startswith("statistics.")]:
        raise ReprocoreError(
            f"{', '.join(changed)}: the tables of {', '.join(plan.archived)} were made with other "
            "values, and cannot be made again without the predictions behind them"
        )


def has_run(study: Study) -> bool:
    """Return whether anything of the study is in its results folder."""
    names = ("study.json", "cells", "corpus", "records")
    return any((Path(study.results) / name).exists() for name in names)


def is_held(results: str | Path) -> bool:
    """Return whether a run writes to a results folder now."""
    path = Path(results) / ".lock"
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path, blocking=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # not ours to write, so nothing is known of a run
        return False


def open_study(
    configfiles: Sequence[Path] | None, values: Iterable[str] | None, directory: Path | None
) -> tuple[Study, str]:
    """Go to the folder in which a study is run, and read its configuration.

    Args:
        configfiles: from the folder one is in, each over those before it; `config/config.yaml` of
            the study's if None.
        values: of `--config`, each `key=value`.
        directory: where the study is run; the nearest folder with a Snakefile if None.

    Returns:
        The study, and the command that runs it from the folder in which one was before.

    Raises:
        ReprocoreError: no such folder or file, or a wrong value.
    """
    here = Path.cwd()
    folder = (directory or project_folder(here)).absolute()
    if not folder.is_dir():
        raise ReprocoreError(f"{folder}: no such folder")
    named = configfiles or [folder / DEFAULT_CONFIG]
    overrides = parse_overrides(values or ())
    content = read_config(named, overrides)
    os.chdir(folder)
    study = parse_study(content, ", ".join(map(str, named)))
    check_ours(study.results)
    command = snakemake_command([here / file for file in named], overrides)
    return study, command if folder == here else f"cd {shlex.quote(str(folder))} && {command}"
