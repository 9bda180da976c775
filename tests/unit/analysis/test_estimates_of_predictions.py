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
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA, EVALUATION_SCHEMA
from reprocore.store.predictions import Predictions, write_predictions
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell
from reprocore.vocabulary import Generalisation, Reason

SEEDS, STEPS, SYMBOLS, BLOCKS, BLOCK = (2, 3, 5, 8), (5, 10), 7, 4, 3
CONFIDENCE = 0.9


def write_cell(root: Path, seed: int, probabilities: np.ndarray, losses: np.ndarray) -> None:
    """Write the files of a cell: its predictions [S, N, V], texts, and losses [S, B]."""
    cell = Cell("charlm", "relu", "all", seed)
    positions = np.arange(100, 100 + probabilities.shape[1])
    targets = (positions % SYMBOLS).astype(np.uint16)
    content = (np.array(STEPS), positions, targets, probabilities.astype(np.float32))
    write_predictions(root / f"{seed}-predictions", Predictions(*content, "p", cell.key))
    texts = [
        {"position": 100, "continuation": "abcdefgh"[: seed % 5 + 2]},
        {"position": 103, "continuation": "hgfedcba"[: seed % 4 + 3]},
    ]
    scores = [
        {"step": step, "block": b, "loss": loss, "accuracy": 1 / (1 + seed + b)}
        for step, row in zip(STEPS, losses, strict=True)
        for b, loss in enumerate(row)
    ]
    for name, schema, rows in (
        ("continuations", CONTINUATIONS_SCHEMA, texts),
        ("evaluation", EVALUATION_SCHEMA, scores),
    ):
        named = schema.with_metadata({"cell": cell.key})
        write_table(root / f"{seed}-{name}", pa.Table.from_pylist(rows, named))


def files_of(root: Path) -> dict[str, list[Path]]:
    names = ("predictions", "continuations", "evaluation")
    return {name: [root / f"{seed}-{name}" for seed in SEEDS] for name in names}


def estimates_of(root: Path, block: int) -> dict[tuple[str, int], dict]:
    files = files_of(root)
    tables = compare_cells(files["predictions"], files["continuations"], block)
    for name, table in tables.items():
        write_table(root / name, table)
    scores = gather_scores(files["evaluation"])
    rows = estimate_groups([root / "pairs"], [root / "blocks"], scores, CONFIDENCE).to_pylist()
    return {(row["measure"], row["step"]): row for row in rows}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """The folder of four cells that agree with each other in some blocks more than in others."""
    root = tmp_path_factory.mktemp("cells")
    random = np.random.default_rng(7)
    shape = (len(STEPS), BLOCKS * BLOCK, SYMBOLS)
    common = random.normal(0, 1.5, shape)
    spread = np.repeat([0.3, 0.5, 0.8, 1.2], BLOCK)[:, None]
    for seed in SEEDS:
        weights = np.exp(common + spread * (0.5 + seed / 10) * random.normal(size=shape))
        losses = 2 + random.normal(np.arange(BLOCKS) / 5, 0.1, (len(STEPS), BLOCKS))
        write_cell(root, seed, weights / weights.sum(axis=-1, keepdims=True), losses)
    return root


@pytest.fixture(scope="module")
def files(root: Path) -> dict[str, list[Path]]:
    return files_of(root)


@pytest.fixture(scope="module")
def estimates(root: Path) -> dict[tuple[str, int], dict]:
    return estimates_of(root, BLOCK)


def at_position(measure: str, p: list[float], q: list[float], target: int) -> float:
    if measure == "relative_pd":
        return sum(2 * abs(a - b) / (a + b) for a, b in zip(p, q, strict=True)) / len(p)
    one, other = p.index(max(p)), q.index(max(q))
    if measure == "churn":
        return float(one != other)
    if measure == "flips":
        return float((one == target) != (other == target))
    return sum((a - b) * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))


def by_pair_and_block(files, measure: str, step: int) -> dict[tuple[int, int, int], float]:
    cells, targets = [], []
    for path in files["predictions"]:
        rows = [row for row in pq.read_table(path).to_pylist() if row["step"] == step]
        rows.sort(key=lambda row: row["position"])
        cells.append([row["probabilities"] for row in rows])
        targets = [row["target"] for row in rows]
    return {
        (i, j, b): sum(
            at_position(measure, cells[i][n], cells[j][n], targets[n])
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
    twice = min(v_i, v_s, v_b)
    nu = v**2 / (v_s**2 / (m - 1) + v_b**2 / (b - 1) + twice**2 / ((m - 1) * (b - 1)))
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
    ("measure", "top"),
    [("relative_pd", 2.0), ("churn", 1.0), ("flips", 1.0), ("jeffreys", math.inf)],
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


@pytest.mark.parametrize("name", ["kappa", "loss_correlation"])
@pytest.mark.parametrize("step", STEPS)
def test_what_is_no_mean_over_positions_has_an_interval_for_new_seeds(
    estimates, name: str, step: int
) -> None:
    row = estimates[name, step]
    assert (row["generalisation"], row["blocks"], row["reason"]) == (Generalisation.SEEDS, 0, "")
    assert (row["se"], row["se_text"]) == (row["se_seeds"], None)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(SEEDS) - 1) * row["se"]
    ends_of = (row["estimate"] - half, row["estimate"] + half)
    assert (row["low"], row["high"]) == pytest.approx(ends_of)


EVEN = np.full((len(STEPS), BLOCKS * BLOCK, SYMBOLS), 1 / SYMBOLS)
TILTED = EVEN + np.linspace(-0.1, 0.1, SYMBOLS)
CERTAIN = np.broadcast_to(np.eye(SYMBOLS)[1], EVEN.shape)
LOSSES = np.ones((len(STEPS), BLOCKS))
EDGES = {
    "identical": (TILTED, TILTED, LOSSES, BLOCK, {"flips": Reason.NO_VARIATION}),
    "no accord beyond chance": (EVEN, EVEN, LOSSES, BLOCK, {"kappa": Reason.NOT_A_NUMBER}),
    "no loss that varies": (EVEN, TILTED, LOSSES, BLOCK, {"loss_correlation": Reason.NOT_A_NUMBER}),
    "impossible for one": (TILTED, CERTAIN, LOSSES, BLOCK, {"jeffreys": Reason.INFINITE}),
    "one block": (
        EVEN,
        TILTED,
        LOSSES[:, :1],
        12,
        {"churn": Reason.ONE_BLOCK, "val_loss": Reason.ONE_BLOCK},
    ),
    "no number": (EVEN, TILTED, LOSSES * np.nan, BLOCK, {"val_loss": Reason.NOT_A_NUMBER}),
    "the same loss": (EVEN, TILTED, LOSSES, BLOCK, {"val_loss": Reason.NO_VARIATION}),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_has_no_interval_or_width_has_its_reason(tmp_path: Path, name: str) -> None:
    first, others, losses, block, reasons = EDGES[name]
    for seed in SEEDS:
        write_cell(tmp_path, seed, first if seed == SEEDS[0] else others, losses)
    rows = estimates_of(tmp_path, block)
    for measure, reason in reasons.items():
        row = rows[measure, STEPS[-1]]
        assert row["reason"] == reason
        ends_of = (row["estimate"],) * 2 if reason == Reason.NO_VARIATION else (None, None)
        assert (row["low"], row["high"]) == ends_of
