"""Columns of tables: with meaning, unit, and whether a value can be missing."""

from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa

INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()
_BETWEEN_CODES = ", "
NATS, CHARACTERS, POSITIONS = "nats per character", "share of characters", "share of positions"


def column(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    """Return a column in which no value is missing."""
    metadata = {"meaning": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, nullable=False, metadata=metadata)


def nullable(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    """Return a column in which a value can be missing."""
    return column(name, kind, meaning, unit).with_nullable(True)


def codes(name: str, allowed: Iterable[StrEnum], meaning: str) -> pa.Field:
    """Return a column of codes of a vocabulary's enum; no code is the empty text.

    Where there can be several, `join_codes` made the text and `split_codes` reads it.
    """
    metadata = {"meaning": meaning, "codes": _BETWEEN_CODES.join(allowed)}
    return pa.field(name, TEXT, nullable=False, metadata=metadata)


def codes_of(schema: pa.Schema, column: str) -> frozenset[str]:
    """Return the codes that a column can hold; empty for a column that holds none."""
    metadata = schema.field(column).metadata or {}
    return frozenset(filter(None, metadata.get(b"codes", b"").decode().split(_BETWEEN_CODES)))


def interval(of: str) -> list[pa.Field]:
    """Return the columns of the two ends of an interval, which can be missing."""
    return [
        nullable("low", FLOAT, f"lower end of the interval of {of}"),
        nullable("high", FLOAT, f"upper end of the interval of {of}"),
    ]


STEP = column("step", INT, "optimiser steps done")
ITERATION = column("iteration", INT, "optimiser steps done")
TRAIN_LOSS = nullable("train_loss", FLOAT, "mean over the batches since the last row", NATS)
VAL_LOSS = column("val_loss", FLOAT, "on the evaluation windows", NATS)
VAL_ACCURACY = column("val_accuracy", FLOAT, "likeliest character is right", CHARACTERS)
SPEED = nullable(
    "tokens_per_second", FLOAT, "in training since the last row", "characters per second"
)
