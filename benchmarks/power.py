"""Power of the contrasts with the reference, six activations: closed test, Holm, and the old rule.

One activation, each of the five in turn, has a relative PD 10% below the others'. By the old rule a
verdict took Holm over the 15 pairs, and as many seeds as the sign-flip's floor 2/2^M needs to pass
its first step. Holm over the five contrasts alone, from 4 seeds, is what a closed test of paired t
tests would be. Printed are the shares of the five differences that are found.

    python benchmarks/power.py [--replicates 4000] [--difference 0.1]
"""

import argparse
import itertools
import math

import numpy as np
from generators import ERRORS, MODELS, generated, real

from reprocore.statistics.closed_test import closed_test
from reprocore.statistics.jackknife import paired_pseudo_values
from reprocore.statistics.tests_over_seeds import holm, paired_difference

ACTIVATIONS, ALPHA, CHUNK = 6, 0.05, 1000
SEEDS = (4, 5, 6, 8, 10, 12)
# Generated errors of about the size of a transformer's.
SHARE = 0.25
GENERATORS = (*MODELS, *(name for name in ERRORS if name in ("equal", "unequal", "one wide")))


def found(rng: np.random.Generator, name: str, seeds: int, difference: float, size: int):
    """Return which of the differences were found: now, by Holm, and by the old rule [5, S]."""
    now, plain, old = [], [], []
    pairs = list(itertools.combinations(range(ACTIVATIONS), 2))
    floor = math.ceil(math.log2(2 * len(pairs) / ALPHA))
    for different in range(1, ACTIVATIONS):
        levels = np.ones(ACTIVATIONS)
        levels[different] = 1 - difference
        if name in MODELS:
            matrices = real(rng, name, size, ACTIVATIONS, seeds)
        else:
            matrices = SHARE * generated(rng, name, size, ACTIVATIONS, seeds)
            matrices += (1 - SHARE) * (1 - np.eye(seeds))
        matrices = levels[:, None, None] * matrices
        values = paired_pseudo_values(matrices)
        now.append(closed_test(values).reference[:, 0, different] <= ALPHA)
        p = np.stack(
            [paired_difference(values[:, a], values[:, b]).p_two_sided() for a, b in pairs]
        )
        alone = holm(p.T[:, : ACTIVATIONS - 1])[:, different - 1]
        plain.append(alone <= ALPHA)
        adjusted = holm(p.T)[:, pairs.index((0, different))]
        old.append((adjusted <= ALPHA) & (seeds >= floor))
    return np.array(now), np.array(plain), np.array(old)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4000)
    parser.add_argument("--difference", type=float, default=0.1)
    arguments = parser.parse_args()
    print(f"power at {arguments.difference:.0%}, percent: closed test / Holm / old rule")
    print("| errors | " + " | ".join(f"{m} seeds" for m in SEEDS) + " |")
    print("|---" * (len(SEEDS) + 1) + "|")
    for name in GENERATORS:
        cells = []
        for m in SEEDS:
            rng, rates = np.random.default_rng([m, *name.encode()]), []
            for start in range(0, arguments.replicates, CHUNK):
                size = min(CHUNK, arguments.replicates - start)
                rates.append([x.mean() for x in found(rng, name, m, arguments.difference, size)])
            cells.append("{:.0f} / {:.0f} / {:.0f}".format(*100 * np.mean(rates, axis=0)))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
