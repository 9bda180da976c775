"""What a terminal shows: text of others as text, tables and numbers on any width."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reprocore.errors import visible

# The sign of a cell's state, its like on a terminal without Unicode, and style.
MARKS = {
    "done": ("✓", "+", "green"),
    "stale": ("~", "~", "yellow"),
    "damaged": ("!", "!", "bold yellow"),
    "failed": ("✗", "x", "bold red"),
    "begun": ("›", ">", "cyan"),
    "missing": ("·", ".", "dim"),
    "not runnable": ("–", "-", "dim"),
}
# What the parser of the command line says, in other words.
_PLAIN_WORDS = {
    ". Did you": "; did you",
    "Input should be": "must be",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "got unexpected extra argument(s)": "unexpected:",
}


class PlainConsole(Console):
    """A console on which text is text: no markup in it is obeyed, nothing in it steers a terminal.

    Titles, paths and reasons come from files of others. Our own styles are `Text` objects.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` as it is printed; every string of a table passes here too."""
        return super().render_str(visible(text), **options)

    def lines(self, text: str) -> None:
        """Print lines that are copied or searched, never wrapped."""
        self.print(text, soft_wrap=True)

    def mark(self, state: str) -> Text:
        """Return the sign of a cell's state."""
        sign, plain, style = MARKS[state]
        return Text(plain if self.options.ascii_only else sign, style=style)


console = PlainConsole(highlight=False, markup=False, emoji=False)


def usage_message(message: str, command: str) -> str:
    """Return a message of the parser of the command line in plain words, with where to read on."""
    words = " ".join(message.split()).rstrip(".")
    for theirs, ours in _PLAIN_WORDS.items():
        words = words.replace(theirs, ours)
    end = "" if words.endswith("?") else ";"
    return f"{words[0].lower()}{words[1:]}{end} see {command} --help"


def table_of(
    title: str | None, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[str]
) -> Table:
    """Lay out rows of text; columns of numbers are as wide as their longest, on any terminal."""
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for index, head in enumerate(heads):
        if head in numbers:
            width = max(len(head), *(len(row[index]) for row in rows))
            table.add_column(head, justify="right", no_wrap=True, min_width=width)
        else:
            table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def interval_numbers(
    estimate: float | None, low: float | None, high: float | None, *others: float
) -> list[str]:
    """Write an estimate, its interval and others with the digits that the interval warrants.

    They end at the second digit of half the interval; without one, at the fourth of the estimate.
    """
    scale, digits = abs(estimate or 0), 4
    if low is not None and high is not None:
        scale, digits = (high - low) / 2, 2
    places = digits - 1 - math.floor(math.log10(scale)) if 0 < scale < math.inf else 4
    places = min(max(places, 0), 8)
    values = (estimate, low, high, *others)
    return ["–" if value is None else f"{value:.{places}f}" for value in values]


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
