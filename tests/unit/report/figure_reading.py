"""What a drawn figure says: its artists by name, its texts, and those that cannot be read."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Patch
from matplotlib.text import Text

from reprocore.report.figures import style


def artist(figure, gid):
    """The one artist of this name."""
    (found,) = figure.findobj(lambda a: a.get_gid() == gid)
    return found


def bar(figure, gid):
    """The ends of the one bar of this name."""
    ((first, second),) = artist(figure, gid).get_segments()
    # A bar of no length does not show which way it runs.
    along = int(np.argmax(first != second)) or int(":y:" in gid)
    return pytest.approx([first[along], second[along]])


def note_of(figure):
    """The note under a figure in one line."""
    return " ".join(artist(figure, "note").get_text().split())


def gids(figure, prefix):
    return {a.get_gid() for a in figure.findobj() if str(a.get_gid()).startswith(prefix)}


def texts(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def hatches(figure):
    """Hatched patches and legend entries that stand for something missing."""
    return figure.findobj(lambda a: isinstance(a, Patch) and a.get_hatch() is not None)


def rendered(figure):
    """(text, bounding box in pixels) of every text that is really drawn."""
    with style.styled():
        canvas_ = FigureCanvasAgg(figure)
        canvas_.draw()
        renderer = canvas_.get_renderer()
        hidden = set()
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                slack = 1e-6 * (high - low)
                for tick in axis.get_major_ticks():
                    if not low - slack <= tick.get_loc() <= high + slack:
                        hidden |= {tick.label1, tick.label2}
        return [
            (text.get_text(), text.get_window_extent(renderer))
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in hidden
        ]


def illegible(figure):
    """Texts of a figure that lie on one another, as pairs, or go over its edge."""
    drawn, found = rendered(figure), []
    for (text_a, a), (text_b, b) in itertools.combinations(drawn, 2):
        # Half a pixel of a box is its padding, not ink.
        apart = a.x1 <= b.x0 + 0.5 or b.x1 <= a.x0 + 0.5 or a.y1 <= b.y0 + 0.5 or b.y1 <= a.y0 + 0.5
        if not apart:
            found.append((text_a, text_b))
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in drawn:
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            found.append(text)
    return found


def rows_of(table, **wanted):
    """The rows of a table with these values."""
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.to_dict("records")
