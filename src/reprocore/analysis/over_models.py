"""What holds over all models: mean ratios of activations, and how early sensitivity shows."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from reprocore.analysis.trajectories import Trajectories, Trajectory, restricted, shared_seeds
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.over_models import (
    LogRatio,
    RankCorrelation,
    log_ratio,
    mean_ratio,
    rank_correlation,
)
from reprocore.statistics.spread import coefficient_of_variation
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.store.schemas import EARLY_SENSITIVITY_SCHEMA, RATIOS_SCHEMA
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES

Row = dict[str, Any]


def analyse_across(study: Study, models: Mapping[str, Trajectories]) -> dict[str, pa.Table]:
    """Make the tables `ratios` and `early_sensitivity` over all models.

    Args:
        study: for the activations' order and the confidence.
        models: by name, (activation, arm) to what was measured; what has not run is absent.
    """
    arms = list(dict.fromkeys(arm for trajectories in models.values() for _, arm in trajectories))
    confidence = study.statistics.confidence
    reference = study.reference_of()
    ordered = [*(name for name in study.studied_activations() if name != reference), reference]
    ratios = [
        {"arm": arm, "measure": measure, "first": first, "second": second}
        | asdict(mean_ratio(_log_ratios(models, arm, measure, first, second), confidence))
        for arm in arms
        for measure in MEASURES
        for first, second in itertools.combinations(ordered, 2)
    ]
    early = [
        {"arm": arm, "measure": measure, **row}
        for arm in arms
        for measure in MEASURES
        for row in _early_rows(models, arm, measure, confidence)
    ]
    return {
        "ratios": pa.Table.from_pylist(ratios, schema=RATIOS_SCHEMA),
        "early_sensitivity": pa.Table.from_pylist(early, schema=EARLY_SENSITIVITY_SCHEMA),
    }


def _log_ratios(
    models: Mapping[str, Trajectories], arm: str, measure: str, first: str, second: str
) -> list[LogRatio | None]:
    found: list[LogRatio | None] = []
    for trajectories in models.values():
        if (first, arm) not in trajectories or (second, arm) not in trajectories:
            found.append(None)
            continue
        pair = [trajectories[name, arm] for name in (first, second)]
        matrices = _stacked(pair, -1, measure, shared_seeds(pair))
        if matrices.shape[1] < LEAST_SEEDS or not np.isfinite(matrices).all():
            found.append(None)
            continue
        found.append(log_ratio(*paired_pseudo_values(matrices)))
    return found


def _early_rows(
    models: Mapping[str, Trajectories], arm: str, measure: str, confidence: float
) -> Iterator[Row]:
    """Yield how well the models' CVs at each snapshot foretell those at the end.

    Snapshots are halves of one another, so counted from the end they are at the same share of
    training in every model.
    """
    kept = [
        mine
        for trajectories in models.values()
        if len(mine := [c for (_, own), c in trajectories.items() if own == arm]) > 1
    ]
    if not kept:
        return
    seeds = shared_seeds([trajectory for mine in kept for trajectory in mine])
    fewest = min(len(mine[0].steps) for mine in kept)
    for back in range(fewest, 1, -1):
        steps = kept[0][0].steps
        row: Row = {"budget": float(steps[-back] / steps[-1])}
        values = [
            np.array([cv_values(_stacked(mine, index, measure, seeds)) for mine in kept])
            for index in (-back, -1)
        ]
        row["models"] = len(kept)
        yield row | asdict(_foretold(values[0], values[1], confidence))


def _foretold(early: Floats, late: Floats, confidence: float) -> RankCorrelation:
    """Rank correlation over models of per-seed values [models, M] of a CV at two times."""
    models, seeds = early.shape
    if models < 3 or seeds < LEAST_SEEDS + 1:
        note = f"{models} models with {seeds} seeds, needs 3 models with {LEAST_SEEDS + 1} seeds"
        return RankCorrelation(None, None, None, 0, 0, models * (models - 1) // 2, seeds, note)
    return rank_correlation(early, late, confidence)


def cv_values(matrices: Floats) -> Floats:
    """Return jackknife pseudo-values [M] over seeds of the CV across activations, in percent.

    Args:
        matrices: [A, M, M]; NaN is returned where a CV does not exist.
    """
    seeds = matrices.shape[1]
    everyone = np.arange(seeds)
    whole = _cv(matrices)
    without = [
        _cv(matrices[:, kept][:, :, kept]) for kept in (np.delete(everyone, i) for i in everyone)
    ]
    return np.asarray(seeds * whole - (seeds - 1) * np.array(without))


def _cv(matrices: Floats) -> float:
    seeds = matrices.shape[1]
    if seeds < 2:
        return float("nan")
    cv = coefficient_of_variation(matrices.sum(axis=(1, 2)) / (seeds * (seeds - 1)))
    return float("nan") if cv is None else cv


def _stacked(trajectories: list[Trajectory], index: int, measure: str, seeds: list[int]) -> Floats:
    return np.stack([restricted(c, c.at(index, measure), seeds) for c in trajectories])
