"""How reproducibility and sensitivity change with the size of a model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from reprocore.report.figures import style
from reprocore.report.figures.all_models.sensitivity import sensitivity_row
from reprocore.report.figures.entries import (
    Entry,
    basis,
    behind_text,
    look_of,
    missing_text,
    study_arm,
    summary_entries,
)
from reprocore.report.figures.frame import LINE, POINTS, activation_handles, new_figure, title
from reprocore.report.figures.marks import Span, direction, draw_mark, span_of
from reprocore.report.words import gap_text, holds_for, readable, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure, ScaledBy, ScaledQuantity

PANEL_INCHES = 3.1
LOOK = style.Look(style.INK, "o", "-")
# Of the loss, for which a change is given: the models of a study often differ by less than 1 nat.
LOSS_STEP = 0.1
STEPS = {
    ScaledBy.PARAMETERS: "tenfold parameters",
    ScaledBy.VAL_LOSS: f"{LOSS_STEP:g} nats more loss",
}
X_LABELS = {
    ScaledBy.PARAMETERS: "trainable parameters (logarithmic)",
    ScaledBy.VAL_LOSS: "validation loss (nats per character)",
}


@dataclass(frozen=True)
class Mark:
    """A number of one model, and where the model lies on both axes of size."""

    model: str
    activation: str | None
    places: Mapping[ScaledBy, Span]
    y: Span
    behind: bool = False


@style.styled()
def draw_scale(
    study: Study,
    summary: pd.DataFrame,
    estimates: pd.DataFrame,
    sensitivity: pd.DataFrame,
    scale: pd.DataFrame,
) -> Figure:
    """Draw the measure and its CV across activations against parameters and against loss."""
    measure = MEASURES[study.drawn_measure]
    levels, gone = _levels(study, summary, estimates, measure)
    spreads = _spreads(study, sensitivity, levels, measure)
    rows = scale[(scale["arm"] == study_arm(study)) & (scale["measure"] == measure.name)]
    texts = {
        (quantity, by): _slope_texts(rows, quantity, by)
        for quantity in ScaledQuantity
        for by in ScaledBy
    }
    names = {name: readable(name) for name in _activations(study)}
    inches = [
        PANEL_INCHES + max(len(texts[quantity, by]) for by in ScaledBy) * _line_inches()
        for quantity in ScaledQuantity
    ]
    figure = new_figure(
        study,
        "Does a larger model repeat its predictions better?",
        _note(study, measure, levels, gone),
        sum(inches),
        activation_handles(study, names),
        exploratory=True,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=inches)
    for row, (quantity, marks) in enumerate(zip(ScaledQuantity, (levels, spreads), strict=True)):
        for column, by in enumerate(ScaledBy):
            axes = figure.add_subplot(grid[row, column])
            _draw(axes, study, marks, by, quantity)
            _draw_lines(axes, study, marks, by, rows)
            _label(axes, measure, quantity, by, texts[quantity, by], 2 * row + column)
    return figure


def _line_inches() -> float:
    return style.SMALL * LINE / POINTS


def _activations(study: Study) -> list[str]:
    listed = {name for model in study.scale for name in study.activations_of(model)}
    return [name for name in study.studied_activations() if name in listed]


def _levels(
    study: Study, summary: pd.DataFrame, estimates: pd.DataFrame, measure: Measure
) -> tuple[list[Mark], dict[str, list[Entry]]]:
    """Return the marks of all activations' levels, and what has no number."""
    counts = {
        (str(row["model"]), str(row["activation"])): row["parameters"]
        for row in summary.to_dict("records")
        if row["arm"] == study.primary_arm(str(row["model"]))
    }
    marks: list[Mark] = []
    gone: dict[str, list[Entry]] = {}
    for model in study.scale:
        entries, losses = (
            summary_entries(study, model, estimates, summary, name)
            for name in (measure.name, "val_loss")
        )
        for entry, loss in zip(entries, losses, strict=True):
            count = counts.get((model, entry.activation))
            if entry.span is None or loss.span is None or count is None or pd.isna(count):
                gap = entry.gap or loss.gap or Gap.MISSING
                gone.setdefault(model, []).append(replace(entry, gap=gap))
                continue
            places: dict[ScaledBy, Span] = {
                ScaledBy.PARAMETERS: (float(count), None, None),
                ScaledBy.VAL_LOSS: loss.span,
            }
            marks.append(Mark(model, entry.activation, places, entry.span, entry.behind))
    return marks, gone


def _spreads(
    study: Study, sensitivity: pd.DataFrame, levels: Sequence[Mark], measure: Measure
) -> list[Mark]:
    """Return the marks of the models' corrected CVs, at the mean place of their activations."""
    marks = []
    for model in study.scale:
        row = sensitivity_row(study, model, sensitivity, measure)
        span = None if row is None else span_of(row, "corrected")
        own = [mark for mark in levels if mark.model == model]
        if span is None or not own:
            continue
        means = {by: float(np.mean([mark.places[by][0] for mark in own])) for by in ScaledBy}
        places = {by: (mean, None, None) for by, mean in means.items()}
        marks.append(Mark(model, None, places, span))
    return marks


def _draw(
    axes: Axes, study: Study, marks: Sequence[Mark], by: ScaledBy, quantity: ScaledQuantity
) -> None:
    """Draw the marks with their intervals, those of one model side by side."""
    if not marks:
        style.hatch_whole(axes, gap_text(Gap.NOT_COMPARED))
        return
    order = _activations(study)
    sizes = _mark_sizes(marks)
    for mark in marks:
        look, x = LOOK, mark.places[by]
        if mark.activation is not None:
            look = look_of(study, mark.activation)
            # Those of one model side by side.
            shift = 10 ** (0.03 * (order.index(mark.activation) - (len(order) - 1) / 2))
            x = (x[0] * shift, *x[1:]) if by is ScaledBy.PARAMETERS else x
        key = f"{quantity}:{by}:{mark.model}:{mark.activation or 'all'}"
        draw_mark(axes, x if x[1] is not None else x[0], mark.y, look, key, sizes[mark.model])
    _set_axes(axes, marks, by, quantity)


def _mark_sizes(marks: Sequence[Mark]) -> dict[str, float]:
    """Return the size of each model's marks, in points: the more parameters, the larger."""
    counts = {mark.model: mark.places[ScaledBy.PARAMETERS][0] for mark in marks}
    order = sorted(counts, key=counts.__getitem__)
    return {model: 5.0 + 7.0 * rank / max(len(order) - 1, 1) for rank, model in enumerate(order)}


def _set_axes(axes: Axes, marks: Sequence[Mark], by: ScaledBy, quantity: ScaledQuantity) -> None:
    if quantity is ScaledQuantity.SQUARED_CV:
        axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if by is ScaledBy.PARAMETERS:
        axes.set_xscale("log")
        places = [mark.places[by][0] for mark in marks]
        axes.set_xlim(min(places) / 1.5, max(places) * 1.5)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.margins(x=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def short_count(count: float) -> str:
    """Return a number of parameters in at most three digits: 430k, 1.2M, 10.7M."""
    if count >= 1e6:
        return f"{count / 1e6:.3g}M"
    return f"{count / 1e3:.3g}k"


def _draw_lines(
    axes: Axes, study: Study, marks: Sequence[Mark], by: ScaledBy, rows: pd.DataFrame
) -> None:
    """Draw each activation's line through the mean of its marks, with the slope of the table."""
    for row in rows[rows["scaled_by"] == by].to_dict("records"):
        own = [mark for mark in marks if mark.activation and mark.activation == row["activation"]]
        if pd.isna(row["slope"]) or len(own) < row["models"]:
            continue
        places = np.array([mark.places[by][0] for mark in own])
        x = np.log10(places) if by is ScaledBy.PARAMETERS else places
        middle = x.mean(), np.log([mark.y[0] for mark in own]).mean()
        ends = np.linspace(x.min(), x.max(), 50)
        look = look_of(study, row["activation"])
        axes.plot(
            10**ends if by is ScaledBy.PARAMETERS else ends,
            np.exp(middle[1] + row["slope"] * (ends - middle[0])),
            color=look.colour,
            linestyle=look.line,
            linewidth=1.0,
            alpha=0.7,
            zorder=2,
            gid=f"line:{by}:{row['activation']}",
        )


def _slope_texts(rows: pd.DataFrame, quantity: ScaledQuantity, by: ScaledBy) -> list[str]:
    """Return the slopes in words, one in a line, under a line that says what for."""
    chosen = rows[(rows["quantity"] == quantity) & (rows["scaled_by"] == by)].to_dict("records")
    step = LOSS_STEP if by is ScaledBy.VAL_LOSS else 1.0
    lines = []
    for row in chosen:
        if quantity is ScaledQuantity.LEVEL:
            name, shown = readable(row["activation"]), _factor
        else:
            name, shown = "squared CV (%²)", _change
        slope, low, high = (row[key] * step for key in ("slope", "low", "high"))
        if pd.isna(slope):
            lines.append(f"{name}: no slope, {'; '.join(reason_texts(row))}")
        elif pd.isna(low):
            lines.append(f"{name} {shown(slope)}, no interval: {'; '.join(reason_texts(row))}")
        else:
            lines.append(f"{name} {shown(slope)} ({shown(low)} to {shown(high)})")
    return [f"change for {STEPS[by]}, with its interval:", *lines] if lines else []


def _factor(slope: float) -> str:
    # Trailing zeros are digits too; a factor of a hundred needs no point.
    return f"×{math.exp(slope):#.3g}".removesuffix(".")


def _change(slope: float) -> str:
    text = f"{slope:+,.0f}" if abs(slope) >= 10 else f"{slope:+.2g}"
    return text.replace("-", "−")


def _label(
    axes: Axes,
    measure: Measure,
    quantity: ScaledQuantity,
    by: ScaledBy,
    slopes: Sequence[str],
    place: int,
) -> None:
    level = quantity is ScaledQuantity.LEVEL
    what = measure.label if level else "sensitivity to the activation"
    against = "parameters" if by is ScaledBy.PARAMETERS else "loss"
    axes.set_xlabel(X_LABELS[by])
    axes.set_ylabel(
        f"{measure.heading}\n{direction(measure)}"
        if level
        else f"CV of {measure.label} across\nactivations, less seed noise (%)"
    )
    title(
        axes, f"({'abcd'[place]}) {what[0].upper()}{what[1:]} against {against}", "\n".join(slopes)
    )


def _note(
    study: Study, measure: Measure, levels: Sequence[Mark], gone: Mapping[str, Sequence[Entry]]
) -> list[str]:
    counts = {mark.model: mark.places[ScaledBy.PARAMETERS][0] for mark in levels}
    named = ", ".join(f"{model} {short_count(count)}" for model, count in counts.items())
    behind = [f"{mark.model} {readable(mark.activation or '')}" for mark in levels if mark.behind]
    return [
        basis(study, study.scale, f"in (a) and (b) {holds_for(measure.name)}, else over seeds"),
        f"The more parameters, the larger the mark: {named}." if named else "",
        missing_text(study, gone),
        behind_text(behind),
    ]
