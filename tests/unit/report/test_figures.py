"""The figures of a study and of a model: every number is drawn where the tables say."""

import math

import numpy as np
import pandas as pd
import pytest
from figure_reading import artist, bar, gids, rendered, texts
from figure_tables import Tables, make_study
from matplotlib.colors import to_hex

from reprocore.report.figures.all_models.overview import draw_cross_model
from reprocore.report.figures.one_model.along_training import draw_training_curves
from reprocore.report.words import p_text
from reprocore.vocabulary import MEASURE_NAMES, MEASURES, Condition, Reason, split_codes

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow


def test_cross_model_intervals_are_those_of_the_table(gappy, drawn):
    rows = gappy.estimates[
        (gappy.estimates["measure"] == "relative_pd") & (gappy.estimates["step"] == 100)
    ]
    assert len(rows) == 7  # 4 models x 3, less minigpt's 3, one missing and one lone seed
    for row in rows.to_dict("records"):
        key = f"a:{row['model']}:{row['activation']}"
        point = artist(drawn["cross_model"], f"estimate:{key}")
        assert list(point.get_xdata()) == [row["estimate"]]
        if pd.isna(row["low"]):
            assert not gids(drawn["cross_model"], f"interval:{key}")
            assert to_hex(point.get_markerfacecolor()) == "#ffffff"
        else:
            assert bar(drawn["cross_model"], f"interval:{key}") == [row["low"], row["high"]]


@pytest.mark.parametrize("name", [*MEASURE_NAMES, "val_loss", "val_accuracy"])
def test_model_figures_draw_the_intervals_of_the_table(gappy, drawn, name):
    figure = "pd_by_activation" if name in MEASURES else "accuracy_and_loss"
    rows = gappy.estimates[
        (gappy.estimates["measure"] == name)
        & (gappy.estimates["step"] == 100)
        & (gappy.estimates["model"] == "tinylstm")
    ]
    for row in rows.to_dict("records"):
        key = f"{name}:{row['activation']}"
        if math.isinf(row["estimate"]):
            assert not gids(drawn[f"tinylstm/{figure}"], f"estimate:{key}")
            continue
        assert bar(drawn[f"tinylstm/{figure}"], f"interval:{key}") == [row["low"], row["high"]]


def test_single_pairs_are_all_drawn(gappy, drawn):
    table = pd.read_parquet(gappy.pairs["convlm", "swiglu", "all"])
    expected = table.loc[table["step"] == 100, "relative_pd"].tolist()
    strip = artist(drawn["cross_model"], "pairs:b:convlm:swiglu")
    assert list(strip.get_xdata()) == expected
    assert len(expected) == 6


def test_sensitivity_is_that_of_the_table(gappy, drawn):
    table = gappy.analysis["sensitivity"]
    rows = table[(table["measure"] == "relative_pd") & (table["condition"] == Condition.FINAL)]
    assert set(rows["model"]) == {"charlm", "convlm", "tinylstm"}
    for row in rows.to_dict("records"):
        figure, model = drawn["cross_model"], row["model"]
        assert list(artist(figure, f"plain:{model}").get_xdata()) == [row["cv"]]
        if pd.isna(row["corrected"]):
            assert not gids(figure, f"estimate:d:{model}") | gids(figure, f"interval:d:{model}")
            continue
        assert list(artist(figure, f"estimate:d:{model}").get_xdata()) == [row["corrected"]]
        assert bar(figure, f"interval:d:{model}") == [row["low"], row["high"]]
        few = Reason.FEW_SEEDS_FOR_TEST in split_codes(row["reason"], Reason)
        p = "too few seeds for p" if few else f"p {p_text(row['p_omnibus'])}"
        assert any(p in text for text in texts(figure)), model
    # One of charlm's two activations has 2 seeds, so there is nothing to correct with.
    assert gids(drawn["cross_model"], "plain:charlm")
    assert not gids(drawn["cross_model"], "estimate:d:charlm")


def test_the_matched_loss_that_is_drawn_is_that_of_the_table(gappy, drawn):
    contrasts = gappy.analysis["contrasts"]
    (loss,) = contrasts.loc[contrasts["model"] == "tinylstm", "matched_loss"].dropna().unique()
    assert artist(drawn["tinylstm/pd_along_training"], "matched").get_xdata()[0] == loss


def test_training_band_is_lowest_to_highest_seed(gappy, drawn):
    curves = gappy.of_model("convlm")["curves"]
    rows = curves[(curves["activation"] == "swiglu") & (curves["iteration"] == 100)]["val_loss"]
    (path,) = (
        drawn["convlm/training_curves"]
        .findobj(lambda a: a.get_gid() == "band:val_loss:swiglu")[0]
        .get_paths()
    )
    at_end = path.vertices[path.vertices[:, 0] == 100, 1]
    assert (at_end.min(), at_end.max()) == (rows.min(), rows.max())


def test_a_seed_that_diverged_interrupts_the_curve(gappy):
    t = gappy.of_model("convlm")
    curves = t["curves"].copy()
    wrong = (curves["activation"] == "swiglu") & (curves["seed"] == 2)
    curves.loc[wrong & (curves["iteration"] >= 50), "val_loss"] = np.inf
    figure = draw_training_curves(gappy.study, "convlm", curves, t["cells"])
    line = figure.findobj(lambda a: a.get_gid() == "line:val_loss:swiglu")[0]
    assert list(line.get_xdata()) == [0, 13, 25]


def test_unigram_line_only_where_in_range(drawn):
    assert not gids(drawn["charlm/accuracy_and_loss"], "unigram")
    assert any(
        "unigram entropy 3.31 is right" in t for t in texts(drawn["charlm/accuracy_and_loss"])
    )
    assert gids(drawn["charlm/training_curves"], "unigram")


def test_control_arm_of_exact_zeros(tmp_path):
    study = make_study(models=("charlm",), arms=["none"])
    tables = Tables(study, tmp_path)
    zero = tables.estimates.copy()
    zero.loc[zero["measure"] == "relative_pd", ["estimate", "se", "low", "high"]] = 0.0
    spread = tables.analysis["sensitivity"].copy()
    numbers = ["cv", "corrected", "low", "high", "p_omnibus"]
    spread.loc[spread["measure"] == "relative_pd", numbers] = np.nan
    spread.loc[spread["measure"] == "relative_pd", "reason"] = Reason.ZERO_MEAN
    figure = draw_cross_model(study, tables.summary, zero, tables.final_pairs, spread)
    assert bar(figure, "interval:a:charlm:relu") == [0.0, 0.0]
    assert any("mean is 0" in t for t in texts(figure))
    assert any("control" in t for t in texts(figure))
    rendered(figure)


def test_models_with_activations_and_arms_of_their_own(tmp_path):
    study = make_study()
    models = dict(study.models)
    models["tinylstm"] = models["tinylstm"].model_copy(
        update={"activations": ("relu", "mish"), "arms": ("order",)}
    )
    study = study.model_copy(update={"models": models})
    figure = Tables(study, tmp_path).cross_model()
    assert texts(figure).count("not in\nstudy") == 3  # mish of charlm; gelu, swiglu of tinylstm
    assert "tinylstm\n(order)" in texts(figure)
    assert gids(figure, "estimate:a:tinylstm:mish")
