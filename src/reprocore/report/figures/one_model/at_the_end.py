"""The figures of one model: final estimates by activation, and how they came about."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    confidence_text,
    drawn_arm,
    model_entries,
    none_ran,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.figures.intervals import (
    BEHIND,
    direction,
    draw_interval,
    ends,
    extent,
    label_rows,
    row_label,
    set_range,
)
from reprocore.report.words import HOLDS_FOR, gap_text, holds_for
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Generalisation

COLUMNS = 4
MEASURE_INCHES = 2.3
SCORE_INCHES = 4.6
SCORES = {
    "val_loss": ("validation loss", "nats per character", "lower = better"),
    "val_accuracy": ("validation accuracy", "share of characters", "higher = better"),
}


@style.styled()
def draw_pd_by_activation(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw the final estimates of all measures, one panel each, one line per activation.

    Args:
        study: what was to run.
        model: one of its models.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`, for the seeds that ran.
    """
    panels = {name: model_entries(study, model, estimates, cells, name) for name in MEASURES}
    labels = [row_label(entry) for entry in panels[study.drawn_measure]]
    height = sum(0.14 + 0.17 * (label.count("\n") + 1) for label in labels)
    rows = -(-len(MEASURES) // COLUMNS)
    figure = new_figure(
        study,
        style.wrap(f"{model}: how far apart are two trainings that differ only in their seed?", 80),
        _measures_note(study, model, panels[study.drawn_measure]),
        rows * (max(1.2, height) + 1.05),
    )
    grid = figure.add_gridspec(rows, COLUMNS)
    for index, (name, entries) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        measure = MEASURES[name]
        _draw_rows(axes, study, entries, name, MEASURE_INCHES)
        label_rows(axes, labels, shown=index % COLUMNS == 0)
        axes.set_xlabel(measure.unit or f"from 0 to {measure.upper:g}")
        title(axes, style.wrap(measure.label, 26), direction(measure), size=10.0)
    return figure


def _measures_note(study: Study, model: str, entries: list[Entry]) -> str:
    level = confidence_text(study)
    parts = [
        "Each panel is another measure of the same pairs of trainings, at the last step: mean "
        f"over all pairs of seeds, with its {level} interval "
        f"({HOLDS_FOR[Generalisation.SEEDS_AND_TEXT]}). "
        f"Between trainings, {ARM_WORDS[drawn_arm(study, model)]}.",
        "Horizontal axes differ and do not start at 0. Bars that overlap do not show that "
        "activations are alike, nor bars apart that they differ: see the contrasts. "
        "Hatched: there is no such number.",
    ]
    if any(entry.behind for entry in entries):
        parts.append(
            f"{BEHIND}: a seed predicts no better than letter frequencies do; predictions that "
            "learned nothing agree easily."
        )
    return "\n".join(parts)


@style.styled()
def draw_accuracy_and_loss(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw final loss and accuracy by activation: mean with interval, and every seed.

    Args:
        study: what was to run.
        model: one of its models.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`.
    """
    cells_drawn = cells[(cells["model"] == model) & (cells["arm"] == drawn_arm(study, model))]
    panels = {
        name: [
            _with_lone_seed(entry, cells_drawn, name)
            for entry in model_entries(study, model, estimates, cells, name)
        ]
        for name in SCORES
    }
    labels = [row_label(entry) for entry in panels["val_loss"]]
    height = sum(0.2 + 0.17 * (label.count("\n") + 1) for label in labels)
    level = confidence_text(study)
    figure = new_figure(
        study,
        style.wrap(f"{model}: how well does it predict the next character?", 80),
        f"Large mark and bar: mean over seeds at the last step with its {level} interval "
        f"({holds_for('val_loss')}). Small marks: single seeds. Unigram entropy: the loss "
        f"of always predicting the letter frequencies; a model at or above it ({BEHIND}) has "
        "learned nothing. Hatched: there is no such number.",
        max(1.4, height) + 1.1,
    )
    grid = figure.add_gridspec(1, 2)
    for index, (name, entries) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index])
        label, unit, better = SCORES[name]
        values = _finite(cells_drawn[name])
        _draw_rows(axes, study, entries, name, SCORE_INCHES, values)
        _draw_seeds(axes, study, entries, cells_drawn, name)
        label_rows(axes, labels, shown=index == 0)
        axes.set_xlabel(f"{label} ({unit})")
        extra = _draw_unigram(axes, cells_drawn) if name == "val_loss" else ""
        title(axes, label[0].upper() + label[1:], f"{better}{extra}")
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
    axes: Axes, study: Study, entries: list[Entry], cells: pd.DataFrame, name: str
) -> None:
    for row, entry in enumerate(entries):
        values = _finite(cells.loc[cells["activation"] == entry.activation, name])
        if not values:
            continue
        axes.plot(
            values,
            [row + 0.28] * len(values),
            color=style.look(entry.activation, study.figures.colours).colour,
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
        return f"; dashed: unigram entropy, {entropy:.2f}"
    return (
        f"; unigram entropy {entropy:.2f} is {'right' if entropy > right else 'left'} of the axis"
    )


def _draw_rows(
    axes: Axes,
    study: Study,
    entries: list[Entry],
    name: str,
    inches: float,
    others: list[float] | None = None,
) -> None:
    """Draw one line per activation; `others` are numbers that the range must hold too."""
    # How many seeds are missing stands at the left; here only that there is no interval.
    drawn = [entry for entry in entries if entry.estimate is not None]
    notes = {e.activation: "{}\n({})".format(*e.note_parts) if e.low is None else "" for e in drawn}
    placed = [(extent(entry), notes[entry.activation]) for entry in drawn]
    set_range(axes, [*ends(entries), *(others or [])], placed, inches)
    if none_ran(entries):
        style.draw_missing(axes, gap_text(Gap.NOT_RUN))
        return
    for row, entry in enumerate(entries):
        if entry.gap:
            style.draw_missing(axes, entry.why, y=(row - 0.4, row + 0.4))
        else:
            look = style.look(entry.activation, study.figures.colours)
            note = notes[entry.activation]
            draw_interval(axes, row, entry, look, f"{name}:{entry.activation}", note, inches)
