"""Ratios of activations to the reference as rows: of one model, and over all models."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entry
from reprocore.report.figures.intervals import draw_interval, ends, set_range
from reprocore.report.words import REASONS, VERDICTS, gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import ContrastVerdict, Gap, Measure, Reason

PANEL_INCHES = 3.4
BAND = "#e9eef5"
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Line:
    """One row of a forest plot, in words as far as it has any.

    Attributes:
        entry: the ratio with its interval, if there is one.
        why: why there is no ratio, else "".
        text: stands at the right of a ratio.
        bold: whether that is a verdict that says something.
        notes: what a reader must know of it beside `why`.
    """

    entry: Entry
    why: str = ""
    text: str = ""
    bold: bool = False
    notes: tuple[str, ...] = ()


def contrast_line(entry: Entry, row: Row | None, why: str) -> Line:
    """Return the row of one contrast with the reference.

    Args:
        entry: what is known of the activation itself.
        row: of `CONTRASTS_SCHEMA`, None where there is none.
        why: why there is none, if that is known.
    """
    without = replace(entry, estimate=None, se=None, low=None, high=None)
    if row is None:
        return Line(without, why or gap_text(Gap.NOT_COMPARED))
    reasons = reason_texts(row)
    ratio, low, high = (finite(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    if ratio is None:
        return Line(without, reasons[0] if reasons else "no ratio", notes=tuple(reasons[1:]))
    verdict = ContrastVerdict(row["verdict"])
    known = replace(without, estimate=ratio, low=low, high=high, gap=None)
    bold = verdict != ContrastVerdict.UNDECIDED
    return Line(known, text=VERDICTS[verdict], bold=bold, notes=tuple(reasons))


def finite(value: Any) -> float | None:
    """Return a number of a table; None for one that is missing or infinite."""
    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def gathered_notes(lines: Iterable[Line]) -> list[str]:
    """Return each note once, with the activations that it is about unless it is about all."""
    about: dict[str, dict[str, None]] = {}
    every: set[str] = set()
    for line in lines:
        if line.entry.estimate is not None:
            every.add(line.entry.activation)
        for note in line.notes:
            about.setdefault(note, {})[line.entry.activation] = None
    result = []
    for note, names in about.items():
        if every <= set(names):
            result.append(f"{note[0].upper()}{note[1:]}.")
        else:
            result.append(f"{', '.join(map(style.readable, names))}: {note}.")
    return result


def rows_inches(labels: Sequence[str]) -> float:
    """Return the height of rows with these labels."""
    return max(1.2, sum(0.26 + 0.16 * max(1, label.count("\n")) for label in labels))


def draw_lines(
    axes: Axes,
    study: Study,
    lines: Sequence[Line],
    name: str,
    margin: float | None = None,
    others: Sequence[Line] = (),
) -> None:
    """Draw one row per line, with its text and its numbers at the right.

    Args:
        axes: where.
        study: for colours.
        lines: from top to bottom.
        name: names the artists.
        margin: of equivalence, drawn as a band; None for no band.
        others: lines of another panel, which the range must hold too.
    """
    if all(line.entry.estimate is None for line in lines):
        _draw_no_lines(axes, lines)
        return
    band = [1 / (1 + margin), 1 + margin] if margin is not None else [1.0]
    entries = [line.entry for line in (*lines, *others)]
    set_range(axes, [*ends(entries), *band], [], PANEL_INCHES)
    if margin is not None:
        axes.axvspan(band[0], band[1], color=BAND, linewidth=0, zorder=0.4, gid=f"margin:{name}")
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2, gid=f"reference:{name}")
    for row, line in enumerate(lines):
        if line.entry.estimate is not None:
            look = style.look(line.entry.activation, study.figures.colours)
            key = f"{name}:{line.entry.activation}"
            draw_interval(axes, row, line.entry, look, key, "", PANEL_INCHES)
            write_beside(axes, row, line)
    _hatch(axes, lines)


def _draw_no_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Hatch the whole panel, and say why: once if all rows have one reason."""
    set_range(axes, [], [], PANEL_INCHES)
    whys = {line.why for line in lines} or {REASONS[Reason.ONE_ACTIVATION]}
    if len(whys) == 1:
        style.draw_missing(axes, whys.pop())
    else:
        style.draw_missing(axes, "")
        _hatch(axes, lines)


def write_beside(axes: Axes, row: int, line: Line) -> None:
    """Write a line's text and its numbers to the right of the axes, at height `row`."""
    axes.annotate(
        "\n".join(filter(None, [line.text, _numbers(line.entry)])),
        (1, row),
        (8, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        size=style.SMALL,
        weight="bold" if line.bold else "normal",
        color=style.INK if line.bold else style.FAINT,
        annotation_clip=False,
    )


def _hatch(axes: Axes, lines: Sequence[Line]) -> None:
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            style.draw_missing(axes, line.why, y=(row - 0.4, row + 0.4))


def _numbers(entry: Entry) -> str:
    span = "no interval" if entry.low is None else f"{entry.low:.3f} to {entry.high:.3f}"
    return f"{entry.estimate:.3f} ({span})"


def closer_side(measure: Measure, reference: str) -> str:
    """Say on which side of 1 a ratio of `measure` means predictions more alike."""
    side = "right" if measure.more_is_closer else "left"
    return f"{side} of 1 = more alike than {style.readable(reference)}"
