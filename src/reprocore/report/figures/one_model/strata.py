"""Where, in the text, trainings of one model disagree."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.analysis.strata import DIVERGENCES, LOSS, STRATA
from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    basis,
    behind_of,
    legend_text,
    look_of,
    model_entries,
    none_ran,
)
from reprocore.report.figures.frame import activation_handles, new_figure, title
from reprocore.report.figures.marks import draw_mark, span_of
from reprocore.report.words import HOLDS_FOR, gap_text
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Generalisation, Kind, Stratification

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
    Kind.PUNCTUATION: "punctu-\nation",
}
LABELS = {name: MEASURES[name].label for name in DIVERGENCES} | {LOSS: "loss on the probe\n(nats)"}


@style.styled()
def draw_strata(
    study: Study, model: str, strata: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw PD, churn, total variation and loss by stratum of positions, a panel each."""
    entries = model_entries(study, model, estimates, cells, DIVERGENCES[0])
    gone = [entry.activation for entry in entries if entry.seeds == 0]
    not_run = none_ran(entries)
    labels = {entry.activation: legend_text(entry) for entry in entries}
    figure = new_figure(
        study,
        f"{model}: where in the text do its trainings disagree?",
        [basis(study, [model], HOLDS_FOR[Generalisation.SEEDS]), behind_of(entries)],
        ROW_INCHES * len(LABELS) + 1.0,
        activation_handles(study, labels, gone),
        exploratory=True,
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
        style.hatch_whole(axes, gap_text(Gap.NOT_RUN))
        return
    counts = dict(zip(rows["stratum"], rows["positions"], strict=True))
    axes.set_xticks(range(len(strata)), [_tick(stratum, counts) for stratum in strata])
    axes.set_xlim(-0.5, len(strata) - 0.5)
    axes.grid(visible=False, axis="x")
    width = DODGE / max(len(activations), 1)
    for index, activation in enumerate(activations):
        shift = (index - (len(activations) - 1) / 2) * width
        for row in rows[rows["activation"] == activation].to_dict("records"):
            span = span_of(row, "estimate")
            if span is not None:
                key = f"{row['measure']}:{stratification}:{row['stratum']}:{activation}"
                x = strata.index(row["stratum"]) + shift
                draw_mark(axes, x, span, look_of(study, activation), key, 5.0)
    for place, stratum in enumerate(strata):
        axes.axvline(place - 0.5, color=style.GRID, linewidth=0.7, zorder=0.5)
        if stratum not in counts:
            style.draw_missing(axes, "none", x=(place - 0.48, place + 0.48))


def _tick(stratum: str, counts: Mapping[str, int]) -> str:
    if stratum in KINDS:
        return f"{KINDS[Kind(stratum)]}\n{counts.get(stratum, 0)}"
    return {"1": "1\nleast", "5": "5\nmost"}.get(stratum, stratum)
