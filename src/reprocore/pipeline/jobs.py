"""What every workflow script shares: its log, its records, and errors in one line."""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError, visible
from reprocore.store.files import remove_leftovers
from reprocore.store.identity import corpus_settings, parameters, rule_settings
from reprocore.store.records import (
    check_inputs,
    environment,
    forced_command,
    forget,
    read_record,
    utc,
    write_records,
)
from reprocore.study.layout import CORPUS_FILES
from reprocore.study.study import Study, parse_study


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[Study]:
    """Run a script's body with its output in the rule's log; yield the study.

    Before the body every input is checked against its record; after it a record of every output
    is written. A user's mistake ends the job with status 1 and one line, in the log and on the
    terminal; the traceback of any other error is in the log.

    Args:
        snakemake: the object that Snakemake gives to a script.
    """
    terminal = os.fdopen(os.dup(2), "w", errors="backslashreplace")
    path = snakemake.log[0]
    with open(path, "a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            study = parse_study(snakemake.config)
            with _recorded(snakemake, study.results):
                yield study
            return
        except ReprocoreError as error:
            line = f"error: {error}"
        except OSError as error:
            line = f"error: {error.filename or path}: {error.strerror or error}"
        except Exception as error:
            # Logs are read in terminals too, and a message can hold what came from a file.
            print(visible(traceback.format_exc()), file=sys.stderr)
            line = f"error: {snakemake.rule} failed unexpectedly: {error!r}; see {path}"
        line = visible(line)
        # A bar may stand in the line; see plugins/snakemake-logger-plugin-study.
        clear = "\r\x1b[K" if terminal.isatty() else ""
        print(f"{clear}{line}", file=terminal, flush=True)
        # The terminal has the message already, even if the disk is full.
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
    raise SystemExit(1)


def check_corpus(study: Study, sha256: str, command: str) -> None:
    """Refuse to train on a corpus or a probe that is not the study's of today.

    A cell says which settings it was trained with, and not what else lay in the folder: the text
    may have been edited since, or the study. Of a corpus without a record the text is known.

    Args:
        study: the resolved study.
        sha256: of the text of the corpus that was read.
        command: that runs the study, without targets.

    Raises:
        ReprocoreError: names the file, what has changed, and what to make again.
    """
    for rule, place in zip(("corpus", "probe"), CORPUS_FILES, strict=True):
        path = Path(study.results) / place
        record = read_record(study.results, path)
        today = parameters(rule_settings(study, rule))
        other_text = rule == "corpus" and sha256 != corpus_settings(study)["sha256"]
        if other_text or (record is not None and record["settings"] != today):
            raise ReprocoreError(
                f"{path}: was made with another {rule} than the study has today; make it again "
                f"with: {forced_command(study.results, path, command)}"
            )


@contextlib.contextmanager
def _recorded(snakemake: Any, results: str) -> Iterator[None]:
    """Check the inputs, run the body, and write the records of the outputs."""
    # Seconds are not from the wall clock, which can be set back during the job.
    start, started = time.monotonic(), time.time()
    inputs = check_inputs(results, snakemake.input)
    # A cell's record is the cell.json that it writes itself.
    outputs = [] if snakemake.rule in ("train", "tune") else list(snakemake.output)
    forget(results, outputs)
    for output in outputs:
        remove_leftovers(output)
    _limit_dates(results, snakemake.input)
    yield
    made = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "inputs": inputs,
        "settings": {k: v for k, v in snakemake.params.items() if k != "source"},
        "source": snakemake.params.get("source"),
        **environment(),
        "started": utc(started),
        "seconds": time.monotonic() - start,
    }
    write_records(results, outputs, made)


def _limit_dates(results: str, paths: Iterable[str]) -> None:
    """Give results that are dated in the future the present time: the clock was set back.

    Snakemake fails a job whose output is dated before its input.
    """
    for path in map(Path, paths):
        if path.is_relative_to(results) and path.stat().st_mtime > time.time():
            os.utime(path)
