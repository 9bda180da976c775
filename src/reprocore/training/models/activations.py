"""Activation functions by name, plain and gated, and a user's own by dotted path."""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.errors import ReprocoreError
from reprocore.study.permissions import check_module
from reprocore.study.study import Study
from reprocore.vocabulary import ACTIVATIONS, nearest, smelu_beta


class _SmeluFunction(torch.autograd.Function):
    """SmeLU with its gradient in closed form, so that only the input is kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.beta = beta
        wide = _at_least_float32(x)
        middle = (wide + beta).clamp_(0, 2 * beta).square_().div_(4 * beta)
        return middle.add_(F.relu(wide - beta)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope = (_at_least_float32(x) + ctx.beta).div_(2 * ctx.beta).clamp_(0, 1)
        return slope.mul_(gradients[0]).to(x.dtype), None


def _at_least_float32(x: Tensor) -> Tensor:
    """Return `x` so that several operations round once, as in PyTorch's own functions."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def smelu(x: Tensor, beta: float) -> Tensor:
    """Smooth ReLU (Shamir, Lin & Coviello 2020), elementwise, any float tensor.

    0 for x ≤ -β; (x + β)² / (4β) for |x| ≤ β; x for x ≥ β. Its slope rises linearly from 0 at
    -β to 1 at β.

    Raises:
        ValueError: β is not above 0.
    """
    if not beta > 0:
        raise ValueError(f"β must be above 0, not {beta}")
    result: Tensor = _SmeluFunction.apply(x, beta)
    return result


def relu2(x: Tensor) -> Tensor:
    """Squared ReLU (So et al. 2021)."""
    return F.relu(x).square()


class Elementwise(nn.Module):
    """A function on tensors as a module, so that a model can hold it and a hook can see it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Apply the function; shape and dtype stay."""
        return self.function(x)


class Apl(nn.Module):
    """Adaptive piecewise linear unit (Agostinelli et al. 2015, eq. 1), its hinges learned per unit.

    h(x) = max(0, x) + Σ_s a_s · max(0, b_s − x), with S = 2 hinges. `slopes` holds a and `hinges`
    b, float32 [S, units]. They start as in the authors' code: a from U(±0.5/S), b from N(0, 0.5).
    Equal constants would leave both hinges the same for ever, and a = 0 would be ReLU.
    """

    hinge_count = 2
    per_unit = 2 * hinge_count

    def __init__(self, units: int = 1) -> None:
        super().__init__()
        self.slopes = nn.Parameter(torch.empty(self.hinge_count, units))
        self.hinges = nn.Parameter(torch.empty(self.hinge_count, units))
        for name, tensor in self.named_parameters():
            self.draw(name, tensor, None)

    @torch.no_grad()
    def draw(self, name: str, tensor: Tensor, generator: torch.Generator | None) -> None:
        """Draw the start of one of the parameters."""
        if name == "slopes":
            bound = 0.5 / self.hinge_count
            tensor.uniform_(-bound, bound, generator=generator)
        else:
            tensor.normal_(0.0, 0.5, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """[..., units] to the same shape."""
        result = F.relu(x)
        for slope, hinge in zip(self.slopes, self.hinges, strict=True):
            result = result + slope * F.relu(hinge - x)
        return result


@dataclass(frozen=True)
class Activation:
    """A named activation; `gated` says how it is used.

    Plain: W2 act(W1 x). Gated: W2 (act(W1 x) ⊙ V x) (Shazeer 2020).

    Attributes:
        name: in configurations.
        gated: how it is used.
        build: gives a fresh module for a number of units.
        per_unit: parameters of its own that each unit has.
    """

    name: str
    gated: bool
    build: Callable[[int], nn.Module]
    per_unit: int = 0

    def make(self, units: int = 1) -> nn.Module:
        """Return a fresh module for an input [..., units]; with 1, its parameters are shared."""
        return self.build(units)


def _function(function: Callable[[Tensor], Tensor]) -> Callable[[int], nn.Module]:
    return lambda _units: Elementwise(function)


@cache
def activation(name: str) -> Activation:
    """Return a built-in activation, always the same object for a name.

    Raises:
        ReprocoreError: an unknown name, or a SmeLU with β = 0.
    """
    beta = smelu_beta(name)
    if beta is not None and beta > 0:
        return Activation(name, name.startswith("smeglu"), _function(lambda x: smelu(x, beta)))
    if name not in ACTIVATIONS:
        known = nearest(name, (*ACTIVATIONS, "smelu_05", "smelu_1", "smeglu_1"))
        raise ReprocoreError(f"unknown activation {name!r}; {known}")
    built_in = ACTIVATIONS[name]
    return _made(name, built_in.gated, _import(built_in.path))


def study_activation(study: Study, name: str) -> Activation:
    """Return an activation of a study: a built-in one or the user's own.

    Raises:
        ReprocoreError: an unknown name, or a dotted path that leads nowhere.
    """
    custom = study.custom_activations.get(name)
    if custom is None:
        return activation(name)
    target = load_dotted(custom.path, f"custom_activations.{name}.path")
    return _made(name, custom.gated, target)


def _made(name: str, gated: bool, target: Any) -> Activation:
    """Return the activation of a function on tensors, or of a class of modules.

    A class with `per_unit` is told the number of units, others are made without arguments.
    """
    if not (isinstance(target, type) and issubclass(target, nn.Module)):
        return Activation(name, gated, _function(target))
    per_unit = getattr(target, "per_unit", None)
    if per_unit is None:
        return Activation(name, gated, lambda _units: target())
    return Activation(name, gated, target, int(per_unit))


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def load_dotted(path: str, key: str) -> Any:
    """Import what `module:name` names; `key` is where the config says so, for messages.

    Raises:
        ReprocoreError: the module is not allowed, cannot be imported or has no such callable.
    """
    check_module(path, key)
    try:
        target = _import(path)
    except Exception as error:  # importing runs the user's code, which can raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ReprocoreError(f"{key}: {path!r} cannot be imported: {reason}") from error
    if not callable(target):
        raise ReprocoreError(f"{key}: {path!r} is not callable")
    return target


def matched_hidden(chosen: Activation, hidden: int, inputs: int, outputs: int) -> int:
    """Return the hidden width that gives a unit as many parameters as one with ReLU.

    With ReLU a unit has `hidden` · (inputs + outputs) parameters that grow with its width; a gated
    one has a second input projection, and an activation can bring parameters of its own.

    Args:
        chosen: the activation.
        hidden: hidden width with ReLU.
        inputs: parameters per hidden element of one input projection, its bias included.
        outputs: parameters per hidden element of the output projection.
    """
    own = (2 if chosen.gated else 1) * inputs + outputs + chosen.per_unit
    return max(1, math.floor(hidden * (inputs + outputs) / own + 0.5))
