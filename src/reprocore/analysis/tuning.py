"""The table of the tuning: every learning rate that was tried, and which was chosen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from reprocore.store.choices import Choice, read_choice
from reprocore.store.schemas import TUNING_SCHEMA
from reprocore.study.cells import trials_of
from reprocore.study.study import Study
from reprocore.vocabulary import Trial


def tuning_table(study: Study, choices: Sequence[str | Path]) -> pa.Table:
    """Put the choices of all models and activations into one table of `TUNING_SCHEMA`.

    Every tuning cell of the config has a row; where no choice was made its loss is null.

    Args:
        study: what was to be tuned, in the order of the rows.
        choices: the files of the choices that were made.

    Raises:
        ReprocoreError: a file is missing or damaged.
    """
    read = [read_choice(path) for path in choices]
    made = {(choice.model, choice.activation): choice for choice in read}
    rows: list[dict[str, Any]] = []
    for model in study.models:
        for activation in study.activations_of(model):
            choice = made.get((model, activation))
            rows += _rows(choice) if choice else _missing(study, model, activation)
    return pa.Table.from_pylist(rows, schema=TUNING_SCHEMA)


def _rows(choice: Choice) -> Iterator[dict[str, Any]]:
    for rate, mean, losses in zip(choice.learning_rates, choice.means, choice.losses, strict=True):
        chosen = rate == choice.chosen
        for seed, loss in zip(choice.seeds, losses, strict=True):
            yield {
                "model": choice.model,
                "activation": choice.activation,
                "learning_rate": rate,
                "seed": seed,
                "val_loss": loss,
                "mean_loss": mean,
                "chosen": chosen,
                "at_end": chosen and choice.at_end,
                "trial": Trial.DIVERGED if loss is None else Trial.DONE,
            }


def _missing(study: Study, model: str, activation: str) -> Iterator[dict[str, Any]]:
    for cell in trials_of(study.tuning, model, activation) if study.tuning else ():
        yield {
            "model": model,
            "activation": activation,
            "learning_rate": cell.rate,
            "seed": cell.seed,
            "chosen": False,
            "at_end": False,
            "trial": Trial.MISSING,
        }
