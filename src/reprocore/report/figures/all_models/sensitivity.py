"""Panel (d) of the cross-model figure: how much the activation changes the measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entries, Entry, drawn_arm, model_label, none_ran
from reprocore.report.figures.frame import title
from reprocore.report.figures.intervals import note_beside, set_range
from reprocore.report.words import gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, Gap, Measure, Reason, split_codes

PANEL_INCHES = 2.7


@dataclass(frozen=True)
class Spread:
    """Variation across the activations of one model, in percent; None where there is none."""

    plain: float | None
    corrected: float | None
    low: float | None
    high: float | None
    text: str

    @property
    def numbers(self) -> list[float]:
        """All that is drawn."""
        every = (self.plain, self.corrected, self.low, self.high)
        return [value for value in every if value is not None]


def draw_sensitivity(
    axes: Axes, study: Study, entries: Entries, sensitivity: pd.DataFrame, measure: Measure
) -> None:
    """Draw (d): how much the activation changes the measure, as it is and less seed noise."""
    spreads = {
        model: _spread(
            sensitivity_row(study, model, sensitivity, measure), of_model, len(study.seeds)
        )
        for model, of_model in entries.items()
    }
    rows = sorted(spreads, key=lambda model: _rank(spreads[model]))
    numbers = [value for spread in spreads.values() for value in spread.numbers]
    notes = [(_ends(s), s.text) for s in spreads.values() if s.plain is not None]
    set_range(axes, [0.0, *numbers] if numbers else [], notes, PANEL_INCHES)
    for row, model in enumerate(rows):
        _draw_spread(axes, row, model, spreads[model])
    axes.set_yticks(range(len(rows)), [model_label(study, model) for model in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
    axes.set_xlabel(f"variation of {measure.label} across\nactivations (CV, % of its mean)")
    title(
        axes,
        "(d) Sensitivity to the activation",
        "○ as measured     ● less seed noise, with interval\n"
        "p: chance of this where all activations are alike",
    )


def _draw_spread(axes: Axes, row: int, model: str, spread: Spread) -> None:
    if spread.plain is None:
        style.draw_missing(axes, spread.text, y=(row - 0.4, row + 0.4))
        return
    if spread.low is not None and spread.high is not None:
        axes.plot(
            [spread.low, spread.high],
            [row, row],
            color="#7a7a7a",
            linewidth=1.8,
            marker="|",
            markersize=6,
            markeredgewidth=1.6,
            zorder=2,
            gid=f"interval:d:{model}",
        )
    if spread.corrected is not None:
        axes.plot(
            spread.corrected,
            row,
            marker="o",
            color=style.INK,
            markersize=7,
            zorder=3,
            gid=f"corrected:{model}",
        )
    axes.plot(
        spread.plain,
        row,
        marker="o",
        color=style.INK,
        markersize=8.5,
        markerfacecolor="none",
        markeredgewidth=1.2,
        zorder=3.2,
        gid=f"plain:{model}",
    )
    note_beside(axes, _ends(spread), row, spread.text, PANEL_INCHES)


def sensitivity_row(
    study: Study, model: str, sensitivity: pd.DataFrame, measure: Measure
) -> Mapping[Any, Any] | None:
    """Return the row of `SENSITIVITY_SCHEMA` of a model at the last step, None if it has none."""
    rows = sensitivity[
        (sensitivity["model"] == model)
        & (sensitivity["arm"] == drawn_arm(study, model))
        & (sensitivity["measure"] == measure.name)
        & (sensitivity["condition"] == Condition.FINAL)
    ].to_dict("records")
    return rows[0] if rows else None


def _spread(row: Mapping[Any, Any] | None, entries: Sequence[Entry], wanted: int) -> Spread:
    if row is None or pd.isna(row["cv"]):
        return Spread(None, None, None, None, _gap(row, entries))
    plain, corrected, low, high, p = (
        None if pd.isna(row[name]) else float(row[name])
        for name in ("cv", "corrected", "low", "high", "p_omnibus")
    )
    seeds = int(row["seeds"])
    count = f"{seeds}" if seeds == wanted else f"{seeds} of {wanted}"
    if corrected is None:
        lines = [f"{plain:.1f}%", f"no interval ({count} seeds)"]
    else:
        lines = [f"{plain:.1f}% → {corrected:.1f}%"]
        lines += [f"{count} seeds"] * (seeds != wanted)
    if p is not None:
        lines.append(f"p {_p_text(p)}")
    elif Reason.FEW_SEEDS_FOR_TEST in split_codes(row["reason"], Reason):
        lines.append("too few seeds for p")
    if row["activations"] < len(entries):
        lines.append(f"{row['activations']:.0f} of {len(entries)} activations")
    return Spread(plain, corrected, low, high, "\n".join(lines))


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _gap(row: Mapping[Any, Any] | None, entries: Sequence[Entry]) -> str:
    if none_ran(entries):
        return gap_text(Gap.NOT_RUN)
    if row is None:
        return "fewer than 2 activations"
    return style.wrap("; ".join(reason_texts(row)) or "no CV", 26)


def _ends(spread: Spread) -> tuple[float, float]:
    return min(spread.numbers), max(spread.numbers)


def _rank(spread: Spread) -> tuple[bool, float, float]:
    """Sort key: most sensitive first, by the corrected CV; without a number last."""
    return spread.plain is None, -(spread.corrected or 0.0), -(spread.plain or 0.0)
