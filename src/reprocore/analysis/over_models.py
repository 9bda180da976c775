"""What holds over all models: mean ratios of activations, and how early their order shows."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.analysis.rows import Row, result_row
from reprocore.analysis.trajectories import Trajectories, Trajectory, shared_seeds
from reprocore.statistics.checks import Floats
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.over_models import (
    LEAST_MODELS,
    LogRatio,
    log_ratio,
    mean_ratio,
    no_rank_correlation,
    rank_correlation,
)
from reprocore.statistics.spread import LEAST_SEEDS_OF_CV_VALUES, squared_cv_values
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.store.schemas import EARLY_MODEL_ORDER_SCHEMA, RATIOS_SCHEMA
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Reason


def analyse_across(study: Study, models: Mapping[str, Trajectories]) -> dict[str, pa.Table]:
    """Make the tables `ratios` and `early_model_order` over all models.

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
        | result_row(mean_ratio(_log_ratios(models, arm, measure, first, second), confidence))
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
        "early_model_order": pa.Table.from_pylist(early, schema=EARLY_MODEL_ORDER_SCHEMA),
    }


def _log_ratios(
    models: Mapping[str, Trajectories], arm: str, measure: str, first: str, second: str
) -> list[LogRatio | None]:
    ratios: list[LogRatio | None] = []
    for trajectories in models.values():
        if (first, arm) not in trajectories or (second, arm) not in trajectories:
            ratios.append(None)
            continue
        pair = [trajectories[name, arm] for name in (first, second)]
        seeds = shared_seeds(pair)
        matrices = _stacked(pair, -1, measure, seeds)
        if matrices.shape[1] < LEAST_SEEDS or not np.isfinite(matrices).all():
            ratios.append(None)
            continue
        one, other = paired_pseudo_values(matrices)
        ratios.append(log_ratio(one, other, seeds))
    return ratios


def _early_rows(
    models: Mapping[str, Trajectories], arm: str, measure: str, confidence: float
) -> Iterator[Row]:
    """Yield how well the models' order by sensitivity predicts that at the end, at each share."""
    by_model = [
        [c for (_, own), c in trajectories.items() if own == arm]
        for trajectories in models.values()
    ]
    compared = [trajectories for trajectories in by_model if len(trajectories) > 1]
    if not compared:
        return
    seeds, count = shared_seeds(itertools.chain.from_iterable(compared)), len(compared)
    few = count < LEAST_MODELS or len(seeds) < LEAST_SEEDS_OF_CV_VALUES

    def sensitivities(places: Iterable[int]) -> Floats:
        stacks = (_stacked(c, i, measure, seeds) for c, i in zip(compared, places, strict=True))
        return np.array([_sensitivity(stack) for stack in stacks])

    late = None if few else sensitivities([-1] * count)
    for share, places in _common_shares([c[0].steps for c in compared]):
        if late is None:
            found = no_rank_correlation(Reason.FEW_MODELS, math.comb(count, 2), len(seeds))
        else:
            found = rank_correlation(sensitivities(places), late, confidence)
        yield {"budget": share, "models": count} | result_row(found)


def _common_shares(steps: Sequence[npt.NDArray[np.int64]]) -> Iterator[tuple[float, list[int]]]:
    """Yield each share of training, but the whole, that all models stored, and where each did.

    Steps are whole numbers, so shares count as the same within half a step.
    """
    for step in steps[0][:-1]:
        share = step / steps[0][-1]
        places = [int(np.abs(own - share * own[-1]).argmin()) for own in steps]
        near = (abs(own[i] - share * own[-1]) <= 0.5 for own, i in zip(steps, places, strict=True))
        if all(near):
            yield float(share), places


def _sensitivity(matrices: Floats) -> Floats:
    """Return what each seed says [M] of the squared CV of matrices [A, M, M]; NaN without one."""
    if not np.isfinite(matrices).all() or not matrices.any():
        return np.full(matrices.shape[-1], np.nan)
    return squared_cv_values(matrices)


def _stacked(trajectories: list[Trajectory], index: int, measure: str, seeds: list[int]) -> Floats:
    return np.stack([c.at(index, measure, seeds) for c in trajectories])
