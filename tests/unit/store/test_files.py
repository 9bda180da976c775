"""Files of a study: the old one or the new one, never a part, and plain words for what fails."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import SafetensorError

from conftest import one_line
from reprocore.errors import ReprocoreError
from reprocore.store import files as storage
from reprocore.store.files import atomic, read_json, remove_leftovers, write_json
from reprocore.store.tables import read_table, write_table

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.list_(pa.float32(), 0))])
TABLE = pa.table({"a": [1, 2], "b": pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32(), 2))})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_written_file_appears_whole_under_its_name(tmp_path):
    target = tmp_path / "new" / "deep" / "file.bin"
    with atomic(target) as temporary:
        temporary.write_bytes(b"content")
        assert temporary.parent == target.parent
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert names(target.parent) == {"file.bin"}


def test_file_has_the_permissions_of_any_new_file(tmp_path):
    old = os.umask(0o027)
    try:
        write_json(tmp_path / "file.json", 1)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file.json").stat().st_mode) == 0o640


class Unexpected(BaseException):
    """Such as KeyboardInterrupt."""


@pytest.mark.parametrize("failure", [RuntimeError("defect"), Unexpected()])
@pytest.mark.parametrize("old", [None, b"old"])
def test_failure_inside_leaves_the_old_file_and_nothing_else(tmp_path, failure, old):
    target = tmp_path / "file.bin"
    if old is not None:
        target.write_bytes(old)
    with pytest.raises(type(failure)), atomic(target) as temporary:
        temporary.write_bytes(b"half of the new")
        raise failure
    assert names(tmp_path) == (set() if old is None else {"file.bin"})
    assert old is None or target.read_bytes() == old


def test_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with atomic(target) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"


def test_data_is_flushed_before_the_rename(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *a: (events.append("replace"), replace(*a)))
    write_json(tmp_path / "file.json", 1)
    assert events == ["fsync", "replace"]


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    target = tmp_path / "file.bin"
    with atomic(target) as one, atomic(target) as other:
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert target.read_bytes() == b"one"
    assert names(tmp_path) == {"file.bin"}


def test_what_a_killed_writer_leaves_is_removed_and_nothing_else(tmp_path):
    target = tmp_path / "a.json"
    code = """
import os, sys
from reprocore.store.files import atomic
with atomic(sys.argv[1]) as path:
    path.write_text("half")
    os.kill(os.getpid(), 9)
"""
    write_json(target, 1)
    write_json(tmp_path / "a.json.b", 1)
    (tmp_path / ".b.json.x.tmp").write_text("")
    killed = subprocess.run([sys.executable, "-c", code, str(target)])
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 4
    remove_leftovers(target)
    assert names(tmp_path) == {"a.json", "a.json.b", ".b.json.x.tmp"}
    assert read_json(target) == 1


def test_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReprocoreError) as error:
        write_json(tmp_path / "file" / "x.json", 1)
    assert one_line(error).startswith(f"{tmp_path / 'file' / 'x.json'}: cannot be written: ")


def test_target_that_is_a_folder_is_one_line_and_leaves_it(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(ReprocoreError) as error:
        write_json(tmp_path / "x.json", 1)
    assert "cannot be written" in one_line(error)
    assert names(tmp_path) == {"x.json"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_write_permission_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ReprocoreError) as error:
            write_json(tmp_path / "x.json", 1)
    finally:
        tmp_path.chmod(0o700)
    assert one_line(error) == f"{tmp_path / 'x.json'}: cannot be written: Permission denied"


def large_table() -> pa.Table:
    return pa.table({"noise": pa.array([os.urandom(1000) for _ in range(5000)])})


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_table(path, large_table()),
        lambda path: write_json(path, "x" * 5_000_000),
    ],
    ids=["table", "json"],
)
def test_full_disk_is_one_line_and_leaves_the_old_file(small_disk, write):
    target = small_disk / "file"
    target.write_bytes(b"old")
    with pytest.raises(ReprocoreError) as error:
        write(target)
    assert str(target) in one_line(error)
    assert "No space left on device" in one_line(error)
    assert target.read_bytes() == b"old"
    assert names(small_disk) == {"file"}


def test_disk_that_fills_at_the_flush_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "file"
    target.write_bytes(b"old")
    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(ReprocoreError) as error:
        write_json(target, 1)
    assert one_line(error) == f"{target}: cannot be written: No space left on device"
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


def test_a_checkpoint_on_a_full_disk_is_one_line(tmp_path):
    """Where the disk is full, safetensors raises an error of its own."""
    told = "I/O error: No space left on device (os error 28)"
    with pytest.raises(ReprocoreError) as error, atomic(tmp_path / "file"):
        raise SafetensorError(told)
    assert one_line(error) == f"{tmp_path / 'file'}: cannot be written: {told}"
    assert names(tmp_path) == set()


def test_read_only_disk_is_one_line(small_disk):
    command = ["mount", "-o", "remount,ro", str(small_disk)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system cannot be made read-only here")
    with pytest.raises(ReprocoreError) as error:
        write_json(small_disk / "x.json", 1)
    told = "cannot be written: Read-only file system"
    assert one_line(error) == f"{small_disk / 'x.json'}: {told}"


def test_table_is_read_back_with_its_metadata_and_wanted_columns_only(tmp_path):
    path = tmp_path / "t.parquet"
    extra = TABLE.append_column("c", pa.array(["x", "y"]))
    write_table(path, extra.replace_schema_metadata({"key": "value"}))
    found = read_table(path, SCHEMA)
    assert found.select(["a"]).to_pydict() == {"a": [1, 2]}
    assert found["b"].to_pylist() == [[1.0, 2.0], [1.0, 2.0]]
    assert found.schema.names == ["a", "b"]
    assert found.schema.metadata == {b"key": b"value"}


def test_hive_like_folder_names_add_no_column(tmp_path):
    path = tmp_path / "a=7" / "t.parquet"
    write_table(path, TABLE)
    assert read_table(path, SCHEMA)["a"].to_pylist() == [1, 2]


def refused(path: Path, schema: pa.Schema = SCHEMA) -> str:
    with pytest.raises(ReprocoreError) as error:
        read_table(path, schema)
    text = one_line(error)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_missing_table_is_one_line(tmp_path):
    assert refused(tmp_path / "t.parquet") == "no such file"


@pytest.mark.parametrize("kept", [0, 4, 30, -1, -9])
def test_truncated_table_is_one_line(tmp_path, kept):
    path = tmp_path / "t.parquet"
    write_table(path, TABLE)
    path.write_bytes(path.read_bytes()[:kept])
    assert refused(path).startswith("not a whole Parquet file")


def test_text_in_place_of_a_table_is_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_text("a,b\n1,2\n" * 100)
    assert refused(path).startswith("not a whole Parquet file")


def test_folder_in_place_of_a_table_is_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    path.mkdir()
    refused(path)


def test_table_of_other_columns_or_types_is_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE.drop_columns(["b"]), path)
    assert refused(path) == "column 'b' is missing; needs a, b"
    pq.write_table(TABLE.set_column(0, "a", pa.array(["x", "y"])), path)
    assert refused(path) == "column 'a' is string, must be int64"
    pq.write_table(TABLE, path)
    other = pa.schema([("b", pa.list_(pa.float32(), 3))])
    assert refused(path, other).startswith("column 'b' is fixed_size_list")


def test_json_is_read_back_and_equal_content_is_an_equal_file(tmp_path):
    content = {"b": [1, 2.5, None, True], "a": {"é": "…"}}
    write_json(tmp_path / "one.json", content)
    write_json(tmp_path / "other.json", dict(reversed(content.items())))
    assert read_json(tmp_path / "one.json") == content
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()


def test_content_that_is_no_json_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == "old"
    assert names(tmp_path) == {"x.json"}


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"nonsense", b"\xff\xfe\x00"])
def test_damaged_json_is_one_line(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ReprocoreError) as error:
        read_json(path)
    assert one_line(error).startswith(f"{path}: not a whole JSON file: ")


def test_missing_json_and_a_folder_are_one_line(tmp_path):
    with pytest.raises(ReprocoreError) as error:
        read_json(tmp_path / "x.json")
    assert one_line(error) == f"{tmp_path / 'x.json'}: no such file"
    with pytest.raises(ReprocoreError) as error:
        read_json(tmp_path)
    assert one_line(error).startswith(f"{tmp_path}: ")
