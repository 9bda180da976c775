"""The figures of what is inferred: contrasts, trade-off, sources, early signs and ratios."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.colors import to_hex
from test_figures import (
    LONG,
    Tables,
    artist,
    bar,
    gids,
    hatches,
    illegible,
    make_study,
    note_of,
    rendered,
    texts,
)

from reprocore.report.figures.all_models.early import draw_early, reliable_from
from reprocore.report.figures.all_models.ratios import draw_ratios, percent
from reprocore.report.figures.all_models.scale import draw_scale
from reprocore.report.figures.all_models.sources import control_text, draw_sources
from reprocore.report.figures.entries import Entry
from reprocore.report.figures.one_model.contrasts import draw_contrasts
from reprocore.report.figures.trade_off import (
    Point,
    draw_accuracy_against_pd,
    draw_models_accuracy_against_pd,
    frontier,
    trades,
)
from reprocore.report.words import VERDICTS
from reprocore.store.schemas import EARLY_SCHEMA
from reprocore.vocabulary import Condition, ContrastVerdict

# Drawing takes a second or so each.
pytestmark = pytest.mark.slow

ARMS = ("all", "init", "order", "dropout", "none")
SHARES = dict(zip(ARMS, (1.0, 0.9, 0.8, 0.5, 0.0), strict=True))
MEASURE = "relative_pd"
FIGURES = ("accuracy_against_pd", "sources", "early", "ratios")


class WithArms(Tables):
    """Pairs that depend on the arm, and are the same in the control."""

    def _pairs(self, key, seeds, scale, number):
        table = super()._pairs(key, seeds, scale * SHARES[key[2]], number)
        if key[2] != "none":
            return table
        place = table.schema.get_field_index("top5_overlap")
        return table.set_column(place, table.schema.field(place), pa.array([1.0] * len(table)))


@pytest.fixture(scope="module")
def armed(tmp_path_factory):
    study = make_study(models=("charlm", "convlm", "tinylstm", "minigpt"), arms=list(ARMS))
    return WithArms(
        study,
        tmp_path_factory.mktemp("armed"),
        seeds={
            "minigpt": (),
            ("charlm", "gelu"): (),
            ("charlm", "swiglu"): (1, 2),
            ("convlm", "relu"): (3,),
            ("tinylstm", "gelu"): (1, 2, 4),
        },
        behind={"tinylstm"},
    )


@pytest.fixture(scope="module")
def drawn(armed):
    return armed.figures()


def rows_of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.to_dict("records")


@pytest.mark.parametrize("condition", Condition)
def test_contrasts_are_those_of_the_table(armed, drawn, condition):
    table, count = armed.analysis["contrasts"], 0
    wanted = {"arm": "all", "measure": MEASURE, "condition": condition, "family": "reference"}
    for row in rows_of(table, **wanted):
        figure, key = drawn[f"{row['model']}/contrasts"], f"{condition}:{row['first']}"
        point = artist(figure, f"estimate:{key}")
        assert list(point.get_xdata()) == [row["ratio"]]
        if pd.isna(row["ratio_low"]):
            assert to_hex(point.get_markerfacecolor()) == "#ffffff"
            assert not gids(figure, f"interval:{key}")
            continue
        assert bar(figure, f"interval:{key}") == [row["ratio_low"], row["ratio_high"]]
        shown = f"{VERDICTS[ContrastVerdict(row['verdict'])]}\n{row['ratio']:.3f} "
        assert any(text.startswith(shown) for text in texts(figure))
        count += 1
    assert count == 2  # those of tinylstm; charlm's has two seeds, convlm has no reference


def test_the_margin_is_the_band_of_the_equivalence_test(drawn):
    rendered(drawn["tinylstm/contrasts"])
    patch = artist(drawn["tinylstm/contrasts"], f"margin:{Condition.FINAL}")
    corners = patch.axes.transData.inverted().transform(patch.get_window_extent().get_points())
    assert corners[:, 0] == pytest.approx([1 / 1.1, 1.1])


def test_too_few_seeds_is_said_once(drawn):
    note = note_of(drawn["tinylstm/contrasts"])
    assert note.count("GELU: 3 seeds, a verdict needs 4") == 1
    assert "GELU: compared on 3 shared seeds, of 3 and 4" in note


def test_what_was_not_declared_beforehand_is_labelled(armed, drawn):
    headings = {"At the last step", "At matched loss (exploratory)"}
    assert headings <= set(texts(drawn["tinylstm/contrasts"]))
    settings = armed.study.figures.model_copy(update={"measure": "churn"})
    study = armed.study.model_copy(update={"figures": settings})
    t = armed.of_model("tinylstm")
    tables = (armed.analysis["contrasts"], t["estimates"], t["cells"])
    shown = set(texts(draw_contrasts(study, "tinylstm", *tables)))
    assert {"At the last step (exploratory)", "At matched loss (exploratory)"} <= shown


def test_contrasts_without_a_reference_say_which(drawn):
    figure = drawn["convlm/contrasts"]
    assert texts(figure).count("reference ReLU: 1 seed: no pair") == 2
    assert not gids(figure, "estimate:")


def test_contrasts_of_one_activation(tmp_path):
    study = make_study(models=("charlm",), activations=("relu",))
    figures = Tables(study, tmp_path).figures(*FIGURES, "charlm/contrasts")
    assert "one activation: nothing to compare" in texts(figures["charlm/contrasts"])
    for name, figure in figures.items():
        assert not illegible(figure), name


def test_more_is_closer_turns_the_directions(armed):
    settings = armed.study.figures.model_copy(update={"measure": "top5_overlap"})
    study = armed.study.model_copy(update={"figures": settings})
    t = armed.of_model("tinylstm")
    tables = (t["estimates"], t["cells"])
    figure = draw_contrasts(study, "tinylstm", armed.analysis["contrasts"], *tables)
    assert any("right of 1 = more alike than ReLU" in text for text in texts(figure))
    figure = draw_accuracy_against_pd(study, "convlm", *armed_tables(armed, "convlm"))
    assert any("best is at the upper right" in text for text in texts(figure))
    figure = draw_ratios(study, armed.analysis["ratios"], armed.summary)
    assert any("right of 1 = more alike than ReLU" in text for text in texts(figure))


def armed_tables(tables, model):
    t = tables.of_model(model)
    return t["estimates"], t["cells"]


def test_trade_off_draws_both_intervals_of_the_table(armed, drawn):
    final = armed.estimates[(armed.estimates["step"] == 100) & (armed.estimates["arm"] == "all")]
    drawn_points = set()
    for model in armed.models:
        for row in rows_of(final, model=model, measure=MEASURE):
            (score,) = rows_of(
                final, model=model, activation=row["activation"], measure="val_accuracy"
            )
            key = f"{model}:{row['activation']}"
            drawn_points.add(f"estimate:{key}")
            for figure in (drawn["accuracy_against_pd"], drawn[f"{model}/accuracy_against_pd"]):
                point = artist(figure, f"estimate:{key}")
                assert list(point.get_xdata()) == [row["estimate"]]
                assert list(point.get_ydata()) == [score["estimate"]]
                if pd.isna(row["low"]):
                    assert not gids(figure, f"interval:x:{key}")
                    continue
                assert bar(figure, f"interval:x:{key}") == [row["low"], row["high"]]
                assert bar(figure, f"interval:y:{key}") == [score["low"], score["high"]]
    assert gids(drawn["accuracy_against_pd"], "estimate:") == drawn_points


def point(x, y, behind=False):
    numbers = (None, None, None, 4, 4, "", behind)
    return Point("m", Entry("relu", x, *numbers), Entry("relu", y, *numbers))


@pytest.mark.parametrize(
    ("more_is_closer", "expected"),
    [(False, [0, 1]), (True, [3, 1])],
)
def test_frontier_is_what_nothing_surpasses(more_is_closer, expected):
    points = [point(0.1, 0.2), point(0.3, 0.5), point(0.2, 0.1), point(0.4, 0.3)]
    assert frontier(points, more_is_closer) == expected


def test_frontier_leaves_out_what_learned_nothing_or_is_missing():
    points = [point(0.0, 0.1, behind=True), point(None, 0.9), point(0.5, None), point(0.4, 0.3)]
    assert frontier(points) == [3]
    assert frontier(points[:3]) == []
    # Two that are alike surpass neither.
    assert frontier([point(0.1, 0.2)] * 2) == [0, 1]


def spread_point(x, y, half, behind=False):
    numbers = (4, 4, None, behind)
    return Point(
        "m",
        Entry("relu", x, None, x - half, x + half, *numbers),
        Entry("relu", y, None, y - half, y + half, *numbers),
    )


def test_a_frontier_is_shown_only_where_its_points_are_apart():
    places = [(0.1, 0.2), (0.3, 0.5), (0.2, 0.1)]
    sure = [spread_point(x, y, 0.04) for x, y in places]
    assert trades(sure) == sure[:2]
    assert trades(sure, more_is_closer=True) == []  # one point surpasses all
    assert trades([spread_point(x, y, 0.11) for x, y in places]) == []
    assert trades([point(x, y) for x, y in places]) == []  # without intervals nothing is apart


def test_the_frontier_is_drawn_through_the_points_that_trade(armed):
    t = armed.of_model("tinylstm")
    estimates, cells = t["estimates"].copy(), t["cells"].assign(beats_unigram=True)
    for index, activation in enumerate(("relu", "gelu", "swiglu")):
        for measure, value in ((MEASURE, 0.3 + 0.2 * index), ("val_accuracy", 0.2 + 0.1 * index)):
            own = (estimates["activation"] == activation) & (estimates["measure"] == measure)
            numbers = [value, value - 0.01, value + 0.01]
            estimates.loc[own, ["estimate", "low", "high"]] = numbers
    figure = draw_accuracy_against_pd(armed.study, "tinylstm", estimates, cells)
    drawn = artist(figure, "frontier")
    assert list(drawn.get_xdata())[1:-1] == pytest.approx([0.3, 0.5, 0.7])
    assert list(drawn.get_ydata())[1:-1] == pytest.approx([0.2, 0.3, 0.4])
    assert not illegible(figure)


def test_models_that_learned_nothing_are_on_no_drawn_frontier(drawn):
    assert not gids(drawn["tinylstm/accuracy_against_pd"], "frontier")
    assert "tinylstm †" in texts(drawn["accuracy_against_pd"])


def test_missing_points_are_named(drawn):
    note = note_of(drawn["accuracy_against_pd"])
    for words in ("minigpt (not run)", "charlm GELU (missing)", "convlm ReLU (1 seed: no pair)"):
        assert words in note


def test_sources_are_those_of_the_table(armed, drawn):
    table, figure, count = armed.analysis["sources"], drawn["sources"], 0
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


def made_early(lows):
    rows = [
        {"model": "charlm", "arm": "all", "measure": MEASURE, "step": step, "budget": step / 100}
        | {"estimate": 0.5 if low is not None else None, "low": low, "high": 1.0, "reason": ""}
        for step, low in zip((13, 25, 50), lows, strict=True)
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
def test_reliable_only_from_where_every_later_bar_is_above_0(armed, lows, first):
    table = made_early(lows)
    assert reliable_from(table) == first
    study = make_study(models=("charlm",))
    figure = draw_early(study, table, armed.analysis["early_model_order"])
    saved = f"would save {100 * (1 - first):.3g}%" if first else "no bar stays above 0"
    assert any(saved in text for text in texts(figure))
    assert ("none" in texts(figure)) == (None in lows)
    assert not illegible(figure)


def test_ratios_are_those_of_the_table(armed, drawn):
    rows = rows_of(armed.analysis["ratios"], arm="all", measure=MEASURE, second="relu")
    assert [row["first"] for row in rows] == ["gelu", "swiglu"]
    for row in rows:
        name = row["first"]
        estimate = artist(drawn["ratios"], f"estimate:ratio:{name}").get_xdata()
        assert list(estimate) == [row["ratio"]]
        assert bar(drawn["ratios"], f"interval:ratio:{name}") == [row["low"], row["high"]]
        shown = texts(drawn["ratios"])
        assert percent(row["chance_lower"]) in shown
        assert f"{percent(row['share_lower'])} of {row['models']} models" in shown
    note = note_of(drawn["ratios"])
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


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """Four sizes, of which one has not run and one lacks an activation."""
    names = ["tiny", "small", "medium", "large"]
    study = make_study(models=names, scale=names)
    seeds = {"large": (), ("medium", "swiglu"): ()}
    return Tables(study, tmp_path_factory.mktemp("sized"), seeds=seeds)


def scale_figure(tables, **changes):
    a = tables.analysis
    found = {"scale": a["scale"], **changes}
    return draw_scale(
        tables.study, tables.summary, tables.estimates, a["sensitivity"], found["scale"]
    )


def test_scale_draws_the_marks_and_tells_the_slopes_of_the_tables(sized):
    figure = scale_figure(sized)
    summary = rows_of(sized.summary, activation="relu")
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
        sized.analysis["scale"], measure=MEASURE, activation="relu", scaled_by="parameters"
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
            sized.analysis["sensitivity"],
            model=mark.get_gid().split(":")[3],
            measure=MEASURE,
            condition=Condition.FINAL,
        )
        assert list(mark.get_ydata()) == [row["corrected"]]


def test_scale_of_nothing_is_hatched(tmp_path):
    names = ["a", "b", "c"]
    study = make_study(models=names, scale=names)
    figure = scale_figure(Tables(study, tmp_path, seeds=dict.fromkeys(names, ())))
    assert texts(figure).count("not compared") == 4
    assert not gids(figure, "estimate:")


@pytest.mark.slow
def test_nothing_overlaps_in_a_figure_of_sizes(sized):
    figure = scale_figure(sized)
    assert not illegible(figure)


def test_no_missing_number_is_drawn_as_zero(drawn):
    for name, figure in drawn.items():
        for found in figure.findobj(lambda a: str(a.get_gid()).startswith("estimate:")):
            (value,) = found.get_ydata() if name.endswith("strata") else found.get_xdata()
            control = ":none:" in found.get_gid()
            assert math.isfinite(value) and (value != 0 or control), (name, found.get_gid())


def test_nothing_overlaps_where_much_is_missing(drawn):
    for name, figure in drawn.items():
        assert not illegible(figure), name


def test_nothing_overlaps_with_long_names(tmp_path):
    models = [*list(LONG.models)[:3], "minigpt"]
    with_arms = {name: LONG.models[name].model_copy(update={"arms": ARMS}) for name in models}
    study = LONG.model_copy(update={"models": with_arms})
    tables = WithArms(
        study, tmp_path, seeds={"minigpt": (), ("charlm", "swish"): (1, 2)}, behind={models[0]}
    )
    of_models = [f"{model}/{name}" for model in models for name in ("contrasts", FIGURES[0])]
    for name, figure in tables.figures(*FIGURES, *of_models).items():
        assert not illegible(figure), name


def test_nothing_has_run(tmp_path):
    study = make_study(arms=list(ARMS))
    tables = Tables(study, tmp_path, seeds=dict.fromkeys(study.models, ()))
    figures = tables.figures(*FIGURES, "charlm/contrasts")
    for name, figure in figures.items():
        assert any("not run" in text for text in texts(figure)), name
        assert not illegible(figure), name
    assert not gids(figures["accuracy_against_pd"], "estimate:")
    figure = draw_models_accuracy_against_pd(study, tables.estimates, tables.summary)
    assert len(hatches(figure)) == len(study.models)
