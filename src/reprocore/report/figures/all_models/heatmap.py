"""Panel (c) of the cross-model figure: the means as numbers on a colour scale."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from reprocore.report.figures import style
from reprocore.report.figures.entries import BEHIND, Entries, Entry, flat, model_label, none_ran
from reprocore.report.figures.frame import LINE, POINTS, title
from reprocore.report.words import gap_text, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, Measure

# A column narrower than this many letters a column in all has its name turned.
LETTERS = 80


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
    losses: Mapping[tuple[str, str], float | None],
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
    """
    cells = {model: {entry.activation: entry for entry in some} for model, some in entries.items()}
    mesh = _draw_colours(axes, [[some.get(a) for a in activations] for some in cells.values()])
    decimals = _decimals(entries)
    for row, (model, of_model) in enumerate(cells.items()):
        if none_ran(of_model.values()):
            x, y = (-0.48, len(activations) - 0.52), (row - 0.46, row + 0.46)
            style.draw_missing(axes, gap_text(Gap.NOT_RUN), x=x, y=y)
            continue
        for column, activation in enumerate(activations):
            entry, loss = of_model.get(activation), losses.get((model, activation))
            _draw_cell(axes, mesh, (row, column), entry, _lines(entry, decimals, loss))
    _label(axes, study, entries, activations)
    if any(entry.span for entry in flat(entries)):
        figure = axes.get_figure()
        assert figure is not None
        bar = figure.colorbar(mesh, ax=axes, fraction=0.035, pad=0.015, label=measure.heading)
        bar.outline.set_visible(False)
        bar.ax.locator_params(nbins=5)
    title(axes, "(c) The same means as numbers", "± half the width of the interval in (a)")


def _draw_colours(axes: Axes, cells: Sequence[Sequence[Entry | None]]) -> QuadMesh:
    """Colour the cells that have a number."""
    numbers = [[e.estimate if e and e.span else np.nan for e in row] for row in cells]
    values = np.ma.masked_invalid(np.array(numbers, dtype=float))
    edges = [np.arange(size + 1) - 0.5 for size in values.shape]
    mesh = axes.pcolormesh(*reversed(edges), values, cmap="cividis", edgecolor="white", lw=3)
    low, high = (values.min(), values.max()) if values.count() else (0.0, 1.0)
    mesh.set_clim(*((low, high) if high > low else (low - 0.5, high + 0.5)))
    return mesh


def _decimals(entries: Entries) -> int:
    """Return the decimals at which a typical half-width has two digits."""
    halves = [(e.high - e.low) / 2 for e in flat(entries) if e.low is not None and e.high]
    typical = float(np.median(halves)) if halves else 0.0
    return min(5, max(1, 1 - math.floor(math.log10(typical)))) if typical > 0 else 3


def _draw_cell(
    axes: Axes, mesh: QuadMesh, place: tuple[int, int], entry: Entry | None, lines: Sequence[str]
) -> None:
    row, column = place
    if entry is None or entry.estimate is None:
        gap = "not in\nstudy" if entry is None else style.wrap(entry.why, 9)
        x, y = (column - 0.48, column + 0.48), (row - 0.46, row + 0.46)
        style.draw_missing(axes, gap, x=x, y=y)
        return
    red, green, blue, _ = mesh.to_rgba(np.array([entry.estimate]))[0]
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    axes.text(
        column,
        row,
        "\n".join(lines),
        ha="center",
        va="center",
        size=style.SMALL - 1.5 * bool(entry.note_parts),
        color="white" if dark else "black",
        linespacing=1.15,
        gid=f"heat:{row}:{column}",
    )


def _lines(entry: Entry | None, decimals: int, loss: float | None) -> list[str]:
    if entry is None or entry.estimate is None:
        return []
    lines = [f"{entry.estimate:.{decimals}f}"]
    if entry.low is not None and entry.high is not None:
        lines.append(f"±{(entry.high - entry.low) / 2:.{decimals}f}")
    if loss is not None:
        lines.append(f"loss {loss:.2f}{BEHIND if entry.behind else ''}")
    return [*lines, *entry.note_parts]


def _label(axes: Axes, study: Study, entries: Entries, activations: Sequence[str]) -> None:
    axes.set_ylim(len(entries) - 0.5, -0.5)
    names = [style.wrap(readable(a).replace(" ", "\n"), 14) for a in activations]
    longest = max(len(line) for name in names for line in name.split("\n"))
    turned = longest > max(5, LETTERS // len(names))
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    axes.set_yticks(range(len(entries)), [model_label(study, model) for model in entries])
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=style.NORMAL)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
