"""Results of the statistics as rows of tables."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reprocore.vocabulary import join_codes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, Any]


def result_row(result: "DataclassInstance") -> Row:
    """Return the fields of a result that has `reasons`, with these as the text of `reason`."""
    row = asdict(result)
    reasons = row.pop("reasons")
    return {**row, "reason": join_codes(reasons)}
