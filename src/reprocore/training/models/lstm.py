"""Family `lstm`: a recurrent layer, then a feed-forward unit that holds the activation."""

from torch import Tensor, nn

from reprocore.training.models.activations import Activation
from reprocore.training.models.layers import Dropout, FeedForward


class LstmLM(nn.Module):
    """Token embedding, LSTM layers, residual pre-norm feed-forward unit, norm, untied head."""

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
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        # One module per layer, so that dropout between layers uses the cell's own stream.
        self.lstms = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(layers))
        self.dropout = Dropout(dropout)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden, activation, dropout)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids int64 [B, T] to logits float32 [B, T, V]."""
        x = self.embedding(tokens)
        for lstm in self.lstms:
            x = self.dropout(lstm(x)[0])
        x = x + self.feed_forward(self.feed_forward_norm(x))
        logits: Tensor = self.head(self.norm(x))
        return logits
