"""How early in training the final ranking shows."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import confidence_text, study_arm
from reprocore.report.figures.frame import new_figure, scale_by_doubling, sentence, title
from reprocore.report.figures.marks import draw_mark, span_of
from reprocore.report.words import gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap

COLUMNS = 4
PANEL_INCHES = 2.5
MODELS = "the order of the models"
LOOK = style.Look(style.INK, "o", "-")
NOTHING = (
    "every interval of the rank correlation holds 0, so these seeds do not show whether an early "
    "order is related to that of the end"
)


@style.styled()
def draw_early(study: Study, early: pd.DataFrame, model_order: pd.DataFrame) -> Figure:
    """Draw the rank correlation of early with final values against the share of training done.

    One panel per model, for the order of its activations; the last for the order of the models
    by their sensitivity. Where no interval leaves out 0 a sentence says so, in place of a panel.
    """
    measure = MEASURES[study.drawn_measure]
    heading = f"How early does the final order by {measure.label} show?"
    tables = {
        model: early[(early["model"] == model) & (early["arm"] == study.primary_arm(model))]
        for model in study.models
    } | {MODELS: model_order[model_order["arm"] == study_arm(study)]}
    panels = {
        name: table[table["measure"] == measure.name].sort_values("budget")
        for name, table in tables.items()
    }
    drawn = {name: table for name, table in panels.items() if says_something(table)}
    words = _undrawn(panels)
    if not drawn:
        return sentence(study, heading, words)
    rows, columns = -(-len(drawn) // COLUMNS), min(COLUMNS, len(drawn))
    figure = new_figure(
        study,
        heading,
        [
            f"Bars: what τ of the true orders can be, given which pairs the seeds separate "
            f"({confidence_text(study)}).",
            words,
        ],
        rows * PANEL_INCHES + 0.3,
        exploratory=True,
    )
    budgets = sorted({budget for table in drawn.values() for budget in table["budget"]})
    for index, (name, table) in enumerate(drawn.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw(axes, name, table, budgets)
        title(axes, style.wrap(name, 28), _related(table), size=10.0)
        axes.set_xlabel("training done (%)")
        if index % columns == 0:
            axes.set_ylabel("rank correlation\nwith the end (τ)")
    return figure


def says_something(table: pd.DataFrame) -> bool:
    """Return whether an interval leaves out 0: else early and final order may be unrelated."""
    return bool(((table["low"] > 0) | (table["high"] < 0)).any())


def _undrawn(panels: Mapping[str, pd.DataFrame]) -> str:
    """Say for what no panel is drawn, and why: each reason once."""
    about: dict[str, list[str]] = {}
    for name, table in panels.items():
        if not says_something(table):
            about.setdefault(_why(name, table), []).append(name)
    return "\n".join(f"{', '.join(names)}: {why}." for why, names in about.items())


def _why(name: str, table: pd.DataFrame) -> str:
    if table["estimate"].notna().any():
        return NOTHING
    reasons = [text for row in table.to_dict("records") for text in reason_texts(row)]
    return reasons[0] if reasons else gap_text(Gap.NOT_COMPARED if name == MODELS else Gap.NOT_RUN)


def _draw(axes: Axes, name: str, table: pd.DataFrame, budgets: Sequence[float]) -> None:
    axes.set_ylim(-1.14, 1.14)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    scale_by_doubling(axes, budgets, _percent)
    axes.set_xlim(budgets[0] / 1.5, max(1.0, budgets[-1] * 1.5))
    axes.axhline(0, color=style.INK, linewidth=1.1, zorder=2)
    known = table[table["estimate"].notna()]
    axes.plot(known["budget"], known["estimate"], color=style.INK, lw=0.9, gid=f"line:{name}")
    for row in table.to_dict("records"):
        budget, span = float(row["budget"]), span_of(row, "estimate")
        if span is None:
            style.draw_missing(axes, "none", x=(budget / 1.25, budget * 1.25))
        else:
            draw_mark(axes, budget, span, LOOK, f"{name}:{budget:.6g}", 5.5)


def related_from(table: pd.DataFrame) -> float | None:
    """Return the first share of training from which the whole interval stays above 0.

    Args:
        table: `budget`, ascending, and `low`.
    """
    first = None
    for budget, low in zip(table["budget"][::-1], table["low"][::-1], strict=True):
        if pd.isna(low) or low <= 0:
            break
        first = float(budget)
    return first


def _related(table: pd.DataFrame) -> str:
    first = related_from(table)
    if first is None:
        return "no bar stays above 0"
    # Related is not the same: that training can stop there would be too much to say.
    return f"order related to the end's from {_percent(first)}% on"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}"
