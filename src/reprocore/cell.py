"""One cell from settings to files: build, train, predict, write."""

import contextlib
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import safetensors.torch
import torch
from torch import nn

from reprocore.activations import study_activation
from reprocore.config import Study
from reprocore.corpus import Corpus, Probe, unigram_entropy
from reprocore.device import cell_device, describe
from reprocore.errors import ReprocoreError
from reprocore.identity import cell_identity, cell_settings
from reprocore.models import build_model, check_model, count_parameters
from reprocore.predictions import Predictions, write_predictions
from reprocore.randomness import stream_seeds
from reprocore.records import code_version, sealed
from reprocore.storage import atomic, write_json, write_table
from reprocore.study import Cell
from reprocore.training import (
    Row,
    evaluation_probe,
    predict,
    probe_windows,
    snapshot_iterations,
    train,
)

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("iteration", pa.int64(), False, {"meaning": "optimiser steps done"}),
        pa.field("train_loss", pa.float64(), True, {"unit": "nats per character"}),
        pa.field("val_loss", pa.float64(), False, {"unit": "nats per character"}),
        pa.field("val_accuracy", pa.float64(), False, {"unit": "share of characters"}),
        pa.field("learning_rate", pa.float64(), True, {"meaning": "of the last step"}),
        pa.field("gradient_norm", pa.float64(), True, {"meaning": "L2, before clipping"}),
        pa.field("tokens_per_second", pa.float64(), True, {"unit": "characters per second"}),
        pa.field("elapsed_s", pa.float64(), False, {"unit": "seconds since training began"}),
    ]
)
PACKAGES = ("reprocore", "torch", "numpy", "pyarrow", "safetensors")

Progress = Callable[[Row, int, float], None]


def print_progress(row: Row, total: int, left: float) -> None:
    """Print one line: iteration, losses, speed and time left."""
    train = f"{row.train_loss:.4f}" if row.train_loss is not None else "-"
    speed = f"{row.tokens_per_second:,.0f}" if row.tokens_per_second is not None else "-"
    print(
        f"iteration {row.iteration}/{total}  train loss {train}  val loss {row.val_loss:.4f}  "
        f"{speed} tokens/s  {left:.0f} s left",
        flush=True,
    )


def run_cell(
    study: Study,
    cell: Cell,
    corpus: Corpus,
    probe: Probe,
    folder: Path,
    progress: Progress = lambda row, total, left: None,
) -> dict[str, Any]:
    """Train one cell and write its four files into `folder`; return what `cell.json` holds.

    Each file is written atomically and `cell.json` last, so a folder with a `cell.json` is
    whole. On failure `failed.json` says why; it goes away when the cell succeeds.

    Args:
        study: the validated configuration.
        cell: which model, activation, arm and seed.
        corpus: what to learn.
        probe: what to predict.
        folder: of this cell.
        progress: called at each row of history with the row, the number of iterations and the
            seconds that are left at the rate so far.

    Raises:
        ReprocoreError: the settings cannot be used, the loss diverges, a file cannot be written.
    """
    try:
        (folder / "cell.json").unlink(missing_ok=True)
    except OSError as error:
        raise ReprocoreError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        described = _run(study, cell, corpus, probe, folder, progress)
    except Exception as error:
        with contextlib.suppress(ReprocoreError):
            write_json(folder / "failed.json", {"cell": cell.key, "reason": str(error)})
        if isinstance(error, ReprocoreError):
            raise ReprocoreError(f"{cell.key}: {error}") from error
        raise
    (folder / "failed.json").unlink(missing_ok=True)
    return described


def _run(
    study: Study, cell: Cell, corpus: Corpus, probe: Probe, folder: Path, progress: Progress
) -> dict[str, Any]:
    started, begun = time.time(), time.monotonic()
    model_settings = study.models[cell.model]
    settings = study.training_of(cell.model)
    chosen = study_activation(study, cell.activation)
    seeds = stream_seeds(cell.arm, cell.seed)
    with cell_device(model_settings.resources.trained_on, settings.threads) as device:
        model = build_model(model_settings, chosen, corpus.vocabulary_size, seeds["init"])
        check_model(model, chosen, corpus.vocabulary_size, model_settings.context)
        model.to(device)
        rows, predictions = _train(study, cell, corpus, probe, model, seeds, device, progress)
        hardware = describe(device)
    baseline = unigram_entropy(corpus)
    weights = _write_weights(folder / "weights.safetensors", model)
    write_predictions(folder / "predictions.parquet", predictions)
    columns = {name: [asdict(row)[name] for row in rows] for name in HISTORY_SCHEMA.names}
    write_table(folder / "history.parquet", pa.table(columns, schema=HISTORY_SCHEMA))
    described = {
        "cell": asdict(cell),
        "identity": cell_identity(study, cell),
        "settings": cell_settings(study, cell),
        "corpus_sha256": corpus.sha256,
        "probe_hash": probe.hash,
        "parameters": count_parameters(model),
        "val_loss": rows[-1].val_loss,
        "val_accuracy": rows[-1].val_accuracy,
        "unigram_entropy": baseline,
        "beats_unigram": rows[-1].val_loss < baseline,
        "train_seconds": rows[-1].elapsed_s,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "wall_seconds": time.monotonic() - begun,
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES},
        "code": code_version(),
        "hardware": hardware,
        "sha256": {
            "weights.safetensors": weights,
            "predictions.parquet": _file_sha256(folder / "predictions.parquet"),
            "history.parquet": _file_sha256(folder / "history.parquet"),
        },
    }
    described = sealed(described)
    write_json(folder / "cell.json", described)
    return described


def _train(
    study: Study,
    cell: Cell,
    corpus: Corpus,
    probe: Probe,
    model: nn.Module,
    seeds: dict[str, int],
    device: torch.device,
    progress: Progress,
) -> tuple[list[Row], Predictions]:
    """Train `model` and return its history and its predictions at the snapshots."""
    settings, context = study.training_of(cell.model), study.models[cell.model].context
    scored = evaluation_probe(
        corpus, settings.evaluation_positions, study.probe.block, study.probe.lead
    )
    evaluation = probe_windows(corpus, scored, context, device)
    predicted = probe_windows(corpus, probe, context, device)
    snapshots = snapshot_iterations(settings.iterations, settings.snapshots)
    rows: list[Row] = []
    probabilities = []
    for row in train(model, corpus, settings, context, evaluation, seeds):
        rows.append(row)
        if row.iteration in snapshots:
            probabilities.append(predict(model, predicted).numpy())
        done = max(row.iteration, 1)
        progress(row, settings.iterations, row.elapsed_s / done * (settings.iterations - done))
    return rows, Predictions(
        steps=np.array(snapshots),
        positions=probe.positions,
        targets=probe.targets,
        probabilities=np.stack(probabilities),
        probe_hash=probe.hash,
        cell=cell.key,
    )


def _write_weights(path: Path, model: nn.Module) -> str:
    """Write the weights atomically and return the file's SHA-256."""
    # Each tensor with memory of its own: safetensors refuses tied weights otherwise.
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    with atomic(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))
    return _file_sha256(path)


def _file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_cell(study: Study, cell: Cell, folder: Path, corpus: Corpus) -> nn.Module:
    """Return the trained model of a cell, in evaluation mode on the CPU.

    Raises:
        ReprocoreError: the weights are missing, damaged, or of another model.
    """
    path = folder / "weights.safetensors"
    model = build_model(
        study.models[cell.model],
        study_activation(study, cell.activation),
        corpus.vocabulary_size,
        init_seed=0,
    )
    try:
        model.load_state_dict(safetensors.torch.load(path.read_bytes()))
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file; train the cell first") from None
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ReprocoreError(f"{path}: not the weights of {cell.key}: {reason}") from None
    return model.eval()
