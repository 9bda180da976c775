"""Checks of a model with an activation, once before all of its cells: seconds on the CPU.

Training a cell does not import this module, so that a change of a check retrains nothing.
"""

import traceback
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.study.sections import ModelSettings, TrainingSettings
from reprocore.study.study import Study
from reprocore.training.device import cell_device
from reprocore.training.loop import draw_batch, learning_rate, optimiser_step, training_text
from reprocore.training.models.activations import Activation, study_activation
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.randomness import stream_seeds
from reprocore.training.state import begin_training

CHECKS = ("parameters", "shape", "causality", "training step", "liveness")
# Two, for a module that looks at the batch; no more, as the largest model must pass in seconds.
BATCH_SIZE = 2
# Those of no cell in particular: no stream follows a seed.
SEEDS = stream_seeds("none", 0)


def preflight(study: Study, model: str, activation: str, corpus: Corpus) -> dict[str, Any]:
    """Check a model with an activation on the CPU, also one that is trained on a GPU.

    Args:
        study: the resolved study.
        model: its name in the study.
        activation: its name in the study.
        corpus: gives the vocabulary and one batch.

    Returns:
        JSON values that depend on settings, code and corpus alone: `model`, `activation`, the
        number of `parameters`, and the `checks` that passed.

    Raises:
        ReprocoreError: names the model, the activation and what is wrong. A user's own module can
            raise any other error, whose traceback is printed.
    """
    try:
        with cell_device("cpu", threads=1):
            parameters = check_model(
                study.models[model],
                study.training_of(model),
                study_activation(study, activation),
                corpus,
            )
    except ReprocoreError as error:
        raise ReprocoreError(f"{model}/{activation}: {error}") from error
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ReprocoreError(f"{model}/{activation}: {reason}") from error
    return {
        "model": model,
        "activation": activation,
        "parameters": parameters,
        "checks": list(CHECKS),
    }


def check_model(
    settings: ModelSettings, training: TrainingSettings, chosen: Activation, corpus: Corpus
) -> int:
    """Do all checks of a model with an activation; return its number of parameters.

    Causality and liveness are looked at before and after a step of training: a gain that starts
    at 0 hides what it multiplies until then.

    Raises:
        ReprocoreError: the model cannot be built, has too many or too few parameters, gives
            logits of another shape, sees the future, ignores its activation, or loses its loss or
            a gradient in one step of training.
    """
    vocabulary, context = corpus.vocabulary_size, settings.context

    def outputs(model: nn.Module) -> Tensor:
        return _logits(model, torch.arange(context).remainder(vocabulary).unsqueeze(0))

    model = build_model(settings, chosen, vocabulary, SEEDS["init"])
    before = outputs(model)
    if before.shape != (1, context, vocabulary):
        wanted = (1, context, vocabulary)
        raise ReprocoreError(f"the logits have shape {tuple(before.shape)}; must be {wanted}")
    _check_causality(model, vocabulary, context)
    _check_step(_step(model, training, context, corpus), model)
    _check_causality(model, vocabulary, context)

    other = build_model(settings, _always_zero(chosen), vocabulary, SEEDS["init"])
    if torch.equal(outputs(other), before):
        _step(other, training, context, corpus)
        if torch.equal(outputs(other), outputs(model)):
            raise ReprocoreError(f"activation {chosen.name!r} never reaches the model's output")
    return count_parameters(model)


class _Silent(nn.Module):
    """Gives zeros in the place of another module, and keeps its parameters."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def _always_zero(chosen: Activation) -> Activation:
    """Return another activation, which no useful one is equal to, for a unit of the same width."""
    return replace(chosen, build=lambda units: _Silent(chosen.make(units)))


@torch.no_grad()
def _logits(model: nn.Module, tokens: Tensor) -> Tensor:
    """Return the logits of `tokens` in evaluation mode; the model's mode stays as it was."""
    mode = model.training
    logits: Tensor = model.eval()(tokens)
    model.train(mode)
    return logits


def _check_causality(model: nn.Module, vocabulary: int, context: int) -> None:
    """Refuse a model where another last token changes an earlier output."""
    tokens = torch.arange(context).remainder(vocabulary).unsqueeze(0)
    changed = tokens.clone()
    changed[0, -1] = (changed[0, -1] + 1) % vocabulary
    one, other = (_logits(model, each)[0, :-1] for each in (tokens, changed))
    # A model that is NaN from the start fails the training step, whose message says so.
    if not torch.allclose(one, other, rtol=1e-5, atol=1e-6, equal_nan=True):
        raise ReprocoreError("the model sees the future: a later token changes earlier outputs")


def _step(model: nn.Module, settings: TrainingSettings, context: int, corpus: Corpus) -> Tensor:
    """Do the first step of a training, with a small batch; return its loss, a scalar."""
    device = torch.device("cpu")
    training = begin_training(model, settings, SEEDS, device)
    text = training_text(corpus, context)
    inputs, targets = draw_batch(text, training.order, BATCH_SIZE, context, device)
    training.optimiser.param_groups[0]["lr"] = learning_rate(settings, 0)
    return optimiser_step(training, inputs, targets, settings.clip_norm)[0]


def _check_step(loss: Tensor, model: nn.Module) -> None:
    """Refuse a loss, or a gradient that led to the step, which is not finite."""
    if not loss.isfinite():
        raise ReprocoreError(f"the loss of the first training step is {loss.item()}")
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise ReprocoreError(f"the gradient of {name} is not finite in the first training step")
