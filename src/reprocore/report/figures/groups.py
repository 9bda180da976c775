"""The figure of groups of models: levels with their intervals, one panel for each measure."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.comparison import records
from reprocore.report.figures import marks, style
from reprocore.report.figures.frame import title
from reprocore.report.words import readable
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
    looks = style.looks(dict.fromkeys(estimates["group"]))
    size = (PANEL_INCHES * len(names) + 1.2, 0.32 * len(looks) + 1.5)
    figure = Figure(size, dpi=150, layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for index, (name, axes) in enumerate(zip(names, panels, strict=True)):
        rows = [
            marks.Row(f"{name}:{row['group']}", row["group"], looks[row["group"]], span, why)
            for row in records(estimates[estimates["measure"] == name])
            for span in [marks.span_of(row, "estimate")]
            for why in ["" if span else "no number"]
        ]
        marks.label_rows(axes, [readable(group) or "models" for group in looks], index == 0)
        marks.draw_rows(axes, rows)
        heading, which = (
            SCORES[name]
            if name in SCORES
            else (MEASURES[name].label, marks.direction(MEASURES[name]))
        )
        title(axes, style.wrap(heading, 24), which, size=10.0)
    figure.supxlabel(
        f"mean with its {confidence:.0%} interval; hollow: no interval. Axes do not start at 0.",
        size=style.SMALL,
    )
    return figure
