"""The sizes of a model, by family: every key with its description, default and range."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reprocore.study.base import Section


class GptSizes(Section):
    """Sizes of a decoder-only transformer (family `gpt`)."""

    layers: int = Field(2, ge=1, le=1000, description="Transformer blocks.")
    heads: int = Field(4, ge=1, le=1024, description="Attention heads; must divide `width`.")
    width: int = Field(128, ge=1, le=65_536, description="Width of the residual stream.")
    hidden: int | None = Field(
        None,
        ge=1,
        le=262_144,
        description="Hidden width of the plain feed-forward unit; null is 4 · width.",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout probability.")
    bias: bool = Field(True, description="Bias in the attention's output and in the head.")
    init_std: float | None = Field(
        0.02,
        gt=0,
        description="Standard deviation of N(0, σ) weights with zero biases, as in Karpathy's "
        "`gpt.py`; null is PyTorch's default.",
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class ConvSizes(Section):
    """Sizes of a stack of causal dilated convolutions (family `conv`)."""

    width: int = Field(128, ge=1, le=65_536, description="Width of the residual stream.")
    hidden: int = Field(160, ge=1, le=262_144, description="Hidden width of a plain block.")
    kernel: int = Field(3, ge=1, le=1024, description="Taps of each convolution.")
    dilations: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        (1, 2, 4, 8, 16), min_length=1, description="One residual block per dilation."
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout probability.")


class HybridSizes(ConvSizes):
    """Sizes of convolution blocks followed by transformer blocks (family `hybrid`)."""

    hidden: int = Field(128, ge=1, le=262_144, description="Hidden width of a plain conv block.")
    dilations: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = Field(
        (1, 2, 4), min_length=1, description="One convolution block per dilation."
    )
    layers: int = Field(1, ge=1, le=1000, description="Transformer blocks after the convolutions.")
    heads: int = Field(4, ge=1, le=1024, description="Attention heads; must divide `width`.")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide width ({self.width})")
        return self


class LstmSizes(Section):
    """Sizes of family `lstm`, a name of `recurrent` with LSTM cells and without attention."""

    width: int = Field(128, ge=1, le=65_536, description="Width of embedding and state.")
    layers: int = Field(1, ge=1, le=1000, description="Recurrent layers.")
    hidden: int = Field(
        104, ge=1, le=262_144, description="Hidden width of the plain feed-forward unit."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout probability.")


class RecurrentSizes(LstmSizes):
    """Sizes of recurrent layers followed by a feed-forward unit (family `recurrent`)."""

    cell: Literal["lstm", "gru", "rnn"] = Field(
        "lstm", description="Recurrent cell: LSTM, GRU, or Elman's with tanh."
    )
    attention: bool = Field(
        False, description="True: one causal attention block after the recurrent layers."
    )
    heads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Heads of the attention; must divide `width`; null is 4. Only with "
        "`attention: true`.",
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if not self.attention and self.heads is not None:
            raise ValueError(f"heads ({self.heads}) has no meaning without attention: true")
        if self.attention and self.width % (self.heads or 4):
            raise ValueError(f"heads ({self.heads or 4}) must divide width ({self.width})")
        return self


FAMILY_SIZES: dict[str, type[Section]] = {
    "gpt": GptSizes,
    "conv": ConvSizes,
    "hybrid": HybridSizes,
    "recurrent": RecurrentSizes,
    "lstm": LstmSizes,
}
