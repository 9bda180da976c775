"""What a run says at its end: the finding in two sentences, and what has not run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reprocore.report.summary_text import over_all_models
from reprocore.store.schemas import CONTRASTS_SCHEMA, SUMMARY_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.study import Study
from reprocore.vocabulary import Family, Flag, split_codes

Row = dict[str, Any]


def finding(study: Study) -> list[str]:
    """Return what the tables of a study say: how far trainings disagree, and what that rests on.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign.
    """
    folder = Path(study.results)
    summary = [
        row
        for row in read_table(folder / "summary.parquet", SUMMARY_SCHEMA).to_pylist()
        if row["arm"] == study.primary_arm(row["model"])
    ]
    contrasts = [
        row
        for path in sorted(folder.glob("models/*/contrasts.parquet"))
        if path.parent.name in study.models
        for row in read_table(path, CONTRASTS_SCHEMA).to_pylist()
        if row["family"] == Family.REFERENCE and not row["exploratory"]
    ]
    return [*_level(summary), over_all_models(study, contrasts), *_not_run(summary)]


def _level(summary: Sequence[Row]) -> list[str]:
    rows = sorted((r for r in summary if r["churn"] is not None), key=lambda row: row["churn"])
    if not rows:
        return ["No two trainings can be compared yet."]
    low, high = (
        f"{row['churn']:.0%} ({row['model']} {row['activation']})" for row in (rows[0], rows[-1])
    )
    extent = low if len(rows) == 1 else f"{low} to {high}"
    return [
        f"Trained again with another seed, a model names another likeliest character at {extent} "
        "of the positions."
    ]


def _not_run(summary: Iterable[Row]) -> list[str]:
    missing: dict[str, list[str]] = {}
    for row in summary:
        if {Flag.NOT_RUN, Flag.MISSING_SEEDS} & set(split_codes(row["flags"], Flag)):
            seeds = f"{row['seeds']} of {row['seeds_wanted']} seeds"
            missing.setdefault(row["model"], []).append(f"{row['activation']} {seeds}")
    parts = [f"{model} ({', '.join(names)})" for model, names in missing.items()]
    return [f"Not all has run: {'; '.join(parts)}."] if parts else []
