"""Where, in the text, trainings of one model disagree."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.analysis.strata import DIVERGENCES, LOSS, STRATA
from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    confidence_text,
    drawn_arm,
    model_entries,
    none_ran,
)
from reprocore.report.figures.frame import activation_handles, new_figure, title
from reprocore.report.words import gap_text
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Kind, Stratification

ROW_INCHES = 2.0
DODGE = 0.66
HEADINGS = {
    Stratification.SURPRISAL: (
        "Surprise",
        "fifths of positions, by −ln of the mean\nprobability of the true character",
    ),
    Stratification.ENTROPY: (
        "Uncertainty",
        "fifths of positions, by the entropy\nof the mean prediction",
    ),
    Stratification.KIND: ("Kind of the true character", "with the number of positions"),
}
KINDS = {
    Kind.LOWER_CASE: "lower\ncase",
    Kind.CAPITAL: "capital",
    Kind.DIGIT: "digit",
    Kind.SPACE: "space",
    Kind.NEWLINE: "new\nline",
    Kind.PUNCTUATION: "other",
}
LABELS = {name: MEASURES[name].label for name in DIVERGENCES} | {LOSS: "loss on the probe\n(nats)"}


@style.styled()
def draw_strata(
    study: Study, model: str, strata: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw PD, churn, total variation and loss by stratum of positions, a panel each.

    Args:
        study: what was to run.
        model: one of its models.
        strata: of `STRATA_SCHEMA`.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`, for the seeds that ran.
    """
    entries = model_entries(study, model, estimates, cells, DIVERGENCES[0])
    gone = [entry.activation for entry in entries if entry.seeds == 0]
    not_run = none_ran(entries)
    labels = {entry.activation: _label(entry) for entry in entries}
    figure = new_figure(
        study,
        style.wrap(f"{model}: where in the text do its trainings disagree?", 80),
        _note(study, model),
        ROW_INCHES * len(LABELS) + 1.0,
        [] if not_run else activation_handles(study, labels, gone),
    )
    grid = figure.add_gridspec(len(LABELS), len(STRATA), width_ratios=(1.0, 1.0, 1.2))
    strata = strata[strata["model"] == model]
    for row, (measure, label) in enumerate(LABELS.items()):
        for column, stratification in enumerate(STRATA):
            axes = figure.add_subplot(grid[row, column])
            of_panel = strata[
                (strata["measure"] == measure) & (strata["stratification"] == stratification)
            ]
            _draw_panel(axes, study, of_panel, stratification, list(labels), not_run)
            if row == 0:
                title(axes, *HEADINGS[stratification])
            if column == 0:
                axes.set_ylabel(label)
    return figure


def _label(entry: Entry) -> str:
    name = style.wrap(style.readable(entry.activation), 24)
    notes = entry.why or entry.note
    return f"{name}: {notes}" if notes else name


def _draw_panel(
    axes: Axes,
    study: Study,
    rows: pd.DataFrame,
    stratification: Stratification,
    activations: Sequence[str],
    not_run: bool,
) -> None:
    """Draw one measure by stratum: activations side by side, each with its interval."""
    strata = STRATA[stratification]
    if not_run:
        style.draw_missing(axes, gap_text(Gap.NOT_RUN))
        axes.set_xticks([])
        axes.set_yticks([])
        return
    counts = dict(zip(rows["stratum"], rows["positions"], strict=True))
    axes.set_xticks(range(len(strata)), [_tick(stratum, counts) for stratum in strata])
    axes.set_xlim(-0.5, len(strata) - 0.5)
    axes.grid(visible=False, axis="x")
    width = DODGE / max(len(activations), 1)
    for index, activation in enumerate(activations):
        own = rows[rows["activation"] == activation]
        values = {str(row["stratum"]): row for row in own.to_dict("records")}
        shift = (index - (len(activations) - 1) / 2) * width
        look = style.look(activation, study.figures.colours)
        for place, stratum in enumerate(strata):
            if stratum in values and np.isfinite(values[stratum]["estimate"]):
                key = f"{values[stratum]['measure']}:{stratification}:{stratum}:{activation}"
                _draw_mark(axes, place + shift, values[stratum], look, key)
    for place in range(1, len(strata)):
        axes.axvline(place - 0.5, color=style.GRID, linewidth=0.7, zorder=0.5)


def _draw_mark(
    axes: Axes, x: float, row: Mapping[Hashable, Any], look: style.Look, key: str
) -> None:
    known = bool(np.isfinite(row["low"]))
    if known:
        axes.plot(
            [x, x],
            [row["low"], row["high"]],
            color=look.colour,
            linewidth=1.6,
            gid=f"interval:{key}",
        )
    axes.plot(
        [x],
        [row["estimate"]],
        color=look.colour,
        marker=look.marker,
        markersize=5,
        markerfacecolor=look.colour if known else "white",
        markeredgecolor=look.colour,
        linestyle="none",
        gid=f"level:{key}",
    )


def _tick(stratum: str, counts: Mapping[str, int]) -> str:
    if stratum in KINDS:
        return f"{KINDS[Kind(stratum)]}\n{counts.get(stratum, 0)}"
    return {"1": "1\nleast", "5": "5\nmost"}.get(stratum, stratum)


def _note(study: Study, model: str) -> str:
    return "\n".join(
        [
            "Positions of the probe, told apart by the mean prediction of all final cells of this "
            "model, so that each stratum is the same text for every activation and seed. Mark: "
            "mean over pairs of seeds at the last step, of the loss over seeds; hollow without "
            f"interval. Bar: {confidence_text(study)} interval (jackknife over seeds), for new "
            "seeds on the same text; kinds with few positions may look otherwise in other text.",
            f"Between trainings, {ARM_WORDS[drawn_arm(study, model)]}. Vertical axes differ and "
            "need not start at 0. Other: punctuation and all else.",
        ]
    )
