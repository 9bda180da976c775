"""What the logger plugin shows: the time left, the bar, and records that it cannot read."""

import io
import json
import logging
import os
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_study as plugin
from snakemake_logger_plugin_study.display import Display, left_text
from snakemake_logger_plugin_study.progress import Job, Progress, time_left, training_of

LABELS = {"model": "charlm", "activation": "relu", "arm": "all", "seed": "3"}


def job(model: str = "charlm", start: float = 0.0, **changes: Any) -> Job:
    content = {"rule": "train", "outputs": (), "log": "", "local": True, **changes}
    return Job(labels={**LABELS, "model": model}, start=start, **content)


@pytest.mark.parametrize(
    ("left", "seconds", "elapsed", "at_once", "wanted"),
    [
        ({"a": 10}, {"a": 60}, [], 2, 300),
        ({"a": 10, "b": 5}, {"a": 60, "b": 20}, [], 2, 350),
        ({"a": 10}, {"a": 60}, [("a", 30), ("a", 15)], 2, 277.5),
        ({"a": 1}, {"a": 60}, [("a", 500)], 2, 0),
        ({"a": 1}, {"a": 60}, [], 8, 60),
        ({"a": 10, "b": 5}, {"a": 60}, [("b", 9)], 2, 300),
        ({"a": 10}, {}, [], 2, None),
        ({"a": 0}, {"a": 60}, [], 2, None),
        ({"a": -1, "b": 2}, {"a": 60, "b": 10}, [], 1, 20),
    ],
)
def test_the_time_left_is_the_work_over_the_jobs_at_once(left, seconds, elapsed, at_once, wanted):
    assert time_left(left, seconds, elapsed, at_once) == wanted


def progress(**models: int) -> Progress:
    return Progress(
        steps=Counter(train=sum(models.values()), compare=2),
        trainings=Counter({training_of(model): count for model, count in models.items()}),
    )


def test_nothing_is_said_before_a_training_has_finished() -> None:
    state = progress(charlm=4, convlm=2)
    state.begin(9, job(rule="compare"))
    state.end(9, 5.0)
    state.begin(1, job())
    assert state.left(10.0) is None
    assert left_text(state, 10.0) == ""


def test_a_model_that_has_not_finished_any_is_not_guessed() -> None:
    state = progress(charlm=4, convlm=2)
    for number in (1, 2):
        state.begin(number, job())
    state.end(1, 600.0)
    assert state.left(600.0) == (900 - 300, False)
    assert left_text(state, 600.0) == "more than 10 min left"
    state.earlier = {training_of("convlm"): 60.0}
    assert left_text(state, 600.0) == "about 11 min left"


def test_short_jobs_count_as_long_as_others_of_their_kind_took() -> None:
    state = progress(charlm=1)
    state.begin(1, job())
    state.end(1, 100.0)
    state.begin(2, job(rule="compare", start=100.0))
    state.end(2, 130.0)
    assert state.left(130.0) == (30, True)
    assert left_text(state, 130.0) == "less than a minute left"


def test_a_failed_training_is_not_waited_for_unless_it_starts_again() -> None:
    state = progress(charlm=3)
    state.steps = Counter(train=3)
    state.begin(1, job())
    state.end(1, 60.0)
    state.begin(2, job(start=60.0))
    state.fail(2)
    assert state.left(100.0) == (60, True)
    state.begin(2, job(start=100.0))
    assert state.left(100.0) == (120, True)


def test_trainings_that_a_choice_adds_are_counted() -> None:
    state = progress(charlm=1)
    for number in (1, 2, 3):
        state.begin(number, job())
    assert state.trained == (0, 3)


def test_trainings_that_were_not_announced_are_no_whole() -> None:
    state = Progress(steps=Counter(train=5))
    state.begin(1, job())
    state.end(1, 60.0)
    assert state.trained == (1, 1)
    state.begin(2, job(start=60.0))
    assert state.left(60.0) == (60, False)


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (LABELS, "charlm relu seed 3"),
        ({**LABELS, "arm": "init"}, "charlm relu init seed 3"),
        (
            {"model": "charlm", "activation": "relu", "rate": "3e-4", "seed": "101"},
            "charlm relu rate 3e-4 seed 101",
        ),
    ],
)
def test_the_name_of_a_training(labels: dict[str, str], name: str) -> None:
    assert Job("train", labels, (), "", True, 0.0).name == name
    assert (
        Job("compare", {"model": "charlm", "arm": "all"}, (), "", True, 0).name == "compare charlm"
    )


@pytest.mark.parametrize("content", [None, "", "{", "[]", '"text"', "\x00", '{"val_loss": null}'])
def test_a_result_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "cell.json"
    if content is not None:
        path.write_text(content)
    assert not job(outputs=(str(path),)).result().get("val_loss")


def test_the_reason_is_one_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("iteration 5\nerror: the loss became nan\x1b[2J\n")
    failed = job(log=str(log))
    assert failed.reason(time.time() - 60) == "the loss became nan?[2J"
    assert failed.reason(time.time() + 60) == ""
    log.write_text("error: earlier\nTraceback")
    assert failed.reason(0) == ""
    assert job(log=str(tmp_path / "none")).reason(0) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_the_bar_is_one_line_at_every_width(monkeypatch, width: int) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    state = progress(charlm=36)
    for number in range(10):
        state.begin(number, job(start=time.time()))
    state.end(0, time.time() + 90)
    stream = Terminal()
    display = Display(stream, state, True, False)
    display.start()
    display.refresh()
    state.fail(1)
    display.refresh()
    display.stop()
    shown = stream.getvalue()
    assert "1/36 trained" in shown
    assert "failed" in shown or width < 80
    assert "\x1b[1A" not in shown.rpartition("\r")[0].rpartition("\x1b[2K")[0]
    if width >= 120:
        assert "last charlm relu seed 3; now charlm relu seed 3, " in shown


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def handler(stream: io.StringIO, **changes: Any) -> plugin.LogHandler:
    names = ("printshellcmds", "nocolor", "debug_dag", "verbose", "show_failed_logs", "stdout")
    settings = dict.fromkeys((*names, "dryrun"), False) | {"quiet": None} | changes
    with patch("sys.stderr", stream):
        return plugin.LogHandler(SimpleNamespace(**settings), None)


def record(text: str, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": level, "levelname": "INFO", **extra})


def started(tmp_path: Path, number: int = 1, **changes: Any) -> logging.LogRecord:
    content = {
        "rule_name": "train",
        "jobid": number,
        "wildcards": LABELS,
        "output": [str(tmp_path / "cell.json")],
        "log": [str(tmp_path / "log")],
        "local": True,
    }
    return record("", event=LogEvent.JOB_INFO, **content | changes)


def failed(number: int = 1) -> logging.LogRecord:
    return record("Error", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=number, indent=False)


ENDED = """RuleException:
CalledProcessError in file "rules/train.smk", line 7:
Command 'set -euo pipefail;  python train.py' returned non-zero exit status 1."""


def error(text: str = ENDED) -> logging.LogRecord:
    return record(text, logging.ERROR, event=LogEvent.ERROR, exception="RuleException")


def test_one_line_for_a_finished_training(tmp_path: Path, stream: io.StringIO) -> None:
    shown = handler(stream)
    told = {"charlm": {"all": 36, "done": 11, "seconds": 100.0}}
    shown.emit(record("None", trainings=told))
    shown.emit(started(tmp_path))
    (tmp_path / "cell.json").write_text(json.dumps({"val_loss": 2.31, "wall_seconds": 118.2}))
    shown.emit(record("", event=LogEvent.JOB_FINISHED, job_id=1))
    first, line = stream.getvalue().splitlines()
    assert first == "11 of 36 trainings are done already."
    assert line == "12/36 charlm relu seed 3: loss 2.310, 118 s; less than a minute left"


def test_a_record_that_cannot_be_read_is_shown_as_snakemake_shows_it(stream: io.StringIO) -> None:
    shown = handler(stream)
    shown.emit(record("half a record", event=LogEvent.JOB_FINISHED))
    shown.emit(record("of a new kind", event="news"))
    shown.emit(record("something new"))
    shown.emit(record("a warning", logging.WARNING))
    assert "half a record" in stream.getvalue()
    assert stream.getvalue().endswith("\nof a new kind\nsomething new\na warning\n")


def test_an_error_is_shown_in_full_unless_the_log_says_why(
    tmp_path: Path, stream: io.StringIO
) -> None:
    shown = handler(stream)
    shown.emit(started(tmp_path))
    (tmp_path / "log").write_text("error: the loss became nan\n")
    shown.emit(error())
    shown.emit(failed())
    assert stream.getvalue() == f"failed: charlm relu seed 3; log: {tmp_path / 'log'}\n"
    shown.emit(started(tmp_path, local=False))
    (tmp_path / "log").write_text("error: the loss became nan\n")
    shown.emit(failed())
    assert "failed: charlm relu seed 3: the loss became nan; log:" in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "log"),
    [
        (ENDED, "Traceback"),
        (ENDED, None),
        (ENDED.replace("status 1", "status 137"), "error: the loss became nan\n"),
        ("WorkflowError:\nsomething else", "error: the loss became nan\n"),
    ],
)
def test_no_other_error_is_held_back(
    tmp_path: Path, stream: io.StringIO, text: str, log: str | None
) -> None:
    shown = handler(stream)
    shown.emit(started(tmp_path))
    if log is not None:
        (tmp_path / "log").write_text(log)
    shown.emit(error(text))
    shown.emit(failed())
    assert text in stream.getvalue()


def test_an_error_that_no_job_follows_is_shown_at_the_end(stream: io.StringIO) -> None:
    shown = handler(stream)
    shown.emit(error())
    assert stream.getvalue() == ""
    shown.close()
    assert ENDED in stream.getvalue()


def test_an_earlier_error_in_the_log_is_not_taken_for_the_reason(
    tmp_path: Path, stream: io.StringIO
) -> None:
    log = tmp_path / "log"
    log.write_text("error: of long ago\n")
    os.utime(log, (1, 1))
    shown = handler(stream)
    shown.emit(started(tmp_path))
    shown.emit(error())
    shown.emit(failed())
    assert ENDED in stream.getvalue()
    assert "long ago" not in stream.getvalue()


@pytest.mark.parametrize(
    ("quiet", "lines"),
    [
        (None, ["To run: 1 training and 1 other step", "1/1 charlm", "compare: done", "oh"]),
        ({Quietness.RULES}, ["To run: 1 training and 1 other step", "1/1 charlm", "oh"]),
        ({Quietness.PROGRESS}, ["oh"]),
        ({Quietness.PROGRESS, Quietness.RULES}, ["oh"]),
        ({Quietness.ALL}, []),
    ],
)
def test_what_quiet_leaves_out(tmp_path, stream, quiet, lines) -> None:
    shown = handler(stream, quiet=quiet)
    stats = {"train": 1, "compare": 1, "all": 1, "total": 3}
    shown.emit(record("Job stats: a table", event=LogEvent.RUN_INFO, stats=stats))
    shown.emit(started(tmp_path))
    shown.emit(record("", event=LogEvent.JOB_FINISHED, job_id=1))
    compare = started(tmp_path, 2)
    compare.rule_name = "compare"
    shown.emit(compare)
    shown.emit(record("", event=LogEvent.JOB_FINISHED, job_id=2))
    shown.emit(record("oh", logging.WARNING))
    printed = stream.getvalue().splitlines()
    assert len(printed) == len(lines)
    assert all(line.startswith(start) for line, start in zip(printed, lines, strict=True))


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch, stream: io.StringIO) -> None:
    shown = handler(stream)

    def gone(_: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(stream, "write", gone)
    shown.emit(record("something new"))
    shown.emit(record("a warning", logging.WARNING))
    shown.close()
