"""The outcome of a claim as codes and numbers, and how the outcomes of its parts combine.

Nothing here is a sentence: `table` turns facts and figures into text at the very end.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reprocore.vocabulary import ClaimReason, ClaimVerdict

SUPPORTED, REFUTED, UNDECIDED, NOT_MEASURED = ClaimVerdict


class Fact(NamedTuple):
    """One reason, with the names and numbers that it is about."""

    reason: ClaimReason
    data: Mapping[str, Any]


class Figure(NamedTuple):
    """One figure that was looked at; `value` or `interval` may not exist, `p` is of its test.

    `level` is that of the interval, such as 0.95; None says that it is no interval over seeds.
    `adjusted`: the p allows for the other comparisons of the model.
    """

    label: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    unit: str = ""
    p: float | None = None
    level: float | None = None
    adjusted: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was concluded of a claim, or of one part of it.

    Attributes:
        verdict: of the claim or the part.
        facts: why, those that decide.
        figures: what the facts rest on.
        seeds_more: seeds to add for a decision, where they are known for an undecided claim.
        parts: how many comparisons or figures have which verdict; None is itself a single one.
        beside: parts that were looked at and decide nothing.
    """

    verdict: ClaimVerdict
    facts: tuple[Fact, ...] = ()
    figures: tuple[Figure, ...] = ()
    seeds_more: int | None = None
    beside: tuple["Outcome", ...] = ()
    parts: Counter[ClaimVerdict] | None = None

    @property
    def tally(self) -> Counter[ClaimVerdict]:
        """How many of the single comparisons or figures have which verdict."""
        return Counter([self.verdict]) if self.parts is None else self.parts

    def everything(self) -> Iterator["Outcome"]:
        """Yield this outcome and then all parts that decide nothing."""
        yield self
        for part in self.beside:
            yield from part.everything()


def outcome(
    verdict: ClaimVerdict,
    reason: ClaimReason,
    *figures: Figure,
    more: int | None = None,
    **data: Any,
) -> Outcome:
    """Return the outcome of one part, for one reason with its names and numbers."""
    return Outcome(verdict, (Fact(reason, data),), figures, more)


def all_of(parts: Sequence[Outcome]) -> Outcome:
    """Combine the parts of a claim that holds if all of them do."""
    return at_least(len(parts), parts)


def at_least(count: int, parts: Sequence[Outcome]) -> Outcome:
    """Combine the parts of a claim that holds if so many of them do.

    Supported once enough parts are, refuted once too few can be, not measured if no part was; in
    every other case undecided, with the seeds after which the parts that lack may be supported.
    """
    holding, failing, undecided, gaps = (
        [part for part in parts if part.verdict == verdict] for verdict in ClaimVerdict
    )
    if len(failing) > len(parts) - count:
        return _combined(REFUTED, failing, parts)
    if len(gaps) == len(parts):
        return _combined(NOT_MEASURED, gaps, parts)
    if len(holding) >= count:
        return _combined(SUPPORTED, holding, parts)
    if gaps:
        # Whoever reads only the first facts must see that something is missing.
        first = undecided[:1] or [outcome(UNDECIDED, ClaimReason.PARTLY_MEASURED)]
        return _combined(UNDECIDED, [*first, *gaps, *undecided[1:]], parts)
    # Not all need be decided: those that need fewest seeds, as many as lack.
    more = sorted(part.seeds_more for part in undecided if part.seeds_more is not None)
    lacking = count - len(holding)
    return _combined(
        UNDECIDED, undecided, parts, more[lacking - 1] if lacking <= len(more) else None
    )


def _combined(
    verdict: ClaimVerdict,
    deciding: Sequence[Outcome],
    parts: Sequence[Outcome],
    more: int | None = None,
) -> Outcome:
    chosen = set(map(id, deciding))
    beside = [other for part in deciding for other in part.beside]
    return Outcome(
        verdict,
        tuple(fact for part in deciding for fact in part.facts),
        tuple(figure for part in deciding for figure in part.figures),
        more,
        (*beside, *(part for part in parts if id(part) not in chosen)),
        sum((part.tally for part in parts), Counter()),
    )
