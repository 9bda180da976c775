"""The matrix products of a training step, alone: what no way of writing the rest can go below."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# An LSTM is one operation, products and gates together.
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "baddbmm_", "mkldnn_rnn_layer")


class _Recorder(TorchDispatchMode):
    """Keeps each product that is computed within its block, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options=None):
        options = options or {}
        name = function.overloadpacket.__name__
        if name.removesuffix("_backward") in PRODUCTS:
            copies = [_like(value) for value in arguments]
            named = {key: _like(value) for key, value in options.items()}
            self.calls.append(lambda: function(*copies, **named))
        return function(*arguments, **options)


def _like(value: Any) -> Any:
    """Return a tensor of the same shape, strides and type, of random values in new memory."""
    if isinstance(value, list | tuple):
        return type(value)(map(_like, value))
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    size = 1 + sum((n - 1) * s for n, s in zip(value.shape, value.stride(), strict=True))
    return torch.randn(size).to(value.dtype).as_strided(value.shape, value.stride())


def products_of(step: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that repeats the matrix products of `step` and nothing else."""
    with _Recorder() as recorder:
        step()
    calls = recorder.calls

    @torch.no_grad()
    def repeat() -> None:
        for call in calls:
            call()

    return repeat
