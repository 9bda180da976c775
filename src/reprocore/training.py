"""Training of one cell: AdamW on random windows, with its course as a stream of rows."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.corpus import Corpus, Probe, build_probe, windows
from reprocore.errors import ReprocoreError
from reprocore.models.layers import attach_stream
from reprocore.randomness import MaskStream, numpy_generator, torch_generator
from reprocore.settings import TrainingSettings

# Rows of one forward pass in evaluation: a training batch of `charlm`, whatever the probe.
EVALUATION_ROWS = 32


@dataclass(frozen=True)
class Row:
    """One row of a cell's history.

    Attributes:
        iteration: Optimiser steps done.
        train_loss: Mean over the batches since the last row, nats per character; None at 0.
        val_loss: On the evaluation windows, nats per character.
        val_accuracy: Share of the evaluation characters that were the likeliest.
        learning_rate: Of the last step; None at 0.
        gradient_norm: Of the last step, before clipping; None at 0.
        tokens_per_second: In training since the last row; None at 0.
        elapsed_s: Since training began, evaluation included.
    """

    iteration: int
    train_loss: float | None
    val_loss: float
    val_accuracy: float
    learning_rate: float | None
    gradient_norm: float | None
    tokens_per_second: float | None
    elapsed_s: float


@dataclass(frozen=True, eq=False)
class Windows:
    """Fixed contexts and the characters that follow them, on the device of a cell.

    Attributes:
        inputs: int64 [B, T].
        targets: int64 [B, kept]; they follow the last `kept` inputs of each row.
    """

    inputs: Tensor
    targets: Tensor


def probe_windows(corpus: Corpus, probe: Probe, context: int, device: torch.device) -> Windows:
    """Return what a model of this context reads to predict `probe`."""
    inputs, kept = windows(corpus, probe, context)
    targets = probe.targets.astype(np.int64).reshape(len(inputs), kept)
    return Windows(torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device))


def evaluation_probe(corpus: Corpus, positions: int, block: int, lead: int) -> Probe:
    """Return the validation characters of `val_loss`: like the probe, but more of them.

    `positions` is rounded down to whole blocks and to what the validation split holds. They do
    not depend on the model, so all models are scored on the same characters.
    """
    room = len(corpus.validation) - max(lead, block)
    whole = min(positions, room) // block * block
    return build_probe(corpus, context=lead, positions=max(whole, block), block=block)


def snapshot_iterations(iterations: int, count: int) -> list[int]:
    """Return the steps at which predictions are stored: the last, its half, its quarter, ...

    Ascending, without 0 and without doubles, so there can be fewer than `count`.
    """
    return sorted({math.ceil(iterations / 2**k) for k in range(count)})


def row_iterations(settings: TrainingSettings) -> list[int]:
    """Return the steps with a row of history: 0, each `evaluate_every`, snapshots, the last."""
    regular = range(0, settings.iterations, settings.evaluate_every)
    return sorted({*regular, *snapshot_iterations(settings.iterations, settings.snapshots)})


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """Return the learning rate of optimiser step `step`, counted from 0."""
    peak = settings.learning_rate
    if step < settings.warmup:
        return peak * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return peak
    share = (step - settings.warmup) / max(1, settings.iterations - 1 - settings.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return peak * (settings.final_rate + (1 - settings.final_rate) * cosine)


@torch.no_grad()
def predict(model: nn.Module, probe: Windows) -> Tensor:
    """Return the next-character distributions on `probe`, float32 [N, V], on the CPU."""
    log_probabilities = _log_probabilities(model, probe)
    return log_probabilities.exp().float().flatten(0, 1).cpu()


@torch.no_grad()
def evaluate(model: nn.Module, probe: Windows) -> tuple[float, float]:
    """Return the loss, nats per character, and the accuracy of `model` on `probe`."""
    scores = _log_probabilities(model, probe)
    loss = -scores.gather(-1, probe.targets.unsqueeze(-1)).mean().item()
    accuracy = (scores.argmax(-1) == probe.targets).double().mean().item()
    return loss, accuracy


def _log_probabilities(model: nn.Module, probe: Windows) -> Tensor:
    """Return log-probabilities float64 [B, kept, V], without dropout."""
    training = model.training
    model.eval()
    kept = probe.targets.shape[1]
    parts = [model(rows)[:, -kept:] for rows in probe.inputs.split(EVALUATION_ROWS)]
    model.train(training)
    return F.log_softmax(torch.cat(parts).double(), dim=-1)


def train(
    model: nn.Module,
    corpus: Corpus,
    settings: TrainingSettings,
    context: int,
    evaluation: Windows,
    seeds: dict[str, int],
) -> Iterator[Row]:
    """Train `model` in place and yield a row of history at each of `row_iterations`.

    Between rows the caller may look at the model; evaluation draws from no random stream, so
    what is logged never changes what is learned.

    Args:
        model: maps int64 [B, T] to logits [B, T, V]; on its device.
        corpus: its training split is learned.
        settings: of the cell's model.
        context: T, characters per window.
        evaluation: for `val_loss`, on the device of the model.
        seeds: of the streams `order` and `dropout`.

    Raises:
        ReprocoreError: the loss is not a number any more, or the text is shorter than a window.
    """
    device = evaluation.inputs.device
    attach_stream(model, MaskStream(seeds["dropout"], device))
    # What a user's own module draws comes from torch's global generator.
    torch.manual_seed(torch_generator("dropout", seeds["dropout"], "global").initial_seed())
    order = numpy_generator("order", seeds["order"])
    optimiser = _optimiser(model, settings)
    text = _training_text(corpus, context)
    rows = row_iterations(settings)
    begin = time.monotonic()
    for start, end in zip([None, *rows], rows, strict=False):
        since = time.monotonic()
        total, norm = torch.zeros((), device=device), torch.zeros(())
        for step in range(start or 0, end):
            inputs, targets = _batch(text, order, settings.batch_size, context, device)
            optimiser.param_groups[0]["lr"] = learning_rate(settings, step)
            loss, norm = _step(model, optimiser, inputs, targets, settings.clip_norm)
            total += loss
        steps = end - (start or 0)
        mean_loss = total.item() / steps if steps else None
        seconds = time.monotonic() - since
        val_loss, val_accuracy = evaluate(model, evaluation)
        _check_finite(end, mean_loss, val_loss)
        yield Row(
            iteration=end,
            train_loss=mean_loss,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=learning_rate(settings, end - 1) if steps else None,
            gradient_norm=norm.item() if steps else None,
            tokens_per_second=steps * settings.batch_size * context / seconds if steps else None,
            elapsed_s=time.monotonic() - begin,
        )


def _optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    targets: Tensor,
    clip_norm: float | None,
) -> tuple[Tensor, Tensor]:
    """Do one optimiser step; return the batch's loss and the gradient's norm."""
    model.train()
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip_norm or math.inf)
    optimiser.step()
    return loss.detach(), norm


def _training_text(corpus: Corpus, context: int) -> npt.NDArray[np.int64]:
    if len(corpus.train) <= context:
        raise ReprocoreError(
            f"the training split has {len(corpus.train)} characters; a context of {context} "
            f"needs at least {context + 1}"
        )
    return corpus.train.astype(np.int64)


def _batch(
    text: npt.NDArray[np.int64],
    order: np.random.Generator,
    size: int,
    context: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Draw `size` windows uniformly; return inputs and targets, int64 [size, context]."""
    starts = order.integers(0, len(text) - context, size=size)
    batch = torch.from_numpy(text[starts[:, None] + np.arange(context + 1)]).to(device)
    return batch[:, :-1], batch[:, 1:]


def _check_finite(iteration: int, *losses: float | None) -> None:
    for loss in losses:
        if loss is not None and not math.isfinite(loss):
            raise ReprocoreError(
                f"the loss became {loss} by iteration {iteration}; "
                "try a lower learning_rate or a clip_norm"
            )
