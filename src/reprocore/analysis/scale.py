"""How reproducibility changes with the size of a model: slopes over the models of `scale`."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from reprocore.analysis.rows import Row, result_row
from reprocore.analysis.trajectories import Trajectories, Trajectory, shared_seeds
from reprocore.statistics.checks import Floats
from reprocore.statistics.scaling import Slope, log_values, no_slope, slope_over_models
from reprocore.statistics.spread import LEAST_SEEDS_OF_CV_VALUES, squared_cv_values
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.store.schemas import CELLS_SCHEMA, SCALE_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Reason, ScaledBy, ScaledQuantity

# Trainable parameters by (model, activation).
Parameters = Mapping[tuple[str, str], int]


def read_parameters(cells: Iterable[str | Path]) -> dict[tuple[str, str], int]:
    """Read how many parameters each model has with each activation, from the models' cells tables.

    Raises:
        ReprocoreError: a file is missing, damaged or foreign.
    """
    rows = [row for path in cells for row in read_table(path, CELLS_SCHEMA).to_pylist()]
    return {(row["model"], row["activation"]): row["parameters"] for row in rows}


def analyse_scale(
    study: Study, models: Mapping[str, Trajectories], parameters: Parameters
) -> pa.Table:
    """Make the table `scale`: slopes over the models of `study.scale`, empty without these.

    Args:
        study: for the models, the activations' order and the confidence.
        models: by name, (activation, arm) to what was measured; what has not run is absent.
        parameters: trainable parameters by (model, activation).
    """
    sizes = {name: models[name] for name in study.scale if name in models}
    arms = dict.fromkeys(arm for name in study.scale for arm in study.arms_of(name))
    activations = [
        name
        for name in study.studied_activations()
        if all(name in study.activations_of(model) for model in study.scale)
    ]
    rows = [
        {"arm": arm, "measure": measure} | row
        for arm in arms
        for measure in MEASURES
        for row in _rows(study, sizes, parameters, activations, (arm, measure))
    ]
    return pa.Table.from_pylist(rows, schema=SCALE_SCHEMA)


def _rows(
    study: Study,
    sizes: Mapping[str, Trajectories],
    parameters: Parameters,
    activations: list[str],
    what: tuple[str, str],
) -> Iterator[Row]:
    """Yield the slopes of one (arm, measure): of the levels, and of the squared CV."""
    level = ScaledQuantity.LEVEL
    asked: list[tuple[ScaledQuantity, str | None, list[str]]]
    asked = [(level, name, [name]) for name in activations]
    asked += [(ScaledQuantity.SQUARED_CV, None, activations)] * (len(activations) > 1)
    for quantity, activation, names in asked:
        material = _material(sizes, names, what, quantity)
        for by in ScaledBy:
            slope = _slope(material, parameters, names, by, study.statistics.confidence)
            labels = {"quantity": quantity, "activation": activation, "scaled_by": by}
            yield labels | {"models_total": len(study.scale)} | result_row(slope)


@dataclass(frozen=True)
class _Material:
    """What a slope is made of: by model, values per seed [M], and the trajectories behind them."""

    seeds: list[int]
    values: Mapping[str, Floats]
    trajectories: Mapping[str, list[Trajectory]]


def _material(
    sizes: Mapping[str, Trajectories],
    activations: list[str],
    what: tuple[str, str],
    quantity: ScaledQuantity,
) -> _Material:
    """Gather the models that have all of `activations`, on the seeds that these models share."""
    arm, measure = what
    least = LEAST_SEEDS if quantity is ScaledQuantity.LEVEL else LEAST_SEEDS_OF_CV_VALUES
    whole = {
        model: [trajectories[name, arm] for name in activations]
        for model, trajectories in sizes.items()
        if all((name, arm) in trajectories for name in activations)
    }
    usable = {name: own for name, own in whole.items() if len(shared_seeds(own)) >= least}
    seeds = shared_seeds(itertools.chain.from_iterable(usable.values())) if usable else []
    values = {}
    for model, own in usable.items():
        stack = np.stack([t.at(-1, measure, seeds) for t in own])
        if len(seeds) < least or not np.isfinite(stack).all() or not stack.any():
            continue
        found = log_values(stack[0]) if len(stack) == 1 else squared_cv_values(stack)
        if found is not None:
            values[model] = found
    return _Material(seeds, values, usable)


def _slope(
    material: _Material,
    parameters: Parameters,
    activations: list[str],
    by: ScaledBy,
    confidence: float,
) -> Slope:
    if not material.values:
        return no_slope(Reason.FEW_MODELS, 0, len(material.seeds))
    places = []
    for model in material.values:
        if by is ScaledBy.PARAMETERS:
            counts = [parameters[model, name] for name in activations]
            places.append(np.full(len(material.seeds), np.log10(counts).mean()))
        else:
            losses = [t.at(-1, "val_loss", material.seeds) for t in material.trajectories[model]]
            places.append(np.mean(losses, axis=0))
    values = np.stack(list(material.values.values()))
    return slope_over_models(np.stack(places), values, confidence)
