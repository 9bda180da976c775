"""Flips, κ and the correlation of losses against plain loops, and where they are not defined."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprocore.errors import ReprocoreError
from reprocore.statistics.agreement import agreement, flips_by_block
from reprocore.statistics.divergence import pairwise

SHARES = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")


def reference(p, q, targets):
    """All of them by their definitions, one position at a time."""
    count, symbols = len(p), len(p[0])
    first = [max(range(symbols), key=lambda v: (row[v], -v)) for row in p.tolist()]
    second = [max(range(symbols), key=lambda v: (row[v], -v)) for row in q.tolist()]
    places = list(zip(first, second, targets.tolist(), strict=True))
    found = {
        "right_to_wrong": sum(a == t != b for a, b, t in places) / count,
        "wrong_to_right": sum(b == t != a for a, b, t in places) / count,
        "wrong_to_wrong": sum(a != b and t not in (a, b) for a, b, t in places) / count,
    }
    found["flips"] = found["right_to_wrong"] + found["wrong_to_right"]
    observed = sum(a == b for a, b, _ in places) / count
    chance = sum(first.count(v) * second.count(v) for v in range(symbols)) / count**2
    found["kappa"] = math.nan if chance == 1 else (observed - chance) / (1 - chance)
    x = [-math.log(row[t]) for row, t in zip(p.tolist(), targets.tolist(), strict=True)]
    y = [-math.log(row[t]) for row, t in zip(q.tolist(), targets.tolist(), strict=True)]
    mx, my = math.fsum(x) / count, math.fsum(y) / count
    top = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    below = math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y)
    found["loss_correlation"] = top / math.sqrt(below) if below > 0 else math.nan
    return found


def soft(rng, models, positions, symbols, scale=2.0):
    weights = np.exp(rng.normal(size=(models, positions, symbols)) * scale)
    return weights / weights.sum(axis=-1, keepdims=True)


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 30), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_all_agree_with_loops_and_keep_their_ranges(seed, models, positions, symbols):
    rng = np.random.default_rng(seed)
    stack, targets = soft(rng, models, positions, symbols), rng.integers(0, symbols, positions)
    pairs, values = pairwise(stack, targets)
    found = agreement(stack, targets, pairs)
    for k, (i, j) in enumerate(pairs):
        for name, expected in reference(stack[i], stack[j], targets).items():
            assert found[name][k] == pytest.approx(expected, abs=1e-9, nan_ok=True), name
    assert sum(found[name] for name in SHARES) == pytest.approx(values["churn"], abs=1e-12)
    for name in ("kappa", "loss_correlation"):
        known = found[name][~np.isnan(found[name])]
        assert ((known >= -1) & (known <= 1)).all()


def test_the_order_of_a_pair_matters_to_two_of_the_shares_alone():
    rng = np.random.default_rng(1)
    stack, targets = soft(rng, 2, 40, 5), rng.integers(0, 5, 40)
    one, other = (agreement(stack, targets, [pair]) for pair in ((0, 1), (1, 0)))
    assert one["right_to_wrong"] == other["wrong_to_right"]
    assert one["wrong_to_right"] == other["right_to_wrong"]
    for name in ("wrong_to_wrong", "flips", "kappa", "loss_correlation"):
        assert one[name] == other[name]


def test_a_model_agrees_wholly_with_itself():
    rng = np.random.default_rng(2)
    model, targets = soft(rng, 1, 50, 6)[0], rng.integers(0, 6, 50)
    found = agreement(np.stack([model, model]).astype(np.float32), targets, [(0, 1)])
    assert found["kappa"] == 1
    assert found["loss_correlation"] == pytest.approx(1)
    assert [found[name].item() for name in (*SHARES, "flips")] == [0, 0, 0, 0]


def test_what_is_not_defined_is_not_a_number():
    constant = np.tile([0.7, 0.2, 0.1], (4, 1))
    varied = np.array([[0.7, 0.2, 0.1], [0.6, 0.1, 0.3], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])
    zero = varied.copy()
    zero[0] = [0.9, 0.1, 0.0]
    stack, targets = np.stack([constant, constant, varied, zero]), np.array([2, 0, 1, 1])
    pairs = list(itertools.combinations(range(4), 2))
    found = agreement(stack, targets, pairs)
    # Both always predict symbol 0: they agree by chance alone.
    assert np.isnan(found["kappa"]).tolist() == [True] + 5 * [False]
    assert found["kappa"][1] == 0
    # The constant model's loss varies with the target; where p(target) is 0 the loss is infinite.
    assert np.isnan(found["loss_correlation"]).tolist() == [pair[1] == 3 for pair in pairs]
    same = agreement(stack, np.zeros(4, dtype=int), pairs)["loss_correlation"]
    assert np.isnan(same).tolist() == [0 in pair or 1 in pair for pair in pairs]


@pytest.mark.parametrize("block", [1, 5, 30])
def test_flips_of_blocks_are_those_of_their_positions(block):
    rng = np.random.default_rng(3)
    stack, targets = soft(rng, 4, 30, 5), rng.integers(0, 5, 30)
    pairs = list(itertools.combinations(range(4), 2))
    found = flips_by_block(stack, targets, pairs, block)
    assert found.shape == (6, 30 // block)
    for b in range(30 // block):
        part = slice(b * block, (b + 1) * block)
        wanted = agreement(stack[:, part], targets[part], pairs)["flips"]
        assert found[:, b] == pytest.approx(wanted)


def test_bad_input_is_one_line():
    with pytest.raises(ReprocoreError, match="block: 3, must divide the 2 positions"):
        flips_by_block(np.full((2, 2, 2), 0.5), [0, 1], [(0, 1)], 3)
    with pytest.raises(ReprocoreError, match="must be 2 integers"):
        agreement(np.full((2, 2, 2), 0.5), [0, 1, 1], [(0, 1)])
    with pytest.raises(ReprocoreError, match=r"must be \[models, positions, symbols\]"):
        agreement(np.full((2, 2), 0.5), [0, 1], [(0, 1)])
