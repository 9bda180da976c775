"""Published claims as data: what was said, and the test that would support or refute it."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from reprocore.errors import ReprocoreError
from reprocore.study.sections import Section, error_lines
from reprocore.study.study import Study, read_yaml
from reprocore.vocabulary import (
    GATED_ACTIVATIONS,
    MEASURE_NAMES,
    PLAIN_ACTIVATIONS,
    SCORES,
    nearest,
    smelu_beta,
)

PUBLISHED_MODELS = ("charlm", "minigpt", "convlm", "hybridlm", "tinylstm", "nanotransformer")
QUANTITIES = (*SCORES, *MEASURE_NAMES)


def _model(name: str, info: ValidationInfo) -> str:
    known = list(dict.fromkeys([*PUBLISHED_MODELS, *(info.context or {}).get("models", ())]))
    if name not in known:
        raise ValueError(f"unknown model {name!r}; {nearest(name, known)}")
    return name


def _activation(name: str, info: ValidationInfo) -> str:
    own = (info.context or {}).get("activations", ())
    known = list(dict.fromkeys([*PLAIN_ACTIVATIONS, *GATED_ACTIVATIONS, *own]))
    if name not in known and not smelu_beta(name):
        raise ValueError(f"unknown activation {name!r}; {nearest(name, [*known, 'smelu_1'])}")
    return name


def _measure(name: str) -> str:
    if name not in MEASURE_NAMES:
        raise ValueError(f"unknown measure {name!r}; {nearest(name, MEASURE_NAMES)}")
    return name


def _quantity(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"unknown measure {name!r}; {nearest(name, QUANTITIES)}")
    return name


def _range(ends: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = ends
    if low is None and high is None:
        raise ValueError("one end at least must be a number")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{low:g} is above {high:g}; the lower end comes first")
    return ends


Model = Annotated[str, AfterValidator(_model)]
Activation = Annotated[str, AfterValidator(_activation)]
Measure = Annotated[str, AfterValidator(_measure)]
Quantity = Annotated[str, AfterValidator(_quantity)]
Models = Annotated[tuple[Model, ...], Field(min_length=1)]
Activations = Annotated[tuple[Activation, ...], Field(min_length=1)]
Between = Annotated[tuple[float | None, float | None], AfterValidator(_range)]
Printed = Annotated[float, Field(gt=0)]


class Test(Section):
    """Base of all tests; `kind` says which."""

    __test__: ClassVar[bool] = False  # no test of this project's own

    @property
    def about(self) -> tuple[str, ...]:
        """Models that the test needs."""
        return ()


class ModelTest(Test):
    """A test that must hold in every one of `models`."""

    models: Models

    @property
    def about(self) -> tuple[str, ...]:
        """Models that the test needs."""
        return self.models


class Order(ModelTest):
    """Each activation of `better` is more reproducible than each of `worse`."""

    kind: Literal["order"]
    measure: Measure
    better: Activations
    worse: Activations


class Magnitude(ModelTest):
    """The measure of `activation` over that of each, or of some, of `others` lies `between`."""

    kind: Literal["magnitude"]
    measure: Measure
    activation: Activation
    others: Activations
    quantifier: Literal["each", "some"]
    between: Between


class Worst(ModelTest):
    """`activation` is the least reproducible of `among`."""

    kind: Literal["worst"]
    measure: Measure
    activation: Activation
    among: Activations


class NeverWorst(ModelTest):
    """`activation` is not the least reproducible of `among`."""

    kind: Literal["never_worst"]
    measure: Measure
    activation: Activation
    among: Activations


class Top(ModelTest):
    """`activation` is one of the first `places` of `among`, most reproducible first."""

    kind: Literal["top"]
    measure: Measure
    activation: Activation
    among: Activations
    places: Annotated[int, Field(ge=1)]


class Invariant(ModelTest):
    """The noise-corrected CV across activations is `at_most` so many percent."""

    kind: Literal["invariant"]
    measure: Measure
    at_most: Annotated[float, Field(ge=0)]


class Reached(Section):
    """The snapshots at which a quantity is what it was in the report."""

    measure: Quantity
    value: Printed


class Level(ModelTest):
    """The measure of every activation lies `between`, at the end or where `at` was reached."""

    kind: Literal["level"]
    measure: Quantity
    between: Between
    at: Reached | None = None


class Ranking(ModelTest):
    """`models` are in falling order of their noise-corrected CV across activations."""

    kind: Literal["ranking"]
    measure: Measure


class Trend(ModelTest):
    """The corrected CV grows with the number of parameters, over pairs that differ by `factor`."""

    kind: Literal["trend"]
    measure: Measure
    factor: Annotated[float, Field(gt=1)] = 1.1


class Equal(ModelTest):
    """`first` and `second` agree to so many `decimals` in every one of `measures`."""

    kind: Literal["equal"]
    measures: Annotated[tuple[Quantity, ...], Field(min_length=1)]
    first: Activation
    second: Activation
    decimals: Annotated[int, Field(ge=0, le=12)]


class ModelRatio(Test):
    """For every activation, the measure of `model` over that of each of `others` is `between`."""

    kind: Literal["model_ratio"]
    measure: Measure
    model: Model
    others: Models
    between: Between

    @property
    def about(self) -> tuple[str, ...]:
        """Models that the test needs."""
        return (self.model, *self.others)


class MeasureRatio(ModelTest):
    """One measure over another lies `between`, for every model and activation."""

    kind: Literal["measure_ratio"]
    numerator: Measure
    denominator: Measure
    between: Between


class Cost(ModelTest):
    """The time per character of each of `activations` over that of `than` lies `between`."""

    kind: Literal["cost"]
    activations: Activations
    than: Activation
    between: Between


class NoTradeOff(ModelTest):
    """One activation of `among` is the best in accuracy and in the measure alike."""

    kind: Literal["no_trade_off"]
    measure: Measure
    among: Activations


class PrintedPercent(Test):
    """Is a printed figure `claimed` percent below the others printed, `count` of them in all?"""

    kind: Literal["printed_percent"]
    value: Printed
    others: Annotated[tuple[Printed, ...], Field(min_length=1)]
    count: Annotated[int, Field(ge=1)] = 1
    claimed: Annotated[float, Field(gt=0, lt=100)] | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None


class PrintedTimes(Test):
    """Are the others printed so many times the printed figure?"""

    kind: Literal["printed_times"]
    value: Printed
    others: Annotated[tuple[Printed, ...], Field(min_length=1)]
    between: Between


class PrintedCV(Test):
    """Does a printed CV follow from the figures printed, `count` in all?

    Figures that were not printed lie between the lowest and the highest of `others`.
    """

    kind: Literal["printed_cv"]
    known: tuple[Printed, ...] = ()
    others: Annotated[tuple[Printed, Printed], AfterValidator(_range)]
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
    claimed: Annotated[tuple[Printed, Printed], AfterValidator(_range)]


AnyTest = (
    Order
    | Magnitude
    | Worst
    | NeverWorst
    | Top
    | Invariant
    | Level
    | Ranking
    | Trend
    | Equal
    | ModelRatio
    | MeasureRatio
    | Cost
    | NoTradeOff
    | PrintedPercent
    | PrintedTimes
    | PrintedCV
    | PrintedDisagreement
)
KINDS: dict[str, type[Section]] = {
    get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(AnyTest)
}


class Claim(Section):
    """One claim: its words, where it stands, the figures as published, and its test."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=48)]
    text: Annotated[str, Field(min_length=1, max_length=300)]
    source: Annotated[str, Field(min_length=1)] = "report"
    reported: Annotated[str, Field(min_length=1, max_length=120)]
    test: AnyTest

    @field_validator("test", mode="before")
    @classmethod
    def _of_its_kind(cls, test: Any, info: ValidationInfo) -> Any:
        if isinstance(test, Test):
            return test
        kind = test.get("kind") if isinstance(test, dict) else None
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; {nearest(str(kind), KINDS)}")
        try:
            return KINDS[kind].model_validate(test, context=info.context)
        except ValidationError as error:
            raise ValueError("; ".join(error_lines(error, kind, "."))) from None


def parse_claims(content: Any, source: str, study: Study) -> tuple[Claim, ...]:
    """Validate claims.

    Args:
        content: what the YAML file holds: a list of claims.
        source: the file's name, for messages.
        study: whose models and own activations may be named beside the published ones.

    Raises:
        ReprocoreError: one line per wrong key, with the file, the claim and what is allowed.
    """
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise ReprocoreError(f"{source}: must be a list of claims, each a mapping of keys")
    own = {"models": tuple(study.models), "activations": tuple(study.custom_activations)}
    claims, lines = [], []
    for number, each in enumerate(content, 1):
        where = f"{source}: claim {each.get('id', number)!s}"
        try:
            claims.append(Claim.model_validate(each, context=own))
        except ValidationError as error:
            lines += error_lines(error, where)
    names = [claim.id for claim in claims]
    twice = sorted({name for name in names if names.count(name) > 1})
    lines += [f"{source}: claim {name}: is listed twice" for name in twice]
    if lines:
        raise ReprocoreError("\n".join(lines))
    return tuple(claims)


def load_claims(path: str | Path, study: Study) -> tuple[Claim, ...]:
    """Read and validate a file of claims in YAML.

    Raises:
        ReprocoreError: the file is missing, not YAML, or holds a wrong key or value.
    """
    return parse_claims(read_yaml(path), str(path), study)
