"""The closed test: by enumeration, against statsmodels, and on real trainings."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.anova import AnovaRM

from reprocore.statistics.closed_test import alike, closed_test, epsilon
from reprocore.statistics.contrasts import SeedValues, contrasts
from reprocore.statistics.jackknife import paired_pseudo_values


def naive_p_of_set(x):
    """Of [s, M], as in the books, with loops and the centring matrix."""
    size, seeds = x.shape
    centring = np.eye(size) - np.ones((size, size)) / size
    k = centring @ np.atleast_2d(np.cov(x, ddof=1)) @ centring
    f = seeds * np.var(x.mean(axis=1), ddof=1) / (np.trace(k) / (size - 1))
    eps = np.trace(k) ** 2 / ((size - 1) * np.trace(k @ k))
    eps = min(1.0, max(1 / (size - 1), eps))
    return stats.f.sf(f, eps * (size - 1), eps * (size - 1) * (seeds - 1))


@given(st.integers(2, 5), st.integers(4, 9), st.integers(0, 2**32))
@settings(max_examples=12)
def test_the_closed_test_is_the_enumeration(activations, seeds, seed):
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(activations, activations)) @ rng.normal(size=(activations, seeds))
    x = mixed + rng.normal(0, 2, (activations, 1)) + rng.normal(0, 5, seeds)
    found = closed_test(x)
    for a, b in itertools.combinations(range(activations), 2):
        reference, all_pairs = 0.0, 0.0
        for size in range(2, activations + 1):
            for members in itertools.combinations(range(activations), size):
                if {a, b} <= set(members):
                    p = naive_p_of_set(x[list(members)])
                    reference = max(reference, p)
                    all_pairs = max(
                        all_pairs, p * (1 if size >= activations - 1 else activations / size)
                    )
        assert found.p[a, b] == pytest.approx(stats.ttest_rel(x[a], x[b]).pvalue, rel=1e-8)
        assert found.reference[a, b] == pytest.approx(reference, rel=1e-8)
        assert found.all_pairs[a, b] == pytest.approx(min(1, all_pairs), rel=1e-8)
    for matrix in found:
        np.testing.assert_array_equal(matrix, matrix.T)
        assert (np.diag(matrix) == 1).all()


def test_the_f_of_a_set_is_that_of_statsmodels():
    x = np.random.default_rng(8).normal(size=(4, 6)) + np.array([[0], [0.2], [0.4], [1]])
    rows = [(a, m, x[a, m]) for a, m in itertools.product(range(4), range(6))]
    frame = pd.DataFrame(rows, columns=["activation", "seed", "value"])
    theirs = AnovaRM(frame, "value", "seed", within=["activation"]).fit().anova_table
    own = x - x.mean(axis=1, keepdims=True)
    eps = epsilon(own - own.mean(axis=0))
    dof = eps * theirs["Num DF"].iloc[0], eps * theirs["Den DF"].iloc[0]
    assert 1 / 3 <= eps <= 1
    assert alike(x) == pytest.approx(stats.f.sf(theirs["F Value"].iloc[0], *dof), rel=1e-10)


def test_many_studies_at_once_are_those_one_by_one():
    x = np.random.default_rng(9).normal(size=(3, 2, 4, 5))
    for found, single in zip(
        closed_test(x), zip(*map(closed_test, x[:, 1]), strict=True), strict=True
    ):
        np.testing.assert_allclose(found[:, 1], single)


def test_what_does_not_vary_is_never_rejected():
    apart = np.arange(3.0)[:, None] + np.random.default_rng(10).normal(size=6)
    assert alike(apart) == 1.0
    assert (closed_test(apart).reference == 1).all()
    assert epsilon(np.zeros((3, 5))) == 1.0


# Relative PD of the pairs (0,1), (0,2), (0,3), (1,2), (1,3), (2,3) of 4 real trainings.
REAL = {
    "charlm": {
        "relu": [0.424322, 0.442404, 0.427056, 0.428473, 0.420251, 0.436092],
        "gelu": [0.459846, 0.491898, 0.492159, 0.485361, 0.46168, 0.474513],
        "swiglu": [0.455299, 0.462802, 0.476278, 0.445444, 0.472663, 0.474376],
    },
    "convlm": {
        "relu": [0.673185, 0.70991, 0.693939, 0.717598, 0.684011, 0.716458],
        "gelu": [0.678945, 0.715355, 0.700359, 0.720786, 0.692593, 0.705581],
        "swiglu": [0.736647, 0.747907, 0.750215, 0.744833, 0.728039, 0.739904],
    },
    "tinylstm": {
        "relu": [0.712248, 0.730164, 0.723581, 0.727892, 0.721332, 0.737838],
        "gelu": [0.701079, 0.710909, 0.725454, 0.701756, 0.707793, 0.72536],
        "swiglu": [0.744326, 0.762585, 0.780357, 0.726456, 0.753997, 0.758235],
    },
}


def test_the_figures_of_real_trainings():
    """Computed independently before the test was written into the project."""
    p, all_alike = {}, {}
    for model, rows in REAL.items():
        matrices = np.zeros((3, 4, 4))
        i, j = np.triu_indices(4, 1)
        matrices[:, i, j] = matrices[:, j, i] = list(rows.values())
        values = {a: SeedValues(range(4), m) for a, m in zip(rows, matrices, strict=True)}
        all_alike[model] = float(alike(paired_pseudo_values(matrices)))
        for c in contrasts(values, "relu"):
            p[model, c.family, c.first, c.second] = c.p_adjusted
    assert all_alike["charlm"] == pytest.approx(0.0341, abs=5e-5)
    assert p["charlm", "reference", "gelu", "relu"] == pytest.approx(0.0341, abs=5e-5)
    assert p["charlm", "reference", "swiglu", "relu"] == pytest.approx(0.0629, abs=5e-5)
    assert p["convlm", "all pairs", "gelu", "swiglu"] == pytest.approx(0.0452, abs=5e-5)
    assert min(value for key, value in p.items() if key[0] == "tinylstm") > 0.05
