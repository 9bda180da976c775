"""Precision of the matrix products in training: float32, or bfloat16 by autocast."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

# In /proc/cpuinfo: x86 with AVX512-BF16 or AMX, Arm with bfloat16 products.
_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


def matrix_products(precision: str, device: torch.device) -> torch.autocast:
    """Return the context in which a model's forward pass has `precision`.

    Parameters stay float32, and so do their gradients; the backward pass has the precision of the
    forward one. With `bfloat16` a product reads and gives bfloat16 and sums in float32
    (https://docs.pytorch.org/docs/stable/amp.html).
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def keep_recurrence_in_float32(model: nn.Module) -> None:
    """Take the LSTM, GRU and RNN modules of `model` out of autocast.

    Rounding would add up along the sequence, and PyTorch has no fused GRU in bfloat16 for the CPU.
    """
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.forward = _in_float32(module.forward)


def _in_float32(forward: Callable[..., Any]) -> Callable[..., Any]:
    def outside_autocast(x: Tensor, *arguments: Any) -> Any:
        with torch.autocast(x.device.type, enabled=False):
            return forward(_float32(x), *map(_float32, arguments))

    return outside_autocast


def _float32(value: Any) -> Any:
    if type(value) is tuple:  # the two states of an LSTM
        return tuple(map(_float32, value))
    return value.float() if isinstance(value, Tensor) else value


def has_bfloat16(device: torch.device) -> bool:
    """Return whether `device` has instructions for products in bfloat16; without, they are slow."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    with contextlib.suppress(OSError):
        return bool(_INSTRUCTIONS & {*Path("/proc/cpuinfo").read_text().split()})
    return False
