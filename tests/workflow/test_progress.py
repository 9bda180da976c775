"""The real Snakemake with our logger: in a terminal and without one, and when things go wrong."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from project import REPOSITORY, TINY, Project, listed_jobs, rules_of, started, study_command
from reprocore.pipeline.runs import hold_results
from reprocore.study.cells import CHECKPOINT

PLUGIN = REPOSITORY / "plugins/snakemake-logger-plugin-study/src"
SMALL = {"small": {**TINY["models"]["small"], "resources": {"checkpoint_seconds": 0.2}}}
STUDY: dict[str, Any] = {
    **TINY,
    "models": SMALL,
    "activations": ["relu", "swiglu"],
    "custom_activations": {
        "broken": {"path": "own_activation:broken"},
        "slow": {"path": "own_activation:Slow"},
    },
    "seeds": [1, 2],
}
OWN = """
import time

from torch import nn

calls = 0

def broken(x):
    global calls
    calls += 1
    return x.tanh() if calls <= 8 else x * float("nan")

class Slow(nn.Module):
    def forward(self, x):
        if self.training:
            time.sleep(0.05)
        return x.relu()
"""
UNDER_WAY = "out/cells/small/slow/all-1"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"), STUDY)
    (project.root / "src/own_activation.py").write_text(OWN)
    return project


def place(project: Project) -> dict[str, Any]:
    paths = os.pathsep.join([str(project.root / "src"), str(PLUGIN)])
    allowed = {"PYTHONPATH": paths, "REPROCORE_ALLOW": "own_activation", "TERM": "xterm"}
    return project.place(**allowed)


def logged(project: Project, *arguments: str, logger: bool = True) -> Any:
    environment = place(project)["env"]
    chosen = ("--logger", "study") if logger else ()
    return project.snakemake(*arguments, *chosen, **environment)


class Terminal:
    """A program in a terminal of 160 columns."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        command = study_command(*arguments, "--logger", "study")
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        where = place(project)
        # Those of pytest's workers, if readline has set them, come before the terminal's own size.
        where["env"] |= {"COLUMNS": "160", "LINES": "40"}
        self.process = started(command, **streams, **where)
        os.close(theirs)
        self.shown = ""

    def read(self, until: Path | None = None, seconds: float = 400) -> str:
        """Read until a file is there, or to the end."""
        end = time.monotonic() + seconds
        while until is None or not until.exists():
            assert time.monotonic() < end, self.shown
            if select.select([self._own], [], [], 0.1)[0]:
                try:
                    part = os.read(self._own, 65536)
                except OSError:  # what Linux says when all have closed the other end
                    break
                if not part:
                    break
                self.shown += part.decode()
        if until is None:
            self.process.wait(60)
            os.close(self._own)
        return self.shown


def left_standing(shown: str) -> list[str]:
    """Return the lines that stay on a terminal: what is erased later is left out."""
    lines: list[str] = [""]
    row = 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if part == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif part == "\x1b[2K" or part == "\x1b[K":
            lines[row] = ""
        elif re.fullmatch(r"\x1b\[\d*A", part):
            row -= int(part[2:-1] or 1)
        elif not part.startswith("\x1b") and part != "\r":
            lines[row] += part
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def in_terminal(project: Project) -> tuple[str, int]:
    terminal = Terminal(project)
    return terminal.read(), terminal.process.returncode


def test_a_terminal_has_one_bar_and_the_finding_at_the_end(in_terminal: tuple[str, int]) -> None:
    shown, status = in_terminal
    assert status == 0, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "0/4 trained" in plain
    last = r"[1-3]/4 trained .*last small (relu|swiglu) seed [12]: loss \d\.\d{3}"
    assert re.search(last, plain), plain
    assert re.search(r"now small (relu|swiglu) seed [12]", plain)
    lines = left_standing(shown)
    assert not any("/4 trained" in line or "Finished" in line for line in lines), lines
    assert "To run: 4 trainings and 15 other steps" in lines
    assert lines[-1] == "Read on: out/report.html"
    assert any(line.startswith("Trained again") for line in lines[-8:]), lines
    assert len(lines) < 12
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_without_a_terminal_each_cell_is_a_line(
    project: Project, in_terminal: tuple[str, int]
) -> None:
    """A failing cell among them, which does not hide that the other has finished."""
    project.write({**STUDY, "activations": ["relu", "swiglu", "broken"], "seeds": [1, 2, 3]})
    try:
        done = logged(project)
    finally:
        project.write(STUDY)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert "4 of 9 trainings are done already." in lines
    cells = [
        line for line in lines if re.match(r"\d/9 small \w+ seed 3: loss \d\.\d{3}, \d+ s", line)
    ]
    assert [line[:3] for line in cells] == ["5/9", "6/9"]
    failed = [line for line in lines if line.startswith("failed: small broken seed ")]
    assert len(failed) == 3
    assert all("; log: out/logs/train/small/broken/all-" in line for line in failed)
    assert len([line for line in lines if line.startswith("error: small/broken/all-")]) == 3
    assert "CalledProcessError" not in done.stderr
    assert lines[-2:] == ["WorkflowError:", "At least one job did not complete successfully."]
    assert "To try the rest again: `snakemake --configfile study.yaml`" in done.stderr
    assert "Read on" not in done.stderr
    assert len(lines) < 40


def test_a_partial_study_says_what_has_not_run(project: Project, in_terminal: Any) -> None:
    project.write({**STUDY, "activations": ["relu", "swiglu", "broken"]})
    try:
        done = logged(project, "--config", "partial=true")
    finally:
        project.write(STUDY)
    assert done.returncode == 0, done.stderr
    assert re.search(r"[Nn]ot .*run.*broken", done.stderr)
    assert "Read on: out/" in done.stderr


def test_a_dry_run_and_what_only_looks_are_snakemakes_own(
    project: Project, in_terminal: Any
) -> None:
    project.write({**STUDY, "seeds": [1, 2, 4]})
    try:
        for options in (["--dry-run"], ["--lint"], ["--summary"], ["--list-rules"]):
            ours, theirs = (logged(project, *options, logger=logger) for logger in (True, False))
            varies = re.compile(r"^ +(Date|Workflow ID|Command):.*|^\[.*\d{4}\]$", re.M)
            # Files of a set and jobs come in any order.
            words = [sorted(re.split(r"[\s,;]+", varies.sub("", r.stdout))) for r in (ours, theirs)]
            assert words[0] == words[1]
            assert ours.returncode == theirs.returncode
            if options == ["--dry-run"]:
                assert rules_of(listed_jobs(ours.stdout))["train"] == 2
                assert "Read on" not in ours.stdout + ours.stderr
    finally:
        project.write(STUDY)


@pytest.mark.parametrize("option", ["progress", "all", "rules"])
def test_quiet_runs_print_less(project: Project, in_terminal: Any, option: str) -> None:
    target = "out/corpus/probe.parquet"
    done = logged(project, target, "--force", "--quiet", option)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert not any(line.startswith("probe: done") for line in lines)
    assert any(line.startswith("To run: 1 other step") for line in lines) == (option == "rules")
    assert not any("Read on" in line for line in lines)


def test_a_second_run_is_refused_in_one_line(project: Project, in_terminal: Any) -> None:
    lock = hold_results(project.root / "out")
    try:
        terminal = Terminal(project, "out/corpus/probe.parquet", "--force")
        lines = left_standing(terminal.read())
    finally:
        lock.release()
    assert terminal.process.returncode == 1
    assert lines[-1] == "error: out: another run writes here; wait until it ends"
    assert not any("planning" in line for line in lines)


def test_a_wrong_target_is_named(project: Project, in_terminal: Any) -> None:
    done = logged(project, "out/none.png")
    assert done.returncode == 1
    assert "MissingRuleException" in done.stderr
    assert "out/none.png" in done.stderr


def test_ctrl_c_takes_the_bar_away_and_says_what_stopped(
    project: Project, in_terminal: Any
) -> None:
    training = {**TINY["training"], "iterations": 400, "evaluate_every": 1000}
    project.write({**STUDY, "activations": ["slow"], "training": training})
    try:
        terminal = Terminal(project, f"{UNDER_WAY}/cell.json")
        terminal.read(project.root / UNDER_WAY / CHECKPOINT)
        os.killpg(terminal.process.pid, signal.SIGINT)
        lines = left_standing(terminal.read())
    finally:
        project.write(STUDY)
    assert terminal.process.returncode != 0
    assert any(line.startswith("error: small/slow/all-1: stopped at iteration") for line in lines)
    assert any("To try the rest again" in line for line in lines)
    assert not any("/1 trained" in line for line in lines), lines
    assert not any("Traceback" in line for line in lines)
