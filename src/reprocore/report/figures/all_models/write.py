"""The figures over all models, from tables to files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from reprocore.errors import ReprocoreError
from reprocore.report.figures import style
from reprocore.report.figures.all_models.early import draw_early
from reprocore.report.figures.all_models.overview import Key, draw_cross_model
from reprocore.report.figures.all_models.ratios import draw_ratios
from reprocore.report.figures.all_models.sources import draw_sources
from reprocore.report.figures.entries import final
from reprocore.report.figures.trade_off import draw_models_accuracy_against_pd
from reprocore.store.readers import read_estimates
from reprocore.store.schemas import (
    EARLY_SCHEMA,
    EARLY_SENSITIVITY_SCHEMA,
    RATIOS_SCHEMA,
    SENSITIVITY_SCHEMA,
    SOURCES_SCHEMA,
    SUMMARY_SCHEMA,
)
from reprocore.store.tables import read_table
from reprocore.study.layout import STUDY_FIGURES
from reprocore.study.study import Study

PER_MODEL = {"sensitivity": SENSITIVITY_SCHEMA, "sources": SOURCES_SCHEMA, "early": EARLY_SCHEMA}
ACROSS = {"ratios": RATIOS_SCHEMA, "early_sensitivity": EARLY_SENSITIVITY_SCHEMA}


def write_study_figures(
    study: Study,
    tables: str | Path,
    models: Sequence[str],
    pairs: Sequence[str | Path],
    out: str | Path,
) -> list[Path]:
    """Draw the `STUDY_FIGURES`, each as PNG and SVG.

    Args:
        study: what was to run.
        tables: folder of the study's `summary.parquet`, of `across/ratios.parquet` and
            `across/early_sensitivity.parquet`, and of `summary`, `sensitivity`, `sources` and
            `early` of each of `models` as `models/{model}/{name}.parquet`.
        models: those that ran.
        pairs: pairs files; the last parts of each path are `{model}/{activation}/{arm}.parquet`.
        out: folder that the figures are written to.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    tables, out = Path(tables), Path(out)
    folders = [tables / "models" / model for model in models]
    summary: pd.DataFrame = read_table(tables / "summary.parquet", SUMMARY_SCHEMA).to_pandas()
    estimates = final(read_estimates([folder / "summary.parquet" for folder in folders]))
    read = {
        name: _together([folder / f"{name}.parquet" for folder in folders], schema)
        for name, schema in PER_MODEL.items()
    } | {
        name: _together([tables / "across" / f"{name}.parquet"], schema)
        for name, schema in ACROSS.items()
    }
    by_key = {_key(path): path for path in map(Path, pairs)}
    drawings: dict[str, Callable[[], Figure]] = {
        "cross_model": lambda: draw_cross_model(
            study, summary, estimates, by_key, read["sensitivity"]
        ),
        "accuracy_against_pd": lambda: draw_models_accuracy_against_pd(study, estimates, summary),
        "sources": lambda: draw_sources(study, read["sources"]),
        "early": lambda: draw_early(study, read["early"], read["early_sensitivity"]),
        "ratios": lambda: draw_ratios(study, read["ratios"], models),
    }
    return [path for name in STUDY_FIGURES for path in style.save(drawings[name](), out / name)]


def _together(paths: Sequence[Path], schema: pa.Schema) -> pd.DataFrame:
    found = [schema.empty_table(), *(read_table(path, schema) for path in paths)]
    frame: pd.DataFrame = pa.concat_tables(found).to_pandas()
    return frame


def _key(path: Path) -> Key:
    if len(path.parts) < 3:
        raise ReprocoreError(f"{path}: must end in model/activation/arm.parquet")
    return path.parts[-3], path.parts[-2], path.stem
