"""The families as most would write them with PyTorch's own parts, for comparisons of speed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.study.sections import ModelSettings


class Attention(nn.Module):
    """Causal, by `scaled_dot_product_attention`."""

    def __init__(self, width: int, heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out, self.dropout = nn.Linear(width, width, bias=bias), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], self.heads, x.shape[2] // self.heads)
        query, key, value = (
            project(x).view(shape).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True)
        return self.dropout(self.out(mixed.transpose(1, 2).reshape(x.shape)))


class Convolution(nn.Module):
    """`nn.Conv1d`, padded on the left."""

    def __init__(self, width: int, hidden: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.padding = (kernel - 1) * dilation
        self.convolution = nn.Conv1d(width, hidden, kernel, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x.transpose(1, 2), (self.padding, 0))
        return self.convolution(padded).transpose(1, 2)


class Residual(nn.Module):
    """x + layer(norm(x))."""

    def __init__(self, width: int, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), *layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Lstm(nn.Module):
    """All layers in one `nn.LSTM`."""

    def __init__(self, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers, batch_first=True, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Plain(nn.Module):
    """Embedding, with positions where there is attention, the family's layers, norm and head."""

    def __init__(self, vocabulary: int, settings: ModelSettings) -> None:
        super().__init__()
        sizes = settings.sizes
        width, bias = sizes["width"], sizes.get("bias", True)
        self.token = nn.Embedding(vocabulary, width)
        positions = settings.family in ("gpt", "hybrid")
        self.position = nn.Embedding(settings.context, width) if positions else None
        self.layers = nn.Sequential(*_layers(settings.family, sizes))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens)
        if self.position is not None:
            x = x + self.position(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.norm(self.layers(x)))


def _layers(family: str, sizes: dict) -> list[nn.Module]:
    width, dropout = sizes["width"], sizes["dropout"]

    def feed_forward(hidden: int, first: nn.Module | None = None) -> Residual:
        down = nn.Linear(hidden, width)
        first = first or nn.Linear(width, hidden)
        return Residual(width, first, nn.ReLU(), down, nn.Dropout(dropout))

    def transformer(hidden: int) -> list[nn.Module]:
        attention = Attention(width, sizes["heads"], dropout, sizes.get("bias", True))
        return [Residual(width, attention), feed_forward(hidden)]

    if family in ("lstm", "recurrent"):
        return [Lstm(width, sizes["layers"], dropout), feed_forward(sizes["hidden"])]
    layers: list[nn.Module] = []
    for dilation in sizes.get("dilations", ()):
        convolution = Convolution(width, sizes["hidden"], sizes["kernel"], dilation)
        layers.append(feed_forward(sizes["hidden"], convolution))
    for _ in range(sizes.get("layers", 0)):
        hidden = sizes["hidden"] if family == "gpt" else None
        layers += transformer(hidden or 4 * width)
    return layers
