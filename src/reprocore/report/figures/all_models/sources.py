"""Where differences come from: each random stream alone, against all together."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import marks, style
from reprocore.report.figures.bands import Bands
from reprocore.report.figures.entries import (
    Entry,
    TableRow,
    confidence_text,
    is_no_dropout,
    rows_of,
)
from reprocore.report.figures.frame import (
    activation_handles,
    new_figure,
    plain_labels,
    sentence,
    title,
)
from reprocore.report.words import gap_text, readable
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap, Measure, Reason, counted, split_codes

COLUMNS = 3
LANE_INCHES = 0.21
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
NO_ARMS = (
    "Arms other than all were not run. To see where differences come from, run trainings in which "
    "only one random stream follows the seed: add init, order, dropout and none to `arms`."
)


@style.styled()
def draw_sources(study: Study, sources: pd.DataFrame) -> Figure:
    """Draw the difference that each arm makes as a share of that of the arm `all`."""
    measure = MEASURES[study.drawn_measure]
    heading = "Where do differences come from: initial weights, order of the data, or dropout?"
    models = [model for model in study.models if _arms(study, model)]
    if not models:
        return sentence(study, heading, NO_ARMS)
    panels = {model: _rows(study, model, sources, measure) for model in models}
    bands = {
        model: Bands.of(ARM_NAMES, {arm: len(rows) for arm, rows in arms.items()})
        for model, arms in panels.items()
    }
    lines = -(-len(models) // COLUMNS)
    figure = new_figure(
        study,
        heading,
        _note(study, sources, models),
        lines * (max(band.height for band in bands.values()) * LANE_INCHES + 1.05),
        activation_handles(study, plain_labels(study)),
        exploratory=True,
    )
    first: Axes | None = None
    for index, (model, arms) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, min(COLUMNS, len(models)), index + 1, sharex=first)
        first = first or axes
        _draw_model(axes, arms, bands[model])
        axes.set_xlabel(f"{measure.label}, share of all together")
        title(axes, style.wrap(model, 34), size=10.0)
    return figure


def _arms(study: Study, model: str) -> list[str]:
    return [arm for arm in ARM_NAMES if arm in study.arms_of(model)]


def _rows(
    study: Study, model: str, sources: pd.DataFrame, measure: Measure
) -> dict[str, list[marks.Row]]:
    table = rows_of(sources, model=model, measure=measure.name)
    found = {(row["arm"], row["activation"]): row for row in table}
    return {
        arm: [
            _row(study, f"{model}:{arm}", activation, found.get((arm, activation)), bool(found))
            for activation in study.activations_of(model)
        ]
        for arm in _arms(study, model)
    }


def _row(
    study: Study, prefix: str, activation: str, row: TableRow | None, model_ran: bool
) -> marks.Row:
    """Return the row of a share; without one it says why."""
    wanted = len(study.seeds)
    without = row is not None and is_no_dropout(study, row)
    span = None if row is None or without else marks.span_of(row, "share")
    seeds = 0 if row is None else int(row["seeds"])
    gap = None
    if row is None:
        gap = Gap.MISSING if model_ran else Gap.NOT_RUN
    elif without:
        gap = Gap.NO_DROPOUT
    elif span is None:
        codes = split_codes(row["reason"], Reason)
        gap = next((GAPS[code] for code in codes[:1] if code in GAPS), Gap.NO_SHARE)
    share, low, high = span or (None, None, None)
    entry = Entry(activation, share, None, low, high, seeds, wanted, gap)
    return marks.entry_row(study, entry, prefix, "\n".join(entry.note_parts))


def _draw_model(axes: Axes, arms: Mapping[str, Sequence[marks.Row]], bands: Bands) -> None:
    if {row.why for rows in arms.values() for row in rows} == {gap_text(Gap.NOT_RUN)}:
        style.hatch_whole(axes, gap_text(Gap.NOT_RUN))
        return
    bands.prepare(axes)
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2)
    axes.axvline(0.0, color="#8c8c8c", linewidth=0.8, zorder=1.2)
    for arm, rows in arms.items():
        bands.draw(axes, arm, rows)


def _note(study: Study, sources: pd.DataFrame, models: Sequence[str]) -> list[str]:
    absent = [model for model in study.models if model not in models]
    return [
        f"Bars: {confidence_text(study)} intervals over seeds; line at 1: all three together. "
        + control_text(study, sources),
        f"Arms other than all were not run for {', '.join(absent)}." if absent else "",
    ]


def control_text(study: Study, sources: pd.DataFrame) -> str:
    """Say whether trainings that share all random streams are identical, in every measure.

    Args:
        study: for the names of models that should have run.
        sources: of `SOURCES_SCHEMA`.
    """
    wanted = [model for model in study.models if "none" in study.arms_of(model)]
    if not wanted:
        return "The control (nothing follows the seed) was not run."
    groups: dict[tuple[str, str], bool] = {}
    for row in rows_of(sources, arm="none"):
        measure = MEASURES.get(row["measure"])
        if measure and row["model"] in wanted:
            expected = measure.upper if measure.more_is_closer else 0.0
            key = (row["model"], row["activation"])
            groups[key] = groups.get(key, True) and row["estimate"] == expected
    wrong = [f"{model} {readable(name)}" for (model, name), ok in groups.items() if not ok]
    if wrong:
        more = [f"{len(wrong) - NAMED} more"] * (len(wrong) > NAMED)
        return (
            f"Control: NOT 0 in {len(wrong)} of {len(groups)} groups "
            f"({', '.join([*wrong[:NAMED], *more])}): there, trainings differ by something else "
            "than these three sources."
        )
    if not groups:
        return "The control (nothing follows the seed) has not run yet."
    every = "all " * (len(groups) > 1)
    return f"Control: 0 in {every}{counted(len(groups), 'group')}, as it must be."
