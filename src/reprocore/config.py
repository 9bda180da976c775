"""The configuration of a study: reading and validating it."""

import os
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from reprocore.errors import ReprocoreError
from reprocore.settings import (
    GATED_ACTIVATIONS,
    PLAIN_ACTIVATIONS,
    Arm,
    CorpusSettings,
    CustomActivation,
    FigureSettings,
    ModelSettings,
    Name,
    ProbeSettings,
    Section,
    Seed,
    StatisticsSettings,
    TrainingSettings,
    error_lines,
    nearest,
    nested,
    smelu_beta,
)


class Study(Section):
    """A whole study."""

    title: str = Field("reprocore", description="Name of the study, for headings.", max_length=200)
    results: str = Field(
        "results",
        min_length=1,
        description="Folder that holds all results, inside the working folder unless the "
        "environment variable `REPROCORE_ALLOW` names another.",
    )
    seeds: tuple[Seed, ...] = Field(
        (1, 2, 3, 4, 5),
        description="Seeds of the repetitions, at least 2 and all different; an interval needs 3.",
    )
    arms: tuple[Arm, ...] = Field(
        ("all",),
        min_length=1,
        description="Which random streams follow the seed: `all`, one of `init`, `order`, "
        "`dropout`, or `none` (the control, whose differences must be 0).",
    )
    activations: tuple[Name, ...] = Field(
        ("relu", "gelu", "swish", "swiglu", "smelu_05", "smelu_1"),
        min_length=1,
        description="Activations, in the order in which they are drawn: "
        f"{', '.join(PLAIN_ACTIVATIONS)}, smelu_<β>; gated: {', '.join(GATED_ACTIVATIONS)}, "
        "smeglu_<β>; or a name of `custom_activations`.",
    )
    models: dict[Name, ModelSettings] = Field(
        min_length=1, description="Models by name, in the order in which they are drawn."
    )
    custom_activations: dict[Name, CustomActivation] = Field(
        default_factory=dict, description="Your own activations by name."
    )
    corpus: CorpusSettings = Field(
        default_factory=lambda: CorpusSettings.model_validate({}), description="The text."
    )
    probe: ProbeSettings = Field(
        default_factory=lambda: ProbeSettings.model_validate({}),
        description="The characters on which models are compared.",
    )
    training: TrainingSettings = Field(
        default_factory=lambda: TrainingSettings.model_validate({}),
        description="Training of every model that does not say otherwise.",
    )
    statistics: StatisticsSettings = Field(
        default_factory=lambda: StatisticsSettings.model_validate({}), description="Estimates."
    )
    figures: FigureSettings = Field(
        default_factory=lambda: FigureSettings.model_validate({}), description="Figures."
    )
    gpu: Literal["auto", "available", "none"] = Field(
        "auto",
        description="Whether models that need a GPU can run: found out here, `available` (as "
        "from a cluster's login node), or `none`.",
    )
    claims: str = Field(
        "config/claims.yaml",
        min_length=1,
        description="Published claims that the results are compared with; a path from the "
        "Snakefile's folder, or an absolute one.",
    )
    partial: bool = Field(
        False,
        description="True: train nothing; compare and draw the cells that are done and show the "
        "others as missing.",
    )

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(seeds) < 2:
            raise ValueError(f"{list(seeds)} is too few: at least 2 seeds make a pair")
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"seed {twice[0]} is listed twice; seeds must differ")
        return seeds

    @field_validator("results")
    @classmethod
    def _plain_folder(cls, results: str) -> str:
        if set(results) & set("{}*?\n"):
            raise ValueError(f"{results!r}: a folder's name must not hold {{ }} * ? or a new line")
        return os.path.normpath(results)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, model in self.models.items():
            self.training_of(name)
            block, context = self.probe.block, model.context
            if context < block and block % context:
                raise ValueError(
                    f"models.{name}.context: {context} must be at least probe.block ({block}) "
                    "or divide it"
                )
            if context > max(self.probe.lead, block):
                raise ValueError(
                    f"models.{name}.context: {context} is longer than probe.lead "
                    f"({self.probe.lead}); raise probe.lead"
                )
        arms = {f"models.{name}.arms": m.arms or () for name, m in self.models.items()}
        for key, listed in {"arms": self.arms, **arms}.items():
            for arm in listed:
                if listed.count(arm) > 1:
                    raise ValueError(f"{key}: {arm!r} is listed twice")
        for name in self.custom_activations:
            if name in (*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS) or smelu_beta(name) is not None:
                raise ValueError(f"custom_activations: {name!r} is built in; choose another name")
        lists = {f"models.{name}.activations": m.activations for name, m in self.models.items()}
        reference = self.statistics.reference
        if reference is not None and reference not in self.activations:
            known = nearest(reference, self.activations)
            raise ValueError(f"statistics.reference: {reference!r} is not studied; {known}")
        for key, activations in {"activations": self.activations, **lists}.items():
            for activation in activations or ():
                self._check_activation(key, activation, activations or ())
        return self

    def _check_activation(self, key: str, name: str, listed: tuple[str, ...]) -> None:
        if listed.count(name) > 1:
            raise ValueError(f"{key}: {name!r} is listed twice")
        beta = smelu_beta(name)
        if beta == 0:
            raise ValueError(f"{key}: {name!r}: β must be above 0, as in smelu_05 or smelu_1")
        known = (*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS, *self.custom_activations)
        if beta is None and name not in known:
            shown = (*known, "smelu_05", "smelu_1", "smeglu_1")
            raise ValueError(f"{key}: unknown activation {name!r}; {nearest(name, shown)}")

    def training_of(self, model: str) -> TrainingSettings:
        """Return the training settings of `model`: the study's, with the model's own over them."""
        own = self.models[model].training
        nested(TrainingSettings, own, f"models.{model}.training")
        return TrainingSettings.model_validate({**self.training.model_dump(), **own})

    def reference_of(self, model: str) -> str:
        """Return the activation that the others of `model` are held against."""
        listed = self.activations_of(model)
        reference = self.statistics.reference
        return reference if reference in listed else listed[0]

    def activations_of(self, model: str) -> tuple[str, ...]:
        """Return the activations of `model`."""
        return self.models[model].activations or self.activations

    def arms_of(self, model: str) -> tuple[Arm, ...]:
        """Return the arms of `model`."""
        return self.models[model].arms or self.arms

    def is_gated(self, activation: str) -> bool:
        """Return whether `activation` is used as W2(act(W1 x) ⊙ V x)."""
        if activation in self.custom_activations:
            return self.custom_activations[activation].gated
        return activation in GATED_ACTIVATIONS or activation.startswith("smeglu_")


def parse_study(content: Any, source: str = "config") -> Study:
    """Validate a configuration.

    Args:
        content: what a YAML file holds: a mapping of the keys of `Study`.
        source: the file's name, for messages.

    Raises:
        ReprocoreError: one line per wrong key, with the value and what is allowed.
    """
    if not isinstance(content, dict):
        raise ReprocoreError(f"{source}: must be a mapping of keys to values")
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise ReprocoreError("\n".join(error_lines(error, source))) from None


def load_study(path: str | Path) -> Study:
    """Read and validate a configuration file in YAML.

    Raises:
        ReprocoreError: the file is missing, not YAML, or holds a wrong key or value.
    """
    return parse_study(read_yaml(path), str(path))


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        ReprocoreError: the file is missing, cannot be read, or is not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReprocoreError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        reason = " ".join(str(error).split())
        raise ReprocoreError(f"{path}: not valid YAML: {reason}") from None
