"""A number with its interval as one line of a panel, and the room that panels leave around it."""

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reprocore.divergence import Measure
from reprocore.figures import style
from reprocore.figures.canvas import LETTER, POINTS
from reprocore.figures.tables import Entry

BEHIND = "†"


def draw_interval(
    axes: Axes, y: float, entry: Entry, look: style.Look, key: str, note: str | None = None
) -> None:
    """Draw estimate and interval of `entry` at height `y`; hollow where it has no interval.

    Args:
        axes: where.
        y: height in data coordinates.
        entry: the number.
        look: of its activation.
        key: names the artists: `interval:{key}` and `estimate:{key}`.
        note: stands to the right; None is the entry's own.

    Draws nothing for an entry without estimate.
    """
    if entry.estimate is None:
        return
    right = entry.estimate
    if entry.low is not None and entry.high is not None:
        axes.plot(
            [entry.low, entry.high],
            [y, y],
            color=look.colour,
            linewidth=1.8,
            marker="|",
            markersize=6,
            markeredgewidth=1.6,
            zorder=3,
            gid=f"interval:{key}",
        )
        right = entry.high
    axes.plot(
        [entry.estimate],
        [y],
        color=look.colour,
        marker=look.marker,
        markersize=7,
        markerfacecolor=look.colour if entry.low is not None else "white",
        markeredgecolor="white" if entry.low is not None else look.colour,
        markeredgewidth=0.6 if entry.low is not None else 1.4,
        linestyle="none",
        zorder=3.5,
        gid=f"estimate:{key}",
    )
    text = beside(entry) if note is None else note
    note_beside(axes, right, y, text)


def note_beside(axes: Axes, x: float, y: float, text: str) -> None:
    """Write `text`, if any, to the right of the point (x, y)."""
    if text:
        axes.annotate(
            text,
            (x, y),
            (7, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=style.FAINT,
        )


def beside(entry: Entry) -> str:
    """Return what stands beside an entry: its note, and † where it is not below the unigram."""
    return " ".join(part for part in (BEHIND if entry.behind else "", entry.note) if part)


def ends(entries: Iterable[Entry]) -> list[float]:
    """Return all finite numbers that the entries need room for."""
    numbers = (n for e in entries for n in (e.estimate, e.low, e.high))
    return [n for n in numbers if n is not None and math.isfinite(n)]


def set_range(
    axes: Axes, numbers: Sequence[float], notes: Sequence[tuple[float, str]], inches: float
) -> None:
    """Set the horizontal range to `numbers`, with room for `notes` at the right of theirs.

    Args:
        axes: where.
        numbers: all that is drawn; without any, the axis shows no ticks.
        notes: (right end, text) of the notes beside numbers.
        inches: width of the axes.
    """
    if not numbers:
        axes.set_xlim(0.0, 1.0)
        axes.set_xticks([])
        return
    low, high = min(numbers), max(numbers)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.01
    low, right = low - margin, high + margin
    for end, text in notes:
        longest = max((len(line) for line in text.split("\n")), default=0)
        share = (longest * LETTER * style.SMALL + 12.0) / (inches * POINTS) if text else 0.0
        right = max(right, low + (end - low) / max(1.0 - share, 0.2))
    axes.set_xlim(low, right)
    axes.xaxis.set_major_locator(
        MaxNLocator(max(2, int(inches / 0.6)), steps=[1, 2, 2.5, 5, 10], min_n_ticks=2)
    )


def axis_label(measure: Measure) -> str:
    """Return a measure's name with its unit."""
    return f"{measure.label} ({measure.unit})" if measure.unit else measure.label


def direction(measure: Measure) -> str:
    """Return which end of a measure means alike predictions."""
    return f"{'higher' if measure.more_is_closer else 'lower'} = more alike"
