"""Predictions on disk: read back as written, or refused with the file's name; comparing them."""

import dataclasses
import itertools
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import one_line
from reprocore.analysis.pairs import compare_cells
from reprocore.errors import ReprocoreError
from reprocore.statistics import divergence
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA, predictions_schema
from reprocore.store.predictions import Predictions, read_predictions, write_predictions
from reprocore.store.readers import read_blocks, read_pairs
from reprocore.store.schemas import PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.vocabulary import MEASURE_NAMES, POSITION_MEASURES


def predictions(seed: int = 0, steps=(5, 10), count: int = 6, symbols: int = 4, hash="a1"):
    rng = np.random.default_rng(seed)
    shape = (len(steps), count)
    return Predictions(
        steps=np.array(steps),
        positions=np.arange(100, 100 + count),
        targets=(np.arange(count) % symbols).astype(np.uint16),
        probabilities=rng.dirichlet(np.ones(symbols), shape).astype(np.float32),
        probe_hash=hash,
        cell=f"charlm/relu/all-{seed}",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "predictions.parquet"


def refused(path) -> str:
    with pytest.raises(ReprocoreError) as error:
        read_predictions(path)
    text = one_line(error)
    assert text.startswith(f"{path}: ")
    return text


def columns_of(found: Predictions) -> dict[str, list]:
    steps, count, _ = found.probabilities.shape
    return {
        "step": np.repeat(found.steps, count).tolist(),
        "position": np.tile(found.positions, steps).tolist(),
        "target": np.tile(found.targets, steps).tolist(),
        "probabilities": found.probabilities.reshape(steps * count, -1).tolist(),
    }


def write_columns(path, columns, hash: bytes | None = b"a1", symbols: int = 4) -> None:
    schema = pa.schema([field.with_nullable(True) for field in predictions_schema(symbols)])
    metadata = {"cell": "charlm/relu/all-1"} | ({"probe_hash": hash} if hash is not None else {})
    pq.write_table(pa.table(columns, schema=schema.with_metadata(metadata)), path)


def test_what_is_read_is_what_was_written(path):
    written = predictions(steps=(1, 4, 8), count=5, symbols=7)
    write_predictions(path, written)
    found = read_predictions(path)
    for name in ("steps", "positions", "targets", "probabilities"):
        expected = getattr(written, name)
        assert getattr(found, name).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(found, name), expected)
    assert found.probe_hash == "a1"


def test_equal_predictions_are_equal_files(tmp_path):
    for name in ("one", "other"):
        write_predictions(tmp_path / name, predictions())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_stored_columns_are_those_of_the_contract(path):
    write_predictions(path, predictions())
    schema = pq.read_schema(path)
    assert schema.names == ["step", "position", "target", "probabilities"]
    assert schema.types == [pa.int64(), pa.int64(), pa.uint16(), pa.list_(pa.float32(), 4)]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_columns_written_by_this_test_are_accepted(path):
    write_columns(path, columns_of(predictions()))
    np.testing.assert_array_equal(read_predictions(path).probabilities, predictions().probabilities)


def test_missing_file_is_refused(path):
    assert "no such file" in refused(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99])
def test_truncated_file_is_refused(path, share):
    write_predictions(path, predictions(count=500))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "not a whole Parquet file" in refused(path)


def test_damaged_data_is_refused(path):
    write_predictions(path, predictions(count=500))
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    assert "not a whole Parquet file" in refused(path)


def test_text_file_is_refused(path):
    path.write_text("step,position\n1,2\n")
    assert "not a whole Parquet file" in refused(path)


def test_foreign_parquet_is_refused_by_its_columns(path):
    pq.write_table(pa.table({"a": [1, 2]}), path)
    text = refused(path)
    assert "column 'step' is missing" in text
    assert "step, position, target, probabilities" in text


@pytest.mark.parametrize("name", ["step", "position", "target", "probabilities"])
def test_each_missing_column_is_named(path, name):
    write_predictions(path, predictions())
    pq.write_table(pq.read_table(path).drop_columns([name]), path)
    assert f"column {name!r} is missing" in refused(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("step", pa.int32()),
        ("position", pa.float64()),
        ("target", pa.int64()),
        ("probabilities", pa.list_(pa.float32())),
        ("probabilities", pa.list_(pa.float64(), 4)),
    ],
)
def test_column_of_another_type_is_named(path, name, kind):
    write_predictions(path, predictions())
    table = pq.read_table(path)
    index = table.schema.get_field_index(name)
    pq.write_table(table.set_column(index, name, table[name].cast(kind)), path)
    # Parquet calls a list's items "element" where Arrow says "item".
    told = refused(path).replace("<element:", "<item:")
    assert f"column {name!r} is {kind}" in told


def test_file_without_rows_is_refused(path):
    write_columns(path, {key: [] for key in ("step", "position", "target", "probabilities")})
    assert "not a predictions file of this program" in refused(path)


def test_file_without_the_hash_of_its_probe_is_refused(path):
    write_columns(path, columns_of(predictions()), hash=None)
    assert "not a predictions file of this program" in refused(path)
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    assert "not a predictions file of this program" in refused(path)


@pytest.mark.parametrize("name", ["step", "position", "target", "probabilities"])
def test_missing_value_is_refused(path, name):
    columns = columns_of(predictions())
    columns[name][3] = None
    write_columns(path, columns)
    refused(path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([0.5, float("nan"), 0.25, 0.25], "probability nan at position 7, symbol 1"),
        ([0.5, float("inf"), 0.25, 0.25], "probability inf at position 7, symbol 1"),
        ([0.5, -0.25, 0.5, 0.25], "probability -0.25 at position 7, symbol 1"),
        ([0.5, 0.25, 0.2, 0.0], "probabilities at position 7 sum to 0.95"),
        ([0.5, 0.25, 0.25, 0.001], "probabilities at position 7 sum to 1.001"),
        ([0.5, None, 0.25, 0.25], "symbol 1"),
    ],
)
def test_row_that_is_no_distribution_is_refused(path, row, told):
    columns = columns_of(predictions())
    columns["probabilities"][7] = row
    write_columns(path, columns)
    assert told in refused(path)


def test_one_symbol_is_refused(path):
    write_columns(path, columns_of(predictions(symbols=1)), symbols=1)
    assert "symbols: 1" in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["position"].__setitem__(7, 999),
        lambda c: c["position"].__setitem__(slice(6, 12), c["position"][6:12][::-1]),
        lambda c: c["target"].__setitem__(7, 3),
        lambda c: c["step"].__setitem__(7, 5),
        lambda c: c["step"].__setitem__(slice(None), c["step"][::-1]),
        lambda c: [column.pop() for column in c.values()],
        lambda c: c["step"].__setitem__(slice(None), [5, 10] * 6),
    ],
    ids=["position", "order", "target", "step", "descending", "short", "interleaved"],
)
def test_snapshots_of_mixed_positions_are_refused(path, change):
    columns = columns_of(predictions())
    change(columns)
    write_columns(path, columns)
    assert "do not hold the same positions each" in refused(path)


def test_target_that_is_no_symbol_is_refused(path):
    columns = columns_of(predictions())
    columns["target"][2] = columns["target"][8] = 4
    write_columns(path, columns)
    assert "symbol 4 at position 2" in refused(path)


def store(folder, cells: dict[int, Predictions]) -> dict:
    paths = {seed: folder / f"{seed}.parquet" for seed in cells}
    for seed, cell in cells.items():
        write_predictions(paths[seed], cell)
        write_texts(beside(paths[seed]), cell.cell, [f"{seed} one", f"{seed} other"])
    return paths


def beside(path):
    return path.with_suffix(".continuations")


def write_texts(path, cell: str, texts: list[str], start: int = 100) -> None:
    columns = {"position": list(range(start, start + len(texts))), "continuation": texts}
    schema = CONTINUATIONS_SCHEMA.with_metadata({"cell": cell})
    write_table(path, pa.table(columns, schema=schema))


def compared(paths: dict, name: str = "pairs") -> pa.Table:
    return compare_cells(paths.values(), map(beside, paths.values()), 3)[name]


def test_comparison_has_every_pair_at_every_step_with_every_measure(tmp_path):
    cells = {seed: predictions(seed) for seed in (12, 3, 7)}
    table = compared(store(tmp_path, cells))
    assert table.schema.names == PAIRS_SCHEMA.names
    assert table.schema.metadata[b"probe_hash"] == b"a1"
    found = {(r["seed_a"], r["seed_b"], r["step"]): r for r in table.to_pylist()}
    pairs = itertools.combinations((3, 7, 12), 2)
    assert set(found) == {(a, b, step) for a, b in pairs for step in (5, 10)}
    assert len(table) == 6
    groups = {(row["model"], row["activation"], row["arm"]) for row in found.values()}
    assert groups == {("charlm", "relu", "all")}
    for (a, b, step), row in found.items():
        index = (5, 10).index(step)
        p, q = cells[a].probabilities[index], cells[b].probabilities[index]
        for name in MEASURE_NAMES:
            extra = (cells[a].targets,) if name == "relative_pd_true" else ()
            expected = getattr(divergence, name)(p, q, *extra)
            assert row[name] == pytest.approx(expected, rel=1e-9), name
        assert row["relative_pd"] > 0
        # Between "3 one" and "12 one", say, and "3 other" and "12 other".
        edits = 2 if 12 in (a, b) else 1
        length = 4 + len(str(b))
        wanted = (edits / length + edits / (length + 2)) / 2
        assert row["continuation_distance"] == (None if step == 5 else pytest.approx(wanted))


def test_comparison_read_back(tmp_path):
    table = compared(store(tmp_path, {1: predictions(1), 2: predictions(2)}))
    write_table(tmp_path / "pairs.parquet", table)
    assert read_pairs(tmp_path / "pairs.parquet").equals(table)


def measured(name, p, q, targets) -> float:
    if name == "flips":
        return np.mean((p.argmax(axis=1) == targets) != (q.argmax(axis=1) == targets))
    return getattr(divergence, name)(p, q, *((targets,) if name == "relative_pd_true" else ()))


def test_blocks_have_the_means_of_each_seed(tmp_path):
    cells = {seed: predictions(seed) for seed in (12, 3, 7)}
    write_table(tmp_path / "blocks.parquet", compared(store(tmp_path, cells), "blocks"))
    table = read_blocks(tmp_path / "blocks.parquet")
    keys = [(row["step"], row["seed"], row["block"]) for row in table.to_pylist()]
    assert keys == list(itertools.product((5, 10), (3, 7, 12), (0, 1)))
    for row in table.to_pylist():
        index, rows = (5, 10).index(row["step"]), slice(3 * row["block"], 3 * row["block"] + 3)
        own = cells[row["seed"]]
        others = [cell for seed, cell in cells.items() if seed != row["seed"]]
        for name in POSITION_MEASURES:
            values = [
                measured(
                    name,
                    own.probabilities[index, rows],
                    other.probabilities[index, rows],
                    own.targets[rows],
                )
                for other in others
            ]
            assert row[name] == pytest.approx(np.mean(values), rel=1e-9), name


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (predictions(2, hash="b2"), "probe b2, but"),
        (predictions(2, count=5), "shape (5, 4)"),
        (predictions(2, symbols=5), "shape (6, 5)"),
        (predictions(2, steps=(5, 11)), "snapshots [5, 11]"),
        (predictions(2, steps=(10,)), "snapshots [10]"),
    ],
    ids=["probe", "positions", "symbols", "steps", "number of steps"],
)
def test_cells_that_are_not_alike_are_not_compared(tmp_path, other, told):
    paths = store(tmp_path, {1: predictions(1), 2: other})
    with pytest.raises(ReprocoreError) as error:
        compared(paths)
    text = one_line(error)
    assert text.startswith(f"{paths[2]}: ")
    assert told in text
    assert str(paths[1]) in text


def test_cells_with_other_targets_are_not_compared(tmp_path):
    other = predictions(2)
    other.targets[0] += 1
    paths = store(tmp_path, {1: predictions(1), 2: other})
    with pytest.raises(ReprocoreError, match=f"^{re.escape(str(paths[2]))}: targets differ"):
        compared(paths)


@pytest.mark.parametrize("cell", ["charlm/relu/all-1", "charlm/gelu/all-2", "charlm/relu/init-2"])
def test_predictions_of_another_cell_are_not_compared(tmp_path, cell):
    foreign = dataclasses.replace(predictions(2), cell=cell)
    paths = store(tmp_path, {1: predictions(1), 2: foreign})
    with pytest.raises(ReprocoreError) as error:
        compared(paths)
    text = one_line(error)
    assert f"holds the predictions of {cell}" in text
    assert str(paths[1]) in text
    assert str(paths[2]) in text


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_cells_are_not_compared(tmp_path, count):
    paths = store(tmp_path, {seed: predictions(seed) for seed in range(count)})
    with pytest.raises(ReprocoreError) as error:
        compared(paths)
    assert "at least 2" in one_line(error)


def test_a_damaged_cell_is_named_by_the_comparison(tmp_path):
    paths = store(tmp_path, {seed: predictions(seed) for seed in (1, 2, 3)})
    paths[2].write_bytes(paths[2].read_bytes()[:-20])
    with pytest.raises(ReprocoreError) as error:
        compared(paths)
    assert one_line(error).startswith(f"{paths[2]}: ")
