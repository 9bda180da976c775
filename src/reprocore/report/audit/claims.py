"""Published claims as data: what was said, and the test that would support or refute it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, model_validator

from reprocore.errors import ReprocoreError
from reprocore.study.base import Section
from reprocore.study.messages import error_lines
from reprocore.study.reading import read_yaml
from reprocore.study.study import Study
from reprocore.vocabulary import (
    COMPLEMENTS,
    GATED_ACTIVATIONS,
    MEASURE_NAMES,
    PLAIN_ACTIVATIONS,
    SCORES,
    nearest,
    smelu_beta,
)

PUBLISHED_MODELS = ("charlm", "minigpt", "convlm", "hybridlm", "tinylstm", "nanotransformer")
TIME = "time"  # per character; the median over a training's logged steps
Ends = tuple[float | None, float | None]


def _known(what: str, name: str, known: Iterable[str]) -> str:
    known = list(dict.fromkeys(known))
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; {nearest(name, known)}")
    return name


def _model(name: str, info: ValidationInfo) -> str:
    return _known("model", name, [*PUBLISHED_MODELS, *(info.context or {}).get("models", ())])


def _activation(name: str, info: ValidationInfo) -> str:
    if smelu_beta(name):
        return name
    own = (info.context or {}).get("activations", ())
    return _known("activation", name, [*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS, *own, "smelu_1"])


def _measure(name: str) -> str:
    return _known("measure", name, [*SCORES, *MEASURE_NAMES])


def _range(ends: Ends) -> Ends:
    low, high = ends
    if low is None and high is None:
        raise ValueError("one end at least must be a number")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{low:g} is above {high:g}; the lower end comes first")
    return ends


def _check_margin(bounds: Ends, of_ratio: Iterable[str]) -> None:
    """Refuse a margin of bounds below 0, or of a ratio of measures whose margin is on 1 less."""
    if any(end is not None and end < 0 for end in bounds):
        raise ValueError("within_margin: a margin is a ratio, so that no bound may be below 0")
    for name in of_ratio:
        if name in COMPLEMENTS:
            raise ValueError(f"within_margin: that of {name} is on 1 less it, not on its ratio")


def _timed(name: str) -> str:
    return name if name == TIME else _measure(name)


def _quantifier(value: str | int) -> str | int:
    if value not in ("each", "some") and not (isinstance(value, int) and value >= 1):
        raise ValueError(f"{value!r} is neither each nor some nor a number from 1")
    return value


Model = Annotated[str, AfterValidator(_model)]
Activation = Annotated[str, AfterValidator(_activation)]
Measure = Annotated[str, AfterValidator(_measure)]
Models = Annotated[tuple[Model, ...], Field(min_length=1)]
Activations = Annotated[tuple[Activation, ...], Field(min_length=1)]
Measures = Annotated[tuple[Measure, ...], Field(min_length=1)]
Bounds = Annotated[Ends, AfterValidator(_range)]
Printed = Annotated[float, Field(gt=0)]
PrintedFigures = Annotated[tuple[Printed, ...], Field(min_length=1)]
PrintedRange = Annotated[tuple[Printed, Printed], AfterValidator(_range)]


class Test(Section):
    """Base of all tests; `kind` says which. Where it names `models`, it must hold in all."""

    __test__: ClassVar[bool] = False  # no test of this project's own

    @property
    def about(self) -> tuple[str, ...]:
        """Models that the test needs."""
        return (*getattr(self, "models", ()), *getattr(self, "other_models", ()))


class PairTest(Test):
    """What is asked of pairs of activations, the first of each with the second of each.

    For each of `first`, or for some, it must hold with each of `second`, with some, or with so
    many of them; and that in every one of `measures`.
    """

    models: Models
    first: Activations
    second: Activations
    first_quantifier: Literal["each", "some"] = "each"
    quantifier: Annotated[str | int, AfterValidator(_quantifier)] = "each"

    def partners(self, first: str) -> list[str]:
        """Return the activations of `second` that one of `first` is compared with."""
        return [name for name in self.second if name != first]

    @model_validator(mode="after")
    def _enough_partners(self) -> Self:
        least = self.quantifier if isinstance(self.quantifier, int) else 1
        for name in self.first:
            if len(self.partners(name)) < least:
                raise ValueError(f"second: fewer than {least} to compare {name} with")
        return self


class Contrast(PairTest):
    """The first is more reproducible (of a score: better) than the second, or no worse."""

    kind: Literal["contrast"]
    relation: Literal["better", "no_worse"] = "better"
    measures: Measures


class Between(PairTest):
    """The ratio or difference of the first and the second lies between two bounds, null for open.

    `within_margin` widens the bounds of a ratio by the study's margin of equivalence.
    """

    kind: Literal["between"]
    figure: Literal["ratio", "difference"] = "ratio"
    measures: Annotated[tuple[Annotated[str, AfterValidator(_timed)], ...], Field(min_length=1)]
    bounds: Bounds
    within_margin: bool = False

    @model_validator(mode="after")
    def _margin_of_a_ratio(self) -> Self:
        if self.within_margin and self.figure == "difference":
            raise ValueError("within_margin: a margin is a ratio, and has none of a difference")
        if self.within_margin:
            _check_margin(self.bounds, self.measures)
        return self


class Reached(Section):
    """The snapshots at which a quantity is what it was in the report."""

    measure: Measure
    value: Printed


class Level(Test):
    """The measure of every activation lies between two bounds, at the end or `at` a value.

    Where `other_models` or `other_measures` are named, its ratio over the same of those does.
    `within_margin` widens the bounds by the study's margin of equivalence.
    """

    kind: Literal["level"]
    models: Models
    measures: Measures
    other_models: tuple[Model, ...] = ()
    other_measures: tuple[Measure, ...] = ()
    at: Reached | None = None
    bounds: Bounds
    within_margin: bool = False

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if sum(map(bool, (self.at, self.other_models, self.other_measures))) > 1:
            raise ValueError("at, other_models and other_measures exclude each other")
        return self

    @model_validator(mode="after")
    def _margin_of_a_value(self) -> Self:
        if self.within_margin:
            ratio = self.other_models or self.other_measures
            _check_margin(self.bounds, (*self.measures, *self.other_measures) if ratio else ())
        return self


class Spread(Test):
    """The noise-corrected CV across activations is `at_most` so many percent, or in an `order`.

    It falls in the order in which `models` are listed, or it grows with their parameters, over
    pairs of models that differ by `factor`.
    """

    kind: Literal["spread"]
    models: Models
    measure: Measure
    at_most: Annotated[float, Field(ge=0)] | None = None
    order: Literal["falling", "by_size"] | None = None
    factor: Annotated[float, Field(gt=1)] = 1.1

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.at_most is None) == (self.order is None):
            raise ValueError("needs one of at_most and order")
        return self


class PrintedPercent(Test):
    """Is a printed figure `claimed` percent below the others printed, `count` of them in all?"""

    kind: Literal["printed_percent"]
    value: Printed
    others: PrintedFigures
    count: Annotated[int, Field(ge=1)] = 1
    claimed: Annotated[float, Field(gt=0, lt=100)] | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None


class PrintedTimes(Test):
    """Are the others printed so many times the printed figure?"""

    kind: Literal["printed_times"]
    value: Printed
    others: PrintedFigures
    bounds: Bounds


class PrintedCV(Test):
    """Does a printed CV follow from the figures printed, `count` in all?

    Figures that were not printed lie between the lowest and the highest of `others`.
    """

    kind: Literal["printed_cv"]
    known: tuple[Printed, ...] = ()
    others: PrintedRange
    count: Annotated[int, Field(ge=2, le=1000)]
    claimed: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.count < len(self.known) + 2:
            raise ValueError(f"count: {self.count}, but {len(self.known) + 2} figures are printed")
        return self


class PrintedDisagreement(Test):
    """Can two models of this accuracy disagree so often on the same characters?"""

    kind: Literal["printed_disagreement"]
    accuracy: Annotated[float, Field(gt=0, lt=1)]
    claimed: PrintedRange


class Claim(Section):
    """One claim: its words, where it stands, the figures as published, and its test."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
    text: Annotated[str, Field(min_length=1, max_length=300)]
    source: Annotated[str, Field(min_length=1)] = "report"
    reported: Annotated[str, Field(min_length=1, max_length=120)]
    test: Annotated[
        Contrast
        | Between
        | Level
        | Spread
        | PrintedPercent
        | PrintedTimes
        | PrintedCV
        | PrintedDisagreement,
        Field(discriminator="kind"),
    ]


def parse_claims(content: Any, source: str, study: Study) -> tuple[Claim, ...]:
    """Validate claims.

    Args:
        content: what the YAML file holds: a list of claims.
        source: the file's name, for messages.
        study: whose models and own activations may be named beside the published ones.

    Raises:
        ReprocoreError: one line per wrong key, with the file, the claim and what is allowed.
    """
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise ReprocoreError(f"{source}: must be a list of claims, each a mapping of keys")
    own = {"models": tuple(study.models), "activations": tuple(study.custom_activations)}
    claims: dict[str, Claim] = {}
    lines = []
    for number, item in enumerate(content, 1):
        where = f"{source}: claim {item.get('id', number)!s}"
        try:
            claim = Claim.model_validate(item, context=own)
        except ValidationError as error:
            lines += error_lines(error, where)
            continue
        if claim.id in claims:
            lines.append(f"{where}: is listed twice")
        claims[claim.id] = claim
    if lines:
        raise ReprocoreError(*lines)
    return tuple(claims.values())


def load_claims(path: str | Path, study: Study) -> tuple[Claim, ...]:
    """Read and validate a file of claims in YAML; see `parse_claims`.

    Raises:
        ReprocoreError: the file is missing, not YAML, or holds a wrong key or value.
    """
    return parse_claims(read_yaml(path), str(path), study)
