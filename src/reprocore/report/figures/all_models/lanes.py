"""Panels (a) and (b) of the cross-model figure: means with intervals, and single pairs."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from reprocore.report.figures import marks, style
from reprocore.report.figures.bands import Bands
from reprocore.report.figures.entries import BEHIND, Entries, Entry, look_of
from reprocore.report.figures.frame import title
from reprocore.report.words import gap_text, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, Measure

Singles = Mapping[tuple[str, str], Sequence[float]]


def draw_estimates(
    axes: Axes, study: Study, entries: Entries, bands: Bands, measure: Measure
) -> None:
    """Draw (a): one estimate with its interval per model and activation."""
    bands.prepare(axes)
    for model, of_model in entries.items():
        rows = [marks.entry_row(study, entry, f"a:{model}", _beside(entry)) for entry in of_model]
        bands.draw(axes, model, rows)
    axes.set_xlabel(measure.heading)
    title(axes, "(a) Mean over pairs, with interval", marks.direction(measure))


def _beside(entry: Entry) -> str:
    return " ".join(part for part in (BEHIND if entry.behind else "", entry.note) if part)


def draw_pairs(
    axes: Axes, study: Study, singles: Singles, entries: Entries, bands: Bands, measure: Measure
) -> None:
    """Draw (b): every single pair, over the quartiles of all pairs of its model."""
    bands.prepare(axes)
    axes.tick_params(axis="y", labelleft=False)
    for model, of_model in entries.items():
        rows, every = [], []
        for entry, y in zip(of_model, bands.lanes[model], strict=True):
            values = singles[model, entry.activation]
            shown = [value for value in values if math.isfinite(value)]
            every += shown
            rows.append(_pairs_row(study, entry, values, len(values) - len(shown)))
            _draw_strip(axes, rows[-1].look, y, shown, f"pairs:b:{model}:{entry.activation}")
        _draw_quartiles(axes, bands.spans[model], every)
        bands.draw(axes, model, rows)
    axes.set_xlabel(measure.heading)
    title(axes, "(b) Single pairs of seeds", "box: middle half and median, no interval")


def _pairs_row(study: Study, entry: Entry, values: Sequence[float], infinite: int) -> marks.Row:
    """Return what is said of the pairs: a mean that is infinite can have finite pairs."""
    name, look = readable(entry.activation), look_of(study, entry.activation)
    if not values:
        return marks.Row("", name, look, None, entry.why or gap_text(Gap.MISSING))
    if infinite == len(values):
        return marks.Row("", name, look, None, f"all {infinite} pairs {gap_text(Gap.INFINITE)}")
    text = f"{infinite} of {len(values)} pairs infinite" if infinite else ""
    return marks.Row("", name, look, None, text=text)


def _draw_strip(axes: Axes, look: style.Look, y: float, values: Sequence[float], gid: str) -> None:
    if not values:
        return
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
        gid=gid,
        # Thousands of markers as vectors would make a file that no viewer opens.
        rasterized=len(values) > 500,
    )


def _draw_quartiles(axes: Axes, band: tuple[float, float], values: Sequence[float]) -> None:
    if not values:
        return
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.fill_betweenx(band, low, high, color="#d9d9d9", alpha=0.6, linewidth=0, zorder=1.6)
    axes.plot([middle, middle], band, color="#7a7a7a", linewidth=1.4, zorder=1.7)
