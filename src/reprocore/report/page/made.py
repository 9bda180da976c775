"""How the results of a study were made: settings, code, machines and versions."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from reprocore.report.page.tables import Row, Tables
from reprocore.store.records import DamagedError, environment, read_sealed
from reprocore.vocabulary import counted


def made_of(tables: Tables) -> Row:
    """Return what is known of how the results were made.

    Returns:
        `facts`: names and values in words; `settings`: the study as it was resolved.
    """
    study, cells = tables.study, tables.rows("cells")
    run = _recorded(study.results)
    facts = {
        "Command": run.get("command"),
        "Trainings": counted(len(cells), "cell") + _hours(cells),
        "Trained on": "; ".join(_counts(cells, "environment")),
        "Training code, by digest": "; ".join(_by_model(cells, "source")),
        "Probe, by hash": "; ".join(_counts(cells, "probe_hash")),
        "Commit of this page": _commit(environment()["code"]),
        "Versions": ", ".join(f"{k} {v}" for k, v in environment()["versions"].items()),
    }
    settings = json.dumps(study.model_dump(mode="json"), indent=2, ensure_ascii=False)
    known = [(name, value) for name, value in facts.items() if value]
    return {"facts": known, "settings": settings}


def _recorded(results: str) -> dict[str, Any]:
    try:
        return read_sealed(Path(results) / "study.json")
    except DamagedError:
        return {}


def _hours(cells: list[Row]) -> str:
    seconds = sum(row["train_seconds"] for row in cells)
    return f", {seconds / 3600:.1f} hours of training in all" if cells else ""


def _counts(cells: list[Row], column: str) -> list[str]:
    counts = Counter(row[column] for row in cells)
    if len(counts) == 1:
        return list(counts)
    return [f"{value} ({counted(count, 'cell')})" for value, count in counts.items()]


def _by_model(cells: list[Row], column: str) -> list[str]:
    values: dict[str, list[str]] = {}
    for row in cells:
        known = values.setdefault(row["model"], [])
        known += [] if row[column] in known else [row[column]]
    return [f"{model} {', '.join(known)}" for model, known in values.items()]


def _commit(code: Row | None) -> str:
    if code is None:
        return ""
    return f"{code['commit']}{', with changes that are not committed' if code['dirty'] else ''}"
