"""What a number of seeds can decide: the power of the closed test for errors that were measured.

Errors are taken as normal. A study of M seeds is drawn as what the test needs of it, the means and
the covariance over seeds (Wishart, by Bartlett's decomposition), so that the cost does not grow
with M.
"""

import functools
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, fdtri

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.statistics.closed_test import MOST_ACTIVATIONS, epsilon
from reprocore.statistics.jackknife import kept_variance, pseudo_values
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS_OF_A_TEST, fewest_seeds

# Made by `reprocore document` from the published pairs of the reference study.
SHIPPED = "reference_errors.json"
POWER = 0.8
STUDIES = 1000
# Numbers of studies × sets × activations that are held at once.
CELLS = 4_000_000
_RANDOM = 20_230_511


class Errors(NamedTuple):
    """Covariances [A, A] of A activations' errors, as shares of each activation's level.

    Attributes:
        seed: of what a seed adds to each of its pairs, PD_ij = θ + s_i + s_j + e_ij.
        pair: of what a pair has beyond its seeds.
        dof: degrees of freedom with which the size of the errors is known, ε(A−1)(M−1); infinite
            where it is taken as known.
    """

    seed: Floats
    pair: Floats
    dof: float = math.inf

    def scaled(self, factor: float) -> "Errors":
        """Return errors of `factor` times the variance."""
        return Errors(self.seed * factor, self.pair * factor, self.dof)


def measured_errors(values: npt.ArrayLike) -> Errors:
    """Errors of A activations, as measured on the same M seeds.

    Args:
        values: per pair [A, M, M], symmetric with zero diagonals, or per seed [A, M]; finite,
            A ≥ 2, M ≥ 4, no mean of 0.

    Raises:
        ReprocoreError: not such values.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim not in (2, 3) or x.shape[0] < 2 or x.shape[1] < LEAST_SEEDS_OF_A_TEST:
        raise ReprocoreError(f"errors of activations: shape {x.shape}, needs 2 or more of 4 seeds")
    seeds = x.shape[1]
    own = x if x.ndim == 2 else np.stack([pseudo_values(matrix) for matrix in x])
    level = own.mean(axis=1)
    if not (np.isfinite(level).all() and level.all()):
        raise ReprocoreError("errors of activations: a mean is 0 or not finite")
    half = (own / level[:, None] - 1) / 2
    seed = half @ half.T / (seeds - 1)
    dof = float(epsilon(half - half.mean(axis=0))) * (len(x) - 1) * (seeds - 1)
    if x.ndim == 2:
        return Errors(seed, np.zeros_like(seed), dof)
    i, j = np.triu_indices(seeds, 1)
    single = x[:, i, j] / level[:, None] - 1 - half[:, i] - half[:, j]
    pair = single @ single.T / (seeds * (seeds - 3) / 2)
    return Errors(_positive(seed - pair / (seeds - 2)), pair, dof)


@functools.cache
def shipped_errors(measure: str) -> Mapping[str, Errors]:
    """Errors of the activations of the reference study by model; empty for an unknown measure."""
    text = resources.files("reprocore").joinpath(f"statistics/{SHIPPED}").read_text("utf-8")
    return {
        model: Errors(_positive(np.array(known[measure]["seed"])), np.array(known[measure]["pair"]))
        for model, known in json.loads(text).items()
        if measure in known
    }


def for_activations(errors: Errors, activations: int) -> Errors:
    """Return errors of so many activations: the first ones, or copies of all.

    Copies share with the others what activations share in the mean.
    """
    known = len(errors.seed)
    place = np.arange(activations)
    same = place[:, None] // known == place // known

    def filled(covariance: Floats) -> Floats:
        common = covariance[~np.eye(known, dtype=bool)].mean()
        copied = covariance[np.ix_(place % known, place % known)]
        return _positive(np.where(same, copied, common))

    return Errors(filled(errors.seed), filled(errors.pair), errors.dof)


def found_from(errors: Errors, seeds: int, alpha: float = 0.05, studies: int = STUDIES) -> Floats:
    """Draw studies and return from which difference on each finds one activation [studies, A−1].

    The others equal the reference, which is the first; the one in question is so much higher, as a
    share of the level. Errors are normal and the same for both signs, and the closed test's own
    sets decide; above `MOST_ACTIVATIONS` it is the first step of Holm.

    Args:
        errors: of the activations, of which there are A ≥ 2.
        seeds: M ≥ 4, shared by all.
        alpha: of the family.
        studies: to be drawn; the same at every call.

    Returns:
        ≤ 0 where the difference is found however small; the share of studies at or below a
        difference is the power for it.
    """
    activations = len(errors.seed)
    rng = np.random.default_rng(_RANDOM)
    means = _means(rng, errors, seeds, studies)
    gram = _gram(rng, errors, seeds, studies)
    sets = _sets(activations)
    if activations > MOST_ACTIVATIONS:
        alpha = alpha / (activations - 1)
    result = np.empty((studies, activations - 1))
    chunk = max(1, CELLS // (len(sets) * activations))
    for start in range(0, studies, chunk):
        part = slice(start, start + chunk)
        result[part] = _least_found(means[part], gram[part], sets, seeds, alpha)
    return result


def detectable(errors: Errors, seeds: int, alpha: float = 0.05, power: float = POWER) -> float:
    """Difference, as a share of the level, that is found with this power, over the activations."""
    studies = _studies(len(errors.seed))
    found = found_from(errors, seeds, alpha, studies)
    return max(0.0, float(np.quantile(found, power)))


class SeedsNeeded(NamedTuple):
    """Seeds with which a difference is found, and the ends of their 95% interval.

    None is more than `MOST_SEEDS`.
    """

    seeds: int | None
    low: int | None
    high: int | None


def seeds_for(
    errors: Errors, differences: Sequence[float], alpha: float = 0.05, power: float = POWER
) -> list[SeedsNeeded]:
    """Seeds with which the closed test finds each difference with this power.

    The interval is that of the size of the errors, χ² on `errors.dof`, their shape taken as it was
    measured.

    Args:
        errors: of the activations.
        differences: as shares of the level, above 0.
        alpha: of the family.
        power: chance of finding it, the mean over the activations.
    """
    known = functools.cache(lambda seeds: detectable(errors, seeds, alpha, power))
    low, high = size_interval(errors.dof)

    def needed(difference: float) -> int | None:
        return fewest_seeds(lambda seeds: known(seeds) <= difference, LEAST_SEEDS_OF_A_TEST)

    return [SeedsNeeded(*(needed(d / math.sqrt(k)) for k in (1.0, low, high))) for d in differences]


def size_interval(dof: float, confidence: float = 0.95) -> tuple[float, float]:
    """Ends of what the true variance may be, over the measured one, on `dof` degrees of freedom."""
    if math.isinf(dof):
        return 1.0, 1.0
    tail = (1 - confidence) / 2
    return float(dof / chdtri(dof, tail)), float(dof / chdtri(dof, 1 - tail))


def _studies(activations: int) -> int:
    """Fewer studies where there are many sets: a second or so for all that is asked."""
    return STUDIES if activations <= 8 else STUDIES // 4


def _means(rng: np.random.Generator, errors: Errors, seeds: int, studies: int) -> Floats:
    covariance = (4 * errors.seed + 2 * errors.pair / (seeds - 1)) / seeds
    return np.asarray(rng.standard_normal((studies, len(covariance))) @ _root(covariance).T)


def _gram(rng: np.random.Generator, errors: Errors, seeds: int, studies: int) -> Floats:
    """Covariances [studies, A, A] over seeds of what `paired_pseudo_values` would give."""
    activations, free = len(errors.seed), seeds - 1
    columns = min(activations, free)
    lower = np.tril(rng.standard_normal((studies, activations, columns)))
    degrees = free - np.arange(columns)
    lower[:, range(columns), range(columns)] = np.sqrt(rng.chisquare(degrees, (studies, columns)))
    x = _root(4 * errors.seed + 4 * errors.pair / (seeds - 2)) @ lower
    gram = x @ x.swapaxes(1, 2) / free
    pair_free = (activations - 1) * seeds * (seeds - 3) / 2
    pair_ms = _interaction(errors.pair) * rng.chisquare(pair_free, studies) / pair_free
    kept = kept_variance(_interaction(gram), pair_ms, activations, seeds)
    if not errors.pair.any():
        kept = np.ones_like(kept)
    return np.asarray(gram * kept[:, None, None])


def _interaction(covariance: Floats) -> Floats:
    """Mean variance [...] of what is not common to the activations."""
    size = covariance.shape[-1]
    trace = np.trace(covariance, axis1=-2, axis2=-1)
    return np.asarray((trace - covariance.sum(axis=(-2, -1)) / size) / (size - 1))


def _sets(activations: int) -> Floats:
    """Sets with the reference, as 0 and 1 [sets, A]; above `MOST_ACTIVATIONS` the pairs alone."""
    others = range(1, activations)
    sizes = others if activations <= MOST_ACTIVATIONS else (1,)
    members = [m for size in sizes for m in itertools.combinations(others, size)]
    result = np.zeros((len(members), activations))
    result[:, 0] = 1
    for row, chosen in zip(result, members, strict=True):
        row[list(chosen)] = 1
    return result


def _least_found(means: Floats, gram: Floats, sets: Floats, seeds: int, alpha: float) -> Floats:
    """Return the difference from which on every set that holds an activation rejects [S, A−1].

    A set's F grows with the square of the difference d: its numerator is the variance of the
    means, Σm² + 2d·m_a + d²(1 − 1/s) over s − 1, so that the threshold is a root of it.
    """
    size = sets.sum(axis=1)
    threshold = _threshold(gram, sets, size, seeds, alpha)
    average = means @ sets.T / size
    spread = means**2 @ sets.T - size * average**2
    excess = spread - threshold
    leading = 1 - 1 / size
    result = np.empty((len(means), sets.shape[1] - 1))
    for a in range(1, sets.shape[1]):
        holds = sets[:, a] == 1
        own = means[:, a, None] - average[:, holds]
        root = own**2 - leading[holds] * excess[:, holds]
        ends = (np.sqrt(root.clip(min=0)) - own) / leading[holds]
        result[:, a - 1] = np.where(root < 0, -np.inf, ends).max(axis=1)
    return result


def _threshold(gram: Floats, sets: Floats, size: Floats, seeds: int, alpha: float) -> Floats:
    """Return what Σ(m − mean)² of a set's means must exceed [S, sets]."""
    rows = gram @ sets.T
    total = np.einsum("sak,ka->sk", rows, sets)
    trace = np.diagonal(gram, axis1=1, axis2=2) @ sets.T - total / size
    squares = np.einsum("sak,ka->sk", gram**2 @ sets.T, sets)
    squares += total**2 / size**2 - 2 / size * np.einsum("sak,ka->sk", rows**2, sets)
    free = size - 1
    share = np.divide(trace**2, free * squares, out=np.ones_like(trace), where=squares > 0)
    eps = share.clip(1 / free, 1.0)
    critical = np.empty_like(eps)
    for s in np.unique(size):
        # F's quantile is smooth in ε: 33 nodes are within 1 in 10,000.
        nodes = np.linspace(1 / (s - 1), 1.0, 33) * (s - 1)
        f = fdtri(nodes, nodes * (seeds - 1), 1 - alpha)
        of_size = size == s
        critical[:, of_size] = np.interp(eps[:, of_size] * (s - 1), nodes, f)
    return np.asarray(critical * trace / seeds)


def _positive(covariance: Floats) -> Floats:
    root = _root(covariance)
    return np.asarray(root @ root.T)


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(values.clip(0)))
