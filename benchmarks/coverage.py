"""Error rates of the statistics on generated studies whose truth is known, with their bounds.

Families of contrasts under complete and partial nulls, equivalence at the margin, the omnibus test
and the corrected CV's interval, levels for new seeds and new text, and what rests on seeds alone;
3 to 12 seeds, errors of many shapes (`generators.py`). Prints one line per rate with the ends of
its two one-sided 99% limits. A bound is not met where even the limit that is nearer to it lies
beyond it, that is, where chance in the simulation does not explain it; `?` marks a rate that is
beyond its bound or within such a distance of it that this cannot be told. Ends with status 1 if a
bound is not met.

    python benchmarks/coverage.py [--replicates 10000] [--only families]
"""

import argparse
import itertools
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from generators import (
    ERRORS,
    MEASURES,
    MODELS,
    SKEWED,
    generated,
    predicted_text,
    predicted_truth,
    real,
    real_text,
)
from scipy.special import betaincinv, stdtrit

from reprocore.statistics.closed_test import alike, closed_test
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.levels import Bounds, block_pseudo_values, components, interval
from reprocore.statistics.over_models import log_ratio, mean_ratio, rank_correlation
from reprocore.statistics.spread import relative_spread, spread_below
from reprocore.statistics.tests_over_seeds import (
    equivalence,
    holm,
    paired_difference,
    welch_difference,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Limits = tuple[float, float]
Rates = Iterator[tuple[str, Bools, Limits | None]]

CHUNK = 1000
SEEDS = (4, 5, 6, 8, 10, 12)
MARGIN, ALPHA, LEVEL = 0.1, 0.05, 0.99
# Sample standard deviation 1, so that a CV is known exactly.
PATTERN = np.array([-1.5, -0.5, -0.2, 0.1, 0.6, 1.5])
PATTERN = (PATTERN - PATTERN.mean()) / PATTERN.std(ddof=1)
# Chance of any wrong verdict in a family of so many activations.
FAMILY_BOUND = {3: 6.0, 6: 5.0}
# Which activations are truly alike; the first is the reference.
NULLS = {
    3: {"all alike": (0, 0, 0), "1 apart": (0, 0, 1)},
    6: {"all alike": (0,) * 6, "3 apart": (0, 0, 0, 1, 1, 1), "in pairs": (0, 0, 1, 1, 2, 2)},
}
BOUNDS: dict[str, Bounds] = {"relative_pd": (0.0, 2.0), "churn": (0.0, 1.0)}
COVERS = {"relative_pd": (92.0, 97.0), "churn": (90.0, 97.0)}


@dataclass
class Rate:
    """How often something held, and what bounds it must keep, in percent."""

    what: str
    bounds: Limits | None
    hits: int = 0
    of: int = 0

    @property
    def value(self) -> float:
        return 100 * self.hits / self.of

    def limits(self) -> Limits:
        """One-sided limits of the true rate (Clopper & Pearson 1934)."""
        k, n = self.hits, self.of
        low = betaincinv(k, n - k + 1, 1 - LEVEL) if k else 0.0
        high = betaincinv(k + 1, n - k, LEVEL) if k < n else 1.0
        return 100 * float(low), 100 * float(high)

    def mark(self) -> str:
        if self.bounds is None:
            return ""
        (low, high), (least, most) = self.limits(), self.bounds
        if low > most or high < least:
            return "NOT MET"
        return "?" if high > most or low < least else ""


def rates(replicates: int, draw: Callable[[int], Rates], chunk: int = CHUNK) -> list[Rate]:
    """Gather rates over chunks of studies; `draw` gets the size of each."""
    found: dict[str, Rate] = {}
    for start in range(0, replicates, chunk):
        for what, held, bounds in draw(min(chunk, replicates - start)):
            rate = found.setdefault(what, Rate(what, bounds))
            rate.hits += int(np.count_nonzero(held))
            rate.of += held.size
    return list(found.values())


def study(rng: np.random.Generator, name: str, studies: int, activations: int, m: int) -> Floats:
    """Draw pair matrices [S, A, M, M], all of level 1, of a generator or a real model."""
    if name in MODELS:
        return real(rng, name, studies, activations, m)
    return generated(rng, name, studies, activations, m)


def family_rates(values: Floats, bounded: bool) -> Rates:
    """Any wrong verdict among what is truly alike, in either family."""
    activations = values.shape[1]
    for null, groups in NULLS[activations].items():
        group = np.array(groups)
        bound = (0.0, FAMILY_BOUND[activations]) if bounded else None
        # So far apart that every set which holds two groups is rejected.
        test = closed_test(values + 3.0 * group[:, None])
        same = np.triu(group[:, None] == group, 1)
        wrong = (test.reference[:, 0] <= ALPHA)[:, same[0]]
        yield f"{activations}: with the reference, {null}", wrong.any(axis=1), bound
        wrong = (test.all_pairs <= ALPHA)[:, same]
        yield f"{activations}: all pairs, {null}", wrong.any(axis=1), bound


def equivalence_rates(values: Floats) -> Rates:
    """Any activation called equivalent to the reference where all are at the margin."""
    p = equivalence((1 + MARGIN) * values[:, 1:], values[:, :1], MARGIN)
    yield "equivalence at the margin", (holm(p) <= ALPHA).any(axis=1), (0.0, 5.5)


def families(replicates: int) -> Iterator[tuple[str, list[Rate]]]:
    for name, m in itertools.product((*ERRORS, *MODELS), SEEDS):
        rng = np.random.default_rng([m, *name.encode()])

        def draw(size: int, name: str = name, m: int = m, rng=rng) -> Rates:
            for activations in FAMILY_BOUND:
                values = paired_pseudo_values(study(rng, name, size, activations, m))
                yield from family_rates(values, name not in SKEWED)
            yield from equivalence_rates(values)

        yield f"families, {name}, {m} seeds", rates(replicates, draw)


def cv_rates(matrices: Floats, cv: float, bounded: bool) -> Rates:
    means = (1 + cv * PATTERN)[:, None, None]
    found = relative_spread(means * matrices)
    truth = np.full(found.spread.shape, cv**2)
    chance = spread_below(*found[:2], truth, found.free, found.dof, nodes=100)
    # Where the truth is 0 so is the lower end, unless the spread is larger than noise explains.
    inside = (chance <= 0.975) & ((chance >= 0.025) | (cv == 0))
    bounds = (92.0, 99.0) if bounded else None
    yield f"interval of a true CV of {cv:.0%} covers", inside, bounds
    if cv == 0:
        p = alike(paired_pseudo_values(matrices))
        yield "omnibus test rejects", p <= ALPHA, (0.0, 6.5) if bounded else None


def sensitivity(replicates: int) -> Iterator[tuple[str, list[Rate]]]:
    for name, m in itertools.product((*MODELS, *ERRORS), (4, 5, 8, 12)):
        rng = np.random.default_rng([m, *name.encode()])

        def draw(size: int, name: str = name, m: int = m, rng=rng) -> Rates:
            for cv in (0.0, 0.02, 0.1):
                yield from cv_rates(study(rng, name, size, 6, m), cv, name in MODELS)

        # Only what has a bound needs all of them.
        number = replicates if name in MODELS else replicates // 5
        yield f"sensitivity, {name}, {m} seeds", rates(number, draw)


def level_rates(means: Floats, truth: float, measure: str, covers: Limits | None) -> Rates:
    found = components(block_pseudo_values(means))
    inside = (found.mean > BOUNDS[measure][0]) & (found.total > 0)
    part = [each[inside] for each in found]
    low, high = interval(part[0], np.sqrt(part[4]), part[5], BOUNDS[measure], 0.95)
    yield f"{measure}: new seeds and new text", (low <= truth) & (truth <= high), covers
    half = stdtrit(means.shape[1] - 1, 0.975) * np.sqrt(found.seeds)
    yield f"{measure}: seeds alone", np.abs(found.mean - truth) <= half, None


def levels(replicates: int) -> Iterator[tuple[str, list[Rate]]]:
    for name, m, blocks in itertools.product((*MODELS, "predictions"), (3, 4, 6, 8, 12), (32, 128)):
        rng = np.random.default_rng([m, blocks, *name.encode()])

        def draw(size: int, name: str = name, m: int = m, blocks: int = blocks, rng=rng) -> Rates:
            drawn = predicted_text(rng, size, m, blocks) if name == "predictions" else {}
            for measure in MEASURES:
                if drawn:
                    means, truth = drawn[measure], predicted_truth()[measure]
                else:
                    means, truth = real_text(rng, name, measure, size, m, blocks)
                yield from level_rates(means, truth, measure, COVERS[measure] if m > 3 else None)

        size = max(20, CHUNK * 32 * 16 // (blocks * m * m))
        yield f"levels, {name}, {m} seeds, {blocks} blocks", rates(replicates, draw, size)


def seed_rates(matrices: Floats, later: Floats, m: int) -> Rates:
    """What rests on seeds alone: levels on the same text, single tests, ratios, orders."""
    enough = m >= 5
    upper = matrices[:, 0][:, *np.triu_indices(m, 1)]
    half = stdtrit(upper.shape[1] - 1, 0.975) * upper.std(axis=1, ddof=1)
    covers = np.abs(upper.mean(axis=1) - 1) <= half / math.sqrt(upper.shape[1])
    yield "naive interval over pairs covers", covers, None
    plain = block_pseudo_values(matrices.sum(axis=-1)[..., None] / (m - 1))[..., 0]
    half = stdtrit(m - 1, 0.975) * plain[:, 0].std(axis=1, ddof=1) / math.sqrt(m)
    covers = np.abs(plain[:, 0].mean(axis=1) - 1) <= half
    yield "jackknife interval on the same text covers", covers, (92.0, 98.0) if enough else None
    values = paired_pseudo_values(matrices)
    t = paired_difference(values[:, 1], values[:, 0]).p_two_sided() <= ALPHA
    yield "paired t rejects", t, (2.0, 7.0) if enough else None
    # The next study's second activation has seeds of its own.
    welch = welch_difference(plain[:, 0], np.roll(plain[:, 1], 1, axis=0)).p_two_sided()
    yield "Welch's t rejects", welch <= ALPHA, (0.0, 7.0)
    few = values[: len(values) // 10 + 3]
    triples = [few[k::3][: len(few) // 3] for k in range(3)]
    ratios = [
        mean_ratio([log_ratio(part[s, 0], part[s, 1]) for part in triples])
        for s in range(len(triples[0]))
    ]
    inside = np.array([r.low <= 1 <= r.high for r in ratios if r.low and r.high])
    yield "mean ratio over 3 models covers", inside, (92.0, 98.0) if enough else None
    means = (1 + 0.1 * PATTERN)[:, None, None]
    orders = [
        rank_correlation(means * a, means * b)
        for a, b in zip(matrices[: len(few)], later, strict=False)
    ]
    held = np.array([order.high is not None and order.high > 1 - 1e-9 for order in orders])
    yield "rank correlation's interval holds the true 1", held, (95.0, 100.0)


def seeds_alone(replicates: int) -> Iterator[tuple[str, list[Rate]]]:
    for name, m in itertools.product(("equal", "unequal"), (3, 5, 8, 12)):
        rng = np.random.default_rng([m, *name.encode()])

        def draw(size: int, name: str = name, m: int = m, rng=rng) -> Rates:
            matrices = (study(rng, name, size, 6, m) for _ in range(2))
            yield from seed_rates(*matrices, m)

        yield f"seeds alone, {name}, {m} seeds", rates(replicates, draw)


PARTS = {
    "families": families,
    "sensitivity": sensitivity,
    "levels": levels,
    "seeds_alone": seeds_alone,
}


def report(parts: Sequence[str], replicates: int) -> int:
    """Print all rates; return how many bounds are not met."""
    missed, worst = 0, defaultdict(list)
    for part in parts:
        for heading, found in PARTS[part](replicates):
            print(f"\n{heading} (percent, limits)")
            for rate in found:
                (low, high), mark = rate.limits(), rate.mark()
                bounds = "" if rate.bounds is None else "{:g} to {:g}".format(*rate.bounds)
                print(
                    f"  {rate.what:46s} {rate.value:5.1f} [{low:.1f}, {high:.1f}]  {bounds:10s} "
                    f"{mark}",
                    flush=True,
                )
                missed += mark == "NOT MET"
                worst[part, rate.what].append((rate.value, heading))
    print("\nleast and most of each rate")
    for (part, what), values in worst.items():
        (low, where_low), (high, where_high) = min(values), max(values)
        print(f"  {part:12s}{what:46s} {low:5.1f} ({where_low}) to {high:.1f} ({where_high})")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    start = time.perf_counter()
    missed = report(arguments.only, arguments.replicates)
    print(f"\n{missed} bounds not met; {time.perf_counter() - start:.0f} s")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
