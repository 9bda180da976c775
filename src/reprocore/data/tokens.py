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
from reprocore.store.cell_schemas import CORPUS_SCHEMA
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


def _read(path: str | Path, schema: pa.Schema) -> tuple[pa.Table, dict[str, str]]:
    table = read_table(path, schema)
    for name in schema.names:
        if table[name].null_count:
            raise ReprocoreError(f"{path}: column {name!r} has missing values, must have none")
    found = (table.schema.metadata or {}).items()
    return table, {key.decode(): value.decode(errors="replace") for key, value in found}
