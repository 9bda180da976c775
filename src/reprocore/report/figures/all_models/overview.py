"""The figure over all models: four panels, from single pairs to the ranking."""

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.all_models.heatmap import draw_heatmap, row_inches
from reprocore.report.figures.all_models.lanes import Singles, draw_estimates, draw_pairs
from reprocore.report.figures.all_models.sensitivity import draw_sensitivity
from reprocore.report.figures.bands import Bands
from reprocore.report.figures.entries import (
    Entries,
    basis,
    behind_text,
    model_label,
    rows_of,
    summary_entries,
)
from reprocore.report.figures.frame import WIDTH, activation_handles, new_figure, plain_labels
from reprocore.report.words import holds_for
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Measure

# One column of the heatmap holds "0.554" over "±0.035" and, at worst, "no interval".
HEATMAP_COLUMNS = 6
COLUMN_INCHES = 1.1


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
    """
    measure = MEASURES[study.drawn_measure]
    entries = {
        model: summary_entries(study, model, estimates, summary, measure.name)
        for model in study.models
    }
    singles = _singles(study, entries, pairs, measure)
    activations = study.studied_activations()
    labels = {model: model_label(study, model) for model in entries}
    bands = Bands.of(labels, {model: len(of_model) for model, of_model in entries.items()})
    upper, lower, width = _inches(study, bands, len(activations))
    behind = [model for model, some in entries.items() if any(entry.behind for entry in some)]
    figure = new_figure(
        study,
        "How far apart are the predictions of two trainings that differ only in their seed?",
        [
            basis(study, study.models, f"in (a) and (c) {holds_for(measure.name)}"),
            behind_text(behind),
        ],
        upper + lower,
        activation_handles(study, plain_labels(study)),
        width,
        exploratory=measure.name != study.statistics.primary.measure,
    )
    rows = figure.add_gridspec(2, 1, height_ratios=[upper, lower])
    first, second = rows[0].subgridspec(1, 2), rows[1].subgridspec(1, 2, width_ratios=[1.75, 1])
    panel_a = figure.add_subplot(first[0])
    draw_estimates(panel_a, study, entries, bands, measure)
    panel_b = figure.add_subplot(first[1], sharex=panel_a, sharey=panel_a)
    draw_pairs(panel_b, study, singles, entries, bands, measure)
    losses = {
        (model, entry.activation): entry.estimate
        for model in study.models
        for entry in summary_entries(study, model, estimates, summary, "val_loss")
    }
    draw_heatmap(figure.add_subplot(second[0]), study, entries, activations, measure, losses)
    draw_sensitivity(figure.add_subplot(second[1]), study, entries, sensitivity, measure)
    return figure


def _inches(study: Study, bands: Bands, columns: int) -> tuple[float, float, float]:
    """Return the height of the upper and the lower panels, and the width of the figure."""
    # A lane holds at least a line of small text.
    lane = min(0.26, max(0.165, 4.0 / bands.height))
    upper = max(2.6, bands.height * lane) + 1.0
    lower = max(2.4, row_inches(study) * len(study.models)) + 1.3
    return upper, lower, WIDTH + max(0, columns - HEATMAP_COLUMNS) * COLUMN_INCHES


def _singles(study: Study, entries: Entries, pairs: pd.DataFrame, measure: Measure) -> Singles:
    """Return the measure of all single pairs of each (model, activation)."""
    singles = {}
    for model, of_model in entries.items():
        for name in (entry.activation for entry in of_model):
            rows = rows_of(pairs, model=model, arm=study.primary_arm(model), activation=name)
            singles[model, name] = [float(row[measure.name]) for row in rows]
    return singles
