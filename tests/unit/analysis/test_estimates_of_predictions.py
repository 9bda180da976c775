"""Levels for new seeds and new text, recomputed from the predictions of a tiny study in float64."""

import itertools
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from reprocore.analysis.estimates import estimate_groups, gather_scores
from reprocore.analysis.pairs import compare_cells
from reprocore.store.predictions import Predictions, write_predictions
from reprocore.store.schemas import CONTINUATIONS_SCHEMA, EVALUATION_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell
from reprocore.vocabulary import Generalisation

SEEDS, STEPS, SYMBOLS, BLOCKS, BLOCK = (2, 3, 5, 8), (5, 10), 7, 4, 3
CONFIDENCE = 0.9


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[Path]]:
    """The files of four cells that agree with each other in some blocks more than in others."""
    root, found = tmp_path_factory.mktemp("cells"), {}
    random = np.random.default_rng(7)
    shape = (len(STEPS), BLOCKS * BLOCK, SYMBOLS)
    common = random.normal(0, 1.5, shape)
    spread = np.repeat([0.3, 0.5, 0.8, 1.2], BLOCK)[:, None]
    for seed in SEEDS:
        cell = Cell("charlm", "relu", "all", seed)
        weights = np.exp(common + spread * (0.5 + seed / 10) * random.normal(size=shape))
        probabilities = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
        positions = np.arange(100, 100 + shape[1])
        targets = (positions % SYMBOLS).astype(np.uint16)
        predicted = Predictions(np.array(STEPS), positions, targets, probabilities, "p", cell.key)
        write_predictions(root / f"{seed}-predictions.parquet", predicted)
        rows = [{"position": 100, "continuation": "abcdefgh"[: seed % 5 + 2]}]
        rows.append({"position": 103, "continuation": "hgfedcba"[: seed % 4 + 3]})
        scores = [
            {"step": step, "block": b, "loss": 2 + random.normal(b / 5, 0.1), "accuracy": a}
            for step in STEPS
            for b, a in enumerate(random.uniform(0.3, 0.6, BLOCKS))
        ]
        for name, schema, content in (
            ("continuations", CONTINUATIONS_SCHEMA, rows),
            ("evaluation", EVALUATION_SCHEMA, scores),
        ):
            named = schema.with_metadata({"cell": cell.key})
            write_table(root / f"{seed}-{name}.parquet", pa.Table.from_pylist(content, named))
        for name in ("predictions", "continuations", "evaluation"):
            found.setdefault(name, []).append(root / f"{seed}-{name}.parquet")
    return found


@pytest.fixture(scope="module")
def estimates(files, tmp_path_factory) -> dict[tuple[str, int], dict]:
    root = tmp_path_factory.mktemp("tables")
    tables = compare_cells(files["predictions"], files["continuations"], BLOCK)
    for name, table in tables.items():
        write_table(root / f"{name}.parquet", table)
    paths = ([root / f"{name}.parquet"] for name in ("pairs", "blocks"))
    rows = estimate_groups(*paths, gather_scores(files["evaluation"]), CONFIDENCE).to_pylist()
    return {(row["measure"], row["step"]): row for row in rows}


def at_position(measure: str, p: list[float], q: list[float]) -> float:
    if measure == "relative_pd":
        return sum(2 * abs(a - b) / (a + b) for a, b in zip(p, q, strict=True)) / len(p)
    if measure == "churn":
        return float(p.index(max(p)) != q.index(max(q)))
    return sum((a - b) * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))


def by_pair_and_block(files, measure: str, step: int) -> dict[tuple[int, int, int], float]:
    cells = []
    for path in files["predictions"]:
        rows = [row for row in pq.read_table(path).to_pylist() if row["step"] == step]
        cells.append([row["probabilities"] for row in sorted(rows, key=lambda r: r["position"])])
    return {
        (i, j, b): sum(
            at_position(measure, cells[i][n], cells[j][n])
            for n in range(b * BLOCK, (b + 1) * BLOCK)
        )
        / BLOCK
        for i, j in itertools.combinations(range(len(cells)), 2)
        for b in range(BLOCKS)
    }


def two_way(values: np.ndarray) -> tuple[float, float, float, float, float]:
    """Mean, its standard errors (seeds, text, both) and ν of values by seed and block."""
    m, b = values.shape
    mean = values.sum() / (m * b)
    seed, text = values.sum(axis=1) / b, values.sum(axis=0) / m
    v_s = sum((x - mean) ** 2 for x in seed) / (m - 1) / m
    v_b = sum((x - mean) ** 2 for x in text) / (b - 1) / b
    rest = [
        (values[i, k] - seed[i] - text[k] + mean) ** 2
        for i, k in itertools.product(range(m), range(b))
    ]
    v_i = sum(rest) / ((m - 1) * (b - 1) * m * b)
    v = max(v_s + v_b - v_i, v_s, v_b)
    nu = v**2 / (v_s**2 / (m - 1) + v_b**2 / (b - 1) + v_i**2 / ((m - 1) * (b - 1)))
    return mean, math.sqrt(v_s), math.sqrt(v_b), math.sqrt(v), nu


def ends(mean: float, se: float, nu: float, top: float) -> tuple[float, float]:
    """On the logit of the share of `top`, or on the logarithm where there is no top."""
    half = stats.t.ppf((1 + CONFIDENCE) / 2, nu) * se
    if math.isinf(top):
        return mean * math.exp(-half / mean), mean * math.exp(half / mean)
    share = mean / top
    middle, half = math.log(share / (1 - share)), half / top / (share * (1 - share))
    low, high = (top / (1 + math.exp(-end)) for end in (middle - half, middle + half))
    return low, high


def assert_is_level(row: dict, values: np.ndarray, top: float) -> None:
    mean, se_seeds, se_text, se, nu = two_way(values)
    assert row["estimate"] == pytest.approx(mean, rel=1e-9)
    wanted = (se_seeds, se_text, se, nu, *ends(mean, se, nu, top))
    found = tuple(row[name] for name in ("se_seeds", "se_text", "se", "dof", "low", "high"))
    assert found == pytest.approx(wanted, rel=1e-7)
    assert (row["seeds"], row["blocks"], row["reason"]) == (len(SEEDS), BLOCKS, "")
    assert row["generalisation"] == Generalisation.SEEDS_AND_TEXT


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("measure", "top"), [("relative_pd", 2.0), ("churn", 1.0), ("jeffreys", math.inf)]
)
def test_the_interval_of_a_measure(files, estimates, measure: str, top: float, step: int) -> None:
    y, m = by_pair_and_block(files, measure, step), len(SEEDS)
    pseudo = np.empty((m, BLOCKS))
    for i, b in itertools.product(range(m), range(BLOCKS)):
        own = sum(v for (s, t, k), v in y.items() if k == b and i in (s, t)) / (m - 1)
        whole = sum(v for (_, _, k), v in y.items() if k == b) / (m * (m - 1) / 2)
        pseudo[i, b] = (2 * (m - 1) * own - m * whole) / (m - 2)
    assert_is_level(estimates[measure, step], pseudo, top)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("name", "column", "top"), [("val_loss", "loss", math.inf), ("val_accuracy", "accuracy", 1.0)]
)
def test_the_interval_of_a_score(files, estimates, name, column, top, step) -> None:
    values = [
        [row[column] for row in pq.read_table(path).to_pylist() if row["step"] == step]
        for path in files["evaluation"]
    ]
    assert_is_level(estimates[name, step], np.array(values), top)


def test_of_texts_the_interval_is_for_new_seeds_alone(estimates) -> None:
    row = estimates["continuation_distance", STEPS[-1]]
    assert ("continuation_distance", STEPS[0]) not in estimates
    assert (row["generalisation"], row["blocks"]) == (Generalisation.SEEDS, 0)
    assert (row["dof"], row["se_text"]) == (len(SEEDS) - 1, None)
    wanted = ends(row["estimate"], row["se_seeds"], len(SEEDS) - 1, 1.0)
    assert (row["low"], row["high"]) == pytest.approx(wanted)
