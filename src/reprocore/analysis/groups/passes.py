"""Two passes over the predictions of all models, by portions of positions.

The first one looks at each model on its own and at the mean of all; the second one compares pairs.
Nothing of the size of the predictions is ever held.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.analysis.groups.inputs import Group, Inputs
from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.statistics.agreement import agreement_of, flipped, kappas, means_by_part
from reprocore.statistics.checks import Floats, Integers
from reprocore.statistics.divergence import PairSums
from reprocore.statistics.kinds import to_probabilities
from reprocore.statistics.strata import entropy, fifths, surprisal
from reprocore.vocabulary import Stratification

# Numbers of all models together in one portion: 32 MiB in float64.
PORTION = 2**22
BLOCKS = "blocks"


@dataclass(frozen=True)
class Underflow:
    """How much of a group's relative PD hangs on float16 numbers that are 0.

    Attributes:
        group: its name.
        one: share of (pair, position, symbol) where one of the two is 0: counted as 2.
        both: share where both are 0: counted as 0.
    """

    group: str
    one: float
    both: float


@dataclass(frozen=True, eq=False)
class Survey:
    """What the first pass finds.

    Attributes:
        strata: which fifth each position is of, [N] in 0 … 4, by what tells them apart.
        underflow: of the groups in which float16 numbers are 0.
    """

    strata: Mapping[Stratification, Integers]
    underflow: Sequence[Underflow]


@dataclass(frozen=True, eq=False)
class Measured:
    """What the second pass finds of one group of M models, P pairs.

    Attributes:
        pairs: indices of models, [P, 2].
        values: each measure of each pair, [P].
        parts: of blocks and strata, each measure of each pair, [P, K].
        scores: `val_loss` and `val_accuracy` of each model at each position, [M, N]; none
            without targets.
    """

    pairs: Integers
    values: Mapping[str, Floats]
    parts: Mapping[str, Mapping[str, Floats]]
    scores: Mapping[str, Floats]


def survey(inputs: Inputs, allow_identical: bool) -> Survey:
    """Check all outputs, and see where positions are easy or hard for the mean of all models.

    Raises:
        ReprocoreError: a number is not of its kind, or two models are identical and may not be.
    """
    sources = inputs.sources
    digests = [hashlib.blake2b(f"{s.shape} {s.stored.number_type}".encode()) for s in sources]
    zeros = {group.name: np.zeros(2) for group in inputs.groups}
    mean = {name: np.zeros(inputs.positions) for name in Stratification}
    for first, raw in _raw_portions(inputs):
        for digest, portion in zip(digests, raw, strict=True):
            digest.update(np.ascontiguousarray(portion).data)
        models = _probabilities(inputs, raw, first)
        for group, own in _by_group(inputs, models):
            zeros[group.name] += _zeros(inputs, group, own)
        rows = slice(first, first + len(raw[0]))
        overall = sum(model.astype(np.float64) for model in models) / len(models)
        mean[Stratification.ENTROPY][rows] = entropy(overall)
        if inputs.targets is not None:
            mean[Stratification.SURPRISAL][rows] = surprisal(overall, inputs.targets[rows])
    if not allow_identical:
        _refuse_identical([s.name for s in sources], [digest.digest() for digest in digests])
    known = [Stratification.ENTROPY]
    if inputs.targets is not None:
        known.insert(0, Stratification.SURPRISAL)
    return Survey({name: fifths(mean[name]) - 1 for name in known}, list(_underflow(inputs, zeros)))


def measure(inputs: Inputs, strata: Mapping[Stratification, Integers]) -> dict[str, Measured]:
    """Compare all pairs of models of each group."""
    parts: dict[str, Integers] = {str(name): labels for name, labels in strata.items()}
    if inputs.blocks is not None:
        parts[BLOCKS] = inputs.blocks
    has_targets = inputs.targets is not None
    sums = {g.name: PairSums(len(g.sources), has_targets, parts) for g in inputs.groups}
    likeliest = {g.name: _empty(g, inputs, np.int64) for g in inputs.groups}
    losses = {g.name: _empty(g, inputs, np.float64) for g in inputs.groups}
    for first, raw in _raw_portions(inputs):
        rows = slice(first, first + len(raw[0]))
        ids = None if inputs.targets is None else inputs.targets[rows]
        for group, models in _by_group(inputs, _probabilities(inputs, raw, first)):
            sums[group.name].add(np.stack(models), ids)
            for index, model in enumerate(models):
                likeliest[group.name][index, rows] = model.argmax(axis=1)
                if ids is not None:
                    losses[group.name][index, rows] = surprisal(model, ids)
    return {
        name: _measured(inputs, total, parts, likeliest[name], losses[name])
        for name, total in sums.items()
    }


def _measured(
    inputs: Inputs,
    sums: PairSums,
    parts: Mapping[str, Integers],
    likeliest: Integers,
    losses: Floats,
) -> Measured:
    by_part = {part: sums.means_of(part) for part in parts}
    ids = inputs.targets
    if ids is None:
        kappa = kappas(likeliest, inputs.symbols, sums.pairs)
        return Measured(sums.pairs, sums.means() | {"kappa": kappa}, by_part, {})
    agreed = agreement_of(likeliest, losses, ids, inputs.symbols, sums.pairs)
    if BLOCKS in parts:
        flips = flipped(likeliest == ids, sums.pairs)
        by_part[BLOCKS]["flips"] = means_by_part(flips, parts[BLOCKS])
    scores = {"val_loss": losses, "val_accuracy": (likeliest == ids).astype(np.float64)}
    return Measured(sums.pairs, sums.means() | agreed, by_part, scores)


def _raw_portions(inputs: Inputs) -> Iterator[tuple[int, list[npt.NDArray[Any]]]]:
    """Yield (first position, the outputs of each model at the next positions)."""
    sources = inputs.sources
    rows = max(1, PORTION // (len(sources) * inputs.symbols))
    first = 0
    for raw in zip(*(source.portions(rows) for source in sources), strict=True):
        yield first, list(raw)
        first += len(raw[0])


def _probabilities(
    inputs: Inputs, raw: Sequence[npt.NDArray[Any]], first: int
) -> list[npt.NDArray[np.floating]]:
    return [
        to_probabilities(
            portion,
            source.kind or inputs.kind,
            inputs.symbols,
            source.name,
            first,
            source.stored.number_type,
        )
        for source, portion in zip(inputs.sources, raw, strict=True)
    ]


def _by_group(
    inputs: Inputs, models: Sequence[npt.NDArray[np.floating]]
) -> Iterator[tuple[Group, Sequence[npt.NDArray[np.floating]]]]:
    start = 0
    for group in inputs.groups:
        yield group, models[start : start + len(group.sources)]
        start += len(group.sources)


def _empty(group: Group, inputs: Inputs, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.empty((len(group.sources), inputs.positions), dtype=kind)


def _zeros(inputs: Inputs, group: Group, models: Sequence[npt.NDArray[np.floating]]) -> Floats:
    """Count (pair, position, symbol) where one is 0, and where both are, if any is of float16."""
    narrow = any(source.stored.number_type == "float16" for source in group.sources)
    if not narrow or inputs.kind != OutputKind.PROBABILITIES:
        return np.zeros(2)
    count = np.zeros(models[0].shape, dtype=np.int64)
    for model in models:
        count += model == 0
    return np.array([(count * (len(models) - count)).sum(), (count * (count - 1) // 2).sum()])


def _underflow(inputs: Inputs, zeros: Mapping[str, Floats]) -> Iterator[Underflow]:
    for group in inputs.groups:
        models = len(group.sources)
        terms = inputs.positions * inputs.symbols * models * (models - 1) / 2
        one, both = (zeros[group.name] / terms).tolist()
        if one or both:
            yield Underflow(group.name, one, both)


def _refuse_identical(names: Sequence[str], digests: Sequence[bytes]) -> None:
    first: dict[bytes, str] = {}
    for name, digest in zip(names, digests, strict=True):
        if digest in first:
            raise ReprocoreError(
                f"{name}: holds the very same numbers as {first[digest]}; if that is meant, allow "
                "it (--allow-identical, allow_identical=True)"
            )
        first[digest] = name
