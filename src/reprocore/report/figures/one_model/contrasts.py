"""Contrasts of one model's activations with the reference."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    ARM_WORDS,
    Entry,
    confidence_text,
    drawn_arm,
    matched_loss,
    model_entries,
)
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.figures.intervals import BEHIND, label_rows, row_label
from reprocore.report.figures.ratio_rows import (
    Line,
    Row,
    closer_side,
    contrast_line,
    draw_lines,
    gathered_notes,
    rows_inches,
)
from reprocore.report.words import gap_text, place_text
from reprocore.study.study import Study
from reprocore.vocabulary import COMPLEMENTS, MEASURES, Condition, Family, Gap, Measure


@style.styled()
def draw_contrasts(
    study: Study, model: str, contrasts: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw each activation's ratio to the reference, at the final step and at matched loss.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        model: one of its models.
        contrasts: of `CONTRASTS_SCHEMA`.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`, for the seeds that ran.
    """
    measure = MEASURES[study.drawn_measure]
    reference = study.reference_of(model)
    entries = model_entries(study, model, estimates, cells, measure.name)
    panels = {
        condition: _contrast_lines(study, model, contrasts, entries, condition)
        for condition in Condition
    }
    labels = [row_label(line.entry) for line in panels[Condition.FINAL]]
    figure = new_figure(
        study,
        style.wrap(
            f"{model}: is an activation more reproducible than {style.readable(reference)}?", 80
        ),
        _contrasts_note(study, model, measure, entries, panels),
        rows_inches(labels) + 1.1,
    )
    grid = figure.add_gridspec(1, 2)
    both = [line for lines in panels.values() for line in lines]
    for index, (condition, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index])
        draw_lines(axes, study, lines, condition, _margin(study), both)
        label_rows(axes, labels, shown=index == 0)
        axes.set_xlabel(f"{measure.label}, ratio to {style.readable(reference)}")
        place = place_text(study, condition)
        matched = condition == Condition.MATCHED_LOSS
        loss = matched_loss(study, model, contrasts) if matched else None
        where = f"where each has the validation loss {loss:.3f}; " if loss is not None else ""
        title(axes, place[0].upper() + place[1:], where + closer_side(measure, reference))
    return figure


def _margin(study: Study) -> float | None:
    """Return the margin of equivalence, if it is one of the ratio that is drawn."""
    measure = study.drawn_measure
    return None if measure in COMPLEMENTS else study.statistics.margins[measure]


def _contrast_lines(
    study: Study,
    model: str,
    contrasts: pd.DataFrame,
    entries: Sequence[Entry],
    condition: Condition,
) -> list[Line]:
    reference = study.reference_of(model)
    rows = _rows_of(study, model, contrasts, condition)
    of_reference = next(entry for entry in entries if entry.activation == reference)
    lines = []
    for entry in entries:
        if entry.activation == reference:
            continue
        why = entry.why
        if entry.seeds > 0 and of_reference.seeds < 2:
            missing = of_reference.why or gap_text(Gap.MISSING)
            why = f"reference {style.readable(reference)}: {missing}"
        lines.append(contrast_line(entry, rows.get(entry.activation), why))
    return lines


def _rows_of(
    study: Study, model: str, contrasts: pd.DataFrame, condition: Condition
) -> dict[str, Row]:
    """Return the contrasts with the reference by activation."""
    rows = contrasts[
        (contrasts["model"] == model)
        & (contrasts["arm"] == drawn_arm(study, model))
        & (contrasts["measure"] == study.drawn_measure)
        & (contrasts["condition"] == condition)
        & (contrasts["family"] == Family.REFERENCE)
    ]
    return {str(row["first"]): row for row in rows.to_dict("records")}


def _contrasts_note(
    study: Study,
    model: str,
    measure: Measure,
    entries: Sequence[Entry],
    panels: Mapping[Condition, Sequence[Line]],
) -> str:
    level, margin = confidence_text(study), _margin(study)
    more = "higher" if measure.more_is_closer else "lower"
    band = ""
    if margin is not None:
        ends = f"{1 / (1 + margin):.3g} to {1 + margin:.3g}"
        band = f"Light band: ratios from {ends}, which the study counts as equal. "
    parts = [
        f"Mark: mean {measure.label} over pairs of seeds, divided by that of "
        f"{style.readable(study.reference_of(model))} ({more} = predictions more alike). "
        f"Bar: {level} interval (Fieller) of this contrast alone, comparing trainings of the same "
        f"seed. {band}Between trainings, {ARM_WORDS[drawn_arm(study, model)]}.",
        "Words at the right: the verdict after correction for all contrasts with the reference "
        "(closed test); a bar alone may miss the 1 and still be undecided. Equivalent is found by "
        "two one-sided tests, so that a bar may end a little outside the band. Undecided does not "
        "mean equal.",
    ]
    lines = [line for of_panel in panels.values() for line in of_panel]
    parts += gathered_notes(lines)
    if any(entry.behind for entry in entries):
        behind = [style.readable(entry.activation) for entry in entries if entry.behind]
        who = ", ".join(behind) if len(behind) < len(entries) else "every activation"
        parts.append(
            f"{BEHIND}: a seed of {who} predicts no better than letter frequencies do; "
            "predictions that learned nothing agree easily."
        )
    if any(line.why for line in lines):
        parts.append("Hatched: there is no such ratio, and none is filled in.")
    return "\n".join(parts)
