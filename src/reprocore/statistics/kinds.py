"""From what a model puts out to probabilities, and what there is to know of the numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.statistics.checks import (
    TOLERANCE,
    TOLERANCES,
    Integers,
    as_array,
    check_probabilities,
    type_of,
)


def to_probabilities(
    outputs: Any,
    kind: OutputKind | str = OutputKind.PROBABILITIES,
    symbols: int | None = None,
    name: str = "outputs",
    first: int = 0,
    number_type: str | None = None,
) -> npt.NDArray[np.floating]:
    """Turn outputs of one model into checked probabilities [N, V].

    Args:
        outputs: [N, V], for labels [N]; an array, or a torch tensor of any type and device.
        kind: of `OutputKind`. Logits pass a softmax and logarithms an exp, in float64; a label
            gives its symbol probability 1.
        symbols: V, which labels alone do not tell; without it 1 more than the highest label.
        name: of the outputs, for messages.
        first: position of the first row, for messages.
        number_type: the type that the numbers had before they were read, if another.

    Returns:
        Probabilities as they are, or float64; in 0–1, rows sum to 1.

    Raises:
        ReprocoreError: not numbers of that kind; says where.

    Examples:
        >>> to_probabilities([[0.0, 0.0], [0.0, 2.0]], "logits").round(3)
        array([[0.5  , 0.5  ],
               [0.119, 0.881]])
        >>> to_probabilities([1, 0], "labels", symbols=3)
        array([[0., 1., 0.],
               [1., 0., 0.]])
    """
    number_type = number_type or type_of(outputs)
    a, kind = as_array(outputs), as_kind(kind)
    if kind == OutputKind.LABELS:
        return _one_hot(check_labels(a, name, first), symbols, name, first)
    tolerance = TOLERANCES.get(number_type, TOLERANCE)
    if kind == OutputKind.PROBABILITIES:
        try:
            check_probabilities(a, name, first, tolerance)
        except ReprocoreError as error:
            raise ReprocoreError(f"{error}{_hint(a)}") from None
        return a
    _check_exponents(a, kind, name, first)
    x = a.astype(np.float64)
    if kind == OutputKind.LOGITS:
        return np.asarray(softmax(x, axis=1))
    p = np.exp(x)
    check_probabilities(p, f"{name}, exp of log-probabilities", first, max(tolerance, 1e-3))
    return p


def as_kind(kind: OutputKind | str) -> OutputKind:
    """Return a kind by its name.

    Raises:
        ReprocoreError: there is none of that name.
    """
    try:
        return OutputKind(kind)
    except ValueError:
        raise ReprocoreError(f"kind: {kind!r}; allowed: {', '.join(OutputKind)}") from None


def check_labels(labels: npt.ArrayLike, name: str, first: int = 0) -> Integers:
    """Return labels as int64 [N].

    Raises:
        ReprocoreError: not one whole number of 0 or more per position.
    """
    a = np.asarray(labels)
    if a.dtype.kind not in "iu" or a.ndim != 1 or a.size == 0:
        raise ReprocoreError(
            f"{name}: {a.dtype} of shape {a.shape}, labels must be one whole number per position"
        )
    if a.min() < 0:
        row = int(a.argmin())
        raise ReprocoreError(f"{name}: label {a[row]} at position {first + row}, must be 0 or more")
    return a.astype(np.int64)


def _one_hot(
    labels: Integers, symbols: int | None, name: str, first: int
) -> npt.NDArray[np.floating]:
    symbols = int(labels.max()) + 1 if symbols is None else symbols
    if labels.max() >= symbols:
        row = int(labels.argmax())
        raise ReprocoreError(
            f"{name}: label {labels[row]} at position {first + row}, must be in 0 to {symbols - 1}"
        )
    p = np.zeros((len(labels), symbols))
    p[np.arange(len(labels)), labels] = 1.0
    return p


def _check_exponents(a: npt.NDArray[Any], kind: OutputKind, name: str, first: int) -> None:
    """Raise unless `a` is [N, V] of numbers that have an exp; −inf is allowed, not all of a row."""
    if a.dtype.kind not in "fiu" or a.ndim != 2 or a.shape[0] < 1 or a.shape[1] < 2:
        raise ReprocoreError(
            f"{name}: {a.dtype} of shape {a.shape}, must be real numbers [positions, symbols], "
            "at least 1 position and 2 symbols"
        )
    wrong = np.isnan(a) | np.isposinf(a)
    if wrong.any():
        row, column = np.unravel_index(int(wrong.argmax()), a.shape)
        raise ReprocoreError(
            f"{name}: {kind} {a[row, column]} at position {first + row}, symbol {column}, "
            "must be finite"
        )
    empty = np.isneginf(a).all(axis=1)
    if empty.any():
        raise ReprocoreError(
            f"{name}: {kind} at position {first + int(empty.argmax())} are all -inf: no symbol is "
            "left"
        )


def _hint(a: npt.NDArray[Any]) -> str:
    """Say which kind numbers may be that are no probabilities."""
    if a.dtype.kind == "i" and a.ndim == 1:
        return "; for labels say kind 'labels'"
    if a.dtype.kind != "f" or a.ndim != 2 or not np.isfinite(a).all() or a.min() >= 0:
        return ""
    logs = a.max() <= 0 and bool(
        np.allclose(np.exp(a.astype(np.float64)).sum(axis=1), 1, atol=0.01)
    )
    return f"; for {'log-probabilities' if logs else 'logits'} say so by the kind"
