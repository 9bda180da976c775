"""The closed test: which of A activations differ, with the error held over the whole family.

A hypothesis is that all activations of a set are alike. Two activations are told apart only if
every set that holds both is rejected, so no comparison is paid for twice and no error is made more
often than in the sets themselves (Marcus, Peritz & Gabriel 1976).
"""

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from reprocore.statistics.checks import Floats
from reprocore.statistics.tests_over_seeds import ROUNDING

# 2^12 − 13 sets; with one more activation it is twice as many.
MOST_ACTIVATIONS = 12


class ClosedTest(NamedTuple):
    """p-values [..., A, A] of all pairs of activations, symmetric, 1 on the diagonal.

    Attributes:
        p: by the paired t of the two.
        reference: adjusted for a family of contrasts that share one activation, the row's.
        all_pairs: adjusted for the family of all pairs.
    """

    p: Floats
    reference: Floats
    all_pairs: Floats


def epsilon(own: npt.ArrayLike) -> Floats:
    """How far s activations' errors are from spherical: 1 for spherical, 1/(s−1) at the least.

    (tr K)²/((s−1)·tr K²) of the covariance K over seeds (Greenhouse & Geisser 1959).

    Args:
        own: [..., s, M] whose means over the s activations and over the M seeds are 0.

    Returns:
        [...]; 1 where nothing varies.
    """
    x = np.asarray(own, dtype=np.float64)
    free = x.shape[-2] - 1
    total, squares = (x**2).sum(axis=(-2, -1)), ((x @ x.swapaxes(-1, -2)) ** 2).sum(axis=(-2, -1))
    share = np.divide(total**2, free * squares, out=np.ones_like(total), where=squares > 0)
    return np.asarray(share.clip(1 / free, 1.0))


def alike(values: npt.ArrayLike) -> Floats:
    """p-value [...] that s activations are alike, over the same M seeds.

    F = M·var(means)/(tr K/(s−1)) on ε(s−1) and ε(s−1)(M−1) degrees of freedom, K the doubly
    centred covariance over seeds (Greenhouse & Geisser 1959). For s = 2 it is the paired t test.

    Args:
        values: [..., s, M], one figure per seed or paired pseudo-values; s, M ≥ 2, finite.

    Returns:
        1 where nothing varies from seed to seed, however far the means are apart.
    """
    x = np.asarray(values, dtype=np.float64)
    activations, seeds = x.shape[-2:]
    free = activations - 1
    means = x.mean(axis=-1)
    own = x - means[..., np.newaxis]
    own = own - own.mean(axis=-2, keepdims=True)
    noise = (own**2).sum(axis=(-2, -1)) / (seeds - 1) / free / seeds
    varies = np.sqrt(noise) > ROUNDING * np.abs(x).max(axis=(-2, -1))
    f = np.divide(means.var(axis=-1, ddof=1), noise, out=np.zeros_like(noise), where=varies)
    dof = epsilon(own) * free
    return np.where(varies, fdtrc(dof, dof * (seeds - 1), f), 1.0)


def closed_test(values: npt.ArrayLike) -> ClosedTest:
    """Compare A activations over the same M seeds, two by two, as one family.

    For contrasts with one reference, p is the largest over all sets that hold both activations.
    For all pairs, that of a set of s < A−1 activations is first multiplied by A/s, since several
    such sets may be alike at once (Ryan 1960; Einot & Gabriel 1975; Welsch 1977).

    Args:
        values: [..., A, M], one figure per seed or paired pseudo-values; finite, M ≥ 2,
            2 ≤ A ≤ `MOST_ACTIVATIONS`.
    """
    x = np.asarray(values, dtype=np.float64)
    activations = x.shape[-2]
    shape = (*x.shape[:-2], activations, activations)
    result = ClosedTest(np.ones(shape), np.zeros(shape), np.zeros(shape))
    pairs = list(itertools.combinations(range(activations), 2))
    for size in range(2, activations + 1):
        members = np.array(list(itertools.combinations(range(activations), size)))
        p = alike(x[..., members, :])
        weight = 1.0 if size >= activations - 1 else activations / size
        for a, b in pairs:
            largest = p[..., (members == a).any(axis=1) & (members == b).any(axis=1)].max(axis=-1)
            if size == 2:
                _set(result.p, a, b, largest)
            for matrix, adjusted in (
                (result.reference, largest),
                (result.all_pairs, np.minimum(weight * largest, 1.0)),
            ):
                _set(matrix, a, b, np.maximum(matrix[..., a, b], adjusted))
    for matrix in result[1:]:
        matrix[..., range(activations), range(activations)] = 1.0
    return result


def _set(matrix: Floats, a: int, b: int, values: Floats) -> None:
    matrix[..., a, b] = matrix[..., b, a] = values
