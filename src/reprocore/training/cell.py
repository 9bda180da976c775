"""One cell from settings to files: build, train, predict, write."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import safetensors.torch
import torch
from torch import nn

from reprocore.data.probe import Probe
from reprocore.data.tokens import Corpus, unigram_entropy
from reprocore.errors import ReprocoreError
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA, EVALUATION_SCHEMA, HISTORY_SCHEMA
from reprocore.store.files import atomic, remove_leftovers, write_json
from reprocore.store.identity import (
    cell_identity,
    cell_settings,
    cell_training,
    recorded_identity,
)
from reprocore.store.predictions import Predictions, write_predictions
from reprocore.store.records import (
    code_version,
    file_sha256,
    fingerprints,
    read_cell,
    sealed,
    versions,
)
from reprocore.store.tables import write_table
from reprocore.study.cells import CHECKPOINT, Cell
from reprocore.study.sections import TrainingSettings
from reprocore.study.study import Study
from reprocore.training.checkpoint import Clock, SavedTraining, StoppedError
from reprocore.training.device import cell_device, describe_hardware
from reprocore.training.generation import continuations
from reprocore.training.loop import (
    DivergedError,
    evaluation_probe,
    predict,
    probe_windows,
    snapshot_iterations,
    train,
)
from reprocore.training.models.activations import study_activation
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.precision import has_bfloat16
from reprocore.training.randomness import stream_seeds
from reprocore.training.state import Row, Snapshot, Training, begin_training

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


def train_cell(
    study: Study,
    cell: Cell,
    corpus: Corpus,
    probe: Probe,
    folder: Path,
    progress: Progress = lambda row, total, left: None,
) -> dict[str, Any]:
    """Train one cell and write its files into `folder`; return what `cell.json` holds.

    Files are written atomically and `cell.json` last, so a folder with a `cell.json` is
    complete. A stopped cell leaves a checkpoint, from which the next call resumes bit for bit; on
    failure `failed.json` says why, until the cell is trained again. Only one process at a time
    trains a cell: a second one waits, and uses the result of the first. The model is not checked:
    `reprocore.training.preflight` does that, once for all seeds. A tuning cell whose loss diverges
    is done, with `val_loss` null and the reason as `diverged`.

    Args:
        study: the validated configuration.
        cell: which model, activation, arm and seed.
        corpus: what to learn.
        probe: what to predict.
        folder: of this cell.
        progress: called at every row of history with the row, the number of iterations and the
            seconds left at the rate so far.

    Raises:
        StoppedError: a signal asked for it; a checkpoint is written.
        ReprocoreError: the settings cannot be used, the loss diverges, a file cannot be written.
    """
    try:
        with _alone(folder) as waited:
            if waited and is_done(study, cell, folder):
                print(f"{cell.key}: the other process has trained it", flush=True)
                return read_cell(folder / "cell.json")
            for name in ("cell.json", "failed.json"):
                (folder / name).unlink(missing_ok=True)
            for name in (*cell.files, CHECKPOINT, "failed.json"):
                remove_leftovers(folder / name)
            described = _train_or_record_failure(study, cell, corpus, probe, folder, progress)
            (folder / CHECKPOINT).unlink(missing_ok=True)
            return described
    except OSError as error:
        raise ReprocoreError(f"{folder}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Lock `folder` against other processes; yield whether another one held it before.

    A killed Snakemake leaves its training processes running, and the next one starts its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    waited = False
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        print(f"{folder}: another process trains this cell; waiting for it", flush=True)
        lock.acquire(poll_interval=0.5)
        waited = True
    try:
        yield waited
    finally:
        # While it is held: a process that waits for a deleted lock file makes a new one.
        (folder / ".lock").unlink(missing_ok=True)
        lock.release()


def is_done(study: Study, cell: Cell, folder: Path) -> bool:
    """Return whether `folder` holds the undamaged files of `cell`, as `study` says today."""
    if recorded_identity(folder / "cell.json") != cell_identity(study, cell):
        return False
    recorded = read_cell(folder / "cell.json")["sha256"]
    return all(
        (folder / name).is_file() and file_sha256(folder / name) == sha256
        for name, sha256 in recorded.items()
    )


def _train_or_record_failure(
    study: Study, cell: Cell, corpus: Corpus, probe: Probe, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Train the cell; if that fails, write the reason to `failed.json`."""
    try:
        return _train_and_write(study, cell, corpus, probe, folder, progress)
    except StoppedError as stop:
        raise StoppedError(f"{cell.key}: {stop}") from None
    except Exception as error:
        with contextlib.suppress(ReprocoreError):
            write_json(folder / "failed.json", {"cell": cell.key, "reason": str(error)})
        if isinstance(error, ReprocoreError):
            raise ReprocoreError(f"{cell.key}: {error}") from error
        raise


def _train_and_write(
    study: Study, cell: Cell, corpus: Corpus, probe: Probe, folder: Path, progress: Progress
) -> dict[str, Any]:
    start = time.monotonic()
    resources, settings = study.models[cell.model].resources, _training_settings(study, cell)
    clock = Clock(resources.checkpoint_seconds)
    with cell_device(resources.trained_on, settings.threads) as device, clock.listening():
        if settings.precision == "bfloat16" and not has_bfloat16(device):
            print("this processor has no bfloat16 instructions, float32 is faster", flush=True)
        model = _untrained_model(study, cell, corpus, device)
        training = begin_training(model, settings, _seeds(cell), device)
        origin = {
            "identity": cell_identity(study, cell),
            "versions": versions(PACKAGES),
            "code": code_version(),
            "hardware": describe_hardware(device),
        }
        saved = SavedTraining(folder / CHECKPOINT, training, origin)
        saved.resume()
        start -= training.elapsed_s
        diverged = ""
        try:
            _train(study, cell, settings, corpus, probe, saved, clock, progress)
        except DivergedError as error:
            # That a rate is too high is a finding of the tuning, and no failure of the study.
            if cell.rate is None:
                raise
            diverged = str(error)
        _write_history(cell, folder, training)
        if cell.rate is None:
            _write_results(study, cell, corpus, probe, folder, saved)
        described = sealed(
            {
                **_describe(study, cell, corpus, probe, training, diverged),
                **origin,
                "earlier": saved.earlier,
                "started": saved.started,
                "wall_seconds": time.monotonic() - start,
                "python": sys.version.split()[0],
                **fingerprints(folder, (name for name in cell.files if name != "cell.json")),
            }
        )
        write_json(folder / "cell.json", described)
        return described


def _training_settings(study: Study, cell: Cell) -> TrainingSettings:
    settings = cell_training(study, cell)
    if settings["learning_rate"] is None:
        raise ReprocoreError("its learning rate is not chosen yet; a run of Snakemake does that")
    return TrainingSettings.model_validate(settings)


def _seeds(cell: Cell) -> dict[str, int]:
    return stream_seeds(cell.arm, cell.seed)


def _untrained_model(study: Study, cell: Cell, corpus: Corpus, device: torch.device) -> nn.Module:
    settings, chosen = study.models[cell.model], study_activation(study, cell.activation)
    return build_model(settings, chosen, corpus.vocabulary_size, _seeds(cell)["init"]).to(device)


def _train(
    study: Study,
    cell: Cell,
    settings: TrainingSettings,
    corpus: Corpus,
    probe: Probe,
    saved: SavedTraining,
    clock: Clock,
    progress: Progress,
) -> None:
    """Train to the end, saving checkpoints and collecting the snapshots."""
    context, training = study.models[cell.model].context, saved.training
    device = training.loss_sum.device
    scored = evaluation_probe(
        corpus, settings.evaluation_positions, study.probe.block, study.probe.lead
    )
    evaluation = probe_windows(corpus, scored, context, device)
    predicted = probe_windows(corpus, probe, context, device)
    snapshots = snapshot_iterations(settings.iterations, settings.snapshots)

    def after_step() -> None:
        if clock.due():
            saved.save()
            if clock.stopping():
                raise StoppedError(
                    f"stopped at iteration {training.iteration} of {settings.iterations}; "
                    "resumes from there when it is started again"
                )

    for row, scores in train(training, corpus, settings, context, evaluation, after_step):
        if row.iteration in snapshots:
            probabilities = predict(training.model, predicted)
            saved.snapshots.append(Snapshot(scores.loss, scores.accuracy, probabilities))
        done = max(row.iteration, 1)
        progress(row, settings.iterations, row.elapsed_s / done * (settings.iterations - done))


def _write_results(
    study: Study, cell: Cell, corpus: Corpus, probe: Probe, folder: Path, saved: SavedTraining
) -> None:
    """Write weights, and what a finished model predicts, scores and writes."""
    settings, model = study.training_of(cell.model), saved.training.model
    steps = np.array(snapshot_iterations(settings.iterations, settings.snapshots))
    _write_weights(folder / "weights.safetensors", model)
    write_predictions(
        folder / "predictions.parquet",
        Predictions(
            steps=steps,
            positions=probe.positions,
            targets=probe.targets,
            probabilities=torch.stack([each.probabilities for each in saved.snapshots]).numpy(),
            probe_hash=probe.hash,
            cell=cell.key,
        ),
    )
    written = continuations(model.eval(), corpus, probe, study.models[cell.model].context)
    for name, schema, columns in (
        ("evaluation", EVALUATION_SCHEMA, _evaluation(steps, saved.snapshots)),
        ("continuations", CONTINUATIONS_SCHEMA, written),
    ):
        table = pa.table(columns, schema=schema.with_metadata({"cell": cell.key}))
        write_table(folder / f"{name}.parquet", table)


def _write_history(cell: Cell, folder: Path, training: Training) -> None:
    rows = [asdict(row) for row in training.rows]
    columns = {name: [row[name] for row in rows] for name in HISTORY_SCHEMA.names}
    schema = HISTORY_SCHEMA.with_metadata({"cell": cell.key})
    write_table(folder / "history.parquet", pa.table(columns, schema=schema))


def _evaluation(
    steps: npt.NDArray[np.int64], snapshots: Sequence[Snapshot]
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of `EVALUATION_SCHEMA`."""
    blocks = len(snapshots[0].loss)
    return {
        "step": np.repeat(steps, blocks),
        "block": np.tile(np.arange(blocks), len(steps)),
        "loss": torch.cat([each.loss for each in snapshots]).numpy(),
        "accuracy": torch.cat([each.accuracy for each in snapshots]).numpy(),
    }


def _describe(
    study: Study, cell: Cell, corpus: Corpus, probe: Probe, training: Training, diverged: str
) -> dict[str, Any]:
    """Return the part of `cell.json` about the cell itself and how well it predicts."""
    described = {
        "cell": asdict(cell),
        "settings": cell_settings(study, cell),
        "rate_is_tuned": study.tuning is not None and cell.rate is None,
        "corpus_sha256": corpus.sha256,
        "probe_hash": probe.hash,
        "parameters": count_parameters(training.model),
    }
    if diverged:
        lost = {"val_loss": None, "diverged": diverged, "train_seconds": training.elapsed_s}
        return described | lost
    baseline, last = unigram_entropy(corpus), training.rows[-1]
    return {
        **described,
        "val_loss": last.val_loss,
        "val_accuracy": last.val_accuracy,
        "unigram_entropy": baseline,
        "beats_unigram": last.val_loss < baseline,
        "train_seconds": last.elapsed_s,
    }


def _write_weights(path: Path, model: nn.Module) -> None:
    # Cloned, because safetensors refuses tensors that share memory, such as tied weights.
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    with atomic(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))


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
