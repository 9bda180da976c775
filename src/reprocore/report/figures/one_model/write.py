"""All figures of one model, from its tables to files."""

from collections.abc import Callable, Mapping
from pathlib import Path

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
from reprocore.report.figures.one_model.cross import draw_cross
from reprocore.report.figures.one_model.strata import draw_strata
from reprocore.report.figures.trade_off import draw_accuracy_against_pd
from reprocore.store.catalogue import schemas_of
from reprocore.store.tables import read_table
from reprocore.study.study import Study

TABLES = schemas_of("estimates", "curves", "cells", "contrasts", "cross", "strata")


def write_model_figures(
    study: Study, model: str, tables: Mapping[str, str | Path], out: Mapping[str, str | Path]
) -> list[Path]:
    """Draw the `MODEL_FIGURES` of one model, each as PNG and, beside it, as SVG.

    Args:
        study: what was to run.
        model: one of its models.
        tables: the model's Parquet files, by the names of `TABLES`.
        out: the PNG file of each figure, by name.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    estimates, curves, cells, contrasts, cross, strata = (
        read_table(tables[name], schema).to_pandas() for name, schema in TABLES.items()
    )
    drawings: dict[str, Callable[[], Figure]] = {
        "pd_by_activation": lambda: draw_pd_by_activation(study, model, estimates, cells),
        "accuracy_and_loss": lambda: draw_accuracy_and_loss(study, model, estimates, cells),
        "training_curves": lambda: draw_training_curves(study, model, curves, cells),
        "pd_along_training": lambda: draw_pd_along_training(
            study, model, estimates, cells, contrasts
        ),
        "contrasts": lambda: draw_contrasts(study, model, contrasts, estimates, cells),
        "accuracy_against_pd": lambda: draw_accuracy_against_pd(study, model, estimates, cells),
        "cross": lambda: draw_cross(study, model, cross, estimates, cells),
        "strata": lambda: draw_strata(study, model, strata, estimates, cells),
    }
    return [path for name in out for path in style.save(drawings[name](), out[name])]
