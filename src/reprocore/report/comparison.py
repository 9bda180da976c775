"""What `compare` prints of groups of models, and the files that it writes."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reprocore.analysis.groups.reproducibility import Reproducibility
from reprocore.report.terminal import console, interval_numbers, table_of
from reprocore.report.words import DATA_FOR, METHODS, VERDICTS, notice_text, p_text, reason_texts
from reprocore.store.files import atomic
from reprocore.vocabulary import Family, Generalisation, counted

Tables = Mapping[str, pd.DataFrame]
SCORES = ("loss", "accuracy")


def print_one_group(tables: Tables, confidence: float) -> None:
    """Print every measure of a group that stands alone, with its lowest and highest pair."""
    models, pairs, estimates = (tables[name] for name in ("models", "pairs", "estimates"))
    heads = ("mean", "low", "high", "lowest", "highest")
    rows, reasons = [], set()
    for row in records(estimates):
        values = (models if row["measure"] in SCORES else pairs)[row["measure"]]
        ends = (float(values.min()), float(values.max()))
        numbers = interval_numbers(row["estimate"], row["low"], row["high"], *ends)
        rows.append([row["measure"], *numbers])
        if row["low"] is None:
            reasons.update(reason_texts(row))
    title = f"{len(models)} models, {counted(len(pairs), 'pair')}"
    console.print(table_of(title, ("measure", *heads), rows, numbers=heads))
    if reasons:
        console.print(f"No interval: {', '.join(sorted(reasons))}.")
    console.print("Divergences are in nats; churn and overlap are shares.")
    if len(models) > 2:
        console.print(f"low, high: {confidence:.0%} interval, {interval_words(estimates)}.")
    _print_notices(tables)


def print_groups(tables: Tables, confidence: float) -> None:
    """Print levels, contrasts with the reference, and the verdicts of several groups."""
    estimates, contrasts = tables["estimates"], tables["contrasts"]
    groups = list(dict.fromkeys(estimates["group"]))
    sizes = ", ".join(f"{name} {int((tables['models']['group'] == name).sum())}" for name in groups)
    console.print(_levels(f"Models: {sizes}", groups, estimates))
    console.print(
        f"[low, high]: {confidence:.0%} interval, {interval_words(estimates)}. Divergences and "
        "loss are in nats; accuracy, churn and overlap are shares."
    )
    console.print(_contrasts(contrasts[contrasts["family"] == Family.REFERENCE]))
    console.print(
        "p is adjusted for the groups, [low, high] is the interval of the ratio alone, for new "
        "models on the same data. * exploratory: not the declared measure."
    )
    for row in records(tables["verdicts"]):
        console.lines(verdict_text(row))
    _print_notices(tables)


def _levels(title: str, groups: Sequence[str], estimates: pd.DataFrame) -> Any:
    rows = []
    for measure in dict.fromkeys(estimates["measure"]):
        own = estimates[estimates["measure"] == measure].set_index("group")
        rows.append([measure, *(_level(own.loc[name]) for name in groups)])
    return table_of(title, ("measure", *groups), rows, numbers=groups)


def _level(row: "pd.Series[Any]") -> str:
    low, high = _number(row["low"]), _number(row["high"])
    numbers = interval_numbers(_number(row["estimate"]), low, high)
    return numbers[0] if low is None else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _contrasts(contrasts: pd.DataFrame) -> Any:
    numbers = ("ratio", "low", "high", "p")
    rows = []
    for row in records(contrasts):
        ratio = interval_numbers(row["ratio"], row["ratio_low"], row["ratio_high"])
        name = row["measure"] + (" *" if row["exploratory"] else "")
        pair = f"{row['first']} / {row['second']}"
        rows.append([name, pair, *ratio, p_text(row["p_adjusted"]), VERDICTS[row["verdict"]]])
    return table_of(None, ("measure", "groups", *numbers, "verdict"), rows, numbers=numbers)


def verdict_text(row: Mapping[str, Any]) -> str:
    """Return a verdict as one sentence with the numbers that it rests on, losses beside it."""
    parts = []
    if row["ratio"] is not None:
        ratio, low, high = interval_numbers(row["ratio"], row["ratio_low"], row["ratio_high"])
        parts.append(f"ratio {ratio} [{low}, {high}]")
    if row["p_adjusted"] is not None:
        shown = p_text(row["p_adjusted"])
        parts.append(f"p {shown}" if shown.startswith("<") else f"p = {shown}")
    if row["method"] is not None:
        parts.append(METHODS[row["method"]])
    text = (
        f"{row['first']} against {row['second']}, {row['measure']}: {VERDICTS[row['verdict']]}"
        f" ({', '.join([*parts, *reason_texts(row)])})"
    )
    scores = [
        f"{name} {row[f'{name}_first']:.4f} and {row[f'{name}_second']:.4f}"
        for name in SCORES
        if row[f"{name}_first"] is not None and row[f"{name}_second"] is not None
    ]
    return f"{text}; {', '.join(scores)}." if scores else f"{text}."


def interval_words(estimates: pd.DataFrame) -> str:
    """Return what the intervals hold for, and for which measures for less than the others."""
    found = [kind for kind in DATA_FOR if kind in set(estimates["generalisation"])]
    alone = estimates.loc[estimates["generalisation"] == Generalisation.SEEDS, "measure"].unique()
    less = f" ({', '.join(alone)}: {DATA_FOR[Generalisation.SEEDS]})" if len(found) > 1 else ""
    return DATA_FOR[found[0]] + less


def _print_notices(tables: Tables) -> None:
    for row in records(tables["notices"]):
        console.lines(f"Note: {notice_text(row)}.")


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame, None for what is missing."""
    for row in frame.to_dict("records"):
        yield {str(name): _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value


def write_tables(result: Reproducibility, folder: Path) -> list[Path]:
    """Write each table as a CSV file in a folder, atomically."""
    written = []
    for name, frame in vars(result).items():
        with atomic(folder / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
        written.append(folder / f"{name}.csv")
    return written


def as_json(result: Reproducibility) -> str:
    """Return all tables as JSON: by name, a list of rows; null for what is missing or infinite."""
    content = {
        name: [{key: _finite(value) for key, value in row.items()} for row in records(frame)]
        for name, frame in vars(result).items()
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def _finite(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
