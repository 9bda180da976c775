"""Language models by family: building, initialising and counting them.

The families themselves are loaded by dotted path, like a user's own, so that a change of one
family's code concerns only the models of that family.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from reprocore.errors import ReprocoreError
from reprocore.study.sections import ModelSettings
from reprocore.training.models.activations import Activation, activation, load_dotted
from reprocore.training.randomness import torch_generator
from reprocore.vocabulary import FAMILY_BUILDERS

PARAMETER_TOLERANCE = 0.01

# Always drawn. In any other module a tensor of one repeated value is meant to be that.
_DRAWN = (nn.Linear, nn.Embedding, nn.RNNBase, nn.Conv1d)


def build_model(
    settings: ModelSettings, chosen: Activation, vocabulary: int, init_seed: int
) -> nn.Module:
    """Build a model on the CPU and initialise every tensor from the stream `init`.

    A builder is called as `builder(vocabulary, context, activation, **sizes)` and gives a module
    that maps token ids int64 [B, T] to logits float32 [B, T, V].

    Raises:
        ReprocoreError: the family cannot be loaded, or its parameter count with this activation
            is more than 1% off the one with ReLU.
    """
    model = _construct(settings, chosen, vocabulary)
    initialise(model, init_seed)
    with torch.device("meta"):
        plain = count_parameters(_construct(settings, activation("relu"), vocabulary))
    count = count_parameters(model)
    if abs(count - plain) > PARAMETER_TOLERANCE * plain:
        raise ReprocoreError(
            f"family {settings.family!r} with {chosen.name!r} has {count} parameters, with 'relu' "
            f"{plain}: {abs(count - plain) / plain:.1%} apart; 1% is allowed, which a wider "
            "hidden layer comes nearer to"
        )
    return model


def _construct(settings: ModelSettings, chosen: Activation, vocabulary: int) -> nn.Module:
    path = FAMILY_BUILDERS.get(settings.family, settings.family)
    builder = load_dotted(path, "family")
    try:
        model = builder(vocabulary, settings.context, chosen, **settings.sizes)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ReprocoreError(f"family {settings.family!r}: {reason}") from error
    if not isinstance(model, nn.Module):
        raise ReprocoreError(f"family {settings.family!r}: the builder gave no nn.Module")
    return model


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Draw every parameter tensor anew from a stream keyed by the tensor's own name.

    Two models that share a tensor's name and shape start with the same values there. The
    distributions are PyTorch's defaults: N(0, 1) for embeddings, U(±1/√fan_in) for weights and
    biases; or N(0, σ) and zero biases where the model has `init_std`. What a norm, an activation
    or a user's own module fills with one value, such as a gain of 1, stays as it is. A module
    that has `draw(name, tensor, generator)` draws its own tensors.
    """
    std = getattr(model, "init_std", None)
    for prefix, module in model.named_modules():
        for leaf, tensor in module.named_parameters(recurse=False):
            generator = torch_generator("init", seed, f"{prefix}.{leaf}".lstrip("."))
            _draw(module, leaf, tensor, std, generator)


def _draw(
    module: nn.Module, leaf: str, tensor: Tensor, std: float | None, generator: torch.Generator
) -> None:
    own: Callable[[str, Tensor, torch.Generator], None] | None = getattr(module, "draw", None)
    if own is not None:
        own(leaf, tensor, generator)
        return
    if not isinstance(module, _DRAWN) and tensor.unique().numel() <= 1:
        return
    if isinstance(module, nn.Embedding):
        tensor.normal_(0.0, std or 1.0, generator=generator)
    elif std is not None:
        if tensor.dim() > 1:
            tensor.normal_(0.0, std, generator=generator)
        else:
            tensor.zero_()
    else:
        bound = 1 / math.sqrt(_fan_in(module, leaf, tensor))
        tensor.uniform_(-bound, bound, generator=generator)


def _fan_in(module: nn.Module, leaf: str, tensor: Tensor) -> int:
    """Return the fan-in that sets the range of a weight or bias, as PyTorch counts it."""
    if isinstance(module, nn.RNNBase):
        return module.hidden_size
    if leaf == "bias" and hasattr(module, "bias_fan_in"):
        return int(module.bias_fan_in)  # type: ignore[arg-type]
    weight = getattr(module, "weight", tensor)
    return max(1, weight[0].numel() if weight.dim() > 1 else weight.numel())
