"""What one activation's cells measured along training, by seed: the material of every test."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from reprocore.errors import ReprocoreError
from reprocore.statistics.jackknife import pair_matrix
from reprocore.store.readers import read_pairs
from reprocore.store.schemas import CURVES_SCHEMA
from reprocore.store.tables import read_table
from reprocore.vocabulary import MEASURE_NAMES, SCORES

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Course:
    """One (activation, arm) of a model along training.

    Attributes:
        seeds: int64 [M], ascending.
        steps: int64 [S], ascending; the last is the final model.
        pairs: measure to [S, M, M], symmetric with zeros on the diagonal.
        scores: `val_loss` and `val_accuracy` to [S, M].
    """

    seeds: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    pairs: Mapping[str, Floats]
    scores: Mapping[str, Floats]

    def at(self, index: int, quantity: str) -> Floats:
        """Return a measure's pair matrix [M, M] or a score's values [M] at a step's index."""
        return (
            self.pairs[quantity][index] if quantity in self.pairs else self.scores[quantity][index]
        )


def read_courses(pairs: Iterable[str | Path], curves: str | Path) -> dict[tuple[str, str], Course]:
    """Read the pairs files of one model and join them with its losses.

    Args:
        pairs: `.../{model}/{activation}/{arm}.parquet`.
        curves: the model's `curves.parquet`.

    Returns:
        (activation, arm) to its course, in the order of `pairs`.

    Raises:
        ReprocoreError: a file is damaged, lacks a pair, or its seeds have no history.
    """
    losses: pd.DataFrame = read_table(curves, CURVES_SCHEMA).to_pandas()
    return {(path.parent.name, path.stem): _course(path, losses) for path in map(Path, pairs)}


def _course(path: Path, curves: pd.DataFrame) -> Course:
    frame = read_pairs(path).to_pandas()
    mine = curves[(curves["activation"] == path.parent.name) & (curves["arm"] == path.stem)]
    steps = np.unique(frame["step"])
    seeds = np.unique(frame[["seed_a", "seed_b"]])
    cubes: dict[str, list[Floats]] = {name: [] for name in MEASURE_NAMES}
    for _, group in frame.groupby("step", sort=True):
        labels = group[["seed_a", "seed_b"]].to_numpy()
        for name, matrices in cubes.items():
            matrices.append(pair_matrix(labels, group[name].to_numpy())[1])
    scores = {}
    for name in SCORES:
        table = mine.pivot(index="iteration", columns="seed", values=name)
        table = table.reindex(index=steps, columns=seeds)
        if table.isna().to_numpy().any():
            raise ReprocoreError(f"{path}: a seed or step has no history")
        scores[name] = table.to_numpy(np.float64)
    stacked = {name: np.stack(matrices) for name, matrices in cubes.items()}
    return Course(seeds, steps, stacked, scores)


def shared_seeds(courses: Iterable[Course]) -> list[int]:
    """Return the seeds that all courses have, ascending."""
    return sorted(set.intersection(*(set(course.seeds.tolist()) for course in courses)))


def restricted(course: Course, values: Floats, seeds: Sequence[int]) -> Floats:
    """Return the part of `values` ([M] or [M, M], in the order of the course) of these seeds."""
    kept = np.searchsorted(course.seeds, seeds)
    return values[np.ix_(*(kept,) * values.ndim)]


def pair_losses(course: Course) -> Floats:
    """Return the mean validation loss of each pair of seeds along training, [S, M, M]."""
    losses = course.scores["val_loss"]
    mean: Floats = (losses[:, :, None] + losses[:, None, :]) / 2
    return mean


def common_loss(courses: Iterable[Course]) -> float:
    """Return the worst loss that a pair of any course has reached by its end, nats.

    Every pair reaches it somewhere along its training, so nothing is extrapolated.
    """
    worst = -np.inf
    for course in courses:
        reached = pair_losses(course).min(axis=0)
        worst = max(worst, float(reached[np.triu_indices(len(course.seeds), 1)].max()))
    return worst


def at_loss(course: Course, measure: str, loss: float) -> Floats:
    """Return a measure's pair matrix [M, M] at the first time that each pair reaches `loss`.

    Between two snapshots both the measure and the best loss so far are taken as linear.

    Raises:
        ReprocoreError: a pair never reaches that loss.
    """
    best = np.minimum.accumulate(pair_losses(course), axis=0)
    # A seed beside itself is no pair, and may be worse than all its pairs.
    reached = (best <= loss) | np.eye(len(course.seeds), dtype=bool)
    if not reached[-1].all():
        raise ReprocoreError(f"matched loss: a pair of seeds never reaches {loss:.4f} nats")
    after = reached.argmax(axis=0)
    before = np.maximum(after - 1, 0)
    rows, columns = np.indices(after.shape)
    upper, lower = best[before, rows, columns], best[after, rows, columns]
    fall = upper - lower
    share = np.divide(upper - loss, fall, out=np.zeros_like(fall), where=fall > 0)
    values = course.pairs[measure]
    first, second = values[before, rows, columns], values[after, rows, columns]
    # An infinite difference stays one that is not finite, and is told as such.
    with np.errstate(invalid="ignore"):
        matrix: Floats = first + np.clip(share, 0.0, 1.0) * (second - first)
    return matrix
