"""`reprocore plan`: what the configured seeds can decide, before they are trained."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from reprocore.report.terminal import console, table_of
from reprocore.report.words import PLACES
from reprocore.statistics.contrasts import SeedValues, family_seeds, of_seeds
from reprocore.statistics.jackknife import pair_matrix
from reprocore.statistics.planning import (
    POWER,
    Errors,
    detectable,
    for_activations,
    measured_errors,
    shipped_errors,
    size_interval,
)
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS_OF_A_TEST
from reprocore.store.readers import final_rows
from reprocore.store.schemas import PAIRS_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import GROUP
from reprocore.study.study import Study
from reprocore.vocabulary import MEASURES, Condition, counted

PAIR = ("seed_a", "seed_b")


class Planned(NamedTuple):
    """From which difference on, as a share of the level, a model's seeds can be expected to decide.

    Attributes:
        activations: to be compared.
        difference: that is found with 80% power; None where nothing can be decided.
        low: the least that it may be.
        high: the most that it may be.
        earlier: seeds of earlier results that it rests on; 0 for the reference study.
    """

    activations: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    earlier: int = 0


def planned(study: Study, model: str) -> Planned:
    """Return what a model's seeds can decide.

    With earlier results the range is the 95% interval of the size of the errors; without, that of
    the models of the reference study, the figure the one in the middle.

    Raises:
        ReprocoreError: a pairs file is damaged.
    """
    seeds, alpha = len(study.seeds), 1 - study.statistics.confidence
    activations = len(study.activations_of(model))
    if activations < 2 or seeds < LEAST_SEEDS_OF_A_TEST:
        return Planned(activations)
    measure = study.statistics.primary.measure
    known = earlier_errors(study, model, measure)
    if known is not None:
        errors, earlier = known
        found = detectable(for_activations(errors, activations), seeds, alpha)
        low, high = (float(np.sqrt(factor)) * found for factor in size_interval(errors.dof))
        return Planned(activations, found, low, high, earlier)
    shipped = shipped_errors(measure).values()
    sizes = sorted(detectable(for_activations(e, activations), seeds, alpha) for e in shipped)
    return Planned(activations, float(np.median(sizes)), sizes[0], sizes[-1])


def earlier_errors(study: Study, model: str, measure: str) -> tuple[Errors, int] | None:
    """Return errors of a measure at the last step in the results, and their seeds.

    None where fewer than two activations share 4 seeds. The reference, if it is there, is first.

    Raises:
        ReprocoreError: a pairs file is damaged.
    """
    arm = study.primary_arm(model)
    names = sorted(study.activations_of(model), key=study.reference_of(model).__ne__)
    # Not the whole schema: results of an earlier version may lack a measure, and serve as well.
    columns = pa.schema([PAIRS_SCHEMA.field(n) for n in (*GROUP, *PAIR, "step", measure)])
    values = {}
    for name in names:
        path = Path(study.results) / "pairs" / model / name / f"{arm}.parquet"
        if path.is_file():
            rows = final_rows(read_table(path, columns).to_pandas())
            labels, of_pairs = rows[[*PAIR]].to_numpy(), rows[measure].to_numpy()
            seeds, matrix = pair_matrix(labels, of_pairs)
            values[name] = SeedValues(seeds.tolist(), matrix)
    tested, shared = family_seeds(values)
    if len(tested) < 2 or len(shared) < LEAST_SEEDS_OF_A_TEST:
        return None
    family = np.stack([of_seeds(values[name], shared) for name in tested])
    if not family.any(axis=(1, 2)).all():
        return None
    return measured_errors(family), len(shared)


def print_planned(study: Study) -> None:
    """Print a row for each model, and what the numbers mean and rest on."""
    primary = study.statistics.primary
    rows: list[list[str]] = []
    sources: set[bool] = set()
    for model in study.models:
        plan = planned(study, model)
        shares = [_percent(x) for x in (plan.difference, plan.low, plan.high)]
        source = _source(plan, len(study.seeds))
        if plan.difference is not None:
            sources.add(plan.earlier > 0)
        rows.append([model, str(plan.activations), str(len(study.seeds)), *shares, source])
    numbers = ("activations", "seeds", "difference", "low", "high")
    console.print(table_of(None, ("model", *numbers, "rests on"), rows, numbers=numbers))
    label = MEASURES[primary.measure].label
    console.print(
        f"difference: of the {label} of an activation to that of the reference, as a share of it, "
        f"from which on a verdict can be expected with {POWER:.0%} power (closed test at "
        f"{1 - study.statistics.confidence:.0%}, the others being alike)."
    )
    if True in sources:
        console.print("Of earlier results, low and high are the 95% interval of the errors' size.")
    if False in sources:
        console.print(
            "Without earlier results, low and high are the least and the most of the small models "
            f"of the reference study ({', '.join(shipped_errors(primary.measure))}); a model of "
            "another kind can lie outside."
        )
    if Condition(primary.condition) is not Condition.FINAL:
        console.print(f"Planned {PLACES[Condition.FINAL]}; the study decides elsewhere.")


def _source(plan: Planned, seeds: int) -> str:
    if plan.earlier:
        return f"{counted(plan.earlier, 'seed')} of earlier results"
    if plan.difference is not None:
        return "reference study"
    if plan.activations < 2:
        return "one activation: nothing to compare"
    return f"{counted(seeds, 'seed')}, a verdict needs {LEAST_SEEDS_OF_A_TEST}"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return "over 100%" if share > 1 else f"{100 * share:.1f}%"
