"""What seeds can decide: the drawn power against whole studies, and its interval."""

import numpy as np
import pytest

from conftest import one_line
from reprocore.errors import ReprocoreError
from reprocore.statistics.closed_test import closed_test
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.planning import (
    Errors,
    detectable,
    for_activations,
    found_from,
    measured_errors,
    seeds_for,
    shipped_errors,
    size_interval,
)
from reprocore.vocabulary import MEASURES

UNEQUAL = np.diag([1.0, 1.0, 4.0, 0.25]) * 1e-3 + 5e-4
EQUAL = Errors(np.eye(3) * 5e-4, np.eye(3) * 1e-3)


def studies(rng: np.random.Generator, errors: Errors, seeds: int, size: int) -> np.ndarray:
    """Whole pair matrices [S, A, M, M] of level 1, with these errors."""
    count = len(errors.seed)
    by_seed = rng.multivariate_normal(np.zeros(count), errors.seed, (size, seeds)).swapaxes(1, 2)
    i, j = np.triu_indices(seeds, 1)
    by_pair = rng.multivariate_normal(np.zeros(count), errors.pair, (size, len(i))).swapaxes(1, 2)
    result = np.zeros((size, count, seeds, seeds))
    result[..., i, j] = result[..., j, i] = 1 + by_seed[..., i] + by_seed[..., j] + by_pair
    return result


@pytest.mark.parametrize("seeds", [4, 6, 12])
@pytest.mark.parametrize(
    "errors",
    [Errors(UNEQUAL, UNEQUAL / 2), EQUAL, Errors(UNEQUAL * 0, UNEQUAL)],
    ids=["unequal", "equal", "pairs alone"],
)
def test_the_power_is_that_of_whole_studies(errors: Errors, seeds: int) -> None:
    rng, size = np.random.default_rng(seeds), 1500
    found = found_from(errors, seeds, studies=size)
    difference = float(np.quantile(found, 0.6))
    matrices = studies(rng, errors, seeds, size)
    rates = []
    for a in range(1, len(errors.seed)):
        values = paired_pseudo_values(matrices)
        values[:, a] += difference
        rates.append((closed_test(values).reference[:, 0, a] <= 0.05).mean())
    # Two rates of about 0.6, of studies whose activations go together.
    assert np.mean(rates) == pytest.approx(0.6, abs=0.055)


def test_more_seeds_find_smaller_differences_and_the_seeds_needed_find_them() -> None:
    sizes = [detectable(EQUAL, seeds) for seeds in (4, 6, 10, 40, 400)]
    assert sizes == sorted(sizes, reverse=True)
    (few, many) = seeds_for(EQUAL, (0.1, 0.02))
    assert few.seeds and many.seeds and few.seeds < many.seeds
    assert detectable(EQUAL, many.seeds) <= 0.02 < detectable(EQUAL, many.seeds - 1)
    assert (few.low, few.high) == (few.seeds, few.seeds)
    assert seeds_for(EQUAL.scaled(100), (1e-3,))[0].seeds is None
    assert detectable(EQUAL.scaled(4), 6) == pytest.approx(2 * detectable(EQUAL, 6))


@pytest.mark.slow
def test_the_interval_holds_the_seeds_that_the_true_errors_need() -> None:
    rng, held, size = np.random.default_rng(1), 0, 120
    errors = for_activations(shipped_errors("relative_pd")["charlm"], 4)
    true = seeds_for(errors, (0.05,))[0].seeds
    for matrices in studies(rng, errors, 6, size):
        (needed,) = seeds_for(measured_errors(matrices), (0.05,))
        assert needed.low and needed.seeds and needed.low <= needed.seeds
        held += needed.low <= true and (needed.high is None or true <= needed.high)
    assert held / size >= 0.9


def test_errors_are_measured_without_bias() -> None:
    rng = np.random.default_rng(3)
    errors = Errors(UNEQUAL, UNEQUAL / 2)
    measured = [measured_errors(matrices) for matrices in studies(rng, errors, 12, 300)]
    assert np.mean([m.pair for m in measured], axis=0) == pytest.approx(errors.pair, rel=0.2)
    seed = np.mean([m.seed for m in measured], axis=0)
    assert np.diag(seed) == pytest.approx(np.diag(errors.seed), rel=0.2)
    values = rng.multivariate_normal(np.full(4, 2.0), UNEQUAL, 400).T
    assert 4 * measured_errors(values).seed == pytest.approx(np.cov(values) / 4, rel=0.02, abs=1e-5)


def test_other_numbers_of_activations_are_copies_or_the_first_ones() -> None:
    more = for_activations(Errors(UNEQUAL, UNEQUAL), 9)
    assert np.diag(more.seed)[[0, 4, 8]] == pytest.approx(UNEQUAL[0, 0])
    assert more.seed[2, 6] == pytest.approx(5e-4)
    assert for_activations(more, 4).seed == pytest.approx(UNEQUAL)
    many = for_activations(EQUAL, 15)
    assert detectable(many, 6) > detectable(EQUAL, 6)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_shipped_covers_several_models(measure: str) -> None:
    shipped = shipped_errors(measure)
    assert len(shipped) >= 3
    assert all(errors.seed.shape == (6, 6) for errors in shipped.values())
    assert shipped_errors("no measure") == {}


def test_the_size_of_errors_has_an_interval() -> None:
    low, high = size_interval(12.0)
    assert low < 1 < high


@pytest.mark.parametrize("values", [np.ones((1, 5)), np.ones((3, 3)), np.zeros((2, 4))])
def test_errors_need_two_activations_four_seeds_and_a_level(values: np.ndarray) -> None:
    with pytest.raises(ReprocoreError) as error:
        measured_errors(values)
    assert "errors of activations" in one_line(error)
