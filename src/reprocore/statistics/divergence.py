"""How far apart the predictions of two models are, for one pair and for all pairs of many.

Probabilities are arrays [N, V]: N positions, V symbols, rows that sum to 1. They are used as
given, in float64, without renormalising. Ties between symbols go to the lowest symbol id.
"""

import math

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats, Integers, check_targets, stacked
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
    stack = stacked(probabilities)
    models, positions, symbols = stack.shape
    pairs = np.column_stack(np.triu_indices(models, 1)).astype(np.int64)
    ids = None if targets is None else check_targets(targets, positions, symbols)
    sums = {name: np.zeros(len(pairs)) for name in MEASURES}
    rows = max(1, BLOCK_ELEMENTS // symbols)
    for start in range(0, positions, rows):
        block = slice(start, start + rows)
        p = np.ascontiguousarray(stack[:, block], dtype=np.float64)
        _add_divergences(p, pairs, sums)
        _add_ranks(p, pairs, sums)
        if ids is not None:
            at_target = p[:, np.arange(p.shape[1]), ids[block]]
            for k, (i, j) in enumerate(pairs):
                sums["relative_pd_true"][k] += _ratio(at_target[i], at_target[j]).sum()
    values = {
        "relative_pd": 2.0 * sums["relative_pd"] / (positions * symbols),
        "relative_pd_true": 2.0 * sums["relative_pd_true"] / positions,
        "total_variation": np.minimum(0.5 * sums["total_variation"] / positions, 1.0),
        "jensen_shannon": np.clip(sums["jensen_shannon"] / positions, 0.0, LN2),
        "jeffreys": np.maximum(sums["jeffreys"] / positions, 0.0),
        "churn": sums["churn"] / positions,
        "top5_overlap": sums["top5_overlap"] / (positions * min(TOP, symbols)),
    }
    if ids is None:
        del values["relative_pd_true"]
    return pairs, values


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


def _add_divergences(p: Floats, pairs: Integers, sums: dict[str, Floats]) -> None:
    """Add the block p [M, B, V] to the sums [P], reusing three temporaries for all pairs."""
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
        sums["jeffreys"][k] += work.sum() if same_zeros else math.inf

        np.abs(difference, out=difference)
        sums["total_variation"][k] += difference.sum()

        np.add(p[i], p[j], out=total)
        np.greater(total, 0.0, out=present)
        np.divide(difference, total, out=difference, where=present)
        sums["relative_pd"][k] += difference.sum()

        # The mask anew: half of the smallest float is 0.
        total *= 0.5
        np.greater(total, 0.0, out=present)
        np.log(total, out=work, where=present)
        work *= total
        np.add(negentropy[i], negentropy[j], out=total)
        total *= 0.5
        total -= work
        sums["jensen_shannon"][k] += total.sum()


def _add_ranks(p: Floats, pairs: Integers, sums: dict[str, Floats]) -> None:
    ranked = [_likeliest(row) for row in p]
    for k, (i, j) in enumerate(pairs):
        sums["churn"][k] += np.count_nonzero(ranked[i][0] != ranked[j][0])
        sums["top5_overlap"][k] += np.count_nonzero(ranked[i][1] & ranked[j][1])
