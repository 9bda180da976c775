"""A copy of the project with a tiny study of its own, driven through the real Snakemake."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

REPOSITORY = Path(__file__).parents[1]
# The command line of this environment, for a program that `PATH` need not lead to.
REPROCORE = (sys.executable, "-c", "from reprocore.cli import main; main()")
PROJECT = ("Snakefile", "workflow", "profiles", "config", "src")

TINY: dict[str, Any] = {
    "results": "out",
    "claims": "config/claims.yaml",
    "seeds": [1, 2, 3],
    "activations": ["relu", "swiglu"],
    "models": {
        "small": {"family": "gpt", "context": 16, "sizes": {"layers": 1, "heads": 2, "width": 16}},
        "memory": {"family": "lstm", "context": 16, "sizes": {"width": 16, "hidden": 13}},
    },
    "training": {
        "iterations": 6,
        "batch_size": 4,
        "snapshots": [0.5, 1],
        "evaluation_positions": 64,
    },
    "probe": {"positions": 64, "block": 16, "lead": 16},
    "corpus": {"source": "file", "path": "text.txt"},
}


@contextmanager
def no_signal_ignored() -> Iterator[None]:
    """Within the block, ignore none of the signals that stop a program.

    Under `nohup make test &` in a script, the tests ignore SIGHUP and SIGINT, and so would all that
    they start. A handler is not handed on to a program that is started, which then has the default
    instead; this one does nothing, so that the tests themselves still live on.
    """
    stops = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT)
    ignored = [each for each in stops if signal.getsignal(each) is signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, lambda _number, _frame: None)
    try:
        yield
    finally:
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)


def started(command: Sequence[str] | str, **options: Any) -> subprocess.Popen[str]:
    """Start a program that ignores no signal.

    It has a session of its own: one signal reaches all that it starts, and none meant for the
    tests, such as the one of a terminal that is closed, reaches it.
    """
    with no_signal_ignored():
        return subprocess.Popen(command, text=True, start_new_session=True, **options)


def finished(
    command: Sequence[str] | str, seconds: float = 300, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Start a program, wait for its end and return what it printed.

    The time is there to end one that hangs, on machines of any speed: no measure of speed.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, **pipes, **options) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as error:  # Ctrl-C too, which its own session does not receive
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                error.add_note("\n".join(process.communicate())[-4000:])
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


class Project:
    """A copy of the project with its own study, driven through the real Snakemake."""

    def __init__(self, root: Path, study: dict[str, Any]) -> None:
        self.root = root
        for name in PROJECT:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, root / name)
        random = np.random.default_rng(0)
        letters = random.choice(list("abcdefgh \n"), size=4000)
        (root / "text.txt").write_text("".join(letters))
        self.write(study)

    def write(self, study: dict[str, Any]) -> None:
        self.study = study
        (self.root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))

    def changed(self, **sections: Any) -> dict[str, Any]:
        return {**self.study, **sections}

    def place(self, **environment: str) -> dict[str, Any]:
        """Return the folder and the environment in which the project's programs run."""
        variables = {
            **os.environ,
            "PYTHONPATH": str(self.root / "src"),
            "CUDA_VISIBLE_DEVICES": "",
            "REPROCORE_ALLOW": "broken_activation,slow_activation",
            **environment,
        }
        return {"cwd": self.root, "env": variables}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start Snakemake; its output must be read, or it waits once the pipes are full."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return started(study_command(*arguments), **pipes, **self.place(**environment))

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return finished(study_command(*arguments), 900, **self.place(**environment))

    def reprocore(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return finished([*REPROCORE, *arguments], **self.place())

    def jobs(self, *arguments: str) -> Counter[str]:
        """Run, and return which jobs ran, as `rule` or `rule model/activation/arm-seed`."""
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return listed_jobs(done.stdout + done.stderr)

    def planned(self, study: dict[str, Any]) -> Counter[str]:
        """Return which jobs would run for `study`, leaving the project's own as it is."""
        own = self.study
        self.write(study)
        try:
            return self.jobs("--dry-run")
        finally:
            self.write(own)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))


def study_command(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", "study.yaml"]
    return command if "--cores" in arguments else [*command, "--cores", "2"]


def listed_jobs(output: str) -> Counter[str]:
    jobs = []
    start = re.compile(r"^(?=(?:local)?(?:rule|checkpoint) \w+:)", flags=re.MULTILINE)
    for block in start.split(output)[1:]:
        rule = re.match(r"\w+ (\w+):", block)
        assert rule is not None
        found = re.search(r"^ +wildcards: (.*)$", block, flags=re.MULTILINE)
        labels = dict(part.split("=") for part in found[1].split(", ")) if found else {}
        names = [labels[key] for key in ("model", "activation") if key in labels]
        ends = [labels[key] for key in ("rate", "arm", "seed") if key in labels]
        key = "/".join([*names, "-".join(ends)] if ends else names)
        jobs.append(f"{rule[1]} {key}".strip())
    return Counter(jobs)


def rules_of(jobs: Counter[str]) -> Counter[str]:
    return Counter(job.split()[0] for job in jobs.elements())
