"""The summary as files: tables, and a text that shows estimates and contrasts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from reprocore.analysis.per_model import RESOLVED
from reprocore.report.markdown import table
from reprocore.report.words import (
    CONDITIONS,
    EXPLORATORY,
    HOLDS_FOR,
    PLACES,
    VERDICTS,
    flag_texts,
    p_text,
    place_text,
    reason_texts,
)
from reprocore.statistics.tests_over_seeds import MOST_SEEDS, holm_over_groups
from reprocore.store.files import atomic
from reprocore.store.schemas import CONTRASTS_SCHEMA, SENSITIVITY_SCHEMA
from reprocore.store.tables import read_table, write_table
from reprocore.study.study import Study
from reprocore.vocabulary import (
    COMPLEMENTS,
    MEASURES,
    SCORES,
    Condition,
    ContrastVerdict,
    Family,
    Generalisation,
    counted,
)

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
        study: for the drawn measure and the settings of the statistics.
        rows: of the summary table.
        sensitivity: rows of the models' sensitivity tables.
        contrasts: rows of the models' contrasts tables.
    """
    measure = study.drawn_measure
    ranges = f"{study.statistics.confidence:.0%} intervals in brackets"
    sections = [
        f"# {study.title}",
        "## Estimates",
        _estimates(rows),
        f"At the last step, {ranges}, {HOLDS_FOR[Generalisation.SEEDS_AND_TEXT]}. A dash is a "
        "number that does not exist; nothing is filled in.",
    ]
    spread = [row for row in sensitivity if row["measure"] == measure]
    if spread:
        label = MEASURES[measure].label
        sections += [
            f"## How much does the activation change the {label}?",
            _sensitivity(spread),
            f"CV: standard deviation over mean across activations; corrected: less what seeds "
            f"alone would show, {ranges}. p: that all activations are alike, by an F test over "
            "seeds (Greenhouse–Geisser). "
            "Seeds: with how many one activation that differs so much from the reference is found "
            "with power 0.8 by the closed test, for the declared measure and condition alone; in "
            "brackets for errors as small and as large as these seeds leave possible.",
        ]
    compared = [row for row in contrasts if row["family"] == Family.REFERENCE]
    tested = [row for row in compared if row["measure"] == measure]
    if tested:
        margin = study.statistics.margins[measure]
        of = ", as a ratio of 1 less the values" if measure in COMPLEMENTS else ""
        within = f"`equivalent` means within {margin:.0%}{of}. " if margin else ""
        sections += [
            "## Which differences are real?",
            over_all_models(study, [row for row in compared if not row["exploratory"]]),
            _contrasts(study, tested),
            f"Ratio of the {MEASURES[measure].label} of the first to that of the second, {ranges}, "
            "each that of one contrast alone. p and verdicts are adjusted for all contrasts of the "
            f"model with the reference (closed test). {within}Matched loss: where both predict "
            "equally well.",
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
        needed = [_seeds(row, percent) for percent in RESOLVED]
        labels = [row["model"], row["arm"], CONDITIONS[Condition(row["condition"])]]
        tested = [_number(row["cv"], 1), spread, p_text(row["p_omnibus"])]
        body.append([*labels, *tested, *needed, "; ".join(reason_texts(row))])
    return table(heads, body)


def over_all_models(study: Study, declared: Sequence[Row]) -> str:
    """Return what can be said of all models at once, adjusted over models (Holm).

    Args:
        study: for the question and the confidence.
        declared: the contrasts that answer it.
    """
    primary = study.statistics.primary
    models = {row["model"] for row in declared if row["p_adjusted"] is not None}
    clear = [
        f"{row['first']} in {row['model']} ({VERDICTS[row['verdict']]}, p {p_text(p)})"
        for row, p in clear_over_models(study, declared)
    ]
    question = f"{MEASURES[primary.measure].label} {PLACES[Condition(primary.condition)]}"
    result = (
        f"these differ from the reference: {'; '.join(clear)}."
        if clear
        else "no difference is clear."
    )
    where = f"Over {counted(len(models), 'model')} together, after Holm over models, {result}"
    return (
        f"Declared beforehand: {question}, each activation against the reference. Everything else "
        f"is {EXPLORATORY}. {where if models else 'So far no model was tested.'}"
    )


def clear_over_models(study: Study, declared: Iterable[Row]) -> list[tuple[Row, float]]:
    """Return the contrasts that are clear among those of all models, with their p (Holm)."""
    models: dict[str, list[Row]] = {}
    for row in declared:
        if row["p_adjusted"] is not None:
            models.setdefault(row["model"], []).append(row)
    adjusted = holm_over_groups([[row["p_adjusted"] for row in rows] for rows in models.values()])
    return [
        (row, p)
        for rows, p_values in zip(models.values(), adjusted, strict=True)
        for row, p in zip(rows, p_values, strict=True)
        if p <= 1 - study.statistics.confidence
    ]


def _contrasts(study: Study, rows: Sequence[Row]) -> str:
    """Contrasts with the reference, the final step beside the matched loss."""
    heads = ["model", "arm", "first", "second"]
    heads += [
        head
        for condition in Condition
        for head in (f"ratio {place_text(study, condition)}", "p", "verdict")
    ]
    body = []
    names = ("model", "arm", "first", "second")
    matched = {
        tuple(row[n] for n in names): row
        for row in rows
        if row["condition"] == Condition.MATCHED_LOSS
    }
    for row in rows:
        if row["condition"] != Condition.FINAL:
            continue
        key = tuple(row[name] for name in names)
        at_matched = matched.get(key)
        measured = _ratio(at_matched) if at_matched else ["–", "–", "not measured"]
        body.append([*key, *_ratio(row), *measured])
    return table(heads, body)


def _ratio(row: Row) -> list[str]:
    reasons = reason_texts(row)
    ratio = _bracketed(row["ratio"], row["ratio_low"], row["ratio_high"], 3)
    verdict = VERDICTS[ContrastVerdict(row["verdict"])]
    p = p_text(row["p_adjusted"])
    return [ratio, p, f"{verdict} ({'; '.join(reasons)})" if reasons else verdict]


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


def _seeds(row: Row, percent: int) -> str:
    """Return `12 [8, 30]` seeds to find a difference; a dash where none are planned."""
    if row["seeds_reason"]:
        return "–"
    numbers = (row[f"seeds_for_{percent}{end}"] for end in ("", "_low", "_high"))
    seeds, low, high = (f"over {MOST_SEEDS:,}" if pd.isna(n) else f"{n:.0f}" for n in numbers)
    return f"{seeds} [{low}, {high}]"
