"""Accuracy against reproducibility, of one model and of all, with the Pareto frontier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    confidence_text,
    drawn_arm,
    model_entries,
    model_label,
    summary_entries,
)
from reprocore.report.figures.frame import LINE, POINTS, activation_handles, new_figure, title
from reprocore.report.figures.intervals import BEHIND, axis_label, direction
from reprocore.report.words import gap_text, holds_for
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure

PANEL_INCHES = 4.6
# What title, labels and margins take of a panel's height.
AROUND_INCHES = 1.2
ACCURACY = "val_accuracy"


@dataclass(frozen=True)
class Point:
    """One activation of a model: how far its trainings are apart (x), and how good they are (y)."""

    model: str
    x: Entry
    y: Entry

    @property
    def known(self) -> bool:
        """Whether both numbers exist."""
        return self.x.estimate is not None and self.y.estimate is not None

    @property
    def why(self) -> str:
        """Why one of the numbers does not exist, in words; "" if both do."""
        return self.x.why or self.y.why

    @property
    def place(self) -> tuple[float, float]:
        """Both numbers; the point must be `known`."""
        assert self.x.estimate is not None and self.y.estimate is not None
        return self.x.estimate, self.y.estimate


@style.styled()
def draw_accuracy_against_pd(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw final accuracy against the measure, with both intervals and the Pareto frontier.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        model: one of its models.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`.
    """
    measure = MEASURES[study.drawn_measure]
    x, y = (model_entries(study, model, estimates, cells, n) for n in (measure.name, ACCURACY))
    points = [Point(model, *pair) for pair in zip(x, y, strict=True)]
    gone = [point for point in points if not point.known]
    labels = {point.x.activation: _legend_text(point) for point in points}
    absent = {p.x.activation for p in gone}
    figure = new_figure(
        study,
        style.wrap(f"{model}: does higher accuracy cost reproducibility?", 80),
        _note(study, measure, points, f"Between trainings, {ARM_WORDS[drawn_arm(study, model)]}."),
        PANEL_INCHES,
        [] if len(gone) == len(points) else activation_handles(study, labels, list(absent)),
    )
    axes = figure.add_subplot()
    _draw_points(axes, study, points, measure)
    gaps = {point.why for point in gone}
    gap = gaps.pop() if len(gaps) == 1 else gap_text(Gap.MISSING)
    _finish(axes, measure, points, gap)
    return figure


@style.styled()
def draw_models_accuracy_against_pd(
    study: Study, estimates: pd.DataFrame, summary: pd.DataFrame
) -> Figure:
    """Draw the same of all models in one panel.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        estimates: of `ESTIMATES_SCHEMA`.
        summary: of `SUMMARY_SCHEMA`, for the seeds that ran and the flags.
    """
    measure = MEASURES[study.drawn_measure]
    points = []
    for model in study.models:
        x, y = (
            summary_entries(study, model, estimates, summary, n) for n in (measure.name, ACCURACY)
        )
        points += [Point(model, *pair) for pair in zip(x, y, strict=True)]
    names = {a: style.wrap(style.readable(a), 24) for a in study.studied_activations()}
    arms = {drawn_arm(study, model) for model in study.models}
    which = (
        f"Between trainings, {ARM_WORDS[arms.pop()]}."
        if len(arms) == 1
        else "Which random streams follow the seed differs by model and is named in brackets."
    )
    missing = _missing_text(study, points)
    names_height = sum(_name_inches(study, model) for model in study.models)
    body = max(PANEL_INCHES, names_height + AROUND_INCHES)
    figure = new_figure(
        study,
        "Over all models: does higher accuracy cost reproducibility?",
        "\n".join(filter(None, [_note(study, measure, points, which, several=True), missing])),
        body,
        activation_handles(study, names) if any(point.known for point in points) else [],
    )
    axes = figure.add_subplot()
    _draw_points(axes, study, points, measure)
    _finish(axes, measure, points, gap_text(Gap.NOT_RUN))
    _name_models(axes, study, points, body - AROUND_INCHES)
    return figure


def _legend_text(point: Point) -> str:
    name = style.wrap(style.readable(point.x.activation), 24)
    if not point.known:
        return f"{name}: {point.why}"
    mark = f" {BEHIND}" if point.x.behind else ""
    return f"{name}{mark}: {point.x.note}" if point.x.note else name + mark


def _missing_text(study: Study, points: Sequence[Point]) -> str:
    """Name what is missing: a whole model by its name alone."""
    names = []
    for model in study.models:
        gone = [p for p in points if p.model == model and not p.known]
        if gone and len(gone) == sum(p.model == model for p in points):
            gaps = {p.why for p in gone}
            names.append(f"{model} ({', '.join(sorted(gaps))})")
        else:
            names += [f"{model} {style.readable(p.x.activation)} ({p.why})" for p in gone]
    return f"Not drawn, because there is no such number: {', '.join(names)}." if names else ""


def _note(
    study: Study, measure: Measure, points: Sequence[Point], which: str, several: bool = False
) -> str:
    level = confidence_text(study)
    front = [points[index] for index in frontier(points, measure.more_is_closer)]
    names = ", ".join(
        (f"{p.model} " if several else "") + style.readable(p.x.activation) for p in front
    )
    parts = [
        f"Each mark: means at the last step. Bars: {level} intervals ({holds_for(measure.name)}); "
        f"hollow: no interval. {which} "
        "Axes do not start at 0.",
    ]
    if front:
        parts.append(
            f"Dashed, ringed: the Pareto frontier, {names}. Nothing drawn is both more accurate "
            "and more reproducible than a ringed mark, by the means alone: where bars reach "
            "across the line, others may belong to it."
        )
    behind = [point for point in points if point.x.behind]
    if behind:
        who = ", ".join(_named(points, behind) if several else _activations(behind))
        parts.append(
            f"{BEHIND} {who}: at least one seed predicts no better than letter frequencies do; "
            "predictions that learned nothing agree easily, so these are left out of the frontier."
        )
    return "\n".join(parts)


def _activations(points: Sequence[Point]) -> list[str]:
    return [style.readable(point.x.activation) for point in points]


def _named(points: Sequence[Point], some: Sequence[Point]) -> list[str]:
    """Return names of some of the points, a whole model by its name alone."""
    names = []
    for model in dict.fromkeys(point.model for point in some):
        of_model = [point for point in some if point.model == model]
        whole = len(of_model) == sum(point.model == model for point in points)
        names += [model] if whole else [f"{model} {name}" for name in _activations(of_model)]
    return names


def frontier(points: Sequence[Point], more_is_closer: bool = False) -> list[int]:
    """Return the places of the points that no other surpasses, from the most reproducible on.

    Those that have not beaten the unigram entropy are left out: what has learned nothing repeats
    itself perfectly.
    """
    sign = -1.0 if more_is_closer else 1.0
    places = {
        index: (sign * point.place[0], point.place[1])
        for index, point in enumerate(points)
        if point.known and not point.x.behind
    }
    best = [
        index
        for index, (x, y) in places.items()
        if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in places.values())
    ]
    return sorted(best, key=lambda index: places[index])


def _draw_points(axes: Axes, study: Study, points: Sequence[Point], measure: Measure) -> None:
    front = set(frontier(points, measure.more_is_closer))
    for index, point in enumerate(points):
        if not point.known:
            continue
        look = style.look(point.x.activation, study.figures.colours)
        key = f"{point.model}:{point.x.activation}"
        x, y = point.place
        _draw_bars(axes, point, look.colour, key)
        sure = point.x.low is not None and point.y.low is not None
        if index in front:
            axes.plot(
                [x],
                [y],
                marker="o",
                markersize=14,
                markerfacecolor="none",
                markeredgecolor=style.INK,
                linestyle="none",
                zorder=3.2,
                gid=f"front:{key}",
            )
        axes.plot(
            [x],
            [y],
            color=look.colour,
            marker=look.marker,
            markersize=8,
            markerfacecolor=look.colour if sure else "white",
            markeredgecolor="white" if sure else look.colour,
            markeredgewidth=0.6 if sure else 1.4,
            linestyle="none",
            zorder=3.5,
            gid=f"estimate:{key}",
        )


def _draw_bars(axes: Axes, point: Point, colour: str, key: str) -> None:
    """Draw the intervals of both numbers of a point."""
    x, y = point.place
    for entry, horizontal in ((point.x, True), (point.y, False)):
        if entry.low is None or entry.high is None:
            continue
        span, still = [entry.low, entry.high], [y, y] if horizontal else [x, x]
        axes.plot(
            *((span, still) if horizontal else (still, span)),
            color=colour,
            linewidth=1.4,
            marker="|" if horizontal else "_",
            markersize=5,
            zorder=3,
            gid=f"interval:{'x' if horizontal else 'y'}:{key}",
        )


def _finish(axes: Axes, measure: Measure, points: Sequence[Point], gap: str) -> None:
    """Label the axes, and draw the frontier from edge to edge."""
    axes.set_xlabel(axis_label(measure))
    axes.set_ylabel("validation accuracy (share of characters)")
    side = "right" if measure.more_is_closer else "left"
    title(
        axes,
        "Accuracy against reproducibility",
        f"{direction(measure)}; best is at the upper {side}",
    )
    if not any(point.known for point in points):
        style.draw_missing(axes, gap)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.margins(0.08)
    limits = axes.get_xlim(), axes.get_ylim()
    front = [points[index].place for index in frontier(points, measure.more_is_closer)]
    if front:
        far = limits[0][0] if measure.more_is_closer else limits[0][1]
        xs = [front[0][0], *(x for x, _ in front), far]
        ys = [limits[1][0], *(y for _, y in front), front[-1][1]]
        axes.plot(
            xs,
            ys,
            drawstyle="steps-post",
            color=style.INK,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            zorder=2,
            gid="frontier",
        )
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _name_models(axes: Axes, study: Study, points: Sequence[Point], inches: float) -> None:
    """Tie each model's marks to their middle, and that to its name at the right.

    The axes are at least `inches` high.
    """
    middles = {}
    for model in study.models:
        places = np.array([p.place for p in points if p.model == model and p.known])
        if not len(places):
            continue
        middle = places.mean(axis=0)
        middles[model] = middle
        for x, y in places:
            axes.plot([middle[0], x], [middle[1], y], color="#b0b0b0", linewidth=0.9, zorder=1.4)
    low, high = axes.get_ylim()
    wanted = {model: float((y - low) / (high - low)) for model, (_, y) in middles.items()}
    sizes = {model: _name_inches(study, model) / inches for model in middles}
    for model, share in _apart(wanted, sizes).items():
        x, y = middles[model]
        behind = any(p.x.behind for p in points if p.model == model and p.known)
        # Apart from the name, because a line is no part of its box.
        axes.annotate(
            "",
            (x, y),
            (1.012, share),
            xycoords="data",
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": "#b0b0b0", "linewidth": 0.9, "shrinkB": 0},
            annotation_clip=False,
            zorder=1.3,
        )
        axes.annotate(
            model_label(study, model) + f" {BEHIND}" * behind,
            (1.015, share),
            xycoords="axes fraction",
            va="center",
            size=style.NORMAL,
            annotation_clip=False,
        ).set_gid(f"model:{model}")


def _name_inches(study: Study, model: str) -> float:
    """Return the height of a model's name, with a gap."""
    return (model_label(study, model).count("\n") + 1.5) * style.NORMAL * LINE / POINTS


def _apart(wanted: Mapping[str, float], sizes: Mapping[str, float]) -> dict[str, float]:
    """Return places in 0 to 1 near those `wanted`, in their order and apart by their sizes."""
    placed: dict[str, float] = {}
    floor = 0.0
    for model in sorted(wanted, key=wanted.__getitem__):
        placed[model] = max(wanted[model], floor + sizes[model] / 2)
        floor = placed[model] + sizes[model] / 2
    ceiling = 1.0
    for model in reversed(placed):
        placed[model] = min(placed[model], ceiling - sizes[model] / 2)
        ceiling = placed[model] - sizes[model] / 2
    return placed
