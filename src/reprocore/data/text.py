"""Where the text of a study comes from: rebuilt, a local file, or a download."""

import hashlib
import http.client
import re
import urllib.parse
import urllib.request
from pathlib import Path

from reprocore.data import shakespeare
from reprocore.errors import ReprocoreError
from reprocore.store.files import atomic

SCHEMES = ("http", "https", "file")
DOWNLOAD_TIMEOUT_S = 60


def load_text(
    source: str,
    *,
    path: str | Path | None = None,
    url: str | None = None,
    sha256: str | None = None,
    cache: Path,
) -> str:
    """Return the text that a study names, its newlines as they are.

    Args:
        source: "tiny_shakespeare", "file" (needs `path`) or "url" (needs `url` and `sha256`).
        path: A local file in UTF-8.
        url: Of a file in UTF-8; http, https or file. Downloaded once into `cache`.
        sha256: What the file must have, hexadecimal.
        cache: Folder for what is downloaded.

    Raises:
        ReprocoreError: the text cannot be had, is empty, not UTF-8, or not of that SHA-256.
    """
    if sha256 is not None:
        sha256 = sha256.lower()
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ReprocoreError(f"corpus.sha256 is {sha256!r}, must be 64 hexadecimal digits")
    if source == "tiny_shakespeare":
        where, content = source, shakespeare.tiny_shakespeare(cache).encode()
    elif source == "file":
        if path is None:
            raise ReprocoreError("corpus.source is file: it needs corpus.path")
        where, content = str(path), _read_bytes(Path(path))
    elif source == "url":
        if url is None or sha256 is None:
            raise ReprocoreError("corpus.source is url: it needs corpus.url and corpus.sha256")
        where, content = url, _download(url, sha256, Path(cache))
    else:
        raise ReprocoreError(f"corpus.source is {source!r}, must be tiny_shakespeare, file or url")
    _check_hash(where, content, sha256)
    if not content:
        raise ReprocoreError(f"{where}: is empty, must be a text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ReprocoreError(
            f"{where}: not UTF-8 at byte {error.start}, must be a text in UTF-8"
        ) from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReprocoreError(
            f"{path}: cannot be read ({error.strerror or error}), must be a text in UTF-8"
        ) from None


def _download(url: str, sha256: str, cache: Path) -> bytes:
    """Return the content of `url`, from `cache` if it was downloaded before."""
    cached = cache / f"{sha256}.txt"
    if cached.is_file():
        content = _read_bytes(cached)
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
    try:
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in SCHEMES:
            raise ReprocoreError(f"{url}: the scheme must be one of {', '.join(SCHEMES)}")
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:
            content = answer.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ReprocoreError(
            f"{url}: cannot be downloaded ({error}); it needs the network once"
        ) from None
    _check_hash(url, content, sha256)
    with atomic(cached) as temporary:
        temporary.write_bytes(content)
    return bytes(content)


def _check_hash(where: str, content: bytes, wanted: str | None) -> None:
    found = hashlib.sha256(content).hexdigest()
    if wanted is not None and found != wanted:
        raise ReprocoreError(f"{where}: its SHA-256 is {found}, must be {wanted}")
