"""Family `conv`: residual blocks of causal dilated convolutions, without positions."""

from collections.abc import Sequence

from torch import Tensor, nn

from reprocore.training.models.activations import Activation
from reprocore.training.models.layers import ConvBlock


class ConvLM(nn.Module):
    """Token embedding, one `ConvBlock` per dilation, final norm, untied head."""

    def __init__(
        self,
        vocabulary: int,
        context: int,
        activation: Activation,
        *,
        width: int,
        hidden: int,
        kernel: int,
        dilations: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.Sequential(
            *(
                ConvBlock(width, hidden, kernel, dilation, activation, dropout)
                for dilation in dilations
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids int64 [B, T] to logits float32 [B, T, V]."""
        logits: Tensor = self.head(self.norm(self.blocks(self.embedding(tokens))))
        return logits
