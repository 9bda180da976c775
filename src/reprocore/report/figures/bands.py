"""Rows in groups: one band of a panel per model or arm, and in it one lane per activation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes

from reprocore.report.figures import style
from reprocore.report.figures.marks import Row, draw_rows

GAP = 0.9


@dataclass(frozen=True)
class Bands:
    """Where rows are drawn; heights grow downwards from 0.

    Attributes:
        labels: of the bands, by name.
        spans: top and bottom of each band.
        lanes: height of each row in it.
        height: of all.
    """

    labels: Mapping[str, str]
    spans: Mapping[str, tuple[float, float]]
    lanes: Mapping[str, tuple[float, ...]]
    height: float

    @classmethod
    def of(cls, labels: Mapping[str, str], counts: Mapping[str, int]) -> "Bands":
        """Return the bands with these labels and so many rows."""
        spans, lanes, top = {}, {}, 0.0
        for name, count in counts.items():
            # A long label takes several lines, and so at least as many lanes.
            size = max(count, labels[name].count("\n") + 2)
            start = top + (size - count) / 2 + 0.5
            lanes[name] = tuple(start + index for index in range(count))
            spans[name] = (top, top + size)
            top += size + GAP
        return cls(labels, spans, lanes, top)

    def prepare(self, axes: Axes) -> None:
        """Make room for the bands, and write their labels."""
        axes.set_ylim(self.height - GAP / 2, -GAP / 2)
        axes.set_yticks([sum(span) / 2 for span in self.spans.values()], [*self.labels.values()])
        axes.tick_params(axis="y", length=0, labelsize=style.NORMAL)
        axes.grid(visible=False, axis="y")
        for _, bottom in list(self.spans.values())[:-1]:
            axes.axhline(bottom + GAP / 2, color=style.GRID, linewidth=0.9, zorder=1)

    def draw(self, axes: Axes, name: str, rows: Sequence[Row]) -> None:
        """Draw the rows of a band; what is missing is hatched, the whole band if all is."""
        whys = {row.why for row in rows}
        if len(whys) == 1 and "" not in whys:
            style.draw_missing(axes, whys.pop(), y=self.spans[name])
            return
        named = [
            replace(row, why=f"{style.shorten(row.name)}: {row.why}") if row.why else row
            for row in rows
        ]
        draw_rows(axes, named, self.lanes[name])
