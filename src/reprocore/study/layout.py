"""Which files the results folder of a study holds beside its cells, and what each rests on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from reprocore.study.cells import Cell

TOKENS_FILE, PROBE_FILE = "corpus/tokens.parquet", "corpus/probe.parquet"
CORPUS_FILES = (TOKENS_FILE, PROBE_FILE)
MODEL_TABLES = (
    *("estimates", "curves", "cells"),
    *("contrasts", "steps", "sensitivity", "sources", "early"),
)
# Of the final predictions of the arm that the study of a model is about.
POSITION_TABLES = ("cross", "strata", "text")
ACROSS_TABLES = ("ratios", "early_model_order", "scale")
SUMMARY_FILES = ("summary.parquet", "summary.csv", "summary.md")
TUNING_TABLE = "tuning.parquet"
AUDIT_FILES = ("audit.parquet", "audit.md")
PAGE = "report.html"
# The answer in plain sentences, for places that have no page.
ANSWER = "answer.txt"
# Folders of tables that one model has for itself, and of what training rests on.
MODEL_FOLDERS = ("pairs", "blocks", "models")
TUNING_FOLDER = "tuning"
TRAINING_FOLDERS = ("corpus", "preflight", TUNING_FOLDER)
# Folders whose files are no results of the study: what jobs printed, and cells of pilots.
UNCHECKED = ("logs", "pilot")


def derived_files(
    cells: Iterable[Cell],
    arms: Mapping[str, str],
    audited: bool,
    scaled: bool,
    tuning: Iterable[Cell] | None = None,
) -> dict[str, set[Cell]]:
    """Return every file that a study of these cells makes beside them, by path in its results.

    Args:
        cells: that the results rest on.
        arms: which arm the study of each model is about.
        audited: whether the study names published claims.
        scaled: whether the study names sizes of one architecture.
        tuning: the tuning cells that learning rates are chosen by; None chooses none.

    Returns:
        For each file the cells that it must rest on, directly or through other files.
    """
    cells = set(cells)
    groups: dict[str, set[Cell]] = defaultdict(set)
    models: dict[str, set[Cell]] = defaultdict(set)
    for cell in cells:
        for kind in ("pairs", "blocks"):
            groups[f"{kind}/{cell.model}/{cell.activation}/{cell.arm}.parquet"].add(cell)
        models[cell.model].add(cell)
    found: dict[str, set[Cell]] = {path: set() for path in CORPUS_FILES}
    # Rests on no cell: cells rest on it.
    found |= {preflight_file(cell.model, cell.activation): set() for cell in cells}
    found |= {path: members for path, members in groups.items() if len(members) > 1}
    for model, members in models.items():
        final = {cell for cell in members if cell.arm == arms[model]}
        found |= dict.fromkeys(tables_of_model(model), members)
        found |= dict.fromkeys(tables_of_model(model, POSITION_TABLES), final)
        found |= dict.fromkeys(_figures(MODEL_FIGURES, f"figures/{model}"), members)
    figures = _figures(study_figures(scaled), "figures")
    across = (f"across/{name}.parquet" for name in ACROSS_TABLES)
    found |= dict.fromkeys((*across, *(AUDIT_FILES if audited else ())), cells)
    tried = set(tuning or ())
    for cell in tried:
        found.setdefault(choice_file(cell.model, cell.activation), set()).add(cell)
    if tuning is not None:
        found |= dict.fromkeys((TUNING_TABLE, *_figures(["tuning"], "figures")), tried)
    return found | dict.fromkeys((*SUMMARY_FILES, *figures, PAGE, ANSWER), cells | tried)


def tables_of_model(
    model: str, names: Iterable[str] = (*MODEL_TABLES, *POSITION_TABLES)
) -> list[str]:
    """Return the paths in the results of the tables of a model."""
    return [f"models/{model}/{name}.parquet" for name in names]


def choice_file(model: str, activation: str) -> str:
    """Return the path in the results of the choice of a learning rate."""
    return f"{TUNING_FOLDER}/{model}/{activation}.json"


def preflight_file(model: str, activation: str) -> str:
    """Return the path in the results of the check that the cells of a model rest on."""
    return f"preflight/{model}/{activation}.json"


def preflight_failure(model: str, activation: str) -> str:
    """Return the path in the results that holds the reason why a check has failed."""
    return f"preflight/{model}/{activation}.failed.json"


def _figures(names: Iterable[str], folder: str) -> list[str]:
    return [f"{folder}/{name}.{end}" for name in names for end in ("png", "svg")]


MODEL_FIGURES = (
    "pd_by_activation",
    "accuracy_and_loss",
    "training_curves",
    "pd_along_training",
    "contrasts",
    "accuracy_against_pd",
    "cross",
    "strata",
)


STUDY_FIGURES = ("cross_model", "accuracy_against_pd", "sources", "early", "ratios")


def study_figures(scaled: bool) -> tuple[str, ...]:
    """Return the figures over all models; `scaled`: the study names sizes of one architecture."""
    return (*STUDY_FIGURES, "scale") if scaled else STUDY_FIGURES
