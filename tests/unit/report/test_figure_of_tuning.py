"""The figure of the tuning: losses by rate, the choice, ends of the grid, what is missing."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from figure_reading import artist, gids, hatches, illegible, texts
from figure_tables import LONG, make_study
from matplotlib.figure import Figure

from reprocore.report.figures.all_models.tuning import draw_tuning
from reprocore.store.choices import Choice, choose
from reprocore.store.schemas import TUNING_SCHEMA
from reprocore.study.study import Study
from reprocore.vocabulary import Trial

RATES, SEEDS = (0.0003, 0.001, 0.003), (8, 9)
TUNING = {"learning_rates": list(RATES), "seeds": list(SEEDS)}
INNER = [[2.6, 2.7], [2.0, 2.2], [2.4, 2.3]]
AT_END = [[2.6, 2.7], [2.5, 2.4], [2.1, 2.2]]
DIVERGED = [[2.6, 2.7], [2.0, 2.2], [2.4, None]]


def table_of(study: Study, losses: dict[tuple[str, str], Any]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for model in study.models:
        for activation in study.activations_of(model):
            made = losses.get((model, activation))
            choice = choose(model, activation, RATES, SEEDS, made) if made else None
            rows += [
                _row(choice, model, activation, rate, seed, i, j)
                for i, rate in enumerate(RATES)
                for j, seed in enumerate(SEEDS)
            ]
    frame: pd.DataFrame = pa.Table.from_pylist(rows, schema=TUNING_SCHEMA).to_pandas()
    return frame


def _row(
    choice: Choice | None, model: str, activation: str, rate: float, seed: int, i: int, j: int
) -> dict[str, Any]:
    row = {"model": model, "activation": activation, "learning_rate": rate, "seed": seed}
    if choice is None:
        return {**row, "chosen": False, "at_end": False, "trial": Trial.MISSING}
    loss, chosen = choice.losses[i][j], rate == choice.chosen
    trial = Trial.DIVERGED if loss is None else Trial.DONE
    values = {"val_loss": loss, "mean_loss": choice.means[i], "trial": trial}
    return {**row, **values, "chosen": chosen, "at_end": chosen and choice.at_end}


@pytest.fixture(scope="module")
def figure() -> Figure:
    study = make_study(tuning=TUNING, models=("charlm", "tinylstm"))
    losses = {
        ("charlm", "relu"): INNER,
        ("charlm", "gelu"): AT_END,
        ("charlm", "swiglu"): DIVERGED,
    }
    return draw_tuning(study, table_of(study, losses))


def test_the_choice_is_marked_and_an_end_of_the_grid_flagged(figure: Figure) -> None:
    chosen = artist(figure, "chosen:charlm:relu")
    assert [*chosen.get_xdata(), *chosen.get_ydata()] == [0.001, pytest.approx(2.1)]
    assert [*artist(figure, "end:charlm:gelu").get_xdata()] == [0.003]
    assert gids(figure, "end:") == {"end:charlm:gelu"}
    shown = " ".join(" ".join(texts(figure)).split())
    assert "Chosen at an end of the grid: charlm GELU." in shown


def test_every_seed_is_a_point_and_a_divergence_no_number(figure: Figure) -> None:
    points = artist(figure, "seeds:charlm:relu")
    assert sorted(points.get_ydata()) == sorted(loss for row in INNER for loss in row)
    assert len(artist(figure, "seeds:charlm:swiglu").get_ydata()) == 5
    # The mean over the seeds that did not diverge would be the mean of the lucky ones.
    assert [*artist(figure, "line:charlm:swiglu").get_xdata()] == [0.0003, 0.001]
    assert gids(figure, "diverged:") == {"diverged:charlm:swiglu:0.003"}


def test_what_was_not_tuned_is_hatched(figure: Figure) -> None:
    assert hatches(figure)
    assert not gids(figure, "line:tinylstm")
    assert "not run" in texts(figure)


@pytest.mark.slow
def test_no_text_overlaps_or_is_clipped(figure: Figure) -> None:
    losses = {("charlm", activation): INNER for activation in LONG.activations[:5]}
    losses |= {("tinylstm", activation): AT_END for activation in LONG.activations}
    for drawn in (figure, draw_tuning(LONG, table_of(LONG, losses))):
        assert not illegible(drawn)
