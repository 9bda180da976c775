"""The page of predictions of one's own: what `reprocore compare` finds, as far as it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from reprocore.report.page.charts import specifications
from reprocore.report.page.payload import measure_words, packed
from reprocore.report.page.tables import QUANTITIES, Row, finite, heading, with_interval
from reprocore.report.page.write import write_html
from reprocore.report.words import reason_texts
from reprocore.vocabulary import counted, join_codes


class Found(Protocol):
    """An estimate with its interval, as the statistics give it."""

    @property
    def estimate(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def reasons(self) -> tuple[Any, ...]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models of one's own, compared.

    Attributes:
        title: for the heading; any text.
        names: of the M models.
        pairs: indices of models, [P, 2].
        values: each measure's value for each pair, [P].
        estimates: each measure's mean over pairs, with its interval if there is one.
        confidence: of the intervals.
        holds: what the intervals hold for, in words such as `for new models on the same text`.
        sentences: of the caller's, such as what was tested and found; shown as the answer.
        facts: names and values that say where the predictions come from.
    """

    title: str
    names: Sequence[str]
    pairs: npt.NDArray[np.int64]
    values: Mapping[str, npt.NDArray[np.float64]]
    estimates: Mapping[str, Found]
    confidence: float
    holds: str
    sentences: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)


def write_own_page(found: Comparison, out: str | Path) -> None:
    """Write the page of a comparison, atomically.

    Raises:
        ReprocoreError: the file cannot be written.
    """
    drawn = "relative_pd" if "relative_pd" in found.values else next(iter(found.values))
    view = {
        "title": found.title,
        "lead": _lead(found),
        "answer": list(found.sentences),
        "confidence": f"{100 * found.confidence:.6g}%",
        "holds": found.holds,
        "measures": {name: heading(QUANTITIES[name]) for name in found.values},
        "drawn": drawn,
        "levels": [
            _level(name, level, len(found.names)) for name, level in found.estimates.items()
        ],
        "names": list(found.names),
        "facts": list(found.facts),
    }
    write_html(out, "own.html", view, _payload(found, drawn), ("own.js",))


def _lead(found: Comparison) -> str:
    models = counted(len(found.names), "model")
    if "churn" not in found.estimates:
        return f"{models} were compared, pair by pair."
    churn = found.estimates["churn"]
    ends = (None if end is None else 100 * end for end in (churn.estimate, churn.low, churn.high))
    number, bracket, rest = with_interval(*ends).partition(" ")
    return (
        f"Two of these {models} name another likeliest outcome at {number}%{bracket}{rest} of the "
        "positions, on average over pairs."
    )


def _level(name: str, level: Found, models: int) -> Row:
    row = {"seeds": models, "reason": join_codes(level.reasons)}
    return {
        "measure": heading(QUANTITIES[name]),
        "text": with_interval(level.estimate, level.low, level.high),
        "estimate": finite(level.estimate),
        "note": "; ".join(reason_texts(row)),
    }


def _payload(found: Comparison, drawn: str) -> Row:
    rows = [
        {"one": found.names[a], "other": found.names[b]}
        | {name: finite(float(values[index])) for name, values in found.values.items()}
        for index, (a, b) in enumerate(found.pairs.tolist())
    ]
    return {
        "measures": {name: measure_words(QUANTITIES[name]) for name in found.values},
        "drawn": drawn,
        "specifications": {"heat": specifications([])["heat"]},
        "pairs": packed(rows),
    }
