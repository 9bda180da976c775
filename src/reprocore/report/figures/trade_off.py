"""Accuracy against reproducibility, of one model and of all, with the Pareto frontier."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    BEHIND,
    Entry,
    basis,
    behind_of,
    behind_text,
    legend_text,
    look_of,
    missing_text,
    model_entries,
    model_label,
    summary_entries,
)
from reprocore.report.figures.frame import activation_handles, new_figure, plain_labels, title
from reprocore.report.figures.marks import direction, draw_mark
from reprocore.report.words import gap_text, holds_for
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure

COLUMNS = 3
PANEL_INCHES = 4.4
SMALL_INCHES = 3.3
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
    def entry(self) -> Entry:
        """The entry of the number that does not exist, or else that of x."""
        return self.y if self.x.gap is None and self.y.gap is not None else self.x

    @property
    def place(self) -> tuple[float, float]:
        """Both numbers; the point must be `known`."""
        assert self.x.estimate is not None and self.y.estimate is not None
        return self.x.estimate, self.y.estimate

    def apart(self, other: "Point") -> bool:
        """Return whether the bars of two points are apart in both directions."""
        return _apart(self.x, other.x) and _apart(self.y, other.y)


def _apart(one: Entry, other: Entry) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low or other.high < one.low


@style.styled()
def draw_accuracy_against_pd(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw final accuracy against the measure, with both intervals and the Pareto frontier."""
    measure = MEASURES[study.drawn_measure]
    x, y = (model_entries(study, model, estimates, cells, n) for n in (measure.name, ACCURACY))
    points = [Point(model, *pair) for pair in zip(x, y, strict=True)]
    labels = {point.x.activation: legend_text(point.entry) for point in points}
    gone = [point.x.activation for point in points if not point.known]
    figure = new_figure(
        study,
        f"{model}: does higher accuracy cost reproducibility?",
        [basis(study, [model], holds_for(measure.name)), behind_of(x)],
        PANEL_INCHES,
        activation_handles(study, labels, gone),
        exploratory=True,
    )
    axes = figure.add_subplot()
    _draw_panel(axes, study, points, measure)
    title(axes, "Accuracy against reproducibility", _best(measure))
    axes.set_ylabel("validation accuracy\n(share of characters)")
    return figure


@style.styled()
def draw_models_accuracy_against_pd(
    study: Study, estimates: pd.DataFrame, summary: pd.DataFrame
) -> Figure:
    """Draw the same of all models, a panel each with a range of its own."""
    measure = MEASURES[study.drawn_measure]
    panels = {model: _points(study, model, estimates, summary) for model in study.models}
    behind = [model for model, points in panels.items() if any(p.x.behind for p in points)]
    rows = -(-len(panels) // COLUMNS)
    figure = new_figure(
        study,
        "Over all models: does higher accuracy cost reproducibility?",
        [
            basis(study, study.models, holds_for(measure.name)) + " Axes differ.",
            missing_text(study, {m: [p.entry for p in points] for m, points in panels.items()}),
            behind_text(behind),
        ],
        SMALL_INCHES * rows,
        activation_handles(study, plain_labels(study)),
        exploratory=True,
    )
    columns = min(COLUMNS, len(panels))
    for index, (model, points) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw_panel(axes, study, points, measure)
        name = model_label(study, model) + f" {BEHIND}" * (model in behind)
        title(axes, name, _best(measure) if any(p.known for p in points) else "", size=10.0)
        if index % columns == 0:
            axes.set_ylabel("validation accuracy\n(share of characters)")
    return figure


def _points(
    study: Study, model: str, estimates: pd.DataFrame, summary: pd.DataFrame
) -> list[Point]:
    names = (study.drawn_measure, ACCURACY)
    x, y = (summary_entries(study, model, estimates, summary, name) for name in names)
    return [Point(model, *pair) for pair in zip(x, y, strict=True)]


def _best(measure: Measure) -> str:
    side = "right" if measure.more_is_closer else "left"
    return f"{direction(measure)}; best is at the upper {side}"


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


def trades(points: Sequence[Point], more_is_closer: bool = False) -> list[Point]:
    """Return the points of the frontier where it shows a trade, else none.

    It does where two of them are apart in accuracy and in reproducibility by more than both bars:
    a frontier of one point, or of points that may be alike, says nothing.
    """
    front = [points[index] for index in frontier(points, more_is_closer)]
    return front if any(a.apart(b) for a, b in itertools.combinations(front, 2)) else []


def _draw_panel(axes: Axes, study: Study, points: Sequence[Point], measure: Measure) -> None:
    axes.set_xlabel(measure.heading)
    if not any(point.known for point in points):
        gaps = {point.entry.why for point in points}
        style.hatch_whole(axes, gaps.pop() if len(gaps) == 1 else gap_text(Gap.MISSING))
        return
    for point in points:
        if point.x.span and point.y.span:
            name = point.x.activation
            key = f"{point.model}:{name}"
            draw_mark(axes, point.x.span, point.y.span, look_of(study, name), key, 8.0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.margins(0.08)
    _draw_frontier(axes, trades(points, measure.more_is_closer), measure)


def _draw_frontier(axes: Axes, front: Sequence[Point], measure: Measure) -> None:
    """Draw the frontier from edge to edge."""
    if not front:
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    places = [point.place for point in front]
    axes.step(
        [places[0][0], *(x for x, _ in places), left if measure.more_is_closer else right],
        [bottom, *(y for _, y in places), places[-1][1]],
        where="post",
        color=style.INK,
        linewidth=1.1,
        linestyle=(0, (4, 2)),
        zorder=2,
        label="Pareto frontier",
        gid="frontier",
    )
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.legend(loc="best", fontsize=style.SMALL)
