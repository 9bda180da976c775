"""The probe's text, some of it, with what each seed predicts at every character."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reprocore.analysis.final_predictions import FinalPredictions
from reprocore.data.probe import Probe
from reprocore.errors import ReprocoreError
from reprocore.statistics.by_position import dissent, likeliest, mean_total_variation
from reprocore.statistics.checks import Integers
from reprocore.store.position_schemas import TEXT_SCHEMA
from reprocore.study.study import Study

# Enough to see where models disagree, and little enough for a page.
SHOWN_POSITIONS = 512
RANKS = ("first", "second", "third")

Columns = dict[str, Any]


def text_table(study: Study, model: str, final: FinalPredictions | None, probe: Probe) -> pa.Table:
    """Return what each seed, and the mean of all, predicts at the shown positions.

    Args:
        study: for the activations' order.
        model: its name.
        final: what its cells of one arm predict; None if none has run.
        probe: that they predicted.

    Returns:
        A table of `TEXT_SCHEMA`: for each activation the mean prediction, then each seed's.

    Raises:
        ReprocoreError: the predictions are of another probe.
    """
    if final is None:
        return TEXT_SCHEMA.empty_table()
    if final.probe_hash != probe.hash:
        raise ReprocoreError(f"{model}: its cells predicted another probe than the study's")
    rows_of, shown = final.rows_of(), shown_positions(len(probe.positions), probe.block)
    common = {"model": model, "arm": final.cells[0].arm, "step": final.step}
    tables = [TEXT_SCHEMA.empty_table()]
    for activation in study.activations_of(model):
        seeds = rows_of.get(activation, {})
        stack = final.probabilities[list(seeds.values())][:, shown]
        tables += [
            _table({**common, "activation": activation, **columns}, probe, shown)
            for columns in _predictions(stack, list(seeds), probe.targets[shown], probe.symbols)
        ]
    return pa.concat_tables(tables)


def shown_positions(positions: int, block: int) -> Integers:
    """Return the indices of the shown ones of N positions: whole blocks, spread evenly.

    Of blocks that are longer than all that is shown, one has its first part shown.
    """
    length = min(block, SHOWN_POSITIONS)
    blocks = positions // block
    count = min(SHOWN_POSITIONS // length, blocks)
    starts = np.arange(count) * blocks // count * block
    return np.asarray((starts[:, None] + np.arange(length)).ravel())


def _predictions(
    stack: npt.NDArray[np.float32],
    seeds: Sequence[int],
    targets: npt.NDArray[np.uint16],
    symbols: Sequence[str],
) -> Iterator[Columns]:
    """Yield columns for the mean of M seeds [M, n, V] on n positions, then for each seed."""
    if not seeds:
        return
    mean = stack.mean(axis=0, dtype=np.float64)
    apart = mean_total_variation(stack) if len(seeds) > 1 else None
    disagreement = dissent(stack, mean.argmax(axis=1))
    yield {
        **_likeliest(mean, targets, symbols),
        "seed": None,
        "disagreement": disagreement,
        "total_variation": apart,
    }
    for seed, own in zip(seeds, stack, strict=True):
        columns = {**_likeliest(own, targets, symbols), "seed": seed}
        yield {**columns, "disagreement": None, "total_variation": None}


def _likeliest(
    probabilities: npt.NDArray[Any], targets: npt.NDArray[np.uint16], symbols: Sequence[str]
) -> Columns:
    """Return the three likeliest characters [n] with their probabilities, and the true one's."""
    ids, columns = likeliest(probabilities, len(RANKS)), Columns()
    rows = np.arange(len(ids))
    names = np.array(symbols, dtype=object)
    for rank, name in enumerate(RANKS):
        there = rank < ids.shape[1]
        columns[name] = names[ids[:, rank]] if there else None
        columns[f"p_{name}"] = probabilities[rows, ids[:, rank]] if there else None
    return {**columns, "probability": probabilities[rows, targets]}


def _table(columns: Mapping[str, Any], probe: Probe, shown: Integers) -> pa.Table:
    """Return columns, some of them one value for all rows, as a table."""
    whole = {
        **columns,
        "block": shown // probe.block,
        "position": probe.positions[shown],
        "character": np.array(probe.symbols, dtype=object)[probe.targets[shown]],
    }
    arrays = []
    for field in TEXT_SCHEMA:
        value = whole[field.name]
        several = isinstance(value, np.ndarray)
        arrays.append(
            pa.array(value, type=field.type)
            if several
            else pa.repeat(pa.scalar(value, type=field.type), len(shown))
        )
    return pa.table(arrays, schema=TEXT_SCHEMA)
