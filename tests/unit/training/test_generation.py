"""What a cell writes: greedy continuations of the same contexts, whatever the model."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import context_study
from torch import nn

from conftest import MODELS
from reprocore.data.probe import Probe, build_probe, prompts
from reprocore.data.tokens import Corpus, encode
from reprocore.store.readers import read_continuations
from reprocore.study.cells import Cell
from reprocore.training.cell import load_cell
from reprocore.training.generation import continuations, likeliest

TEXT = encode("".join(map(chr, np.random.default_rng(0).integers(97, 123, 4000))), 0.5)


@given(
    block=st.sampled_from([1, 4, 16]),
    blocks=st.integers(1, 40),
    length=st.integers(1, 32),
    count=st.integers(1, 40),
)
def test_prompts_stand_before_blocks_that_are_spread_over_the_probe(block, blocks, length, count):
    probe = build_probe(TEXT, context=32, positions=block * blocks, block=block)
    positions, inputs = prompts(TEXT, probe, length, count)
    starts = probe.positions.reshape(blocks, block)[:, 0]
    kept = np.searchsorted(starts, positions)
    assert np.array_equal(starts[kept], positions)
    assert len(positions) == min(count, blocks)
    gaps = np.diff(kept)
    assert kept[0] == 0
    assert len(gaps) == 0 or (kept[-1] == blocks - 1 and gaps.min() >= max(1, gaps.max() - 1))
    for position, row in zip(positions, inputs, strict=True):
        assert row.tolist() == TEXT.tokens[position - length : position].tolist()
    assert positions[0] - length >= TEXT.train_size


def one_by_one(model: nn.Module, corpus: Corpus, position: int, context: int) -> str:
    """The likeliest 64 characters from a position on, in float64, of one context alone."""
    tokens = corpus.tokens[position - min(context, 64) : position].tolist()
    for _ in range(64):
        with torch.no_grad():
            logits = model.double()(torch.tensor([tokens[-context:]]))[0, -1]
        tokens.append(int(logits.argmax()))
    return "".join(corpus.symbols[token] for token in tokens[-64:])


@pytest.mark.slow
@pytest.mark.parametrize("context", [8, 16, 32])
@pytest.mark.parametrize("name", MODELS)
def test_they_are_what_the_stored_model_writes_one_after_another(
    train_cell, tiny_corpus, tiny_probe, name, context
):
    study, cell = context_study(context), Cell(name, "gelu", "all", 1)
    folder, _ = train_cell(study, name)
    found, table = read_continuations(folder / "continuations.parquet")
    assert found == cell
    assert table["position"].to_pylist() == tiny_probe.positions[::16].tolist()
    model = load_cell(study, cell, folder, tiny_corpus)
    for row in table.to_pylist():
        assert row["continuation"] == one_by_one(model, tiny_corpus, row["position"], context)


class Next(nn.Module):
    """Foretells the symbol after the last one, and notes how much it was shown."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.symbols, self.shown = symbols, []

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.shown.append(tokens.shape)
        following = (tokens + 1) % self.symbols
        return self.scale * nn.functional.one_hot(following, self.symbols).float()


def test_a_known_rule_is_continued_within_the_context() -> None:
    model = Next(5)
    written = likeliest(model, torch.tensor([[0, 1], [3, 3]]), context=3, length=6)
    assert written.tolist() == [[2, 3, 4, 0, 1, 2], [4, 0, 1, 2, 3, 4]]
    assert model.shown == [(2, 2), *[(2, 3)] * 5]


@pytest.mark.parametrize(("context", "seen"), [(16, 16), (256, 64)])
def test_thirty_two_prompts_of_at_most_sixty_four_characters(context: int, seen: int) -> None:
    probe: Probe = build_probe(TEXT, context=256, positions=40 * 16, block=16)
    model = Next(TEXT.vocabulary_size)
    columns = continuations(model.eval(), TEXT, probe, context)
    assert model.shown[0] == (32, seen)
    assert {len(text) for text in columns["continuation"]} == {64}
    assert set(columns["position"]) <= {*probe.positions.tolist()}
    assert len(columns["position"]) == 32
