"""The audit: published claims held against the measurements of a study."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from reprocore import claims as kinds
from reprocore import judge_contrasts, judge_levels, printed
from reprocore.claims import Claim
from reprocore.evidence import ARM, Evidence, Tables
from reprocore.findings import VERDICTS, Finding, told
from reprocore.store.files import atomic
from reprocore.store.schemas import (
    CELLS_SCHEMA,
    CONTRASTS_SCHEMA,
    CURVES_SCHEMA,
    ESTIMATES_SCHEMA,
    SENSITIVITY_SCHEMA,
)
from reprocore.store.tables import read_table, write_table
from reprocore.study.study import Study

AUDIT_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable, {"meaning": meaning})
        for name, kind, nullable, meaning in (
            ("id", pa.string(), False, "name of the claim"),
            ("claim", pa.string(), False, "what was claimed"),
            ("source", pa.string(), False, "where in the published report"),
            ("reported", pa.string(), False, "the figures as published"),
            ("kind", pa.string(), False, "the kind of test"),
            ("measured", pa.string(), False, "figures that decide, with intervals; may be empty"),
            ("verdict", pa.string(), False, ", ".join(VERDICTS)),
            ("reason", pa.string(), False, "why, in words"),
            ("seeds_more", pa.int64(), True, "seeds to add for a decision; null: not known"),
        )
    ]
)

_FILES = {
    "estimates": ("summary", ESTIMATES_SCHEMA),
    "contrasts": ("contrasts", CONTRASTS_SCHEMA),
    "sensitivity": ("sensitivity", SENSITIVITY_SCHEMA),
    "cells": ("cells", CELLS_SCHEMA),
    "curves": ("curves", CURVES_SCHEMA),
}
# Kinds that ask nothing of how well a model has learned.
_ANY_LOSS = (kinds.Cost,)


def read_evidence(study: Study, folders: Mapping[str, str | Path]) -> Evidence:
    """Read the tables of the models that ran.

    Args:
        study: what was to run.
        folders: by model, the folder of its tables.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign.
    """
    models = {}
    for model, folder in folders.items():
        rows = {
            name: [
                row
                for row in read_table(Path(folder) / f"{file}.parquet", schema).to_pylist()
                if row["arm"] == ARM
            ]
            for name, (file, schema) in _FILES.items()
        }
        models[model] = Tables(**rows)
    return Evidence(study, models)


def audit(claims: Sequence[Claim], evidence: Evidence) -> pa.Table:
    """Judge every claim; returns a table of `AUDIT_SCHEMA` in their order."""
    rows = []
    for claim in claims:
        finding = judge(claim, evidence)
        rows.append(
            {
                "id": claim.id,
                "claim": claim.text,
                "source": claim.source,
                "reported": claim.reported,
                "kind": claim.test.kind,
                "measured": told(finding.measured),
                "verdict": finding.verdict,
                "reason": told(finding.reason),
                "seeds_more": finding.seeds_more,
            }
        )
    return pa.Table.from_pylist(rows, schema=AUDIT_SCHEMA)


def judge(claim: Claim, evidence: Evidence) -> Finding:
    """Judge one claim.

    A verdict on models of which a cell has not beaten the unigram entropy is held back: what
    such a model predicts says nothing of an activation.
    """
    test = claim.test
    finding = _judged(test, evidence)
    if finding.verdict not in ("supported", "refuted") or isinstance(test, _ANY_LOSS):
        return finding
    flagged = " and ".join(filter(None, (_behind(model, evidence) for model in test.about)))
    if not flagged:
        return finding
    reason = f"would be {finding.verdict}, but {flagged}"
    return replace(finding, verdict="undecided", reason=reason)


def _judged(test: kinds.AnyTest, evidence: Evidence) -> Finding:
    match test:
        case kinds.Order():
            return judge_contrasts.order(test, evidence)
        case kinds.Magnitude():
            return judge_contrasts.magnitude(test, evidence)
        case kinds.Worst():
            return judge_contrasts.worst(test, evidence)
        case kinds.NeverWorst():
            return judge_contrasts.never_worst(test, evidence)
        case kinds.Top():
            return judge_contrasts.top(test, evidence)
        case kinds.Equal():
            return judge_contrasts.equal(test, evidence)
        case kinds.NoTradeOff():
            return judge_contrasts.no_trade_off(test, evidence)
        case kinds.Invariant():
            return judge_levels.invariant(test, evidence)
        case kinds.Level():
            return judge_levels.level(test, evidence)
        case kinds.Ranking():
            return judge_levels.ranking(test, evidence)
        case kinds.Trend():
            return judge_levels.trend(test, evidence)
        case kinds.ModelRatio():
            return judge_levels.model_ratio(test, evidence)
        case kinds.MeasureRatio():
            return judge_levels.measure_ratio(test, evidence)
        case kinds.Cost():
            return judge_levels.cost(test, evidence)
        case kinds.PrintedPercent():
            return printed.printed_percent(test)
        case kinds.PrintedTimes():
            return printed.printed_times(test)
        case kinds.PrintedCV():
            return printed.printed_cv(test)
        case kinds.PrintedDisagreement():
            return printed.printed_disagreement(test)


def _behind(model: str, evidence: Evidence) -> str:
    cells = evidence.models.get(model, Tables()).cells
    behind = sum(not row["beats_unigram"] for row in cells)
    return f"{behind} of {len(cells)} cells of {model} are not below the unigram entropy" * (
        behind > 0
    )


def write_audit(table: pa.Table, study: Study, folder: Path) -> None:
    """Write `audit.parquet` and `audit.md` into `folder`, each atomically."""
    write_table(folder / "audit.parquet", table)
    with atomic(folder / "audit.md") as temporary:
        temporary.write_text(audit_text(study, table.to_pylist()), "utf-8")


def verdict_text(row: Mapping[str, Any]) -> str:
    """Write a verdict, with the seeds that an undecided claim would need."""
    more = row["seeds_more"]
    if row["verdict"] != "undecided" or more is None:
        return str(row["verdict"])
    return f"undecided (needs {more} more seed{'s' * (more != 1)})"


def audit_text(study: Study, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the audit for people, in Markdown."""
    counts = Counter(row["verdict"] for row in rows)
    heads = ("claim", "reported", "measured here", "verdict", "why")
    lines = [
        f"# Published claims against the study “{study.title}”",
        "",
        f"{len(rows)} claims: " + ", ".join(f"{counts[name]} {name}" for name in VERDICTS) + ".",
        "",
        _line(heads),
        _line(["---"] * len(heads)),
    ]
    for row in rows:
        claim = f"{row['claim']} ({row['source']})"
        kept = (claim, row["reported"], row["measured"], f"**{verdict_text(row)}**", row["reason"])
        lines.append(_line(kept))
    confidence = study.statistics.confidence
    lines += [
        "",
        f"Supported or refuted only where tests or {confidence:.0%} intervals over seeds say so: "
        "an estimate alone decides nothing. Undecided is no finding for or against. "
        "Not measured is what this study has not run; nothing is filled in. Claims whose figures "
        "are recomputed from print are judged by those figures alone. This study has its own "
        "models and settings; an outcome holds for them.",
        "",
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    kept = (cell.replace("|", "\\|").replace("\n", " ") or "–" for cell in cells)
    return f"| {' | '.join(kept)} |"
