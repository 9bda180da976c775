"""Panel (d) of the cross-model figure: how much the activation changes the measure."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from reprocore.config import Study
from reprocore.divergence import Measure
from reprocore.figures import style
from reprocore.figures.canvas import title
from reprocore.figures.intervals import note_beside, set_range
from reprocore.figures.tables import Entries, Entry, model_label
from reprocore.sensitivity import coefficient_of_variation, noise_corrected_cv

PANEL_INCHES = 2.7


def draw_sensitivity(axes: Axes, study: Study, entries: Entries, measure: Measure) -> None:
    """Draw (d): how much the activation changes the measure, as it is and less seed noise."""
    rows = sorted(entries, key=lambda model: _rank(entries[model]))
    spreads = {model: _spread(entries[model]) for model in rows}
    numbers = [value for pair in spreads.values() for value in pair if value is not None]
    texts = {model: _spread_text(entries[model]) for model in rows}
    notes = [(_ends(s), texts[m]) for m, s in spreads.items() if s[0] is not None]
    set_range(axes, [0.0, *numbers] if numbers else [], notes, PANEL_INCHES)
    for row, model in enumerate(rows):
        plain, corrected = spreads[model]
        if plain is None:
            style.draw_missing(axes, texts[model], y=(row - 0.4, row + 0.4))
            continue
        if corrected is not None:
            axes.plot([corrected, plain], [row, row], color="#9a9a9a", linewidth=1.6, zorder=2)
            axes.plot(
                corrected, row, marker="o", color=style.INK, markersize=7, gid=f"corrected:{model}"
            )
        axes.plot(
            plain,
            row,
            marker="o",
            markersize=7,
            color=style.INK,
            markerfacecolor="none",
            markeredgewidth=1.4,
            gid=f"plain:{model}",
        )
        note_beside(axes, _ends(spreads[model]), row, texts[model], PANEL_INCHES)
    axes.set_yticks(range(len(rows)), [model_label(study, model) for model in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
    axes.set_xlabel(f"variation of {measure.label} across\nactivations (CV, % of its mean)")
    title(
        axes,
        "(d) Sensitivity to the activation",
        "○ as measured     ● less seed noise\n(0: all of it can be seed noise)",
    )


def _ends(spread: tuple[float | None, float | None]) -> tuple[float, float]:
    known = [value for value in spread if value is not None]
    return min(known), max(known)


def _spread(each: Sequence[Entry]) -> tuple[float | None, float | None]:
    """Return the CV across activations and the noise-corrected CV, None where there is none."""
    drawn = [entry for entry in each if entry.estimate is not None]
    values = [entry.estimate for entry in drawn if entry.estimate is not None]
    return coefficient_of_variation(values), noise_corrected_cv(values, [e.se for e in drawn])


def _rank(each: Sequence[Entry]) -> tuple[bool, float, float]:
    """Sort key: most sensitive first, by the corrected CV; without a number last."""
    plain, corrected = _spread(each)
    return plain is None, -(corrected or 0.0), -(plain or 0.0)


def _spread_text(each: Sequence[Entry]) -> str:
    plain, corrected = _spread(each)
    drawn = [entry for entry in each if entry.estimate is not None]
    if plain is None:
        if all(entry.gap == "not run" for entry in each):
            return "not run"
        return "fewer than 2 activations" if len(drawn) < 2 else "mean is 0: no CV"
    less = "" if corrected is None else f" → {corrected:.1f}%"
    lines = [f"{plain:.1f}%{less}"]
    if corrected is None:
        lines.append(next(e.note for e in drawn if e.se is None))
    if len(drawn) < len(each):
        lines.append(f"{len(drawn)} of {len(each)} activations")
    return "\n".join(lines)
