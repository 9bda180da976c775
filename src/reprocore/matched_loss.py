"""Prediction differences at the same validation loss.

A model that has learned less agrees with itself more easily, so activations are also compared
where they predict equally well: at the worst final loss of those compared.
"""

from collections.abc import Iterable

import numpy as np

from reprocore.courses import Course, Floats
from reprocore.errors import ReprocoreError


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
