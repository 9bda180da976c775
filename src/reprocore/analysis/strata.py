"""Where models disagree: measures by stratum of positions, the same positions for all cells."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.analysis.final_predictions import FinalPredictions
from reprocore.analysis.rows import Row, result_row
from reprocore.statistics.checks import Floats
from reprocore.statistics.divergence import pairwise
from reprocore.statistics.jackknife import Estimate, jackknife, mean_interval, pair_matrix
from reprocore.statistics.levels import possible
from reprocore.statistics.strata import PARTS, entropy, fifths, surprisal
from reprocore.store.position_schemas import STRATA_SCHEMA
from reprocore.study.study import Study
from reprocore.vocabulary import Kind, Stratification, bounds_of

DIVERGENCES = ("relative_pd", "churn", "total_variation")
LOSS = "loss"
STRATA: Mapping[Stratification, tuple[str, ...]] = {
    Stratification.SURPRISAL: tuple(map(str, range(1, PARTS + 1))),
    Stratification.ENTROPY: tuple(map(str, range(1, PARTS + 1))),
    Stratification.KIND: tuple(Kind),
}


def strata_table(
    study: Study, model: str, final: FinalPredictions | None, symbols: Sequence[str]
) -> pa.Table:
    """Measure each stratum of positions for each activation, at the last step.

    Positions are assigned once, from the mean prediction of all cells, so that a stratum is the
    same text for every activation and seed.

    Args:
        study: for the activations' order and the level of the intervals.
        model: its name.
        final: what its cells of one arm predict; None if none has run.
        symbols: the character of each symbol id.

    Returns:
        A table of `STRATA_SCHEMA`; a stratum without positions has no row.
    """
    if final is None:
        return STRATA_SCHEMA.empty_table()
    rows_of = final.rows_of()
    common = {"model": model, "arm": final.cells[0].arm, "step": final.step}
    assigned = assign(final.probabilities.mean(axis=0, dtype=np.float64), final.targets, symbols)
    rows: list[Row] = []
    for activation in study.activations_of(model):
        if activation not in rows_of:
            continue
        stack = final.probabilities[list(rows_of[activation].values())]
        for stratification, strata in STRATA.items():
            for stratum in strata:
                members = assigned[stratification] == stratum
                if not members.any():
                    continue
                labels: Row = {"activation": activation, "stratification": stratification}
                labels |= {"stratum": stratum, "positions": int(members.sum())}
                part = stack[:, members], final.targets[members]
                for measure, found in _estimates(*part, study.statistics.confidence):
                    rows.append({**common, **labels, "measure": measure, **result_row(found)})
    return pa.Table.from_pylist(rows, schema=STRATA_SCHEMA)


def assign(
    mean: npt.ArrayLike, targets: npt.ArrayLike, symbols: Sequence[str]
) -> dict[Stratification, npt.NDArray[np.str_]]:
    """Return the stratum of each of N positions, one of `STRATA`, by how they are told apart.

    Args:
        mean: mean prediction of all cells, [N, V].
        targets: ids of the true characters, [N].
        symbols: the character of each id.
    """
    kinds = np.array([kind_of(symbol) for symbol in symbols], dtype=str)
    return {
        Stratification.SURPRISAL: fifths(surprisal(mean, targets)).astype(str),
        Stratification.ENTROPY: fifths(entropy(mean)).astype(str),
        Stratification.KIND: kinds[np.asarray(targets)],
    }


def kind_of(character: str) -> Kind:
    """Return the kind of a character; what is no other kind counts as punctuation."""
    if character == "\n":
        return Kind.NEWLINE
    tests = {
        Kind.SPACE: str.isspace,
        Kind.DIGIT: str.isdigit,
        Kind.LOWER_CASE: str.islower,
        Kind.CAPITAL: str.isupper,
    }
    return next((kind for kind, test in tests.items() if test(character)), Kind.PUNCTUATION)


def _estimates(
    stack: npt.NDArray[np.float32], targets: npt.NDArray[np.uint16], confidence: float
) -> Iterator[tuple[str, Estimate]]:
    """Yield (measure, estimate) of M seeds [M, n, V] of one activation on n positions."""
    if len(stack) > 1:
        yield from stratum_divergences(*pairwise(stack, targets), confidence)
    losses: Floats = np.array([surprisal(seed, targets).mean() for seed in stack])
    yield stratum_loss(losses, confidence)


def stratum_loss(losses: Floats, confidence: float) -> tuple[str, Estimate]:
    """Return (measure, estimate over seeds) of the seeds' losses [M] on a stratum."""
    return LOSS, possible(mean_interval(losses, confidence), bounds_of("val_loss"), confidence)


def stratum_divergences(
    pairs: npt.NDArray[np.int64], values: Mapping[str, Floats], confidence: float
) -> Iterator[tuple[str, Estimate]]:
    """Yield (measure, estimate over seeds) of the values [P] of all pairs [P, 2] on a stratum."""
    for name in DIVERGENCES:
        found = jackknife(pair_matrix(pairs, values[name])[1], confidence)
        yield name, possible(found, bounds_of(name), confidence)
