"""Panel (d) of the cross-model figure: how much the activation changes the measure."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from reprocore.report.figures import marks, style
from reprocore.report.figures.entries import (
    Entries,
    Entry,
    TableRow,
    model_label,
    none_ran,
    rows_of,
)
from reprocore.report.figures.frame import title
from reprocore.report.words import EXPLORATORY, gap_text, p_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, Gap, Measure, Reason, split_codes

LOOK = style.Look(style.INK, "o", "-")


def draw_sensitivity(
    axes: Axes, study: Study, entries: Entries, sensitivity: pd.DataFrame, measure: Measure
) -> None:
    """Draw (d): how much the activation changes the measure, as it is and less seed noise."""
    found = {model: sensitivity_row(study, model, sensitivity, measure) for model in entries}
    models = sorted(found, key=lambda model: _rank(found[model]))
    rows = [_row(model, found[model], entries[model], len(study.seeds)) for model in models]
    marks.label_rows(axes, [model_label(study, model) for model in models])
    marks.draw_rows(axes, rows, range(len(rows)))
    axes.axvline(0.0, color="#8c8c8c", linewidth=0.8, zorder=1.2)
    for y, model in enumerate(models):
        row = found[model]
        if row is not None and not pd.isna(row["cv"]):
            axes.plot(
                [row["cv"]],
                [y],
                marker="o",
                color=style.INK,
                markersize=8.5,
                markerfacecolor="none",
                markeredgewidth=1.2,
                gid=f"plain:{model}",
            )
    axes.set_xlabel(f"variation of {measure.label} across\nactivations (CV, % of its mean)")
    title(
        axes,
        f"(d) Sensitivity ({EXPLORATORY})",
        "○ as measured   ● less seed noise, with interval",
    )


def sensitivity_row(
    study: Study, model: str, sensitivity: pd.DataFrame, measure: Measure
) -> TableRow | None:
    """Return the row of `SENSITIVITY_SCHEMA` of a model at the last step, None if it has none."""
    arm, condition = study.primary_arm(model), Condition.FINAL
    wanted = {"model": model, "arm": arm, "measure": measure.name, "condition": condition}
    rows = rows_of(sensitivity, **wanted)
    return rows[0] if rows else None


def _row(model: str, row: TableRow | None, entries: Sequence[Entry], wanted: int) -> marks.Row:
    key = f"d:{model}"
    if row is None or pd.isna(row["cv"]):
        return marks.Row(key, model, LOOK, None, _gap(row, entries))
    span, seeds, p = (
        marks.span_of(row, "corrected"),
        int(row["seeds"]),
        marks.finite(row["p_omnibus"]),
    )
    count = f"{seeds}" if seeds == wanted else f"{seeds} of {wanted}"
    lines = [f"{row['cv']:.1f}%", f"no interval ({count} seeds)"]
    if span is not None:
        lines = [f"{row['cv']:.1f}% → {span[0]:.1f}%"] + [f"{count} seeds"] * (seeds != wanted)
    if p is not None:
        lines.append(f"p {p_text(p)}")
    elif Reason.FEW_SEEDS_FOR_TEST in split_codes(row["reason"], Reason):
        lines.append("too few seeds for p")
    if row["activations"] < len(entries):
        lines.append(f"{row['activations']:.0f} of {len(entries)} activations")
    return marks.Row(key, model, LOOK, span, text="\n".join(lines))


def _gap(row: TableRow | None, entries: Sequence[Entry]) -> str:
    if none_ran(entries):
        return gap_text(Gap.NOT_RUN)
    if row is None:
        return "fewer than 2 activations"
    return style.wrap("; ".join(reason_texts(row)) or "no CV", 26)


def _rank(row: TableRow | None) -> tuple[bool, float, float]:
    """Sort key: most sensitive first, by the corrected CV; without a number last."""
    plain, corrected = (marks.finite(row[n]) for n in ("cv", "corrected")) if row else (None, None)
    return plain is None, -(corrected or 0.0), -(plain or 0.0)
