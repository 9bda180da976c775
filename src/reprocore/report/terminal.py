"""Tables and numbers as a terminal shows them, on any width."""

import math
from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table


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
