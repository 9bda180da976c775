"""Files of a study: written atomically, read back only if whole and of the expected schema."""

import contextlib
import glob
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from reprocore.errors import ReprocoreError


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` only if the block succeeds.

    The data is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part. The temporary file is removed on failure.

    Raises:
        ReprocoreError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReprocoreError(f"{path}: cannot be written: {reason}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: str | Path) -> None:
    """Remove the temporary files that killed processes left beside `path`.

    Nobody else may be writing `path` meanwhile.
    """
    path = Path(path)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ReprocoreError: the file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise ReprocoreError(f"{path}: not a whole JSON file: {error}") from None


def read_entry(path: str | Path, key: str) -> Any:
    """Return what a JSON file says under `key`, None where nothing is to be read."""
    try:
        content = read_json(path)
    except ReprocoreError:
        return None
    return content.get(key) if isinstance(content, dict) else None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
