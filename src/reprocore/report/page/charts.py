"""The charts of the page, as Vega-Lite: what is drawn once here and filled with rows there.

A text that begins with `@` is a place that the page fills: a title, or an end of an axis.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt

from reprocore.report.figures import style

Spec = dict[str, Any]
Looks = Sequence[tuple[str, style.Look]]
Layers = alt.LayerChart | alt.FacetChart

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
ROW_HEIGHT = 24
SHAPES = {
    **{"o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down"},
    **{"<": "triangle-left", ">": "triangle-right", "D": "diamond", "d": "diamond"},
    **{"P": "cross", "X": "cross", "*": "stroke", "h": "circle", "H": "square"},
    **{"8": "circle", "p": "diamond"},
}
DASHES = {"-": [1, 0], "--": [6, 3], "-.": [6, 2, 1.5, 2], ":": [1.5, 2]}
_LIMITS = alt.Scale(domain=["@low", "@high"], nice=False, zero=False)


def specifications(looks: Looks) -> dict[str, Spec]:
    """Return each kind of chart by its name.

    Args:
        looks: the label of each activation, and how it is drawn.

    Returns:
        `rows`, `ratios`, `lines`, `ratio_lines`, `rates` and `heat`; `plain` is rows that are no
        activations.
    """
    charts = {
        "rows": _rows(looks, None),
        "ratios": _rows(looks, 1.0),
        "plain": _rows([], None),
        "lines": _lines(looks, None),
        "ratio_lines": _lines(looks, 1.0),
        "rates": _rates(),
        "heat": _heat(),
    }
    return {name: _configured(chart).to_dict() for name, chart in charts.items()}


def _configured(chart: Layers) -> Layers:
    return (
        chart.properties(
            width="container",
            background="transparent",
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=style.GRID,
            domain=False,
            ticks=False,
            labelColor=style.FAINT,
            titleColor=style.FAINT,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
            labelPadding=6,
        )
        .configure_legend(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
    )


def _rows(looks: Looks, reference: float | None) -> Layers:
    """One row for each label: a number with its interval, or why there is none."""
    # Of a pair of activations, `GELU / ReLU`, the first one says how it looks.
    base = (
        alt.Chart(alt.NamedData("rows"))
        .transform_calculate(look="split(datum.label, ' / ')[0]")
        .encode(
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(grid=False, labelLimit=190)),
            color=_colour(looks, "look:N"),
        )
    )
    tips = [alt.Tooltip("label:N", title=" "), alt.Tooltip("text:N", title="value")]
    tips.append(alt.Tooltip("note:N", title="note"))
    axis = alt.Axis(tickCount=4, labelOverlap="greedy", labelSeparation=8)
    number = alt.X("estimate:Q", title="@title", scale=_LIMITS, axis=axis)
    hollow = alt.when("datum.low === null").then(alt.value("white"))
    layers = [
        base.mark_rule(strokeWidth=2.2, strokeCap="round").encode(x="low:Q", x2="high:Q"),
        base.mark_point(size=75, opacity=1, strokeWidth=1.6).encode(
            x=number,
            shape=_shape(looks, "look:N"),
            fill=hollow.otherwise(_colour(looks, "look:N")),
            tooltip=tips,
        ),
        base.mark_text(align="left", fontStyle="italic", x=6).encode(
            text="why:N", color=alt.value(style.FAINT)
        ),
    ]
    if reference is not None:
        layers.insert(0, _line_at(x=alt.datum(reference)))
    return alt.layer(*layers).properties(height={"step": ROW_HEIGHT})


def _line_at(**place: Any) -> alt.Chart:
    line = alt.Chart(alt.NamedData("rows")).mark_rule(color=style.INK, strokeDash=[2, 2])
    return line.encode(**place)


def _lines(looks: Looks, reference: float | None) -> Layers:
    """A line for each activation, with the band of its interval."""
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X(
            "step:Q",
            title="@across",
            scale=alt.Scale(type="log", base=2, nice=False, padding=8),
            axis=alt.Axis(
                grid=False, values=["@ticks"], format="~r", labelOverlap="greedy", labelSeparation=6
            ),
        ),
    )
    y = alt.Y("estimate:Q", title="@title", scale=_LIMITS, axis=alt.Axis(tickCount=5))
    tips = [alt.Tooltip("label:N", title="activation"), alt.Tooltip("step:Q", title="step")]
    tips.append(alt.Tooltip("text:N", title="value"))
    layers = [
        base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q"), y2="high:Q", color=_colour(looks)),
        base.mark_line(strokeWidth=1.8).encode(y=y, strokeDash=_dash(looks), color=_colour(looks)),
        base.mark_point(size=28, filled=True, opacity=1).encode(
            y=y, shape=_shape(looks), color=_colour(looks), tooltip=tips
        ),
    ]
    if reference is not None:
        layers.insert(0, _line_at(y=alt.datum(reference)))
    return alt.layer(*layers).properties(height=210)


def _rates() -> Layers:
    """Losses by learning rate: each training, their mean, and the chosen rate."""
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X(
            "learning_rate:Q",
            title="learning rate",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(format="~g", grid=False, values=["@ticks"]),
        ),
        color=alt.value(style.INK),
    )
    scale = alt.Scale(zero=False)
    loss = alt.Y("val_loss:Q", title="validation loss (nats)", scale=scale)
    mean = alt.Y("mean_loss:Q", scale=scale)
    tips = [alt.Tooltip(f"{name}:N", title=name.replace("_", " ")) for name in _RATE_COLUMNS]
    return alt.layer(
        base.mark_line(strokeWidth=1.4).encode(y=mean),
        base.mark_point(size=26, filled=True, opacity=0.6).encode(y=loss, tooltip=tips),
        base.transform_filter("datum.chosen")
        .mark_point(size=170, strokeWidth=2, shape="circle")
        .encode(y=mean, color=alt.value("#D55E00"), tooltip=tips),
    ).properties(height=180)


_RATE_COLUMNS = ("learning_rate", "seed", "val_loss", "mean_loss", "trial")


def _heat() -> Layers:
    """Seeds by seeds."""
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("seed_a:O", title="seed", axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("seed_b:O", title="seed"),
        tooltip=[
            alt.Tooltip("seed_a:O", title="seed"),
            alt.Tooltip("seed_b:O", title="and seed"),
            alt.Tooltip("value:Q", title="difference", format=".4f"),
        ],
    )
    colour = alt.Color(
        "value:Q",
        title="@title",
        scale=alt.Scale(range=["#fdf3ea", "#f0a05f"], domain=["@low", "@high"]),
        legend=alt.Legend(
            orient="bottom", direction="horizontal", gradientLength=220, offset=12, padding=8
        ),
    )
    return alt.layer(
        base.mark_rect(cornerRadius=2).encode(color=colour),
        base.mark_text(fontSize=11).encode(text="text:N", color=alt.value(style.INK)),
    ).properties(height={"step": 34})


def _colour(looks: Looks, field: str = "label:N") -> Any:
    if not looks:
        return alt.value(style.INK)
    colours = [look.colour for _, look in looks]
    return alt.Color(field, scale=_named(looks, colours), legend=None)


def _shape(looks: Looks, field: str = "label:N") -> Any:
    if not looks:
        return alt.value("circle")
    shapes = [SHAPES.get(look.marker, "circle") for _, look in looks]
    return alt.Shape(field, scale=_named(looks, shapes), legend=None)


def _dash(looks: Looks) -> alt.StrokeDash:
    dashes = [DASHES[look.line] for _, look in looks]
    return alt.StrokeDash("label:N", scale=_named(looks, dashes), legend=None)


def _named(looks: Looks, values: list[Any]) -> alt.Scale:
    return alt.Scale(domain=[label for label, _ in looks], range=values)
