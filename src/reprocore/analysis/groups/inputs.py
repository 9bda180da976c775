"""What is compared: groups of models, checked to be of the same positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.statistics.checks import Integers, as_array, check_comparable, check_targets
from reprocore.statistics.kinds import check_labels
from reprocore.store.arrays.harness import same_positions
from reprocore.store.arrays.sources import Source, in_memory, sources_of


@dataclass(frozen=True, eq=False)
class Group:
    """Models that differ in their seed alone.

    Attributes:
        name: of the group.
        sources: of its M models, in the order of their seeds if these are known.
        seeds: [M], ascending; None where seeds are not named.
    """

    name: str
    sources: Sequence[Source]
    seeds: tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """Groups that can be compared.

    Attributes:
        groups: at least one.
        kind: of outputs whose file does not say it.
        positions: N.
        symbols: V.
        targets: int64 [N], or None.
        blocks: which block of data each position is of, [N] in 0 … B−1, or None.
    """

    groups: Sequence[Group]
    kind: OutputKind
    positions: int
    symbols: int
    targets: Integers | None
    blocks: Integers | None

    @property
    def sources(self) -> list[Source]:
        """All models, group by group."""
        return [source for group in self.groups for source in group.sources]

    @property
    def paired(self) -> bool:
        """Whether seeds are named, so that groups can be compared seed by seed."""
        return self.groups[0].seeds is not None


def groups_in_memory(
    models: Mapping[str, Any],
    kind: OutputKind,
    seeds: Mapping[str, Sequence[int]] | Sequence[int] | None,
) -> list[Group]:
    """Return groups of arrays or tensors: of each name [M, N, V], or M arrays [N, V].

    Args:
        models: outputs by the name of their group.
        kind: of the outputs; labels are [M, N], or M arrays [N].
        seeds: of each group's models, or the same ones for all groups; None where not known.

    Raises:
        ReprocoreError: not such arrays, or seeds that do not fit them.
    """
    if not isinstance(models, Mapping):
        raise ReprocoreError("groups: must be a mapping of names to arrays")
    groups = []
    for name, outputs in models.items():
        own = seeds.get(name) if isinstance(seeds, Mapping) else seeds
        try:
            members = list(outputs)
        except TypeError:
            raise ReprocoreError(f"{name}: not an array of models") from None
        labels = range(len(members)) if own is None else own
        sources = [
            source
            for label, member in zip(labels, members, strict=False)
            for source in sources_of(
                *(in_memory(member, f"{name}[{label}]"), f"{name}[{label}]", kind)
            )
        ]
        if len(sources) != len(members):
            raise ReprocoreError(f"{name}: {len(labels)} seeds for {len(members)} models")
        groups.append(group_of(str(name), sources, own))
    return groups


def group_of(name: str, sources: Sequence[Source], seeds: Sequence[int] | None) -> Group:
    """Return a group with its models in the order of their seeds.

    Raises:
        ReprocoreError: fewer than two models, or seeds that do not fit them.
    """
    shown = f"group {name!r}" if name else "models"
    if len(sources) < 2:
        raise ReprocoreError(f"{shown}: {len(sources)} file or array, needs at least 2 to compare")
    if seeds is None:
        return Group(name, list(sources), None)
    numbers = [int(seed) for seed in seeds]
    if len(numbers) != len(sources) or len(set(numbers)) != len(numbers):
        raise ReprocoreError(
            f"{shown}: seeds {numbers} for {len(sources)} models, must be one each, all different"
        )
    order = np.argsort(numbers)
    return Group(name, [sources[i] for i in order], tuple(sorted(numbers)))


def check_inputs(
    groups: Sequence[Group],
    kind: OutputKind,
    targets: npt.ArrayLike | None = None,
    blocks: npt.ArrayLike | None = None,
) -> Inputs:
    """Check that groups are of the same positions, and put together what is known of these.

    Args:
        groups: at least one, with different names.
        kind: of outputs whose file does not say it.
        targets: [N]; None takes those of the files, if any has some.
        blocks: a number of positions, or the label of each position's block, [N].

    Raises:
        ReprocoreError: they do not fit together; names the first that does not.
    """
    names = [group.name for group in groups]
    if not names or len(set(names)) < len(names):
        raise ReprocoreError(f"groups: {names}, must be one or more, with different names")
    named = [group.name for group in groups if group.seeds is not None]
    if named and len(named) < len(groups):
        raise ReprocoreError(
            f"seeds: named for {', '.join(named)} alone, must be for all groups or for none"
        )
    sources = [source for group in groups for source in group.sources]
    _check_alike(sources, kind)
    positions = sources[0].shape[0]
    known = [source.targets for source in sources if source.targets is not None]
    ids = as_array(targets) if targets is not None else known[0] if known else None
    symbols = _symbols(sources, ids)
    if ids is not None:
        name = "targets" if targets is not None else sources[0].name
        ids = check_targets(ids, positions, symbols, name)
        check_comparable(
            ["targets", *(s.name for s in sources)],
            [()] * (len(sources) + 1),
            [ids, *(s.targets for s in sources)],
        )
    return Inputs(groups, kind, positions, symbols, ids, _blocks(blocks, positions))


def _check_alike(sources: Sequence[Source], kind: OutputKind) -> None:
    check_comparable(
        [source.name for source in sources],
        [source.shape for source in sources],
        None,
        [source.probe_hash for source in sources],
    )
    for source in sources:
        differs = same_positions(sources[0].positions, source.positions)
        if differs is not None:
            raise ReprocoreError(
                f"{source.name}: doc_id {differs} is in only one of it and {sources[0].name}; all "
                "must be of the same documents"
            )
    kinds = {source.kind or kind for source in sources}
    if OutputKind.LABELS in kinds and len(kinds) > 1:
        raise ReprocoreError(f"kind: labels cannot be compared with {min(kinds - {'labels'})}")


def _symbols(sources: Sequence[Source], targets: npt.NDArray[Any] | None) -> int:
    """Return V; of labels, 1 more than the highest of all and of the targets, and 2 at least."""
    if len(sources[0].shape) > 1:
        return sources[0].shape[1]
    highest = 1
    # Targets that are no whole numbers are refused where they are checked.
    if targets is not None and targets.dtype.kind in "iu":
        highest = max(1, int(targets.max(initial=0)))
    for source in sources:
        for portion in source.portions(source.shape[0]):
            highest = max(highest, int(check_labels(portion, source.name).max()))
    return highest + 1


def _blocks(blocks: npt.ArrayLike | None, positions: int) -> Integers | None:
    if blocks is None:
        return None
    labels = as_array(blocks)
    if labels.ndim == 0:
        if labels.dtype.kind not in "iu" or not 1 <= labels <= positions:
            raise ReprocoreError(f"blocks: {blocks}, must be in 1 to {positions} positions")
        return np.arange(positions) // int(labels)
    if labels.shape != (positions,) or labels.dtype.kind == "O":
        raise ReprocoreError(
            f"blocks: {labels.dtype} of shape {list(labels.shape)}, must be {positions} labels"
        )
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
