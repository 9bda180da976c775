"""The probe: the characters that every cell of a study predicts."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.data.tokens import Corpus, _read
from reprocore.errors import ReprocoreError
from reprocore.store.cell_schemas import PROBE_SCHEMA
from reprocore.store.tables import write_table


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


def prompts(
    corpus: Corpus, probe: Probe, length: int, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the text before some blocks of the probe, spread evenly over all of them.

    Args:
        corpus: that the probe is of.
        probe: its blocks are what really follows.
        length: characters of each prompt; at most the `context` that the probe was built for.
        count: how many, C; all blocks where the probe has fewer.

    Returns:
        positions: int64 [C], of the first character of each block.
        inputs: int64 [C, length] token ids of the characters before it.
    """
    starts = probe.positions[:: probe.block]
    count = min(count, len(starts))
    positions = starts[np.arange(count) * (len(starts) - 1) // max(count - 1, 1)]
    return positions, corpus.tokens[positions[:, None] + np.arange(-length, 0)].astype(np.int64)


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
