"""Whether two models are right and wrong at the same positions, for all pairs of many models.

Probabilities are arrays [N, V] per model, as in `divergence`. Ties between symbols go to the
lowest symbol id. Logarithms are natural.
"""

import numpy as np
import numpy.typing as npt

from reprocore.statistics.checks import Floats, Integers, check_block, check_targets, stacked


def agreement(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, pairs: npt.ArrayLike
) -> dict[str, Floats]:
    """Compare the likeliest symbols and the losses of pairs of M models.

    Args:
        probabilities: [M, N, V].
        targets: ids of the symbols that really came, [N].
        pairs: indices of the first and the second model of each pair, [P, 2].

    Returns:
        Each [P]: `right_to_wrong` (the first is right and the second wrong), `wrong_to_right`
        and `wrong_to_wrong` (both wrong, with different symbols), shares of positions that add up
        to the churn; `flips`, the sum of the first two, which does not depend on the order of a
        pair; `kappa` (Cohen 1960, equation 1), −1 to 1, NaN where both models predict one and the
        same symbol everywhere; `loss_correlation`, Pearson's of −ln p(target) over positions,
        −1 to 1, NaN where the loss of one of them does not vary or is infinite somewhere.

    Raises:
        ReprocoreError: `probabilities` are not 3-D or empty, or `targets` do not fit them.
    """
    stack = stacked(probabilities)
    _, positions, symbols = stack.shape
    ids = check_targets(targets, positions, symbols)
    likeliest = np.stack([np.asarray(model).argmax(axis=1) for model in stack])
    losses = np.stack([-_log(model[range(positions), ids]) for model in stack])
    return agreement_of(likeliest, losses, ids, symbols, pairs)


def agreement_of(
    likeliest: Integers, losses: Floats, ids: Integers, symbols: int, pairs: npt.ArrayLike
) -> dict[str, Floats]:
    """Return what `agreement` does, from what it needs of the probabilities.

    Args:
        likeliest: likeliest symbol of each model at each position, [M, N].
        losses: −ln of the probability of the symbol that really came, [M, N].
        ids: of the symbols that really came, [N].
        symbols: V.
        pairs: see `agreement`.
    """
    first, second = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    shares = _shares(likeliest, ids, first, second)
    standard = np.stack([_standardised(model) for model in losses])
    return {
        **shares,
        "flips": shares["right_to_wrong"] + shares["wrong_to_right"],
        "kappa": kappas(likeliest, symbols, pairs),
        "loss_correlation": np.clip(_dots(standard, first, second), -1.0, 1.0),
    }


def flips_by_block(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, pairs: npt.ArrayLike, block: int
) -> Floats:
    """Return the `flips` of `agreement` in each block of positions, [P, B].

    Args:
        probabilities: see `agreement`.
        targets: likewise.
        pairs: likewise.
        block: positions of a block, N/B; each block follows the last.

    Raises:
        ReprocoreError: as `agreement`, or N is no multiple of `block`.
    """
    stack = stacked(probabilities)
    _, positions, symbols = stack.shape
    ids = check_targets(targets, positions, symbols)
    check_block(block, positions)
    right = np.stack([np.asarray(model).argmax(axis=1) == ids for model in stack])
    return means_by_part(flipped(right, pairs), np.arange(positions) // block)


def flipped(right: npt.NDArray[np.bool_], pairs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return where one of a pair is right and the other wrong: [P, N], of who is right, [M, N]."""
    first, second = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    return np.asarray(right[first] != right[second])


def means_by_part(values: npt.ArrayLike, labels: Integers) -> Floats:
    """Return means [R, K] of rows of values [R, N] over the positions of each of K parts.

    Args:
        values: [R, N].
        labels: which part each position belongs to, [N] in 0 … K−1; no part is empty.
    """
    sizes = np.bincount(labels)
    rows = [np.bincount(labels, row, len(sizes)) for row in np.asarray(values, dtype=np.float64)]
    return np.asarray(rows).reshape(-1, len(sizes)) / sizes


def _shares(
    likeliest: Integers, ids: Integers, first: Integers, second: Integers
) -> dict[str, Floats]:
    positions = len(ids)
    counts = np.zeros((3, len(first)), dtype=np.int64)
    for k, (i, j) in enumerate(zip(first, second, strict=True)):
        one, other = likeliest[i], likeliest[j]
        right, right_other = one == ids, other == ids
        counts[0, k] = np.count_nonzero(right & ~right_other)
        counts[1, k] = np.count_nonzero(~right & right_other)
        counts[2, k] = np.count_nonzero((one != other) & ~right & ~right_other)
    names = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")
    return dict(zip(names, counts / positions, strict=True))


def kappas(likeliest: Integers, symbols: int, pairs: npt.ArrayLike) -> Floats:
    """Return the `kappa` of `agreement`, [P], of the likeliest symbols [M, N] and pairs [P, 2].

    In whole numbers, N²p_o and N²p_e, so that p_e = 1 is seen exactly.
    """
    first, second = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    models, positions = likeliest.shape
    counts = np.zeros((models, symbols), dtype=np.int64)
    np.add.at(counts, (np.arange(models)[:, None], likeliest), 1)
    same = np.array(
        [np.count_nonzero(likeliest[i] == likeliest[j]) for i, j in zip(first, second, strict=True)]
    )
    chance = np.array(
        [int(counts[i] @ counts[j]) for i, j in zip(first, second, strict=True)], dtype=np.int64
    )
    left = positions**2 - chance
    observed = positions * same.astype(np.int64) - chance
    return np.divide(observed, left, out=np.full(len(first), np.nan), where=left > 0)


def _standardised(losses: Floats) -> Floats:
    """Losses [N] less their mean, of length 1; NaN where they do not vary or are not finite."""
    if not np.isfinite(losses).all() or losses.min() == losses.max():
        return np.full(len(losses), np.nan)
    centred = losses - losses.mean()
    standard: Floats = centred / np.linalg.norm(centred)
    return standard


def _dots(rows: Floats, first: Integers, second: Integers) -> Floats:
    return np.array([rows[i] @ rows[j] for i, j in zip(first, second, strict=True)], dtype=float)


def _log(x: npt.NDArray[np.floating]) -> Floats:
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(x.astype(np.float64))
    return logs
