"""JSON lines that lm-evaluation-harness writes with `--log_samples`: one document a line.

For tasks with choices, `filtered_resps` (or `resps`) holds the log-likelihood of each choice. A
softmax over the choices of a document makes a distribution of them. Lines of two files are of one
document where `doc_id` is the same; their order in the file does not count.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.kinds import Notice, OutputKind
from reprocore.statistics.checks import Floats, Integers
from reprocore.store.arrays.sources import Source, in_memory


def read_samples(path: Path) -> Source:
    """Return the log-likelihoods [documents, choices] of a file of samples, by ascending `doc_id`.

    A document with fewer choices than others has −inf in the others' place, and a notice says so.

    Raises:
        ReprocoreError: not such a file; names the line.
    """
    samples = _sorted(path)
    lists = [_choices(sample, name) for name, sample in samples]
    logs = np.full((len(lists), max(map(len, lists))), -np.inf)
    for row, values in enumerate(lists):
        logs[row, : len(values)] = values
    padded = min(map(len, lists)) < logs.shape[1]
    stored = in_memory(logs, str(path))
    return Source(
        str(path),
        stored,
        0,
        stored.shape,
        OutputKind.LOGITS,
        _targets(samples, lists),
        np.array([sample["doc_id"] for _, sample in samples]),
        notice=Notice.PADDED if padded else None,
    )


def _sorted(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the samples with their names for messages, by `doc_id`."""
    samples: dict[int, tuple[str, dict[str, Any]]] = {}
    try:
        # `splitlines` would also split at U+2028 and its like, which JSON allows within texts.
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError:
        raise ReprocoreError(f"{path}: not a text file of JSON lines") from None
    for number, line in enumerate(lines, 1):
        name = f"{path}, line {number}"
        if not line.strip():
            continue
        sample = _parsed(line, name)
        if sample["doc_id"] in samples:
            raise ReprocoreError(
                f"{name}: doc_id {sample['doc_id']} is there twice; keep one filter"
            )
        samples[sample["doc_id"]] = (name, sample)
    if not samples:
        raise ReprocoreError(f"{path}: no samples")
    return [samples[number] for number in sorted(samples)]


def _parsed(line: str, name: str) -> dict[str, Any]:
    try:
        sample = json.loads(line)
    except (ValueError, RecursionError):
        raise ReprocoreError(f"{name}: not JSON") from None
    if not isinstance(sample, dict) or type(sample.get("doc_id")) is not int:
        raise ReprocoreError(f"{name}: must be an object with a whole number as doc_id")
    return sample


def _choices(sample: dict[str, Any], name: str) -> Floats:
    """Return the log-likelihood of each choice of a document."""
    responses = sample.get("filtered_resps") or sample.get("resps")
    try:
        values = np.array([_log_likelihood(response) for response in responses or ()])
    except (TypeError, ValueError, OverflowError, IndexError, KeyError):
        values = np.empty(0)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ReprocoreError(
            f"{name}: filtered_resps must hold the log-likelihoods of 2 choices or more, as of a "
            "multiple_choice task; generated text cannot be compared"
        )
    return values


def _log_likelihood(response: Any) -> float:
    """Return the number of `[log-likelihood, is greedy]`, itself or in a list, or of itself."""
    while isinstance(response, list):
        response = response[0]
    number = float(response)
    return number if number <= 0 else math.nan


def _targets(samples: list[tuple[str, dict[str, Any]]], lists: list[Floats]) -> Integers | None:
    """Return the index of each right choice, None unless every document names one."""
    found = [_index(sample.get("target")) for _, sample in samples]
    known = all(0 <= index < len(own) for index, own in zip(found, lists, strict=True))
    return np.array(found, dtype=np.int64) if known else None


def _index(target: Any) -> int:
    try:
        return int(target)
    except (TypeError, ValueError, OverflowError):
        return -1


def same_positions(one: npt.NDArray[Any] | None, other: npt.NDArray[Any] | None) -> int | None:
    """Return the first name of a position that only one of two has; None if they are alike."""
    if one is None or other is None or np.array_equal(one, other):
        return None
    return int(np.setxor1d(one, other)[0])
