"""How far apart the predictions of two models are, for one pair and for all pairs of many.

Probabilities are arrays [N, V]: N positions, V symbols, rows that sum to 1. They are used as
given, in float64, without renormalising. Ties between symbols go to the lowest symbol id.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats, Integers, check_block, check_targets, stacked
from reprocore.vocabulary import LN2, MEASURES

TOP = 5
# Elements of one temporary: 128 KiB in float64, so the handful in use stay in a core's cache.
BLOCK_ELEMENTS = 16_384


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
        probabilities: [M, N, V], checked with `check_probabilities` by whoever read them: a NaN
            would show in most measures but not in `churn` and `top5_overlap`.
        targets: symbol ids [N]; None leaves `relative_pd_true` out of the result.

    Returns:
        Indices (i, j) with i < j as [P, 2], P = M(M−1)/2, and for each measure the values [P].

    Raises:
        ReprocoreError: `probabilities` are not 3-D or empty, or `targets` do not fit them.
    """
    pairs, sums, sizes = _sums_of_pairs(probabilities, targets, None)
    return pairs, _means(sums.whole, *sizes)


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
    pairs, sums, (positions, symbols) = _sums_of_pairs(probabilities, targets, block)
    return pairs, _means(sums.whole, positions, symbols), _means(sums.parts, block, symbols)


class _Sums:
    """Sums of every measure over positions, for each pair: of all [P], and of each block [P, B]."""

    def __init__(self, pairs: int, positions: int, names: Iterable[str], block: int | None):
        self.whole = {name: np.zeros(pairs) for name in names}
        self.block = block
        shape = (pairs, positions // block if block else 0)
        self.parts = {name: np.zeros(shape) for name in self.whole}

    def go_to(self, start: int, rows: int) -> None:
        """Take what is added next as terms of so many positions from `start` on."""
        if self.block is not None:
            first, last = start // self.block, (start + rows - 1) // self.block
            self.blocks = slice(first, last + 1)
            self.firsts = np.maximum(np.arange(first, last + 1) * self.block - start, 0)

    def add(self, name: str, pair: int, terms: npt.NDArray[Any]) -> None:
        """Add terms [rows] or [rows, V]."""
        self.whole[name][pair] += terms.sum()
        if self.block is not None:
            edges = self.firsts * (terms.size // len(terms))
            sums = np.add.reduceat(terms.ravel(), edges, dtype=np.float64)
            self.parts[name][pair, self.blocks] += sums


def _sums_of_pairs(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike | None, block: int | None
) -> tuple[Integers, _Sums, tuple[int, int]]:
    """Return the pairs, the sums of the measures, and the numbers of positions and symbols."""
    stack = stacked(probabilities)
    models, positions, symbols = stack.shape
    if block is not None:
        check_block(block, positions)
    pairs = np.column_stack(np.triu_indices(models, 1)).astype(np.int64)
    ids = None if targets is None else check_targets(targets, positions, symbols)
    names = [name for name in MEASURES if ids is not None or name != "relative_pd_true"]
    sums = _Sums(len(pairs), positions, names, block)
    rows = max(1, BLOCK_ELEMENTS // symbols)
    for start in range(0, positions, rows):
        chunk = slice(start, start + rows)
        p = np.ascontiguousarray(stack[:, chunk], dtype=np.float64)
        sums.go_to(start, p.shape[1])
        _add_divergences(p, pairs, sums)
        _add_ranks(p, pairs, sums)
        if ids is not None:
            at_target = p[:, np.arange(p.shape[1]), ids[chunk]]
            for k, (i, j) in enumerate(pairs):
                sums.add("relative_pd_true", k, _ratio(at_target[i], at_target[j]))
    return pairs, sums, (positions, symbols)


def _means(sums: dict[str, Floats], positions: int, symbols: int) -> dict[str, Floats]:
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
    a = np.ascontiguousarray(p, dtype=np.float64)
    b = np.ascontiguousarray(q, dtype=np.float64)
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


def _add_divergences(p: Floats, pairs: Integers, sums: _Sums) -> None:
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
        sums.add("jeffreys", k, terms)

        np.abs(difference, out=difference)
        sums.add("total_variation", k, difference)

        np.add(p[i], p[j], out=total)
        np.greater(total, 0.0, out=present)
        np.divide(difference, total, out=difference, where=present)
        sums.add("relative_pd", k, difference)

        # The mask anew: half of the smallest float is 0.
        total *= 0.5
        np.greater(total, 0.0, out=present)
        np.log(total, out=work, where=present)
        work *= total
        np.add(negentropy[i], negentropy[j], out=total)
        total *= 0.5
        total -= work
        sums.add("jensen_shannon", k, total)


def _add_ranks(p: Floats, pairs: Integers, sums: _Sums) -> None:
    ranked = [_likeliest(row) for row in p]
    for k, (i, j) in enumerate(pairs):
        sums.add("churn", k, ranked[i][0] != ranked[j][0])
        common = np.einsum("nv,nv->n", ranked[i][1].view(np.uint8), ranked[j][1].view(np.uint8))
        sums.add("top5_overlap", k, common)
