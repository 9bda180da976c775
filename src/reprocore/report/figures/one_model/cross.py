"""Is swapping the activation a larger change than training again? One model."""

import itertools
from collections.abc import Mapping, Sequence

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
from reprocore.report.figures.intervals import draw_interval, ends, label_rows, set_range
from reprocore.report.figures.ratio_rows import (
    PANEL_INCHES,
    Line,
    Row,
    finite,
    rows_inches,
    write_beside,
)
from reprocore.report.words import REASONS, counted, gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure, Reason

LOOK = style.Look("#0072B2", "o", "-")
LABEL_LETTERS = 24
# By whether trainings of the same seed are compared.
PANELS = {True: "Same seed, other activation", False: "Other seed and other activation"}


@style.styled()
def draw_cross(
    study: Study, model: str, cross: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw the difference between every two activations as a ratio to that of training again.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        model: one of its models.
        cross: of `CROSS_SCHEMA`.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`, for the seeds that ran.
    """
    measure = MEASURES[study.drawn_measure]
    entries = model_entries(study, model, estimates, cells, measure.name)
    panels = {same: _lines(entries, _rows_of(model, cross, measure, same)) for same in PANELS}
    labels = [_label(one, other) for one, other in itertools.combinations(entries, 2)]
    figure = new_figure(
        study,
        style.wrap(f"{model}: is swapping the activation a larger change than training again?", 80),
        _note(study, model, measure),
        rows_inches(labels) + 1.1,
    )
    grid = figure.add_gridspec(1, 2)
    for index, (same, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index])
        name = "same_seed" if same else "other_seed"
        _draw_panel(axes, lines, labels, f"cross:{name}", none_ran(entries))
        _set_range(axes, [line for of_panel in panels.values() for line in of_panel])
        label_rows(axes, labels, shown=index == 0)
        axes.set_xlabel(f"{_quantity(measure)}, ratio to training again")
        title(axes, PANELS[same], "right of 1 = a larger change than another seed alone")
    return figure


def _quantity(measure: Measure) -> str:
    return f"1 − {measure.label}" if measure.more_is_closer else measure.label


def _label(one: Entry, other: Entry) -> str:
    names = (style.wrap(style.readable(e.activation), LABEL_LETTERS) for e in (one, other))
    return style.wrap(" and ".join(names), LABEL_LETTERS)


def _rows_of(
    model: str, cross: pd.DataFrame, measure: Measure, same_seed: bool
) -> dict[tuple[str, str], Row]:
    rows = cross[
        (cross["model"] == model)
        & (cross["measure"] == measure.name)
        & (cross["same_seed"] == same_seed)
    ]
    return {(row["activation_a"], row["activation_b"]): row for row in rows.to_dict("records")}


def _lines(entries: Sequence[Entry], rows: Mapping[tuple[str, str], Row]) -> list[Line]:
    return [
        _line(one, other, rows.get((one.activation, other.activation)))
        for one, other in itertools.combinations(entries, 2)
    ]


def _line(one: Entry, other: Entry, row: Row | None) -> Line:
    """Return the row of two activations; without a ratio it says why."""
    without = Entry("", None, None, None, None, one.seeds, one.wanted, Gap.NOT_COMPARED)
    if row is None:
        gone = next((e for e in (one, other) if e.seeds == 0), None)
        why = f"{style.readable(gone.activation)}: {gone.why}" if gone else ""
        return Line(without, why or gap_text(Gap.NOT_COMPARED))
    ratio, low, high = (finite(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    if ratio is None:
        # The last one: before it stands what limits the comparison.
        return Line(without, (reason_texts(row) or [gap_text(Gap.NOT_COMPARED)])[-1])
    part = row["seeds"] < max(row["seeds_first"], row["seeds_second"])
    text = counted(row["seeds"], "shared seed") if part else ""
    return Line(Entry("", ratio, None, low, high, one.seeds, one.wanted), text=text)


def _draw_panel(
    axes: Axes, lines: Sequence[Line], labels: Sequence[str], name: str, not_run: bool
) -> None:
    known = [line.entry for line in lines if line.entry.estimate is not None]
    if not_run or not lines:
        style.draw_missing(
            axes, gap_text(Gap.NOT_RUN) if not_run else REASONS[Reason.ONE_ACTIVATION]
        )
        return
    if known:
        axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2, gid=f"reference:{name}")
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            style.draw_missing(axes, line.why, y=(row - 0.4, row + 0.4))
            continue
        key = f"{name}:{labels[row]}".replace("\n", " ")
        draw_interval(axes, row, line.entry, LOOK, key, "", PANEL_INCHES)
        write_beside(axes, row, line)


def _set_range(axes: Axes, lines: Sequence[Line]) -> None:
    """Set the same range in both panels."""
    numbers = ends([line.entry for line in lines])
    set_range(axes, [*numbers, 1.0] if numbers else [], [], PANEL_INCHES)


def _note(study: Study, model: str, measure: Measure) -> str:
    level = confidence_text(study)
    return "\n".join(
        [
            f"Mark: mean {_quantity(measure)} between trainings with the one and trainings with "
            "the other activation, at the last step, divided by the mean of the two activations' "
            "own difference between trainings of different seeds (training again: 1). "
            f"Bar: {level} interval (Fieller) over seeds, of this pair of activations alone.",
            "A bar that holds 1 leaves it open which change is the larger. Seeds are those that "
            f"both activations have. In training again, {ARM_WORDS[drawn_arm(study, model)]}. "
            "Hatched: there is no such ratio, and none is filled in.",
        ]
    )
