"""Recompute a study's numbers from its predictions, without the package; say how far they differ.

The formulas are written out a second time here, in plain float64: measures of every pair of seeds
at every snapshot, levels with their intervals for new seeds and new text, and the contrasts at the
last step with their ratios and the closed test's p. Prints the largest relative difference of each
column, and ends with status 1 if one is above 1e-6.

    python docs/study/recompute.py RESULTS [--models charlm ...]
"""

import argparse
import itertools
import json
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy import stats

LIMIT = 1e-6
TOPS = {"relative_pd": 2.0, "total_variation": 1.0, "churn": 1.0, "flips": 1.0}
LEVEL = 0.95


def by_position(p: np.ndarray, q: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures that are means over positions, at each position, of p and q [N, V]."""
    at = np.arange(len(target))
    total, one, other = p + q, p.argmax(1), q.argmax(1)
    middle = total / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, 2 * abs(p - q) / total, 0)
        entropy = [np.where(x > 0, -x * np.log(x), 0).sum(1) for x in (middle, p, q)]
        jeffreys = np.where(p == q, 0, (p - q) * np.log(p / q)).sum(1)
    # Ties go to the lower id, so that the order must be stable.
    top = [np.argsort(-x, axis=1, kind="stable")[:, :5] for x in (p, q)]
    common = (top[0][:, :, None] == top[1][:, None, :]).any(2).mean(1)
    return {
        "relative_pd": share.mean(1),
        "relative_pd_true": share[at, target],
        "total_variation": abs(p - q).sum(1) / 2,
        "jensen_shannon": entropy[0] - (entropy[1] + entropy[2]) / 2,
        "jeffreys": jeffreys,
        "churn": (one != other).astype(float),
        "top5_overlap": common,
        "flips": ((one == target) != (other == target)).astype(float),
    }


def of_all(p: np.ndarray, q: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Return the measures that are no means over positions."""
    at, one, other = np.arange(len(target)), p.argmax(1), q.argmax(1)
    symbols = range(p.shape[1])
    chance = sum(np.mean(one == s) * np.mean(other == s) for s in symbols)
    losses = np.log(p[at, target]), np.log(q[at, target])
    return {
        "kappa": (np.mean(one == other) - chance) / (1 - chance),
        "loss_correlation": np.corrcoef(*losses)[0, 1],
    }


def pseudo(values: np.ndarray) -> np.ndarray:
    """Return jackknife pseudo-values over the first two axes, [M, M, ...] to [M, ...]."""
    m = len(values)
    own = values.sum(0) / (m - 1)
    return (2 * (m - 1) * own - m * own.mean(0)) / (m - 2)


def level(blocks: np.ndarray, top: float) -> dict[str, float]:
    """Return a level of pair values [M, M, B] with its interval, on the logit of its share."""
    ps = pseudo(blocks)
    m, b = ps.shape
    mean, seeds, texts = ps.mean(), ps.mean(1), ps.mean(0)
    v_s, v_b = seeds.var(ddof=1) / m, texts.var(ddof=1) / b
    rest = ps - seeds[:, None] - texts + mean
    v_i = (rest**2).sum() / ((m - 1) * (b - 1) * m * b)
    v = max(v_s + v_b - v_i, v_s, v_b)
    least = min(v_i, v_s, v_b)
    dof = v**2 / (v_s**2 / (m - 1) + v_b**2 / (b - 1) + least**2 / ((m - 1) * (b - 1)))
    share = mean / top
    half = stats.t.ppf((1 + LEVEL) / 2, dof) * np.sqrt(v) / top / (share * (1 - share))
    ends = [top / (1 + np.exp(-(np.log(share / (1 - share)) + s * half))) for s in (-1, 1)]
    return {"estimate": mean, "se": np.sqrt(v), "dof": dof, "low": ends[0], "high": ends[1]}


def paired(matrices: np.ndarray) -> np.ndarray:
    """Return pseudo-values [A, M] of [A, M, M], less the surplus noise of single pairs."""
    a, m = matrices.shape[:2]
    values = np.array([pseudo(matrix) for matrix in matrices])
    centred = matrices - matrices.mean(0)
    own = np.array([pseudo(matrix) for matrix in centred])
    effect = (own - own.mean(1, keepdims=True)) / 2
    fitted = own.mean(1)[:, None, None] + effect[:, :, None] + effect[:, None, :]
    upper = np.triu_indices(m, 1)
    noise = ((centred - fitted)[:, upper[0], upper[1]] ** 2).sum() / ((a - 1) * m * (m - 3) / 2)
    seed = 4 * (effect**2).sum() / ((a - 1) * (m - 1))
    bound = stats.f.ppf(0.9, (a - 1) * m * (m - 3) / 2, (a - 1) * (m - 1))
    least = (m - 2) / (2 * (m - 1))
    kept = np.clip(1 - 2 * noise * m / ((m - 1) * (m - 2)) / seed / bound, least, 1)
    inner = values - values.mean(0)
    mean = inner.mean(1, keepdims=True)
    return values.mean(0) + mean + np.sqrt(kept) * (inner - mean)


def p_alike(x: np.ndarray) -> float:
    """Return the p that activations [s, M] are alike: Greenhouse and Geisser's F."""
    s, m = x.shape
    centre = np.eye(s) - 1 / s
    k = centre @ np.cov(x) @ centre
    f = m * x.mean(1).var(ddof=1) / (np.trace(k) / (s - 1))
    epsilon = np.clip(np.trace(k) ** 2 / ((s - 1) * np.trace(k @ k)), 1 / (s - 1), 1)
    return float(stats.f.sf(f, epsilon * (s - 1), epsilon * (s - 1) * (m - 1)))


def against_reference(x: np.ndarray, reference: int) -> dict[int, dict[str, float]]:
    """Return each activation's ratio to the reference, its interval, and p before and after."""
    a, m = x.shape
    sets = [s for n in range(2, a + 1) for s in itertools.combinations(range(a), n)]
    p = {s: p_alike(x[list(s)]) for s in sets if reference in s}
    found = {}
    for one in set(range(a)) - {reference}:
        pair = (min(one, reference), max(one, reference))
        means = x[one].mean(), x[reference].mean()
        c = np.cov(x[one], x[reference]) / m
        q = stats.t.ppf((1 + LEVEL) / 2, m - 1) ** 2
        coefficients = (
            means[1] ** 2 - q * c[1, 1],
            -2 * (means[0] * means[1] - q * c[0, 1]),
            means[0] ** 2 - q * c[0, 0],
        )
        low, high = sorted(np.roots(coefficients).real)
        found[one] = {
            "ratio": means[0] / means[1],
            "ratio_low": low,
            "ratio_high": high,
            "p": p[pair],
            "p_adjusted": max(value for s, value in p.items() if one in s),
        }
    return found


class Differences:
    """The largest relative difference of each column."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)

    def add(self, table: str, row: dict, wanted: dict[str, float]) -> None:
        """Compare a row with the numbers that it should have; one that it lacks is left out."""
        for name, value in wanted.items():
            if row[name] is None or np.isnan(row[name]):
                continue
            far = 0.0 if row[name] == value else abs(row[name] - value) / max(abs(value), 1e-12)
            column = f"{table}.{name}"
            self.largest[column] = max(self.largest[column], math.inf if np.isnan(far) else far)
            self.counts[column] += 1


def cells_of(results: Path, model: str, activation: str) -> dict[int, Path]:
    """Return the folders of the cells of arm `all`, by seed."""
    folders = (results / "cells" / model / activation).glob("all-*")
    return {int(f.name.removeprefix("all-")): f for f in folders if (f / "cell.json").is_file()}


def predictions(folder: Path) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return the probabilities [N, V] of each step, and the targets [N]."""
    table = pq.read_table(folder / "predictions.parquet", partitioning=None)
    steps = np.asarray(table["step"])
    flat = table["probabilities"].combine_chunks().flatten()
    values = np.asarray(flat, dtype=np.float64).reshape(len(steps), -1)
    targets = np.asarray(table["target"])[steps == steps[0]].astype(int)
    return {int(step): values[steps == step] for step in np.unique(steps)}, targets


def check_model(results: Path, model: str, block: int, differences: Differences) -> None:
    """Compare all tables of one model."""
    read = {
        name: pq.read_table(results / f"models/{model}/{name}.parquet", partitioning=None)
        .to_pandas()
        .query("arm == 'all'")
        for name in ("estimates", "contrasts", "steps")
    }
    by_step: dict[int, dict[str, pd.DataFrame]] = defaultdict(dict)
    for folder in sorted((results / "cells" / model).iterdir()):
        activation = folder.name
        cells = {
            seed: predictions(path) for seed, path in cells_of(results, model, activation).items()
        }
        if len(cells) < 3:
            continue
        path = results / f"pairs/{model}/{activation}/all.parquet"
        pairs = pq.read_table(path, partitioning=None).to_pandas()
        seeds = sorted(cells)
        for step in next(iter(cells.values()))[0]:
            target = cells[seeds[0]][1]
            blocks = {name: np.zeros((len(seeds),) * 2 + (len(target) // block,)) for name in TOPS}
            for i, j in itertools.combinations(range(len(seeds)), 2):
                p, q = (cells[seeds[k]][0][step] for k in (i, j))
                values = by_position(p, q, target)
                row = pairs.query(
                    f"seed_a == {seeds[i]} and seed_b == {seeds[j]} and step == {step}"
                )
                wanted = {name: value.mean() for name, value in values.items()}
                differences.add("pairs", row.iloc[0].to_dict(), wanted | of_all(p, q, target))
                for name in TOPS:
                    blocks[name][i, j] = blocks[name][j, i] = (
                        values[name].reshape(-1, block).mean(1)
                    )
            for name, top in TOPS.items():
                row = read["estimates"].query(
                    f"activation == '{activation}' and measure == '{name}' and step == {step}"
                )
                if row["low"].notna().all():
                    differences.add("estimates", row.iloc[0].to_dict(), level(blocks[name], top))
            by_step[step][activation] = pd.DataFrame(blocks["relative_pd"].mean(2), seeds, seeds)
    for step, of_step in by_step.items():
        names = list(of_step)
        shared = sorted(set.intersection(*(set(frame.index) for frame in of_step.values())))
        if len(shared) < 4 or len(names) < 2:
            continue
        tables = {"steps": read["steps"].query(f"measure == 'relative_pd' and step == {step}")}
        if step == max(by_step):
            tables["contrasts"] = read["contrasts"].query(
                "family == 'reference' and measure == 'relative_pd' and condition == 'final'"
            )
        x = paired(np.array([of_step[name].loc[shared, shared] for name in names]))
        reference = names.index(tables["steps"]["second"].iloc[0])
        for one, wanted in against_reference(x, reference).items():
            for name, rows in tables.items():
                row = rows.query(f"first == '{names[one]}'").iloc[0].to_dict()
                differences.add(name, row, {k: v for k, v in wanted.items() if k in row})


def main() -> int:
    """Compare all models and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--models", nargs="+")
    arguments = parser.parse_args()
    results = arguments.results
    models = arguments.models or [path.name for path in sorted((results / "models").iterdir())]
    study = json.loads((results / "study.json").read_text("utf-8"))
    block, confidence = study["study"]["probe"]["block"], study["study"]["statistics"]["confidence"]
    if confidence != LEVEL:
        sys.exit(f"{results}: intervals at {confidence:g}; here they are made at {LEVEL:g}")
    differences = Differences()
    for model in models:
        check_model(results, model, block, differences)
    for name, far in differences.largest.items():
        print(f"{name:28s} {differences.counts[name]:7,} numbers  largest difference {far:.1e}")
    if not differences.counts:
        sys.exit(f"{results}: nothing to compare: no activation has 3 seeds with predictions")
    worst = max(differences.largest.values())
    print(f"{', '.join(models)}: largest relative difference {worst:.1e}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
