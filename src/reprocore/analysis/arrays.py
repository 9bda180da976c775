"""Predictions from anywhere: Parquet files of this program, or numpy arrays of a user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.statistics.checks import check_comparable, check_probabilities, check_targets
from reprocore.statistics.divergence import pairwise
from reprocore.statistics.jackknife import pair_matrix
from reprocore.statistics.levels import Level, level_on_this_text
from reprocore.store.predictions import read_predictions
from reprocore.vocabulary import bounds_of

SUFFIXES = (".parquet", ".npy", ".npz")


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


def load_array(path: str | Path, step: int | None = None) -> Array:
    """Read predictions from `.parquet`, `.npy` ([N, V]) or `.npz`.

    An `.npz` holds `probabilities` (or one array alone) and may hold `targets`.

    Args:
        path: the file.
        step: which snapshot of a Parquet file; None is the last.

    Raises:
        ReprocoreError: the file cannot be read, or its rows are no distributions.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ReprocoreError(f"{path}: allowed are files that end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise ReprocoreError(f"{path}: no such file")
    if path.suffix == ".parquet":
        return _from_parquet(path, step)
    if step is not None:
        raise ReprocoreError(f"{path}: has no snapshots, so a step cannot be chosen")
    if not _starts_as(path):
        raise ReprocoreError(f"{path}: not a numpy array file, whatever its name says")
    try:
        loaded = np.load(path, allow_pickle=False)
        content = {"probabilities": loaded} if path.suffix == ".npy" else dict(loaded)
    except Exception as error:  # whatever a file of any content makes of numpy and zipfile
        reason = (str(error) or "empty").splitlines()[0]
        raise ReprocoreError(f"{path}: not a numpy array file: {reason}") from None
    return _from_arrays(path, content)


def _starts_as(path: Path) -> bool:
    """Return whether a file starts as its name promises; numpy takes any other for a pickle."""
    start = b"\x93NUMPY" if path.suffix == ".npy" else b"PK"
    try:
        with open(path, "rb") as stream:
            return stream.read(len(start)) == start
    except OSError as error:
        raise ReprocoreError(f"{path}: cannot be read: {error.strerror}") from None


def _from_parquet(path: Path, step: int | None) -> Array:
    stored = read_predictions(path)
    steps = stored.steps.tolist()
    if step is not None and step not in steps:
        raise ReprocoreError(f"{path}: no step {step}; allowed: {', '.join(map(str, steps))}")
    index = -1 if step is None else steps.index(step)
    return Array(str(path), stored.probabilities[index], stored.targets, stored.probe_hash)


def _from_arrays(path: Path, content: dict[str, npt.NDArray[np.generic]]) -> Array:
    others = [name for name in content if name != "targets"]
    name = "probabilities" if "probabilities" in content else others[0] if others else ""
    if not name or (name != "probabilities" and len(others) > 1):
        raise ReprocoreError(f"{path}: needs an array named 'probabilities'; has {others}")
    probabilities = content[name]
    check_probabilities(probabilities, str(path))
    targets = content.get("targets")
    if targets is not None:
        positions, symbols = probabilities.shape
        targets = check_targets(targets, positions, symbols, f"{path}: targets")
    return Array(str(path), probabilities, targets)  # type: ignore[arg-type]


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
    if len(arrays) < 2:
        raise ReprocoreError(f"{len(arrays)} file, needs at least 2 to compare")
    targets = [array.targets for array in arrays]
    check_comparable(
        [array.name for array in arrays],
        [array.probabilities.shape for array in arrays],
        targets,
        [array.probe_hash for array in arrays],
    )
    known = next((ids for ids in targets if ids is not None), None)
    pairs, values = pairwise(np.stack([array.probabilities for array in arrays]), known)
    estimates = {
        name: level_on_this_text(pair_matrix(pairs, numbers)[1], bounds_of(name), confidence)
        for name, numbers in values.items()
    }
    return pairs, values, estimates
