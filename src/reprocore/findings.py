"""What holding a claim against measurements found, and how findings are put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["supported", "refuted", "undecided", "not measured"]
VERDICTS: tuple[Verdict, ...] = ("supported", "refuted", "undecided", "not measured")
TOLD = 3


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim, or of one part of it.

    Attributes:
        verdict: `supported` and `refuted` rest on tests or intervals, never on estimates alone.
        measured: the figures that it rests on, one per line; "" for none.
        reason: why, one fact per line.
        seeds_more: seeds to add for a decision, where they are known for an undecided claim.
    """

    verdict: Verdict
    measured: str
    reason: str
    seeds_more: int | None = None


def not_measured(reason: str) -> Finding:
    """Return the finding that nothing was measured."""
    return Finding("not measured", "", reason)


def all_of(parts: Sequence[Finding]) -> Finding:
    """Judge a claim that holds if all its parts do.

    One refuted part refutes it, only all supported ones support it. If nothing was measured it is
    not measured; in every other case it is undecided.
    """
    groups = {verdict: [p for p in parts if p.verdict == verdict] for verdict in VERDICTS}
    if groups["refuted"]:
        return _joined("refuted", groups["refuted"])
    if len(groups["not measured"]) == len(parts):
        return _joined("not measured", parts)
    if len(groups["supported"]) == len(parts):
        return _joined("supported", parts)
    found = _joined("undecided", groups["undecided"] or groups["supported"])
    if groups["not measured"]:
        gaps = _lines(p.reason for p in groups["not measured"])
        if not groups["undecided"]:
            return replace(found, reason=_lines(["it is measured in part only", gaps]))
        # A reader who sees only the first facts must see that something is missing.
        first, *rest = found.reason.split("\n")
        return replace(found, reason=_lines([first, gaps, *rest]))
    more = [p.seeds_more for p in groups["undecided"]]
    known = [each for each in more if each is not None]
    return replace(found, seeds_more=max(known) if len(known) == len(more) else None)


def any_of(parts: Sequence[Finding]) -> Finding:
    """Judge a claim that holds if one of its parts does: `all_of` of their contraries."""
    return contrary(all_of([contrary(part) for part in parts]))


def contrary(finding: Finding) -> Finding:
    """Return the finding of the contrary claim: supported and refuted change places."""
    swapped: dict[str, Verdict] = {"supported": "refuted", "refuted": "supported"}
    return replace(finding, verdict=swapped.get(finding.verdict, finding.verdict))


def told(facts: str) -> str:
    """Put the first facts, one per line, into one line, and say how many more there are."""
    lines = facts.split("\n")
    rest = len(lines) - TOLD
    return "; ".join(lines[:TOLD]) + (f"; and {rest} more" if rest > 0 else "")


def _lines(facts: Iterable[str]) -> str:
    """Return different facts, one per line."""
    lines = [line for fact in facts for line in fact.split("\n") if line]
    return "\n".join(dict.fromkeys(lines))


def _joined(verdict: Verdict, parts: Sequence[Finding]) -> Finding:
    return Finding(verdict, _lines(p.measured for p in parts), _lines(p.reason for p in parts))
