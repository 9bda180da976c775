"""What is missing from a figure: it is hatched and named, and never drawn as a number."""

import numpy as np
import pytest
from figure_reading import artist, gids, hatches, illegible, texts
from figure_tables import ARMS, STEPS, Tables, make_study, with_measure
from matplotlib.text import Text

from reprocore.report.figures.all_models.overview import draw_cross_model
from reprocore.report.figures.one_model.along_training import draw_pd_along_training
from reprocore.study.layout import MODEL_FIGURES, STUDY_FIGURES

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow


def test_missing_is_named_in_each_panel_of_the_cross_model_figure(drawn):
    figure = drawn["cross_model"]
    panels = {
        axes.get_title(loc="left")[:3]: axes for axes in figure.axes if axes.get_title("left")
    }
    assert set(panels) == {"(a)", "(b)", "(c)", "(d)"}
    for letter, axes in panels.items():
        shown = texts(axes)
        assert "not run" in shown, letter
        assert hatches(axes), letter
    for letter in ("(a)", "(b)"):
        shown = texts(panels[letter])
        assert "GELU: missing" in shown
        assert "ReLU: 1 seed: no pair" in shown
    assert "missing" in texts(panels["(c)"])
    assert "1 seed:\nno pair" in texts(panels["(c)"])
    assert "no interval (2 of 4 seeds)" in texts(panels["(a)"])
    assert "3 of 4 seeds" in texts(panels["(a)"])
    heat = [t for t in texts(panels["(c)"]) if "±" in t and "3 of 4 seeds" in t]
    assert len(heat) == 1
    assert any("no interval\n2 of 4 seeds" in t for t in texts(panels["(c)"]))
    assert any("no interval (2 of 4 seeds)" in t for t in texts(panels["(d)"]))
    assert sum("2 of 3 activations" in t for t in texts(panels["(d)"])) == 2
    assert any(t.startswith("†") for t in texts(panels["(a)"]))


@pytest.mark.parametrize("name", MODEL_FIGURES)
def test_a_model_that_did_not_run_is_hatched_and_draws_nothing(drawn, name):
    figure = drawn[f"minigpt/{name}"]
    many = {"pd_by_activation": 7, "training_curves": 3, "accuracy_against_pd": 1, "strata": 12}
    panels = many.get(name, 2)
    assert texts(figure).count("not run") == panels
    assert len(hatches(figure)) == panels
    assert not [line for axes in figure.axes for line in axes.lines]


@pytest.mark.parametrize("name", MODEL_FIGURES)
def test_a_missing_activation_is_named(drawn, name):
    figure = drawn[f"charlm/{name}"]
    assert hatches(figure)
    assert any(text in ("missing", "GELU: missing") for text in texts(figure))
    assert not gids(figure, "estimate:relative_pd:gelu")
    assert not gids(figure, "line:step:gelu") | gids(figure, "line:val_loss:gelu")


def test_two_seeds_have_no_band_and_say_so(drawn):
    assert any("no interval" in t for t in texts(drawn["charlm/pd_by_activation"]))
    figure = drawn["charlm/pd_along_training"]
    assert "SwiGLU: no interval (2 of 4 seeds)" in texts(figure)
    band = artist(figure, "band:step:swiglu")
    assert not [p for p in band.get_paths() if len(p.vertices)]
    line = artist(figure, "line:step:swiglu")
    assert len(line.get_xdata()) == len(STEPS)


def test_a_lone_seed_has_a_loss_but_no_difference(drawn):
    assert "1 seed: no pair" in texts(drawn["convlm/pd_by_activation"])
    figure = drawn["convlm/accuracy_and_loss"]
    assert {"no interval", "ReLU\n1 of 4 seeds"} <= set(texts(figure))
    assert gids(figure, "estimate:val_loss:relu")
    assert "ReLU: 1 seed: no pair" in texts(drawn["convlm/pd_along_training"])


def test_infinite_is_said_and_never_drawn(gappy, drawn):
    assert "infinite" in texts(drawn["tinylstm/pd_by_activation"])
    study = with_measure(gappy.study, "jeffreys")
    sensitivity = gappy.analysis["sensitivity"]
    figure = draw_cross_model(study, gappy.summary, gappy.estimates, gappy.final_pairs, sensitivity)
    assert "ReLU: infinite" in texts(figure)
    assert "1 of 6 pairs infinite" in texts(figure)
    assert not gids(figure, "estimate:a:tinylstm:relu")
    assert len(artist(figure, "pairs:b:tinylstm:relu").get_xdata()) == 5
    t = gappy.of_model("tinylstm")
    along = draw_pd_along_training(
        study, "tinylstm", t["estimates"], t["cells"], gappy.analysis["contrasts"]
    )
    assert "ReLU †: infinite" in texts(along)


@pytest.mark.parametrize(
    ("figures", "may_be_0"),
    [
        ("drawn", "estimate:d:"),  # what seeds alone would show may be all
        ("armed_figures", ":none:"),  # the control
    ],
)
def test_nothing_missing_is_drawn_as_zero(request, figures, may_be_0):
    drawn_values = ("estimate:", "line:")
    for name, figure in request.getfixturevalue(figures).items():
        for line in figure.findobj(lambda a: str(a.get_gid()).startswith(drawn_values)):
            gid = line.get_gid()
            upright = gid.startswith("line:") or name.endswith(("strata", "early"))
            values = np.asarray(line.get_ydata() if upright else line.get_xdata())
            assert np.isfinite(values).all(), (name, gid)
            assert may_be_0 in gid or (values != 0).all(), (name, gid)


def test_the_numbers_of_the_heat_map_are_those_that_exist(drawn):
    heat = [t for t in drawn["cross_model"].findobj(Text) if str(t.get_gid()).startswith("heat:")]
    assert len(heat) == 7
    assert not [t for t in heat if t.get_text().startswith("0.000")]


@pytest.mark.parametrize(
    ("arms", "wanted"), [(["all"], ()), (list(ARMS), (*STUDY_FIGURES, "charlm/contrasts"))]
)
def test_nothing_at_all_has_run(tmp_path, arms, wanted):
    study = make_study(arms=arms)
    tables = Tables(study, tmp_path, seeds=dict.fromkeys(study.models, ()))
    figures = tables.figures(*wanted)
    for name, figure in figures.items():
        assert any("not run" in text for text in texts(figure)), name
        assert not illegible(figure), name
    assert not gids(figures["accuracy_against_pd"], "estimate:")
    assert len(hatches(figures["accuracy_against_pd"])) == len(study.models)
