"""Parquet files: written atomically, read with their schema checked."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reprocore.errors import ReprocoreError
from reprocore.store.files import atomic

# What a Parquet file may take in memory: this, and so many times its size on disk. A corpus takes
# about 10 times its size, probabilities little more than theirs.
FREE_BYTES = 2**28


MOST_EXPANSION = 64


def write_table(path: str | Path, table: pa.Table) -> None:
    """Write `table` as one zstd-compressed Parquet file with page checksums, atomically."""
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_table(path: str | Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file that must hold the columns and types of `schema`.

    A fixed-size list of length 0 in `schema` stands for a list of any length. Nothing is read of
    a file that would take far more memory than its size on disk can account for.

    Raises:
        ReprocoreError: the file is missing, truncated, not Parquet, of another schema, or
            declares a size out of proportion.
    """
    # Texts stay codes until their length is known: a code of some bits may stand for a book.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_columns(path, file.schema_arrow, schema)
            _check_size(path, _declared_bytes(file.metadata))
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=texts) as file:
            table = file.read(columns=schema.names)
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or "damaged").splitlines()[0]
        raise ReprocoreError(f"{path}: not a whole Parquet file: {reason}") from None
    _check_size(path, sum(_text_bytes(table[name]) for name in texts))
    for name in texts:
        index = table.schema.get_field_index(name)
        field = table.schema.field(index).with_type(pa.string())
        table = table.set_column(index, field, table[name].cast(pa.string()))
    return table.select(schema.names)


def _check_columns(path: str | Path, found: pa.Schema, wanted: pa.Schema) -> None:
    for field in wanted:
        index = found.get_field_index(field.name)
        if index < 0:
            allowed = ", ".join(wanted.names)
            raise ReprocoreError(f"{path}: column {field.name!r} is missing; needs {allowed}")
        kind = found.field(index).type
        if not _matches(kind, field.type):
            raise ReprocoreError(f"{path}: column {field.name!r} is {kind}, must be {field.type}")


def _declared_bytes(metadata: pq.FileMetaData) -> int:
    """Return a lower bound of the memory that a file's columns take, as its footer declares."""
    widths = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
    total = metadata.num_rows
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            width = widths.get(column.physical_type, 8)
            count = max(column.num_values, group.num_rows)
            total += max(column.total_uncompressed_size, count * width)
    return int(total)


def _text_bytes(column: pa.ChunkedArray) -> int:
    longest = ((chunk, pc.max(pc.binary_length(chunk.dictionary))) for chunk in column.chunks)
    return sum(len(chunk) * (length.as_py() or 0) for chunk, length in longest)


def _check_size(path: str | Path, size: int) -> None:
    allowed = FREE_BYTES + MOST_EXPANSION * Path(path).stat().st_size
    if size > allowed:
        raise ReprocoreError(
            f"{path}: not read, as it would take {size / 2**30:,.1f} GiB of memory, far more than "
            f"its size on disk accounts for"
        )


def _matches(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(wanted) and wanted.list_size == 0:
        return pa.types.is_fixed_size_list(found) and found.value_type == wanted.value_type
    return bool(found == wanted)
