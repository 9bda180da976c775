"""Family `gpt`: a decoder-only transformer after Karpathy's `gpt.py`."""

from torch import Tensor, nn

from reprocore.training.models.activations import Activation
from reprocore.training.models.layers import Embedding, TransformerBlock


class GPT(nn.Module):
    """Learned positions, pre-norm blocks, final norm, untied head.

    The feed-forward units are 4 · width wide unless `hidden` says otherwise. `bias` is that of
    the attention's output and of the head; q, k and v never have one. `init_std` replaces
    PyTorch's default initialisation by N(0, σ) and zero biases.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        activation: Activation,
        *,
        layers: int,
        heads: int,
        width: int,
        hidden: int | None,
        dropout: float,
        bias: bool,
        init_std: float | None,
    ) -> None:
        super().__init__()
        self.init_std = init_std
        self.embedding = Embedding(vocabulary, context, width)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(
                    width, heads, context, hidden or 4 * width, activation, dropout, bias
                )
                for _ in range(layers)
            )
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids int64 [B, T] to logits float32 [B, T, V]."""
        logits: Tensor = self.head(self.norm(self.blocks(self.embedding(tokens))))
        return logits
