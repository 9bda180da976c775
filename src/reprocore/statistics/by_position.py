"""How far apart M models are at each of N positions: [M, N, V] to [N]."""

import numpy as np
import numpy.typing as npt

from reprocore.statistics.checks import Floats, Integers


def dissent(stack: npt.ArrayLike, likeliest: npt.ArrayLike) -> Floats:
    """Return the share of models whose likeliest symbol is not the given one, ids [N]."""
    return np.asarray((np.asarray(stack).argmax(axis=2) != np.asarray(likeliest)).mean(axis=0))


def mean_total_variation(stack: npt.ArrayLike) -> Floats:
    """Return ½·Σ|p−q| at each position, the mean over pairs of M ≥ 2 models.

    Of sorted numbers x₁ … x_M, Σ|xᵢ−xⱼ| over pairs is Σ(2k−M−1)·x_k: no pair is looked at.
    """
    p = np.sort(np.asarray(stack, dtype=np.float64), axis=0)
    count = len(p)
    weights = 2 * np.arange(count) - count + 1
    return np.asarray(np.tensordot(weights, p, 1).sum(axis=1) / (count * (count - 1)))


def likeliest(probabilities: npt.ArrayLike, ranks: int) -> Integers:
    """Return the ids of the likeliest symbols of [..., V], [..., ranks]; equal ones by id."""
    return np.argsort(-np.asarray(probabilities), axis=-1, kind="stable")[..., :ranks]
