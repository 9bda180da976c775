"""The figures over all models: sources, early signs, ratios and sizes are those of the tables."""

import math

import numpy as np
import pandas as pd
import pytest
from figure_reading import artist, bar, gids, illegible, note_of, rows_of, texts
from figure_tables import ARMS, Tables, make_study

from reprocore.report.figures.all_models.early import draw_early, related_from
from reprocore.report.figures.all_models.ratios import draw_ratios, percent
from reprocore.report.figures.all_models.scale import draw_scale
from reprocore.report.figures.all_models.sources import control_text, draw_sources
from reprocore.store.schemas import EARLY_SCHEMA
from reprocore.vocabulary import Condition

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow
MEASURE = "relative_pd"


def test_sources_are_those_of_the_table(armed, armed_figures):
    table, figure, count = armed.analysis["sources"], armed_figures["sources"], 0
    for row in rows_of(table, measure=MEASURE):
        key = f"{row['model']}:{row['arm']}:{row['activation']}"
        if row["arm"] == "all" or pd.isna(row["share"]):
            assert not gids(figure, f"estimate:{key}")
            continue
        assert list(artist(figure, f"estimate:{key}").get_xdata()) == [row["share"]]
        assert bar(figure, f"interval:{key}") == [row["low"], row["high"]]
        count += 1
    assert count == 4 * (1 + 2 + 3)  # arms beside all x activations of charlm, convlm, tinylstm
    assert "SwiGLU: 2 shared seeds" in texts(figure)
    assert "GELU: missing" in texts(figure)
    assert "not run" in texts(figure)


def test_a_model_without_dropout_is_no_measured_0(armed):
    table = armed.analysis["sources"].copy()
    drawn = table["arm"].eq("dropout") & table["share"].notna()
    table.loc[drawn, ["share", "low", "high"]] = 0.0
    # What feeds on the stream of dropout in another way is a difference like any other.
    table.loc[drawn & table["activation"].eq("swiglu"), ["share", "high"]] = 0.1, 0.2
    study = make_study(models=("tinylstm",), arms=list(ARMS))
    figure = draw_sources(study, table)
    assert "ReLU: no dropout" in texts(figure)
    assert not gids(figure, "estimate:tinylstm:dropout:relu")
    assert gids(figure, "estimate:tinylstm:dropout:swiglu")
    assert gids(figure, "estimate:tinylstm:none:relu")


def test_the_control_is_0_or_named(armed):
    study, table = armed.study, armed.analysis["sources"].copy()
    assert control_text(study, table) == "Control: 0 in all 7 groups, as it must be."
    wrong = (table["arm"] == "none") & (table["measure"] == "churn")
    wrong &= (table["model"] == "convlm") & (table["activation"] == "gelu")
    table.loc[wrong, "estimate"] = 1e-9
    assert control_text(study, table).startswith("Control: NOT 0 in 1 of 7 groups (convlm GELU)")
    assert control_text(study, table[table["arm"] != "none"]).endswith("has not run yet.")
    assert control_text(make_study(), table).endswith("was not run.")


def test_without_other_arms_the_figure_says_so(tmp_path):
    study = make_study(models=("charlm",))
    figure = draw_sources(study, Tables(study, tmp_path).analysis["sources"])
    assert any(text.startswith("Arms other than all were not run") for text in texts(figure))
    assert not figure.axes


def test_early_is_that_of_the_table(armed):
    table = armed.analysis["early"].copy()
    # As if the seeds told something: without that, nothing is drawn.
    table.loc[table["low"].notna(), "low"] = 0.1
    table.loc[table["estimate"].notna(), "estimate"] = 0.5
    figure = draw_early(armed.study, table, armed.analysis["early_model_order"])
    wanted = rows_of(table, arm="all", measure=MEASURE)
    assert {row["model"] for row in wanted if pd.notna(row["estimate"])} == {"convlm", "tinylstm"}
    for model in ("convlm", "tinylstm"):
        rows = [row for row in wanted if row["model"] == model]
        line = artist(figure, f"line:{model}")
        assert list(line.get_xdata()) == [row["budget"] for row in rows]
        assert list(line.get_ydata()) == [row["estimate"] for row in rows]
        for row in rows:
            key = f"{model}:{row['budget']:.6g}"
            assert bar(figure, f"interval:{key}") == [row["low"], row["high"]]
            assert list(artist(figure, f"estimate:{key}").get_ydata()) == [row["estimate"]]
    note = note_of(figure)
    assert "charlm: 2 seeds, needs 3." in note
    assert "minigpt: not run." in note
    # A model with two seeds leaves too few that all share.
    assert "the order of the models: 3 models with 2 seeds" in note
    assert not illegible(figure)


def test_early_is_a_sentence_where_no_bar_leaves_out_0(armed):
    table = armed.analysis["early"].copy()
    table.loc[table["low"].notna(), ["low", "high"]] = [-1.0, 1.0]
    figure = draw_early(armed.study, table, armed.analysis["early_model_order"])
    assert not figure.axes
    said = note_of(figure)
    assert "convlm, tinylstm: every interval of the rank correlation holds 0" in said
    assert "charlm: 2 seeds, needs 3." in said
    assert "minigpt: not run." in said


def made_early(lows, steps=(13, 25, 50)):
    rows = [
        {"model": "charlm", "arm": "all", "measure": MEASURE, "step": step, "budget": step / 100}
        | {"estimate": 0.5 if low is not None else None, "low": low, "high": 1.0, "reason": ""}
        for step, low in zip(steps, lows, strict=True)
    ]
    return pd.DataFrame(rows).reindex(columns=EARLY_SCHEMA.names)


@pytest.mark.parametrize(
    ("lows", "first"),
    [
        ((0.1, 0.2, 0.3), 0.13),
        ((0.2, -0.1, 0.3), 0.5),
        ((0.2, 0.3, 0.0), None),
        ((0.2, None, 0.3), 0.5),
    ],
)
def test_related_only_from_where_every_later_bar_is_above_0(armed, lows, first):
    table = made_early(lows)
    assert related_from(table) == first
    study = make_study(models=("charlm",))
    figure = draw_early(study, table, armed.analysis["early_model_order"])
    said = f"related to the end's from {100 * first:.0f}%" if first else "no bar stays above 0"
    assert any(said in text for text in texts(figure))
    assert not any("save" in text for text in texts(figure))
    assert ("none" in texts(figure)) == (None in lows)
    assert not illegible(figure)


def test_steps_that_are_close_do_not_print_over_each_other(armed):
    steps = (13, 25, 50, 56, 63, 69, 75, 81, 88, 94)
    table = made_early([0.2] * len(steps), steps)
    study = make_study(models=("charlm",))
    figure = draw_early(study, table, armed.analysis["early_model_order"])
    assert "94" in texts(figure)
    assert not illegible(figure)


def test_ratios_are_those_of_the_table(armed, armed_figures):
    rows = rows_of(armed.analysis["ratios"], arm="all", measure=MEASURE, second="relu")
    assert [row["first"] for row in rows] == ["gelu", "swiglu"]
    for row in rows:
        name = row["first"]
        estimate = artist(armed_figures["ratios"], f"estimate:ratio:{name}").get_xdata()
        assert list(estimate) == [row["ratio"]]
        assert bar(armed_figures["ratios"], f"interval:ratio:{name}") == [row["low"], row["high"]]
        shown = texts(armed_figures["ratios"])
        assert percent(row["chance_lower"]) in shown
        assert f"{percent(row['share_lower'])} of {row['models']} models" in shown
    note = note_of(armed_figures["ratios"])
    assert "Not run, and in no number here: minigpt" in note
    assert "(fixed)" in note


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.394, "39%"), (0.0, "under 1%"), (0.995, "over 99%"), (None, "unknown")],
)
def test_a_chance_looks_no_surer_than_it_is(share, shown):
    assert percent(share) == shown


def test_ratios_that_no_model_has_are_hatched(armed):
    table = armed.analysis["ratios"].copy()
    table.loc[table["first"] == "gelu", ["ratio", "low", "high"]] = np.nan
    table.loc[table["first"] == "gelu", ["chance_lower", "share_lower"]] = np.nan
    figure = draw_ratios(armed.study, table, armed.summary)
    assert texts(figure).count("no model has a ratio") == 1
    assert not gids(figure, "estimate:ratio:gelu")
    assert "unknown" not in texts(figure)


def sized(folder, names, **more):
    """The tables of a study of sizes of one architecture, and the figure of them."""
    tables = Tables(make_study(models=names, scale=names), folder, **more)
    a = tables.analysis
    return tables, draw_scale(
        tables.study, tables.summary, tables.estimates, a["sensitivity"], a["scale"]
    )


def test_scale_draws_the_marks_and_tells_the_slopes_of_the_tables(tmp_path):
    # One size has not run and one lacks an activation.
    seeds = {"large": (), ("medium", "swiglu"): ()}
    tables, figure = sized(tmp_path, ["tiny", "small", "medium", "large"], seeds=seeds)
    summary = rows_of(tables.summary, activation="relu")
    for row in summary:
        key = f"{row['model']}:relu"
        if row["seeds"] == 0:
            assert not gids(figure, f"estimate:level:parameters:{key}")
            continue
        for by, x in (("parameters", row["parameters"]), ("val_loss", row["val_loss"])):
            mark = artist(figure, f"estimate:level:{by}:{key}")
            assert list(mark.get_ydata()) == [row[MEASURE]]
            assert list(mark.get_xdata()) == pytest.approx([x], rel=0.15)
            side = "y:" if by == "val_loss" else ""
            ends = [row[f"{MEASURE}_low"], row[f"{MEASURE}_high"]]
            assert bar(figure, f"interval:{side}level:{by}:{key}") == ends
    told = " ".join(texts(figure))
    (slope,) = rows_of(
        tables.analysis["scale"], measure=MEASURE, activation="relu", scaled_by="parameters"
    )
    ends = [f"×{math.exp(slope[key]):#.3g}".removesuffix(".") for key in ("slope", "low", "high")]
    assert "ReLU {} ({} to {})".format(*ends) in told
    assert "SwiGLU: no slope, 2 models" in told
    assert gids(figure, "line:parameters:relu")
    assert not gids(figure, "line:parameters:swiglu")
    note = note_of(figure)
    assert "no such number: medium SwiGLU (missing), large (not run)." in note
    for mark in figure.findobj(lambda a: str(a.get_gid()).startswith("estimate:squared_cv")):
        (row,) = rows_of(
            tables.analysis["sensitivity"],
            model=mark.get_gid().split(":")[3],
            measure=MEASURE,
            condition=Condition.FINAL,
        )
        assert list(mark.get_ydata()) == [row["corrected"]]
    assert not illegible(figure)


def test_scale_of_nothing_is_hatched(tmp_path):
    names = ["a", "b", "c"]
    _, figure = sized(tmp_path, names, seeds=dict.fromkeys(names, ()))
    assert texts(figure).count("not compared") == 4
    assert not gids(figure, "estimate:")
