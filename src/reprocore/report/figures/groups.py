"""The figure of groups of models: levels with their intervals, one panel for each measure."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.comparison import records
from reprocore.report.figures import style
from reprocore.report.figures.entries import Entry
from reprocore.report.figures.frame import title
from reprocore.report.figures.intervals import direction, draw_interval, ends, label_rows, set_range
from reprocore.vocabulary import MEASURES

DRAWN = ("relative_pd", "total_variation", "churn", "loss", "accuracy")
SCORES: Mapping[str, tuple[str, str]] = {
    "loss": ("loss (nats)", "lower = better"),
    "accuracy": ("accuracy", "higher = better"),
}
PANEL_INCHES = 2.4


@style.styled()
def draw_groups(estimates: pd.DataFrame, confidence: float) -> Figure:
    """Draw the levels of every group, one panel for each measure, one line for each group.

    Args:
        estimates: of `reproducibility`, of one snapshot.
        confidence: level of the intervals, for the note.
    """
    names = [name for name in DRAWN if name in set(estimates["measure"])]
    groups = list(dict.fromkeys(estimates["group"]))
    size = (PANEL_INCHES * len(names) + 1.2, 0.32 * len(groups) + 1.5)
    figure = Figure(size, dpi=150, layout="constrained")
    for index, (name, axes) in enumerate(
        zip(names, figure.subplots(1, len(names), squeeze=False)[0], strict=True)
    ):
        entries = [_entry(row) for row in records(estimates[estimates["measure"] == name])]
        set_range(axes, ends(entries), [], PANEL_INCHES)
        for y, entry in enumerate(entries):
            look = style.look(entry.activation)
            draw_interval(axes, y, entry, look, f"{name}:{entry.activation}", "", PANEL_INCHES)
        label_rows(axes, [style.readable(group) or "models" for group in groups], index == 0)
        heading, which = (
            SCORES[name] if name in SCORES else (MEASURES[name].label, direction(MEASURES[name]))
        )
        title(axes, style.wrap(heading, 24), which, size=10.0)
    figure.supxlabel(
        f"mean with its {confidence:.0%} interval; hollow: no interval. Axes do not start at 0.",
        size=style.SMALL,
        color=style.FAINT,
    )
    return figure


def _entry(row: Mapping[str, float]) -> Entry:
    seeds = int(row["seeds"])
    return Entry(
        str(row["group"]), row["estimate"], row["se"], row["low"], row["high"], seeds, seeds
    )
