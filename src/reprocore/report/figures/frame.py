"""The frame that all figures share: heading, legend, panels, and a note under them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from reprocore.report.figures import style
from reprocore.report.figures.entries import look_of
from reprocore.report.words import EXPLORATORY, readable
from reprocore.study.study import Study

WIDTH = 12.0
MARGIN = 0.15
HEADING_LETTERS = 100  # bold ones are wider
# Mean width of a letter of a sentence in DejaVu Sans, as a share of its size; height of a line.
PROSE = 0.52
LINE = 1.35
POINTS = 72.0
# Ticks that differ by less would print over each other.
TICKS_APART = 1.45


def letters(inches: float, size: float) -> int:
    """Return about how many letters of a sentence in `size` points fit into `inches`."""
    return max(8, int(inches * POINTS / (PROSE * size)))


def activation_handles(
    study: Study,
    labels: Mapping[str, str],
    gone: Iterable[str] = (),
    lines: bool = False,
    marks: bool = True,
) -> list[Artist]:
    """Return one legend entry per activation, hatched for those of `gone`; none if all are gone.

    Args:
        study: for its colours.
        labels: what stands in the legend, by activation.
        gone: activations of which nothing is drawn.
        lines: whether the figure draws lines.
        marks: whether the figure draws points.
    """
    handles: list[Artist] = []
    absent = set(gone)
    if absent >= set(labels):
        return []
    for activation, label in labels.items():
        if activation in absent:
            handles.append(Patch(label=label, **style.MISSING))
            continue
        look = look_of(study, activation)
        marker, line = look.marker if marks else "none", look.line if lines else "none"
        handles.append(
            Line2D([], [], color=look.colour, marker=marker, linestyle=line, ms=7, label=label)
        )
    return handles


def plain_labels(study: Study) -> dict[str, str]:
    """Return the names of all activations of a study, for a legend."""
    return {name: style.wrap(readable(name), 24) for name in study.studied_activations()}


def new_figure(
    study: Study,
    heading: str,
    note: Sequence[str],
    body: float,
    handles: Sequence[Artist] = (),
    width: float = WIDTH,
    exploratory: bool = False,
) -> Figure:
    """Return an empty figure with heading, legend and note; panels fill the rest.

    Args:
        study: for its title and the resolution.
        heading: what is shown, one sentence.
        note: what a reader must know of these very numbers, under the panels; empty lines are
            left out. How to read the figure stands in its caption, `workflow/report/*.rst`.
        body: height of the panels in inches.
        handles: entries of the legend, which stands above the panels.
        width: of the figure in inches.
        exploratory: whether the heading says so: what is shown was not declared beforehand.
    """
    figure = Figure((width, body), dpi=study.figures.dpi)
    heading += f" ({EXPLORATORY})" if exploratory else ""
    head: list[Text | Legend] = [
        _text(figure, style.wrap(heading, HEADING_LETTERS), style.LARGE, weight="bold"),
        _text(figure, study.title, style.NORMAL, color=style.FAINT),
        *([_legend(figure, handles, width - 2 * MARGIN)] if handles else []),
    ]
    foot = _text(figure, "\n".join(filter(None, note)), style.SMALL, va="bottom", gid="note")
    sizes = [_inches(artist) for artist in head]
    top, bottom = MARGIN + sum(sizes), MARGIN + _inches(foot)
    height = top + body + bottom
    figure.set_size_inches(width, height)
    figure.set_layout_engine(
        ConstrainedLayoutEngine(
            h_pad=0.08,
            w_pad=0.08,
            hspace=0.03,
            wspace=0.03,
            rect=(0, bottom / height, 1, body / height),
        )
    )
    y = height - MARGIN
    for artist, size in zip(head, sizes, strict=True):
        place = (MARGIN / width, y / height)
        artist.set_bbox_to_anchor(place) if isinstance(artist, Legend) else artist.set_position(
            place
        )
        y -= size
    foot.set_position((MARGIN / width, MARGIN / height))
    return figure


def _text(figure: Figure, text: str, size: float, va: str = "top", **more: Any) -> Text:
    room = letters(figure.get_figwidth() - 2 * MARGIN, size)
    return figure.text(0, 0, style.wrap(text, room), size=size, va=va, linespacing=LINE, **more)


def _legend(figure: Figure, handles: Sequence[Artist], inches: float) -> Legend:
    """Return the legend with as many columns as fit."""
    any_lines = any(isinstance(h, Line2D) and h.get_linestyle() != "None" for h in handles)
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles=list(handles),
            loc="upper left",
            ncols=columns,
            borderaxespad=0.0,
            borderpad=0.0,
            handlelength=2.8 if any_lines else 1.4,
            handletextpad=0.5,
            columnspacing=1.6,
            labelspacing=0.3,
        )
        if columns == 1 or legend.get_window_extent().width <= inches * figure.dpi:
            break
        legend.remove()
    return legend


def _inches(artist: Text | Legend) -> float:
    """Return the height of a text or a legend, with a gap under it."""
    figure = artist.get_figure()
    assert figure is not None
    return artist.get_window_extent().height / figure.dpi + 0.06


def title(axes: Axes, heading: str, explanation: str = "", size: float = 11.0) -> None:
    """Put a bold heading of `size` points over a panel, and lines of explanation between them."""
    lines = explanation.count("\n") + 1 if explanation else 0
    axes.set_title(heading, size=size, pad=5.0 + lines * style.SMALL * LINE)
    if lines:
        axes.annotate(
            explanation,
            (0, 1),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            size=style.SMALL,
            color=style.FAINT,
        )


def scale_by_doubling(axes: Axes, values: Iterable[float], written: Callable[[float], str]) -> None:
    """Make each doubling one step wide, with a tick at those of `values` that have room.

    The last one always has.
    """
    shown: list[float] = []
    for value in sorted(values, reverse=True):
        if not shown or shown[-1] > TICKS_APART * value:
            shown.append(value)
    axes.set_xscale("log", base=2)
    axes.set_xticks(shown, [written(value) for value in shown])
    axes.minorticks_off()


def sentence(study: Study, heading: str, words: str) -> Figure:
    """Return a figure that has nothing to draw, and says why in place of panels."""
    return new_figure(study, heading, [words], 0.1, exploratory=True)
