"""Training of one cell: AdamW on random windows, with its trajectory as a stream of rows."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.data.probe import Probe, build_probe, windows
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.study.sections import TrainingSettings
from reprocore.training.precision import matrix_products
from reprocore.training.state import Row, Scores, Training

# Rows of one forward pass in evaluation: a training batch of `charlm`, whatever the probe.
EVALUATION_ROWS = 32


class DivergedError(ReprocoreError):
    """The loss is no longer finite."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Fixed contexts and the characters that follow them, on the device of a cell.

    Attributes:
        inputs: int64 [B, T].
        targets: int64 [B, kept]; they follow the last `kept` inputs of each row.
        rows: How many consecutive rows are a block; it divides B.
    """

    inputs: Tensor
    targets: Tensor
    rows: int = 1


def probe_windows(corpus: Corpus, probe: Probe, context: int, device: torch.device) -> Windows:
    """Return what a model of this context reads to predict `probe`."""
    inputs, kept = windows(corpus, probe, context)
    targets = probe.targets.astype(np.int64).reshape(len(inputs), kept)
    return Windows(
        torch.from_numpy(inputs).to(device),
        torch.from_numpy(targets).to(device),
        rows=probe.block // kept,
    )


def evaluation_probe(corpus: Corpus, positions: int, block: int, lead: int) -> Probe:
    """Return the validation characters of `val_loss`: like the probe, but more of them.

    `positions` is rounded down to whole blocks and to what the validation split holds. They do
    not depend on the model, so all models are scored on the same characters.
    """
    room = len(corpus.validation) - max(lead, block)
    whole = min(positions, room) // block * block
    return build_probe(corpus, context=lead, positions=max(whole, block), block=block)


def snapshot_iterations(iterations: int, shares: Sequence[float]) -> list[int]:
    """Return the steps of the snapshots: shares of all steps, in (0, 1], rounded up.

    Ascending and without doubles, so there can be fewer than shares.
    """
    # The share as written, not its nearest double: 0.07 of 100 steps is step 7.
    return sorted({math.ceil(Fraction(str(share)) * iterations) for share in shares})


def row_iterations(settings: TrainingSettings) -> list[int]:
    """Return the steps with a row of history: every `evaluate_every`, snapshots, the last."""
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
def evaluate(model: nn.Module, probe: Windows) -> Scores:
    """Return the loss and the accuracy of `model` on each block of `probe`, on the CPU."""
    log_probabilities = _log_probabilities(model, probe)
    losses = -log_probabilities.gather(-1, probe.targets.unsqueeze(-1))
    hits = (log_probabilities.argmax(-1) == probe.targets).double()
    size = probe.rows * probe.targets.shape[1]
    return Scores(*(each.reshape(-1, size).mean(dim=1).cpu() for each in (losses, hits)))


def _log_probabilities(model: nn.Module, probe: Windows) -> Tensor:
    """Return log-probabilities float64 [B, kept, V], without dropout."""
    training = model.training
    model.eval()
    kept = probe.targets.shape[1]
    parts = [model(rows)[:, -kept:] for rows in probe.inputs.split(EVALUATION_ROWS)]
    model.train(training)
    return F.log_softmax(torch.cat(parts).double(), dim=-1)


def train(
    training: Training,
    corpus: Corpus,
    settings: TrainingSettings,
    context: int,
    evaluation: Windows,
    after_step: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Row, Scores]]:
    """Train to the end and yield the rows of history that are still missing.

    With each row come the scores by block of which it has the means. Between rows the caller may
    look at the model; evaluation draws from no random stream, so what is logged never changes
    what is learned.

    Args:
        training: new, or restored from a checkpoint.
        corpus: its training split is learned.
        settings: of the cell's model.
        context: T, characters per window; the model maps int64 [B, T] to logits [B, T, V].
        evaluation: for `val_loss`, on the device of the model.
        after_step: called after each optimiser step; `training` is then consistent.

    Raises:
        DivergedError: the loss is no longer finite.
        ReprocoreError: the text is shorter than a window.
    """
    device = evaluation.inputs.device
    text = training_text(corpus, context)
    start = time.monotonic() - training.elapsed_s
    for end in row_iterations(settings):
        last = training.rows[-1].iteration if training.rows else None
        if last is not None and end <= last:
            continue
        while training.iteration < end:
            inputs, targets = draw_batch(text, training.order, settings.batch_size, context, device)
            training.optimiser.param_groups[0]["lr"] = learning_rate(settings, training.iteration)
            loss, training.gradient_norm = optimiser_step(
                training, inputs, targets, settings.clip_norm
            )
            training.loss_sum += loss
            training.iteration += 1
            training.elapsed_s = time.monotonic() - start
            after_step()
        steps = end - (last or 0)
        row, scores = _row(training, settings, context, steps, evaluation, start)
        training.rows.append(row)
        yield row, scores
        training.loss_sum = torch.zeros((), device=device)
        training.row_began_s = time.monotonic() - start


def _row(
    training: Training,
    settings: TrainingSettings,
    context: int,
    steps: int,
    evaluation: Windows,
    start: float,
) -> tuple[Row, Scores]:
    """Return the row of history after `steps` more steps; `start` is on the monotonic clock."""
    mean_loss = training.loss_sum.item() / steps if steps else None
    seconds = time.monotonic() - start - training.row_began_s
    scores = evaluate(training.model, evaluation)
    val_loss, val_accuracy = scores.loss.mean().item(), scores.accuracy.mean().item()
    _check_finite(training.iteration, mean_loss, val_loss)
    row = Row(
        iteration=training.iteration,
        train_loss=mean_loss,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        learning_rate=learning_rate(settings, training.iteration - 1) if steps else None,
        gradient_norm=training.gradient_norm.item() if steps else None,
        tokens_per_second=steps * settings.batch_size * context / seconds if steps else None,
        elapsed_s=time.monotonic() - start,
    )
    return row, scores


def optimiser_step(
    training: Training, inputs: Tensor, targets: Tensor, clip_norm: float | None
) -> tuple[Tensor, Tensor]:
    """Do one optimiser step; return the batch's loss and the gradient's norm."""
    training.model.train()
    with matrix_products(training.precision, inputs.device):
        logits = training.model(inputs)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    training.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(training.model.parameters(), clip_norm or math.inf)
    training.optimiser.step()
    return loss.detach(), norm


def training_text(corpus: Corpus, context: int) -> npt.NDArray[np.int64]:
    """Return the token ids of the training split, int64 [N].

    Raises:
        ReprocoreError: it is shorter than a window of `context` characters and the next one.
    """
    if len(corpus.train) <= context:
        raise ReprocoreError(
            f"the training split has {len(corpus.train)} characters; a context of {context} "
            f"needs at least {context + 1}"
        )
    return corpus.train.astype(np.int64)


def draw_batch(
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
            raise DivergedError(
                f"the loss became {loss} by iteration {iteration}; "
                "try a lower learning_rate or a clip_norm"
            )
