"""The look of the figures: each activation has its colour, and every text can be read."""

import subprocess
import sys

import pytest
from figure_reading import illegible
from figure_tables import ARMS, LONG, Tables, WithArms, make_study
from matplotlib.colors import to_hex, to_rgba_array

from reprocore.report.figures import frame as canvas
from reprocore.report.figures import style
from reprocore.study.layout import STUDY_FIGURES

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow


def test_colours_are_the_same_in_every_figure(gappy, drawn):
    for activation in gappy.study.activations:
        expected = style.look(activation).colour.lower()
        seen = {
            to_hex(to_rgba_array(found.get_color())[0])
            for figure in drawn.values()
            for found in figure.findobj(lambda a: hasattr(a, "get_color"))
            if str(found.get_gid()).startswith(("estimate:", "interval:", "line:", "pairs:"))
            and found.get_gid().endswith(f":{activation}")
        }
        assert seen == {expected}


def test_colours_do_not_depend_on_the_study_and_can_be_set():
    known = ("relu", "gelu", "swish", "mish", "elu", "selu", "prelu", "relu2", "tanh", "softplus")
    known += ("swiglu", "geglu", "reglu")
    known += tuple(
        f"sme{kind}_{beta}" for kind in ("lu", "glu") for beta in ("025", "05", "1", "2")
    )
    assert len({style.look(name).colour for name in known}) == len(known)
    assert style.look("smelu_0125").colour != style.look("smelu_015").colour
    assert style.look("relu", {"relu": "#123456"}).colour == "#123456"
    code = "from reprocore.report.figures import style; print(style.look('my_own'))"
    others = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert others.stdout.strip() == str(style.look("my_own"))


def test_custom_activations_get_different_colours():
    # With seven colours, by their names alone, some of these share one.
    names = [f"my_own_{number}" for number in range(7)]
    assert len({style.look(name).colour for name in names}) < 7
    found = style.looks([*names, "relu"])
    assert len({look.colour for look in found.values()}) == 8
    assert style.looks(["relu", *reversed(names)]) == found
    assert found["relu"] == style.look("relu")
    assert style.looks(names, {names[0]: "#123456"})[names[0]].colour == "#123456"
    assert style.looks(names[:1])[names[0]] == style.look(names[0])


@pytest.mark.parametrize("width", [3, 8, 40])
def test_wrapping_loses_no_letter(width):
    text = "a_model_name with words, andaverylongwordwithoutanybreak_\nand a second line"
    wrapped = style.wrap(text, width)
    assert max(map(len, wrapped.split("\n"))) <= width
    assert wrapped.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")


def test_what_cannot_be_read_is_seen():
    figure = canvas.new_figure(make_study(), "heading", ["note"], 2.0)
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.99, 0.2, "over the edge")
    assert illegible(figure) == [("one", "two"), "over the edge"]


@pytest.mark.parametrize("figures", ["drawn", "armed_figures"])
def test_no_text_overlaps_where_much_is_missing(request, figures):
    for name, figure in request.getfixturevalue(figures).items():
        assert not illegible(figure), name


def test_no_text_overlaps_with_long_names(tmp_path):
    seeds = {
        "minigpt": (),
        ("charlm", "smelu_05"): (),
        ("charlm", "swish"): (1, 2),
        ("tinylstm", "gelu"): (1, 2, 3),
        ("tinylstm", "a_custom_activation_of_my_own"): (),
    }
    tables = Tables(LONG, tmp_path, seeds=seeds, behind={"tinylstm"})
    of_model = ("pd_by_activation", "accuracy_and_loss", "pd_along_training", "training_curves")
    wanted = ("cross_model", *(f"tinylstm/{name}" for name in of_model))
    for name, figure in tables.figures(*wanted).items():
        assert not illegible(figure), name


def test_no_text_overlaps_with_long_names_and_all_arms(tmp_path):
    models = [*list(LONG.models)[:3], "minigpt"]
    with_arms = {name: LONG.models[name].model_copy(update={"arms": ARMS}) for name in models}
    study = LONG.model_copy(update={"models": with_arms})
    tables = WithArms(
        study, tmp_path, seeds={"minigpt": (), ("charlm", "swish"): (1, 2)}, behind={models[0]}
    )
    of_models = [
        f"{model}/{name}" for model in models for name in ("contrasts", "accuracy_against_pd")
    ]
    for name, figure in tables.figures(*STUDY_FIGURES[1:], *of_models).items():
        assert not illegible(figure), name
