"""How far apart the predictions of two models are, for one pair and for all pairs of many.

Probabilities are arrays [N, V]: N positions, V symbols, rows that sum to 1. They are checked, and
used as given, in float64, without renormalising. Ties between symbols go to the lowest symbol id.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import (
    Floats,
    Integers,
    as_array,
    check_block,
    check_probabilities,
    check_targets,
    stacked,
    tolerance_of,
)
from reprocore.vocabulary import LN2, MEASURES

TOP = 5
# Elements of one temporary: 128 KiB in float64, so the handful in use stay in a core's cache.
BLOCK_ELEMENTS = 16_384

# Takes the name of a measure, the index of a pair, and terms [rows] or [rows, V] of its sum.
AddTerms = Callable[[str, int, npt.NDArray[Any]], None]


def relative_pd(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Mean over positions and symbols of 2|p − q| / (p + q), 0 where both are 0; in 0–2.

    Shamir's relative prediction difference for two models. Arguments are [N, V].
    """
    a, b = _pair(p, q)
    return float(2.0 * _ratio(a, b).mean())


def relative_pd_true(p: npt.ArrayLike, q: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Relative PD at the symbol that really came, mean over positions; in 0–2.

    Args:
        p: probabilities [N, V].
        q: probabilities [N, V].
        targets: symbol ids [N], integers in 0 … V−1.

    Raises:
        ReprocoreError: `targets` are not N such integers.
    """
    a, b = _pair(p, q)
    rows, columns = np.arange(len(a)), check_targets(targets, len(a), a.shape[1])
    return float(2.0 * _ratio(a[rows, columns], b[rows, columns]).mean())


def total_variation(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Mean over positions of ½·Σ|p − q|; in 0–1 (capped at 1 against rows that sum to 1 + ε)."""
    a, b = _pair(p, q)
    return min(float(0.5 * np.abs(a - b).sum()) / len(a), 1.0)


def jensen_shannon(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Mean Jensen–Shannon divergence in nats; in 0–ln 2, exactly 0 for equal inputs.

    Entropies are subtracted symbol by symbol, which leaves an absolute error near 1e-16; the
    mean is clipped to the range against it.
    """
    a, b = _pair(p, q)
    middle = 0.5 * (a + b)
    terms = 0.5 * (a * _log(a) + b * _log(b)) - middle * _log(middle)
    return min(max(float(terms.sum()) / len(a), 0.0), LN2)


def jeffreys(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Mean of KL(p‖q) + KL(q‖p) in nats; ≥ 0.

    Infinite if anywhere one of the two is exactly 0 and the other is not, as can happen with
    probabilities that underflowed in float16 or float32.
    """
    a, b = _pair(p, q)
    if not np.array_equal(a == 0.0, b == 0.0):
        return math.inf
    return max(float(((a - b) * (_log(a) - _log(b))).sum()) / len(a), 0.0)


def churn(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Share of positions whose most likely symbol differs; in 0–1."""
    a, b = _pair(p, q)
    return float(np.mean(a.argmax(axis=1) != b.argmax(axis=1)))


def top5_overlap(p: npt.ArrayLike, q: npt.ArrayLike) -> float:
    """Mean share of the five likeliest symbols in common; in 0–1, 1 for equal inputs.

    With fewer than five symbols all of them count, and the result is 1.
    """
    a, b = _pair(p, q)
    common = int(np.count_nonzero(_likeliest(a)[1] & _likeliest(b)[1]))
    return float(common / (len(a) * min(TOP, a.shape[1])))


def pairwise(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike | None = None
) -> tuple[Integers, dict[str, Floats]]:
    """Every measure for every pair of M models, with the work per model done once.

    Args:
        probabilities: [M, N, V], real numbers of 0 or more, each row with sum 1; torch tensors too.
        targets: symbol ids [N]; None leaves `relative_pd_true` out of the result.

    Returns:
        Indices (i, j) with i < j as [P, 2], P = M(M−1)/2, and for each measure the values [P].

    Raises:
        ReprocoreError: `probabilities` are not 3-D, empty, or no probabilities, or `targets` do not
            fit them.

    Examples:
        >>> pairs, values = pairwise([[[0.5, 0.5]], [[0.25, 0.75]], [[0.0, 1.0]]])
        >>> pairs.tolist()
        [[0, 1], [0, 2], [1, 2]]
        >>> values["total_variation"].tolist()
        [0.25, 0.5, 0.25]
    """
    sums = _sums_of_pairs(probabilities, targets, {})
    return sums.pairs, sums.means()


def pairwise_by_block(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike | None, block: int
) -> tuple[Integers, dict[str, Floats], dict[str, Floats]]:
    """Return what `pairwise` does, and for each measure its means by block of positions [P, B].

    Args:
        probabilities: see `pairwise`.
        targets: likewise.
        block: positions of a block, N/B; each block follows the last.

    Raises:
        ReprocoreError: as `pairwise`, or N is no multiple of `block`.
    """
    positions = stacked(probabilities).shape[1]
    check_block(block, positions)
    sums = _sums_of_pairs(probabilities, targets, {"block": np.arange(positions) // block})
    return sums.pairs, sums.means(), sums.means_of("block")


class PairSums:
    """Running sums of every measure over positions that come in portions, for all pairs of models.

    Memory grows with the pairs and the parts, not with the positions or the symbols.

    Attributes:
        pairs: indices (i, j) with i < j, [P, 2].
        positions: how many have been added.
    """

    def __init__(self, models: int, targets: bool, parts: Mapping[str, Integers] | None = None):
        """Start with nothing.

        Args:
            models: M.
            targets: whether targets will be given.
            parts: by name, to which of K parts each of the N positions belongs, [N] in 0 … K−1.
        """
        self.pairs = np.column_stack(np.triu_indices(models, 1)).astype(np.int64)
        self.positions = self.symbols = 0
        self._parts = dict(parts or {})
        self._sizes = {name: np.bincount(labels) for name, labels in self._parts.items()}
        names = [name for name in MEASURES if targets or name != "relative_pd_true"]
        self._whole = {name: np.zeros(len(self.pairs)) for name in names}
        self._sums = {
            part: {name: np.zeros((len(self.pairs), len(sizes))) for name in names}
            for part, sizes in self._sizes.items()
        }

    def add(self, probabilities: npt.NDArray[Any], ids: Integers | None) -> None:
        """Add the next positions: probabilities [M, rows, V], and their targets [rows]."""
        _, positions, self.symbols = probabilities.shape
        rows = max(1, BLOCK_ELEMENTS // self.symbols)
        for start in range(0, positions, rows):
            chunk = slice(start, start + rows)
            p = np.ascontiguousarray(probabilities[:, chunk], dtype=np.float64)
            self._add(p, None if ids is None else ids[chunk])
            self.positions += p.shape[1]

    def means(self) -> dict[str, Floats]:
        """Return each measure [P] over all positions that were added."""
        return _means(self._whole, np.asarray(self.positions), self.symbols)

    def means_of(self, part: str) -> dict[str, Floats]:
        """Return each measure over the positions of each part, [P, K]; NaN for an empty part."""
        with np.errstate(invalid="ignore"):
            return _means(self._sums[part], self._sizes[part], self.symbols)

    def _add(self, p: Floats, ids: Integers | None) -> None:
        _add_divergences(p, self.pairs, self._add_terms)
        _add_ranks(p, self.pairs, self._add_terms)
        if ids is not None:
            at_target = p[:, np.arange(p.shape[1]), ids]
            for k, (i, j) in enumerate(self.pairs):
                self._add_terms("relative_pd_true", k, _ratio(at_target[i], at_target[j]))

    def _add_terms(self, name: str, pair: int, terms: npt.NDArray[Any]) -> None:
        """Add terms [rows] or [rows, V] of the next positions."""
        self._whole[name][pair] += terms.sum()
        if self._parts:
            by_row = terms if terms.ndim == 1 else terms.sum(axis=1)
            rows = slice(self.positions, self.positions + len(terms))
            for part, labels in self._parts.items():
                np.add.at(self._sums[part][name][pair], labels[rows], by_row)


def _sums_of_pairs(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike | None, parts: Mapping[str, Integers]
) -> PairSums:
    stack = stacked(probabilities)
    models, positions, symbols = stack.shape
    for index, model in enumerate(stack):
        check_probabilities(model, f"model {index}", tolerance=tolerance_of(probabilities))
    ids = None if targets is None else check_targets(targets, positions, symbols)
    sums = PairSums(models, ids is not None, parts)
    sums.add(stack, ids)
    return sums


def _means(sums: Mapping[str, Floats], positions: Integers, symbols: int) -> dict[str, Floats]:
    """Return each measure of its sums over so many positions."""
    of = {
        "relative_pd": lambda x: 2.0 * x / (positions * symbols),
        "relative_pd_true": lambda x: 2.0 * x / positions,
        "total_variation": lambda x: np.minimum(0.5 * x / positions, 1.0),
        "jensen_shannon": lambda x: np.clip(x / positions, 0.0, LN2),
        "jeffreys": lambda x: np.maximum(x / positions, 0.0),
        "churn": lambda x: x / positions,
        "top5_overlap": lambda x: x / (positions * min(TOP, symbols)),
    }
    return {name: of[name](total) for name, total in sums.items()}


def _pair(p: npt.ArrayLike, q: npt.ArrayLike) -> tuple[Floats, Floats]:
    # Without this, numpy would broadcast [1, V] against [N, V] silently.
    a, b = as_array(p), as_array(q)
    for name, values, given in (("p", a, p), ("q", b, q)):
        check_probabilities(values, name, tolerance=tolerance_of(given))
    a = np.ascontiguousarray(a, dtype=np.float64)
    b = np.ascontiguousarray(b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or a.size == 0:
        raise ReprocoreError(
            f"probabilities: shapes {a.shape} and {b.shape}, must be one [positions, symbols]"
        )
    return a, b


def _ratio(a: Floats, b: Floats) -> Floats:
    # Where both are 0 their difference is already the 0 that is wanted; NaN stays NaN.
    total, difference = a + b, np.abs(a - b)
    return np.divide(difference, total, out=difference, where=total > 0.0)


def _log(x: Floats) -> Floats:
    # 0 stands for log 0: it is only ever multiplied by 0, or replaced by an infinity.
    return np.log(x, out=np.zeros_like(x), where=x > 0.0)


def _likeliest(p: Floats) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Most likely symbol [N] and membership in the top five [N, V].

    Repeated argmax instead of a partition, because argmax fixes which of equal symbols wins.
    """
    left, rows = p.copy(), np.arange(p.shape[0])
    members = np.zeros(p.shape, dtype=np.bool_)
    first = p.argmax(axis=1)
    for _ in range(min(TOP, p.shape[1])):
        best = left.argmax(axis=1)
        members[rows, best] = True
        left[rows, best] = -1.0
    return first, members


def _add_divergences(p: Floats, pairs: Integers, add: AddTerms) -> None:
    """Add the positions p [M, rows, V] to the sums, reusing three temporaries for all pairs."""
    logs = _log(p)
    negentropy = p * logs
    positive = [bool((model > 0.0).all()) for model in p]
    difference, total, work = (np.empty(p.shape[1:]) for _ in range(3))
    present = np.empty(p.shape[1:], dtype=np.bool_)
    for k, (i, j) in enumerate(pairs):
        np.subtract(p[i], p[j], out=difference)
        np.subtract(logs[i], logs[j], out=work)
        work *= difference
        same_zeros = (positive[i] and positive[j]) or np.array_equal(p[i] == 0.0, p[j] == 0.0)
        terms = work if same_zeros else np.where((p[i] == 0.0) != (p[j] == 0.0), math.inf, work)
        add("jeffreys", k, terms)

        np.abs(difference, out=difference)
        add("total_variation", k, difference)

        np.add(p[i], p[j], out=total)
        np.greater(total, 0.0, out=present)
        np.divide(difference, total, out=difference, where=present)
        add("relative_pd", k, difference)

        # The mask anew: half of the smallest float is 0.
        total *= 0.5
        np.greater(total, 0.0, out=present)
        np.log(total, out=work, where=present)
        work *= total
        np.add(negentropy[i], negentropy[j], out=total)
        total *= 0.5
        total -= work
        add("jensen_shannon", k, total)


def _add_ranks(p: Floats, pairs: Integers, add: AddTerms) -> None:
    ranked = [_likeliest(row) for row in p]
    for k, (i, j) in enumerate(pairs):
        add("churn", k, ranked[i][0] != ranked[j][0])
        common = np.einsum("nv,nv->n", ranked[i][1].view(np.uint8), ranked[j][1].view(np.uint8))
        add("top5_overlap", k, common)
