"""A trained cell: whether it has learned, what it says of itself, and how it fails."""

import hashlib
import json

import numpy as np
import pytest
from tiny_models import STUDY, history

from conftest import MODELS, one_line, tiny_study, with_training
from reprocore.data.probe import build_probe
from reprocore.data.tokens import encode, unigram_entropy
from reprocore.errors import ReprocoreError
from reprocore.store.files import read_json
from reprocore.study.cells import CELL_FILES, Cell
from reprocore.training import loop as training
from reprocore.training.cell import load_cell
from reprocore.training.cell import train_cell as train
from reprocore.training.loop import row_iterations

CELL = Cell("tinylstm", "gelu", "all", 1)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_easy_text_is_learned_beyond_its_unigram_entropy(train_cell, tiny_corpus, model):
    study = with_training(iterations=60, learning_rate=1e-2, evaluate_every=60, batch_size=8)
    folder, described = train_cell(study, model)
    counts = np.bincount(tiny_corpus.tokens)
    shares = counts / counts.sum()
    entropy = -(shares * np.log(shares)).sum()
    assert described["unigram_entropy"] == pytest.approx(entropy)
    assert history(folder)["val_loss"][0] > entropy > described["val_loss"] + 0.3
    assert described["beats_unigram"] is True


def test_a_cell_that_has_not_learned_is_flagged(train_cell, tiny_corpus):
    _, described = train_cell(with_training(iterations=1, learning_rate=1e-6), "charlm")
    assert described["val_loss"] > unigram_entropy(tiny_corpus)
    assert described["beats_unigram"] is False


def test_cell_description_holds_what_identifies_it(train_cell, tiny_corpus, tiny_probe):
    folder, described = train_cell(STUDY, "convlm", "swiglu")
    assert json.loads((folder / "cell.json").read_text()) == described
    assert described["cell"] == {
        "model": "convlm",
        "activation": "swiglu",
        "arm": "all",
        "seed": 1,
        "rate": None,
    }
    assert described["corpus_sha256"] == tiny_corpus.sha256
    assert described["probe_hash"] == tiny_probe.hash
    assert described["settings"]["training"]["iterations"] == 8
    assert described["hardware"]["device"] == "cpu"
    assert described["hardware"]["threads"] == 1
    for name, value in described["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == value
    assert set(described["sha256"]) == set(CELL_FILES) - {"cell.json"}


def test_progress_is_told_at_every_row(tiny_corpus, tiny_probe, tmp_path):
    seen = []

    def progress(row, total, left):
        seen.append((row.iteration, total, left))

    train(STUDY, CELL, tiny_corpus, tiny_probe, tmp_path, progress)
    assert [row for row, _, _ in seen] == row_iterations(STUDY.training)
    assert {total for _, total, _ in seen} == {8}
    assert seen[-1][2] == 0
    assert all(left >= 0 for _, _, left in seen)


BREAKS = """
from torch import nn

class Breaks(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = LEFT
    def forward(self, x):
        if self.training:
            self.left -= 1
        return x * float("nan") if self.left < 0 else x.tanh()
"""


def breaking_study(user_module, left: int):
    user_module("breaks", BREAKS.replace("LEFT", str(left)))
    custom = {"fragile": {"path": "breaks:Breaks"}}
    return tiny_study(custom_activations=custom, activations=["relu", "fragile"])


def test_lost_loss_names_the_cell_and_leaves_a_failed_cell(
    user_module, tiny_corpus, tiny_probe, tmp_path
):
    study = breaking_study(user_module, left=5)
    cell = Cell("tinylstm", "fragile", "all", 1)
    with pytest.raises(ReprocoreError) as error:
        train(study, cell, tiny_corpus, tiny_probe, tmp_path)
    text = one_line(error)
    assert text.startswith("tinylstm/fragile/all-1: ")
    assert "the loss became nan by iteration 8" in text
    failed = read_json(tmp_path / "failed.json")
    assert failed["cell"] == cell.key
    assert "nan" in failed["reason"]
    assert not (tmp_path / "cell.json").exists()

    study = breaking_study(user_module, left=1000)
    train(study, cell, tiny_corpus, tiny_probe, tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == set(CELL_FILES)


def test_cell_that_fails_again_is_no_longer_whole(train_cell, monkeypatch):
    folder, _ = train_cell(STUDY, "charlm")

    def fail(*_arguments):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(training, "optimiser_step", fail)
    with pytest.raises(ZeroDivisionError):
        train_cell(STUDY, "charlm")
    assert not (folder / "cell.json").exists()
    assert "a defect" in read_json(folder / "failed.json")["reason"]


def test_cell_whose_folder_cannot_be_made_is_one_line(tiny_corpus, tiny_probe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReprocoreError) as error:
        train(STUDY, CELL, tiny_corpus, tiny_probe, tmp_path / "file" / "cell")
    assert str(tmp_path / "file") in one_line(error)


def test_text_shorter_than_a_window_is_refused(tmp_path):
    corpus = encode("ab" * 100, train_fraction=0.05)
    probe = build_probe(corpus, context=32, positions=64, block=16)
    with pytest.raises(ReprocoreError) as error:
        train(STUDY, CELL, corpus, probe, tmp_path)
    assert "the training split has 10 characters" in one_line(error)
    assert "at least 17" in one_line(error)


def test_weights_that_are_missing_damaged_or_foreign_are_one_line(train_cell, tiny_corpus):
    folder, _ = train_cell(STUDY, "charlm")
    path = folder / "weights.safetensors"
    whole = path.read_bytes()

    def refused(model: str, content: bytes | None) -> str:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ReprocoreError) as error:
            load_cell(STUDY, Cell(model, "gelu", "all", 1), folder, tiny_corpus)
        assert str(path) in one_line(error)
        return one_line(error)

    assert "no such file" in refused("charlm", None)
    assert "charlm/gelu/all-1" in refused("charlm", whole[: len(whole) // 2])
    assert "charlm/gelu/all-1" in refused("charlm", b"")
    assert "convlm/gelu/all-1" in refused("convlm", whole)
    path.write_bytes(whole)
    assert not load_cell(STUDY, Cell("charlm", "gelu", "all", 1), folder, tiny_corpus).training
