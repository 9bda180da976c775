"""The audit as a table and as Markdown: the only place where its facts become words."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from reprocore.report.audit import primitives, printed, spreads
from reprocore.report.audit.claims import TIME, Between, Claim
from reprocore.report.audit.evidence import Evidence, Tables
from reprocore.report.audit.outcome import (
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Fact,
    Figure,
    Outcome,
)
from reprocore.report.markdown import table
from reprocore.report.words import CLAIM_VERDICTS, p_text, reason_texts
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.store.files import atomic
from reprocore.store.schemas import AUDIT_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.study import Study
from reprocore.vocabulary import ClaimReason, ClaimVerdict, counted

SHOWN = 3

_PAIR = "{model}: {measure} of {first} and {second}: "
WORDS = {
    ClaimReason.BETTER: _PAIR + "the first is better{small}",
    ClaimReason.WORSE: _PAIR + "the first is worse{small}",
    ClaimReason.EQUIVALENT: _PAIR + "equivalent within {margin:.0%}{of}",
    ClaimReason.NOT_SEPARATED: _PAIR + "not separated {why}",
    ClaimReason.NOT_CLEAR_OVER_MODELS: _PAIR
    + "different, but not clearly enough for {families} models and measures",
    ClaimReason.INSIDE: "{label}: the whole interval is {bounds}",
    ClaimReason.OUTSIDE: "{label}: no part of the interval is {bounds}",
    ClaimReason.ACROSS: "{label}: the interval is partly {bounds}",
    ClaimReason.FEW_SEEDS: f"{{label}}: {{seeds}} seeds, an interval needs {LEAST_SEEDS}",
    ClaimReason.NO_INTERVAL: "{label}: no interval {why}",
    ClaimReason.NO_VARIATION: "{label}: nothing varies from seed to seed, so no error can be "
    "estimated",
    ClaimReason.NOT_POSITIVE: "{label}: not clearly above 0, so that the ratio is open",
    ClaimReason.OTHER_MACHINE: "{label}: the two ran on different machines",
    ClaimReason.NOT_TIMED: "{label}: the trainings shared their machine with other work",
    ClaimReason.OMNIBUS_UNDECIDED: "{label}: the omnibus test does not separate the activations",
    ClaimReason.MORE_SENSITIVE: "{first} is more sensitive than {second}",
    ClaimReason.LESS_SENSITIVE: "{first} is less sensitive than {second}",
    ClaimReason.CVS_OVERLAP: "the intervals of the CVs of {first} and {second} overlap",
    ClaimReason.SIZES_ALIKE: "no two models of different size were measured",
    ClaimReason.NOT_IN_STUDY: "{model} is not in the study",
    ClaimReason.NOT_RUN: "{model} has not run",
    ClaimReason.NOT_THERE: "{label}: not measured",
    ClaimReason.PARTLY_MEASURED: "measured only in part",
    ClaimReason.WITHHELD: "would be {verdict}, but not all cells have learned",
    ClaimReason.ABOVE_UNIGRAM: "{behind} of {cells} cells of {model} are not below the unigram "
    "entropy",
    ClaimReason.PRINTED_GIVE: "the printed figures allow {claim}",
    ClaimReason.PRINTED_DO_NOT_GIVE: "the printed figures do not allow {claim}",
}

JUDGES: dict[str, Callable[..., Outcome]] = {
    "contrast": primitives.judge_contrast,
    "between": primitives.judge_between,
    "level": primitives.judge_level,
    "spread": spreads.judge_spread,
    "printed_percent": printed.judge_percent,
    "printed_times": printed.judge_times,
    "printed_cv": printed.judge_cv,
    "printed_disagreement": printed.judge_disagreement,
}


def judge(claim: Claim, evidence: Evidence) -> Outcome:
    """Judge one claim.

    A verdict on models of which a cell has not beaten the unigram entropy is withheld: what such
    a model predicts says nothing of an activation. How long it takes is another matter.
    """
    test = claim.test
    outcome = JUDGES[test.kind](test, *([evidence] if test.about else []))
    of_time = isinstance(test, Between) and test.measures == (TIME,)
    behind = () if of_time else tuple(_behind(test.about, evidence))
    if not behind or outcome.verdict not in (SUPPORTED, REFUTED):
        return outcome
    withheld = Fact(ClaimReason.WITHHELD, {"verdict": outcome.verdict})
    return replace(outcome, verdict=UNDECIDED, facts=(withheld, *behind, *outcome.facts))


def _behind(models: Sequence[str], evidence: Evidence) -> list[Fact]:
    facts = []
    for model in models:
        cells = evidence.models.get(model, Tables()).cells
        behind = sum(not row["beats_unigram"] for row in cells)
        if behind:
            data = {"behind": behind, "cells": len(cells), "model": model}
            facts.append(Fact(ClaimReason.ABOVE_UNIGRAM, data))
    return facts


def audit_table(claims: Sequence[Claim], evidence: Evidence) -> pa.Table:
    """Judge every claim; returns a table of `AUDIT_SCHEMA` in their order."""
    rows = []
    for claim in claims:
        outcome = judge(claim, evidence)
        # Parts may share a fact, such as that a model has not run.
        facts = {fact_text(fact): fact.reason for fact in outcome.facts}
        beside = [line for part in outcome.everything() for line in _lines(part)]
        rows.append(
            {
                "id": claim.id,
                "claim": claim.text,
                "source": claim.source,
                "reported": claim.reported,
                "kind": claim.test.kind,
                "measured": "\n".join(dict.fromkeys(map(figure_text, outcome.figures))),
                "verdict": outcome.verdict.value,
                "reason": "\n".join(facts),
                "codes": "\n".join(facts.values()),
                "beside": "\n".join(dict.fromkeys(beside[len(_lines(outcome)) :])),
                "seeds_more": outcome.seeds_more,
                "printed": claim.test.kind.startswith("printed"),
                **{f"parts_{code}": outcome.tally[code] for code in ClaimVerdict},
            }
        )
    return pa.Table.from_pylist(rows, schema=AUDIT_SCHEMA)


def _lines(part: Outcome) -> list[str]:
    return [*map(figure_text, part.figures), *map(fact_text, part.facts)]


def fact_text(fact: Fact) -> str:
    """Write a fact for people, in one line."""
    data = dict(fact.data)
    if "bounds" in data:
        data["bounds"] = bounds_text(*data["bounds"])
    if "row" in data:
        reasons = reason_texts(data["row"]) if data["row"] else []
        data["why"] = f"({'; '.join(reasons)})" if reasons else ""
    if "less_than" in data:
        size = data["less_than"]
        data["small"] = "" if size is None else f", by less than {size:.0%}{data['of']}"
    if "verdict" in data:
        data["verdict"] = CLAIM_VERDICTS[data["verdict"]]
    return " ".join(WORDS[fact.reason].format(**data).split())


def bounds_text(low: float | None, high: float | None) -> str:
    """Write bounds for people."""
    if low is None:
        return f"at most {high:.4g}"
    if high is None:
        return f"at least {low:.4g}"
    return f"within {low:.4g} to {high:.4g}"


def figure_text(figure: Figure) -> str:
    """Write a figure for people, in one line."""
    text, ends = figure.label, figure.interval
    if figure.value is not None:
        text += f" {figure.value:.4g}{figure.unit}"
        text += "" if ends is None else f" [{ends[0]:.4g}, {ends[1]:.4g}]"
    elif ends is not None:
        low, high = (f"{end:.4g}" for end in ends)
        text += f" {low}{f' to {high}' * (low != high)}{figure.unit}"
    if ends is not None and figure.level is not None:
        text += f" ({100 * figure.level:.4g}% interval)"
    if figure.p is None:
        return text
    return f"{text}, {'adjusted ' * figure.adjusted}p {p_text(figure.p)}"


def write_audit(audit: pa.Table, study: Study, out: Mapping[str, str | Path]) -> None:
    """Write the audit as `parquet` and as `markdown`, each atomically."""
    write_table(out["parquet"], audit)
    with atomic(out["markdown"]) as temporary:
        temporary.write_text(audit_text(study, audit.to_pylist()), "utf-8")


def audit_text(study: Study, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the audit for people, in Markdown; of many facts only the first are shown.

    Args:
        study: for its title and its confidence.
        rows: of `AUDIT_SCHEMA`.
    """
    heads = ("claim", "reported", "measured here", "verdict", "why")
    body = []
    for row in rows:
        verdict = f"**{CLAIM_VERDICTS[ClaimVerdict(row['verdict'])]}**"
        verdict += "".join(f" ({note})" for note in verdict_notes(row))
        texts = (shortened(row["measured"]), verdict, shortened(row["reason"]))
        cells = (f"{row['claim']} ({row['source']})", row["reported"], *texts)
        body.append([cell or "–" for cell in cells])
    lines = [
        f"# Published claims compared with the study “{study.title}”",
        "",
        claim_counts(rows),
        "",
        table(heads, body),
        "",
        "Supported or refuted only where tests or intervals say so (of a level for new seeds and "
        "new text, of a comparison for new seeds on the same text), at "
        f"{study.statistics.confidence:.0%} confidence for a claim as a whole, but orders of CVs "
        "pair by pair, not adjusted for their number; each interval names its own level. An "
        "estimate alone decides nothing. Undecided is no evidence for or against. Not measured is "
        "what this study has not run; nothing is filled in. Claims about printed figures are "
        "judged by those figures "
        f"alone. This study has its own models and settings; a verdict holds for them. At most "
        f"{SHOWN} figures and facts are shown of each claim; `audit.parquet` holds all.",
        "",
    ]
    return "\n".join(lines)


def claim_counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many claims have which verdict: on trainings, and on printed figures alone."""
    kinds = {False: "on trainings", True: "that printed figures alone decide"}
    found = []
    for printed_alone, words in kinds.items():
        own = [row for row in rows if row["printed"] is printed_alone]
        counts = Counter(row["verdict"] for row in own)
        parts = ", ".join(f"{counts[code]} {said}" for code, said in CLAIM_VERDICTS.items())
        if own:
            found.append(f"{counted(len(own), 'claim')} {words}: {parts}.")
    return " ".join(found)


def verdict_notes(row: Mapping[str, Any]) -> list[str]:
    """Say of a verdict what becomes of the claim's parts, if it has several, and what it lacks."""
    counts = {code: row[f"parts_{code}"] for code in CLAIM_VERDICTS}
    total, more = sum(counts.values()), row["seeds_more"]
    parts = ", ".join(f"{count} {CLAIM_VERDICTS[code]}" for code, count in counts.items() if count)
    notes = [f"{total} parts: {parts}"] if total > 1 else []
    return notes if more is None else [*notes, f"takes about {counted(more, 'more seed')}"]


def shortened(text: str) -> str:
    """Return the first lines of a text in one line, and how many more the table has."""
    lines = text.split("\n")
    rest = len(lines) - SHOWN
    more = f"; {rest} more in audit.parquet" if rest > 0 else ""
    return "; ".join(lines[:SHOWN]) + more
