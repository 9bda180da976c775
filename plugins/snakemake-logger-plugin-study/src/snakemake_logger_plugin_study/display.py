"""What is seen: one bar at the foot of a terminal, lines elsewhere."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from snakemake_logger_plugin_study.progress import Job, Progress, duration

SHORTEST_BAR, LONGEST_BAR = 8, 40
# Seconds for which the bar shows what there is no room to show beside the rest.
TURN = 6
STYLES = {"failed:": "red"}


def result_text(last: tuple[Job, Mapping[str, Any]] | None) -> str:
    """Write the loss and the time of a training, as far as they are known."""
    result = last[1] if last else {}
    loss, seconds = result.get("val_loss"), result.get("wall_seconds")
    parts = [f"loss {loss:.3f}"] if isinstance(loss, int | float) else []
    parts += [duration(seconds)] if isinstance(seconds, int | float) else []
    return f": {', '.join(parts)}" if parts else ""


def left_text(progress: Progress, now: float) -> str:
    """Write how long the rest takes, "" where that is not known."""
    left = progress.left(now)
    if left is None:
        return ""
    seconds, is_all = left
    if seconds < 60:
        return "less than a minute left" if is_all else ""
    minutes = round(seconds / 60)
    time_text = f"{minutes} min" if minutes < 100 else f"{seconds / 3600:.1f} h"
    return f"{'about' if is_all else 'more than'} {time_text} left"


class StudyConsole(Console):
    """A console whose reader may go away; rich would end the program."""

    def on_broken_pipe(self) -> None:
        """Write no more."""
        self.quiet = True


class Display:
    """The place in which a run is shown.

    The bar is one line, so that what a job itself prints on the terminal is never painted over.
    """

    def __init__(self, stream: TextIO, progress: Progress, has_bar: bool, no_colour: bool) -> None:
        """Prepare it; nothing is shown yet."""
        is_terminal = stream.isatty()
        self._console = StudyConsole(
            file=stream, force_terminal=is_terminal, no_color=no_colour or None, highlight=False
        )
        self._progress, self._start = progress, time.time()
        self.is_live = is_terminal and has_bar and not self._console.is_dumb_terminal
        self._live: Live | None = None

    def start(self) -> None:
        """Show the bar, if there is one, from now on."""
        if self.is_live and self._live is None:
            self._live = Live(
                get_renderable=self._bar,
                console=self._console,
                refresh_per_second=1,
                transient=True,
            )
            self._live.start()
            # It would stay hidden if the run were killed.
            self._console.show_cursor(True)

    def stop(self) -> None:
        """Take the bar away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def refresh(self) -> None:
        """Paint the bar anew."""
        if self._live is not None:
            self._live.refresh()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Take the bar away for as long as others write."""
        was_live = self._live is not None
        self.stop()
        try:
            yield
        finally:
            if was_live:
                self.start()

    def print(self, lines: Sequence[str]) -> None:
        """Print lines, above the bar if there is one; those with what is copied are not broken."""
        for line in lines:
            start = line.partition(" ")[0]
            copied = start in STYLES or "`" in line or not self._console.is_terminal
            self._console.print(Text(line, STYLES.get(start, "")), soft_wrap=copied)

    def _bar(self) -> RenderableType:
        """Return the bar: how far, the time left, the last training, what is under way."""
        progress, now = self._progress, time.time()
        done, wanted = progress.trained
        trains = done + sum(job.is_training for job in list(progress.failed.values())) < wanted
        count = f"{done}/{wanted} trained"
        if not trains:
            done, wanted = progress.steps_done, progress.steps.total()
            count = f"{done}/{wanted} steps" if wanted else "planning"
        if progress.failed:
            count += f", {len(progress.failed)} failed"
        time_text = left_text(progress, now) or f"{duration(now - self._start)} so far"
        room = self._console.width - cell_len(count + time_text) - 4
        rest = self._rest(room - SHORTEST_BAR, trains, now)
        width = max(1, min(LONGEST_BAR, room - cell_len(rest)))
        bar = ProgressBar(total=max(wanted, 1), completed=done, width=width)
        row = Table.grid(padding=(0, 1))
        for _ in range(4):
            row.add_column(no_wrap=True)
        row.add_row(count, bar, f"{time_text};" if rest else time_text, Text(rest, "dim"))
        return row

    def _rest(self, room: int, trains: bool, now: float) -> str:
        """Return the last training and those under way, in turn if there is no room for both."""
        progress = self._progress
        jobs = [job for job in list(progress.running.values()) if job.is_training == trains]
        names = [job.name for job in jobs]
        under_way = [f"now {', '.join(names[:n])}" for n in range(len(names), 0, -1)]
        under_way[1:] = [f"{text}, {n} more" for n, text in enumerate(under_way[1:], 1)]
        last = ""
        if progress.last is not None and trains:
            job, result = progress.last
            last = f"last {job.name}{result_text((job, {'val_loss': result.get('val_loss')}))}"
        both = [f"{last}; {text}" for text in under_way] if last else []
        turn = now % (2 * TURN) < TURN
        alone = [last, *under_way] if turn else [*under_way, last]
        return next((text for text in (*both, *alone) if text and len(text) <= room), "")
