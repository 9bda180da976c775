"""How figures look: one colour, marker and line per activation, names, files."""

import contextlib
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory

from reprocore.store.files import atomic
from reprocore.vocabulary import smelu_beta

# Points. A figure is 12 inches wide; shown 1000 pixels wide, 8.5 points are 10 pixels.
SMALL = 8.5
NORMAL = 9.5
LARGE = 13.0

INK = "#222222"
FAINT = "#555555"
GRID = "#e2e2e2"
MISSING_FACE = "#f3f3f3"
MISSING_HATCH = "#b5b5b5"
MISSING_ID = "missing"
MISSING: Mapping[str, Any] = {
    "facecolor": MISSING_FACE,
    "edgecolor": MISSING_HATCH,
    "hatch": "////",
    "gid": MISSING_ID,
}

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": NORMAL,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": NORMAL,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8c8c8c",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.06,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "text.parse_math": False,  # a title is the user's text: a dollar sign is a dollar sign
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": NORMAL,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "path",  # the reader's fonts have other widths, and labels would collide
    "svg.hashsalt": "reprocore",
}


Line = Literal["-", "--", "-.", ":"]


@dataclass(frozen=True)
class Look:
    """How one activation is drawn, in every figure."""

    colour: str
    marker: str
    line: Line


# Okabe & Ito (2008) for the default activations, Tol's muted set for the others. Lines: solid for
# plain activations, dashed for gated ones.
_LOOKS = {
    "relu": Look("#000000", "o", "-"),
    "gelu": Look("#E69F00", "s", "-"),
    "swish": Look("#56B4E9", "^", "-"),
    "mish": Look("#AA4499", "X", "-"),
    "elu": Look("#999933", "<", "-"),
    "selu": Look("#8C564B", ">", "-"),
    "prelu": Look("#7F7F7F", "h", "-"),
    "relu2": Look("#44AA99", "8", "-"),
    "tanh": Look("#CC6677", "H", "-"),
    "softplus": Look("#661100", "*", "-"),
    "apl": Look("#DDCC77", "P", "-"),
    "swiglu": Look("#D55E00", "D", "--"),
    "geglu": Look("#CC79A7", "d", "--"),
    "reglu": Look("#882255", "p", "--"),
}

# By log2 β: colours run from light to dark, so any β has one and only near ones look alike.
_SMELU_RAMP = (
    (-4.0, "#8CCB9E"),
    (-2.0, "#57B881"),
    (-1.0, "#009E73"),
    (0.0, "#0072B2"),
    (1.0, "#332288"),
    (4.0, "#0B0733"),
)
_SMEGLU_RAMP = (
    (-4.0, "#F09AA8"),
    (-2.0, "#EE8866"),
    (-1.0, "#EE3377"),
    (0.0, "#BB0044"),
    (1.0, "#6E0038"),
    (4.0, "#26000F"),
)
_SMELU_MARKERS = {-2: "<", -1: "v", 0: "P", 1: "X", 2: ">"}

_OTHER_COLOURS = ("#0077BB", "#EE7733", "#009988", "#CC3311", "#7B3FA0", "#666633", "#5B7F95")
_OTHER_MARKERS = ("^", "v", "<", ">", "h", "*", "p", "X")


def look(activation: str, colours: Mapping[str, str] | None = None) -> Look:
    """Return how `activation` is drawn, by its name alone; `colours` go before the default."""
    own = _default_look(activation)
    return replace(own, colour=(colours or {}).get(activation, own.colour))


def looks(activations: Iterable[str], colours: Mapping[str, str] | None = None) -> dict[str, Look]:
    """Return how all `activations` of a figure are drawn.

    It is `look`, but that a custom activation whose colour another one has takes the next that is
    free, as long as there is one. In the order of their names: the order of the list is no matter.
    """
    found = {name: look(name, colours) for name in activations}
    taken: set[str] = set()
    for name in sorted(found):
        if _is_custom(name) and name not in (colours or {}):
            first = _OTHER_COLOURS.index(found[name].colour)
            free = [c for c in (*_OTHER_COLOURS[first:], *_OTHER_COLOURS) if c not in taken]
            found[name] = replace(found[name], colour=(free or [found[name].colour])[0])
            taken.add(found[name].colour)
    return found


def _is_custom(activation: str) -> bool:
    return activation not in _LOOKS and not smelu_beta(activation)


def _default_look(activation: str) -> Look:
    if activation in _LOOKS:
        return _LOOKS[activation]
    beta = smelu_beta(activation)
    if beta:
        gated = activation.startswith("smeglu")
        place = min(max(math.log2(beta), -4.0), 4.0)
        marker = _SMELU_MARKERS[round(min(max(place, -2.0), 2.0))]
        colour = _on_ramp(_SMEGLU_RAMP if gated else _SMELU_RAMP, place)
        return Look(colour, marker, "--" if gated else "-.")
    # A hash of the name: Python's own hash() differs from run to run.
    number = int.from_bytes(hashlib.sha256(activation.encode()).digest()[:4], "big")
    colour = _OTHER_COLOURS[number % len(_OTHER_COLOURS)]
    return Look(colour, _OTHER_MARKERS[number // 7 % len(_OTHER_MARKERS)], ":")


def _on_ramp(ramp: tuple[tuple[float, str], ...], place: float) -> str:
    places = [at for at, _ in ramp]
    channels = zip(*(to_rgb(colour) for _, colour in ramp), strict=True)
    red, green, blue = (float(np.interp(place, places, channel)) for channel in channels)
    return to_hex((red, green, blue)).upper()


def wrap(text: str, width: int) -> str:
    """Break each line of `text` into lines of at most `width` letters, after `_` or spaces."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in re.findall(r"[^ _]+[ _]?|[ _]", paragraph):
            if line and len((line + piece).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            while len(piece.rstrip()) > width:
                lines.append(piece[:width])
                piece = piece[width:]
            line += piece
        lines.append(line.rstrip())
    return "\n".join(lines)


def shorten(name: str, letters: int = 30) -> str:
    """Return `name`, its middle left out where it is longer than `letters`."""
    if len(name) <= letters:
        return name
    half = (letters - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw and save in this project's style, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


@styled()
def save(figure: Figure, path: str | Path) -> list[Path]:
    """Write `figure` as the PNG `path` and as SVG beside it, atomically, at the figure's own dpi.

    The same figure gives the same bytes: no date is written and ids are hashed with a fixed salt.

    Raises:
        ReprocoreError: the folder cannot be written.
    """
    path = Path(path)
    FigureCanvasAgg(figure)
    _fix_layout(figure)
    written = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        target = path.with_suffix(f".{kind}")
        with atomic(target) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
        written.append(target)
    return written


def _fix_layout(figure: Figure) -> None:
    """Lay out for good, on round numbers.

    The solver's last digits depend on where objects lie in memory, and ids in an SVG on them.
    """
    figure.draw_without_rendering()
    # Not "none", which leaves a layout engine that has every file drawn twice.
    figure.set_layout_engine(None)
    for axes in figure.axes:
        left, bottom, width, height = (round(float(v), 6) for v in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))


def draw_missing(
    axes: Axes,
    label: str,
    *,
    x: tuple[float, float] | None = None,
    y: tuple[float, float] | None = None,
) -> None:
    """Hatch a part of `axes` where nothing is known, and say why.

    Args:
        axes: where.
        label: such as "not run" or "missing".
        x: range in data coordinates; None is the whole width of the axes.
        y: range in data coordinates; None is the whole height of the axes.
    """
    across, along = (axes.transData if part else axes.transAxes for part in (x, y))
    transform = blended_transform_factory(across, along)
    (x0, x1), (y0, y1) = x or (0.0, 1.0), y or (0.0, 1.0)
    axes.add_patch(
        Rectangle(
            (x0, y0), x1 - x0, y1 - y0, transform=transform, linewidth=0.0, zorder=1.5, **MISSING
        )
    )
    axes.text(
        (x0 + x1) / 2,
        (y0 + y1) / 2,
        label,
        transform=transform,
        ha="center",
        va="center",
        size=SMALL,
        zorder=4,
        linespacing=1.1,
        gid=MISSING_ID,
        bbox={"boxstyle": "square,pad=0.12", "facecolor": MISSING_FACE, "edgecolor": "none"},
    )


def hatch_whole(axes: Axes, label: str) -> None:
    """Hatch all of `axes`, of which nothing is known, and say why."""
    draw_missing(axes, label)
    axes.grid(visible=False)
    # Not by its ticks, which it may share with other panels.
    axes.tick_params(bottom=False, left=False, labelbottom=False, labelleft=False)
