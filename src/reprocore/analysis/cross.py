"""Is swapping the activation a larger change than training again? Measures between activations."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from reprocore.analysis.final_predictions import FinalPredictions
from reprocore.analysis.rows import Row, result_row
from reprocore.statistics.agreement import agreement
from reprocore.statistics.checks import Floats
from reprocore.statistics.cross import across, within
from reprocore.statistics.divergence import pairwise
from reprocore.store.position_schemas import CROSS_SCHEMA
from reprocore.study.study import Study
from reprocore.vocabulary import AGREEMENT_MEASURES, CODE_SEPARATOR, MEASURES, Reason, bounds_of

COMPARED = {**MEASURES, **AGREEMENT_MEASURES}


def cross_table(study: Study, model: str, final: FinalPredictions | None) -> pa.Table:
    """Compare every two activations of a model, and each with itself, at the last step.

    Args:
        study: for the activations' order and the level of the intervals.
        model: its name.
        final: what its cells of one arm predict; None if none has run.

    Returns:
        A table of `CROSS_SCHEMA`.
    """
    if final is None:
        return CROSS_SCHEMA.empty_table()
    rows_of = final.rows_of()
    ran = [name for name in study.activations_of(model) if name in rows_of]
    matrices = _matrices(final)
    confidence = study.statistics.confidence
    common = {"model": model, "arm": final.cells[0].arm, "step": final.step}
    rows: list[Row] = []
    for a, b in itertools.combinations_with_replacement(ran, 2):
        labels: Row = {"activation_a": a, "activation_b": b}
        labels |= {"seeds_first": len(rows_of[a]), "seeds_second": len(rows_of[b])}
        for measure, matrix in matrices.items():
            found = _compared(matrix, (rows_of[a], rows_of[b]), measure, a == b, confidence)
            rows += [{**common, **labels, "measure": measure, **row} for row in found]
    return pa.Table.from_pylist(rows, schema=CROSS_SCHEMA)


def _compared(
    matrix: Floats,
    rows: tuple[Mapping[int, int], Mapping[int, int]],
    measure: str,
    alike: bool,
    confidence: float,
) -> Iterator[Row]:
    """Yield the rows of two activations, or of one: for the same seed, and for different seeds."""
    first, second = rows
    seeds = [seed for seed in first if seed in second]
    i, j = ([own[seed] for seed in seeds] for own in rows)
    if alike:
        found = within(matrix[np.ix_(i, i)], bounds_of(measure), confidence)
        yield {"same_seed": False, **result_row(found)}
        return
    own = np.stack([matrix[np.ix_(i, i)], matrix[np.ix_(j, j)]])
    both = across(
        *(matrix[np.ix_(i, j)], own, COMPARED[measure].more_is_closer, bounds_of(measure)),
        confidence,
    )
    part = 0 < len(seeds) < max(len(first), len(second))
    for same_seed, found in zip((True, False), both, strict=True):
        row = {"same_seed": same_seed, **result_row(found)}
        if part:
            codes = (Reason.PART_OF_SEEDS, row["reason"])
            row["reason"] = CODE_SEPARATOR.join(filter(None, codes))
        yield row


def _matrices(final: FinalPredictions) -> dict[str, Floats]:
    """Return each measure of all pairs of C cells, [C, C], zeros on the diagonal."""
    pairs, values = pairwise(final.probabilities, final.targets)
    agreed = agreement(final.probabilities, final.targets, pairs)
    matrices = {}
    for name in COMPARED:
        matrix = np.zeros((len(final.cells),) * 2)
        matrix[pairs[:, 0], pairs[:, 1]] = (values | agreed)[name]
        matrices[name] = matrix + matrix.T
    return matrices
