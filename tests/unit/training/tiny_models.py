"""Tiny models of the shipped families, the shipped ones, and what a trained cell leaves."""

import functools
from pathlib import Path

import torch
from torch import nn

from conftest import CONTEXT, ROOT, tiny_config, tiny_study
from reprocore.store.cell_schemas import HISTORY_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import CELL_FILES
from reprocore.study.sections import ModelSettings
from reprocore.study.study import Study, load_study
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model

VOCABULARY = 65
STUDY = tiny_study()


@functools.cache
def shipped_models() -> dict[str, ModelSettings]:
    return load_study(ROOT / "config" / "config.yaml").models


def tiny_model(
    name: str, chosen: str = "gelu", seed: int = 1, vocabulary: int = VOCABULARY
) -> nn.Module:
    return build_model(STUDY.models[name], activation(chosen), vocabulary, seed)


def some_tokens(rows: int = 3, length: int = CONTEXT, vocabulary: int = VOCABULARY) -> torch.Tensor:
    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(0))


def context_study(context: int) -> Study:
    """Return the tiny study with another context for every model."""
    models = tiny_config()["models"]
    for model in models.values():
        model["context"] = context
    return tiny_study(models=models)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a cell that are the same whenever and wherever it is trained."""
    names = (name for name in CELL_FILES if name not in ("history.parquet", "cell.json"))
    return {name: (folder / name).read_bytes() for name in names}


def history(folder: Path) -> dict[str, list]:
    return read_table(folder / "history.parquet", HISTORY_SCHEMA).to_pydict()
