"""A number with its interval: the mark that all figures share, and rows of such marks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.entries import BEHIND, Entry, TableRow, look_of
from reprocore.report.words import readable
from reprocore.study.study import Study
from reprocore.vocabulary import Measure

LABEL_LETTERS = 20
# A number with the ends of its interval, or with none.
Span = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class Row:
    """One row of a panel.

    Attributes:
        key: names the artists: `estimate:{key}` and `interval:{key}`.
        name: of what.
        look: of the mark.
        span: the number with its interval; None where there is none.
        why: why there is none; "" leaves the row empty but for its text.
        text: stands at the right of the panel.
        bold: whether that says something that the reader must not miss.
        notes: what else a reader must know of it.
    """

    key: str
    name: str
    look: style.Look
    span: Span | None
    why: str = ""
    text: str = ""
    bold: bool = False
    notes: tuple[str, ...] = ()


def entry_row(study: Study, entry: Entry, prefix: str, text: str = "") -> Row:
    """Return the row of an activation's number; `prefix` names its artists."""
    key, name = f"{prefix}:{entry.activation}", readable(entry.activation)
    return Row(key, name, look_of(study, entry.activation), entry.span, entry.why, text)


def draw_mark(
    axes: Axes, x: float | Span, y: float | Span, look: style.Look, key: str, size: float = 7.0
) -> None:
    """Draw a mark with a bar along each side that is a `Span`; hollow where one lacks its ends.

    Args:
        axes: where.
        x: horizontal place.
        y: vertical place.
        look: colour and marker.
        key: names the artists: `estimate:{key}`, `interval:{key}`, with two spans
            `interval:x:{key}` and `interval:y:{key}`.
        size: of the mark in points.
    """
    spans = {name: at for name, at in (("x", x), ("y", y)) if isinstance(at, tuple)}
    place = {name: at[0] if isinstance(at, tuple) else at for name, at in (("x", x), ("y", y))}
    sure = True
    for name, (_, low, high) in spans.items():
        if low is None or high is None:
            sure = False
            continue
        # Around its own middle: a corrected number may lie outside its interval.
        middle: Any = {**place, name: (low + high) / 2, f"{name}err": (high - low) / 2}
        bar = axes.errorbar(**middle, fmt="none", ecolor=look.colour, elinewidth=1.6, capsize=3)
        bar[2][0].set_gid(f"interval:{name}:{key}" if len(spans) > 1 else f"interval:{key}")
    axes.plot(
        place["x"],
        place["y"],
        color=look.colour,
        marker=look.marker,
        markersize=size,
        markerfacecolor=look.colour if sure else "white",
        markeredgecolor="white" if sure else look.colour,
        markeredgewidth=0.6 if sure else 1.4,
        linestyle="none",
        zorder=3.5,
        gid=f"estimate:{key}",
    )


def draw_rows(axes: Axes, rows: Sequence[Row], places: Sequence[float] | None = None) -> None:
    """Draw one row per number, at the heights `places`, with its text at the right.

    What is missing is hatched with the reason: as a whole where all rows have the same one.
    """
    whys = {row.why for row in rows}
    if places is None and len(whys) == 1 and "" not in whys:
        style.hatch_whole(axes, whys.pop())
        return
    for y, row in zip(places or range(len(rows)), rows, strict=True):
        if row.why:
            style.draw_missing(axes, row.why, y=(y - 0.42, y + 0.42))
            continue
        if row.span is not None:
            draw_mark(axes, row.span, y, row.look, row.key)
        if row.text:
            write_beside(axes, y, row.text, row.bold)
    axes.locator_params(axis="x", nbins=5, min_n_ticks=3)


def write_beside(
    axes: Axes, y: float, text: str, bold: bool = False, shift: float = 0.0, va: str = "center"
) -> None:
    """Write `text` to the right of the axes at height `y`; the layout makes room for it.

    `shift` is the distance from the axes in points, beyond a gap.
    """
    axes.annotate(
        text,
        (1, y),
        (6 + shift, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va=va,
        size=style.SMALL,
        weight="bold" if bold else "normal",
        annotation_clip=False,
    )


def label_rows(axes: Axes, labels: Sequence[str], shown: bool = True) -> None:
    """Make room for one row per label, and write the labels if they are to be `shown`."""
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), list(labels))
    axes.tick_params(axis="y", length=0, labelleft=shown, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")


def row_label(entry: Entry) -> str:
    """Return an activation's name, with the seeds if there are fewer than wanted."""
    name = style.wrap(readable(entry.activation), LABEL_LETTERS)
    name += f" {BEHIND}" if entry.behind else ""
    few = 0 < entry.seeds < entry.wanted
    return f"{name}\n{entry.seeds} of {entry.wanted} seeds" if few else name


def rows_inches(labels: Sequence[str], least: float = 1.2) -> float:
    """Return the height of rows with these labels, each of two lines or more."""
    return max(least, sum(0.28 + 0.16 * max(1, label.count("\n")) for label in labels))


def finite(value: Any) -> float | None:
    """Return a number of a table; None for one that is missing or infinite."""
    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def span_of(row: TableRow, name: str, low: str = "low", high: str = "high") -> Span | None:
    """Return a number of a table's row with its interval, by their columns; None without it."""
    value, *ends = (finite(row[column]) for column in (name, low, high))
    return None if value is None else (value, ends[0], ends[1])


def span_text(span: Span) -> str:
    """Return a number and its interval with three decimals."""
    value, low, high = span
    return f"{value:.3f} " + ("(no interval)" if low is None else f"({low:.3f} to {high:.3f})")


def gathered_notes(rows: Iterable[Row]) -> list[str]:
    """Return each note once, with the names of the rows that it is about unless it is about all."""
    about: dict[str, dict[str, None]] = {}
    every: set[str] = set()
    for row in rows:
        every |= {row.name} if row.span else set()
        for note in row.notes:
            about.setdefault(note, {})[row.name] = None
    return [
        f"{note[0].upper()}{note[1:]}." if every <= set(names) else f"{', '.join(names)}: {note}."
        for note, names in about.items()
    ]


def direction(measure: Measure) -> str:
    """Return which end of a measure means alike predictions."""
    return f"{'higher' if measure.more_is_closer else 'lower'} = more alike"


def closer_side(measure: Measure, reference: str) -> str:
    """Say on which side of 1 a ratio of `measure` means predictions more alike."""
    side = "right" if measure.more_is_closer else "left"
    return f"{side} of 1 = more alike than {readable(reference)}"
