"""A training under way: its whole state, so that another process can resume it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reprocore.study.sections import TrainingSettings
from reprocore.training.models.layers import attach_stream
from reprocore.training.precision import keep_recurrence_in_float32
from reprocore.training.randomness import MaskStream, numpy_generator, torch_generator


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
        elapsed_s: Seconds of training so far, evaluation included.
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
class Scores:
    """How well a model predicts the evaluation windows, by block.

    Attributes:
        loss: float64 [B], mean over a block's characters, nats per character.
        accuracy: float64 [B], share of a block's characters that were the likeliest.
    """

    loss: Tensor
    accuracy: Tensor


@dataclass(frozen=True, eq=False)
class Snapshot(Scores):
    """What is stored of a model at one step: its scores, and what it predicts.

    Attributes:
        probabilities: float32 [N, V], on the probe.
    """

    probabilities: Tensor


@dataclass(eq=False)
class Training:
    """A training under way: all that the rest of it depends on beside settings and data.

    Attributes:
        model: on its device.
        optimiser: of the model's parameters.
        order: draws the windows.
        masks: draws the dropout masks.
        precision: of the matrix products in a step.
        iteration: Optimiser steps done.
        loss_sum: Of the batches since the last row, a scalar on the device.
        gradient_norm: Of the last step, a scalar on the device.
        elapsed_s: Seconds of training so far, evaluation included, time between processes not.
        row_began_s: The `elapsed_s` at which the steps since the last row began.
        rows: The history so far.
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    order: np.random.Generator
    masks: MaskStream
    precision: str
    loss_sum: Tensor
    gradient_norm: Tensor
    iteration: int = 0
    elapsed_s: float = 0.0
    row_began_s: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return copies of everything, on the CPU: tensors by name, and the rest as JSON values."""
        words, masks = self.masks.state()
        tensors = {
            **{f"model.{name}": tensor for name, tensor in self.model.state_dict().items()},
            "loss_sum": self.loss_sum,
            "gradient_norm": self.gradient_norm,
            "random.masks": masks,
            "random.torch": torch.get_rng_state(),
        }
        for index, entries in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in entries.items()}
        if self.loss_sum.is_cuda:
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.loss_sum.device)
        # Cloned, because tied weights share memory.
        copies = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
        }
        return copies, {
            "iteration": self.iteration,
            "elapsed_s": self.elapsed_s,
            "row_began_s": self.row_began_s,
            "rows": [asdict(row) for row in self.rows],
            "order": self.order.bit_generator.state,
            "masks": words,
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from the `state` of a training with the same settings.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: the state is of another training.
        """
        device = self.loss_sum.device
        model, optimiser = {}, self.optimiser.state_dict()
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "model":
                model[rest] = tensor
            elif kind == "optimiser":
                index, _, entry = rest.partition(".")
                optimiser["state"].setdefault(int(index), {})[entry] = tensor
        self.model.load_state_dict(model)
        self.optimiser.load_state_dict(optimiser)
        self.loss_sum = tensors["loss_sum"].to(device)
        self.gradient_norm = tensors["gradient_norm"].to(device)
        self.order.bit_generator.state = values["order"]
        self.masks.restore(values["masks"], tensors["random.masks"])
        torch.set_rng_state(tensors["random.torch"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
        self.rows = [Row(**row) for row in values["rows"]]
        self.iteration = int(values["iteration"])
        self.elapsed_s = float(values["elapsed_s"])
        self.row_began_s = float(values["row_began_s"])


def begin_training(
    model: nn.Module, settings: TrainingSettings, seeds: Mapping[str, int], device: torch.device
) -> Training:
    """Return a training that has done no steps yet.

    Args:
        model: on `device`.
        settings: of the cell's model.
        seeds: of the streams `order` and `dropout`.
        device: where it computes.
    """
    masks = MaskStream(seeds["dropout"], device)
    attach_stream(model, masks)
    keep_recurrence_in_float32(model)
    # What a user's own module draws comes from torch's global generator.
    torch.manual_seed(torch_generator("dropout", seeds["dropout"], "global").initial_seed())
    return Training(
        model=model,
        optimiser=_optimiser(model, settings),
        order=numpy_generator("order", seeds["order"]),
        masks=masks,
        precision=settings.precision,
        loss_sum=torch.zeros((), device=device),
        gradient_norm=torch.zeros((), device=device),
    )


def _optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )
