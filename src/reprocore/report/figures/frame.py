"""The frame that all figures share: heading, legend, panels, and a note that explains them."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reprocore.report.figures import style
from reprocore.study.study import Study

WIDTH = 12.0
MARGIN = 0.15
# Width of a letter of DejaVu Sans as a share of its size: of names, and the mean of sentences.
LETTER = 0.58
PROSE = 0.52
LINE = 1.35
POINTS = 72.0


def letters(inches: float, size: float) -> int:
    """Return about how many letters of a sentence in `size` points fit into `inches`."""
    return max(8, int(inches * POINTS / (PROSE * size)))


def activation_handles(
    study: Study,
    labels: dict[str, str],
    gone: Sequence[str] = (),
    lines: bool = False,
    marks: bool = True,
) -> list[Artist]:
    """Return one legend entry per activation, hatched for those of `gone`.

    Args:
        study: for its colours.
        labels: what stands in the legend, by activation.
        gone: activations of which nothing is drawn.
        lines: whether the figure draws lines.
        marks: whether the figure draws points.
    """
    handles: list[Artist] = []
    for activation, label in labels.items():
        if activation in gone:
            handles.append(
                Patch(
                    facecolor=style.MISSING_FACE,
                    edgecolor=style.MISSING_HATCH,
                    hatch="//////",
                    label=label,
                    gid=style.MISSING_ID,
                )
            )
            continue
        look = style.look(activation, study.figures.colours)
        handles.append(
            Line2D(
                [],
                [],
                color=look.colour,
                marker=look.marker if marks else "none",
                linestyle=look.line if lines else "none",
                markersize=7,
                label=label,
            )
        )
    return handles


def new_figure(
    study: Study,
    heading: str,
    note: str,
    body: float,
    handles: Sequence[Artist] = (),
    width: float = WIDTH,
) -> Figure:
    """Return an empty figure with heading, legend and note; panels fill the rest.

    Args:
        study: for its title and the resolution.
        heading: what is shown, one sentence.
        note: how to read it, under the panels.
        body: height of the panels in inches.
        handles: entries of the legend, which stands above the panels.
        width: of the figure in inches.
    """
    inner = width - 2 * MARGIN
    blocks = [
        (style.wrap(heading, letters(inner, style.LARGE)), style.LARGE, "bold", style.INK),
        (
            style.wrap(study.title, letters(inner, style.NORMAL)),
            style.NORMAL,
            "normal",
            style.FAINT,
        ),
    ]
    columns, rows = _legend_shape(handles, inner)
    legend_height = rows * style.NORMAL * 1.6 / POINTS + (0.06 if rows else 0.0)
    head = MARGIN + sum(_height(text, size) for text, size, _, _ in blocks) + legend_height
    text = style.wrap(note, letters(inner, style.SMALL))
    foot = MARGIN + _height(text, style.SMALL)
    height = head + body + foot
    engine = ConstrainedLayoutEngine(
        h_pad=0.08, w_pad=0.08, hspace=0.03, wspace=0.03, rect=(0, foot / height, 1, body / height)
    )
    figure = Figure((width, height), dpi=study.figures.dpi, layout=engine)
    left, top = MARGIN / width, height - MARGIN
    for block, size, weight, colour in blocks:
        figure.text(left, top / height, block, size=size, weight=weight, color=colour, va="top")
        top -= _height(block, size)
    if handles:
        _add_legend(figure, handles, columns, (left, top / height))
    figure.text(
        left, MARGIN / height, text, size=style.SMALL, color=style.FAINT, va="bottom"
    ).set_gid("note")
    return figure


def _add_legend(
    figure: Figure, handles: Sequence[Artist], columns: int, place: tuple[float, float]
) -> None:
    any_lines = any(isinstance(h, Line2D) and h.get_linestyle() != "None" for h in handles)
    figure.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=place,
        ncols=columns,
        borderaxespad=0.0,
        borderpad=0.0,
        handlelength=2.8 if any_lines else 1.4,
        handletextpad=0.5,
        columnspacing=1.6,
        labelspacing=0.3,
    )


def _height(text: str, size: float) -> float:
    return (text.count("\n") + 1) * size * LINE / POINTS


def _legend_shape(handles: Sequence[Artist], inches: float) -> tuple[int, int]:
    """Return columns and lines of text of the widest legend that fits with these entries."""
    if not handles:
        return 1, 0
    names = [str(handle.get_label()).split("\n") for handle in handles]
    widths = [(max(map(len, name)) * LETTER + 5.4) * style.NORMAL / POINTS for name in names]
    for rows in range(1, len(names)):
        # Entries run down the columns first.
        columns = [widths[start : start + rows] for start in range(0, len(widths), rows)]
        if sum(map(max, columns)) <= inches:
            tall = [names[start : start + rows] for start in range(0, len(names), rows)]
            return len(columns), max(sum(map(len, column)) for column in tall)
    return 1, sum(map(len, names))


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
