"""A pilot of one model: what a part of its training says about the activations."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from reprocore.analysis.estimates import gather_curves
from reprocore.analysis.pairs import compare_cells
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_trajectories
from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.pipeline.corpus import study_corpus, study_probe
from reprocore.pipeline.runs import hold_results
from reprocore.report.terminal import console, interval_numbers, table_of
from reprocore.report.words import VERDICTS, pilot_text, reason_texts
from reprocore.store.tables import write_table
from reprocore.study.cells import all_cells
from reprocore.study.study import Study, parse_study
from reprocore.training.cell import is_done, train_cell
from reprocore.training.preflight import preflight
from reprocore.vocabulary import Condition, ContrastVerdict, Family


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
        "statistics": content["statistics"] | {"reference": study.reference_of(model)},
        "tuning": None,
        "scale": [],
    }
    return parse_study(content, "pilot")


def pilot_folder(study: Study, model: str) -> Path:
    """Return where the cells of a pilot are kept.

    One folder per number of iterations: other seeds or activations share the cells they have in
    common, and a cell of other settings or code is trained again in its place.
    """
    return Path(study.results) / "pilot" / f"{model}-{study.training_of(model).iterations}"


def pilot_tables(
    study: Study, model: str, cache: Path, report: Callable[[str], None] = lambda line: None
) -> dict[str, pa.Table]:
    """Train the cells of a `pilot_study` one after another and analyse them.

    The cells are kept: those that are done are not trained again, and one that was stopped
    resumes from its checkpoint.

    Args:
        study: from `pilot_study`.
        model: its model.
        cache: folder for what is downloaded.
        report: called with a line before a cell is trained, and for cells that are done.

    Returns:
        The tables of `analyse_model`.

    Raises:
        ReprocoreError: the corpus cannot be had, another process runs this pilot, a check or a
            cell fails, or a signal asks to stop.
    """
    root = pilot_folder(study, model)
    with hold_results(root):
        _train_cells(study, model, root, study_corpus(study, cache), report)
        pairs, curves = _tables(study, model, root)
        return analyse_model(study, model, read_trajectories(pairs, [curves])[model])


def _train_cells(
    study: Study, model: str, root: Path, corpus: Corpus, report: Callable[[str], None]
) -> None:
    """Train the cells that are not done yet, after a check of their activations."""
    missing = [cell for cell in all_cells(study) if not is_done(study, cell, cell.folder(root))]
    if done := len(all_cells(study)) - len(missing):
        report(f"{done} cells are done already, in {root}")
    for activation in dict.fromkeys(cell.activation for cell in missing):
        preflight(study, model, activation, corpus)
    probe = study_probe(study, corpus)
    for cell in missing:
        report(f"training {cell.key}")
        train_cell(study, cell, corpus, probe, cell.folder(root))


def _tables(study: Study, model: str, root: Path) -> tuple[list[Path], Path]:
    """Compare the cells below `root`; return the pairs files and the curves file."""
    cells = all_cells(study)
    pairs = []
    for activation in study.activations_of(model):
        group = [cell for cell in cells if cell.activation == activation]
        path = root / "pairs" / model / activation / "all.parquet"
        predictions, continuations = (
            [cell.folder(root) / f"{name}.parquet" for cell in group]
            for name in ("predictions", "continuations")
        )
        tables = compare_cells(predictions, continuations, study.probe.block)
        write_table(path, tables["pairs"])
        pairs.append(path)
    curves = root / "curves.parquet"
    write_table(curves, gather_curves(cell.folder(root) / "history.parquet" for cell in cells))
    return pairs, curves


def print_pilot(tables: Mapping[str, pa.Table], title: str, measure: str, budget: float) -> None:
    """Print what a pilot showed.

    Args:
        tables: of `pilot_tables`.
        title: of what was trained, and how far.
        measure: that is printed.
        budget: share of the full training that was done.
    """
    rows = {
        name: [
            row
            for row in tables[name].to_pylist()
            if row["measure"] == measure
            and row["condition"] == Condition.FINAL
            and row.get("family", Family.REFERENCE) == Family.REFERENCE
        ]
        for name in ("contrasts", "sensitivity")
    }
    heads, contrasts = ("ratio", "low", "high"), []
    for row in rows["contrasts"]:
        numbers = interval_numbers(row["ratio"], row["ratio_low"], row["ratio_high"])
        verdict = VERDICTS[ContrastVerdict(row["verdict"])]
        contrasts.append([row["first"], row["second"], *numbers, verdict])
    columns = ("first", "second", *heads, "verdict")
    console.print(table_of(f"{title}: {measure}", columns, contrasts, numbers=heads))
    for row in rows["sensitivity"]:
        console.print(pilot_text(row, budget))
    for text in sorted({text for row in rows["contrasts"] for text in reason_texts(row)}):
        console.print(f"Note: {text}.")
