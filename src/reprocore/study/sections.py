"""The sections of a configuration: every key with its description, default and range.

The classes below and `reprocore.study.study.Study` are the only definition of the configuration;
`config/README.md` and `workflow/schemas/config.schema.json` are generated from them.
"""

import itertools
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from reprocore.study.base import (
    Arm,
    DottedPath,
    Keys,
    Name,
    PlainPath,
    Section,
    Seed,
    Sha256,
    distinct_seeds,
    nested,
)
from reprocore.study.messages import COLOUR, DOTTED_PATH, shown
from reprocore.study.sizes import FAMILY_SIZES
from reprocore.vocabulary import MARGINS, MEASURE_NAMES, nearest


class CorpusSettings(Section):
    """The text that is learned."""

    source: Literal["tiny_shakespeare", "file", "url"] = Field(
        "tiny_shakespeare",
        description="Where the text comes from: rebuilt tiny Shakespeare, a local UTF-8 file, "
        "or a download.",
    )
    path: PlainPath | None = Field(None, description="The text file, for `source: file`.")
    url: str | None = Field(None, description="The address, for `source: url`.", min_length=1)
    sha256: Sha256 | None = Field(
        None,
        description="SHA-256 of the text. Required for `source: url`; checked for a file "
        "where given.",
    )
    train_fraction: float = Field(
        0.9, gt=0, lt=1, description="Share of the characters, from the start, that is trained on."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"tiny_shakespeare": (), "file": ("path",), "url": ("url", "sha256")}[self.source]
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f"source: {self.source} needs the key {key!r}")
        allowed = {*needed, *(("sha256",) if self.source == "file" else ())}
        for key in ("path", "url", "sha256"):
            if getattr(self, key) is not None and key not in allowed:
                raise ValueError(f"the key {key!r} has no meaning with source: {self.source}")
        return self


class ProbeSettings(Section):
    """The validation characters that every model predicts, the same for all."""

    positions: int = Field(
        2048, ge=16, le=1_000_000, description="Predicted characters; a multiple of `block`."
    )
    block: int = Field(
        64,
        ge=1,
        le=65_536,
        description="Consecutive characters per block. A model of context T sees the last T "
        "characters up to the block's end, so T must be at least `block` or divide it.",
    )

    lead: int = Field(
        256,
        ge=0,
        le=1_048_576,
        description="Validation characters kept before the first predicted one, so that a model "
        "sees no training text before it. At least every model's `context`.",
    )

    @model_validator(mode="after")
    def _whole_blocks(self) -> Self:
        if self.positions % self.block:
            raise ValueError(
                f"positions ({self.positions}) must be a multiple of block ({self.block})"
            )
        return self


class TrainingSettings(Section):
    """How a cell is trained: AdamW on random windows of the training text."""

    iterations: int = Field(500, ge=1, le=100_000_000, description="Optimiser steps.")
    batch_size: int = Field(32, ge=1, le=1_048_576, description="Windows per step.")
    learning_rate: float = Field(3e-4, gt=0, le=10, description="Peak learning rate.")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="Trajectory of the learning rate after the warm-up."
    )
    warmup: int = Field(
        0,
        ge=0,
        le=100_000_000,
        description="Iterations over which the rate rises linearly; at most `iterations`.",
    )
    final_rate: float = Field(
        0.1, ge=0, le=1, description="Last learning rate of the cosine, as a share of the peak."
    )
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's decoupled weight decay.")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's decay of the first moment.")
    beta2: float = Field(0.999, ge=0, lt=1, description="AdamW's decay of the second moment.")
    clip_norm: float | None = Field(
        None, gt=0, description="Largest gradient norm; null leaves gradients as they are."
    )
    evaluate_every: int = Field(
        100, ge=1, le=100_000_000, description="Iterations between two rows of the history."
    )
    evaluation_positions: int = Field(
        8192,
        ge=1,
        le=10_000_000,
        description="Validation characters behind each `val_loss`, the same for every cell; "
        "rounded down to whole probe blocks and to what the validation text holds.",
    )
    snapshots: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (0.125, 0.25, 0.5, 0.5625, 0.625, 0.6875, 0.75, 0.8125, 0.875, 0.9375, 1.0),
        min_length=1,
        description="Shares of the iterations at which predictions and scores are stored: "
        "ascending, the last of them 1; a share of a step is rounded up. Dense where activations "
        "are compared at matched loss.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Of the matrix products in training; `bfloat16` is autocast, faster where the "
        "processor (AVX512-BF16, AMX) or the GPU has it. Weights, optimiser and predictions are "
        "float32 with both.",
    )
    threads: int = Field(
        1, ge=1, le=256, description="CPU threads per cell; results depend on their number."
    )

    @field_validator("snapshots")
    @classmethod
    def _ascending_to_the_end(cls, snapshots: tuple[float, ...]) -> tuple[float, ...]:
        if list(snapshots) != sorted({*snapshots}) or snapshots[-1] != 1:
            raise ValueError(f"{shown(list(snapshots))}: must ascend without doubles and end in 1")
        return snapshots


class TuningSettings(Section):
    """A learning rate of its own for each model with each activation, chosen on other seeds."""

    learning_rates: tuple[Annotated[float, Field(gt=0, le=10)], ...] = Field(
        min_length=2, description="The grid of peak learning rates, ascending."
    )
    seeds: tuple[Seed, ...] = Field(
        min_length=1,
        description="Seeds of the tuning cells, of arm `all`; none of them a seed of the study.",
    )
    iterations: int | None = Field(
        None,
        ge=1,
        le=100_000_000,
        description="Optimiser steps of a tuning cell; null is those of its model.",
    )

    @field_validator("learning_rates")
    @classmethod
    def _ascending(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if any(one >= other for one, other in itertools.pairwise(rates)):
            raise ValueError(f"{shown(list(rates))}: must ascend, each rate once")
        return rates

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        return distinct_seeds(seeds)


class Resources(Section):
    """What one training job of a model asks for."""

    gpu: int = Field(0, ge=0, le=1, description="GPUs that a job is given, 0 or 1.")
    device: Literal["cpu", "cuda"] | None = Field(
        None,
        description="Where the model is trained; null is `cuda` with a GPU and `cpu` without. "
        "`cpu` with `gpu: 1` computes on the CPU of a GPU job.",
    )
    mem_mb: int = Field(
        1500, ge=100, le=10_000_000, description="Memory, in MB; a retry asks for more."
    )
    minutes: int = Field(
        30,
        ge=1,
        le=100_000,
        description="Time limit on a cluster, in minutes; a retry asks for more.",
    )
    checkpoint_seconds: float = Field(
        60,
        ge=0,
        le=1e9,
        description="Seconds of training between two checkpoints, from which a stopped cell goes "
        "on; 0 is after every step. Changes no result.",
    )

    @model_validator(mode="after")
    def _cuda_needs_a_gpu(self) -> Self:
        if self.device == "cuda" and not self.gpu:
            raise ValueError("device: cuda needs gpu: 1")
        return self

    @property
    def trained_on(self) -> Literal["cpu", "cuda"]:
        """The device that `device` stands for."""
        return self.device or ("cuda" if self.gpu else "cpu")


class ModelSettings(Section):
    """One model: a family and its sizes."""

    family: str = Field(
        description="`gpt`, `conv`, `hybrid`, `recurrent`, `lstm`, or the dotted path "
        "`module:builder` of your own, whose module `REPROCORE_ALLOW` names."
    )
    context: int = Field(128, ge=2, le=1_048_576, description="Characters that the model sees.")
    sizes: Keys = Field(
        default_factory=dict,
        validate_default=True,
        description="The family's sizes; see the tables of sizes below.",
    )
    training: Keys = Field(
        default_factory=dict, description="Any key of `training`, for this model alone."
    )
    resources: Resources = Field(
        default_factory=lambda: Resources.model_validate({}), description="What a job needs."
    )
    activations: tuple[Name, ...] | None = Field(
        None, min_length=1, description="Activations of this model alone; null is the study's."
    )
    arms: tuple[Arm, ...] | None = Field(
        None, min_length=1, description="Arms of this model alone; null is the study's."
    )

    @field_validator("family")
    @classmethod
    def _known_family(cls, family: str) -> str:
        if family not in FAMILY_SIZES and not re.fullmatch(DOTTED_PATH, family):
            known = nearest(family, FAMILY_SIZES)
            raise ValueError(f"unknown family {shown(family)}; {known}, or a path 'module:builder'")
        return family

    @field_validator("sizes")
    @classmethod
    def _filled_sizes(cls, sizes: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        family = info.data.get("family")  # absent where it is wrong itself
        if family not in FAMILY_SIZES:
            return sizes
        return nested(FAMILY_SIZES[family], sizes).model_dump()

    @field_validator("training")
    @classmethod
    def _right_training(cls, training: dict[str, Any]) -> dict[str, Any]:
        nested(TrainingSettings, training)
        return training


class CustomActivation(Section):
    """A user's own activation."""

    path: DottedPath = Field(
        description="`module:name` of a function on tensors, or of an `nn.Module` class, which is "
        "told the number of units if it has `per_unit`, its parameters for each; the environment "
        "variable `REPROCORE_ALLOW` must name the module."
    )
    gated: bool = Field(False, description="True: used as W2(act(W1 x) ⊙ V x).")


def _known_measure(measure: str | None) -> str | None:
    if measure is not None and measure not in MEASURE_NAMES:
        raise ValueError(f"unknown measure {shown(measure)}; {nearest(measure, MEASURE_NAMES)}")
    return measure


class PrimarySettings(Section):
    """The one question that the study declares beforehand; every other result is exploratory."""

    measure: Annotated[str, AfterValidator(_known_measure)] = Field(
        "relative_pd", description=f"One of {', '.join(MEASURE_NAMES)}."
    )
    condition: Literal["final", "matched_loss"] = Field(
        "final", description="At the last step, or where all have the same validation loss."
    )


Margins = dict[Name, Annotated[float, Field(gt=0, lt=1)] | None]


class StatisticsSettings(Section):
    """How estimates are made and activations are compared."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of every interval.")
    reference: Name | None = Field(
        None, description="Activation that others are held against; null is the first listed."
    )
    primary: PrimarySettings = Field(
        default_factory=lambda: PrimarySettings.model_validate({}),
        description="The question that is declared beforehand: each activation against the "
        "reference, in one measure and at one condition. All else is labelled exploratory.",
    )
    margins: Margins = Field(
        dict(MARGINS),
        validate_default=True,
        description="Two activations whose ratio is within 1 and this share count as equivalent; "
        "of accuracy and overlap, the ratio of 1 less them. Null asks for no equivalence. "
        "What is not named keeps its default.",
    )

    @field_validator("margins")
    @classmethod
    def _all_margins(cls, margins: Margins) -> Margins:
        for name in margins:
            if name not in MARGINS:
                raise ValueError(f"unknown measure {shown(name)}; {nearest(name, MARGINS)}")
        return {**MARGINS, **margins}


class FigureSettings(Section):
    """How figures look; changing these redraws and retrains nothing."""

    measure: Annotated[str | None, AfterValidator(_known_measure)] = Field(
        None,
        description=f"The measure drawn: one of {', '.join(MEASURE_NAMES)}; null is the primary "
        "one of `statistics`.",
    )
    dpi: int = Field(150, ge=50, le=1200, description="Resolution of the PNG files.")
    colours: dict[Name, Annotated[str, Field(pattern=COLOUR)]] = Field(
        default_factory=dict, description="A colour `#rrggbb` by activation, over the default."
    )
