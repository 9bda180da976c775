"""The figure of accuracy against differences: both intervals, and where there is a frontier."""

import pandas as pd
import pytest
from figure_reading import artist, bar, gids, illegible, note_of, rows_of, texts

from reprocore.report.figures.entries import Entry
from reprocore.report.figures.trade_off import Point, draw_accuracy_against_pd, frontier, trades

pytest_plugins = ["figure_studies"]
# Drawing takes a second or so each.
pytestmark = pytest.mark.slow
MEASURE = "relative_pd"


def test_trade_off_draws_both_intervals_of_the_table(armed, armed_figures):
    final = armed.estimates[(armed.estimates["step"] == 100) & (armed.estimates["arm"] == "all")]
    drawn_points = set()
    for model in armed.models:
        for row in rows_of(final, model=model, measure=MEASURE):
            (score,) = rows_of(
                final, model=model, activation=row["activation"], measure="val_accuracy"
            )
            key = f"{model}:{row['activation']}"
            drawn_points.add(f"estimate:{key}")
            for figure in (
                armed_figures["accuracy_against_pd"],
                armed_figures[f"{model}/accuracy_against_pd"],
            ):
                point = artist(figure, f"estimate:{key}")
                assert list(point.get_xdata()) == [row["estimate"]]
                assert list(point.get_ydata()) == [score["estimate"]]
                if pd.isna(row["low"]):
                    assert not gids(figure, f"interval:x:{key}")
                    continue
                assert bar(figure, f"interval:x:{key}") == [row["low"], row["high"]]
                assert bar(figure, f"interval:y:{key}") == [score["low"], score["high"]]
    assert gids(armed_figures["accuracy_against_pd"], "estimate:") == drawn_points


def point(x, y, half=None, behind=False):
    """A point with intervals of this half width, or none."""
    entries = []
    for value in (x, y):
        ends = (None, None) if half is None else (value - half, value + half)
        entries.append(Entry("relu", value, None, *ends, seeds=4, wanted=4, behind=behind))
    return Point("m", *entries)


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


def test_a_frontier_is_shown_only_where_its_points_are_apart():
    places = [(0.1, 0.2), (0.3, 0.5), (0.2, 0.1)]
    sure = [point(x, y, 0.04) for x, y in places]
    assert trades(sure) == sure[:2]
    assert trades(sure, more_is_closer=True) == []  # one point surpasses all
    assert trades([point(x, y, 0.11) for x, y in places]) == []
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


def test_models_that_learned_nothing_are_on_no_drawn_frontier(armed_figures):
    assert not gids(armed_figures["tinylstm/accuracy_against_pd"], "frontier")
    assert "tinylstm †" in texts(armed_figures["accuracy_against_pd"])


def test_missing_points_are_named(armed_figures):
    note = note_of(armed_figures["accuracy_against_pd"])
    for words in ("minigpt (not run)", "charlm GELU (missing)", "convlm ReLU (1 seed: no pair)"):
        assert words in note
