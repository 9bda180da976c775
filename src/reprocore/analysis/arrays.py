"""Predictions from anywhere: Parquet files of this program, or numpy arrays of a user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reprocore.analysis.groups.inputs import check_inputs, group_of
from reprocore.analysis.groups.passes import measure, survey
from reprocore.kinds import OutputKind
from reprocore.statistics.jackknife import pair_matrix
from reprocore.statistics.kinds import as_kind, to_probabilities
from reprocore.statistics.levels import Level, level_on_this_text
from reprocore.store.arrays.reading import read_sources
from reprocore.store.arrays.sources import Source, in_memory
from reprocore.vocabulary import MEASURES, bounds_of


@dataclass(frozen=True, eq=False)
class Array:
    """Predictions of one model.

    Attributes:
        name: for messages, such as the path.
        probabilities: [N, V], each row a distribution.
        targets: [N] ids of what really came, or None if unknown.
        probe_hash: of the probe, or None if unknown.
    """

    name: str
    probabilities: npt.NDArray[np.floating]
    targets: npt.NDArray[np.integer] | None = None
    probe_hash: str | None = None


def load_array(
    path: str | Path, step: int | None = None, kind: OutputKind | str = OutputKind.PROBABILITIES
) -> Array:
    """Read the predictions of one model as a whole.

    Args:
        path: `.npy`, `.npz`, `.safetensors`, `.pt`, `.parquet` or `.jsonl` (samples of
            lm-evaluation-harness). Where it holds several arrays, that named as the kind counts
            (`probabilities`), and `targets`, if any, are the targets.
        step: which snapshot of a Parquet file of a cell; None is the last.
        kind: what the file holds; labels take as many symbols as the highest one needs.

    Raises:
        ReprocoreError: the file cannot be read, or its rows are no distributions.
    """
    kind = as_kind(kind)
    (source,) = read_sources(path, kind, None, step)
    outputs = np.concatenate(list(source.portions(source.shape[0])))
    number_type = source.stored.number_type
    p = to_probabilities(outputs, source.kind or kind, None, source.name, 0, number_type)
    return Array(source.name, p, source.targets, source.probe_hash)


def compare_arrays(
    arrays: Sequence[Array], confidence: float = 0.95
) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float64]], dict[str, Level]]:
    """Compare two or more models on the same positions.

    Returns:
        Pairs of indices [P, 2]; each measure's values [P]; each measure's estimate over pairs,
        with an interval for new models on the same text from three models on.
        `relative_pd_true` needs targets.

    Raises:
        ReprocoreError: fewer than two, or of different shapes, targets or probes.
    """
    sources = [_source(array) for array in arrays]
    kind = OutputKind.PROBABILITIES
    inputs = check_inputs([group_of("", sources, None)], kind)
    survey(inputs, allow_identical=True)
    measured = measure(inputs, {})[""]
    values = {name: measured.values[name] for name in MEASURES if name in measured.values}
    estimates = {
        name: level_on_this_text(
            pair_matrix(measured.pairs, numbers)[1], bounds_of(name), confidence
        )
        for name, numbers in values.items()
    }
    return measured.pairs, values, estimates


def _source(array: Array) -> Source:
    stored = in_memory(array.probabilities, array.name)
    targets = None if array.targets is None else np.asarray(array.targets)
    return Source(
        *(array.name, stored, 0, stored.shape), targets=targets, probe_hash=array.probe_hash
    )
