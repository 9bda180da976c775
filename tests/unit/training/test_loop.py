"""The loop: rows and snapshots, learning rates, settings that reach it, and its batches."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import STUDY, files_of, history

from conftest import with_training
from reprocore.data.probe import build_probe
from reprocore.data.tokens import decode, encode
from reprocore.study.cells import Cell
from reprocore.study.sections import TrainingSettings
from reprocore.training import loop as training
from reprocore.training.cell import train_cell as train
from reprocore.training.loop import learning_rate, row_iterations, snapshot_iterations


@given(iterations=st.integers(1, 10**8))
def test_snapshots_are_eighth_quarter_and_half_then_each_sixteenth_rounded_up(iterations):
    sixteenths = [2, 4, *range(8, 17)]
    wanted = {-(-iterations * k // 16) for k in sixteenths}
    assert snapshot_iterations(iterations, TrainingSettings().snapshots) == sorted(wanted)


@given(percents=st.sets(st.integers(1, 99)), hundreds=st.integers(1, 10**6))
def test_a_share_is_what_is_written_and_not_its_nearest_double(percents, hundreds):
    shares = [*(percent / 100 for percent in sorted(percents)), 1.0]
    steps = snapshot_iterations(100 * hundreds, shares)
    assert steps == [percent * hundreds for percent in (*sorted(percents), 100)]


@given(
    iterations=st.integers(1, 2000),
    every=st.integers(1, 3000),
    shares=st.sets(st.floats(0.001, 0.999)),
)
def test_rows_are_zero_each_interval_every_snapshot_and_the_last(iterations, every, shares):
    snapshots = (*sorted(shares), 1)
    chosen = TrainingSettings(iterations=iterations, evaluate_every=every, snapshots=snapshots)
    rows = row_iterations(chosen)
    assert rows[0] == 0
    assert rows[-1] == iterations
    wanted = {*range(0, iterations, every), *snapshot_iterations(iterations, snapshots)}
    assert rows == sorted(wanted)


def test_history_lists_its_rows_with_nulls_at_zero(train_cell):
    study = with_training(iterations=10, evaluate_every=4, snapshots=[0.5, 1])
    folder, _ = train_cell(study, "tinylstm")
    found = history(folder)
    assert found["iteration"] == [0, 4, 5, 8, 10]
    for name in ("train_loss", "learning_rate", "gradient_norm", "tokens_per_second"):
        assert found[name][0] is None
        assert all(value > 0 for value in found[name][1:]), name
    assert found["elapsed_s"] == sorted(found["elapsed_s"])
    assert all(0 <= value <= 1 for value in found["val_accuracy"])


def test_train_loss_is_the_mean_over_the_steps_since_the_last_row(train_cell):
    every, _ = train_cell(with_training(evaluate_every=1), "charlm", results="every")
    fourth, _ = train_cell(with_training(evaluate_every=4, snapshots=[1]), "charlm")
    single = history(every)["train_loss"][1:]
    assert len(single) == 8
    means = [np.mean(single[:4]), np.mean(single[4:])]
    assert history(fourth)["train_loss"][1:] == pytest.approx(means, rel=1e-6)
    norms = history(every)["gradient_norm"]
    assert history(fourth)["gradient_norm"][1:] == [norms[4], norms[8]]


def test_learning_rate_is_constant_by_default():
    chosen = TrainingSettings(iterations=7, learning_rate=0.01)
    assert [learning_rate(chosen, step) for step in range(7)] == [0.01] * 7


@given(
    iterations=st.integers(2, 300),
    warmup=st.integers(0, 350),
    final=st.floats(0, 1),
    cosine=st.booleans(),
)
def test_learning_rate_rises_linearly_then_falls_as_a_cosine(iterations, warmup, final, cosine):
    peak = 0.02
    chosen = TrainingSettings(
        iterations=iterations,
        warmup=warmup,
        final_rate=final,
        learning_rate=peak,
        schedule="cosine" if cosine else "constant",
    )
    found = [learning_rate(chosen, step) for step in range(iterations)]
    rise = [peak * k / warmup for k in range(1, min(warmup, iterations) + 1)]
    length = iterations - warmup
    if length <= 0:
        fall = []
    elif not cosine:
        fall = [peak] * length
    else:
        turns = np.linspace(0, math.pi, length) if length > 1 else [0.0]
        fall = [peak * (final + (1 - final) * (1 + math.cos(turn)) / 2) for turn in turns]
    assert found == pytest.approx(rise + fall, rel=1e-9, abs=1e-15)


def test_optimiser_uses_the_schedule_and_the_history_records_it(train_cell, monkeypatch):
    used = []
    step = training.optimiser_step

    def spy(run, *rest):
        used.append(run.optimiser.param_groups[0]["lr"])
        return step(run, *rest)

    monkeypatch.setattr(training, "optimiser_step", spy)
    study = with_training(schedule="cosine", warmup=2, evaluate_every=1)
    folder, _ = train_cell(study, "charlm")
    expected = [learning_rate(study.training, k) for k in range(8)]
    assert len(set(expected)) == 7
    assert used == expected
    assert history(folder)["learning_rate"][1:] == expected


def test_clipping_bounds_the_step_but_not_the_logged_norm(train_cell):
    free, _ = train_cell(with_training(iterations=1), "charlm", results="free")
    clipped, _ = train_cell(with_training(iterations=1, clip_norm=1e-9), "charlm")
    assert history(free)["gradient_norm"] == history(clipped)["gradient_norm"]
    assert files_of(free) != files_of(clipped)


@pytest.mark.parametrize(
    "changed", [{"learning_rate": 1e-3}, {"weight_decay": 0.5}, {"batch_size": 5}, {"beta1": 0.5}]
)
def test_training_settings_reach_the_training(train_cell, changed):
    usual, _ = train_cell(STUDY, "charlm", results="usual")
    other, _ = train_cell(with_training(**changed), "charlm")
    assert files_of(usual)["weights.safetensors"] != files_of(other)["weights.safetensors"]


@given(
    length=st.integers(3, 200),
    size=st.integers(1, 50),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_batch_is_of_windows_within_the_text(length, size, seed, data):
    context = data.draw(st.integers(1, length - 1))
    text = np.arange(length)
    order = np.random.default_rng(seed)
    inputs, targets = training.draw_batch(text, order, size, context, torch.device("cpu"))
    assert inputs.shape == targets.shape == (size, context)
    # Values are their own indices, so this says: consecutive, in range, targets one further.
    assert torch.equal(targets, inputs + 1)
    assert torch.equal(inputs, inputs[:, :1] + torch.arange(context))
    assert inputs.min() >= 0
    assert targets.max() < length


def test_batches_reach_the_first_and_the_last_window():
    order = np.random.default_rng(0)
    inputs, targets = training.draw_batch(np.arange(20), order, 2000, 5, torch.device("cpu"))
    starts, counts = inputs[:, 0].unique(return_counts=True)
    assert starts.tolist() == list(range(15))
    assert counts.min() > 80
    assert targets.max() == 19


@pytest.fixture
def drawn(monkeypatch):
    """The training batches, as they are drawn."""
    batches = []
    batch = training.draw_batch

    def spy(*arguments):
        batches.append(batch(*arguments))
        return batches[-1]

    monkeypatch.setattr(training, "draw_batch", spy)
    return batches


def test_training_sees_the_training_split_only(tiny_corpus, tmp_path, drawn):
    learned = decode(tiny_corpus.train, tiny_corpus.symbols)
    corpus = encode(learned + "#" * 500, train_fraction=len(learned) / (len(learned) + 500))
    marker = corpus.symbols.index("#")
    assert marker not in corpus.train
    assert marker in corpus.validation
    probe = build_probe(corpus, context=32, positions=64, block=16)
    train(STUDY, Cell("charlm", "gelu", "all", 1), corpus, probe, tmp_path)
    assert len(drawn) == 8
    text = corpus.train.tobytes()
    for inputs, targets in drawn:
        whole = torch.cat([inputs[:, :1], targets], dim=1).numpy().astype(np.uint16)
        assert marker not in whole
        assert torch.equal(inputs[:, 1:], targets[:, :-1])
        assert all(row.tobytes() in text for row in whole)


def test_cells_of_one_seed_see_the_same_batches_whatever_the_activation(train_cell, drawn):
    for chosen, seed in (("gelu", 1), ("swiglu", 1), ("gelu", 2)):
        train_cell(STUDY, "charlm", chosen, seed=seed)
    one, paired, other = (torch.stack([x for x, _ in drawn[k : k + 8]]) for k in (0, 8, 16))
    assert torch.equal(one, paired)
    assert not torch.equal(one, other)
