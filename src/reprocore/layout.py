"""Which files the results folder of a study holds beside its cells, and what each rests on."""

from collections import defaultdict
from collections.abc import Iterable

from reprocore.figures import MODEL_FIGURES, STUDY_FIGURES
from reprocore.study import Cell

CORPUS_FILES = ("corpus/tokens.parquet", "corpus/probe.parquet")
MODEL_TABLES = ("summary", "curves", "cells", "contrasts", "sensitivity", "sources", "early")
STUDY_TABLES = ("summary.parquet", "across/ratios.parquet", "across/early_sensitivity.parquet")
STUDY_FILES = (*STUDY_TABLES, "summary.csv", "summary.md", "audit.parquet", "audit.md")


def derived_files(cells: Iterable[Cell]) -> dict[str, set[Cell]]:
    """Return every file that a study of these cells makes beside them, by path in its results.

    The value is which cells the file must rest on, directly or through other files.
    """
    cells = set(cells)
    groups: dict[str, set[Cell]] = defaultdict(set)
    models: dict[str, set[Cell]] = defaultdict(set)
    for cell in cells:
        groups[f"pairs/{cell.model}/{cell.activation}/{cell.arm}.parquet"].add(cell)
        models[cell.model].add(cell)
    found: dict[str, set[Cell]] = {path: set() for path in CORPUS_FILES}
    found |= {path: members for path, members in groups.items() if len(members) > 1}
    for model, members in models.items():
        found |= {f"models/{model}/{name}.parquet": members for name in MODEL_TABLES}
        found |= dict.fromkeys(_figures(MODEL_FIGURES, f"figures/{model}"), members)
    figures = _figures(STUDY_FIGURES, "figures")
    return found | dict.fromkeys((*STUDY_FILES, *figures), cells)


def _figures(names: Iterable[str], folder: str) -> list[str]:
    return [f"{folder}/{name}.{end}" for name in names for end in ("png", "svg")]
