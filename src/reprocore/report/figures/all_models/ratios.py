"""Mean ratios of activations over models."""

from collections.abc import Collection, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import marks, style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    TableRow,
    confidence_text,
    look_of,
    rows_of,
    study_arm,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.words import REASONS, gap_text, readable, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Reason

# Points from one column beside the rows to the next.
COLUMN = 110.0


@style.styled()
def draw_ratios(study: Study, ratios: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw each activation's mean ratio to the reference over the models, and how sure it is."""
    measure, reference = MEASURES[study.drawn_measure], study.reference_of()
    table = rows_of(ratios, arm=study_arm(study), measure=measure.name, second=reference)
    found = {row["first"]: row for row in table}
    others = [name for name in study.studied_activations() if name != reference]
    rows = [_row(study, name, found.get(name)) for name in others]
    labels = [style.wrap(row.name, 20) for row in rows]
    known = readable(reference)
    ran = set(summary.loc[summary["seeds"] > 0, "model"])
    figure = new_figure(
        study,
        f"Over all models: is an activation more reproducible than {known}?",
        _note(study, rows, ran),
        marks.rows_inches(labels) + 1.3,
        exploratory=True,
    )
    axes = figure.add_subplot()
    marks.label_rows(axes, labels)
    _draw(axes, rows, [_chances(found.get(name)) for name in others], known)
    axes.set_xlabel(f"{measure.label}, ratio to {known}")
    title(axes, "Mean ratio over models", marks.closer_side(measure, reference))
    return figure


def _row(study: Study, activation: str, row: TableRow | None) -> marks.Row:
    key, name, look = f"ratio:{activation}", readable(activation), look_of(study, activation)
    span = None if row is None else marks.span_of(row, "ratio")
    if row is None or span is None:
        return marks.Row(
            key, name, look, None, gap_text(Gap.NOT_RUN if row is None else Gap.NO_RATIO)
        )
    return marks.Row(
        key, name, look, span, text=marks.span_text(span), notes=tuple(reason_texts(row))
    )


def _chances(row: TableRow | None) -> tuple[str, str]:
    """Return in words: the chance that the mean is below 1, and the models in which it is lower."""
    if row is None:
        return "", ""
    chance, share = (marks.finite(row[name]) for name in ("chance_lower", "share_lower"))
    return percent(chance), f"{percent(share)} of {row['models']:.0f} models"


def percent(share: float | None) -> str:
    """Return a chance in words."""
    if share is None:
        return "unknown"
    # A chance over the models as they are is not a verdict, and must not look surer than one.
    if share < 0.01 or share > 0.99:
        return "under 1%" if share < 0.5 else "over 99%"
    return f"{100 * share:.0f}%"


def _draw(
    axes: Axes, rows: Sequence[marks.Row], chances: Sequence[tuple[str, str]], known: str
) -> None:
    """Draw the rows, and beside them two columns of chances."""
    if not rows:
        style.hatch_whole(axes, REASONS[Reason.ONE_ACTIVATION])
        return
    marks.draw_rows(axes, rows)
    if not any(row.span for row in rows):
        return
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2)
    for shift, heading, column in (
        (COLUMN, f"chance that\nit is lower\nthan {known}", [one for one, _ in chances]),
        (2 * COLUMN, "expected\nto be lower in", [two for _, two in chances]),
    ):
        marks.write_beside(axes, -0.5, heading, True, shift, "bottom")
        for y, (row, text) in enumerate(zip(rows, column, strict=True)):
            if row.span:
                marks.write_beside(axes, y, text, shift=shift)


def _note(study: Study, rows: Sequence[marks.Row], ran: Collection[str]) -> list[str]:
    absent = [model for model in study.models if model not in ran]
    several = len({study.primary_arm(model) for model in study.models}) > 1
    return [
        f"Bars: {confidence_text(study)} intervals over seeds, for these models alone (fixed); "
        "nothing is corrected for the number of comparisons.",
        *marks.gathered_notes(rows),
        f"Not run, and in no number here: {', '.join(absent)}." if absent else "",
        f"Only models in which {ARM_WORDS[study_arm(study)]}." if several else "",
    ]
