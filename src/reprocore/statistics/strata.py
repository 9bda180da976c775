"""Positions in five parts of equal size, by how hard they are."""

import numpy as np
import numpy.typing as npt

from reprocore.statistics.checks import Floats, Integers

PARTS = 5


def surprisal(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> Floats:
    """−ln of the probability of the symbol that really came, nats: ids [N], [N, V] to [N]."""
    p, ids = np.asarray(probabilities, dtype=np.float64), np.asarray(targets)
    with np.errstate(divide="ignore"):
        return -np.log(p[np.arange(len(p)), ids]) + 0.0


def entropy(probabilities: npt.ArrayLike) -> Floats:
    """−Σ p ln p of each row of [N, V], nats, [N]."""
    p = np.asarray(probabilities, dtype=np.float64)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(-(p * logs).sum(axis=1) + 0.0)


def fifths(values: npt.ArrayLike) -> Integers:
    """Fifth of each of N values, 1 for the lowest to 5; of equal ones the earlier is the lower.

    Sizes differ by 1 at most. With fewer than five values some fifths are empty.
    """
    x = np.asarray(values, dtype=np.float64)
    found = np.empty(len(x), dtype=np.int64)
    found[np.argsort(x, kind="stable")] = np.arange(len(x)) * PARTS // max(len(x), 1) + 1
    return found
