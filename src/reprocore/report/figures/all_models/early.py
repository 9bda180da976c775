"""How early in training the final ranking shows."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reprocore.report.figures import style
from reprocore.report.figures.entries import confidence_text, drawn_arm, study_arm
from reprocore.report.figures.frame import new_figure, title
from reprocore.report.words import gap_text, reason_texts
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap

COLUMNS = 4
PANEL_INCHES = 2.5
MODELS = "models"


@style.styled()
def draw_early(study: Study, early: pd.DataFrame, model_order: pd.DataFrame) -> Figure:
    """Draw the rank correlation of early with final values against the share of training done.

    One panel per model, for the order of its activations; the last for the order of the models
    by their sensitivity.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        early: of `EARLY_SCHEMA`, of all models.
        model_order: of `EARLY_MODEL_ORDER_SCHEMA`.
    """
    measure = MEASURES[study.drawn_measure]
    panels = {}
    for model in study.models:
        of_model = early[(early["model"] == model) & (early["arm"] == drawn_arm(study, model))]
        panels[model] = _panel(of_model, measure.name)
    over = _panel(model_order[model_order["arm"] == study_arm(study)], measure.name)
    budgets = sorted({b for table in (*panels.values(), over) for b in table["budget"]})
    count = len(panels) + 1
    rows = -(-count // COLUMNS)
    columns = min(COLUMNS, count)
    figure = new_figure(
        study,
        f"How early does the final order by {measure.label} show?",
        _note(study, panels),
        rows * PANEL_INCHES + 0.3,
    )
    grid = figure.add_gridspec(rows, columns)
    for index, (model, table) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        _draw(axes, model, table, budgets, gap_text(Gap.NOT_RUN))
        title(axes, style.wrap(model, 28), _reliable_text(table), size=10.0)
        _label(axes, index, count, columns)
    axes = figure.add_subplot(grid[len(panels) // columns, len(panels) % columns])
    _draw(axes, MODELS, over, budgets, gap_text(Gap.NOT_COMPARED))
    title(axes, "All models, by sensitivity", _reliable_text(over), size=10.0)
    _label(axes, len(panels), count, columns)
    return figure


def _panel(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    return rows[rows["measure"] == measure].sort_values("budget").reset_index(drop=True)


def _label(axes: Axes, index: int, count: int, columns: int) -> None:
    if index % columns == 0:
        axes.set_ylabel("rank correlation\nwith the end (τ)")
    else:
        axes.tick_params(axis="y", labelleft=False)
    if index >= count - columns:
        axes.set_xlabel("training done (%)")


def _draw(axes: Axes, key: str, table: pd.DataFrame, budgets: Sequence[float], gap: str) -> None:
    axes.set_ylim(-1.14, 1.14)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    known = table[table["estimate"].notna()]
    if known.empty:
        reasons = [text for row in table.to_dict("records") for text in reason_texts(row)]
        style.draw_missing(axes, style.wrap(reasons[0], 26) if reasons else gap)
        axes.set_xticks([])
        return
    axes.set_xscale("log", base=2)
    axes.set_xlim(budgets[0] / 1.5, max(1.0, budgets[-1] * 1.5))
    axes.xaxis.set_major_locator(FixedLocator(list(budgets)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.2g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axhline(0, color=style.INK, linewidth=1.1, zorder=2, gid=f"zero:{key}")
    for row in known.to_dict("records"):
        if pd.notna(row["low"]) and pd.notna(row["high"]):
            axes.plot(
                [row["budget"]] * 2,
                [row["low"], row["high"]],
                color="#7f9bb8",
                linewidth=3.2,
                solid_capstyle="butt",
                zorder=2.5,
                gid=f"interval:{key}:{row['budget']:.6g}",
            )
    axes.plot(
        known["budget"],
        known["estimate"],
        color=style.INK,
        marker="o",
        markersize=5.5,
        markeredgecolor="white",
        linewidth=0.9,
        zorder=3,
        gid=f"line:{key}",
    )
    for budget in table.loc[table["estimate"].isna(), "budget"]:
        style.draw_missing(axes, "none", x=(budget / 1.25, budget * 1.25))


def reliable_from(table: pd.DataFrame) -> float | None:
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


def _reliable_text(table: pd.DataFrame) -> str:
    if table["estimate"].isna().all():
        return ""
    first = reliable_from(table)
    return "no bar stays above 0" if first is None else f"bar above 0 from {100 * first:.2g}% on"


def _note(study: Study, panels: dict[str, pd.DataFrame]) -> str:
    level = confidence_text(study)
    known = {m: t for m, t in panels.items() if t["estimate"].notna().any()}
    firsts = {model: reliable_from(table) for model, table in known.items()}
    saved = [f"{m} {100 * (1 - b):.3g}%" for m, b in firsts.items() if b is not None]
    never = [model for model, b in firsts.items() if b is None]
    parts = [
        "Mark: Kendall's rank correlation τ of the activations' order at that time with their "
        "order at the end (1: the same, 0: no relation, −1: reversed). Bar: what τ of the true "
        f"orders can be, given which pairs of activations the seeds separate ({level}); from "
        "−1 to 1 it means that nothing is known. Last panel: the same for the order of the models "
        "by how much the activation matters (CV). Each doubling of training is one step wide.",
    ]
    if saved:
        parts.append(
            "Stopping at the first step from which on the whole bar stays above 0 would save, of "
            f"the training steps: {', '.join(saved)}. That is shown for these seeds and the order "
            "as a whole; it does not promise that every pair of activations is in its final order."
        )
    if never:
        luck = "training could be stopped early: a high mark with a bar that crosses 0 can be luck."
        none = len(never) == len(known)
        which = (
            "In no model do these seeds" if none else f"In {', '.join(never)}, these seeds do not"
        )
        parts.append(f"{which} show that {luck}")
    if any(t["estimate"].isna().any() or t.empty for t in panels.values()):
        parts.append("Hatched: there is no such number, and none is filled in.")
    return "\n".join(parts)
