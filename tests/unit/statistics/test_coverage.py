"""The bounds of benchmarks/coverage.py, on few studies of some of its generators."""

import importlib.util
import sys

import numpy as np
import pytest

from conftest import ROOT


def load(name, file):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# A module `coverage` would stand in the way of the package of that name.
generators = load("generators", "generators")
benchmark = load("benchmark_coverage", "coverage")


def missed(replicates, draw):
    found = benchmark.rates(replicates, draw)
    assert all(rate.of >= replicates for rate in found)
    return [rate for rate in found if rate.mark() == "NOT MET"]


@pytest.mark.parametrize(
    ("hits", "bounds", "mark"),
    [
        (40, (0.0, 5.0), "?"),
        (20, (0.0, 5.0), ""),
        (100, (0.0, 5.0), "NOT MET"),
        (950, (92.0, 97.0), ""),
        (800, (92.0, 97.0), "NOT MET"),
        (999, (92.0, 97.0), "NOT MET"),
        (0, None, ""),
    ],
)
def test_a_bound_is_not_met_where_chance_does_not_explain_it(hits, bounds, mark):
    rate = benchmark.Rate("", bounds, hits, 1000)
    low, high = rate.limits()
    assert low <= rate.value <= high
    assert rate.mark() == mark


@pytest.mark.parametrize("activations", [3, 6])
@pytest.mark.parametrize("name", ["unequal", "heavy-tailed", "charlm"])
def test_families_keep_their_error(name, activations):
    rng = np.random.default_rng(1)

    def draw(size):
        matrices = benchmark.study(rng, name, size, activations, 5)
        values = benchmark.paired_pseudo_values(matrices)
        yield from benchmark.family_rates(values, True)
        yield from benchmark.equivalence_rates(values)

    # The one bound that is known not to hold, with its cause: docs/decisions/0007.
    known = ("3 apart", "in pairs") if (name, activations) == ("charlm", 6) else ()
    assert all(rate.what.endswith(known) for rate in missed(1000, draw))


@pytest.mark.parametrize("cv", [0.0, 0.1])
def test_the_sensitivity_keeps_its_bounds(cv):
    rng = np.random.default_rng(2)
    assert not missed(
        500, lambda size: benchmark.cv_rates(generators.real(rng, "charlm", size, 6, 5), cv, True)
    )


@pytest.mark.parametrize("measure", generators.MEASURES)
def test_levels_cover_new_seeds_and_new_text(measure):
    rng = np.random.default_rng(3)

    def of_real(size):
        means, truth = generators.real_text(rng, "tinylstm", measure, size, 5, 32)
        yield from benchmark.level_rates(means, truth, measure, benchmark.COVERS[measure])

    def of_predictions(size):
        truth = generators.predicted_truth(100_000)[measure]
        means = generators.predicted_text(rng, size, 5, 32)[measure]
        yield from benchmark.level_rates(means, truth, measure, benchmark.COVERS[measure])

    assert not missed(1000, of_real)
    assert not missed(1000, of_predictions)


def test_generated_studies_have_the_level_and_the_covariance_that_they_say():
    rng = np.random.default_rng(4)
    i, j = np.triu_indices(8, 1)
    for name in (*generators.ERRORS, *generators.MODELS):
        means = benchmark.study(rng, name, 2000, 6, 8)[..., i, j].mean(axis=-1)
        assert means.mean(axis=0) == pytest.approx(np.ones(6), abs=0.02), name
    known = np.zeros((6, 6))
    by_seed = np.array([[0.1], [0.2], [0.1], [0.1], [0.1], [0.1]]) * rng.standard_normal((6, 40))
    pairs = generators.matrices(rng, by_seed[None], known)[0]
    found = generators.describe(np.repeat(pairs[..., None], 3, axis=-1))
    assert np.diag(found["seed"]) == pytest.approx(by_seed.var(axis=1, ddof=1), rel=0.3)
