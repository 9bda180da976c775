"""Reproducibility of a model's predictions when it is trained again with another seed.

The names below are the library's public face; the modules behind them are loaded on first use, so
`import reprocore` costs nothing.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "activations": ("Activation", "activation", "smelu"),
    "aggregation": ("aggregate_model",),
    "arrays": ("compare_arrays", "load_array"),
    "cell": ("load_cell", "run_cell"),
    "comparison": ("compare_cells",),
    "config": ("Study", "load_study", "parse_study"),
    "corpus": ("Corpus", "Probe", "build_probe", "encode", "unigram_entropy"),
    "divergence": ("MEASURES", "pairwise"),
    "errors": ("ReprocoreError",),
    "inference": ("Estimate", "jackknife", "mean_interval", "pair_matrix"),
    "models": ("build_model", "check_model", "count_parameters"),
    "predictions": ("Predictions", "read_predictions", "write_predictions"),
    "status": ("study_status",),
    "study": ("Cell", "all_cells"),
    "summary": ("summarise", "write_summary"),
    "text": ("load_text",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'reprocore' has no attribute {name!r}")
    return getattr(import_module(f"reprocore.{_HOME[name]}"), name)
