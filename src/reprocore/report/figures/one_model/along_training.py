"""The figures of one model along its training: losses, and how far apart its trainings are."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.entries import (
    basis,
    behind_of,
    legend_text,
    look_of,
    matched_loss,
    model_entries,
)
from reprocore.report.figures.frame import (
    activation_handles,
    new_figure,
    scale_by_doubling,
    title,
)
from reprocore.report.figures.marks import direction
from reprocore.report.words import gap_text, holds_for, readable
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Gap

PANEL_INCHES = 3.9
Values = npt.NDArray[Any] | pd.Series


@style.styled()
def draw_training_curves(
    study: Study, model: str, curves: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw validation and training loss against iterations: mean, and lowest to highest seed."""
    arm = study.primary_arm(model)
    losses = curves[(curves["model"] == model) & (curves["arm"] == arm)]
    labels = {
        activation: _label(activation, _count(losses, activation), len(study.seeds))
        for activation in study.activations_of(model)
    }
    gone = [activation for activation in labels if not _count(losses, activation)]
    figure = new_figure(
        study,
        f"{model}: how did the losses fall?",
        ["Bands: from the lowest to the highest seed; they are no intervals."],
        PANEL_INCHES,
        activation_handles(study, labels, gone, lines=True, marks=False),
    )
    grid = figure.add_gridspec(1, 3)
    known = [float(v) for v in cells.loc[cells["model"] == model, "unigram_entropy"] if v == v]
    last = int(losses["iteration"].max()) if len(losses) else 0
    for index, (column, heading, explanation, first) in enumerate(_loss_panels(last)):
        axes = figure.add_subplot(grid[index])
        _draw_losses(axes, study, losses[losses["iteration"] >= first], column)
        if len(gone) == len(labels):
            style.hatch_whole(axes, gap_text(Gap.NOT_RUN))
        elif known:
            _draw_unigram(axes, known[0])
        axes.set_xlabel("iteration")
        axes.set_ylabel("loss (nats per character)")
        title(axes, heading, explanation)
    return figure


def _loss_panels(last: int) -> tuple[tuple[str, str, str, float], ...]:
    """Return the column, heading and explanation of each panel, and its first iteration."""
    return (
        ("val_loss", "Validation loss", "on text never trained on", 0),
        ("train_loss", "Training loss", "on the text trained on", 0),
        ("val_loss", "Validation loss, second half", "the same, seen closer", last / 2),
    )


def _count(frame: pd.DataFrame, activation: str) -> int:
    return int(frame.loc[frame["activation"] == activation, "seed"].nunique())


def _label(activation: str, seeds: int, wanted: int) -> str:
    """Return the entry of the legend, with what is missing of the activation."""
    name = style.wrap(readable(activation), 24)
    if seeds == 0:
        return f"{name}: {gap_text(Gap.MISSING)}"
    return name if seeds == wanted else f"{name}: {seeds} of {wanted} seeds"


def _draw_losses(axes: Axes, study: Study, curves: pd.DataFrame, column: str) -> None:
    many = curves["activation"].nunique() > 3
    for activation, rows in curves.groupby("activation", sort=False):
        table = rows.pivot(index="iteration", columns="seed", values=column)
        values = table.to_numpy(dtype=np.float64)
        whole = np.isfinite(values).all(axis=1)
        # A mean over other seeds than before would jump: iterations that a seed lacks are left out.
        steps, values = table.index.to_numpy()[whole], values[whole]
        if not len(steps):
            continue
        look = look_of(study, str(activation))
        band = f"band:{column}:{activation}"
        _draw_band(axes, look, steps, values.min(axis=1), values.max(axis=1), many, band)
        axes.plot(
            steps,
            values.mean(axis=1),
            color=look.colour,
            linestyle=look.line,
            linewidth=1.6,
            gid=f"line:{column}:{activation}",
        )


def _draw_band(
    axes: Axes,
    look: style.Look,
    x: Values,
    low: Values,
    high: Values,
    many: bool,
    key: str,
) -> None:
    # Many bands on each other end in one brown: then they are faint, and their edges show.
    axes.fill_between(
        x, low, high, color=look.colour, alpha=0.05 if many else 0.16, linewidth=0, gid=key
    )
    if many:
        for edge in (low, high):
            axes.plot(x, edge, color=look.colour, linewidth=0.8, alpha=0.45, linestyle=look.line)


def _draw_unigram(axes: Axes, entropy: float) -> None:
    low, high = axes.get_ylim()
    if low <= entropy <= high:
        axes.axhline(entropy, color=style.FAINT, ls=(0, (4, 2)), linewidth=1.1, gid="unigram")
        axes.annotate(
            f"unigram entropy {entropy:.2f}",
            (1, entropy),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            size=style.SMALL,
        )


@style.styled()
def draw_pd_along_training(
    study: Study, model: str, estimates: pd.DataFrame, cells: pd.DataFrame, contrasts: pd.DataFrame
) -> Figure:
    """Draw the measure against the training step, and against the loss reached by then."""
    measure = MEASURES[study.drawn_measure]
    arm = study.primary_arm(model)
    of_arm = estimates[(estimates["model"] == model) & (estimates["arm"] == arm)]
    entries = model_entries(study, model, estimates, cells, measure.name)
    tracks = {e.activation: _track(of_arm, e.activation, measure.name) for e in entries}
    gone = [activation for activation, track in tracks.items() if track.empty]
    late = {e.activation: " at the end" * bool(e.gap) for e in entries if e.activation not in gone}
    labels = {e.activation: legend_text(e) + late.get(e.activation, "") for e in entries}
    figure = new_figure(
        study,
        f"{model}: when in training do the predictions of two seeds drift apart?",
        [
            basis(study, [model], holds_for(measure.name), "Bands"),
            behind_of(entries),
        ],
        PANEL_INCHES,
        activation_handles(study, labels, gone, lines=True),
        exploratory=True,
    )
    grid = figure.add_gridspec(1, 2)
    for index, column in enumerate(("step", "loss")):
        axes = figure.add_subplot(grid[index])
        _draw_tracks(axes, study, tracks, column)
        if len(gone) == len(labels):
            gaps = {entry.why for entry in entries}
            style.hatch_whole(axes, gaps.pop() if len(gaps) == 1 else gap_text(Gap.MISSING))
        elif column == "step":
            steps = {int(step) for track in tracks.values() for step in track["step"]}
            scale_by_doubling(axes, steps, "{:,}".format)
        else:
            _mark_matched_loss(axes, matched_loss(study, model, contrasts))
        axes.set_ylabel(measure.heading)
        axes.set_xlabel(
            "training step" if column == "step" else "validation loss (nats per character)"
        )
        heading = "Along training" if column == "step" else "At matched loss"
        more = "" if column == "step" else "; from left to right; dotted: the matched loss"
        title(axes, heading, direction(measure) + more)
    return figure


def _track(estimates: pd.DataFrame, activation: str, measure: str) -> pd.DataFrame:
    """Return step, loss, estimate, low and high of one activation, finite estimates alone."""
    rows = estimates[estimates["activation"] == activation]
    losses = rows[rows["measure"] == "val_loss"].set_index("step")["estimate"].astype(float)
    table = rows[rows["measure"] == measure].set_index("step").sort_index()
    table = table[["estimate", "low", "high"]].astype(float)
    table["loss"] = losses.reindex(table.index)
    table["step"] = table.index
    finite: pd.DataFrame = table[np.isfinite(table["estimate"])].reset_index(drop=True)
    return finite


def _draw_tracks(axes: Axes, study: Study, tracks: dict[str, pd.DataFrame], column: str) -> None:
    many = sum(not track.empty for track in tracks.values()) > 3
    for activation, track in tracks.items():
        table = track[np.isfinite(track[column])]
        if table.empty:
            continue
        look = look_of(study, activation)
        sure = bool(table["low"].notna().all())
        band = f"band:{column}:{activation}"
        _draw_band(axes, look, table[column], table["low"], table["high"], many, band)
        axes.plot(
            table[column],
            table["estimate"],
            color=look.colour,
            linestyle=look.line,
            linewidth=1.6,
            marker=look.marker,
            markersize=5,
            markerfacecolor=look.colour if sure else "white",
            gid=f"line:{column}:{activation}",
        )


def _mark_matched_loss(axes: Axes, loss: float | None) -> None:
    """Let training go from left to right, and mark where activations are compared."""
    axes.invert_xaxis()
    if loss is not None:
        axes.axvline(loss, color=style.INK, linestyle=":", linewidth=1.2, gid="matched")
