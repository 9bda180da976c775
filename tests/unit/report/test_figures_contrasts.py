"""The figure of the contrasts: ratios, verdicts and their margin are those of the table."""

import pandas as pd
import pytest
from figure_reading import artist, bar, gids, illegible, note_of, rendered, rows_of, texts
from figure_tables import Tables, make_study, with_measure
from matplotlib.colors import to_hex

from reprocore.report.figures.all_models.ratios import draw_ratios
from reprocore.report.figures.one_model.contrasts import draw_contrasts
from reprocore.report.figures.trade_off import draw_accuracy_against_pd
from reprocore.report.words import VERDICTS
from reprocore.study.layout import STUDY_FIGURES
from reprocore.vocabulary import Condition, ContrastVerdict

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("condition", Condition)
def test_contrasts_are_those_of_the_table(armed, armed_figures, condition):
    table, count = armed.analysis["contrasts"], 0
    wanted = {"arm": "all", "measure": "relative_pd", "condition": condition, "family": "reference"}
    for row in rows_of(table, **wanted):
        figure, key = armed_figures[f"{row['model']}/contrasts"], f"{condition}:{row['first']}"
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


def test_the_margin_is_the_band_of_the_equivalence_test(armed_figures):
    rendered(armed_figures["tinylstm/contrasts"])
    patch = artist(armed_figures["tinylstm/contrasts"], f"margin:{Condition.FINAL}")
    corners = patch.axes.transData.inverted().transform(patch.get_window_extent().get_points())
    assert corners[:, 0] == pytest.approx([1 / 1.1, 1.1])


def test_too_few_seeds_is_said_once(armed_figures):
    note = note_of(armed_figures["tinylstm/contrasts"])
    assert note.count("GELU: 3 seeds, a verdict needs 4") == 1
    assert "GELU: compared on 3 shared seeds, of 3 and 4" in note


def test_what_was_not_declared_beforehand_is_labelled(armed, armed_figures):
    headings = {"At the last step", "At matched loss (exploratory)"}
    assert headings <= set(texts(armed_figures["tinylstm/contrasts"]))
    study = with_measure(armed.study, "churn")
    t = armed.of_model("tinylstm")
    tables = (armed.analysis["contrasts"], t["estimates"], t["cells"])
    shown = set(texts(draw_contrasts(study, "tinylstm", *tables)))
    assert {"At the last step (exploratory)", "At matched loss (exploratory)"} <= shown


def test_contrasts_without_a_reference_say_which(armed_figures):
    figure = armed_figures["convlm/contrasts"]
    assert texts(figure).count("reference ReLU: 1 seed: no pair") == 2
    assert not gids(figure, "estimate:")


def test_contrasts_of_one_activation(tmp_path):
    study = make_study(models=("charlm",), activations=("relu",))
    figures = Tables(study, tmp_path).figures(*STUDY_FIGURES[1:], "charlm/contrasts")
    assert "one activation: nothing to compare" in texts(figures["charlm/contrasts"])
    for name, figure in figures.items():
        assert not illegible(figure), name


def test_more_is_closer_turns_the_directions(armed):
    study = with_measure(armed.study, "top5_overlap")
    of_tinylstm, of_convlm = (
        (t["estimates"], t["cells"]) for t in map(armed.of_model, ("tinylstm", "convlm"))
    )
    figure = draw_contrasts(study, "tinylstm", armed.analysis["contrasts"], *of_tinylstm)
    assert any("right of 1 = more alike than ReLU" in text for text in texts(figure))
    figure = draw_accuracy_against_pd(study, "convlm", *of_convlm)
    assert any("best is at the upper right" in text for text in texts(figure))
    figure = draw_ratios(study, armed.analysis["ratios"], armed.summary)
    assert any("right of 1 = more alike than ReLU" in text for text in texts(figure))
