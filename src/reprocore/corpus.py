"""The text of a study as token ids, and the probe: the characters that every model predicts."""

import hashlib
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.store.schemas import CORPUS_SCHEMA, PROBE_SCHEMA
from reprocore.store.tables import read_table, write_table

MAX_SYMBOLS = 65_535


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as token ids, the training split first.

    Attributes:
        tokens: uint16 [n], each an index in `symbols`.
        symbols: The different characters, sorted by code point.
        train_size: Characters in the training split; the rest is validation.
        sha256: Of the text in UTF-8, hexadecimal.
    """

    tokens: npt.NDArray[np.uint16]
    symbols: tuple[str, ...]
    train_size: int
    sha256: str

    @property
    def train(self) -> npt.NDArray[np.uint16]:
        """The training split, uint16 [train_size], a view."""
        return self.tokens[: self.train_size]

    @property
    def validation(self) -> npt.NDArray[np.uint16]:
        """The validation split, uint16 [n - train_size], a view."""
        return self.tokens[self.train_size :]

    @property
    def vocabulary_size(self) -> int:
        """The number of symbols, V."""
        return len(self.symbols)


@dataclass(frozen=True, eq=False)
class Probe:
    """The validation characters that every cell of a study predicts.

    Attributes:
        positions: int64 [N], indices in the corpus of the predicted characters, ascending;
            each run of `block` of them is consecutive.
        targets: uint16 [N], the ids of those characters.
        block: Length of a run; it divides N.
        corpus_sha256: Of the corpus that the positions are of.
        symbols: The symbols that the targets are of.
        hash: SHA-256, hexadecimal, over all of the above.
    """

    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.uint16]
    block: int
    corpus_sha256: str
    symbols: tuple[str, ...]
    hash: str


def encode(text: str, train_fraction: float = 0.9) -> Corpus:
    """Return `text` as token ids, the first floor(train_fraction * n) of them for training.

    Raises:
        ReprocoreError: a split would be empty, or there are fewer than 2 symbols or too many
            for a 16-bit id.
    """
    if not 0 < train_fraction < 1:
        raise ReprocoreError(
            f"corpus.train_fraction is {train_fraction}, must be between 0 and 1, both excluded"
        )
    # The fraction as written, not its nearest double: floor(0.29 * 100) must be 29.
    train_size = math.floor(Fraction(str(train_fraction)) * len(text))
    if not 0 < train_size < len(text):
        raise ReprocoreError(
            f"the corpus has {len(text)} characters, too few for a training and a validation "
            f"split at corpus.train_fraction {train_fraction}"
        )
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    symbols, tokens = np.unique(points, return_inverse=True)
    if not 2 <= len(symbols) <= MAX_SYMBOLS:
        raise ReprocoreError(
            f"the corpus has {len(symbols)} different characters, must be 2 to {MAX_SYMBOLS}"
        )
    return Corpus(
        tokens=tokens.astype(np.uint16),
        symbols=tuple(map(chr, symbols.tolist())),
        train_size=train_size,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def decode(tokens: npt.NDArray[np.integer[Any]], symbols: tuple[str, ...]) -> str:
    """Return the text of token ids [n], each less than the number of `symbols`."""
    points = np.array([ord(symbol) for symbol in symbols], "<u4")
    return str(points[tokens].tobytes(), "utf-32-le")


def unigram_entropy(corpus: Corpus) -> float:
    """Return the entropy of the corpus' symbol frequencies, nats per character.

    No predictor that ignores context attains a lower loss on the corpus. A model whose
    validation loss is not below it has learned nothing from context that shows.
    """
    counts = np.bincount(corpus.tokens, minlength=corpus.vocabulary_size)
    shares = counts[counts > 0] / len(corpus.tokens)
    return float(-(shares @ np.log(shares)))


def build_probe(corpus: Corpus, *, context: int, positions: int = 2048, block: int = 64) -> Probe:
    """Return a probe of positions/block blocks, spread evenly over the validation split.

    The blocks do not overlap and nothing is drawn at random. At least max(context, block)
    validation characters stand before the first, so no model up to `context` sees training
    text.

    Args:
        corpus: The study's corpus.
        context: The longest context of the study's models, in characters.
        positions: Characters to predict, N; a multiple of `block`.
        block: Consecutive characters in a block.

    Raises:
        ReprocoreError: a size is out of range, or the validation split is too short.
    """
    for name, value, least in (
        ("context", context, 0),
        ("positions", positions, 1),
        ("block", block, 1),
    ):
        if value < least:
            raise ReprocoreError(f"the probe's {name} is {value}, must be at least {least}")
    if positions % block:
        raise ReprocoreError(
            f"the probe's positions are {positions}, must be a multiple of its block, {block}"
        )
    margin = max(context, block)
    size = len(corpus.validation)
    if size < margin + positions:
        raise ReprocoreError(
            f"the validation split has {size} characters; the probe needs {margin + positions}: "
            f"{positions} to predict after {margin} of context"
        )
    count = positions // block
    room = size - margin - block
    starts = corpus.train_size + margin + np.arange(count) * room // max(count - 1, 1)
    chosen = (starts[:, None] + np.arange(block)).ravel().astype(np.int64)
    targets = corpus.tokens[chosen]
    digest = _probe_hash(chosen, targets, block, corpus.sha256, corpus.symbols)
    return Probe(chosen, targets, block, corpus.sha256, corpus.symbols, digest)


def windows(corpus: Corpus, probe: Probe, context: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return what a model of this context reads to predict the probe.

    A row ends right before its last target. Where `context` is shorter than a block, the block
    is cut into pieces of `context`, each a row of its own whose first target has one character
    of context.

    Returns:
        inputs: int64 [B, context] token ids.
        kept: How many of a row's last outputs count: `min(context, block)`. Those outputs, row
            after row, predict `probe.positions` in order; B * kept = N.

    Raises:
        ReprocoreError: the probe is of another corpus, or a row would not fit: `context` neither
            reaches nor divides the block, or reaches into the training split.
    """
    if probe.corpus_sha256 != corpus.sha256:
        raise ReprocoreError(
            f"the probe is of the corpus {probe.corpus_sha256}, must be of {corpus.sha256}"
        )
    kept = min(context, probe.block)
    if kept < 1 or probe.block % kept:
        raise ReprocoreError(
            f"the context is {context}, must be at least the probe's block, {probe.block}, "
            f"or divide it"
        )
    last = probe.positions[kept - 1 :: kept]
    if (reach := int(last[0]) - context) < corpus.train_size:
        raise ReprocoreError(
            f"a context of {context} begins {corpus.train_size - reach} characters before the "
            f"validation split; the probe must be built for it"
        )
    return corpus.tokens[last[:, None] + np.arange(-context, 0)].astype(np.int64), kept


def write_corpus(path: str | Path, corpus: Corpus) -> None:
    """Write `corpus` as Parquet: columns `token` and `split`, the rest in the metadata."""
    size = len(corpus.tokens)
    codes = (np.arange(size) >= corpus.train_size).astype(np.int32)
    split = pa.DictionaryArray.from_arrays(codes, ["train", "validation"])
    metadata = {
        "symbols": json.dumps(corpus.symbols),
        "train_size": str(corpus.train_size),
        "sha256": corpus.sha256,
    }
    schema = CORPUS_SCHEMA.with_metadata(metadata)
    write_table(path, pa.table([pa.array(corpus.tokens), split], schema=schema))


def read_corpus(path: str | Path) -> Corpus:
    """Read what `write_corpus` wrote, its text verified against its SHA-256.

    Raises:
        ReprocoreError: the file is missing, damaged, or not a corpus.
    """
    table, metadata = _read(path, CORPUS_SCHEMA)
    tokens = table["token"].to_numpy()
    try:
        symbols = tuple(json.loads(metadata["symbols"]))
        train_size = int(metadata["train_size"])
        sha256 = metadata["sha256"]
        # IndexError: an id that is not less than the number of symbols.
        whole = hashlib.sha256(decode(tokens, symbols).encode()).hexdigest() == sha256
    except (KeyError, IndexError, TypeError, ValueError):
        whole = False
    if not whole or not 0 < train_size < len(tokens):
        raise ReprocoreError(f"{path}: not a whole corpus; delete it and it is built again")
    split = table["split"].cast(pa.string()).to_numpy()
    if not (np.all(split[:train_size] == "train") and np.all(split[train_size:] == "validation")):
        raise ReprocoreError(f"{path}: the splits are not the first {train_size} and the rest")
    return Corpus(tokens, symbols, train_size, sha256)


def write_probe(path: str | Path, probe: Probe) -> None:
    """Write `probe` as Parquet: columns `position` and `target`, the rest in the metadata."""
    metadata = {
        "block": str(probe.block),
        "corpus_sha256": probe.corpus_sha256,
        "symbols": json.dumps(probe.symbols),
        "hash": probe.hash,
    }
    columns = [pa.array(probe.positions), pa.array(probe.targets)]
    write_table(path, pa.table(columns, schema=PROBE_SCHEMA.with_metadata(metadata)))


def read_probe(path: str | Path) -> Probe:
    """Read what `write_probe` wrote, verified against its hash.

    Raises:
        ReprocoreError: the file is missing, damaged, or not a probe.
    """
    table, metadata = _read(path, PROBE_SCHEMA)
    positions, targets = table["position"].to_numpy(), table["target"].to_numpy()
    try:
        block = int(metadata["block"])
        symbols = tuple(json.loads(metadata["symbols"]))
        corpus_sha256 = metadata["corpus_sha256"]
        digest = _probe_hash(positions, targets, block, corpus_sha256, symbols)
        whole = digest == metadata["hash"]
    except (KeyError, OverflowError, TypeError, ValueError):
        whole = False
    if not whole or not _is_probe(positions, targets, block, len(symbols)):
        raise ReprocoreError(f"{path}: not a whole probe; delete it and it is built again")
    return Probe(positions, targets, block, corpus_sha256, symbols, digest)


def _is_probe(
    positions: npt.NDArray[np.int64], targets: npt.NDArray[np.uint16], block: int, size: int
) -> bool:
    if block < 1 or not len(positions) or len(positions) % block or positions[0] < 0:
        return False
    runs = positions.reshape(-1, block)
    consecutive = np.all(np.diff(runs, axis=1) == 1)
    return bool(consecutive and np.all(np.diff(positions) > 0) and np.all(targets < size))


def _probe_hash(
    positions: npt.NDArray[np.int64],
    targets: npt.NDArray[np.uint16],
    block: int,
    corpus_sha256: str,
    symbols: tuple[str, ...],
) -> str:
    # Little-endian whatever the machine; the lengths first, so that no two probes run together.
    sizes = np.array([len(positions), block], "<i8").tobytes()
    parts = [sizes, positions.astype("<i8").tobytes(), targets.astype("<u2").tobytes()]
    parts += [corpus_sha256.encode(), json.dumps(symbols).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _read(path: str | Path, schema: pa.Schema) -> tuple[pa.Table, dict[str, str]]:
    table = read_table(path, schema)
    for name in schema.names:
        if table[name].null_count:
            raise ReprocoreError(f"{path}: column {name!r} has missing values, must have none")
    found = (table.schema.metadata or {}).items()
    return table, {key.decode(): value.decode(errors="replace") for key, value in found}
