"""A number with its interval as one line of a panel, and the room that panels leave around it."""

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entry
from reprocore.report.figures.frame import LETTER, POINTS
from reprocore.vocabulary import Measure

BEHIND = "†"
LABEL_LETTERS = 20
GAP = 7.0  # points between a number and what stands beside it


def draw_interval(
    axes: Axes, y: float, entry: Entry, look: style.Look, key: str, text: str, inches: float
) -> None:
    """Draw estimate and interval of `entry` at height `y`; hollow where it has no interval.

    Draws nothing for an entry without estimate.

    Args:
        axes: where; its horizontal range must be set.
        y: height in data coordinates.
        entry: the number.
        look: of its activation.
        key: names the artists: `interval:{key}` and `estimate:{key}`.
        text: stands beside it.
        inches: width of the axes.
    """
    if entry.estimate is None:
        return
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
    note_beside(axes, extent(entry), y, text, inches)


def note_beside(axes: Axes, span: tuple[float, float], y: float, text: str, inches: float) -> None:
    """Write `text`, if any, to the right of `span` at height `y`, or to its left if it fits there.

    Args:
        axes: where; its range must be set, with `set_range` and the same text.
        span: what the text stands beside.
        y: height in data coordinates.
        text: one or more lines.
        inches: width of the axes.
    """
    if not text:
        return
    left = not _fits_right(axes.get_xlim(), span, text, inches)
    axes.annotate(
        text,
        (span[0] if left else span[1], y),
        (-GAP if left else GAP, 0),
        textcoords="offset points",
        va="center",
        ha="right" if left else "left",
        size=style.SMALL,
        color=style.FAINT,
    )


def extent(entry: Entry) -> tuple[float, float]:
    """Return the left and the right end of what is drawn of an entry."""
    numbers = ends([entry])
    return min(numbers), max(numbers)


def beside(entry: Entry) -> str:
    """Return what stands beside an entry: its note, and † where it is not below the unigram."""
    return " ".join(part for part in (BEHIND if entry.behind else "", entry.note) if part)


def ends(entries: Iterable[Entry]) -> list[float]:
    """Return all finite numbers that the entries need room for."""
    numbers = (n for e in entries for n in (e.estimate, e.low, e.high))
    return [n for n in numbers if n is not None and math.isfinite(n)]


def set_range(
    axes: Axes,
    numbers: Sequence[float],
    notes: Sequence[tuple[tuple[float, float], str]],
    inches: float,
) -> None:
    """Set the horizontal range to `numbers`, with room for notes beside some of them.

    Args:
        axes: where.
        numbers: all that is drawn; without any, the axis shows no ticks.
        notes: (left and right end of a number's interval, text beside it).
        inches: width of the axes.
    """
    if not numbers:
        axes.set_xlim(0.0, 1.0)
        axes.set_xticks([])
        return
    low, high = min(numbers), max(numbers)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.01
    low, right = low - margin, high + margin
    # Twice, because room made for one note takes from what another had at its left.
    for span, text in (*notes, *notes):
        on_the_left = (span[0] - low) / (right - low) >= _share(text, inches)
        if not on_the_left and not _fits_right((low, right), span, text, inches):
            right = low + (span[1] - low) / max(1.0 - _share(text, inches) - 0.01, 0.2)
    axes.set_xlim(low, right)
    axes.xaxis.set_major_locator(
        MaxNLocator(max(2, int(inches / 0.6)), steps=[1, 2, 2.5, 5, 10], min_n_ticks=2)
    )


def _share(text: str, inches: float) -> float:
    """Return the share of the axes' width that a note takes, with the gap before it."""
    if not text:
        return 0.0
    longest = max(len(line) for line in text.split("\n"))
    return (longest * LETTER * style.SMALL + GAP) / (inches * POINTS)


def _fits_right(
    limits: tuple[float, float], span: tuple[float, float], text: str, inches: float
) -> bool:
    low, high = limits
    return (span[1] - low) / (high - low) + _share(text, inches) <= 1.0


def row_label(entry: Entry) -> str:
    """Return an activation's name, with the seeds if there are fewer than wanted."""
    name = style.wrap(style.readable(entry.activation), LABEL_LETTERS)
    name += f" {BEHIND}" if entry.behind else ""
    few = 0 < entry.seeds < entry.wanted
    return f"{name}\n{entry.seeds} of {entry.wanted} seeds" if few else name


def label_rows(axes: Axes, labels: Sequence[str], shown: bool = True) -> None:
    """Make room for one row per label, and write the labels if they are to be `shown`."""
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelleft=shown, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")


def axis_label(measure: Measure) -> str:
    """Return a measure's name with its unit."""
    return f"{measure.label} ({measure.unit})" if measure.unit else measure.label


def direction(measure: Measure) -> str:
    """Return which end of a measure means alike predictions."""
    return f"{'higher' if measure.more_is_closer else 'lower'} = more alike"
