"""Family `hybrid`: causal convolution blocks, then transformer blocks."""

from collections.abc import Sequence

from torch import Tensor, nn

from reprocore.training.models.activations import Activation
from reprocore.training.models.layers import ConvBlock, Embedding, TransformerBlock


class HybridLM(nn.Module):
    """Learned positions, one `ConvBlock` per dilation, transformer blocks, norm, untied head."""

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
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, context, width)
        convolutions = (
            ConvBlock(width, hidden, kernel, dilation, activation, dropout)
            for dilation in dilations
        )
        attention = (
            TransformerBlock(width, heads, context, 4 * width, activation, dropout)
            for _ in range(layers)
        )
        self.blocks = nn.Sequential(*convolutions, *attention)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids int64 [B, T] to logits float32 [B, T, V]."""
        logits: Tensor = self.head(self.norm(self.blocks(self.embedding(tokens))))
        return logits
