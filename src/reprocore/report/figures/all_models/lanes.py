"""Panels (a) and (b) of the cross-model figure: means with intervals, and single pairs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entries, Entry, flat, model_label, none_ran
from reprocore.report.figures.frame import title
from reprocore.report.figures.intervals import (
    axis_label,
    beside,
    direction,
    draw_interval,
    ends,
    extent,
    note_beside,
    set_range,
)
from reprocore.report.words import gap_text
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, Measure

Singles = Mapping[tuple[str, str], Sequence[float]]

PANEL_INCHES = 4.6
GAP = 0.9


@dataclass(frozen=True)
class Lanes:
    """Heights at which (a) and (b) draw: one band per model, one lane in it per activation."""

    lanes: Mapping[tuple[str, str], float]
    bands: Mapping[str, tuple[float, float]]
    height: float

    @classmethod
    def of(cls, study: Study, entries: Entries) -> "Lanes":
        """Return the lanes for these entries; heights grow downwards from 0."""
        lanes, bands, top = {}, {}, 0.0
        for model, of_model in entries.items():
            # A long model name takes several lines, and so at least as many lanes.
            lines = model_label(study, model).count("\n") + 2
            size = max(len(of_model), lines)
            start = top + (size - len(of_model)) / 2 + 0.5
            for index, entry in enumerate(of_model):
                lanes[model, entry.activation] = start + index
            bands[model] = (top, top + size)
            top += size + GAP
        return cls(lanes, bands, top)


def lane_inches(lanes: Lanes) -> float:
    """Return the height of a lane: at least a line of small text, more where there is room."""
    return min(0.26, max(0.165, 4.0 / lanes.height))


def _prepare_lanes(axes: Axes, study: Study, lanes: Lanes) -> None:
    middles = [sum(band) / 2 for band in lanes.bands.values()]
    axes.set_yticks(middles, [model_label(study, model) for model in lanes.bands])
    axes.set_ylim(lanes.height - GAP / 2, -GAP / 2)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")
    _separate(axes, lanes)


def _separate(axes: Axes, lanes: Lanes) -> None:
    for _, bottom in list(lanes.bands.values())[:-1]:
        axes.axhline(bottom + GAP / 2, color=style.GRID, linewidth=0.9, zorder=1)


def _hatch_gaps(
    axes: Axes, entries: Entries, lanes: Lanes, why: Callable[[str, Entry], str]
) -> None:
    """Hatch models that did not run, and single activations that are missing, with their name.

    `why` says for a model and one of its entries what is missing; "" for nothing.
    """
    for model, of_model in entries.items():
        if none_ran(of_model):
            style.draw_missing(axes, gap_text(Gap.NOT_RUN), y=lanes.bands[model])
            continue
        for entry in of_model:
            words = why(model, entry)
            if words:
                y = lanes.lanes[model, entry.activation]
                name = style.shorten(style.readable(entry.activation))
                style.draw_missing(axes, f"{name}: {words}", y=(y - 0.43, y + 0.43))


def set_common_range(axes: Axes, entries: Entries, singles: Singles) -> None:
    """Give (a) and (b), which share their axes, a range that holds what both draw."""
    notes = [(extent(e), beside(e)) for e in flat(entries) if e.estimate is not None]
    pairs = []
    for values in singles.values():
        finite = [value for value in values if math.isfinite(value)]
        pairs += finite
        if finite:
            notes.append(((min(finite), max(finite)), _infinite_text(values)))
    set_range(axes, [*ends(flat(entries)), *pairs], notes, PANEL_INCHES)


def _infinite_text(values: Sequence[float]) -> str:
    count = sum(not math.isfinite(value) for value in values)
    return f"{count} of {len(values)} pairs infinite" if count else ""


def draw_estimates(
    axes: Axes, study: Study, entries: Entries, lanes: Lanes, measure: Measure
) -> None:
    """Draw (a): one estimate with its interval per model and activation."""
    _prepare_lanes(axes, study, lanes)
    drawn = [(m, e) for m, some in entries.items() for e in some if e.estimate is not None]
    for model, entry in drawn:
        key = f"a:{model}:{entry.activation}"
        look = style.look(entry.activation, study.figures.colours)
        y = lanes.lanes[model, entry.activation]
        draw_interval(axes, y, entry, look, key, beside(entry), PANEL_INCHES)
    _hatch_gaps(axes, entries, lanes, lambda _, entry: entry.why)
    axes.set_xlabel(axis_label(measure))
    title(
        axes,
        "(a) Mean over pairs, with interval",
        f"one point per activation; {direction(measure)}\n"
        "hollow: no interval; where seeds are missing, how many ran",
    )


def draw_pairs(
    axes: Axes, study: Study, singles: Singles, entries: Entries, lanes: Lanes, measure: Measure
) -> None:
    """Draw (b): every single pair, over the quartiles of all pairs of its model."""
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.grid(visible=False, axis="y")
    _separate(axes, lanes)
    shown = {key: [v for v in values if math.isfinite(v)] for key, values in singles.items()}
    for (model, activation), values in shown.items():
        if values:
            y = lanes.lanes[model, activation]
            _draw_strip(axes, study, activation, y, values, f"b:{model}:{activation}")
            text = _infinite_text(singles[model, activation])
            note_beside(axes, (min(values), max(values)), y, text, PANEL_INCHES)
    for model, band in lanes.bands.items():
        _draw_quartiles(axes, band, [v for key, vs in shown.items() if key[0] == model for v in vs])
    _hatch_gaps(
        axes,
        entries,
        lanes,
        lambda model, entry: _pair_gap(entry, singles[model, entry.activation]),
    )
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
    axes.fill_betweenx(band, low, high, color="#d9d9d9", alpha=0.6, linewidth=0, zorder=1.6)
    axes.plot([middle, middle], band, color="#7a7a7a", linewidth=1.4, zorder=1.7)


def _pair_gap(entry: Entry, values: Sequence[float]) -> str:
    """Say why no pair is drawn: a mean that is infinite can have finite pairs."""
    if any(math.isfinite(value) for value in values):
        return ""
    if values:
        return f"all {len(values)} pairs {entry.why or gap_text(Gap.INFINITE)}"
    return entry.why or gap_text(Gap.MISSING)
