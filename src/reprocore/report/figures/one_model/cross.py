"""Is swapping the activation a larger change than training again? One model."""

import itertools
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import marks, style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    TableRow,
    confidence_text,
    model_entries,
    none_ran,
    rows_of,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.words import REASONS, gap_text, readable, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure, Reason, counted

LOOK = style.Look("#0072B2", "o", "-")
LABEL_LETTERS = 24
# By whether trainings of the same seed are compared.
PANELS = {True: "Same seed, other activation", False: "Other seed and other activation"}


@style.styled()
def draw_cross(
    study: Study, model: str, cross: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw the difference between every two activations as a ratio to that of training again."""
    measure = MEASURES[study.drawn_measure]
    entries = model_entries(study, model, estimates, cells, measure.name)
    pairs = list(itertools.combinations(entries, 2))
    labels = [_label(one, other) for one, other in pairs]
    figure = new_figure(
        study,
        f"{model}: is swapping the activation a larger change than training it again?",
        [
            f"Bars: {confidence_text(study)} intervals over seeds, of each pair of activations "
            f"alone. In training again, {ARM_WORDS[study.primary_arm(model)]}."
        ],
        marks.rows_inches(labels) + 1.1,
        exploratory=True,
    )
    first: Axes | None = None
    for index, (same, heading) in enumerate(PANELS.items()):
        axes = first = figure.add_subplot(1, 2, index + 1, sharex=first)
        marks.label_rows(axes, labels, shown=index == 0)
        table = rows_of(cross, model=model, measure=measure.name, same_seed=same)
        _draw_panel(axes, entries, _rows(pairs, table, same))
        axes.set_xlabel(f"{_quantity(measure)}, ratio to training again")
        title(axes, heading, "right of 1 = a larger change than another seed alone")
    return figure


def _quantity(measure: Measure) -> str:
    return f"1 − {measure.label}" if measure.more_is_closer else measure.label


def _label(one: Entry, other: Entry) -> str:
    names = (style.wrap(readable(e.activation), LABEL_LETTERS) for e in (one, other))
    return style.wrap(" and ".join(names), LABEL_LETTERS)


def _rows(
    pairs: Sequence[tuple[Entry, Entry]], table: Sequence[TableRow], same: bool
) -> list[marks.Row]:
    found = {(row["activation_a"], row["activation_b"]): row for row in table}
    name = "cross:same_seed" if same else "cross:other_seed"
    return [
        _row(one, other, found.get((one.activation, other.activation)), name)
        for one, other in pairs
    ]


def _row(one: Entry, other: Entry, row: TableRow | None, name: str) -> marks.Row:
    """Return the row of two activations; without a ratio it says why."""
    key = f"{name}:{one.activation} and {other.activation}"
    if row is None:
        gone = next((entry for entry in (one, other) if entry.seeds == 0), None)
        why = f"{readable(gone.activation)}: {gone.why}" if gone else ""
        return marks.Row(key, "", LOOK, None, why or gap_text(Gap.NOT_COMPARED))
    span = marks.span_of(row, "ratio", "ratio_low", "ratio_high")
    if span is None:
        # The last one: before it stands what limits the comparison.
        return marks.Row(
            key, "", LOOK, None, (reason_texts(row) or [gap_text(Gap.NOT_COMPARED)])[-1]
        )
    part = row["seeds"] < max(row["seeds_first"], row["seeds_second"])
    some = [counted(row["seeds"], "shared seed")] if part else []
    return marks.Row(key, "", LOOK, span, text="\n".join([*some, marks.span_text(span)]))


def _draw_panel(axes: Axes, entries: Sequence[Entry], rows: Sequence[marks.Row]) -> None:
    if none_ran(entries) or not rows:
        why = gap_text(Gap.NOT_RUN) if none_ran(entries) else REASONS[Reason.ONE_ACTIVATION]
        style.hatch_whole(axes, why)
        return
    marks.draw_rows(axes, rows)
    if any(row.span for row in rows):
        axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2)
