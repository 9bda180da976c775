"""Distances of generated texts, against a table of edit distances filled in by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import one_line
from reprocore.analysis.continuations import continuation_distances, read_texts
from reprocore.errors import ReprocoreError
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell

CELLS = [Cell("charlm", "relu", "all", seed) for seed in (1, 2, 3)]


def edits(one: str, other: str) -> int:
    """Levenshtein distance: each cell of the table from the three before it."""
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=int)
    table[:, 0], table[0] = range(len(one) + 1), range(len(other) + 1)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            )
    return int(table[-1, -1])


@given(data=st.data(), models=st.integers(2, 4), contexts=st.integers(1, 4))
def test_it_is_the_mean_share_of_edits(data, models, contexts):
    text = st.text("ab\n é", max_size=12)
    texts = data.draw(
        st.lists(
            st.lists(text, min_size=contexts, max_size=contexts), min_size=models, max_size=models
        )
    )
    pairs = np.argwhere(np.triu(np.ones((models, models)), 1))
    wanted = [
        np.mean(
            [edits(x, y) / max(len(x), len(y), 1) for x, y in zip(texts[a], texts[b], strict=True)]
        )
        for a, b in pairs
    ]
    found = continuation_distances(texts, pairs)
    assert found == pytest.approx(wanted, abs=1e-12)
    assert np.all((found >= 0) & (found <= 1))


def write(folder, cell: Cell, texts: list[str], start: int = 0):
    path = folder / f"{cell.seed}.parquet"
    columns = {"position": [start + 64 * k for k in range(len(texts))], "continuation": texts}
    schema = CONTINUATIONS_SCHEMA.with_metadata({"cell": cell.key})
    write_table(path, pa.table(columns, schema=schema))
    return path


def test_texts_come_in_the_order_of_the_cells(tmp_path):
    paths = [write(tmp_path, cell, [f"of {cell.seed}\n", "é"]) for cell in reversed(CELLS)]
    assert read_texts(paths, CELLS) == [["of 1\n", "é"], ["of 2\n", "é"], ["of 3\n", "é"]]


def test_a_cell_without_texts_is_named(tmp_path):
    paths = [write(tmp_path, cell, ["a"]) for cell in CELLS[:2]]
    with pytest.raises(ReprocoreError) as error:
        read_texts(paths, CELLS)
    assert "no continuations of charlm/relu/all-3 among 2 files" in one_line(error)


@pytest.mark.parametrize("other", [(["a", "b"], 1), (["a"], 0), ([], 0)])
def test_other_contexts_are_refused(tmp_path, other):
    paths = [write(tmp_path, CELLS[0], ["a", "b"]), write(tmp_path, CELLS[1], *other)]
    with pytest.raises(ReprocoreError) as error:
        read_texts(paths, CELLS[:2])
    assert one_line(error) == f"{paths[1]}: continues other contexts than {paths[0]}"


@pytest.mark.parametrize("damage", ["cut", "gone", "foreign"])
def test_a_damaged_file_is_named(tmp_path, damage):
    paths = [write(tmp_path, cell, ["a"]) for cell in CELLS]
    if damage == "cut":
        paths[1].write_bytes(paths[1].read_bytes()[:-20])
    elif damage == "gone":
        paths[1].unlink()
    else:
        write_table(paths[1], pa.table({"a": [1]}))
    with pytest.raises(ReprocoreError) as error:
        read_texts(paths, CELLS)
    assert one_line(error).startswith(f"{paths[1]}: ")
