"""Contrasts of one model's activations with the reference."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import marks, style
from reprocore.report.figures.entries import (
    Entry,
    TableRow,
    behind_of,
    between,
    confidence_text,
    look_of,
    matched_loss,
    model_entries,
    rows_of,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.words import REASONS, VERDICTS, gap_text, place_text, readable, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import (
    COMPLEMENTS,
    MEASURES,
    Condition,
    ContrastVerdict,
    Family,
    Gap,
    Reason,
)

BAND = "#e9eef5"


@style.styled()
def draw_contrasts(
    study: Study, model: str, contrasts: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw each activation's ratio to the reference, at the final step and at matched loss."""
    measure, reference = MEASURES[study.drawn_measure], study.reference_of(model)
    entries = model_entries(study, model, estimates, cells, measure.name)
    panels = {
        condition: _rows(study, model, contrasts, entries, condition) for condition in Condition
    }
    labels = [marks.row_label(entry) for entry in entries if entry.activation != reference]
    figure = new_figure(
        study,
        f"{model}: is an activation more reproducible than {readable(reference)}?",
        _note(study, model, entries, [row for rows in panels.values() for row in rows]),
        marks.rows_inches(labels) + 1.1,
    )
    first: Axes | None = None
    for index, (condition, rows) in enumerate(panels.items()):
        axes = first = figure.add_subplot(1, 2, index + 1, sharex=first)
        marks.label_rows(axes, labels, shown=index == 0)
        _draw_panel(axes, rows, _margin(study), condition)
        axes.set_xlabel(f"{measure.label}, ratio to {readable(reference)}")
        place = place_text(study, condition)
        matched = condition == Condition.MATCHED_LOSS
        loss = matched_loss(study, model, contrasts) if matched else None
        where = f"where each has the validation loss {loss:.3f}; " if loss is not None else ""
        title(axes, place[0].upper() + place[1:], where + marks.closer_side(measure, reference))
    return figure


def _margin(study: Study) -> tuple[float, float] | None:
    """Return the ratios that count as equal, if the margin is one of the ratio that is drawn."""
    margin = study.statistics.margins[study.drawn_measure]
    if margin is None or study.drawn_measure in COMPLEMENTS:
        return None
    return 1 / (1 + margin), 1 + margin


def _rows(
    study: Study,
    model: str,
    contrasts: pd.DataFrame,
    entries: Sequence[Entry],
    condition: Condition,
) -> list[marks.Row]:
    table = rows_of(
        contrasts,
        model=model,
        arm=study.primary_arm(model),
        measure=study.drawn_measure,
        condition=condition,
        family=Family.REFERENCE,
    )
    found = {str(row["first"]): row for row in table}
    reference = next(e for e in entries if e.activation == study.reference_of(model))
    return [
        _row(study, entry, found.get(entry.activation), reference, condition)
        for entry in entries
        if entry is not reference
    ]


def _row(
    study: Study, entry: Entry, row: TableRow | None, reference: Entry, condition: Condition
) -> marks.Row:
    """Return the row of one contrast; without a ratio it says why."""
    name, look = readable(entry.activation), look_of(study, entry.activation)
    key = f"{condition}:{entry.activation}"
    if row is None:
        why = entry.why
        if entry.seeds > 0 and reference.seeds < 2:
            gap = reference.why or gap_text(Gap.MISSING)
            why = f"reference {readable(reference.activation)}: {gap}"
        return marks.Row(key, name, look, None, why or gap_text(Gap.NOT_COMPARED))
    span = marks.span_of(row, "ratio", "ratio_low", "ratio_high")
    reasons = reason_texts(row)
    if span is None:
        return marks.Row(
            key, name, look, None, (reasons or ["no ratio"])[0], notes=tuple(reasons[1:])
        )
    verdict = ContrastVerdict(row["verdict"])
    text = f"{VERDICTS[verdict]}\n{marks.span_text(span)}"
    bold = verdict != ContrastVerdict.UNDECIDED
    return marks.Row(key, name, look, span, text=text, bold=bold, notes=tuple(reasons))


def _draw_panel(
    axes: Axes, rows: Sequence[marks.Row], margin: tuple[float, float] | None, condition: Condition
) -> None:
    if not rows:
        style.hatch_whole(axes, REASONS[Reason.ONE_ACTIVATION])
        return
    marks.draw_rows(axes, rows)
    if any(row.span for row in rows):
        if margin:
            axes.axvspan(*margin, color=BAND, linewidth=0, zorder=0.4, gid=f"margin:{condition}")
        axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2, gid=f"reference:{condition}")


def _note(
    study: Study, model: str, entries: Sequence[Entry], rows: Sequence[marks.Row]
) -> list[str]:
    margin, level = _margin(study), confidence_text(study)
    band = ""
    if margin:
        # By two one-sided tests, which go with an interval of 90% where a bar is one of 95%.
        band = (
            f" Light band: {margin[0]:#.3g} to {margin[1]:#.3g} counts as equal, tested on each "
            "side alone, so that the bar of an equivalent ratio may reach a little beyond."
        )
    return [
        f"Bars: {level} intervals of each contrast alone; words: verdicts, corrected for all."
        f"{band} {between(study, [model])}",
        *marks.gathered_notes(rows),
        behind_of(entries),
    ]
