"""A pilot of one model: what a part of its training says of the activations."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from reprocore.analysis.estimates import gather_curves
from reprocore.analysis.pairs import compare_cells
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_trajectories
from reprocore.data.probe import build_probe
from reprocore.data.text import load_text
from reprocore.data.tokens import encode
from reprocore.errors import ReprocoreError
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell, all_cells
from reprocore.study.study import Study, parse_study
from reprocore.training.cell import run_cell


def pilot_study(study: Study, model: str, iterations: int, seeds: int) -> Study:
    """Return a study of `model` alone, trained for fewer iterations from the first seeds.

    Raises:
        ReprocoreError: no such model, or more iterations or seeds than the study has.
    """
    if model not in study.models:
        raise ReprocoreError(f"no model {model!r}; allowed: {', '.join(study.models)}")
    most = study.training_of(model).iterations
    for name, value, limit in (
        ("iterations", iterations, most),
        ("seeds", seeds, len(study.seeds)),
    ):
        if not 2 <= value <= limit:
            raise ReprocoreError(f"{name}: {value}; allowed: 2 to {limit}, what the study has")
    content = study.model_dump()
    own = content["models"][model]
    warmup = min(study.training_of(model).warmup, iterations)
    own["training"] = {**own["training"], "iterations": iterations, "warmup": warmup}
    content |= {
        "models": {model: own | {"arms": ["all"]}},
        "seeds": list(study.seeds[:seeds]),
    }
    return parse_study(content, "pilot")


def run_pilot(
    study: Study, model: str, cache: Path, started: Callable[[Cell], None] = lambda cell: None
) -> dict[str, pa.Table]:
    """Train the cells of a `pilot_study` one after another and analyse them.

    Nothing is kept: the files are in a temporary folder.

    Args:
        study: from `pilot_study`.
        model: its model.
        cache: folder for what is downloaded.
        started: called with each cell before it trains.

    Returns:
        The tables of `analyse_model`.

    Raises:
        ReprocoreError: the corpus cannot be had, or a cell fails.
    """
    source = study.corpus
    text = load_text(
        source.source, path=source.path, url=source.url, sha256=source.sha256, cache=cache
    )
    corpus = encode(text, source.train_fraction)
    probe = build_probe(
        corpus,
        context=study.probe.lead,
        positions=study.probe.positions,
        block=study.probe.block,
    )
    with tempfile.TemporaryDirectory(prefix="reprocore-") as name:
        root = Path(name)
        for cell in all_cells(study):
            started(cell)
            run_cell(study, cell, corpus, probe, cell.folder(root))
        pairs, curves = _tables(study, model, root)
        return analyse_model(study, model, read_trajectories(pairs, [curves])[model])


def _tables(study: Study, model: str, root: Path) -> tuple[list[Path], Path]:
    """Compare the cells below `root`; return the pairs files and the curves file."""
    cells = all_cells(study)
    pairs = []
    for activation in study.activations_of(model):
        mine = [cell for cell in cells if cell.activation == activation]
        path = root / "pairs" / model / activation / "all.parquet"
        write_table(path, compare_cells(cell.folder(root) / "predictions.parquet" for cell in mine))
        pairs.append(path)
    curves = root / "curves.parquet"
    write_table(curves, gather_curves(cell.folder(root) / "history.parquet" for cell in cells))
    return pairs, curves
