"""Arrays in .npy and .npz files, read in portions; a pickle in them is never loaded."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.store.arrays.sources import Portion, Stored, in_memory

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
Opener = Callable[[str], IO[bytes]]  # of a mode, as `Path.open`


def read_npy(path: Path) -> Stored:
    """Return the array of a `.npy` file.

    Raises:
        ReprocoreError: not such a file, cut short, or of objects, which would be a pickle.
    """
    return _stored(path.open, path.stat().st_size, str(path))


def read_npz(path: Path) -> dict[str, Stored]:
    """Return the arrays of a `.npz` file by name.

    Raises:
        ReprocoreError: not such a file, or an array in it is damaged or of objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise ReprocoreError(f"{path}: not a numpy array file: {error}") from None
    arrays = {}
    for member in members:
        name = f"{path}, {member.filename}"
        stored = _stored(_member(path, member.filename), member.file_size, name)
        arrays[member.filename.removesuffix(".npy")] = stored
    return arrays


def _member(path: Path, member: str) -> Opener:
    def opened(mode: str) -> IO[bytes]:
        del mode  # members are bytes
        return zipfile.ZipFile(path).open(member)

    return opened


def _stored(opened: Opener, size: int, name: str) -> Stored:
    """Return the array of a file of so many bytes."""
    try:
        with opened("rb") as stream:
            header = _HEADERS[np.lib.format.read_magic(stream)]
            shape, in_columns, dtype = header(stream)
            offset = stream.tell()
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        reason = (str(error) or "empty").splitlines()[0]
        raise ReprocoreError(f"{name}: not a numpy array file: {reason}") from None
    if dtype.hasobject or dtype.fields:
        raise ReprocoreError(f"{name}: holds {dtype} and may be a pickle; must be plain numbers")
    end = offset + math.prod(shape) * dtype.itemsize
    if size < end:
        raise ReprocoreError(f"{name}: cut short: {size} of {end} bytes")

    def elements(first: int, last: int, size: int) -> Iterator[Portion]:
        with opened("rb") as stream:
            stream.seek(offset + first * dtype.itemsize)
            for start in range(first, last, size):
                yield _read(stream, dtype, min(size, last - start), name)

    if in_columns and len(shape) > 1:
        # No row of an array by columns lies together, so it is read as a whole.
        by_columns = Stored(shape[::-1], dtype.name, elements).whole()
        return in_memory(np.ascontiguousarray(by_columns.T), name)
    return Stored(shape, dtype.name, elements)


def _read(stream: IO[bytes], dtype: npt.DTypeLike, count: int, name: str) -> Portion:
    wanted = count * np.dtype(dtype).itemsize
    try:
        data = stream.read(wanted)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ReprocoreError(f"{name}: damaged: {error}") from None
    if len(data) < wanted:
        raise ReprocoreError(f"{name}: cut short")
    return np.frombuffer(data, dtype)
