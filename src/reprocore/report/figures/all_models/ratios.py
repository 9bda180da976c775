"""Mean ratios of activations over models."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    confidence_text,
    drawn_arm,
    study_arm,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.figures.intervals import label_rows, row_label
from reprocore.report.figures.ratio_rows import (
    Line,
    Row,
    closer_side,
    draw_lines,
    finite,
    gathered_notes,
    rows_inches,
)
from reprocore.report.words import counted, gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure


@style.styled()
def draw_ratios(study: Study, ratios: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw each activation's mean ratio to the reference over the models, and how sure it is.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        ratios: of `RATIOS_SCHEMA`.
        summary: of `SUMMARY_SCHEMA`, for the models that ran.
    """
    measure = MEASURES[study.drawn_measure]
    ran = set(summary.loc[summary["seeds"] > 0, "model"])
    reference = study.reference_of()
    rows = _rows_of(study, ratios, measure, reference)
    others = [name for name in study.studied_activations() if name != reference]
    lines = [_ratio_line(name, rows.get(name)) for name in others]
    labels = [row_label(line.entry) for line in lines]
    known = style.readable(reference)
    figure = new_figure(
        study,
        f"Over all models: is an activation more reproducible than {known}?",
        _ratios_note(study, measure, known, lines, ran),
        rows_inches(labels) + 1.1,
    )
    grid = figure.add_gridspec(1, 2, width_ratios=[1.25, 1])
    axes = figure.add_subplot(grid[0])
    draw_lines(axes, study, lines, "ratio")
    label_rows(axes, labels)
    axes.set_xlabel(f"{measure.label}, ratio to {known}")
    title(axes, "Mean ratio over models (exploratory)", closer_side(measure, reference))
    axes = figure.add_subplot(grid[1])
    _draw_chances(axes, study, lines, rows)
    label_rows(axes, labels, shown=False)
    axes.set_xlabel(f"that its {measure.label} is lower than that of {known} (%)")
    title(
        axes,
        f"How likely is it lower than {known}?",
        "filled: chance for the mean over models;\nhollow: expected share of the models",
    )
    return figure


def _rows_of(
    study: Study, ratios: pd.DataFrame, measure: Measure, reference: str
) -> dict[str, Row]:
    """Return the ratios to the reference by activation."""
    rows = ratios[
        (ratios["arm"] == study_arm(study))
        & (ratios["measure"] == measure.name)
        & (ratios["second"] == reference)
    ]
    return {str(row["first"]): row for row in rows.to_dict("records")}


def _ratio_line(activation: str, row: Row | None) -> Line:
    ratio, low, high = (
        None if row is None else finite(row[name]) for name in ("ratio", "low", "high")
    )
    entry = Entry(activation, ratio, None, low, high, 0, 0)
    if row is None or ratio is None:
        return Line(entry, gap_text(Gap.NOT_RUN if row is None else Gap.NO_RATIO))
    return Line(entry, text=counted(row["models"], "model"), notes=tuple(reason_texts(row)))


def _draw_chances(axes: Axes, study: Study, lines: Sequence[Line], rows: Mapping[str, Row]) -> None:
    axes.set_xlim(-4, 104)
    axes.axvline(50, color=style.INK, linewidth=1.1, zorder=2)
    for row, line in enumerate(lines):
        activation = line.entry.activation
        look = style.look(activation, study.figures.colours)
        of_activation = rows.get(activation, {})
        chance, share = (finite(of_activation.get(n)) for n in ("chance_lower", "share_lower"))
        if chance is None and share is None:
            style.draw_missing(axes, line.why or "unknown", y=(row - 0.4, row + 0.4))
            continue
        for name, value, shift in (("chance", chance, -0.13), ("share", share, 0.13)):
            if value is None:
                continue
            axes.plot(
                [100 * value],
                [row + shift],
                color=look.colour,
                marker=look.marker,
                markersize=7,
                markerfacecolor=look.colour if name == "chance" else "white",
                markeredgewidth=0.6 if name == "chance" else 1.4,
                linestyle="none",
                zorder=3,
                gid=f"{name}:{activation}",
            )
        axes.annotate(
            f"{_percent(chance)}\n{_percent(share)} of models",
            (1, row),
            (8, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=style.FAINT,
            annotation_clip=False,
        )
    if lines and all(line.entry.estimate is None for line in lines):
        axes.set_xticks([])


def _percent(value: float | None) -> str:
    if value is None:
        return "unknown"
    # A chance over the models as they are is not a verdict, and must not look surer than one.
    if value < 0.01 or value > 0.99:
        return "under 1%" if value < 0.5 else "over 99%"
    return f"{100 * value:.0f}%"


def _ratios_note(
    study: Study, measure: Measure, known: str, lines: Sequence[Line], ran: Collection[str]
) -> str:
    parts = [
        f"Mark at the left: geometric mean over models of the ratio of mean {measure.label} to "
        f"that of {known}, at the last step; every model counts the same. Bar: its "
        f"{confidence_text(study)} interval, from the uncertainty over seeds within each model.",
        "The models are taken as they are (fixed): bars and chances are about these models and "
        "say nothing about others. A mean over models can hide that they disagree; where the "
        "hollow mark is near 50%, they do or too little is known. Chances are given for each "
        "activation alone and are not corrected for the number of comparisons.",
        *gathered_notes(lines),
    ]
    absent = [model for model in study.models if model not in ran]
    if absent:
        parts.append(f"Not run, and in no number here: {', '.join(absent)}.")
    arms = {drawn_arm(study, model) for model in study.models}
    if len(arms) > 1:
        parts.append(f"Only models in which {ARM_WORDS[study_arm(study)]}.")
    if any(line.why for line in lines):
        parts.append("Hatched: there is no such number, and none is filled in.")
    return "\n".join(parts)
