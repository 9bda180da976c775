"""The choice of a learning rate by the losses of its tuning cells."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import one_line, tiny_config
from reprocore.analysis.tuning import tuning_table
from reprocore.data.probe import Probe
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.store.choices import (
    choose,
    choose_from_cells,
    known_choice,
    read_choice,
    write_choice,
)
from reprocore.store.identity import cell_identity, cell_settings
from reprocore.study.cells import Cell, cell_of_path, tuning_cells
from reprocore.study.study import Study, parse_study
from reprocore.training.cell import train_cell
from reprocore.vocabulary import Trial

RATES = (0.001, 0.01, 0.1)
LOSSES = st.one_of(st.none(), st.floats(0.5, 5), st.just(math.nan), st.just(math.inf))


def tuned_study(results: Path, **changes: Any) -> Study:
    config = tiny_config(activations=["relu", "gelu"], results=str(results))
    config["models"] = {"charlm": config["models"]["charlm"]}
    tuning = {"learning_rates": [0.001, 0.01], "seeds": [8, 9], "iterations": 4}
    return parse_study(config | {"tuning": tuning} | changes)


@given(st.lists(st.tuples(LOSSES, LOSSES), min_size=3, max_size=3))
def test_the_lowest_mean_is_chosen_and_never_a_rate_that_diverged(
    losses: list[tuple[float | None, float | None]],
) -> None:
    sound = [all(x is not None and math.isfinite(x) for x in row) for row in losses]
    if not any(sound):
        with pytest.raises(ReprocoreError) as error:
            choose("a", "relu", RATES, (8, 9), losses)
        assert "a/relu: the loss diverged at every one" in one_line(error)
        return
    choice = choose("a", "relu", RATES, (8, 9), losses)
    index = RATES.index(choice.chosen)
    assert sound[index]
    means = [sum(row) / 2 if fine else math.inf for row, fine in zip(losses, sound, strict=True)]  # type: ignore[arg-type]
    assert means[index] == min(means)
    assert choice.at_end == (index != 1)


def test_of_two_rates_alike_the_lower_is_chosen() -> None:
    choice = choose("a", "relu", RATES, (8,), [[3.0], [2.0], [2.0]])
    assert (choice.chosen, choice.at_end) == (0.01, False)


def test_a_choice_is_read_as_it_was_written_and_not_if_changed_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "choice.json"
    choice = choose("a", "relu", RATES, (8, 9), [[3.0, 2.5], [2.0, 2.25], [math.nan, 2.0]])
    write_choice(path, choice)
    assert read_choice(path) == choice
    assert choice.losses[2] == (None, 2.0)
    assert choice.means == (2.75, 2.125, None)
    content = json.loads(path.read_text())
    for changed in (content | {"chosen": 0.001}, content | {"seeds": [8]}, [content], {}):
        path.write_text(json.dumps(changed))
        with pytest.raises(ReprocoreError) as error:
            read_choice(path)
        assert str(path) in one_line(error)


def test_a_tuning_cell_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    cells = tuning_cells(tuned_study(tmp_path))
    assert len(cells) == 2 * 2 * 2
    assert cells[0] == Cell("charlm", "relu", "all", 8, 0.001)
    assert cells[0].place == "tuning/charlm/relu/0.001/8"
    for cell in (*cells, Cell("charlm", "relu", "all", 8, 1e-5), Cell("charlm", "relu", "none", 8)):
        assert cell_of_path(f"{cell.place}/cell.json") == cell
        assert Cell.of_key(cell.key) == cell
    assert cell_of_path("tuning/charlm/relu.json") is None
    assert cell_of_path("tuning/charlm/relu/1e-3/8/cell.json") is None


def test_a_cell_has_the_chosen_rate_in_its_settings(tmp_path: Path) -> None:
    study = tuned_study(tmp_path)
    cell = Cell("charlm", "relu", "all", 1)
    assert cell_settings(study, cell)["training"]["learning_rate"] is None
    unchosen = cell_identity(study, cell)
    tried = cell_settings(study, tuning_cells(study)[0])["training"]
    assert (tried["learning_rate"], tried["iterations"]) == (0.001, 4)
    write_choice(
        tmp_path / "tuning/charlm/relu.json",
        choose("charlm", "relu", (0.001, 0.01), (8, 9), [[3.0, 3.0], [2.0, 2.0]]),
    )
    chosen = cell_settings(study, cell)["training"]
    assert (chosen["learning_rate"], chosen["iterations"]) == (0.01, 8)
    assert cell_identity(study, cell) != unchosen
    # Once it is chosen, how it was chosen and what the study says itself is of no account.
    plain = tuned_study(tmp_path, tuning=None)
    training = plain.training.model_dump() | {"learning_rate": 0.01}
    same = tuned_study(tmp_path, tuning=None, training=training)
    assert cell_identity(study, cell) == cell_identity(same, cell)
    other = cell_settings(study, Cell("charlm", "gelu", "all", 1))
    assert other["training"]["learning_rate"] is None


def test_no_cell_is_trained_before_its_rate_is_chosen(
    tmp_path: Path, tiny_corpus: Corpus, tiny_probe: Probe
) -> None:
    study, cell = tuned_study(tmp_path), Cell("charlm", "relu", "all", 1)
    with pytest.raises(ReprocoreError) as error:
        train_cell(study, cell, tiny_corpus, tiny_probe, cell.folder(tmp_path))
    assert "charlm/relu/all-1: its learning rate is not chosen yet" in one_line(error)


@pytest.mark.slow
def test_tuning_cells_give_the_choice_and_one_that_diverges_is_data(
    tmp_path: Path,
    tiny_corpus: Corpus,
    tiny_probe: Probe,
    user_module: Callable[[str, str], None],
) -> None:
    user_module("steep", "import torch\n\n\ndef steep(x):\n    return torch.exp(20 * x)\n")
    study = tuned_study(
        tmp_path,
        activations=["steep"],
        custom_activations={"steep": {"path": "steep:steep"}},
        tuning={"learning_rates": [1e-5, 10.0], "seeds": [8], "iterations": 6},
    )
    assert study.tuning is not None
    described = []
    for cell in tuning_cells(study):
        folder = cell.folder(tmp_path)
        described.append(train_cell(study, cell, tiny_corpus, tiny_probe, folder))
        assert {path.name for path in folder.iterdir()} == {"cell.json", "history.parquet"}
    sound, diverged = described
    assert sound["val_loss"] > 0
    assert not sound["rate_is_tuned"]
    assert diverged["val_loss"] is None
    assert "the loss became" in diverged["diverged"]
    paths = [cell.folder(tmp_path) / "cell.json" for cell in tuning_cells(study)]
    choice = choose_from_cells(study.tuning, paths)
    # Known without a file, too: one that is lost changes no cell.
    assert known_choice(study, "charlm", "steep") == choice
    assert (choice.chosen, choice.losses) == (1e-5, ((sound["val_loss"],), (None,)))
    with pytest.raises(ReprocoreError, match="not those of the study"):
        choose_from_cells(study.tuning, paths[:1])


def test_the_table_has_every_trial_also_those_that_are_missing(tmp_path: Path) -> None:
    study = tuned_study(tmp_path)
    path = tmp_path / "relu.json"
    write_choice(path, choose("charlm", "relu", (0.001, 0.01), (8, 9), [[2.0, 3.0], [1.0, None]]))
    rows = tuning_table(study, [path]).to_pylist()
    assert [row["trial"] for row in rows] == [
        *([Trial.DONE] * 3),
        Trial.DIVERGED,
        *([Trial.MISSING] * 4),
    ]
    assert [row["mean_loss"] for row in rows] == [2.5, 2.5, *([None] * 6)]
    assert [row["at_end"] for row in rows] == [True, True, *([False] * 6)]
    assert [row["learning_rate"] for row in rows[4:]] == [0.001, 0.001, 0.01, 0.01]
