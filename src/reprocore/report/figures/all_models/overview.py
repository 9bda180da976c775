"""The figure over all models: four panels, from single pairs to the ranking."""

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.all_models.heatmap import draw_heatmap, row_inches
from reprocore.report.figures.all_models.lanes import (
    Lanes,
    Singles,
    draw_estimates,
    draw_pairs,
    lane_inches,
    set_common_range,
)
from reprocore.report.figures.all_models.sensitivity import draw_sensitivity
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entries,
    confidence_text,
    drawn_arm,
    flat,
    summary_entries,
)
from reprocore.report.figures.frame import WIDTH, activation_handles, new_figure
from reprocore.report.figures.intervals import BEHIND
from reprocore.report.words import holds_for
from reprocore.study.cells import GROUP
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Measure

Key = tuple[str, str, str]
# One column of the heatmap holds "0.554" over "±0.035" and, at worst, "no interval".
HEATMAP_COLUMNS = 8
COLUMN_INCHES = 0.72


@style.styled()
def draw_cross_model(
    study: Study,
    summary: pd.DataFrame,
    estimates: pd.DataFrame,
    pairs: pd.DataFrame,
    sensitivity: pd.DataFrame,
) -> Figure:
    """Draw how reproducible all models are, by activation.

    Four panels: (a) the measure with intervals, (b) single pairs of seeds, (c) the same estimates
    as a heatmap, (d) how much the activation changes them. What is missing is hatched.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        summary: of `SUMMARY_SCHEMA`, for the seeds that ran and the flags.
        estimates: of `ESTIMATES_SCHEMA`, for the numbers.
        pairs: of `PAIRS_SCHEMA`, at the last step.
        sensitivity: of `SENSITIVITY_SCHEMA`, of all models.
    """
    measure = MEASURES[study.drawn_measure]
    entries = {
        model: summary_entries(study, model, estimates, summary, measure.name)
        for model in study.models
    }
    singles = _singles(study, entries, pairs, measure)
    activations = study.studied_activations()
    lanes = Lanes.of(study, entries)
    upper, lower, width = _inches(study, lanes, len(activations))
    names = {activation: style.wrap(style.readable(activation), 24) for activation in activations}
    figure = new_figure(
        study,
        "How far apart are the predictions of two trainings that differ only in their seed?",
        _note(study, measure, entries),
        upper + lower,
        activation_handles(study, names),
        width,
    )
    rows = figure.add_gridspec(2, 1, height_ratios=[upper, lower])
    first, second = rows[0].subgridspec(1, 2), rows[1].subgridspec(1, 2, width_ratios=[1.75, 1])
    panel_a = figure.add_subplot(first[0])
    set_common_range(panel_a, entries, singles)
    draw_estimates(panel_a, study, entries, lanes, measure)
    panel_b = figure.add_subplot(first[1], sharex=panel_a, sharey=panel_a)
    draw_pairs(panel_b, study, singles, entries, lanes, measure)
    panel_c, losses = figure.add_subplot(second[0]), _losses(study, summary)
    draw_heatmap(panel_c, study, entries, activations, measure, losses, width / WIDTH)
    draw_sensitivity(figure.add_subplot(second[1]), study, entries, sensitivity, measure)
    return figure


def _inches(study: Study, lanes: Lanes, columns: int) -> tuple[float, float, float]:
    """Return the height of the upper and the lower panels, and the width of the figure."""
    upper = max(2.6, lanes.height * lane_inches(lanes)) + 1.0
    lower = max(2.4, row_inches(study) * len(study.models)) + 1.3
    return upper, lower, WIDTH + max(0, columns - HEATMAP_COLUMNS) * COLUMN_INCHES


def _singles(study: Study, entries: Entries, pairs: pd.DataFrame, measure: Measure) -> Singles:
    """Return the measure of all single pairs of each (model, activation)."""
    return {
        (model, entry.activation): _values(
            pairs, (model, entry.activation, drawn_arm(study, model)), measure.name
        )
        for model, of_model in entries.items()
        for entry in of_model
    }


def _losses(study: Study, summary: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the final validation loss of each (model, activation) that has one."""
    arms = {model: drawn_arm(study, model) for model in study.models}
    return {
        (str(row["model"]), str(row["activation"])): float(row["val_loss"])
        for row in summary.to_dict("records")
        if row["arm"] == arms.get(str(row["model"])) and pd.notna(row["val_loss"])
    }


def _values(pairs: pd.DataFrame, group: Key, measure: str) -> list[float]:
    """Return the measure of all single pairs of a group; empty where there are none."""
    chosen = (pairs[list(GROUP)] == list(group)).all(axis=1)
    return [float(value) for value in pairs.loc[chosen, measure]]


def _note(study: Study, measure: Measure, entries: Entries) -> str:
    arms = {drawn_arm(study, model) for model in study.models}
    which = (
        f"Between trainings, {ARM_WORDS[arms.pop()]}. "
        if len(arms) == 1
        else "Which random streams follow the seed differs by model and is named in brackets. "
    )
    level = confidence_text(study)
    ends = f"0 to {measure.upper:.3g}" if measure.upper < float("inf") else "0 or more"
    name, unit = measure.label[0].upper() + measure.label[1:], f" {measure.unit}".rstrip()
    parts = [
        f"{name} ({ends}{unit}; "
        f"{'higher' if measure.more_is_closer else 'lower'} = predictions more alike), "
        f"at the last training step, over pairs of {len(study.seeds)} seeds. {which}",
        f"Bars in (a) and (d) and ± in (c): {level} interval; in (a) and (c) "
        f"{holds_for(measure.name)}. "
        "Whether two activations differ is decided by their paired contrast, "
        "not by whether their bars overlap. Horizontal axes of (a) and (b) do not start at 0.",
        "Hatched: there is no such number, and none is filled in.",
    ]
    if any(entry.behind for entry in flat(entries)):
        parts.append(
            f"{BEHIND}: at least one seed predicts no better than letter frequencies do; "
            "predictions that learned nothing agree easily."
        )
    return "\n".join(parts)
