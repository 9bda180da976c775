"""What is scored and stored during a training: which positions, how well, and unseen by it."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import context_study, files_of, history, tiny_model

from conftest import CONTEXT, with_training
from reprocore.data.tokens import Corpus, encode
from reprocore.store.predictions import read_predictions
from reprocore.store.readers import read_evaluation
from reprocore.study.cells import Cell
from reprocore.training.cell import load_cell
from reprocore.training.loop import evaluate, evaluation_probe, predict, probe_windows
from reprocore.training.models.layers import attach_stream
from reprocore.training.randomness import MaskStream


@pytest.mark.parametrize(
    "changed",
    [
        {"evaluate_every": 1},
        {"evaluate_every": 100},
        {"snapshots": [1]},
        {"evaluation_positions": 16},
    ],
)
def test_looking_at_a_model_does_not_change_it(train_cell, changed):
    usual, _ = train_cell(with_training(evaluate_every=3), "hybridlm", results="usual")
    other, _ = train_cell(with_training(**{"evaluate_every": 3, **changed}), "hybridlm")
    assert history(usual)["iteration"] == [0, 2, 3, 4, 6, 8]
    assert history(usual)["val_loss"] != history(other)["val_loss"]
    assert files_of(usual)["weights.safetensors"] == files_of(other)["weights.safetensors"]


def scores_of(model, windows) -> tuple[torch.Tensor, torch.Tensor]:
    found = evaluate(model, windows)
    return found.loss, found.accuracy


def test_evaluation_draws_nothing_and_leaves_the_mode_as_it_was(tiny_corpus):
    model = tiny_model("charlm", vocabulary=tiny_corpus.vocabulary_size)
    scored = evaluation_probe(tiny_corpus, 64, 16, 32)
    windows = probe_windows(tiny_corpus, scored, CONTEXT, torch.device("cpu"))
    stream = MaskStream(1, torch.device("cpu"))
    attach_stream(model, stream)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    first = (*scores_of(model, windows), predict(model, windows))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state
    assert model.training
    again = (*scores_of(model.eval(), windows), predict(model, windows))
    assert not model.training
    assert all(map(torch.equal, first, again))
    fresh = MaskStream(1, torch.device("cpu")).mask(torch.Size([9]), 0.5)
    assert torch.equal(stream.mask(torch.Size([9]), 0.5), fresh)


def likely(model: torch.nn.Module, corpus: Corpus, positions: np.ndarray, kept: int, context: int):
    """Next-character distributions, one forward pass of a truncated context per position."""
    rows = []
    for index, position in enumerate(positions):
        end = positions[index // kept * kept + kept - 1]
        seen = corpus.tokens[end - context : position].astype(np.int64)
        with torch.no_grad():
            rows.append(model(torch.from_numpy(seen)[None])[0, -1].double())
    return torch.softmax(torch.stack(rows), dim=-1).numpy()


@pytest.mark.parametrize("context", [8, 16, 32])
@pytest.mark.parametrize("name", ["charlm", "convlm", "tinylstm"])
def test_stored_predictions_and_loss_are_those_of_the_stored_model(
    train_cell, tiny_corpus, tiny_probe, name, context
):
    study = context_study(context)
    folder, described = train_cell(study, name)
    model = load_cell(study, Cell(name, "gelu", "all", 1), folder, tiny_corpus)
    kept = min(context, 16)
    stored = read_predictions(folder / "predictions.parquet")
    assert stored.steps.tolist() == [2, 4, 8]
    assert stored.probe_hash == tiny_probe.hash
    assert np.array_equal(stored.positions, tiny_probe.positions)
    assert np.array_equal(stored.targets, tiny_corpus.tokens[tiny_probe.positions])
    expected = likely(model, tiny_corpus, tiny_probe.positions, kept, context)
    np.testing.assert_allclose(stored.probabilities[-1], expected, atol=1e-6)
    assert np.abs(stored.probabilities[0] - expected).max() > 1e-3

    scored = evaluation_probe(tiny_corpus, 64, 16, 32)
    chances = likely(model.double(), tiny_corpus, scored.positions, kept, context)
    truth = tiny_corpus.tokens[scored.positions]
    losses = -np.log(chances[np.arange(64), truth]).reshape(-1, 16).mean(axis=1)
    hits = (chances.argmax(axis=1) == truth).reshape(-1, 16).mean(axis=1)
    cell, table = read_evaluation(folder / "evaluation.parquet")
    assert cell == Cell(name, "gelu", "all", 1)
    final = table.to_pandas().query("step == 8")
    assert final["block"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(final["loss"], losses, rtol=1e-5)
    np.testing.assert_array_equal(final["accuracy"], hits)
    assert described["val_loss"] == pytest.approx(losses.mean(), rel=1e-5)
    assert described["val_accuracy"] == pytest.approx(hits.mean(), rel=1e-12)


def test_scores_of_the_blocks_average_to_those_of_the_history(train_cell):
    folder, _ = train_cell(with_training(evaluation_positions=96), "hybridlm")
    scores = read_evaluation(folder / "evaluation.parquet")[1].to_pandas()
    assert scores["step"].tolist() == np.repeat([2, 4, 8], 6).tolist()
    assert scores["block"].tolist() == [*range(6)] * 3
    rows = pd.DataFrame(history(folder)).set_index("iteration")
    means = scores.groupby("step")[["loss", "accuracy"]].mean()
    wanted = rows.loc[[2, 4, 8], ["val_loss", "val_accuracy"]]
    np.testing.assert_allclose(means, wanted, rtol=1e-12)


@given(
    asked=st.integers(1, 10_000),
    block=st.integers(1, 64),
    lead=st.integers(0, 200),
)
def test_evaluation_takes_whole_blocks_of_validation_text_after_the_lead(asked, block, lead):
    corpus = encode("abcdefg" * 200, train_fraction=0.5)
    probe = evaluation_probe(corpus, asked, block, lead)
    count = len(probe.positions)
    assert count % block == 0
    assert count <= max(asked, block)
    assert probe.positions[0] >= corpus.train_size + max(lead, block)
    assert probe.positions[-1] < len(corpus.tokens)
    room = len(corpus.validation) - max(lead, block)
    assert count == max(min(asked, room) // block, 1) * block
