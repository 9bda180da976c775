"""The figures of one model at the end of training: all measures, loss and accuracy."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import marks, style
from reprocore.report.figures.entries import (
    BEHIND,
    Entry,
    basis,
    behind_of,
    look_of,
    model_entries,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.words import EXPLORATORY, HOLDS_FOR, holds_for
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Generalisation

COLUMNS = 4
SCORES = {
    "val_loss": ("Validation loss", "nats per character", "lower = better"),
    "val_accuracy": ("Validation accuracy", "share of characters", "higher = better"),
}


@style.styled()
def draw_pd_by_activation(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw the final estimates of all measures, one panel each, one line per activation."""
    panels = {name: model_entries(study, model, estimates, cells, name) for name in MEASURES}
    entries = panels[study.drawn_measure]
    labels = [marks.row_label(entry) for entry in entries]
    rows = -(-len(MEASURES) // COLUMNS)
    figure = new_figure(
        study,
        f"{model}: how far apart are two trainings that differ only in their seed?",
        [basis(study, [model], HOLDS_FOR[Generalisation.SEEDS_AND_TEXT]), behind_of(entries)],
        rows * (marks.rows_inches(labels) + 1.05),
    )
    grid = figure.add_gridspec(rows, COLUMNS)
    for index, (name, measure) in enumerate(MEASURES.items()):
        axes = figure.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        marks.label_rows(axes, labels, shown=index % COLUMNS == 0)
        _draw_entries(axes, study, panels[name], name)
        axes.set_xlabel(measure.unit or f"from 0 to {measure.upper:g}")
        declared = name == study.statistics.primary.measure
        which = marks.direction(measure) + ("" if declared else f"; {EXPLORATORY}")
        title(axes, style.wrap(measure.label, 26), which, size=10.0)
    return figure


def _draw_entries(axes: Axes, study: Study, entries: Sequence[Entry], name: str) -> None:
    # How many seeds are missing stands at the left; here only that there is no interval.
    notes = ["no interval" if entry.span and entry.low is None else "" for entry in entries]
    pairs = zip(entries, notes, strict=True)
    marks.draw_rows(axes, [marks.entry_row(study, entry, name, note) for entry, note in pairs])
    axes.locator_params(axis="x", nbins=4)


@style.styled()
def draw_accuracy_and_loss(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw final loss and accuracy by activation: mean with interval, and every seed."""
    cells_drawn = cells[(cells["model"] == model) & (cells["arm"] == study.primary_arm(model))]
    panels = {
        name: [
            _with_lone_seed(entry, cells_drawn, name)
            for entry in model_entries(study, model, estimates, cells, name)
        ]
        for name in SCORES
    }
    labels = [marks.row_label(entry) for entry in panels["val_loss"]]
    figure = new_figure(
        study,
        f"{model}: how well does it predict the next character?",
        [basis(study, [model], holds_for("val_loss")) + " Small marks: single seeds."],
        marks.rows_inches(labels, 1.4) + 1.1,
    )
    grid = figure.add_gridspec(1, 2)
    for index, (name, entries) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index])
        heading, unit, better = SCORES[name]
        marks.label_rows(axes, labels, shown=index == 0)
        _draw_entries(axes, study, entries, name)
        _draw_seeds(axes, study, entries, cells_drawn, name)
        axes.set_xlabel(f"{heading.lower()} ({unit})")
        extra = _draw_unigram(axes, cells_drawn) if name == "val_loss" else ""
        title(axes, heading, f"{better}{extra}")
    return figure


def _finite(values: pd.Series) -> list[float]:
    return [float(v) for v in values if pd.notna(v) and abs(v) != float("inf")]


def _with_lone_seed(entry: Entry, cells: pd.DataFrame, name: str) -> Entry:
    """Return the score of a single seed: it makes no pair, but it has a loss."""
    values = _finite(cells.loc[cells["activation"] == entry.activation, name])
    if entry.seeds != 1 or entry.estimate is not None or len(values) != 1:
        return entry
    return replace(entry, estimate=values[0], gap=None)


def _draw_seeds(
    axes: Axes, study: Study, entries: Sequence[Entry], cells: pd.DataFrame, name: str
) -> None:
    for row, entry in enumerate(entries):
        values = _finite(cells.loc[cells["activation"] == entry.activation, name])
        if values:
            axes.plot(
                values,
                [row + 0.28] * len(values),
                color=look_of(study, entry.activation).colour,
                marker="o",
                markersize=3.5,
                markeredgewidth=0,
                alpha=0.6,
                linestyle="none",
                zorder=2.5,
                gid=f"seeds:{name}:{entry.activation}",
            )


def _draw_unigram(axes: Axes, cells: pd.DataFrame) -> str:
    """Draw the unigram entropy if it is in range; return what to say of it."""
    known = _finite(cells["unigram_entropy"])
    if not known:
        return ""
    entropy = known[0]
    left, right = axes.get_xlim()
    if left <= entropy <= right:
        axes.axvline(entropy, color=style.INK, linestyle=(0, (4, 2)), linewidth=1.2, gid="unigram")
        return f"; dashed: unigram entropy, {entropy:.2f} ({BEHIND}: not below it)"
    side = "right" if entropy > right else "left"
    return f"; unigram entropy {entropy:.2f} is {side} of the axis"
