"""The figures over all models, from tables to files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.all_models.early import draw_early
from reprocore.report.figures.all_models.overview import draw_cross_model
from reprocore.report.figures.all_models.ratios import draw_ratios
from reprocore.report.figures.all_models.scale import draw_scale
from reprocore.report.figures.all_models.sources import draw_sources
from reprocore.report.figures.trade_off import draw_models_accuracy_against_pd
from reprocore.store.catalogue import schemas_of
from reprocore.store.readers import final_rows
from reprocore.store.tables import read_table
from reprocore.study.study import Study

TABLES = schemas_of(
    *("summary", "estimates", "sensitivity", "sources", "early"),
    *("ratios", "early_model_order", "scale", "pairs"),
)


def write_study_figures(
    study: Study,
    tables: Mapping[str, str | Path | Sequence[str | Path]],
    out: Mapping[str, str | Path],
) -> list[Path]:
    """Draw those of the `study_figures` that `out` names, each as PNG and, beside it, as SVG.

    Args:
        study: what was to run.
        tables: the Parquet file, or those of all models that ran, of each of `TABLES`.
        out: the PNG file of each figure, by name.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    read = {name: _together(tables[name], schema) for name, schema in TABLES.items()}
    summary, estimates, pairs = read["summary"], final_rows(read["estimates"]), read["pairs"]
    drawings: dict[str, Callable[[], Figure]] = {
        "cross_model": lambda: draw_cross_model(
            study, summary, estimates, final_rows(pairs), read["sensitivity"]
        ),
        "accuracy_against_pd": lambda: draw_models_accuracy_against_pd(study, estimates, summary),
        "sources": lambda: draw_sources(study, read["sources"]),
        "early": lambda: draw_early(study, read["early"], read["early_model_order"]),
        "ratios": lambda: draw_ratios(study, read["ratios"], summary),
        "scale": lambda: draw_scale(study, summary, estimates, read["sensitivity"], read["scale"]),
    }
    return [path for name in out for path in style.save(drawings[name](), out[name])]


def _together(paths: str | Path | Sequence[str | Path], schema: pa.Schema) -> pd.DataFrame:
    """Read one table, or put those of several models into one."""
    several = [paths] if isinstance(paths, str | Path) else paths
    tables = [schema.empty_table(), *(read_table(path, schema) for path in several)]
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame
