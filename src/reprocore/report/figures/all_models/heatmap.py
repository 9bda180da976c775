"""Panel (c) of the cross-model figure: the means as numbers on a colour scale."""

import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entries, Entry, flat, model_label, none_ran
from reprocore.report.figures.frame import LETTER, LINE, POINTS, title
from reprocore.report.figures.intervals import BEHIND, axis_label, direction
from reprocore.report.words import gap_text
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, Measure


def row_inches(study: Study) -> float:
    """Return the height of a row: of four lines of numbers, or of the longest model name."""
    lines = max(model_label(study, model).count("\n") + 1 for model in study.models)
    return max(0.6, lines * style.NORMAL * LINE / POINTS + 0.08)


def draw_heatmap(
    axes: Axes,
    study: Study,
    entries: Entries,
    activations: Sequence[str],
    measure: Measure,
    losses: Mapping[tuple[str, str], float],
    scale: float = 1.0,
) -> None:
    """Draw (c): the estimates of (a) as numbers, each with half the width of its interval.

    Args:
        axes: where.
        study: for names.
        entries: by model.
        activations: the columns.
        measure: for the label.
        losses: final validation loss of each (model, activation): a difference means little
            without what the models have learned.
        scale: how much wider the figure is than usual.
    """
    values = [e.estimate for e in flat(entries) if e.estimate is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)
    decimals = _decimals(entries)
    for row, (model, of_model) in enumerate(entries.items()):
        if none_ran(of_model):
            x, y = (-0.48, len(activations) - 0.52), (row - 0.46, row + 0.46)
            style.draw_missing(axes, gap_text(Gap.NOT_RUN), x=x, y=y)
            continue
        by_activation = {entry.activation: entry for entry in of_model}
        for column, activation in enumerate(activations):
            entry, loss = by_activation.get(activation), losses.get((model, activation))
            _draw_heat_cell(axes, (row, column), entry, norm, decimals, loss)
    _label_heatmap(axes, study, entries, activations, scale)
    if values:
        _draw_scale(axes, norm, measure)
    title(
        axes,
        "(c) The same means as numbers",
        "± is half the width of the interval in (a), loss the mean\n"
        "validation loss in nats; colour: the mean, on the scale at the right",
    )


def _draw_scale(axes: Axes, norm: Normalize, measure: Measure) -> None:
    figure = axes.get_figure()
    assert figure is not None
    colours = matplotlib.colormaps["cividis"]
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, fraction=0.035, pad=0.015)
    bar.set_label(f"{axis_label(measure)}\n{direction(measure)}", size=style.SMALL)
    bar.outline.set_visible(False)
    bar.ax.locator_params(nbins=5)


def _decimals(entries: Entries) -> int:
    """Return the decimals at which a typical half-width has two digits."""
    halves = [(e.high - e.low) / 2 for e in flat(entries) if e.low is not None and e.high]
    typical = float(np.median(halves)) if halves else 0.0
    return min(5, max(1, 1 - math.floor(math.log10(typical)))) if typical > 0 else 3


def _draw_heat_cell(
    axes: Axes,
    place: tuple[int, int],
    entry: Entry | None,
    norm: Normalize,
    decimals: int,
    loss: float | None,
) -> None:
    row, column = place
    x, y = (column - 0.48, column + 0.48), (row - 0.46, row + 0.46)
    if entry is None or entry.estimate is None:
        gap = "not in\nstudy" if entry is None else style.wrap(entry.why, 9)
        style.draw_missing(axes, gap, x=x, y=y)
        return
    red, green, blue, _ = face = matplotlib.colormaps["cividis"](norm(entry.estimate))
    no_interval = entry.low is None or entry.high is None
    axes.fill_between(
        x,
        y[0],
        y[1],
        facecolor=face,
        edgecolor=style.MISSING_FACE,
        hatch="////" if no_interval else None,
        linewidth=0,
    )
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    axes.text(
        column,
        row,
        "\n".join(_heat_lines(entry, decimals, loss)),
        ha="center",
        va="center",
        size=style.SMALL - 1.5 * bool(entry.note_parts),
        color="white" if dark else "black",
        linespacing=1.15,
        gid=f"heat:{row}:{column}",
        bbox={"boxstyle": "square,pad=0.1", "facecolor": face, "edgecolor": "none"}
        if no_interval
        else None,
    )


def _heat_lines(entry: Entry, decimals: int, loss: float | None) -> list[str]:
    lines = [f"{entry.estimate:.{decimals}f}"]
    if entry.low is not None and entry.high is not None:
        lines.append(f"±{(entry.high - entry.low) / 2:.{decimals}f}")
    if loss is not None:
        lines.append(f"loss {loss:.2f}{BEHIND if entry.behind else ''}")
    return [*lines, *entry.note_parts]


def _label_heatmap(
    axes: Axes, study: Study, entries: Entries, activations: Sequence[str], scale: float
) -> None:
    axes.set_xlim(-0.5, len(activations) - 0.5)
    axes.set_ylim(len(entries) - 0.5, -0.5)
    column = 5.4 * scale * POINTS / len(activations)
    room = max(5, int(column / (LETTER * style.SMALL)))
    names = [style.wrap(style.readable(a).replace(" ", "\n"), 14) for a in activations]
    turned = max(len(line) for name in names for line in name.split("\n")) > room
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    axes.set_yticks(range(len(entries)), [model_label(study, model) for model in entries])
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=style.NORMAL)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
