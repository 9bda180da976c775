"""One model's outputs, read in portions so that memory does not grow with the positions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from reprocore.errors import ReprocoreError
from reprocore.kinds import Layout, Notice, OutputKind
from reprocore.statistics.checks import Integers, as_array, type_of

Portion = npt.NDArray[Any]
TARGETS = "targets"


@dataclass(frozen=True, eq=False)
class Stored:
    """An array of any shape whose elements can be read in order.

    Attributes:
        shape: of the array.
        number_type: such as `float32` or `bfloat16`.
        elements: takes (first, last, size) and yields the elements from `first` to before `last`,
            in C order, in one-dimensional portions of `size` (the last one may be shorter).
    """

    shape: tuple[int, ...]
    number_type: str
    elements: Callable[[int, int, int], Iterator[Portion]]

    def whole(self) -> Portion:
        """Return the array."""
        size = int(np.prod(self.shape))
        portions = list(self.elements(0, size, max(size, 1)))
        return (np.concatenate(portions) if portions else np.empty(0)).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Source:
    """Outputs of one model.

    Attributes:
        name: for messages, such as the path.
        stored: the array that holds them, perhaps with those of other models.
        first: place of the model's first element in it.
        shape: [N, V], or [N] for labels.
        kind: of the outputs where the file says it, None where the user does.
        targets: ids of what really came, int64 [N], None if not known.
        positions: names of the positions, [N], in ascending order; None for the order as it is.
        probe_hash: of the probe that was predicted, None if not known.
        notice: what to know of the outputs, or None.
    """

    name: str
    stored: Stored
    first: int
    shape: tuple[int, ...]
    kind: OutputKind | None = None
    targets: Integers | None = None
    positions: npt.NDArray[Any] | None = None
    probe_hash: str | None = None
    notice: Notice | None = None

    def portions(self, rows: int) -> Iterator[Portion]:
        """Yield the outputs in order, [rows, V] or [rows], the last portion perhaps shorter."""
        width = int(np.prod(self.shape[1:]))
        last = self.first + self.shape[0] * width
        for flat in self.stored.elements(self.first, last, rows * width):
            yield flat.reshape(-1, *self.shape[1:])


def in_memory(values: Any, name: str) -> Stored:
    """Return an array, or a torch tensor, as one whose elements can be read in order.

    Raises:
        ReprocoreError: `values` are no array of numbers.
    """
    try:
        tensor = values if hasattr(values, "detach") else as_array(values)
        flat = tensor.reshape(-1)
    except (TypeError, ValueError) as error:
        raise ReprocoreError(f"{name}: not an array: {str(error).splitlines()[0]}") from None

    def elements(first: int, last: int, size: int) -> Iterator[Portion]:
        for start in range(first, last, size):
            yield as_array(flat[start : min(start + size, last)])

    return Stored(tuple(tensor.shape), type_of(values), elements)


def sources_of(
    stored: Stored, name: str, kind: OutputKind, layout: Layout | None = None
) -> list[Source]:
    """Return the models of an array.

    Args:
        stored: [N, V], or 3-D with a layout; for labels [N], or 2-D with a layout.
        name: for messages.
        kind: of the outputs.
        layout: what the first axis of an array with one axis more is; None refuses such an array.

    Raises:
        ReprocoreError: another number of axes.
    """
    axes = 1 if kind == OutputKind.LABELS else 2
    shape = stored.shape
    if 0 in shape:
        raise ReprocoreError(f"{name}: shape {list(shape)}, must not be empty")
    if len(shape) == axes:
        return [Source(name, stored, 0, shape)]
    if len(shape) != axes + 1 or layout is None:
        extra = "" if layout else ", or with one axis more where a layout says what it is"
        wanted = "[positions]" if axes == 1 else "[positions, symbols]"
        raise ReprocoreError(f"{name}: shape {list(shape)}, must be {axes}-D {wanted}{extra}")
    if layout == Layout.BATCHES:
        return [Source(name, stored, 0, (shape[0] * shape[1], *shape[2:]))]
    size = int(np.prod(shape[1:]))
    return [Source(f"{name}[{i}]", stored, i * size, shape[1:]) for i in range(shape[0])]


def chosen(arrays: Mapping[str, Stored], kind: OutputKind, name: str) -> tuple[Stored, Any]:
    """Return the outputs among the named arrays of a file, and its targets or None.

    The outputs are the array that is named as their kind, or else the only one beside `targets`.

    Raises:
        ReprocoreError: there is no such array.
    """
    others = [key for key in arrays if key != TARGETS]
    wanted = [kind.value, kind.value.replace("-", "_")]
    named = [key for key in others if key in wanted] or others
    if len(named) != 1:
        raise ReprocoreError(
            f"{name}: needs an array named {kind.value!r}, or one alone; has {sorted(others)}"
        )
    targets = arrays.get(TARGETS)
    return arrays[named[0]], None if targets is None else targets.whole()


def with_targets(sources: Sequence[Source], targets: Any) -> list[Source]:
    """Return sources with the targets of their file, if any."""
    if targets is None:
        return list(sources)
    return [replace(source, targets=as_array(targets).reshape(-1)) for source in sources]
