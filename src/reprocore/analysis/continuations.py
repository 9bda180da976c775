"""How far apart the texts are that cells have written: distances of all pairs of seeds."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import Floats
from reprocore.store.readers import read_continuations
from reprocore.study.cells import Cell


def read_texts(paths: Iterable[str | Path], cells: Sequence[Cell]) -> list[list[str]]:
    """Return the continuations of each of `cells`, in the order of the contexts.

    Args:
        paths: a continuations file of each cell, in any order.
        cells: which are wanted, and in which order.

    Raises:
        ReprocoreError: a file is damaged or foreign, a cell has none, or contexts differ.
    """
    read = {}
    for path in paths:
        cell, table = read_continuations(path)
        read[cell] = (str(path), table["position"].to_pylist(), table["continuation"].to_pylist())
    if missing := [cell.key for cell in cells if cell not in read]:
        raise ReprocoreError(f"no continuations of {', '.join(missing)} among {len(read)} files")
    first, positions, _ = read[cells[0]]
    for path, others, _ in (read[cell] for cell in cells):
        if others != positions or not others:
            raise ReprocoreError(f"{path}: continues other contexts than {first}")
    return [read[cell][2] for cell in cells]


def continuation_distances(texts: Sequence[Sequence[str]], pairs: npt.NDArray[np.int64]) -> Floats:
    """Return the mean normalised Levenshtein distance of pairs of models, [P], 0 to 1.

    That is the least number of insertions, deletions and substitutions that turn one text into
    the other, over the length of the longer one (Levenshtein 1966), averaged over the contexts.

    Args:
        texts: of each of M models its C continuations, of the same contexts.
        pairs: indices of models, [P, 2].
    """
    return np.array(
        [
            np.mean(list(map(Levenshtein.normalized_distance, texts[a], texts[b])))
            for a, b in pairs.tolist()
        ]
    )
