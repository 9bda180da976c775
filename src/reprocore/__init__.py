"""Reproducibility of a model's predictions when it is trained again with another seed.

The names below are the library's public face; the modules behind them are loaded on first use, so
`import reprocore` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocore.analysis.arrays import compare_arrays, load_array
    from reprocore.analysis.groups.reproducibility import Reproducibility, reproducibility
    from reprocore.errors import ReprocoreError
    from reprocore.statistics.divergence import pairwise
    from reprocore.statistics.jackknife import Estimate, jackknife, mean_interval, pair_matrix
    from reprocore.store.predictions import Predictions, read_predictions, write_predictions
    from reprocore.study.cells import Cell, all_cells
    from reprocore.study.study import Study, load_study, parse_study
    from reprocore.training.models.layers import FeedForward
    from reprocore.vocabulary import MEASURES

__all__ = [
    "MEASURES",
    "Cell",
    "Estimate",
    "FeedForward",
    "Predictions",
    "ReprocoreError",
    "Reproducibility",
    "Study",
    "all_cells",
    "compare_arrays",
    "jackknife",
    "load_array",
    "load_study",
    "mean_interval",
    "pair_matrix",
    "pairwise",
    "parse_study",
    "read_predictions",
    "reproducibility",
    "write_predictions",
]

_MODULES = {
    "analysis.arrays": ("compare_arrays", "load_array"),
    "analysis.groups.reproducibility": ("Reproducibility", "reproducibility"),
    "errors": ("ReprocoreError",),
    "statistics.divergence": ("pairwise",),
    "statistics.jackknife": ("Estimate", "jackknife", "mean_interval", "pair_matrix"),
    "store.predictions": ("Predictions", "read_predictions", "write_predictions"),
    "study.cells": ("Cell", "all_cells"),
    "study.study": ("Study", "load_study", "parse_study"),
    "training.models.layers": ("FeedForward",),
    "vocabulary": ("MEASURES",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reprocore' has no attribute {name!r}")
    return getattr(import_module(f"reprocore.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
