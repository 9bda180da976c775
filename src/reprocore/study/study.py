"""The configuration of a study: reading and validating it."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from reprocore.errors import ReprocoreError
from reprocore.study.base import Arm, Name, PlainPath, Section, Seed, distinct_seeds
from reprocore.study.messages import Fault, Where, WrongKeysError, error_lines, shown
from reprocore.study.reading import read_yaml
from reprocore.study.sections import (
    CorpusSettings,
    CustomActivation,
    FigureSettings,
    ModelSettings,
    ProbeSettings,
    StatisticsSettings,
    TrainingSettings,
    TuningSettings,
)
from reprocore.study.sizes import FAMILY_SIZES
from reprocore.vocabulary import (
    GATED_ACTIVATIONS,
    OTHER_NAMES,
    PLAIN_ACTIVATIONS,
    nearest,
    smelu_beta,
)

# Of which a slope can be made.
LEAST_SIZES = 3


class Study(Section):
    """A whole study."""

    title: str = Field("reprocore", description="Name of the study, for headings.", max_length=200)
    results: PlainPath = Field(
        "results",
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
    scale: tuple[Name, ...] = Field(
        (),
        description="Models that are sizes of one architecture, at least 3: how their PD and their "
        "sensitivity change with their parameters and their loss is estimated and drawn.",
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
    tuning: TuningSettings | None = Field(
        None,
        description="Choice of a learning rate for each model with each activation, which then "
        "stands in place of `training.learning_rate`; null chooses none.",
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
    claims: PlainPath | None = Field(
        None,
        description="File of published claims that the results are compared with, such as "
        "`config/claims.yaml`; null makes no audit.",
    )
    timed: bool = Field(
        True,
        description="False: trainings shared their machine with other work, so that claims on time "
        "are reported as not measured.",
    )
    partial: bool = Field(
        False,
        description="True: train nothing; compare and draw the cells that are done, show the "
        "others as missing, and keep the tables of a model whose predictions are gone.",
    )

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(seeds) < 2:
            raise ValueError(f"{list(seeds)} is too few: at least 2 seeds make a pair")
        return distinct_seeds(seeds)

    @field_validator("results")
    @classmethod
    def _plain_folder(cls, results: str) -> str:
        if set(results) & set("{}*?"):
            raise ValueError(f"{shown(results)}: a folder's name must not hold {{ }} * or ?")
        return os.path.normpath(results)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = (
            self._wrong_contexts,
            self._wrong_warmups,
            self._wrong_lists,
            self._wrong_sizes,
            self._wrong_tuning,
        )
        faults = [fault for part in parts for fault in part()]
        if faults:
            raise WrongKeysError(dict.fromkeys(faults))
        return self

    def _wrong_contexts(self) -> Iterator[Fault]:
        block, lead = self.probe.block, self.probe.lead
        for name, model in self.models.items():
            where, context = ("models", name, "context"), model.context
            if context < block and block % context:
                yield Fault(
                    where, f"{context}: must be at least probe.block ({block}) or divide it"
                )
            if context > max(lead, block):
                yield Fault(where, f"{context}: is longer than probe.lead ({lead}); raise that")

    def _wrong_warmups(self) -> Iterator[Fault]:
        for name, model in self.models.items():
            training = self.training_of(name)
            if training.warmup > training.iterations:
                own = ("models", name) if {"warmup", "iterations"} & {*model.training} else ()
                yield Fault(
                    (*own, "training", "warmup"),
                    f"{training.warmup}: must be at most the iterations, {training.iterations}",
                )

    def _wrong_tuning(self) -> Iterator[Fault]:
        if self.tuning is None:
            return
        if shared := [seed for seed in self.tuning.seeds if seed in self.seeds]:
            message = f"{', '.join(map(str, shared))}: also in the study's seeds; tune on others"
            yield Fault(("tuning", "seeds"), message)
        steps, warmups = self.tuning.iterations, [self.training_of(m).warmup for m in self.models]
        if steps is not None and steps < max(warmups):
            message = f"{steps}: must be at least the longest warm-up, {max(warmups)}"
            yield Fault(("tuning", "iterations"), message)

    def _wrong_lists(self) -> Iterator[Fault]:
        """Yield what is wrong with the names of arms and activations."""
        own = self.models.items()
        arms: dict[Where, tuple[str, ...]] = {("arms",): self.arms}
        arms |= {("models", name, "arms"): model.arms or () for name, model in own}
        for where, listed in arms.items():
            yield from (Fault(where, f"{arm!r} is listed twice") for arm in _twice(listed))
        for name in self.custom_activations:
            if name in (*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS) or smelu_beta(name) is not None:
                message = f"{name!r} is built in; choose another name"
                yield Fault(("custom_activations", name), message)
        reference = self.statistics.reference
        known = dict.fromkeys((*self.activations, *self.studied_activations()))
        if reference is not None and reference not in known:
            message = f"{reference!r} is not studied; {nearest(reference, known)}"
            yield Fault(("statistics", "reference"), message)
        lists: dict[Where, tuple[str, ...]] = {("activations",): self.activations}
        lists |= {("models", name, "activations"): model.activations or () for name, model in own}
        for where, activations in lists.items():
            twice = (f"{name!r} is listed twice" for name in _twice(activations))
            unknown = filter(None, map(self._why_unknown, dict.fromkeys(activations)))
            yield from (Fault(where, message) for message in (*twice, *unknown))

    def _wrong_sizes(self) -> Iterator[Fault]:
        """Yield what is wrong with `scale`."""
        if 0 < len(self.scale) < LEAST_SIZES:
            message = f"{list(self.scale)} is too few: at least {LEAST_SIZES} models make a slope"
            yield Fault(("scale",), message)
        yield from (Fault(("scale",), f"{name!r} is listed twice") for name in _twice(self.scale))
        for name in self.scale:
            if name not in self.models:
                message = f"{name!r} is no model of the study; {nearest(name, self.models)}"
                yield Fault(("scale",), message)

    def _why_unknown(self, activation: str) -> str:
        """Return what is wrong with the name of an activation, "" for a known one."""
        beta = smelu_beta(activation)
        if beta == 0:
            return f"{activation!r}: β must be above 0, as in smelu_05 or smelu_1"
        known = (*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS, *self.custom_activations)
        if beta is not None or activation in known:
            return ""
        all_known = (*known, "smelu_05", "smelu_1", "smeglu_1")
        hint = nearest(OTHER_NAMES.get(activation, activation), all_known)
        return f"unknown activation {activation!r}; {hint}"

    def training_of(self, model: str) -> TrainingSettings:
        """Return the training settings of `model`: the study's, with the model's own over them."""
        return self.trainings[model]

    @cached_property
    def trainings(self) -> dict[str, TrainingSettings]:
        """The training settings of every model."""
        common = self.training.model_dump()
        return {
            name: TrainingSettings.model_validate({**common, **model.training})
            for name, model in self.models.items()
        }

    def reference_of(self, model: str | None = None) -> str:
        """Return the activation that the others are compared with, of `model` or over all models.

        It is `statistics.reference`, or else the first that is studied; for a model that lacks
        it, the first of its own.
        """
        studied = self.studied_activations()
        reference = self.statistics.reference or studied[0]
        listed = self.activations_of(model) if model else studied
        return reference if reference in listed else listed[0]

    @property
    def drawn_measure(self) -> str:
        """The measure that figures and texts are about."""
        return self.figures.measure or self.statistics.primary.measure

    def primary_arm(self, model: str) -> Arm:
        """Return the arm of `model` that the study is about: `all`, or the first of its own."""
        arms = self.arms_of(model)
        return "all" if "all" in arms else arms[0]

    def studied_activations(self) -> tuple[str, ...]:
        """Return the activations of all models, in the study's order, then the models' own."""
        used = dict.fromkeys(a for model in self.models for a in self.activations_of(model))
        return tuple(dict.fromkeys([*(a for a in self.activations if a in used), *used]))

    def activations_of(self, model: str) -> tuple[str, ...]:
        """Return the activations of `model`."""
        return self.models[model].activations or self.activations

    def arms_of(self, model: str) -> tuple[Arm, ...]:
        """Return the arms of `model`."""
        return self.models[model].arms or self.arms

    def lacks_dropout(self, model: str) -> bool:
        """Return whether `model` has no dropout; false for a family of one's own, which may."""
        settings = self.models[model]
        return settings.family in FAMILY_SIZES and not settings.sizes["dropout"]

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
        raise ReprocoreError(*error_lines(error, source)) from None


def load_study(path: str | Path) -> Study:
    """Read and validate a configuration file in YAML.

    Raises:
        ReprocoreError: the file is missing, not YAML, or holds a wrong key or value.
    """
    return parse_study(read_yaml(path), str(path))


def _twice(listed: tuple[str, ...]) -> list[str]:
    return [name for name in dict.fromkeys(listed) if listed.count(name) > 1]
