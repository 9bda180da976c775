"""What one activation's cells measured along training, by seed: the material of every test."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.contrasts import of_seeds
from reprocore.statistics.jackknife import pair_matrix
from reprocore.store.readers import read_pairs
from reprocore.store.schemas import CURVES_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.cells import GROUP
from reprocore.vocabulary import PAIR_MEASURES, SCORES


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One (activation, arm) of a model along training.

    Attributes:
        seeds: int64 [M], ascending.
        steps: int64 [S], ascending; the last is the final model.
        pairs: measure to [S, M, M], symmetric with zeros on the diagonal; NaN at the steps at
            which it is not measured.
        scores: `val_loss` and `val_accuracy` to [S, M].
    """

    seeds: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    pairs: Mapping[str, Floats]
    scores: Mapping[str, Floats]

    def at(self, index: int, quantity: str, seeds: Sequence[int] | None = None) -> Floats:
        """Return a measure's pair matrix [M, M] or a score's values [M] at a step's index.

        Args:
            index: of the step.
            quantity: a measure or a score.
            seeds: ascending; None is all.
        """
        values = (self.pairs if quantity in self.pairs else self.scores)[quantity][index]
        return values if seeds is None else of_seeds((self.seeds, values), seeds)


Trajectories = Mapping[tuple[str, str], Trajectory]


def read_trajectories(
    pairs: Iterable[str | Path], curves: Iterable[str | Path]
) -> dict[str, Trajectories]:
    """Read pairs files and join them with the losses of their cells.

    Args:
        pairs: one pairs file per (model, activation, arm).
        curves: the curves file of each model.

    Returns:
        For each model of `curves`, (activation, arm) to its trajectory, in the order of `pairs`.

    Raises:
        ReprocoreError: a file is damaged, lacks a pair, or its seeds have no history.
    """
    tables = [read_table(path, CURVES_SCHEMA) for path in curves]
    losses: pd.DataFrame = pa.concat_tables([CURVES_SCHEMA.empty_table(), *tables]).to_pandas()
    models: dict[str, dict[tuple[str, str], Trajectory]] = {m: {} for m in losses["model"].unique()}
    for path in pairs:
        frame = read_pairs(path).to_pandas()
        for (model, activation, arm), group in frame.groupby([*GROUP], sort=False):
            own = (losses.model == model) & (losses.activation == activation) & (losses.arm == arm)
            models.setdefault(model, {})[activation, arm] = _trajectory(path, group, losses[own])
    return dict(models)


def _trajectory(path: str | Path, frame: pd.DataFrame, curves: pd.DataFrame) -> Trajectory:
    steps = np.unique(frame["step"])
    seeds = np.unique(frame[["seed_a", "seed_b"]])
    cubes: dict[str, list[Floats]] = {name: [] for name in PAIR_MEASURES}
    for _, group in frame.groupby("step", sort=True):
        labels = group[["seed_a", "seed_b"]].to_numpy()
        for name, matrices in cubes.items():
            matrices.append(pair_matrix(labels, group[name].to_numpy())[1])
    scores = {}
    for name in SCORES:
        table = curves.pivot(index="iteration", columns="seed", values=name)
        table = table.reindex(index=steps, columns=seeds)
        if table.isna().to_numpy().any():
            raise ReprocoreError(f"{path}: a seed or step has no history")
        scores[name] = table.to_numpy(np.float64)
    stacked = {name: np.stack(matrices) for name, matrices in cubes.items()}
    return Trajectory(seeds, steps, stacked, scores)


def shared_seeds(trajectories: Iterable[Trajectory]) -> list[int]:
    """Return the seeds that all trajectories have, ascending."""
    return sorted(
        set.intersection(*(set(trajectory.seeds.tolist()) for trajectory in trajectories))
    )


def pair_losses(trajectory: Trajectory) -> Floats:
    """Return the mean validation loss of each pair of seeds along training, [S, M, M]."""
    losses = trajectory.scores["val_loss"]
    mean: Floats = (losses[:, :, None] + losses[:, None, :]) / 2
    return mean


def common_loss(trajectories: Iterable[Trajectory]) -> float:
    """Return the worst loss of a pair of any trajectory at its end, nats: the matched loss.

    Every pair reaches it somewhere along its training, perhaps before its first snapshot.
    """
    worst = -np.inf
    for trajectory in trajectories:
        final = pair_losses(trajectory)[-1]
        worst = max(worst, float(final[np.triu_indices(len(final), 1)].max()))
    return worst


def at_loss(trajectory: Trajectory, measure: str, loss: float) -> Floats:
    """Return a measure's pair matrix [M, M] at the first time that each pair reaches `loss`.

    Between two snapshots the measure is taken as linear in the pair's own mean loss. NaN for a pair
    that is past that loss at its first snapshot: what it was there is not stored.

    Raises:
        ReprocoreError: a pair never reaches that loss.
    """
    before, after, share = _crossing(trajectory, loss)
    rows, columns = np.indices(after.shape)
    values = trajectory.pairs[measure]
    first, second = values[before, rows, columns], values[after, rows, columns]
    # An infinite difference stays one that is not finite, and its reason says so.
    with np.errstate(invalid="ignore"):
        matrix: Floats = first + share * (second - first)
    return matrix


def interpolation(trajectory: Trajectory, loss: float) -> float | None:
    """Return how far `loss` is from the nearer snapshot, as a share of the gap in loss, 0 to 0.5.

    The mean over pairs; 0 where a snapshot has that loss, None if a pair is past it at the first.

    Raises:
        ReprocoreError: a pair never reaches that loss.
    """
    share = _crossing(trajectory, loss)[2]
    mean = float(np.minimum(share, 1 - share)[np.triu_indices(len(share), 1)].mean())
    return None if math.isnan(mean) else mean


def _crossing(
    trajectory: Trajectory, loss: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Return the snapshots between which each pair first reaches `loss`, and how far, [M, M].

    How far is NaN for a pair that is past it at the first snapshot.
    """
    losses = pair_losses(trajectory)
    # A seed beside itself is no pair, and may be worse than all its pairs.
    no_pair = np.eye(len(trajectory.seeds), dtype=bool)
    reached = (losses <= loss) | no_pair
    after = reached.argmax(axis=0)
    if not reached.any(axis=0).all():
        raise ReprocoreError(f"matched loss: a pair of seeds never reaches {loss:.4f} nats")
    before = np.maximum(after - 1, 0)
    rows, columns = np.indices(after.shape)
    upper, lower = losses[before, rows, columns], losses[after, rows, columns]
    fall = upper - lower
    share = np.divide(upper - loss, fall, out=np.zeros_like(fall), where=fall > 0)
    share = np.where((losses[0] < loss) & ~no_pair, np.nan, share.clip(0.0, 1.0))
    return before, after, share
