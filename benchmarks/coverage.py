"""Error rates of the statistics on generated studies whose truth is known.

Six activations of one model, 3 to 12 seeds, seeds that are nearly alike (weak) or not (strong).
Two generators: predictions, softmax(logits of the corpus + noise of the seed), whose truth comes
from a large reference; and a random-effects model of the matrix of pairs, with the truth put in.
Prints one line per figure with its Monte-Carlo error and the bound, and ends with status 1 if a
bound is not met.

    python benchmarks/coverage.py [--studies 4000] [--permutations 499]
"""

import argparse
import functools
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reprocore.statistics.jackknife import (
    jackknife,
    mean_interval,
    paired_pseudo_values,
    pseudo_values,
)
from reprocore.statistics.over_models import log_ratio, mean_ratio, rank_correlation
from reprocore.statistics.spread import omnibus, relative_spread, spread_below
from reprocore.statistics.tests_over_seeds import (
    equivalence,
    holm,
    paired_difference,
    sign_flip,
    welch_difference,
)

Floats = npt.NDArray[np.float64]

ACTIVATIONS, POSITIONS, SYMBOLS = 6, 60, 8
SEEDS = (3, 5, 8, 12)
MARGIN = 0.1
# Share of a seed's noise that is common to the activations trained from it.
COMMON = 0.5
# Sample standard deviation 1, so that a CV is known exactly.
PATTERN = np.array([-1.5, -0.5, -0.2, 0.1, 0.6, 1.5])
PATTERN = (PATTERN - PATTERN.mean()) / PATTERN.std(ddof=1)
PAIRS = tuple(itertools.combinations(range(ACTIVATIONS), 2))

Generator = Callable[[np.random.Generator, int, int, float], Floats]


@dataclass(frozen=True)
class Scenario:
    """Where studies come from.

    `draw(rng, studies, seeds, cv)` gives matrices [S, A, M, M] whose true means are proportional
    to 1 + cv·PATTERN and for `cv` 0 are all `truth`. Unless `alike`, the activations' errors
    differ fourfold, which the omnibus test and the corrected CV suppose they do not: those are
    printed without a bound.
    """

    name: str
    truth: float
    draw: Generator
    alike: bool = True


@dataclass(frozen=True)
class Row:
    """One figure: its value, its Monte-Carlo error, and the bounds it must keep, if any."""

    scenario: str
    seeds: int
    what: str
    value: float
    error: float
    bounds: tuple[float, float] | None

    @property
    def met(self) -> bool:
        return self.bounds is None or self.bounds[0] <= self.value <= self.bounds[1]


def shared_logits() -> Floats:
    return np.random.default_rng(7).normal(0, 2, size=(POSITIONS, SYMBOLS))


def predictions(noise: Floats) -> Floats:
    """Softmax of the shared logits with `noise` [..., N, V] added."""
    p = np.exp(shared_logits().astype(noise.dtype) + noise)
    return p / p.sum(axis=-1, keepdims=True)


def relative_pd(p: Floats, q: Floats) -> Floats:
    return 2 * np.mean(np.abs(p - q) / (p + q), axis=(-2, -1), dtype=np.float64)


def seed_scales(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> Floats:
    """How noisy each activation and seed [..., A, M] is; half of it common to the activations."""
    common = rng.normal(size=(*shape[:-2], 1, shape[-1]))
    own = rng.normal(size=shape)
    return np.exp(spread * (math.sqrt(COMMON) * common + math.sqrt(1 - COMMON) * own))


@functools.cache
def reference(spread: float) -> tuple[Floats, Floats]:
    """Noise levels [K], and the true relative PD at each, from 20,000 pairs of their own seeds."""
    rng = np.random.default_rng(11)
    levels, pairs, block = np.geomspace(0.15, 1.0, 9), 20_000, 1_000
    sums = np.zeros(len(levels))
    for _ in range(0, pairs, block):
        scales = seed_scales(rng, (block, 1, 2), spread)[:, 0]
        noise = (scales[..., None, None] * rng.normal(size=(block, 2, POSITIONS, SYMBOLS))).astype(
            np.float32
        )
        for k, level in enumerate(levels):
            p = predictions(np.float32(level) * noise)
            sums[k] += relative_pd(p[:, 0], p[:, 1]).sum()
    return levels, sums / pairs


def from_predictions(name: str, spread: float) -> Scenario:
    levels, truths = reference(spread)
    middle = float(np.interp(0.4, levels, truths))

    def draw(rng: np.random.Generator, studies: int, seeds: int, cv: float) -> Floats:
        level = np.exp(np.interp(middle * (1 + cv * PATTERN), truths, np.log(levels)))
        parts, block = [], max(1, 3000 // (ACTIVATIONS * seeds))
        for start in range(0, studies, block):
            shape = (min(block, studies - start), ACTIVATIONS, seeds)
            scale = seed_scales(rng, shape, spread) * level[:, None]
            common, own = (
                rng.standard_normal((shape[0], k, seeds, POSITIONS, SYMBOLS), dtype=np.float32)
                for k in (1, ACTIVATIONS)
            )
            noise = np.float32(math.sqrt(COMMON)) * common + np.float32(math.sqrt(1 - COMMON)) * own
            p = predictions(noise * scale[..., None, None].astype(np.float32))
            matrices = np.zeros((*shape, seeds))
            for i, j in itertools.combinations(range(seeds), 2):
                matrices[..., i, j] = matrices[..., j, i] = relative_pd(p[:, :, i], p[:, :, j])
            parts.append(matrices)
        return np.concatenate(parts)

    return Scenario(f"predictions, {name}", middle, draw)


def from_effects(name: str, by_seed: float, by_pair: float, unequal: bool = False) -> Scenario:
    """PD = θ·(1 + s_i + s_j + e_ij); half of s common; `unequal`: some activations spread more."""

    def draw(rng: np.random.Generator, studies: int, seeds: int, cv: float) -> Floats:
        shape = (studies, ACTIVATIONS, seeds)
        common = rng.normal(0, by_seed, size=(studies, 1, seeds))
        seed = math.sqrt(COMMON) * common + math.sqrt(1 - COMMON) * rng.normal(0, by_seed, shape)
        upper = np.triu(rng.normal(0, by_pair, size=(*shape, seeds)), 1)
        noise = seed[..., :, None] + seed[..., None, :] + upper + upper.swapaxes(-1, -2)
        if unequal:
            noise *= np.geomspace(0.5, 2.0, ACTIVATIONS)[:, None, None]
        matrices = (1 + cv * PATTERN)[:, None, None] * (1 + noise)
        matrices[..., range(seeds), range(seeds)] = 0.0
        return matrices

    return Scenario(f"random effects, {name}", 1.0, draw, not unequal)


def scenarios() -> list[Scenario]:
    return [
        from_predictions("weak", 0.05),
        from_predictions("strong", 0.25),
        from_effects("weak", 0.025, 0.05),
        from_effects("strong", 0.1, 0.05),
        from_effects("strong, unequal", 0.1, 0.05, unequal=True),
    ]


def null_rows(
    scenario: Scenario, seeds: int, matrices: Floats, permutations: int
) -> Iterator[tuple[str, Floats, tuple[float, float] | None]]:
    """Name, one value per study, and bound in percent, of what is true where nothing differs."""
    enough = seeds >= 5
    upper = np.triu_indices(seeds, 1)
    first = matrices[:, 0]
    for name, estimates, bound in (
        ("jackknife interval covers", map(jackknife, first), (92.0, 98.0)),
        ("naive interval over pairs covers", (mean_interval(m[upper]) for m in first), None),
    ):
        covers = [e.low <= scenario.truth <= e.high for e in estimates if e.low is not None]
        yield name, np.array(covers), bound if enough else None

    values = paired_pseudo_values(matrices)
    p = np.stack(
        [paired_difference(values[:, a], values[:, b]).p_two_sided() for a, b in PAIRS], axis=1
    )
    yield "paired t rejects", (p <= 0.05).mean(axis=1), (3.0, 7.0) if enough else None
    yield (
        "any of 15 after Holm rejects",
        (holm(p) <= 0.05).any(axis=1),
        (0.0, 6.0) if enough else None,
    )
    plain = np.stack([[pseudo_values(m) for m in study[:2]] for study in matrices])
    t = paired_difference(plain[:, 0], plain[:, 1]).p_two_sided() <= 0.05
    yield "paired t on plain pseudo-values rejects", t, None
    flips = np.array([sign_flip(d) <= 0.05 for d in values[:, 0] - values[:, 1]])
    yield "sign-flip rejects", flips, (0.0, 7.0)
    # The next study's second activation has seeds of its own.
    welch = welch_difference(plain[:, 0], np.roll(plain[:, 1], 1, axis=0)).p_two_sided()
    yield "Welch rejects", welch <= 0.05, (0.0, 7.0)
    at_bound = np.stack(
        [equivalence((1 + MARGIN) * values[:, a], values[:, b], MARGIN) for a, b in PAIRS], axis=1
    )
    yield "equivalence at the margin accepts", (at_bound <= 0.05).mean(axis=1), (0.0, 6.0)
    found = np.array([omnibus(x, permutations) <= 0.05 for x in values])
    yield "omnibus rejects", found, (3.0, 7.0) if enough else None
    groups = [values[k::3][: len(values) // 3] for k in range(3)]
    ratios = [
        mean_ratio([log_ratio(group[s, 0], group[s, 1]) for group in groups])
        for s in range(len(groups[0]))
    ]
    inside = np.array([r.low <= 1 <= r.high for r in ratios if r.low and r.high])
    yield "mean ratio over 3 models covers", inside, (92.0, 98.0) if enough else None


def cv_rows(
    seeds: int, matrices: Floats, cv: float
) -> Iterator[tuple[str, Floats, tuple[float, float] | None]]:
    """The same of the plain and the corrected CV where the true one is `cv`, in percent of it."""
    enough = seeds >= 5
    spread, noise, dof = relative_spread(matrices)
    plain, corrected = np.sqrt(spread), np.sqrt(np.maximum(spread - noise, 0.0))
    unit, of = (1 / cv, " over truth") if cv else (1.0, "")
    yield f"plain CV{of}", unit * plain, None
    if cv:
        yield f"corrected CV{of}", unit * corrected, (90.0, 110.0) if enough else None
    else:
        yield f"corrected CV{of}", corrected, (0.0, 50 * float(plain.mean())) if enough else None
        yield "share of corrected CVs that are 0", corrected == 0, (50.0, 100.0) if enough else None
    free = ACTIVATIONS - 1
    chance = spread_below(spread, noise, np.full(spread.shape, cv**2), free, dof)
    # Where the truth is 0 so is the lower end, unless the spread is larger than noise explains.
    inside = (chance <= 0.975) & ((chance >= 0.025) | (cv == 0))
    yield "CV interval covers", inside, (92.0, 100.0 if not cv else 98.0) if enough else None


def order_rows(
    matrices: Floats, later: Floats
) -> Iterator[tuple[str, Floats, tuple[float, float] | None]]:
    """The same of the order of activations at two times, which truly is one and the same."""
    found = [rank_correlation(*each) for each in zip(matrices, later, strict=True)]
    ends = np.array([(r.low, r.high) for r in found])
    yield "rank correlation's interval holds the true 1", ends[:, 1] > 1 - 1e-9, (95.0, 100.0)
    yield "rank correlation's lower end", ends[:, 0], None


def measure(studies: int, permutations: int) -> Iterator[Row]:
    for scenario, seeds in itertools.product(scenarios(), SEEDS):
        for cv in (0.0, 0.1, 0.2):
            rng = np.random.default_rng([seeds, round(100 * cv)])
            matrices = scenario.draw(rng, studies, seeds, cv)
            found = list(cv_rows(seeds, matrices, cv))
            if not cv:
                found = [*null_rows(scenario, seeds, matrices, permutations), *found]
            if cv == 0.1:
                found += order_rows(matrices, scenario.draw(rng, studies, seeds, cv))
            for what, each, bounds in found:
                if not scenario.alike and ("CV" in what or "omnibus" in what):
                    bounds = None
                label = f"{what} (true CV {cv:.0%})" if "CV" in what else what
                error = 100 * float(np.std(each)) / math.sqrt(len(each))
                yield Row(scenario.name, seeds, label, 100 * float(np.mean(each)), error, bounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--permutations", type=int, default=499)
    arguments = parser.parse_args()
    start, missed, last = time.perf_counter(), 0, None
    for row in measure(arguments.studies, arguments.permutations):
        if (row.scenario, row.seeds) != last:
            print(f"\n{row.scenario}, {row.seeds} seeds (percent ± Monte-Carlo error)")
            last = (row.scenario, row.seeds)
        bound = "" if row.bounds is None else f"{row.bounds[0]:5.1f} to {row.bounds[1]:.1f}"
        missed += not row.met
        mark = "" if row.met else "  NOT MET"
        print(f"  {row.what:48s} {row.value:6.1f} ± {row.error:.1f}   {bound}{mark}", flush=True)
    print(f"\n{missed} bounds not met; {time.perf_counter() - start:.0f} s")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
