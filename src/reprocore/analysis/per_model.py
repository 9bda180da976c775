"""What one model's measurements say: contrasts, along training too, sensitivity, sources."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from reprocore.analysis.rows import Row, result_row
from reprocore.analysis.trajectories import (
    Trajectories,
    Trajectory,
    at_loss,
    common_loss,
    interpolation,
    shared_seeds,
)
from reprocore.statistics.checks import Floats
from reprocore.statistics.contrasts import (
    Closer,
    Contrast,
    Margin,
    SeedValues,
    contrasts,
    family_seeds,
    of_seeds,
)
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.over_models import rank_correlation
from reprocore.statistics.planning import detectable, measured_errors, seeds_for
from reprocore.statistics.spread import ActivationSpread, activation_spread, no_spread
from reprocore.statistics.tests_over_seeds import (
    LEAST_SEEDS,
    LEAST_SEEDS_OF_A_TEST,
    ROUNDING,
    ratio_interval,
)
from reprocore.store.schemas import (
    CONTRASTS_SCHEMA,
    EARLY_SCHEMA,
    SENSITIVITY_SCHEMA,
    SOURCES_SCHEMA,
    STEPS_SCHEMA,
)
from reprocore.study.study import Study
from reprocore.vocabulary import (
    COMPLEMENTS,
    MEASURES,
    PAIR_MEASURES,
    QUANTITIES,
    Condition,
    Family,
    Reason,
    join_codes,
    split_codes,
)

RESOLVED = (5, 10, 20)


def analyse_model(study: Study, model: str, trajectories: Trajectories) -> dict[str, pa.Table]:
    """Make the tables `contrasts`, `steps`, `sensitivity`, `sources` and `early` of one model.

    Args:
        study: for the activations' order, the reference, and the settings of the statistics.
        model: its name.
        trajectories: (activation, arm) to what was measured; what has not run is absent.
    """
    arms: dict[str, dict[str, Trajectory]] = {
        arm: {
            a: trajectories[a, arm] for a in study.activations_of(model) if (a, arm) in trajectories
        }
        for arm in study.arms_of(model)
    }
    rows: dict[str, list[Row]] = {"contrasts": [], "steps": [], "sensitivity": [], "early": []}
    for arm, of_arm in arms.items():
        for table, row in _arm_rows(study, {"model": model, "arm": arm}, of_arm):
            rows[table].append(row)
    for row in (*rows["contrasts"], *rows["sensitivity"]):
        row["exploratory"] = not _declared(study, row)
    rows["sources"] = [{"model": model, **row} for row in _source_rows(arms, study)]
    schemas = {
        "contrasts": CONTRASTS_SCHEMA,
        "steps": STEPS_SCHEMA,
        "sensitivity": SENSITIVITY_SCHEMA,
        "sources": SOURCES_SCHEMA,
        "early": EARLY_SCHEMA,
    }
    return {
        name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in schemas.items()
    }


def _arm_rows(
    study: Study, labels: Row, trajectories: Mapping[str, Trajectory]
) -> Iterator[tuple[str, Row]]:
    """Yield (table, row) of one arm: the final step, the matched loss, and the way there."""
    if len(trajectories) < 2:
        return
    last = int(next(iter(trajectories.values())).steps[-1])
    for quantity in QUANTITIES:
        values = {
            name: SeedValues(c.seeds.tolist(), c.at(-1, quantity))
            for name, c in trajectories.items()
        }
        common = labels | {"measure": quantity, "condition": Condition.FINAL}
        for contrast in _contrasts(study, labels["model"], quantity, values):
            yield "contrasts", common | result_row(contrast)
        yield "sensitivity", {"step": last} | _sensitivity_row(study, common, values)
    loss = common_loss(trajectories.values())
    for measure in MEASURES:
        own = labels | {"measure": measure}
        yield from _matched_rows(study, own, trajectories, loss)
        for row in _step_rows(study, own, trajectories):
            yield "steps", row
        for row in _early_rows(trajectories, measure, study.statistics.confidence):
            yield "early", labels | row


def _contrasts(
    study: Study, model: str, quantity: str, values: Mapping[str, SeedValues]
) -> list[Contrast]:
    settings = study.statistics
    size = settings.margins[quantity]
    margin = None if size is None else Margin(size, quantity in COMPLEMENTS)
    reference = study.reference_of(model)
    return contrasts(values, reference, closer(quantity), margin, settings.confidence)


def _declared(study: Study, row: Row) -> bool:
    """Say whether a row answers the question that the study declares beforehand."""
    primary = study.statistics.primary
    return (
        row["measure"] == primary.measure
        and row["condition"] == primary.condition
        and row["arm"] == study.primary_arm(row["model"])
        and row.get("family", Family.REFERENCE) == Family.REFERENCE
    )


def _matched_rows(
    study: Study, labels: Row, trajectories: Mapping[str, Trajectory], loss: float
) -> Iterator[tuple[str, Row]]:
    values = {
        name: SeedValues(c.seeds.tolist(), at_loss(c, labels["measure"], loss))
        for name, c in trajectories.items()
    }
    between = {name: interpolation(c, loss) for name, c in trajectories.items()}
    common = labels | {"condition": Condition.MATCHED_LOSS}
    for contrast in _contrasts(study, labels["model"], labels["measure"], values):
        shares = [between[name] for name in (contrast.first, contrast.second)]
        known = [share for share in shares if share is not None]
        past = len(known) < len(shares)
        matched: Row = {"matched_loss": loss, "interpolation": None if past else sum(known) / 2}
        row = common | matched | result_row(contrast)
        yield "contrasts", _past(row) if past else row
    spread = _sensitivity_row(study, common, values)
    yield "sensitivity", _past(spread) if None in between.values() else spread


def _past(row: Row) -> Row:
    """Say why a value is not finite where a pair was past the matched loss from the start."""
    codes = {Reason.NOT_FINITE: Reason.PAST_MATCHED_LOSS}
    found = (codes.get(code, code) for code in split_codes(row["reason"], Reason))
    return row | {"reason": join_codes(found)}


def _step_rows(study: Study, labels: Row, trajectories: Mapping[str, Trajectory]) -> Iterator[Row]:
    """Yield the contrasts with the reference at every stored step, the last one included."""
    steps = next(iter(trajectories.values())).steps.tolist()
    for index, step in enumerate(steps):
        values = {
            name: SeedValues(c.seeds.tolist(), c.at(index, labels["measure"]))
            for name, c in trajectories.items()
        }
        for contrast in _contrasts(study, labels["model"], labels["measure"], values):
            if contrast.family == Family.REFERENCE:
                row = labels | {"step": step} | result_row(contrast)
                yield {name: row[name] for name in STEPS_SCHEMA.names}


def _early_rows(
    trajectories: Mapping[str, Trajectory], measure: str, confidence: float
) -> Iterator[Row]:
    seeds = shared_seeds(trajectories.values())
    first = next(iter(trajectories.values()))
    last = int(first.steps[-1])

    def stacked(index: int) -> Floats:
        return np.stack([c.at(index, measure, seeds) for c in trajectories.values()])

    final = stacked(-1)
    for index, step in enumerate(first.steps[:-1].tolist()):
        correlation = rank_correlation(stacked(index), final, confidence)
        yield {
            "measure": measure,
            "step": step,
            "budget": step / last,
            **result_row(correlation),
        }


def _source_rows(arms: Mapping[str, Mapping[str, Trajectory]], study: Study) -> Iterator[Row]:
    """Yield each arm's difference as a share of that of the arm `all`, by activation."""
    for arm, trajectories in arms.items():
        for activation, trajectory in trajectories.items():
            whole = arms.get("all", {}).get(activation)
            for measure in MEASURES:
                yield {
                    "arm": arm,
                    "activation": activation,
                    "measure": measure,
                    **_share(trajectory, whole, measure, study.statistics.confidence),
                }


def _share(
    trajectory: Trajectory, whole: Trajectory | None, measure: str, confidence: float
) -> Row:
    estimate = _pair_mean(trajectory.at(-1, measure))
    row: Row = {"estimate": estimate, "seeds": 0, "reason": join_codes([])}
    if whole is None:
        return row | {"reason": Reason.WHOLE_NOT_RUN}
    seeds = shared_seeds([trajectory, whole])
    row["seeds"] = len(seeds)
    if len(seeds) < LEAST_SEEDS:
        return row | {"reason": Reason.FEW_SHARED_SEEDS}
    matrices = np.stack([c.at(-1, measure, seeds) for c in (trajectory, whole)])
    if MEASURES[measure].more_is_closer:
        # What is a share is the difference, not the likeness.
        matrices = (1 - matrices) * (1 - np.eye(len(seeds)))
    means = [_pair_mean(matrix) for matrix in matrices]
    if not np.isfinite(matrices).all() or means[1] <= 0:
        return row | {"reason": Reason.WHOLE_NOT_POSITIVE}
    row["share"] = means[0] / means[1]
    if not matrices[0].any():
        # No spread at all, as it must be for the control: the share is 0 without uncertainty.
        return row | {"low": 0.0, "high": 0.0}
    arm_values, all_values = paired_pseudo_values(matrices)
    ends = ratio_interval(arm_values, all_values, confidence)
    if ends is None:
        return row | {"reason": Reason.WHOLE_NOT_CLEAR}
    return row | {"low": ends[0], "high": ends[1]}


def closer(quantity: str) -> Closer | None:
    """Say whether lower or higher values are the more reproducible; None for a score."""
    if quantity not in PAIR_MEASURES:
        return None
    return "higher" if PAIR_MEASURES[quantity].more_is_closer else "lower"


def _shared_spread(values: Mapping[str, SeedValues], confidence: float) -> ActivationSpread:
    """Spread over the activations, on the seeds that all share."""
    shared = sorted(set.intersection(*(set(v.seeds) for v in values.values())))
    if not shared:
        return no_spread(Reason.NO_SHARED_SEED, len(values), 0)
    spread = activation_spread(
        np.stack([of_seeds(own, shared) for own in values.values()]), confidence
    )
    if len(shared) == _most_seeds(values):
        return spread
    return replace(spread, reasons=(Reason.ONLY_COMMON_SEEDS, *spread.reasons))


def _sensitivity_row(study: Study, labels: Row, values: Mapping[str, SeedValues]) -> Row:
    spread = _shared_spread(values, study.statistics.confidence)
    planned = _planned(study, labels, values)
    return labels | result_row(spread) | {"seeds_most": _most_seeds(values)} | planned


def _most_seeds(values: Mapping[str, SeedValues]) -> int:
    return max(len(v.seeds) for v in values.values())


def _planned(study: Study, row: Row, values: Mapping[str, SeedValues]) -> Row:
    """Return the seeds that find 5, 10 and 20%, for the question that was declared alone."""
    if not _declared(study, row):
        return {"seeds_reason": Reason.NOT_DECLARED}
    names, shared = family_seeds(values)
    # The first is what the others are compared with.
    names.sort(key=study.reference_of(row["model"]).__ne__)
    if len(names) < 2 or len(shared) < LEAST_SEEDS_OF_A_TEST:
        return {"seeds_reason": Reason.FEW_SEEDS_FOR_TEST}
    family = np.stack([of_seeds(values[name], shared) for name in names])
    means = family.mean(axis=tuple(range(1, family.ndim)))
    if not means.all():
        return {"seeds_reason": Reason.ZERO_MEAN}
    errors = measured_errors(family)
    if detectable(errors, len(shared)) < ROUNDING:
        return {"seeds_reason": Reason.NO_VARIATION}
    found = seeds_for(errors, [p / 100 for p in RESOLVED], 1 - study.statistics.confidence)
    planned: Row = {"seeds_reason": join_codes([])}
    for percent, needed in zip(RESOLVED, found, strict=True):
        for end, seeds in zip(("", "_low", "_high"), needed, strict=True):
            planned[f"seeds_for_{percent}{end}"] = seeds
    return planned


def _pair_mean(matrix: Floats) -> float:
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())
