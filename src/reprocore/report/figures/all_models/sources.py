"""Where differences come from: each random stream alone, against all together."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import Entry, confidence_text, none_ran
from reprocore.report.figures.frame import activation_handles, new_figure, title
from reprocore.report.figures.intervals import draw_interval, ends, extent, set_range
from reprocore.report.words import gap_text
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure, Reason, split_codes

COLUMNS = 3
PANEL_INCHES = 2.9
LANE_INCHES = 0.21
LEAST_LANES = 2
# Groups that the note names, of those whose control is not 0.
NAMED = 4
ARM_NAMES = {
    "init": "initial\nweights",
    "order": "order of\nthe data",
    "dropout": "dropout",
    "none": "none\n(control)",
}
# Why a lane has no share, for the codes that have a short form of their own.
GAPS = {
    Reason.WHOLE_NOT_RUN: Gap.WHOLE_MISSING,
    Reason.FEW_SHARED_SEEDS: Gap.FEW_SHARED_SEEDS,
}
Row = Mapping[Any, Any]


@style.styled()
def draw_sources(study: Study, sources: pd.DataFrame) -> Figure:
    """Draw the difference that each arm makes as a share of that of the arm `all`.

    Args:
        study: what was to run; `study.drawn_measure` is drawn.
        sources: of `SOURCES_SCHEMA`, of all models.
    """
    measure = MEASURES[study.drawn_measure]
    models = [model for model in study.models if _arms(study, model)]
    entries = {model: _entries(study, model, sources, measure) for model in models}
    lanes = max((_height(arms) for arms in entries.values()), default=8.0)
    rows = max(1, -(-len(models) // COLUMNS))
    names = {a: style.wrap(style.readable(a), 24) for a in study.studied_activations()}
    figure = new_figure(
        study,
        "Where do differences come from: initial weights, order of the data, or dropout?",
        _note(study, sources, measure, entries),
        rows * (lanes * LANE_INCHES + 1.05),
        activation_handles(study, names) if models else [],
    )
    if not models:
        axes = figure.add_subplot()
        style.draw_missing(axes, "arms other than all were not run", size=style.NORMAL)
        axes.set_xticks([])
        axes.set_yticks([])
        return figure
    grid = figure.add_gridspec(rows, min(COLUMNS, len(models)))
    numbers = [n for arms in entries.values() for arm in arms.values() for n in ends(arm)]
    for index, (model, arms) in enumerate(entries.items()):
        axes = figure.add_subplot(grid[index // COLUMNS, index % COLUMNS])
        _draw_model(axes, study, model, arms, numbers)
        axes.set_xlabel(f"{measure.label}, share of all together")
        title(axes, style.wrap(model, 34), size=10.0)
    return figure


def _arms(study: Study, model: str) -> list[str]:
    return [arm for arm in ARM_NAMES if arm in study.arms_of(model)]


def _height(arms: Mapping[str, Sequence[Entry]]) -> float:
    return sum(max(len(entries), LEAST_LANES) + 0.8 for entries in arms.values())


def _entries(
    study: Study, model: str, sources: pd.DataFrame, measure: Measure
) -> dict[str, list[Entry]]:
    of_model = sources[(sources["model"] == model) & (sources["measure"] == measure.name)]
    rows = {(str(row["arm"]), str(row["activation"])): row for row in of_model.to_dict("records")}
    return {
        arm: [
            _entry(study, activation, rows.get((arm, activation)), bool(rows))
            for activation in study.activations_of(model)
        ]
        for arm in _arms(study, model)
    }


def _entry(study: Study, activation: str, row: Row | None, model_ran: bool) -> Entry:
    wanted = len(study.seeds)
    if row is None:
        gap = Gap.MISSING if model_ran else Gap.NOT_RUN
        return Entry(activation, None, None, None, None, 0, wanted, gap)
    seeds = int(row["seeds"])
    share, low, high = (_number(row[name]) for name in ("share", "low", "high"))
    if share is None:
        gaps = [GAPS.get(reason, Gap.NO_SHARE) for reason in split_codes(row["reason"], Reason)]
        return Entry(activation, None, None, None, None, seeds, wanted, gaps[0])
    return Entry(activation, share, None, low, high, seeds, wanted)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _draw_model(
    axes: Axes,
    study: Study,
    model: str,
    arms: Mapping[str, Sequence[Entry]],
    numbers: Sequence[float],
) -> None:
    entries = [entry for of_arm in arms.values() for entry in of_arm]
    drawn = [entry for entry in entries if entry.estimate is not None]
    notes = [(extent(entry), entry.note) for entry in drawn]
    set_range(axes, [0.0, 1.0, *numbers], notes, PANEL_INCHES)
    axes.grid(visible=False, axis="y")
    if none_ran(entries):
        style.draw_missing(axes, gap_text(Gap.NOT_RUN))
        axes.set_yticks([])
        return
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2)
    axes.axvline(0.0, color="#8c8c8c", linewidth=0.8, zorder=1.2)
    top, middles = 0.0, []
    for arm, of_arm in arms.items():
        size = max(len(of_arm), LEAST_LANES)
        middles.append(top + size / 2)
        if top:
            axes.axhline(top - 0.4, color=style.GRID, linewidth=0.9, zorder=1)
        _draw_arm(axes, study, f"{model}:{arm}", of_arm, top + (size - len(of_arm)) / 2 + 0.5)
        top += size + 0.8
    axes.set_yticks(middles, [ARM_NAMES[arm] for arm in arms])
    axes.set_ylim(top - 0.4, -0.4)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)


def _draw_arm(axes: Axes, study: Study, key: str, entries: Sequence[Entry], start: float) -> None:
    gaps = {entry.why for entry in entries}
    if len(gaps) == 1 and all(entry.gap for entry in entries):
        band = (start - 0.43, start + len(entries) - 0.57)
        style.draw_missing(axes, gaps.pop(), y=band)
        return
    for index, entry in enumerate(entries):
        y = start + index
        if entry.gap:
            name = style.shorten(style.readable(entry.activation), 18)
            style.draw_missing(axes, f"{name}: {entry.why}", y=(y - 0.43, y + 0.43))
            continue
        look = style.look(entry.activation, study.figures.colours)
        named = f"{key}:{entry.activation}"
        draw_interval(axes, y, entry, look, named, entry.note, PANEL_INCHES)


def _note(
    study: Study,
    sources: pd.DataFrame,
    measure: Measure,
    entries: Mapping[str, Mapping[str, Sequence[Entry]]],
) -> str:
    if not entries:
        return (
            "To see where differences come from, run trainings in which only one random stream "
            "follows the seed: add init, order, dropout and none to `arms` in the config."
        )
    parts = [
        f"Each mark: mean {measure.label} between trainings in which only this follows the seed, "
        "divided by that of trainings in which all of it does (line at 1), at the last step. "
        f"Bar: {confidence_text(study)} interval (Fieller), over the seeds that both share.",
        "Shares need not add up to 1: one source alone can already make most of the difference "
        "that all make together. " + control_text(study, sources),
    ]
    absent = [model for model in study.models if model not in entries]
    if absent:
        parts.append(f"Arms other than all were not run for {', '.join(absent)}.")
    flat = [entry for arms in entries.values() for of_arm in arms.values() for entry in of_arm]
    if any(entry.gap for entry in flat):
        parts.append("Hatched: there is no such share, and none is filled in.")
    if any(entry.estimate is not None and entry.low is None for entry in flat):
        parts.append("Hollow: the share has no interval.")
    return "\n".join(parts)


def control_text(study: Study, sources: pd.DataFrame) -> str:
    """Say whether trainings that share all random streams are identical, in every measure.

    Args:
        study: for the names of models that should have run.
        sources: of `SOURCES_SCHEMA`.
    """
    wanted = [model for model in study.models if "none" in study.arms_of(model)]
    rows = sources[(sources["arm"] == "none") & sources["model"].isin(wanted)]
    if not wanted:
        return "The control (nothing follows the seed) was not run."
    if rows.empty:
        return "The control (nothing follows the seed) has not run yet."
    groups: dict[tuple[str, str], bool] = {}
    for row in rows.to_dict("records"):
        measure = MEASURES.get(str(row["measure"]))
        if measure is None:
            continue
        expected = measure.upper if measure.more_is_closer else 0.0
        key = (str(row["model"]), str(row["activation"]))
        groups[key] = groups.get(key, True) and float(row["estimate"]) == expected
    wrong = [f"{model} {style.readable(name)}" for (model, name), ok in groups.items() if not ok]
    if wrong:
        shown = wrong if len(wrong) <= NAMED else [*wrong[:NAMED], f"{len(wrong) - NAMED} more"]
        return (
            f"Control: NOT 0 in {len(wrong)} of {len(groups)} groups ({', '.join(shown)}): there, "
            "trainings differ by something else than these three sources."
        )
    if len(groups) == 1:
        return "Control: 0 in the one group that ran, as it must be."
    return f"Control: 0 in all {len(groups)} groups, as it must be."
