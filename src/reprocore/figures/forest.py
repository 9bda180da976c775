"""Ratios of activations to the reference as rows: of one model, and over all models."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reprocore.figures import style
from reprocore.figures.canvas import new_figure, title
from reprocore.figures.intervals import BEHIND, draw_interval, ends, set_range
from reprocore.figures.tables import (
    ARM_WORDS,
    Entry,
    all_activations,
    confidence_text,
    drawn_arm,
    model_entries,
    study_arm,
)
from reprocore.study.study import Study
from reprocore.vocabulary import FINAL, MATCHED, MEASURES, Measure

LABEL_LETTERS = 20
PANEL_INCHES = 3.4
BAND = "#e9eef5"
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Line:
    """One row of a forest plot.

    Attributes:
        entry: the ratio with its interval, or why there is none.
        verdict: stands at the right.
        notes: what a reader must know of it.
    """

    entry: Entry
    verdict: str = ""
    notes: tuple[str, ...] = ()


@style.styled()
def draw_contrasts(
    study: Study, model: str, contrasts: pd.DataFrame, estimates: pd.DataFrame, cells: pd.DataFrame
) -> Figure:
    """Draw each activation's ratio to the reference, at the final step and at matched loss.

    Args:
        study: what was to run; `study.figures.measure` is drawn.
        model: one of its models.
        contrasts: of `CONTRASTS_SCHEMA`.
        estimates: of `ESTIMATES_SCHEMA`.
        cells: of `CELLS_SCHEMA`, for the seeds that ran.
    """
    measure = MEASURES[study.figures.measure]
    reference = study.reference_of(model)
    entries = model_entries(study, model, estimates, cells, measure.name)
    panels = {
        condition: _contrast_lines(study, model, contrasts, entries, condition)
        for condition in (FINAL, MATCHED)
    }
    lines = panels[FINAL]
    labels = [_label(line.entry) for line in lines]
    figure = new_figure(
        study,
        style.wrap(
            f"{model}: is an activation more reproducible than {style.readable(reference)}?", 80
        ),
        _contrasts_note(study, model, measure, entries, panels),
        _rows_inches(labels) + 1.1,
    )
    grid = figure.add_gridspec(1, 2)
    for index, (condition, heading) in enumerate(
        ((FINAL, "At the last step"), (MATCHED, "At matched loss"))
    ):
        axes = figure.add_subplot(grid[index])
        margin, both = study.statistics.margin, (*panels[FINAL], *panels[MATCHED])
        _draw_lines(axes, study, panels[condition], condition, margin, both)
        _label_rows(axes, labels, shown=index == 0)
        axes.set_xlabel(f"{measure.label}, ratio to {style.readable(reference)}")
        loss = _matched_loss(study, model, contrasts) if condition == MATCHED else None
        where = f"where each has the validation loss {loss:.3f}; " if loss is not None else ""
        title(axes, heading, where + _side(measure, reference))
    return figure


def _side(measure: Measure, reference: str) -> str:
    side = "right" if measure.more_is_closer else "left"
    return f"{side} of 1 = more alike than {style.readable(reference)}"


def _contrast_lines(
    study: Study, model: str, contrasts: pd.DataFrame, entries: Sequence[Entry], condition: str
) -> list[Line]:
    reference = study.reference_of(model)
    rows = _rows_of(study, model, contrasts, condition)
    of_reference = next(entry for entry in entries if entry.activation == reference)
    lines = []
    for entry in entries:
        if entry.activation == reference:
            continue
        gap = ""
        if entry.seeds == 0:
            gap = entry.gap
        elif of_reference.seeds < 2:
            gap = f"reference {style.readable(reference)}: {of_reference.gap or 'missing'}"
        lines.append(_line(entry, rows.get(entry.activation), gap or entry.gap))
    return lines


def _rows_of(
    study: Study, model: str, contrasts: pd.DataFrame, condition: str = FINAL
) -> dict[str, Row]:
    """Return the contrasts with the reference by activation."""
    mine = contrasts[
        (contrasts["model"] == model)
        & (contrasts["arm"] == drawn_arm(study, model))
        & (contrasts["measure"] == study.figures.measure)
        & (contrasts["condition"] == condition)
        & (contrasts["second"] == study.reference_of(model))
    ]
    return {str(row["first"]): row for row in mine.to_dict("records")}


def _line(entry: Entry, row: Row | None, gap: str) -> Line:
    """Return the row of one ratio; `gap` is why there is none, if that is known."""

    def made(ratio: float | None, low: float | None, high: float | None, why: str = "") -> Entry:
        known = (entry.seeds, entry.wanted, why, entry.behind)
        return Entry(entry.activation, ratio, None, low, high, *known)

    if row is None:
        return Line(made(None, None, None, gap or "not compared"))
    notes = tuple(part for part in str(row["note"]).split("; ") if part)
    ratio, low, high = (_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    if ratio is None:
        return Line(made(None, None, None, notes[0] if notes else "no ratio"), notes=notes)
    return Line(made(ratio, low, high), str(row["verdict"]), notes)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def _matched_loss(study: Study, model: str, contrasts: pd.DataFrame) -> float | None:
    losses = (row["matched_loss"] for row in _rows_of(study, model, contrasts, MATCHED).values())
    return next(filter(None, map(_number, losses)), None)


def _contrasts_note(
    study: Study,
    model: str,
    measure: Measure,
    entries: Sequence[Entry],
    panels: Mapping[str, Sequence[Line]],
) -> str:
    level, margin = confidence_text(study), study.statistics.margin
    more = "higher" if measure.more_is_closer else "lower"
    parts = [
        f"Mark: mean {measure.label} over pairs of seeds, divided by that of "
        f"{style.readable(study.reference_of(model))} ({more} = predictions more alike). "
        f"Bar: {level} interval (Fieller), comparing trainings of the same seed. "
        f"Light band: ratios from {1 / (1 + margin):.3g} to {1 + margin:.3g}, which the study "
        f"counts as equal. Between trainings, {ARM_WORDS[drawn_arm(study, model)]}.",
        "Words at the right: the verdict after correction for all comparisons of this model "
        "(Holm), of which some are not drawn; a bar alone may miss the 1 and still be undecided. "
        "Undecided does not mean equal.",
    ]
    parts += _gathered(line for lines in panels.values() for line in lines)
    if any(entry.behind for entry in entries):
        behind = [style.readable(entry.activation) for entry in entries if entry.behind]
        who = ", ".join(behind) if len(behind) < len(entries) else "every activation"
        parts.append(
            f"{BEHIND}: a seed of {who} predicts no better than letter frequencies do; "
            "predictions that learned nothing agree easily."
        )
    if any(line.entry.gap for lines in panels.values() for line in lines):
        parts.append("Hatched: there is no such ratio, and none is filled in.")
    return "\n".join(parts)


def _gathered(lines: Iterable[Line]) -> list[str]:
    """Return each note once, with the activations that it is about unless it is about all."""
    about: dict[str, dict[str, None]] = {}
    every: dict[str, None] = {}
    for line in lines:
        # What a hatched row says of itself need not be said again.
        shown = [note for note in line.notes if note != line.entry.gap]
        if line.entry.estimate is not None:
            every[line.entry.activation] = None
        for note in shown:
            about.setdefault(note, {})[line.entry.activation] = None
    result = []
    for note, names in about.items():
        who = "" if set(every) <= set(names) else f"{', '.join(map(style.readable, names))}: "
        # "Family" is the statistician's word.
        told = re.sub(r"a family of (\d+)", r"\1 comparisons at once", note)
        told = re.sub(r"^the (\d+ shared seeds) of", r"compared on \1, of", told)
        result.append(f"{who}{told[0].upper() + told[1:] if not who else told}.")
    return result


def _label(entry: Entry) -> str:
    name = style.wrap(style.readable(entry.activation), LABEL_LETTERS)
    name += f" {BEHIND}" if entry.behind else ""
    few = 0 < entry.seeds < entry.wanted
    return f"{name}\n{entry.seeds} of {entry.wanted} seeds" if few else name


def _rows_inches(labels: Sequence[str]) -> float:
    return max(1.2, sum(0.26 + 0.16 * max(1, label.count("\n")) for label in labels))


def _label_rows(axes: Axes, labels: Sequence[str], shown: bool = True) -> None:
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelleft=shown, labelsize=style.NORMAL)
    axes.grid(visible=False, axis="y")


def _draw_lines(
    axes: Axes,
    study: Study,
    lines: Sequence[Line],
    name: str,
    margin: float | None = None,
    others: Sequence[Line] = (),
) -> None:
    """Draw one row per line, with its verdict and its numbers at the right.

    The range holds `others` too. Without a margin there are no verdicts, so none is bold.
    """
    drawn = [line for line in lines if line.entry.estimate is not None]
    if not drawn:
        set_range(axes, [], [], PANEL_INCHES)
        gaps = {line.entry.gap for line in lines}
        words = gaps.pop() if len(gaps) == 1 else ""
        style.draw_missing(axes, words or ("" if gaps else "one activation: nothing to compare"))
        if gaps:
            _hatch(axes, lines)
        return
    band = [1 / (1 + margin), 1 + margin] if margin is not None else [1.0]
    entries = [line.entry for line in (*lines, *others)]
    set_range(axes, [*ends(entries), *band], [], PANEL_INCHES)
    if margin is not None:
        axes.axvspan(band[0], band[1], color=BAND, linewidth=0, zorder=0.4, gid=f"margin:{name}")
    axes.axvline(1.0, color=style.INK, linewidth=1.1, zorder=2, gid=f"reference:{name}")
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            continue
        look = style.look(line.entry.activation, study.figures.colours)
        key = f"{name}:{line.entry.activation}"
        draw_interval(axes, row, line.entry, look, key, "", PANEL_INCHES)
        told = margin is not None and line.verdict != "undecided"
        axes.annotate(
            "\n".join(filter(None, [line.verdict, _numbers(line.entry)])),
            (1, row),
            (8, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            weight="bold" if told else "normal",
            color=style.INK if told else style.FAINT,
            annotation_clip=False,
        )
    _hatch(axes, lines)


def _hatch(axes: Axes, lines: Sequence[Line]) -> None:
    for row, line in enumerate(lines):
        if line.entry.estimate is None:
            style.draw_missing(axes, line.entry.gap, y=(row - 0.4, row + 0.4))


def _numbers(entry: Entry) -> str:
    ends = "no interval" if entry.low is None else f"{entry.low:.3f} to {entry.high:.3f}"
    return f"{entry.estimate:.3f} ({ends})"


@style.styled()
def draw_ratios(study: Study, ratios: pd.DataFrame, ran: Sequence[str]) -> Figure:
    """Draw each activation's mean ratio to the reference over the models, and how sure it is.

    Args:
        study: what was to run; `study.figures.measure` is drawn.
        ratios: of `RATIOS_SCHEMA`.
        ran: the models that it rests on.
    """
    measure = MEASURES[study.figures.measure]
    arm = study_arm(study)
    activations = all_activations(study)
    reference = study.statistics.reference or (activations[0] if activations else "")
    mine = ratios[
        (ratios["arm"] == arm)
        & (ratios["measure"] == measure.name)
        & (ratios["second"] == reference)
    ]
    rows = {str(row["first"]): row for row in mine.to_dict("records")}
    others = [name for name in activations if name != reference]
    lines = [_ratio_line(name, rows.get(name)) for name in others]
    labels = [_label(line.entry) for line in lines]
    known = style.readable(reference)
    figure = new_figure(
        study,
        f"Over all models: is an activation more reproducible than {known}?",
        _ratios_note(study, measure, known, lines, ran),
        _rows_inches(labels) + 1.1,
    )
    grid = figure.add_gridspec(1, 2, width_ratios=[1.25, 1])
    axes = figure.add_subplot(grid[0])
    _draw_lines(axes, study, lines, "ratio")
    _label_rows(axes, labels)
    axes.set_xlabel(f"{measure.label}, ratio to {known}")
    title(axes, "Mean ratio over models", _side(measure, reference))
    axes = figure.add_subplot(grid[1])
    _draw_chances(axes, study, lines, rows)
    _label_rows(axes, labels, shown=False)
    axes.set_xlabel(f"that its {measure.label} is lower than that of {known} (%)")
    lower = "lower = less alike" if measure.more_is_closer else "lower = more alike"
    title(
        axes,
        f"How likely is it lower than {known}?",
        f"filled: chance for the mean over models; hollow: expected\nshare of the models; {lower}",
    )
    return figure


def _ratio_line(activation: str, row: Row | None) -> Line:
    entry = Entry(activation, None, None, None, None, 0, 0, "not run")
    if row is None:
        return Line(entry)
    notes = tuple(part for part in str(row["note"]).split("; ") if part)
    ratio, low, high = (_number(row[name]) for name in ("ratio", "low", "high"))
    if ratio is None:
        return Line(Entry(activation, None, None, None, None, 0, 0, "no model has a ratio"))
    verdict = f"{row['models']:.0f} model{'s' * (row['models'] != 1)}"
    return Line(Entry(activation, ratio, None, low, high, 0, 0), verdict, notes)


def _draw_chances(axes: Axes, study: Study, lines: Sequence[Line], rows: Mapping[str, Row]) -> None:
    axes.set_xlim(-4, 104)
    axes.axvline(50, color=style.INK, linewidth=1.1, zorder=2)
    for row, line in enumerate(lines):
        activation = line.entry.activation
        look = style.look(activation, study.figures.colours)
        found = rows.get(activation, {})
        chance, share = (_number(found.get(name)) for name in ("chance_lower", "share_lower"))
        if chance is None and share is None:
            words = line.entry.gap or "cannot be told"
            style.draw_missing(axes, words, y=(row - 0.4, row + 0.4))
            continue
        for name, value, shift in (("chance", chance, -0.13), ("share", share, 0.13)):
            if value is None:
                continue
            axes.plot(
                [100 * value],
                [row + shift],
                color=look.colour,
                marker=look.marker,
                markersize=7,
                markerfacecolor=look.colour if name == "chance" else "white",
                markeredgewidth=0.6 if name == "chance" else 1.4,
                linestyle="none",
                zorder=3,
                gid=f"{name}:{activation}",
            )
        told = [_percent(chance), _percent(share)]
        axes.annotate(
            f"{told[0]}\n{told[1]} of models",
            (1, row),
            (8, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=style.FAINT,
            annotation_clip=False,
        )
    if lines and all(line.entry.estimate is None for line in lines):
        axes.set_xticks([])


def _percent(value: float | None) -> str:
    if value is None:
        return "unknown"
    if 0.0 < value < 0.001 or 0.999 < value < 1.0:
        return "under 0.1%" if value < 0.5 else "over 99.9%"
    return f"{100 * value:.1f}%"


def _ratios_note(
    study: Study, measure: Measure, known: str, lines: Sequence[Line], ran: Sequence[str]
) -> str:
    parts = [
        f"Mark at the left: geometric mean over models of the ratio of mean {measure.label} to "
        f"that of {known}, at the last step; every model counts the same. Bar: its "
        f"{confidence_text(study)} interval, from the uncertainty over seeds within each model.",
        "The models are taken as they are (fixed): bars and chances are about these models and "
        "say nothing about others. A mean over models can hide that they disagree; where the "
        "hollow mark is near 50%, they do or too little is known. Chances are given for each "
        "activation alone and are not corrected for the number of comparisons.",
        *_gathered(lines),
    ]
    absent = [model for model in study.models if model not in ran]
    if absent:
        parts.append(f"Not run, and in no number here: {', '.join(absent)}.")
    arms = {drawn_arm(study, model) for model in study.models}
    if len(arms) > 1:
        parts.append(f"Only models in which {ARM_WORDS[study_arm(study)]}.")
    if any(line.entry.gap for line in lines):
        parts.append("Hatched: there is no such number, and none is filled in.")
    return "\n".join(parts)
