"""All figures of one model, from its tables to files."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from reprocore.report.figures import style
from reprocore.report.figures.one_model.along_training import (
    draw_pd_along_training,
    draw_training_curves,
)
from reprocore.report.figures.one_model.at_the_end import (
    draw_accuracy_and_loss,
    draw_pd_by_activation,
)
from reprocore.report.figures.one_model.contrasts import draw_contrasts
from reprocore.report.figures.trade_off import draw_accuracy_against_pd
from reprocore.store.schemas import CELLS_SCHEMA, CONTRASTS_SCHEMA, CURVES_SCHEMA, ESTIMATES_SCHEMA
from reprocore.store.tables import read_table
from reprocore.study.layout import MODEL_FIGURES
from reprocore.study.study import Study


def write_model_figures(
    study: Study, model: str, tables: str | Path, out: str | Path
) -> list[Path]:
    """Draw the `MODEL_FIGURES` of one model, each as PNG and SVG.

    Args:
        study: what was to run.
        model: one of its models.
        tables: folder of the model's `summary`, `curves`, `cells` and `contrasts`, `.parquet` each.
        out: folder that the figures are written to.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    tables, out = Path(tables), Path(out)
    estimates: pd.DataFrame = read_table(tables / "summary.parquet", ESTIMATES_SCHEMA).to_pandas()
    curves: pd.DataFrame = read_table(tables / "curves.parquet", CURVES_SCHEMA).to_pandas()
    cells: pd.DataFrame = read_table(tables / "cells.parquet", CELLS_SCHEMA).to_pandas()
    contrasts: pd.DataFrame = read_table(tables / "contrasts.parquet", CONTRASTS_SCHEMA).to_pandas()
    drawings: dict[str, Callable[[], Figure]] = {
        "pd_by_activation": lambda: draw_pd_by_activation(study, model, estimates, cells),
        "accuracy_and_loss": lambda: draw_accuracy_and_loss(study, model, estimates, cells),
        "training_curves": lambda: draw_training_curves(study, model, curves, cells),
        "pd_along_training": lambda: draw_pd_along_training(study, model, estimates, cells),
        "contrasts": lambda: draw_contrasts(study, model, contrasts, estimates, cells),
        "accuracy_against_pd": lambda: draw_accuracy_against_pd(study, model, estimates, cells),
    }
    return [path for name in MODEL_FIGURES for path in style.save(drawings[name](), out / name)]
