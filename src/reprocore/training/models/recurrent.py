"""Family `recurrent`: recurrent layers, then attention if asked for, then a feed-forward unit."""

from typing import Literal

from torch import Tensor, nn

from reprocore.training.models.activations import Activation
from reprocore.training.models.layers import CausalSelfAttention, Dropout, FeedForward

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class RecurrentLM(nn.Module):
    """Token embedding, recurrent layers, residual pre-norm units, norm, untied head.

    The feed-forward unit holds the activation. Without `cell` and `attention` it is what the
    family was when it was called `lstm`. Positions are known from the recurrence alone.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        activation: Activation,
        *,
        width: int,
        layers: int,
        hidden: int,
        dropout: float,
        cell: Literal["lstm", "gru", "rnn"] = "lstm",
        attention: bool = False,
        heads: int | None = None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        # One module per layer, so that dropout between layers uses the cell's own stream.
        recurrent = (CELLS[cell](width, width, batch_first=True) for _ in range(layers))
        self.recurrent = f"{cell}s"
        self.add_module(self.recurrent, nn.ModuleList(recurrent))
        self.dropout = Dropout(dropout)
        self.attention_norm = nn.LayerNorm(width) if attention else None
        self.attention = (
            CausalSelfAttention(width, heads or 4, context, dropout, bias=True)
            if attention
            else None
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden, activation, dropout)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids int64 [B, T] to logits float32 [B, T, V]."""
        x = self.embedding(tokens)
        for layer in self.get_submodule(self.recurrent).children():
            x = self.dropout(layer(x)[0])
        if self.attention is not None and self.attention_norm is not None:
            x = x + self.attention(self.attention_norm(x))
        x = x + self.feed_forward(self.feed_forward_norm(x))
        logits: Tensor = self.head(self.norm(x))
        return logits
