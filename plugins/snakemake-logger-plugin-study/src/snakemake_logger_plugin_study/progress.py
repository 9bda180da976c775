"""How far a study is: what has finished, what is under way, and how long the rest will take."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRAININGS = ("train", "tune")


def training_of(model: str) -> str:
    """Name the kind of job that trains a model; no rule has a name with a space."""
    return f"train {model}"


@dataclass(frozen=True)
class Job:
    """A job that has been started.

    Attributes:
        rule: its name.
        labels: its wildcards.
        outputs: its files.
        log: its log file, "" without one.
        local: whether it runs on this machine, in this terminal.
        start: in seconds, of the same clock as all times here.
    """

    rule: str
    labels: Mapping[str, str]
    outputs: tuple[str, ...]
    log: str
    local: bool
    start: float

    @property
    def is_training(self) -> bool:
        """Whether it trains a cell."""
        return self.rule in TRAININGS

    @property
    def kind(self) -> str:
        """What takes about as long as it: a training of the model, or a job of the rule."""
        return training_of(self.labels.get("model", "")) if self.is_training else self.rule

    @property
    def name(self) -> str:
        """Its name for a reader, such as `charlm relu seed 3`."""
        parts = [] if self.is_training else [self.rule.replace("_", " ")]
        for label, value in self.labels.items():
            if label in ("seed", "rate"):
                parts.append(f"{label} {value}")
            elif (label, value) != ("arm", "all"):
                parts.append(value)
        return " ".join(parts)

    def result(self) -> dict[str, Any]:
        """Return what the `cell.json` of a training says, nothing where it cannot be read."""
        for path in self.outputs:
            if Path(path).name == "cell.json":
                try:
                    content = json.loads(Path(path).read_text("utf-8"))
                except (OSError, ValueError):
                    continue
                if isinstance(content, dict):
                    return content
        return {}

    def reason(self, since: float) -> str:
        """Return the last line of the log if it is an error written since then, else ""."""
        try:
            if Path(self.log).stat().st_mtime < since:
                return ""
            line = Path(self.log).read_text("utf-8", "replace").rstrip().rpartition("\n")[2]
        except OSError:
            return ""
        reason = line.removeprefix("error: ")
        return "" if reason == line else "".join(s if s.isprintable() else "?" for s in reason)


def time_left(
    left: Mapping[str, int],
    seconds: Mapping[str, float],
    elapsed: Iterable[tuple[str, float]],
    at_once: int,
) -> float | None:
    """Return how many seconds a number of jobs will take, None if that is not known of any.

    Args:
        left: how many jobs of each kind have not finished, those under way included.
        seconds: how long a job of a kind takes, where that is known; other kinds do not count.
        elapsed: of each job under way, its kind and the seconds since its start.
        at_once: how many jobs run at once.
    """
    known = {kind: count for kind, count in left.items() if count > 0 and kind in seconds}
    if not known:
        return None
    work = sum(count * seconds[kind] for kind, count in known.items())
    work -= sum(min(spent, seconds[kind]) for kind, spent in elapsed if kind in known)
    return work / max(1, min(at_once, sum(left.values())))


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


@dataclass
class Progress:
    """What has been seen of a run.

    Attributes:
        steps: jobs of this run by rule.
        trainings: trainings of the whole study by kind, those of earlier runs included.
        finished: jobs by kind, trainings of earlier runs included.
        earlier: seconds of a training by kind, in earlier runs.
        running: jobs under way by their number.
        failed: jobs that have failed, and were not started again, likewise.
        steps_done: how many jobs of this run have finished.
        last: the training that finished last, and its result.
        at_once: the most trainings under way at once.
    """

    steps: Counter[str] = field(default_factory=Counter)
    trainings: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    earlier: dict[str, float] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failed: dict[int, Job] = field(default_factory=dict)
    steps_done: int = 0
    last: tuple[Job, Mapping[str, Any]] | None = None
    at_once: int = 0
    _seconds: dict[str, list[float]] = field(default_factory=dict)

    def begin(self, number: int, job: Job) -> None:
        """Take note of a job that has been started."""
        self.failed.pop(number, None)
        self.running[number] = job
        if job.is_training:
            # A choice of a learning rate can ask for more than was known at the start.
            under_way = sum(j.kind == job.kind for j in self.running.values())
            seen = self.finished[job.kind] + under_way
            self.trainings[job.kind] = max(self.trainings[job.kind], seen)
        self.at_once = max(self.at_once, sum(j.is_training for j in list(self.running.values())))

    def end(self, number: int, now: float) -> Job | None:
        """Take note of a job that has finished, and return it; None if its start was not seen."""
        job = self.running.pop(number, None)
        if job is not None:
            self.finished[job.kind] += 1
            self.steps_done += job.rule in self.steps
            self._seconds.setdefault(job.kind, []).append(now - job.start)
            if job.is_training:
                self.last = job, job.result()
        return job

    def fail(self, number: int) -> Job | None:
        """Take note of a job that has failed, likewise."""
        job = self.running.pop(number, None)
        if job is not None:
            self.failed[number] = job
        return job

    @property
    def trained(self) -> tuple[int, int]:
        """How many trainings of the study are done, of how many."""
        done = sum(self.finished[kind] for kind in self.trainings)
        return done, max(done, self.trainings.total())

    def left(self, now: float) -> tuple[float, bool] | None:
        """Return the seconds that are left, and whether that is all; None if that is not known.

        A model of which no training has finished yet is not in it. Other jobs are short: those of
        a rule that is new take as long as others did.
        """
        lost = Counter(job.kind for job in self.failed.values())
        rules = Counter({rule: n for rule, n in self.steps.items() if rule not in TRAININGS})
        left = {k: n - self.finished[k] - lost[k] for k, n in (self.trainings + rules).items()}
        seconds = self.earlier | {k: sum(s) / len(s) for k, s in self._seconds.items()}
        # Of trainings that nobody has announced nothing is known.
        announced = self.trainings.total() >= sum(self.steps[rule] for rule in TRAININGS)
        models = [kind for kind in self.trainings if left[kind] > 0]
        if models and not any(kind in seconds for kind in models):
            return None
        others = [seconds[rule] for rule in rules if rule in seconds]
        if others:
            seconds = dict.fromkeys(rules, sum(others) / len(others)) | seconds
        elapsed = [(job.kind, now - job.start) for job in list(self.running.values())]
        found = time_left(left, seconds, elapsed, self.at_once or 1)
        is_all = announced and all(kind in seconds for kind in models)
        return None if found is None else (found, is_all)
