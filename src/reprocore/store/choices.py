"""The learning rate that each model with each activation is trained at, chosen by its tuning cells.

Importing this module is cheap, so that a Snakefile can.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.store.files import read_json, write_json
from reprocore.store.records import read_cell
from reprocore.study.cells import trials_of
from reprocore.study.layout import choice_file
from reprocore.study.sections import TuningSettings
from reprocore.study.study import Study


@dataclass(frozen=True)
class Choice:
    """A grid of learning rates, what came of each, and which is taken.

    Attributes:
        model: of the study.
        activation: with which it was trained.
        learning_rates: the grid, ascending.
        seeds: of the tuning cells.
        losses: of each rate, by seed: validation loss at the last step, nats per character; None
            where the training diverged.
        means: of each rate, over seeds; None where one diverged.
        chosen: the rate of the lowest mean, the lower one of two that are equal.
        at_end: whether it is an end of the grid, beyond which a better one may lie.
    """

    model: str
    activation: str
    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]
    losses: tuple[tuple[float | None, ...], ...]
    means: tuple[float | None, ...]
    chosen: float
    at_end: bool


def choose(
    model: str,
    activation: str,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    losses: Sequence[Sequence[float | None]],
) -> Choice:
    """Choose the learning rate of the lowest mean loss; see `Choice`.

    Raises:
        ReprocoreError: at every rate a training diverged.
        ValueError: not every rate has a loss for every seed.
    """
    if [len(row) for row in losses] != [len(seeds)] * len(learning_rates):
        raise ValueError("a rate has not one loss for each seed")
    rates, by_rate = tuple(learning_rates), tuple(tuple(map(_finite, row)) for row in losses)
    means = tuple(_mean(row) for row in by_rate)
    tried = [(mean, rate) for mean, rate in zip(means, rates, strict=True) if mean is not None]
    if not tried:
        raise ReprocoreError(
            f"{model}/{activation}: the loss diverged at every one of tuning.learning_rates; "
            "add a lower one"
        )
    chosen = min(tried)[1]
    at_end = chosen in (rates[0], rates[-1])
    return Choice(model, activation, rates, tuple(seeds), by_rate, means, chosen, at_end)


def _finite(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None


def _mean(losses: Sequence[float | None]) -> float | None:
    known = [loss for loss in losses if loss is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(losses) else None


def choose_from_cells(tuning: TuningSettings, paths: Sequence[str | Path]) -> Choice:
    """Choose by the `cell.json` of every tuning cell of a model with an activation.

    Raises:
        ReprocoreError: a file is damaged, a cell is missing, or at every rate a training diverged.
    """
    described = [read_cell(path) for path in paths]
    losses = {(d["cell"]["rate"], d["cell"]["seed"]): d["val_loss"] for d in described}
    rates, seeds = tuning.learning_rates, tuning.seeds
    if len(losses) != len(rates) * len(seeds):
        raise ReprocoreError("the tuning cells are not those of the study")
    by_rate = [[losses[rate, seed] for seed in seeds] for rate in rates]
    first = described[0]["cell"]
    return choose(first["model"], first["activation"], rates, seeds, by_rate)


def write_choice(path: str | Path, choice: Choice) -> None:
    """Write a choice as JSON, atomically."""
    write_json(path, asdict(choice))


def read_choice(path: str | Path) -> Choice:
    """Read a choice, which must be the one that its own losses give.

    Raises:
        ReprocoreError: the file is missing, damaged, or was changed by hand.
    """
    content = read_json(path)
    try:
        names = ("model", "activation", "learning_rates", "seeds", "losses")
        choice = choose(*(content[name] for name in names))
    except (KeyError, TypeError, ValueError, ReprocoreError):
        raise ReprocoreError(f"{path}: holds no choice of a learning rate") from None
    if json.loads(json.dumps(asdict(choice))) != content:
        raise ReprocoreError(f"{path}: is not the choice that its losses give")
    return choice


def known_choice(study: Study, model: str, activation: str) -> Choice | None:
    """Return the choice that lies in the results, as it was made; None without one.

    Where its file is missing or damaged, it is the choice that the tuning cells give.
    """
    path = Path(study.results) / choice_file(model, activation)
    try:
        choice = _read(path, path.stat().st_mtime_ns)
        if (choice.model, choice.activation) == (model, activation):
            return choice
    except (OSError, ReprocoreError):
        pass
    tuning = study.tuning
    return _from_cells(study.results, model, activation, tuning) if tuning else None


@cache
def _read(path: Path, _modified: int) -> Choice:
    return read_choice(path)


@cache
def _from_cells(results: str, model: str, activation: str, tuning: TuningSettings) -> Choice | None:
    """Return the choice of the cells that are there now: later ones come with a file."""
    cells = trials_of(tuning, model, activation)
    try:
        return choose_from_cells(tuning, [cell.folder(results) / "cell.json" for cell in cells])
    except ReprocoreError:
        return None


def choice_is_current(study: Study, model: str, activation: str) -> bool:
    """Return whether a learning rate has been chosen from the grid of today."""
    tuning, choice = study.tuning, known_choice(study, model, activation)
    if tuning is None or choice is None:
        return False
    return (choice.learning_rates, choice.seeds) == (tuning.learning_rates, tuning.seeds)


def chosen_rate(study: Study, model: str, activation: str) -> float | None:
    """Return the learning rate that was chosen; None until one is, and where none is tuned."""
    choice = known_choice(study, model, activation) if study.tuning else None
    return choice.chosen if choice else None
