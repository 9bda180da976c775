"""Names that every part of the project shares: measures, activations, families, conditions."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

LN2 = math.log(2.0)


@dataclass(frozen=True)
class Measure:
    """What tables and figures need to know of a measure.

    `name` is the column and the function of `reprocore.statistics.divergence`, `label` is for axes
    and headings,
    `unit` is "" for a pure number, and values lie in `lower` … `upper`. With `more_is_closer` a
    larger value means more alike predictions.
    """

    name: str
    label: str
    unit: str
    lower: float
    upper: float
    more_is_closer: bool = False


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
SCORES = ("val_loss", "val_accuracy")
QUANTITIES = (*SCORES, *MEASURES)


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
        "swiglu": BuiltIn("SwiGLU", "torch.nn.functional:silu", gated=True),
        "geglu": BuiltIn("GEGLU", "torch.nn.functional:gelu", gated=True),
        "reglu": BuiltIn("ReGLU", "torch.nn.functional:relu", gated=True),
    }
)
PLAIN_ACTIVATIONS = tuple(name for name, known in ACTIVATIONS.items() if not known.gated)
GATED_ACTIVATIONS = tuple(name for name, known in ACTIVATIONS.items() if known.gated)


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
    "lstm": "reprocore.training.models.lstm:LstmLM",
}


CORPUS_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


FINAL, MATCHED = "final", "matched loss"


STREAMS = ("init", "order", "dropout")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural: 1 cell, 2 cells."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
