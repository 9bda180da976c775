"""Generated studies of known truth: errors of many shapes, the covariance of real trainings, text.

`real_covariance.json` holds what real trainings of three models with six activations had (500 steps
of the quick study's settings, 11 to 24 seeds), as shares of each activation's level; make it from
pair matrices with

    python benchmarks/generators.py BANK

It served to choose between methods as well, so that it is no independent proof of them; the other
generators are.
"""

import functools
import itertools
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.statistics.jackknife import pseudo_values

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
REAL = Path(__file__).with_name("real_covariance.json")
MODELS = ("charlm", "convlm", "tinylstm")
MEASURES = ("relative_pd", "churn")
BY_SEED, BY_PAIR = 0.1, 0.05
# Share of a seed's effect that is common to the activations trained from it.
COMMON = 0.5
BLOCK = 64  # characters, of which churn counts whole ones


def _shared(rng: Rng, draw: Callable[[tuple[int, ...]], Floats], shape: tuple[int, ...]) -> Floats:
    """Unit errors [S, A, M], half of them common to the activations."""
    studies, _, seeds = shape
    common = draw((studies, 1, seeds))
    return math.sqrt(COMMON) * common + math.sqrt(1 - COMMON) * draw(shape)


def _equal(rng: Rng, shape: tuple[int, ...]) -> Floats:
    return _shared(rng, rng.standard_normal, shape)


def _unequal(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """Fourfold from the reference, the first, to the last."""
    return _equal(rng, shape) * np.geomspace(0.5, 2.0, shape[1])[:, None]


def _unequal_reference(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """The reference spreads fourfold."""
    return _equal(rng, shape) * np.r_[4.0, np.ones(shape[1] - 1)][:, None]


def _one_wide(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """One activation spreads fourfold, as a gated one can."""
    return _equal(rng, shape) * np.r_[np.ones(shape[1] - 1), 4.0][:, None]


def _clustered(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """Two kinds of activation, 0.9 of whose errors are common to the kind."""
    studies, activations, seeds = shape
    kind = rng.standard_normal((studies, 2, seeds))[:, np.arange(activations) * 2 // activations]
    return math.sqrt(0.9) * kind + math.sqrt(0.1) * rng.standard_normal(shape)


def _heavy(rng: Rng, shape: tuple[int, ...]) -> Floats:
    return _shared(rng, lambda size: rng.standard_t(3, size) / math.sqrt(3), shape)


def _outlier(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """One seed in ten is five times as far off, in each activation in its own way."""
    far = rng.random((shape[0], 1, shape[2])) < 0.1
    return _equal(rng, shape) * np.where(far, 5.0, 1.0)


def _skewed(rng: Rng, shape: tuple[int, ...]) -> Floats:
    return _shared(rng, lambda size: rng.standard_exponential(size) - 1, shape)


def _skewed_unequal(rng: Rng, shape: tuple[int, ...]) -> Floats:
    return _skewed(rng, shape) * np.geomspace(0.5, 2.0, shape[1])[:, None]


ERRORS: dict[str, Callable[[Rng, tuple[int, ...]], Floats]] = {
    "equal": _equal,
    "unequal": _unequal,
    "wide reference": _unequal_reference,
    "one wide": _one_wide,
    "clustered": _clustered,
    "heavy-tailed": _heavy,
    "outlier seed": _outlier,
    "skewed": _skewed,
    "skewed and unequal": _skewed_unequal,
}
SKEWED = ("skewed", "skewed and unequal")


def matrices(rng: Rng, by_seed: Floats, by_pair: Floats) -> Floats:
    """PD = 1 + s_i + s_j + e_ij [S, A, M, M] from s [S, A, M] and the covariance of e [A, A]."""
    studies, activations, seeds = by_seed.shape
    i, j = np.triu_indices(seeds, 1)
    single = rng.standard_normal((studies, len(i), activations)) @ _root(by_pair).T
    result = np.zeros((*by_seed.shape, seeds))
    values = 1 + by_seed[..., i] + by_seed[..., j] + single.swapaxes(1, 2)
    result[..., i, j] = result[..., j, i] = values
    return result


def generated(rng: Rng, errors: str, studies: int, activations: int, seeds: int) -> Floats:
    """Studies [S, A, M, M] of relative PD 1 in every activation."""
    by_seed = BY_SEED * ERRORS[errors](rng, (studies, activations, seeds))
    return matrices(rng, by_seed, BY_PAIR**2 * np.eye(activations))


@functools.cache
def _real_file() -> dict[str, Any]:
    return json.loads(REAL.read_text("utf-8"))


def real(rng: Rng, model: str, studies: int, activations: int, seeds: int) -> Floats:
    """Studies [S, A, M, M] of relative PD 1, with the covariance of a real model's first A."""
    known = _real_file()[model]["relative_pd"]
    seed, pair = (np.array(known[k])[:activations, :activations] for k in ("seed", "pair"))
    by_seed = rng.standard_normal((studies, seeds, activations)) @ _root(seed).T
    return matrices(rng, by_seed.swapaxes(1, 2), pair)


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(values.clip(0))


def real_text(
    rng: Rng, model: str, measure: str, studies: int, seeds: int, blocks: int
) -> tuple[Floats, float]:
    """Means over each seed's pairs [S, M, B] on text drawn anew, and the true level.

    Blocks are drawn from the real ones; seeds, and what seeds and pairs have in a block of their
    own, are normal with the real variances. Churn comes in whole characters.
    """
    known = _real_file()[model][measure]
    profile, level = np.array(known["blocks"]), float(known["level"])
    i, j = np.triu_indices(seeds, 1)
    text = profile[rng.integers(len(profile), size=(studies, 1, blocks))]
    own = math.sqrt(known["seed_all"]) * rng.standard_normal((studies, seeds, 1))
    own = own + math.sqrt(known["seed_block"]) * rng.standard_normal((studies, seeds, blocks))
    pair = math.sqrt(known["pair_all"]) * rng.standard_normal((studies, len(i), 1))
    pair = pair + math.sqrt(known["pair_block"]) * rng.standard_normal((studies, len(i), blocks))
    values = level * (text + own[:, i] + own[:, j] + pair)
    if measure == "churn":
        values = np.rint(values * BLOCK).clip(0, BLOCK) / BLOCK
    return _seed_means(values, seeds), level * float(profile.mean())


def _seed_means(values: Floats, seeds: int) -> Floats:
    """Means over each seed's pairs [S, M, B] of pairs [S, P, B] in the order of `triu_indices`."""
    of_seed = np.zeros((seeds, values.shape[1]))
    for place, ends in enumerate(itertools.combinations(range(seeds), 2)):
        of_seed[ends, place] = 1 / (seeds - 1)
    return of_seed @ values


POSITIONS, SYMBOLS = 4, 5


def predicted_text(rng: Rng, studies: int, seeds: int, blocks: int) -> dict[str, Floats]:
    """Means over each seed's pairs [S, M, B] of predictions on text drawn anew, by measure.

    softmax(logits of the position + noise of the seed); a block of 4 positions has a difficulty
    of its own, and a seed is more or less noisy.
    """
    hard = np.exp(0.5 * rng.standard_normal((studies, 1, blocks, 1, 1)))
    logits = 2 * rng.standard_normal((studies, 1, blocks, POSITIONS, SYMBOLS))
    scale = 0.3 * np.exp(0.2 * rng.standard_normal((studies, seeds, 1, 1, 1)))
    noise = rng.standard_normal((studies, seeds, blocks, POSITIONS, SYMBOLS))
    p = np.exp(logits + hard * scale * noise)
    p /= p.sum(axis=-1, keepdims=True)
    best = p.argmax(axis=-1)
    found: dict[str, list[Floats]] = {name: [] for name in MEASURES}
    for i, j in itertools.combinations(range(seeds), 2):
        a, b = p[:, i], p[:, j]
        found["relative_pd"].append(2 * (np.abs(a - b) / (a + b)).mean(axis=(-2, -1)))
        found["churn"].append((best[:, i] != best[:, j]).mean(axis=-1))
    return {name: _seed_means(np.stack(v, axis=1), seeds) for name, v in found.items()}


@functools.cache
def predicted_truth(studies: int = 1_000_000, chunk: int = 50_000) -> dict[str, float]:
    """Levels of `predicted_text` over all seeds and all text, to about 1 in 1,000."""
    rng = np.random.default_rng(17)
    means = [predicted_text(rng, chunk, 2, 1) for _ in range(studies // chunk)]
    return {name: float(np.mean([m[name].mean() for m in means])) for name in MEASURES}


def describe(pairs: Floats) -> dict[str, Any]:
    """Covariance of real pair matrices [A, M, M, B], as shares of each activation's level."""
    activations, seeds, _, blocks = pairs.shape
    i, j = np.triu_indices(seeds, 1)
    level = pairs[:, i, j].mean(axis=(1, 2))
    y = pairs / level[:, None, None, None]
    whole = y.mean(axis=3)
    values = np.array([pseudo_values(matrix) for matrix in whole])
    half = (values - values.mean(axis=1, keepdims=True)) / 2
    single = whole[:, i, j] - 1 - half[:, i] - half[:, j]
    pair = single @ single.T / (seeds * (seeds - 3) / 2)
    seed = half @ half.T / (seeds - 1) - pair / (seeds - 2)
    rest = y - whole[..., None] - y[:, i, j].mean(axis=1)[:, None, None] + 1
    of_block = (rest * (1 - np.eye(seeds))[None, :, :, None]).sum(axis=2) / (seeds - 2)
    left = rest[:, i, j] - of_block[:, i] - of_block[:, j]
    pair_block = (left**2).sum(axis=(1, 2)) / (seeds * (seeds - 3) / 2) / (blocks - 1)
    seed_block = (of_block**2).sum(axis=(1, 2)) / (seeds - 1) / (blocks - 1)
    seed_block = seed_block - pair_block / (seeds - 2)
    return {
        "level": float(level.mean()),
        "seed": seed.tolist(),
        "pair": pair.tolist(),
        "seed_all": max(0.0, float(np.trace(seed)) / activations),
        "pair_all": float(np.trace(pair)) / activations,
        "seed_block": max(0.0, float(seed_block.mean())),
        "pair_block": float(pair_block.mean()),
        "blocks": y[:, i, j].mean(axis=(0, 1)).tolist(),
    }


def main() -> None:
    bank, result = Path(sys.argv[1]), {}
    for model in MODELS:
        with np.load(bank / f"{model}.npz") as file:
            pairs, measures = file["pairs"].astype(np.float64), file["measures"].tolist()
        result[model] = {name: describe(pairs[measures.index(name)]) for name in MEASURES}
    short = json.loads(json.dumps(result), parse_float=lambda text: float(f"{float(text):.4g}"))
    REAL.write_text(json.dumps(short) + "\n", "utf-8")


if __name__ == "__main__":
    main()
