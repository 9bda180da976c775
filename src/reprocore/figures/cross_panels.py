"""The four panels of the cross-model figure, each drawn on axes of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from reprocore.config import Study
from reprocore.divergence import Measure
from reprocore.figures import style
from reprocore.figures.canvas import LETTER, POINTS, title
from reprocore.figures.intervals import (
    axis_label,
    beside,
    direction,
    draw_interval,
    ends,
    set_range,
)
from reprocore.figures.tables import Entry, drawn_arm
from reprocore.inference import coefficient_of_variation, noise_corrected_cv

Entries = Mapping[str, Sequence[Entry]]
Singles = Mapping[tuple[str, str], Sequence[float]]

NAME_LETTERS = 16
PANEL_INCHES = 4.6
SENSITIVITY_INCHES = 3.0
GAP = 0.9


@dataclass(frozen=True)
class Lanes:
    """Heights at which (a) and (b) draw: one band per model, one lane in it per activation."""

    lanes: Mapping[tuple[str, str], float]
    bands: Mapping[str, tuple[float, float]]
    height: float

    @classmethod
    def of(cls, entries: Entries) -> "Lanes":
        """Return the lanes for these entries; heights grow downwards from 0."""
        lanes, bands, top = {}, {}, 0.0
        for model, each in entries.items():
            # A long model name takes several lines, and so at least as many lanes.
            lines = style.wrap(model, NAME_LETTERS).count("\n") + 2
            size = max(len(each), lines)
            start = top + (size - len(each)) / 2 + 0.5
            for index, entry in enumerate(each):
                lanes[model, entry.activation] = start + index
            bands[model] = (top, top + size)
            top += size + GAP
        return cls(lanes, bands, top)


def lane_inches(lanes: Lanes) -> float:
    """Return the height of a lane: at least a line of small text, more where there is room."""
    return min(0.26, max(0.165, 4.0 / lanes.height))


def model_label(study: Study, model: str) -> str:
    """Return a model's name in lines, with the arm that is drawn where models differ in it."""
    arms = {drawn_arm(study, each) for each in study.models}
    name = style.wrap(model, NAME_LETTERS)
    return name if len(arms) == 1 else f"{name}\n({drawn_arm(study, model)})"


def _prepare_lanes(axes: Axes, study: Study, lanes: Lanes) -> None:
    middles = [sum(band) / 2 for band in lanes.bands.values()]
    axes.set_yticks(middles, [model_label(study, model) for model in lanes.bands])
    axes.set_ylim(lanes.height - GAP / 2, -GAP / 2)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")
    for _, bottom in list(lanes.bands.values())[:-1]:
        axes.axhline(bottom + GAP / 2, color=style.GRID, linewidth=0.9, zorder=1)


def _hatch_gaps(axes: Axes, entries: Entries, lanes: Lanes) -> None:
    """Hatch models that did not run, and single activations that are missing, with their name."""
    for model, each in entries.items():
        if all(entry.gap == "not run" for entry in each):
            style.draw_missing(axes, "not run", y=lanes.bands[model])
            continue
        for entry in each:
            if entry.gap:
                y = lanes.lanes[model, entry.activation]
                name = style.shorten(style.readable(entry.activation))
                style.draw_missing(axes, f"{name}: {entry.gap}", y=(y - 0.47, y + 0.47))


def draw_estimates(
    axes: Axes, study: Study, entries: Entries, lanes: Lanes, measure: Measure
) -> None:
    """Draw (a): one estimate with its interval per model and activation."""
    _prepare_lanes(axes, study, lanes)
    drawn = [(m, e) for m, each in entries.items() for e in each if e.estimate is not None]
    notes = [(max(ends([entry])), beside(entry)) for _, entry in drawn]
    set_range(axes, ends(entry for _, entry in drawn), notes, PANEL_INCHES)
    for model, entry in drawn:
        key = f"a:{model}:{entry.activation}"
        look = style.look(entry.activation, study.figures.colours)
        draw_interval(axes, lanes.lanes[model, entry.activation], entry, look, key)
    _hatch_gaps(axes, entries, lanes)
    axes.set_xlabel(axis_label(measure))
    title(
        axes,
        "(a) Mean over pairs, with interval",
        f"one point per activation; {direction(measure)}",
    )


def draw_pairs(
    axes: Axes, study: Study, singles: Singles, entries: Entries, lanes: Lanes, measure: Measure
) -> None:
    """Draw (b): every single pair, over the quartiles of all pairs of its model."""
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.grid(visible=False, axis="y")
    for _, bottom in list(lanes.bands.values())[:-1]:
        axes.axhline(bottom + GAP / 2, color=style.GRID, linewidth=0.9, zorder=1)
    shown = {key: [v for v in values if math.isfinite(v)] for key, values in singles.items()}
    infinite = {key: len(values) - len(shown[key]) for key, values in singles.items()}
    texts = {
        key: f"{n} of {len(singles[key])} pairs infinite" for key, n in infinite.items() if n
    }
    numbers = [value for values in shown.values() for value in values]
    notes = [(max(shown[key]), text) for key, text in texts.items() if shown[key]]
    set_range(axes, numbers, notes, PANEL_INCHES)
    for (model, activation), values in shown.items():
        if values:
            y = lanes.lanes[model, activation]
            _draw_strip(axes, study, activation, y, values, f"b:{model}:{activation}")
            if (model, activation) in texts:
                axes.annotate(
                    texts[model, activation],
                    (max(values), y),
                    (6, 0),
                    textcoords="offset points",
                    va="center",
                    size=style.SMALL,
                    color=style.FAINT,
                )
    for model, band in lanes.bands.items():
        _draw_quartiles(axes, band, [v for key, vs in shown.items() if key[0] == model for v in vs])
    _hatch_gaps(axes, _pair_gaps(singles, entries), lanes)
    axes.set_xlabel(axis_label(measure))
    title(
        axes,
        "(b) Single pairs of seeds",
        "box: middle half and median of a model's pairs. Pairs share\n"
        "seeds and are not independent: their spread is no interval",
    )


def _draw_strip(
    axes: Axes, study: Study, activation: str, y: float, values: Sequence[float], key: str
) -> None:
    look = style.look(activation, study.figures.colours)
    axes.plot(
        values,
        [y] * len(values),
        color=look.colour,
        marker=look.marker,
        markersize=4.5,
        markeredgewidth=0,
        alpha=0.55,
        linestyle="none",
        zorder=3,
        gid=f"pairs:{key}",
        # Thousands of markers as vectors would make a file that no viewer opens.
        rasterized=len(values) > 500,
    )


def _draw_quartiles(axes: Axes, band: tuple[float, float], values: Sequence[float]) -> None:
    if not values:
        return
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.fill_betweenx(band, low, high, color="#d9d9d9", alpha=0.6, linewidth=0, zorder=1.2)
    axes.plot([middle, middle], band, color="#7a7a7a", linewidth=1.4, zorder=1.3)


def _pair_gaps(singles: Singles, entries: Entries) -> Entries:
    """Return entries whose gap is about pairs: an infinite mean can have finite pairs."""
    result = {}
    for model, each in entries.items():
        result[model] = [
            Entry(e.activation, None, None, None, None, e.seeds, e.wanted, _pair_gap(e, values))
            for e in each
            for values in (singles[model, e.activation],)
        ]
    return result


def _pair_gap(entry: Entry, values: Sequence[float]) -> str:
    if any(math.isfinite(value) for value in values):
        return ""
    if values:
        return f"all {len(values)} pairs {entry.gap or 'infinite'}"
    return entry.gap or "missing"


def draw_heatmap(
    axes: Axes,
    study: Study,
    entries: Entries,
    activations: Sequence[str],
    measure: Measure,
    scale: float = 1.0,
) -> None:
    """Draw (c): the estimates of (a) as numbers, each with half the width of its interval.

    Args:
        axes: where.
        study: for names.
        entries: by model.
        activations: the columns.
        measure: for the label.
        scale: how much wider the figure is than usual.
    """
    values = ends(Entry(e.activation, e.estimate, None, None, None, 0, 0) for e in _flat(entries))
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)
    colours = matplotlib.colormaps["cividis"]
    decimals = _decimals(entries)
    for row, (model, each) in enumerate(entries.items()):
        if all(entry.gap == "not run" for entry in each):
            style.draw_missing(
                axes, "not run", x=(-0.48, len(activations) - 0.52), y=(row - 0.46, row + 0.46)
            )
            continue
        found = {entry.activation: entry for entry in each}
        for column, activation in enumerate(activations):
            _draw_heat_cell(axes, row, column, found.get(activation), norm, decimals)
    _label_heatmap(axes, study, entries, activations, scale)
    if values:
        figure = axes.get_figure()
        assert figure is not None
        bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, fraction=0.035, pad=0.015)
        bar.set_label(f"{axis_label(measure)}; {direction(measure)}", size=style.SMALL)
        bar.outline.set_visible(False)  # type: ignore[operator]
        bar.ax.locator_params(nbins=5)
    title(
        axes, "(c) The same estimates as numbers", "± is half the width of the interval drawn in (a)"
    )


def _flat(entries: Entries) -> list[Entry]:
    return [entry for each in entries.values() for entry in each]


def _decimals(entries: Entries) -> int:
    """Return the decimals at which a typical half-width has two digits."""
    halves = [(e.high - e.low) / 2 for e in _flat(entries) if e.low is not None and e.high]
    typical = float(np.median(halves)) if halves else 0.0
    return min(5, max(1, 1 - math.floor(math.log10(typical)))) if typical > 0 else 3


def _draw_heat_cell(
    axes: Axes, row: int, column: int, entry: Entry | None, norm: Normalize, decimals: int
) -> None:
    x, y = (column - 0.48, column + 0.48), (row - 0.46, row + 0.46)
    if entry is None or entry.estimate is None:
        gap = "not in\nstudy" if entry is None else style.wrap(entry.gap, 9)
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
    lines = [f"{entry.estimate:.{decimals}f}"]
    if entry.low is not None and entry.high is not None:
        lines.append(f"±{(entry.high - entry.low) / 2:.{decimals}f}")
    if entry.note:
        lines.append(entry.note.replace(" (", "\n("))
    axes.text(
        column,
        row,
        "\n".join(lines),
        ha="center",
        va="center",
        size=style.SMALL if len(lines) < 3 and not no_interval else style.SMALL - 1,
        color="white" if dark else "black",
        linespacing=1.15,
        gid=f"heat:{row}:{column}",
        bbox={"boxstyle": "square,pad=0.1", "facecolor": face, "edgecolor": "none"}
        if no_interval
        else None,
    )


def _label_heatmap(
    axes: Axes, study: Study, entries: Entries, activations: Sequence[str], scale: float
) -> None:
    axes.set_xlim(-0.5, len(activations) - 0.5)
    axes.set_ylim(len(entries) - 0.5, -0.5)
    column = 5.2 * scale * POINTS / len(activations)
    room = max(5, int(column / (LETTER * style.SMALL)))
    names = [style.wrap(style.readable(a).replace(" ", "\n"), 14) for a in activations]
    turned = max(len(line) for name in names for line in name.split("\n")) > room
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    axes.set_yticks(range(len(entries)), [model_label(study, model) for model in entries])
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=style.NORMAL)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def draw_sensitivity(axes: Axes, study: Study, entries: Entries, measure: Measure) -> None:
    """Draw (d): how much the activation changes the measure, as it is and less seed noise."""
    rows = sorted(entries, key=lambda model: _rank(entries[model]))
    spreads = {model: _spread(entries[model]) for model in rows}
    numbers = [value for pair in spreads.values() for value in pair if value is not None]
    texts = {model: _spread_text(entries[model]) for model in rows}
    notes = [(s[0], texts[m]) for m, s in spreads.items() if s[0] is not None]
    set_range(axes, [0.0, *numbers] if numbers else [], notes, SENSITIVITY_INCHES)
    for row, model in enumerate(rows):
        plain, corrected = spreads[model]
        if plain is None:
            style.draw_missing(axes, texts[model], y=(row - 0.4, row + 0.4))
            continue
        if corrected is not None:
            axes.plot([corrected, plain], [row, row], color="#9a9a9a", linewidth=1.6, zorder=2)
            axes.plot(
                corrected, row, marker="o", color="#0072B2", markersize=7, gid=f"corrected:{model}"
            )
        axes.plot(
            plain,
            row,
            marker="o",
            markersize=7,
            color=style.INK,
            markerfacecolor="none",
            markeredgewidth=1.4,
            gid=f"plain:{model}",
        )
        axes.annotate(
            texts[model],
            (plain, row),
            (8, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=style.FAINT,
        )
    axes.set_yticks(range(len(rows)), [model_label(study, model) for model in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
    axes.set_xlabel(f"variation of {measure.label} across\nactivations (CV, % of its mean)")
    title(
        axes,
        "(d) Sensitivity to the activation",
        "○ as measured     ● less what seed noise alone would\n"
        "show: 0 means no more variation than that noise",
    )


def _spread(each: Sequence[Entry]) -> tuple[float | None, float | None]:
    """Return the CV across activations and the noise-corrected CV, None where there is none."""
    drawn = [entry for entry in each if entry.estimate is not None]
    values = [entry.estimate for entry in drawn if entry.estimate is not None]
    return coefficient_of_variation(values), noise_corrected_cv(values, [e.se for e in drawn])


def _rank(each: Sequence[Entry]) -> tuple[bool, float, float]:
    """Sort key: most sensitive first, by the corrected CV; without a number last."""
    plain, corrected = _spread(each)
    return plain is None, -(corrected or 0.0), -(plain or 0.0)


def _spread_text(each: Sequence[Entry]) -> str:
    plain, corrected = _spread(each)
    drawn = [entry for entry in each if entry.estimate is not None]
    if plain is None:
        if all(entry.gap == "not run" for entry in each):
            return "not run"
        return "fewer than 2 activations" if len(drawn) < 2 else "mean is 0: no CV"
    lines = [f"{plain:.1f} → {corrected:.1f}" if corrected is not None else f"{plain:.1f}"]
    if corrected is None:
        lines.append(next(e.note for e in drawn if e.se is None))
    if len(drawn) < len(each):
        lines.append(f"{len(drawn)} of {len(each)} activations")
    return "\n".join(lines)
