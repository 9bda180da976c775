"""Snakemake's log of a study: one bar, or one line for each training, and all that went wrong."""

import contextlib
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_study.display import Display, left_text, result_text
from snakemake_logger_plugin_study.progress import TRAININGS, Job, Progress, training_of

# What Snakemake says of itself at every run; its log file has it.
ROUTINE = re.compile(
    r"Building DAG|Select jobs|Execute \d|Using shell:|Assuming unrestricted shared|Processed \d|"
    r"Updating (checkpoint|jobs)|DAG of jobs will|Elapsed time|Rules claiming|Provided |host: "
)
# A script that ended by itself has said why; Snakemake adds how it was started.
ENDED_BY_ITSELF = re.compile(
    r"RuleException:\nCalledProcessError in file .*, line \d+:\nCommand '.*' "
    r"returned non-zero exit status 1\.\s*"
)


class LogHandler(LogHandlerBase):
    """Shows how far a study is; leaves to Snakemake's own handler what it does not know."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Prepare the handlers; nothing is shown before a run starts."""
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self._theirs = snakemakes_handler(settings, stream)
        self._quiet = set(settings.quiet or ())
        self._lines = not self._quiet & {Quietness.PROGRESS, Quietness.ALL}
        detailed = settings.verbose or settings.printshellcmds or settings.debug_dag
        self._leaves_all = settings.dryrun or detailed or Quietness.ALL in self._quiet
        self.progress = Progress()
        self._display = Display(stream, self.progress, self._lines, settings.nocolor)
        self._held: list[logging.LogRecord] = []
        self._actions: dict[Any, Callable[[logging.LogRecord], list[str] | None]] = {
            LogEvent.WORKFLOW_STARTED: self._started,
            LogEvent.RUN_INFO: self._planned,
            LogEvent.JOB_INFO: self._job_started,
            LogEvent.JOB_FINISHED: self._job_finished,
            LogEvent.JOB_ERROR: self._job_failed,
            LogEvent.ERROR: self._error,
            None: self._message,
        } | dict.fromkeys(
            (
                LogEvent.JOB_STARTED,
                LogEvent.GROUP_INFO,
                LogEvent.SHELLCMD,
                LogEvent.PROGRESS,
                LogEvent.RESOURCES_INFO,
                LogEvent.RULEGRAPH,
            ),
            lambda _: [],
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record in our way, or as Snakemake does if it is unknown or cannot be read."""
        lines = None
        action = self._actions.get(getattr(record, "event", None))
        if action is not None and not self._leaves_all:
            with contextlib.suppress(Exception):
                lines = action(record)
        # A terminal that is gone stops no study.
        with contextlib.suppress(OSError):
            if lines is None:
                with self._display.away():
                    self._theirs.handle(record)
            elif lines:
                self._display.print(lines)
            self._display.refresh()

    def close(self) -> None:
        """Take the bar away and show what was held back."""
        with contextlib.suppress(OSError):
            self._display.stop()
            self._release()
        super().close()

    def _started(self, _: logging.LogRecord) -> list[str]:
        self._display.start()
        return []

    def _planned(self, record: Any) -> list[str]:
        counts: Counter[str] = Counter(record.stats)
        counts -= Counter({"total": counts["total"], "all": counts["all"]})
        self.progress.steps = counts
        trainings = sum(counts[rule] for rule in TRAININGS)
        numbers = {"training": trainings, "other step": counts.total() - trainings}
        parts = [f"{n} {word}{'s' * (n != 1)}" for word, n in numbers.items() if n]
        return [f"To run: {' and '.join(parts)}"] if self._lines and parts else []

    def _message(self, record: logging.LogRecord) -> list[str] | None:
        told = getattr(record, "trainings", None)
        if told is not None:
            progress = self.progress
            progress.trainings = Counter({training_of(m): t["all"] for m, t in told.items()})
            progress.finished += Counter({training_of(m): t["done"] for m, t in told.items()})
            known = {training_of(m): t["seconds"] for m, t in told.items() if t["seconds"]}
            progress.earlier = known
            done, wanted = progress.trained
            return [f"{done} of {wanted} trainings are done already."] if done else []
        if record.levelno >= logging.WARNING:
            return None
        text = record.getMessage()
        # Where the log is matters when something failed.
        routine = ROUTINE.match(text) or (
            text.startswith("Complete log") and not self.progress.failed
        )
        return [] if routine or text in ("", "None") else [text]

    def _job_started(self, record: Any) -> list[str]:
        labels = {name: str(value) for name, value in (record.wildcards or {}).items()}
        outputs, log = tuple(map(str, record.output)), str(record.log[0]) if record.log else ""
        job = Job(record.rule_name, labels, outputs, log, bool(record.local), time.time())
        self.progress.begin(record.jobid, job)
        return []

    def _job_finished(self, record: Any) -> list[str]:
        job = self.progress.end(record.job_id, time.time())
        if job is None or job.rule == "all" or self._display.is_live or not self._lines:
            return []
        if job.is_training:
            done, wanted = self.progress.trained
            text = f"{done}/{wanted} {job.name}{result_text(self.progress.last)}"
            left = left_text(self.progress, time.time())
            return [f"{text}; {left}" if left else text]
        count = self.progress.steps[job.rule]
        if self.progress.finished[job.rule] != count or Quietness.RULES in self._quiet:
            return []
        return [f"{job.rule.replace('_', ' ')}: done" + f", {count} jobs" * (count > 1)]

    def _job_failed(self, record: Any) -> list[str] | None:
        job = self.progress.fail(record.jobid)
        # Of a group all members are said to have failed, and Snakemake's own words tell more.
        if job is None or record.indent or self.common_settings.show_failed_logs:
            self._release()
            return None
        reason = job.reason(job.start)
        if reason and self._held:
            self._held.pop(0)
        else:
            self._release()
        # A job on this machine has printed its reason here.
        reason = f": {reason}" if reason and not job.local else ""
        return [f"failed: {job.name}{reason}" + f"; log: {job.log}" * bool(job.log)]

    def _error(self, record: logging.LogRecord) -> list[str] | None:
        if not ENDED_BY_ITSELF.fullmatch(record.getMessage()):
            return None
        # Not needed if the job's log says why; see `_job_failed`.
        self._held.append(record)
        return []

    def _release(self) -> None:
        """Show what was held back."""
        held, self._held = self._held, []
        with self._display.away():
            for record in held:
                self._theirs.handle(record)


def snakemakes_handler(settings: Any, stream: Any) -> logging.Handler:
    """Return the handler that Snakemake uses by default."""
    return ColorizingTextHandler(
        nocolor=settings.nocolor,
        stream=stream,
        formatter=DefaultFormatter(settings.quiet, settings.show_failed_logs),
        filter=DefaultFilter(
            settings.quiet,
            settings.debug_dag,
            settings.verbose,
            settings.dryrun,
            settings.printshellcmds,
        ),
    )
