"""The audit as a figure: one row per claim with its verdict in shape, colour and words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reprocore.audit import AUDIT_SCHEMA, verdict_text
from reprocore.findings import VERDICTS
from reprocore.report.figures import style
from reprocore.report.figures.frame import LETTER, LINE, MARGIN, POINTS, WIDTH, new_figure
from reprocore.store.tables import read_table
from reprocore.study.study import Study

# Okabe & Ito (2008); the shapes differ as well, and so does what is filled.
_COLOURS = {"supported": "#0072B2", "refuted": "#D55E00", "undecided": "#8A6D00"}
_MARKERS = {"supported": "o", "refuted": "X", "undecided": "D"}

# Left edges in inches, from the left end of the panel: verdict, claim, reported, what was found.
_EDGES = (0.35, 1.75, 5.0, 6.9)
_INNER = WIDTH - 2 * MARGIN - 0.2
_HEADS = ("verdict", "claim", "reported", "measured in this study, and why")
_GAP = 0.12

NOTE = (
    "● supported and ✖ refuted rest on tests or intervals over seeds, in this study's models and "
    "settings; ◇ undecided is no finding for or against; hatched claims are about what was not "
    "run, and nothing is filled in. Claims about printed figures are recomputed from those alone."
)


def write(study: Study, table: str | Path, out: str | Path) -> list[Path]:
    """Draw the audit as PNG and SVG.

    Args:
        study: for its title and the resolution.
        table: `audit.parquet`.
        out: path of the figure without its suffix.

    Raises:
        ReprocoreError: the table is missing, damaged or foreign, or a file cannot be written.
    """
    return style.save(draw(study, read_table(table, AUDIT_SCHEMA).to_pylist()), out)


@style.styled()
def draw(study: Study, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return the figure of the rows of `AUDIT_SCHEMA`."""
    texts = [_texts(row) for row in rows]
    heights = [_height(each) for each in texts]
    head = _line_inches() + _GAP
    counts = [sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS]
    told = ", ".join(f"{n} {verdict}" for n, verdict in zip(counts, VERDICTS, strict=True))
    body = sum(heights) + head + 0.2
    figure = new_figure(study, f"Published claims held against this study: {told}", NOTE, body)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, _INNER)
    axes.set_ylim(sum(heights) + head, 0)
    for edge, name in zip(_EDGES, _HEADS, strict=True):
        axes.text(edge, 0, name, size=style.SMALL, weight="bold", va="top")
    top = head
    for row, cells, height in zip(rows, texts, heights, strict=True):
        axes.plot([0, _INNER], [top, top], color=style.GRID, linewidth=0.7)
        _draw_row(axes, row, cells, top, height)
        top += height
    return figure


def _texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = "\n".join(filter(None, (row["measured"], row["reason"])))
    whole = (verdict_text(row), row["claim"], row["reported"], found)
    ends = (*_EDGES[1:], _INNER)
    return tuple(
        style.wrap(text, int((right - left - _GAP) * POINTS / (LETTER * style.SMALL)))
        for text, left, right in zip(whole, _EDGES, ends, strict=True)
    )


def _line_inches() -> float:
    return style.SMALL * LINE / POINTS


def _height(cells: Sequence[str]) -> float:
    return (max(text.count("\n") for text in cells) + 1) * _line_inches() + _GAP


def _draw_row(
    axes: Axes, row: Mapping[str, Any], cells: Sequence[str], top: float, height: float
) -> None:
    verdict = row["verdict"]
    if verdict not in _COLOURS:
        style.draw_missing(axes, verdict, x=(0.0, _EDGES[1] - _GAP), y=(top, top + height))
    else:
        colour = _COLOURS[verdict]
        axes.add_line(
            Line2D(
                [0.17],
                [top + height / 2],
                marker=_MARKERS[verdict],
                markersize=8,
                color=colour,
                markerfacecolor="none" if verdict == "undecided" else colour,
                markeredgewidth=1.4,
                gid=f"{verdict}:{row['id']}",
            )
        )
    for edge, text, name in zip(_EDGES, cells, _HEADS, strict=True):
        if name == "verdict" and verdict not in _COLOURS:
            continue
        axes.text(
            edge,
            top + height / 2,
            text,
            size=style.SMALL,
            color=_COLOURS[verdict] if name == "verdict" else style.INK,
            weight="bold" if name == "verdict" else "normal",
            va="center",
            linespacing=1.15,
            gid=f"{name}:{row['id']}",
        )
