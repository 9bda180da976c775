"""Building blocks shared by the model families.

All take and give [batch, time, width] tensors, and none lets a position see a later one. They are
float32; in a training with `bfloat16`, what matrix products give is that until it is added to the
residual stream.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.training.models.activations import Activation, matched_hidden
from reprocore.training.models.attention import causal_attention
from reprocore.training.randomness import MaskStream


class Dropout(nn.Module):
    """Dropout whose masks come from the cell's own `dropout` stream.

    `stream` is set by `attach_stream` before training; in evaluation it is not needed.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.stream: MaskStream | None = None

    @property
    def acts(self) -> bool:
        """Whether it drops anything: in training, with a probability above 0."""
        return self.training and self.probability > 0

    def mask(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Draw a mask from the stream: 0 with the probability, else what keeps the mean."""
        if self.stream is None:
            raise RuntimeError("attach_stream(model, stream) must come before training")
        return self.stream.mask(shape, self.probability, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements with the given probability and scale the others up; training only."""
        return x * self.mask(x.shape, x.dtype) if self.acts else x


def attach_stream(model: nn.Module, stream: MaskStream) -> None:
    """Let every `Dropout` of `model` draw its masks from `stream`."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.stream = stream


class CausalConv(nn.Module):
    """Dilated convolution over time that is padded on the left only.

    Output t = bias + Σ_k weight[:, k] · x[t - (kernel - 1 - k) · dilation]. Written as one matrix
    product over the shifted inputs, which is faster than `conv1d` on one core for these widths
    and has one deterministic order of summation.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.shifts = [(kernel - 1 - k) * dilation for k in range(kernel)]
        self.projection = nn.Linear(kernel * inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, inputs] to [B, T, outputs]."""
        time = x.shape[1]
        padded = F.pad(x, (0, 0, self.shifts[0], 0))
        start = self.shifts[0]
        taps = [padded[:, start - shift : start - shift + time] for shift in self.shifts]
        return self.projection(torch.cat(taps, dim=-1))


class FeedForward(nn.Module):
    """The unit that holds the activation: W2 act(W1 x), or W2 (act(W1 x) ⊙ V x) where gated.

    `hidden` is the width with ReLU; where the activation is gated, or has parameters of its own,
    the unit is narrower so that it has nearly the same number of parameters.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        activation: Activation,
        dropout: float,
        project: Callable[[int], nn.Module] | None = None,
    ) -> None:
        """Build the unit; `project(h)` makes an input projection of h outputs (default Linear)."""
        super().__init__()
        project = project or (lambda outputs: nn.Linear(width, outputs))
        per_element = sum(p.numel() for p in project(1).parameters())
        inner = matched_hidden(activation, hidden, per_element, width)
        self.up = project(inner)
        self.gate = project(inner) if activation.gated else None
        self.activation = activation.make(inner)
        self.down = nn.Linear(inner, width)
        # The bias has one shape for all activations, so its range must not depend on `inner`.
        self.down.bias_fan_in = hidden  # type: ignore[assignment]
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] to the same shape."""
        inner = self.activation(self.up(x))
        if self.gate is not None:
            inner = inner * self.gate(x)
        return self.dropout(self.down(inner))


class CausalSelfAttention(nn.Module):
    """Multi-head attention over the past (Vaswani et al. 2017), q, k and v without bias."""

    def __init__(self, width: int, heads: int, context: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=bias)
        self.weight_dropout = Dropout(dropout)
        self.dropout = Dropout(dropout)
        future = torch.full((context, context), -math.inf).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] to the same shape, T ≤ context."""
        batch, time, width = x.shape
        # One product for all three: a step copies the weights once, the input would be read thrice.
        weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        split = F.linear(x, weight).view(batch, time, 3, self.heads, width // self.heads)
        heads = split.permute(2, 0, 3, 1, 4).reshape(3, batch * self.heads, time, -1)
        mask = self.weight_dropout.mask if self.weight_dropout.acts else None
        mixed = causal_attention(heads, self.get_buffer("future"), mask)
        merged = mixed.view(batch, self.heads, time, -1).transpose(1, 2).reshape(x.shape)
        return self.dropout(self.out(merged))


class TransformerBlock(nn.Module):
    """Pre-norm attention and feed-forward unit, each with a residual connection."""

    def __init__(
        self,
        width: int,
        heads: int,
        context: int,
        hidden: int,
        activation: Activation,
        dropout: float,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads, context, dropout, bias)
        self.norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden, activation, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] to the same shape."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.norm(x))


class ConvBlock(nn.Module):
    """Pre-norm feed-forward unit whose input projections are causal dilated convolutions."""

    def __init__(
        self,
        width: int,
        hidden: int,
        kernel: int,
        dilation: int,
        activation: Activation,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(
            width,
            hidden,
            activation,
            dropout,
            project=lambda outputs: CausalConv(width, outputs, kernel, dilation),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] to the same shape."""
        return x + self.feed_forward(self.norm(x))


class Embedding(nn.Module):
    """Token embedding plus a learned one for each position."""

    def __init__(self, vocabulary: int, context: int, width: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [B, T] to [B, T, width], T ≤ context."""
        return self.token(tokens) + self.position.weight[: tokens.shape[1]]
