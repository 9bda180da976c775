"""The summary as files: tables, and a text that shows estimates and contrasts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from reprocore.analysis.per_model import RESOLVED
from reprocore.report.words import CONDITIONS, VERDICTS, flag_texts, reason_texts
from reprocore.store.files import atomic
from reprocore.store.schemas import CONTRASTS_SCHEMA, SENSITIVITY_SCHEMA
from reprocore.store.tables import read_table, write_table
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, SCORES, Condition, ContrastVerdict

SHOWN = ("relative_pd", "total_variation", "churn")

Row = Mapping[Any, Any]


def write_summary(
    study: Study,
    table: pa.Table,
    out: Mapping[str, str | Path],
    sensitivity: Sequence[Path] = (),
    contrasts: Sequence[Path] = (),
) -> None:
    """Write the summary as `parquet`, `csv` and `markdown`, each atomically.

    Args:
        study: for the measure that the text is about, and the confidence.
        table: from `summarise`.
        out: the path of each of the three.
        sensitivity: the models' sensitivity files, for the text.
        contrasts: the models' contrasts files, for the text.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign, or cannot be written.
    """
    write_table(out["parquet"], table)
    frame: pd.DataFrame = table.to_pandas()
    with atomic(out["csv"]) as temporary:
        frame.to_csv(temporary, index=False)
    text = summary_text(
        study,
        frame.to_dict("records"),
        [row for path in sensitivity for row in read_table(path, SENSITIVITY_SCHEMA).to_pylist()],
        [row for path in contrasts for row in read_table(path, CONTRASTS_SCHEMA).to_pylist()],
    )
    with atomic(out["markdown"]) as temporary:
        temporary.write_text(text, "utf-8")


def summary_text(
    study: Study, rows: Iterable[Row], sensitivity: Iterable[Row], contrasts: Iterable[Row]
) -> str:
    """Return `summary.md`.

    Args:
        study: for the drawn measure, the confidence and the margin.
        rows: of the summary table.
        sensitivity: rows of the models' sensitivity tables.
        contrasts: rows of the models' contrasts tables.
    """
    measure = study.figures.measure
    ranges = f"{study.statistics.confidence:.0%} intervals in brackets"
    sections = [
        f"# {study.title}",
        "## Estimates",
        _estimates(rows),
        f"At the last step, {ranges}: over seeds by t for loss and accuracy, by the jackknife over "
        "seeds for differences. A dash is a number that does not exist; nothing is filled in.",
    ]
    spread = [row for row in sensitivity if row["measure"] == measure]
    if spread:
        label = MEASURES[measure].label
        sections += [
            f"## How much does the activation change the {label}?",
            _sensitivity(spread),
            f"CV: standard deviation over mean across activations; corrected: less what seeds "
            f"alone would show, {ranges}. p: permutation test that all activations are alike. "
            "Seeds: how many would find a difference of that size between two activations with "
            "power 0.8.",
        ]
    tested = [row for row in contrasts if row["measure"] == measure]
    if tested:
        sections += [
            "## Which differences are real?",
            _contrasts(study, tested),
            f"Ratio of the {MEASURES[measure].label} of the first to that of the second, {ranges}. "
            "Verdicts are after Holm's adjustment within the model; `equivalent` means within "
            f"{study.statistics.margin:.0%}. Matched loss: where both predict equally well.",
        ]
    return "\n\n".join(sections) + "\n"


def _estimates(rows: Iterable[Row]) -> str:
    heads = ["model", "activation", "arm", "seeds", "loss (nats)", "accuracy", *SHOWN, "flags"]
    body = []
    for row in rows:
        labels = [row[name] for name in ("model", "activation", "arm")]
        seeds = f"{row['seeds']} of {row['seeds_wanted']}"
        numbers = [with_interval(row, name) for name in (*SCORES, *SHOWN)]
        body.append([*labels, seeds, *numbers, "; ".join(flag_texts(row))])
    return table(heads, body)


def _sensitivity(rows: Iterable[Row]) -> str:
    heads = ["model", "arm", "at", "CV (%)", "corrected (%)", "p"]
    heads += [*(f"seeds for {percent}%" for percent in RESOLVED), "note"]
    body = []
    for row in rows:
        spread = _bracketed(row["corrected"], row["low"], row["high"], 1)
        needed = [_whole(row[f"seeds_for_{percent}"]) for percent in RESOLVED]
        labels = [row["model"], row["arm"], CONDITIONS[Condition(row["condition"])]]
        tested = [_number(row["cv"], 1), spread, _number(row["p_omnibus"], 4)]
        body.append([*labels, *tested, *needed, "; ".join(reason_texts(row))])
    return table(heads, body)


def _contrasts(study: Study, rows: Sequence[Row]) -> str:
    """Contrasts with the reference, the final step beside the matched loss."""
    heads = ["model", "arm", "first", "second", "ratio", "verdict", "at matched loss", "verdict"]
    body = []
    names = ("model", "arm", "first", "second")
    matched = {
        tuple(row[n] for n in names): row
        for row in rows
        if row["condition"] == Condition.MATCHED_LOSS
    }
    for row in rows:
        if row["condition"] != Condition.FINAL or row["second"] != study.reference_of(row["model"]):
            continue
        key = tuple(row[name] for name in names)
        at_matched = matched.get(key)
        measured = _ratio(at_matched) if at_matched else ["–", "not measured"]
        body.append([*key, *_ratio(row), *measured])
    return table(heads, body)


def _ratio(row: Row) -> list[str]:
    reasons = reason_texts(row)
    ratio = _bracketed(row["ratio"], row["ratio_low"], row["ratio_high"], 3)
    verdict = VERDICTS[ContrastVerdict(row["verdict"])]
    return [ratio, f"{verdict} ({'; '.join(reasons)})" if reasons else verdict]


def with_interval(row: Row, name: str) -> str:
    """Return `estimate [low, high]` of a summary row, a dash for what is not there."""
    return _bracketed(row[name], row[f"{name}_low"], row[f"{name}_high"], 4)


def _bracketed(estimate: float | None, low: float | None, high: float | None, digits: int) -> str:
    if pd.isna(estimate):
        return "–"
    ends = "–" if pd.isna(low) else f"{low:.{digits}f}, {high:.{digits}f}"
    return f"{estimate:.{digits}f} [{ends}]"


def _number(value: float | None, digits: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def _whole(value: float | None) -> str:
    return "–" if pd.isna(value) else f"{value:.0f}"


def table(heads: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *body]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
