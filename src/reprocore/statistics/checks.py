"""Checks of arrays that measures and files share: distributions, targets, equal shapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


# By how much a row's sum may differ from 1; bfloat16 has 8 bits, float16 has 11.
TOLERANCES = {"bfloat16": 8e-3, "float16": 1e-3}
TOLERANCE = 1e-4


def as_array(values: Any) -> npt.NDArray[Any]:
    """Return an array, or a torch tensor of any device and type, as a numpy array.

    bfloat16, which numpy does not have, becomes float32; gradients are left behind.

    Examples:
        >>> as_array([0.25, 0.75])
        array([0.25, 0.75])
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        narrow = type_of(values) == "bfloat16" or type_of(values).startswith("float8")
        values = (values.float() if narrow else values).numpy()
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def type_of(values: Any) -> str:
    """Return the name of the type of an array's numbers, such as `float32` or `bfloat16`."""
    return str(getattr(values, "dtype", None) or np.asarray(values).dtype).removeprefix("torch.")


def tolerance_of(values: Any) -> float:
    """Return by how much the sum of a row of these probabilities may differ from 1."""
    first = values[0] if isinstance(values, list | tuple) and values else values
    return TOLERANCES.get(type_of(first), TOLERANCE)


def check_probabilities(
    p: npt.ArrayLike, name: str, first: int = 0, tolerance: float | None = None
) -> None:
    """Raise unless `p` is [N ≥ 1, V ≥ 2], finite, ≥ 0, with rows that sum to 1.

    Args:
        p: probabilities.
        name: of them, for the message.
        first: position of the first row, for the message.
        tolerance: by how much a row's sum may differ from 1; None is 1e-3 for float16 and 1e-4
            otherwise.

    Raises:
        ReprocoreError: names `name`, the position (row) and the symbol (column) at fault.
    """
    a = np.asarray(p)
    if a.dtype.kind not in "fiu":
        raise ReprocoreError(f"{name}: type {a.dtype}, must be real numbers")
    if a.ndim != 2:
        raise ReprocoreError(f"{name}: shape {a.shape}, must be 2-D [positions, symbols]")
    if a.shape[0] == 0:
        raise ReprocoreError(f"{name}: no positions, needs at least 1")
    if a.shape[1] < 2:
        raise ReprocoreError(f"{name}: symbols: {a.shape[1]}, needs at least 2")
    if not (a.min() >= 0 and np.isfinite(a.max())):
        for fault, allowed in ((~np.isfinite(a), "finite"), (a < 0, "0 or more")):
            if fault.any():
                row, column = np.unravel_index(int(fault.argmax()), a.shape)
                value = f"{a[row, column]} at position {first + row}, symbol {column}"
                raise ReprocoreError(f"{name}: probability {value}, must be {allowed}")
    tolerance = tolerance or tolerance_of(a)
    totals = a.sum(axis=1, dtype=np.float64)
    worst = int(np.abs(totals - 1.0).argmax())
    if abs(totals[worst] - 1.0) > tolerance:
        raise ReprocoreError(
            f"{name}: probabilities at position {first + worst} sum to {totals[worst]:.6g}, "
            f"must be 1 within {tolerance:g}"
        )


def stacked(probabilities: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the predictions of M models as an array [M, N, V].

    Raises:
        ReprocoreError: they are not 3-D, or have no position or symbol.
    """
    try:
        if isinstance(probabilities, list | tuple) and probabilities:
            stack = np.stack([as_array(model) for model in probabilities])
        else:
            stack = as_array(probabilities)
    except ValueError:
        raise ReprocoreError("probabilities: all models must have one shape") from None
    if stack.ndim != 3 or 0 in stack.shape[1:]:
        raise ReprocoreError(
            f"probabilities: shape {stack.shape}, must be [models, positions, symbols]"
        )
    return stack


def check_targets(
    targets: npt.ArrayLike, positions: int, symbols: int, name: str = "targets"
) -> Integers:
    """Return `targets` as int64 [positions] after checking that all are in 0 … symbols−1.

    Raises:
        ReprocoreError: wrong shape, not integers, or a symbol out of range.
    """
    ids = np.asarray(targets)
    if ids.dtype.kind not in "iu" or ids.shape != (positions,):
        raise ReprocoreError(
            f"{name}: {ids.dtype} of shape {ids.shape}, must be {positions} integers"
        )
    outside = (ids < 0) | (ids >= symbols)
    if outside.any():
        row = int(outside.argmax())
        raise ReprocoreError(
            f"{name}: symbol {ids[row]} at position {row}, must be in 0 to {symbols - 1}"
        )
    return ids.astype(np.int64)


def check_block(block: int, positions: int) -> None:
    """Raise unless positions can be cut into blocks of so many.

    Raises:
        ReprocoreError: `block` is below 1, or does not divide `positions`.
    """
    if block < 1 or positions % block:
        raise ReprocoreError(f"block: {block}, must divide the {positions} positions")


def check_comparable(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    targets: Sequence[npt.ArrayLike | None] | None = None,
    probe_hashes: Sequence[str | None] | None = None,
) -> None:
    """Raise unless all predictions are of the same probe, as far as what is given can tell.

    Arguments run in parallel; None, whole or for one entry, means unknown and is not compared.

    Raises:
        ReprocoreError: names the first entry that differs and the one it differs from.
    """
    ids = None if targets is None else [None if t is None else np.asarray(t) for t in targets]
    comparisons: tuple[tuple[str, Sequence[Any] | None], ...] = (
        ("probe", probe_hashes),
        ("shape", shapes),
        ("targets", ids),
    )
    for what, values in comparisons:
        if values is None:
            continue
        known = [(n, v) for n, v in zip(names, values, strict=True) if v is not None]
        for name, value in known[1:]:
            first, expected = known[0]
            if not np.array_equal(value, expected):
                fault = f"{what} {value}, but {first} has {expected}"
                if what == "targets":
                    fault = f"targets differ from those of {first}"
                raise ReprocoreError(f"{name}: {fault}; all must be of one probe")
