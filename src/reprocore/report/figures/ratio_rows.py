"""Ratios of activations to the reference as rows: of one model, and over all models."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entry
from reprocore.report.figures.intervals import BEHIND, draw_interval, ends, set_range
from reprocore.study.study import Study

LABEL_LETTERS = 20
PANEL_INCHES = 3.4
BAND = "#e9eef5"
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Line:
    """One row of a forest plot.

    Attributes:
        entry: the ratio with its interval, or why there is none.
        verdict: stands at the right.
        notes: what a reader must know of it.
    """

    entry: Entry
    verdict: str = ""
    notes: tuple[str, ...] = ()


def _line(entry: Entry, row: Row | None, gap: str) -> Line:
    """Return the row of one ratio; `gap` is why there is none, if that is known."""

    def made(ratio: float | None, low: float | None, high: float | None, why: str = "") -> Entry:
        known = (entry.seeds, entry.wanted, why, entry.behind)
        return Entry(entry.activation, ratio, None, low, high, *known)

    if row is None:
        return Line(made(None, None, None, gap or "not compared"))
    notes = tuple(part for part in str(row["note"]).split("; ") if part)
    ratio, low, high = (_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    if ratio is None:
        return Line(made(None, None, None, notes[0] if notes else "no ratio"), notes=notes)
    return Line(made(ratio, low, high), str(row["verdict"]), notes)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def _gathered(lines: Iterable[Line]) -> list[str]:
    """Return each note once, with the activations that it is about unless it is about all."""
    about: dict[str, dict[str, None]] = {}
    every: dict[str, None] = {}
    for line in lines:
        # What a hatched row says of itself need not be said again.
        shown = [note for note in line.notes if note != line.entry.gap]
        if line.entry.estimate is not None:
            every[line.entry.activation] = None
        for note in shown:
            about.setdefault(note, {})[line.entry.activation] = None
    result = []
    for note, names in about.items():
        who = "" if set(every) <= set(names) else f"{', '.join(map(style.readable, names))}: "
        # "Family" is the statistician's word.
        told = re.sub(r"a family of (\d+)", r"\1 comparisons at once", note)
        told = re.sub(r"^the (\d+ shared seeds) of", r"compared on \1, of", told)
        result.append(f"{who}{told[0].upper() + told[1:] if not who else told}.")
    return result


def _label(entry: Entry) -> str:
    name = style.wrap(style.readable(entry.activation), LABEL_LETTERS)
    name += f" {BEHIND}" if entry.behind else ""
    few = 0 < entry.seeds < entry.wanted
    return f"{name}\n{entry.seeds} of {entry.wanted} seeds" if few else name


def _rows_inches(labels: Sequence[str]) -> float:
    return max(1.2, sum(0.26 + 0.16 * max(1, label.count("\n")) for label in labels))


def _label_rows(axes: Axes, labels: Sequence[str], shown: bool = True) -> None:
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelleft=shown, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")


def _draw_lines(
    axes: Axes,
    study: Study,
    lines: Sequence[Line],
    name: str,
    margin: float | None = None,
    others: Sequence[Line] = (),
) -> None:
    """Draw one row per line, with its verdict and its numbers at the right.

    The range holds `others` too. Without a margin there are no verdicts, so none is bold.
    """
    drawn = [line for line in lines if line.entry.estimate is not None]
    if not drawn:
        set_range(axes, [], [], PANEL_INCHES)
        gaps = {line.entry.gap for line in lines}
        words = gaps.pop() if len(gaps) == 1 else ""
        style.draw_missing(axes, words or ("" if gaps else "one activation: nothing to compare"))
        if gaps:
            _hatch(axes, lines)
        return
    band = [1 / (1 + margin), 1 + margin] if margin is not None else [1.0]
    entries = [line.entry for line in (*lines, *others)]
    set_range(axes, [*ends(entries), *band], [], PANEL_INCHES)
    if margin is not None:
        axes.axvspan(band[0], band[1], color=BAND, linewidth=0, zorder=0.4, gid=f"margin:{name}")
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2, gid=f"reference:{name}")
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            continue
        look = style.look(line.entry.activation, study.figures.colours)
        key = f"{name}:{line.entry.activation}"
        draw_interval(axes, row, line.entry, look, key, "", PANEL_INCHES)
        told = margin is not None and line.verdict != "undecided"
        axes.annotate(
            "\n".join(filter(None, [line.verdict, _numbers(line.entry)])),
            (1, row),
            (8, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            weight="bold" if told else "normal",
            color=style.INK if told else style.FAINT,
            annotation_clip=False,
        )
    _hatch(axes, lines)


def _hatch(axes: Axes, lines: Sequence[Line]) -> None:
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            style.draw_missing(axes, line.entry.gap, y=(row - 0.4, row + 0.4))


def _numbers(entry: Entry) -> str:
    ends = "no interval" if entry.low is None else f"{entry.low:.3f} to {entry.high:.3f}"
    return f"{entry.estimate:.3f} ({ends})"
