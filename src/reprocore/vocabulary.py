"""Names that every part of the project shares: measures, activations, families, codes.

Codes decide and are stored; `reprocore.report.words` turns them into sentences.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType
from typing import TypeVar

LN2 = math.log(2.0)


@dataclass(frozen=True)
class Measure:
    """What tables and figures need to know of a measure.

    `name` is the column, and for `MEASURES` the function of `reprocore.statistics.divergence` that
    has the formula; `PairSums` there is the same for long texts. `label` is for sentences, `unit`
    is "" for a pure number, and values lie in `lower` … `upper`. With `more_is_closer` a larger
    value means more alike predictions.
    """

    name: str
    label: str
    unit: str
    lower: float
    upper: float
    more_is_closer: bool = False

    @property
    def heading(self) -> str:
        """The label with its unit, for axes, headings and choices."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure("relative_pd", "relative PD", "", 0.0, 2.0),
            Measure("relative_pd_true", "relative PD, true symbol", "", 0.0, 2.0),
            Measure("total_variation", "total variation", "", 0.0, 1.0),
            Measure("jensen_shannon", "Jensen–Shannon divergence", "nats", 0.0, LN2),
            Measure("jeffreys", "Jeffreys divergence", "nats", 0.0, math.inf),
            Measure("churn", "churn", "share of positions", 0.0, 1.0),
            Measure("top5_overlap", "top-5 overlap", "share of symbols", 0.0, 1.0, True),
        )
    }
)
MEASURE_NAMES = tuple(MEASURES)
# Of the likeliest symbols and the losses of two models.
AGREEMENT_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure("flips", "flips between right and wrong", "share of positions", 0.0, 1.0),
            Measure("kappa", "Cohen's kappa", "", -1.0, 1.0, True),
            Measure("loss_correlation", "correlation of losses", "", -1.0, 1.0, True),
        )
    }
)
# Of generated text, and so of final models alone.
TEXT_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "continuation_distance": Measure(
            "continuation_distance", "distance of continuations", "", 0.0, 1.0
        )
    }
)
# Of a pair of models.
PAIR_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {**MEASURES, **AGREEMENT_MEASURES, **TEXT_MEASURES}
)
# Means over positions, which are known of every block of text.
POSITION_MEASURES = (*MEASURE_NAMES, "flips")
# Of one model, on the evaluation text.
SCORES: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            Measure("val_loss", "validation loss", "nats per character", 0.0, math.inf),
            Measure("val_accuracy", "accuracy", "share of characters", 0.0, 1.0),
        )
    }
)
QUANTITIES: Mapping[str, Measure] = MappingProxyType({**SCORES, **PAIR_MEASURES})
# Two activations whose ratio is within this count as equivalent; None: nothing does.
MARGINS: Mapping[str, float | None] = MappingProxyType(
    {"val_loss": None, "val_accuracy": 0.1}
    | dict.fromkeys(PAIR_MEASURES, 0.1)
    | {"churn": 0.2, "flips": 0.2, "loss_correlation": None}
)
# Quantities whose margin is on 1 less the value.
COMPLEMENTS = ("val_accuracy", "top5_overlap", "kappa")


@dataclass(frozen=True)
class BuiltIn:
    """A built-in activation.

    Attributes:
        label: for a reader.
        path: `module:name` of a function on tensors, or of an `nn.Module` class.
        gated: used as W2(act(W1 x) ⊙ V x).
    """

    label: str
    path: str
    gated: bool = False


_OWN = "reprocore.training.models.activations"
ACTIVATIONS: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "relu": BuiltIn("ReLU", "torch.nn.functional:relu"),
        "gelu": BuiltIn("GELU", "torch.nn.functional:gelu"),
        "swish": BuiltIn("Swish", "torch.nn.functional:silu"),
        "mish": BuiltIn("Mish", "torch.nn.functional:mish"),
        "elu": BuiltIn("ELU", "torch.nn.functional:elu"),
        "selu": BuiltIn("SELU", "torch.nn.functional:selu"),
        "prelu": BuiltIn("PReLU", "torch.nn:PReLU"),
        "relu2": BuiltIn("ReLU²", f"{_OWN}:relu2"),
        "tanh": BuiltIn("tanh", "torch:tanh"),
        "softplus": BuiltIn("Softplus", "torch.nn.functional:softplus"),
        "apl": BuiltIn("APL", f"{_OWN}:Apl"),
        "swiglu": BuiltIn("SwiGLU", "torch.nn.functional:silu", gated=True),
        "geglu": BuiltIn("GEGLU", "torch.nn.functional:gelu", gated=True),
        "reglu": BuiltIn("ReGLU", "torch.nn.functional:relu", gated=True),
    }
)
PLAIN_ACTIVATIONS = tuple(name for name, known in ACTIVATIONS.items() if not known.gated)
GATED_ACTIVATIONS = tuple(name for name, known in ACTIVATIONS.items() if known.gated)
# What others call them; here each has one name, in configs, paths and tables.
OTHER_NAMES = {"silu": "swish", "smelu": "smelu_1", "smeglu": "smeglu_1", "squared_relu": "relu2"}


def smelu_beta(name: str) -> float | None:
    """Return β of `smelu_<β>` or `smeglu_<β>`, None for any other name.

    Digits that start with 0 are a fraction (`smelu_05` is 0.5, `smelu_025` is 0.25), others a
    whole number (`smelu_2` is 2.0).
    """
    match = re.fullmatch(r"sme(?:lu|glu)_(\d+)", name)
    if match is None:
        return None
    digits = match.group(1)
    return float(f"0.{digits[1:]}") if digits.startswith("0") and digits != "0" else float(digits)


def activation_path(name: str) -> str:
    """Return `module:name` of the code of a built-in activation."""
    return ACTIVATIONS[name].path if name in ACTIVATIONS else f"{_OWN}:smelu"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message: the closest known name, if any, and all known names."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(known)}"


FAMILY_BUILDERS = {
    "gpt": "reprocore.training.models.gpt:GPT",
    "conv": "reprocore.training.models.conv:ConvLM",
    "hybrid": "reprocore.training.models.hybrid:HybridLM",
    "recurrent": "reprocore.training.models.recurrent:RecurrentLM",
    "lstm": "reprocore.training.models.recurrent:RecurrentLM",
}

CORPUS_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

STREAMS = ("init", "order", "dropout")


class Condition(StrEnum):
    """Where along training activations are compared."""

    FINAL = auto()  # at the last step
    MATCHED_LOSS = auto()  # where each pair of seeds reaches the same validation loss


class Generalisation(StrEnum):
    """What an interval holds for."""

    SEEDS_AND_TEXT = "seeds and text"  # new ones of both
    SEEDS = "seeds"  # new seeds on the same text


def bounds_of(quantity: str) -> tuple[float, float]:
    """Return what an interval of a level stays between; what can be negative is left open."""
    if quantity in SCORES:
        return (0.0, 1.0 if quantity == "val_accuracy" else math.inf)
    measure = PAIR_MEASURES[quantity]
    return (measure.lower, measure.upper) if measure.lower >= 0 else (-math.inf, math.inf)


def generalisation(quantity: str) -> Generalisation:
    """Return what the interval of a level holds for; only a mean over positions has blocks."""
    over_text = quantity in SCORES or quantity in POSITION_MEASURES
    return Generalisation.SEEDS_AND_TEXT if over_text else Generalisation.SEEDS


class Method(StrEnum):
    """How two activations are compared, and how that is adjusted for the family."""

    CLOSED_TEST = auto()  # seed by seed, by the closed test over all sets of activations
    PAIRED = auto()  # seed by seed, with Holm
    WELCH = auto()  # as samples of different seeds, with Holm


class Family(StrEnum):
    """Contrasts that are adjusted together."""

    REFERENCE = "reference"  # each activation with the reference
    ALL_PAIRS = "all pairs"


class ContrastVerdict(StrEnum):
    """What a contrast says of its first activation."""

    MORE_REPRODUCIBLE = auto()
    LESS_REPRODUCIBLE = auto()
    LOWER = auto()  # of a quantity that says nothing of reproducibility, such as the loss
    HIGHER = auto()
    EQUIVALENT = auto()
    UNDECIDED = auto()


class Reason(StrEnum):
    """Why a number or a verdict is missing, or what limits it."""

    NOT_A_NUMBER = auto()
    INFINITE = auto()
    NOT_FINITE = auto()  # one of several values
    PAST_MATCHED_LOSS = auto()  # at the first stored step, so that nothing is known at that loss
    ONE_SEED = auto()
    ONE_BLOCK = auto()
    NO_VARIATION = auto()
    ON_A_BOUND = auto()
    FEW_SEEDS = auto()
    FEW_SHARED_SEEDS = auto()
    NO_SHARED_SEED = auto()
    PART_OF_SEEDS = auto()  # of those of two activations
    ONLY_COMMON_SEEDS = auto()  # of those of all activations
    UNPAIRED = auto()
    SEEDS_NOT_NAMED = auto()  # so nothing can be paired
    CONSTANT_DIFFERENCE = auto()
    CONSTANT_RATIO = auto()
    NO_RATIO = auto()
    FEW_SEEDS_FOR_TEST = auto()
    NOT_DECLARED = auto()  # another measure or condition than the primary one
    WITHIN_MARGIN = auto()
    ONE_ACTIVATION = auto()
    ZERO_MEAN = auto()
    ALL_ALIKE = auto()
    FEW_MODELS = auto()
    ALIKE_MODELS = auto()  # on the axis of a slope
    NO_MODELS = auto()
    MODELS_WITHOUT_RATIO = auto()
    WHOLE_NOT_RUN = auto()  # the arm `all`, with which the other arms are compared
    WHOLE_NOT_POSITIVE = auto()
    WHOLE_NOT_CLEAR = auto()
    RETRAINING_NOT_CLEAR = auto()  # the difference of trainings with the same activation


class Stratification(StrEnum):
    """By what positions of the probe are told apart."""

    SURPRISAL = auto()  # fifths of that of the true character
    ENTROPY = auto()  # fifths of that of the prediction
    KIND = auto()  # of the true character


class Kind(StrEnum):
    """Kind of a character."""

    LOWER_CASE = auto()
    CAPITAL = auto()
    DIGIT = auto()
    SPACE = auto()
    NEWLINE = auto()
    PUNCTUATION = auto()  # and all others


class ScaledQuantity(StrEnum):
    """What changes with the size of a model."""

    LEVEL = auto()  # logarithm of an activation's measure
    SQUARED_CV = auto()  # of the measure across activations, less the noise


class ScaledBy(StrEnum):
    """What stands for the size of a model."""

    PARAMETERS = auto()  # their logarithm to base 10
    VAL_LOSS = auto()


class Flag(StrEnum):
    """What to know before using a row of the summary."""

    NOT_RUN = auto()
    MISSING_SEEDS = auto()
    NO_PAIR = auto()
    NO_INTERVAL = auto()
    ABOVE_UNIGRAM = auto()
    MIXED_MACHINES = auto()
    MIXED_CODE = auto()
    RATE_AT_END = auto()


class Trial(StrEnum):
    """What came of a tuning cell."""

    DONE = auto()
    DIVERGED = auto()
    MISSING = auto()


class Gap(StrEnum):
    """Why a figure has no number to draw."""

    NOT_RUN = auto()  # nothing of the whole model
    MISSING = auto()
    NO_PAIR = auto()
    NOT_A_NUMBER = auto()
    INFINITE = auto()
    NOT_COMPARED = auto()
    NO_RATIO = auto()
    WHOLE_MISSING = auto()
    FEW_SHARED_SEEDS = auto()
    NO_SHARE = auto()
    NO_DROPOUT = auto()


class ClaimVerdict(StrEnum):
    """What a study says of a claim; the first two rest on tests or intervals alone."""

    SUPPORTED = auto()
    REFUTED = auto()
    UNDECIDED = auto()
    NOT_MEASURED = auto()


class ClaimReason(StrEnum):
    """Why a claim, or a part of it, has its verdict."""

    BETTER = auto()
    WORSE = auto()
    EQUIVALENT = auto()
    NOT_SEPARATED = auto()
    NOT_CLEAR_OVER_MODELS = auto()
    INSIDE = auto()
    OUTSIDE = auto()
    ACROSS = auto()
    FEW_SEEDS = auto()
    NO_INTERVAL = auto()
    NO_VARIATION = auto()
    NOT_POSITIVE = auto()
    OTHER_MACHINE = auto()
    NOT_TIMED = auto()
    OMNIBUS_UNDECIDED = auto()
    MORE_SENSITIVE = auto()
    LESS_SENSITIVE = auto()
    CVS_OVERLAP = auto()
    SIZES_ALIKE = auto()
    NOT_IN_STUDY = auto()
    NOT_RUN = auto()
    NOT_THERE = auto()
    PARTLY_MEASURED = auto()
    WITHHELD = auto()
    ABOVE_UNIGRAM = auto()
    PRINTED_GIVE = auto()
    PRINTED_DO_NOT_GIVE = auto()


CODE_SEPARATOR = " "
Code = TypeVar("Code", bound=StrEnum)


def join_codes(codes: Iterable[StrEnum]) -> str:
    """Return codes as the text of a table's column; "" for none."""
    return CODE_SEPARATOR.join(codes)


def split_codes(text: str, kind: type[Code]) -> tuple[Code, ...]:
    """Return the codes of a table's column; ValueError for one that `kind` does not have."""
    return tuple(kind(code) for code in text.split())


def counted(number: float, noun: str) -> str:
    """Return a whole number with its noun in the singular or plural: 1 cell, 2 cells."""
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"
