"""Tables of the final predictions, recomputed from the files one position after the other."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from conftest import one_line, tiny_study
from reprocore.analysis.cross import COMPARED, cross_table
from reprocore.analysis.final_predictions import read_final_predictions
from reprocore.analysis.strata import (
    DIVERGENCES,
    STRATA,
    kind_of,
    strata_table,
    stratum_divergences,
    stratum_loss,
)
from reprocore.analysis.text import shown_positions, text_table
from reprocore.data.probe import Probe
from reprocore.errors import ReprocoreError
from reprocore.statistics.strata import fifths
from reprocore.store.columns import codes_of
from reprocore.store.position_schemas import CROSS_SCHEMA, STRATA_SCHEMA, TEXT_SCHEMA
from reprocore.store.predictions import Predictions, read_predictions, write_predictions
from reprocore.vocabulary import Kind, Reason, Stratification

SYMBOLS = ("\n", " ", "!", "3", "A", "a", "b")
SEEDS = (2, 5, 9, 10)
STUDY = tiny_study(activations=["relu", "gelu", "swish"], seeds=list(SEEDS))


def write(folder: Path, cell: str, **changes) -> Path:
    rng = np.random.default_rng([len(cell), *cell.encode()])
    count = changes.pop("count", 310)
    logits = np.random.default_rng(0).normal(0, 2, (2, count, len(SYMBOLS)))
    weights = np.exp(logits + rng.normal(0, 0.6, logits.shape))
    stored = {
        "steps": np.array([4, 8]),
        "positions": np.arange(count),
        "targets": np.random.default_rng(1).integers(0, 7, count).astype(np.uint16),
        "probabilities": (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32),
        "probe_hash": "a1",
        "cell": cell,
    }
    path = folder / f"{cell}/predictions.parquet".replace("/", "-")
    write_predictions(path, Predictions(**stored | changes))
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[tuple[str, int], Path]:
    """All cells but one, in no order."""
    folder = tmp_path_factory.mktemp("cells")
    cells = [(a, s) for s in (10, 2, 9, 5) for a in ("gelu", "relu") if (a, s) != ("gelu", 9)]
    return {(a, s): write(folder, f"charlm/{a}/all-{s}") for a, s in cells}


def rows(table, **wanted):
    return [row for row in table.to_pylist() if all(row[k] == v for k, v in wanted.items())]


def position_values(p, q, measure):
    """A measure of two models at each position, by its definition."""
    rows = list(zip(p.astype(np.float64).tolist(), q.astype(np.float64).tolist(), strict=True))
    if measure == "churn":
        return [float(np.argmax(a) != np.argmax(b)) for a, b in rows]
    pairs = [list(zip(a, b, strict=True)) for a, b in rows]
    if measure == "relative_pd":
        return [sum(2 * abs(x - y) / (x + y) for x, y in row) / len(row) for row in pairs]
    return [sum(abs(x - y) for x, y in row) / 2 for row in pairs]


def test_cross_is_the_mean_over_pairs_of_the_files(paths):
    table = cross_table(STUDY, "charlm", read_final_predictions(list(paths.values())))
    assert table.schema.equals(CROSS_SCHEMA)
    # swish has not run: two activations with themselves, and one with the other twice.
    assert len(table) == 4 * len(COMPARED)
    final = {key: read_predictions(path).probabilities[-1] for key, path in paths.items()}
    shared = (2, 5, 10)
    for measure in ("relative_pd", "total_variation", "churn"):

        def mean(pairs, measure=measure):
            values = [np.mean(position_values(final[a], final[b], measure)) for a, b in pairs]
            return math.fsum(values) / len(values), len(values)

        own = {}
        for name, seeds in (("relu", SEEDS), ("gelu", shared)):
            pairs = itertools.combinations([(name, s) for s in seeds], 2)
            (row,) = rows(table, measure=measure, activation_a=name, activation_b=name)
            assert (row["estimate"], row["pairs"]) == pytest.approx(mean(list(pairs)))
            own[name] = mean(list(itertools.combinations([(name, s) for s in shared], 2)))[0]
        for same in (True, False):
            seeds = [(a, b) for a in shared for b in shared if (a == b) == same]
            wanted = mean([(("relu", a), ("gelu", b)) for a, b in seeds])
            (row,) = rows(
                table, measure=measure, activation_b="gelu", same_seed=same, seeds_first=4
            )
            assert row["activation_a"] == "relu"
            assert (row["estimate"], row["pairs"]) == pytest.approx(wanted)
            assert row["ratio"] == pytest.approx(2 * wanted[0] / sum(own.values()))
            assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
            assert row["low"] < row["estimate"] < row["high"]
            assert row["reason"] == Reason.PART_OF_SEEDS
            assert (row["seeds"], row["seeds_second"]) == (3, 3)


def test_strata_are_the_means_over_their_positions(paths):
    final = read_final_predictions(list(paths.values()))
    table = strata_table(STUDY, "charlm", final, SYMBOLS)
    assert table.schema.equals(STRATA_SCHEMA)
    content = {key: read_predictions(path) for key, path in paths.items()}
    targets = next(iter(content.values())).targets
    p = {key: found.probabilities[-1].astype(np.float64) for key, found in content.items()}
    mean = sum(p.values()) / len(p)
    hard = [-math.log(row[t]) for row, t in zip(mean, targets, strict=True)]
    unsure = [-sum(x * math.log(x) for x in row) for row in mean]
    kinds = dict(
        zip(SYMBOLS, ("newline", "space", "punctuation", "digit", "capital"), strict=False)
    )
    for stratification, values in (("surprisal", hard), ("entropy", unsure), ("kind", None)):
        for stratum in STRATA[Stratification(stratification)]:
            if values is None:
                own = [kinds.get(SYMBOLS[t], "lower_case") == stratum for t in targets]
            else:
                ranks = np.argsort(np.argsort(values))
                own = [rank * 5 // 310 + 1 == int(stratum) for rank in ranks]
            where = {"stratification": stratification, "stratum": stratum, "activation": "relu"}
            for measure in ("relative_pd", "churn", "total_variation"):
                pairs = itertools.combinations([("relu", s) for s in SEEDS], 2)
                each = [np.array(position_values(p[a], p[b], measure))[own] for a, b in pairs]
                (row,) = rows(table, measure=measure, **where)
                assert row["estimate"] == pytest.approx(np.mean(each))
                assert (row["positions"], row["seeds"], row["pairs"]) == (sum(own), 4, 6)
            losses = [
                [-math.log(q[n, t]) for n, t in enumerate(targets) if own[n]]
                for q in (p["relu", s] for s in SEEDS)
            ]
            (row,) = rows(table, measure="loss", **where)
            assert row["estimate"] == pytest.approx(np.mean(losses), rel=1e-6)
            assert row["low"] < row["estimate"] < row["high"]


def test_a_stratum_where_nothing_varies_says_so():
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    values = {measure: np.full(3, 0.1) for measure in DIVERGENCES}
    alike = [*stratum_divergences(pairs, values, 0.95), stratum_loss(np.full(3, 0.1), 0.95)]
    for _, found in alike:
        assert found.low == found.high == found.estimate
        assert found.reasons == (Reason.NO_VARIATION,)
    for schema in (STRATA_SCHEMA, CROSS_SCHEMA):
        assert Reason.NO_VARIATION in codes_of(schema, "reason")


@pytest.mark.parametrize("cells", [[], ["gelu/all-2"], ["gelu/all-2", "relu/all-5"]])
def test_few_cells_give_tables_with_reasons(tmp_path, cells):
    final = read_final_predictions([write(tmp_path, f"charlm/{cell}") for cell in cells])
    tables = cross_table(STUDY, "charlm", final), strata_table(STUDY, "charlm", final, SYMBOLS)
    for table in tables:
        for row in table.to_pylist():
            assert set(row["reason"].split()) <= codes_of(table.schema, "reason")
            assert row["reason"]
            assert row["low"] is None
    assert set(tables[1]["measure"].to_pylist()) == ({"loss"} if cells else set())


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        ("charlm/gelu/all-2", {}, "as another does"),
        ("convlm/gelu/all-3", {}, "is of convlm/all, but"),
        ("charlm/gelu/init-3", {}, "is of charlm/init, but"),
        ("charlm/gelu/all-3", {"steps": np.array([4, 9])}, "ends at step 9, but"),
        ("charlm/gelu/all-3", {"probe_hash": "b2"}, "must be of one probe"),
        ("charlm/gelu/all-3", {"count": 9}, "must be of one probe"),
    ],
)
def test_files_that_do_not_fit_are_one_line(tmp_path, cell, changes, message):
    (tmp_path / "other").mkdir()
    files = [write(tmp_path, "charlm/gelu/all-2"), write(tmp_path / "other", cell, **changes)]
    with pytest.raises(ReprocoreError) as error:
        read_final_predictions(files)
    assert message in one_line(error)


def test_fifths_are_of_one_size_and_in_order():
    assert fifths([3.0, 1.0, 2.0, 2.0, 9.0]).tolist() == [4, 1, 2, 3, 5]
    assert fifths(np.zeros(12)).tolist() == [1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5]
    assert fifths([]).tolist() == []


def test_every_character_has_a_kind():
    found = {character: kind_of(character) for character in "a\n 7Zé-—中\t"}
    assert list(found.values()) == [
        *(Kind.LOWER_CASE, Kind.NEWLINE, Kind.SPACE, Kind.DIGIT, Kind.CAPITAL, Kind.LOWER_CASE),
        *(Kind.PUNCTUATION, Kind.PUNCTUATION, Kind.PUNCTUATION, Kind.SPACE),
    ]


def test_text_is_what_each_seed_predicts(paths):
    final = read_final_predictions(list(paths.values()))
    block = 31
    probe = Probe(np.arange(310), final.targets, block, "x", SYMBOLS, "a1")
    table = text_table(STUDY, "charlm", final, probe)
    assert table.schema.equals(TEXT_SCHEMA)
    stored = {key: read_predictions(path).probabilities[-1] for key, path in paths.items()}
    for activation, seeds in (("relu", SEEDS), ("gelu", (2, 5, 10))):
        stack = np.stack([stored[activation, seed] for seed in seeds]).astype(np.float64)
        of_mean = rows(table, activation=activation, seed=None)
        assert [row["position"] for row in of_mean] == list(range(310))
        for at in (0, 100, 309):
            row, mean = of_mean[at], stack[:, at].mean(axis=0)
            best = int(mean.argmax())
            assert row["first"] == SYMBOLS[best]
            assert row["p_first"] == pytest.approx(mean.max(), rel=1e-6)
            assert row["character"] == SYMBOLS[final.targets[at]]
            assert row["block"] == at // block
            others = [p[at].argmax() != best for p in stack]
            assert row["disagreement"] == pytest.approx(np.mean(others))
            apart = [abs(p[at] - q[at]).sum() / 2 for p, q in itertools.combinations(stack, 2)]
            assert row["total_variation"] == pytest.approx(np.mean(apart))
        for number, seed in enumerate(seeds):
            (row,) = rows(table, activation=activation, seed=seed, position=100)
            ranked = sorted(range(7), key=lambda k: -stack[number, 100, k])
            names = [row[name] for name in ("first", "second", "third")]
            assert names == [SYMBOLS[k] for k in ranked[:3]]
            assert row["probability"] == stored[activation, seed][100, final.targets[100]]
            assert row["disagreement"] is row["total_variation"] is None


def test_text_of_one_seed_or_of_none(paths):
    final = read_final_predictions([paths["relu", 5]])
    probe = Probe(np.arange(310), final.targets, 62, "x", SYMBOLS, "a1")
    of_mean = rows(text_table(STUDY, "charlm", final, probe), seed=None)
    assert {row["total_variation"] for row in of_mean} == {None}
    assert {row["disagreement"] for row in of_mean} == {0.0}
    assert text_table(STUDY, "charlm", None, probe).num_rows == 0
    with pytest.raises(ReprocoreError) as error:
        text_table(STUDY, "charlm", final, dataclasses.replace(probe, hash="b2"))
    assert "another probe" in one_line(error)


@pytest.mark.parametrize(
    ("positions", "block", "count"), [(2048, 64, 512), (310, 31, 310), (4096, 2048, 512), (8, 8, 8)]
)
def test_shown_positions_are_whole_blocks_chosen_beforehand(positions, block, count):
    shown = shown_positions(positions, block)
    assert len(shown) == count == len({*shown.tolist()})
    assert shown[0] == 0
    assert shown[-1] < positions
    length = min(block, 512)
    assert np.all(np.diff(shown.reshape(-1, length), axis=1) == 1)
    assert np.all(shown[::length] % block == 0)
