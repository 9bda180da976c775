"""Loss by learning rate: what was tried, what was chosen, and where the grid was too narrow."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import look_of
from reprocore.report.figures.frame import activation_handles, new_figure, plain_labels, title
from reprocore.report.words import gap_text, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Gap, Trial

COLUMNS = 3
PANEL_INCHES = 3.0


@style.styled()
def draw_tuning(study: Study, tuning: pd.DataFrame) -> Figure:
    """Draw the validation loss against the learning rate, one panel per model."""
    models = list(study.models)
    columns = min(COLUMNS, len(models))
    rows = -(-len(models) // columns)
    ran = set(tuning.loc[tuning["trial"] != Trial.MISSING, "activation"])
    labels = plain_labels(study)
    gone = [name for name in labels if name not in ran]
    figure = new_figure(
        study,
        "Validation loss by learning rate, and the rate that was chosen",
        _note(tuning),
        rows * PANEL_INCHES,
        activation_handles(study, labels, gone, lines=True),
    )
    grid = figure.add_gridspec(rows, columns)
    for index, model in enumerate(models):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        _draw_model(axes, study, model, tuning[tuning["model"] == model])
        if index % columns == 0:
            axes.set_ylabel("validation loss\n(nats per character)")
        if index >= len(models) - columns:
            axes.set_xlabel("peak learning rate (log scale)")
    return figure


def _draw_model(axes: Axes, study: Study, model: str, table: pd.DataFrame) -> None:
    missing = table["trial"] == Trial.MISSING
    lost = [readable(name) for name in dict.fromkeys(table.loc[missing, "activation"])]
    some = f"{gap_text(Gap.NOT_RUN)}: {', '.join(lost)}" if lost else ""
    title(axes, style.wrap(model, 28), "" if missing.all() else style.wrap(some, 44), size=10.0)
    if missing.all():
        style.hatch_whole(axes, gap_text(Gap.NOT_RUN))
        return
    rates = sorted(set(table["learning_rate"]))
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    for activation in study.activations_of(model):
        _draw_activation(axes, study, model, table[table["activation"] == activation])


def _draw_activation(axes: Axes, study: Study, model: str, rows: pd.DataFrame) -> None:
    activation = rows["activation"].iloc[0]
    look, key = look_of(study, activation), f"{model}:{activation}"
    known = rows[rows["val_loss"].notna()]
    axes.plot(
        known["learning_rate"],
        known["val_loss"],
        linestyle="none",
        marker=look.marker,
        markersize=3.2,
        alpha=0.55,
        color=look.colour,
        gid=f"seeds:{key}",
    )
    means = rows.drop_duplicates("learning_rate").dropna(subset="mean_loss")
    axes.plot(
        means["learning_rate"],
        means["mean_loss"],
        color=look.colour,
        linestyle=look.line,
        linewidth=1.5,
        gid=f"line:{key}",
    )
    chosen = means[means["chosen"]]
    axes.plot(
        chosen["learning_rate"],
        chosen["mean_loss"],
        linestyle="none",
        marker="s" if chosen["at_end"].any() else "o",
        markersize=11,
        markerfacecolor="none",
        markeredgewidth=1.7,
        color=look.colour,
        gid=f"{'end' if chosen['at_end'].any() else 'chosen'}:{key}",
    )
    for rate in sorted(set(rows.loc[rows["trial"] == Trial.DIVERGED, "learning_rate"])):
        axes.plot(
            [rate],
            [0.97],
            transform=axes.get_xaxis_transform(),
            marker="x",
            markersize=6,
            color=look.colour,
            gid=f"diverged:{key}:{rate:g}",
        )


def _note(tuning: pd.DataFrame) -> list[str]:
    ends = tuning[tuning["at_end"]].drop_duplicates(["model", "activation"])
    pairs = zip(ends["model"], ends["activation"], strict=True)
    named = ", ".join(f"{model} {readable(activation)}" for model, activation in pairs)
    return [
        "Ring: the rate that is used; square: it lies at an end of the grid; cross: the loss "
        "diverged. Lines: means over the tuning's own seeds, which are the small marks.",
        f"Chosen at an end of the grid: {named}." if named else "",
    ]
