"""Figures of a study.

Importing this package is cheap, so that a Snakefile can list its outputs: matplotlib and pandas
are imported where something is drawn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reprocore.config import Study

MODEL_FIGURES = (
    "pd_by_activation",
    "accuracy_and_loss",
    "training_curves",
    "pd_along_training",
)


def write_model_figures(
    study: "Study", model: str, tables: str | Path, out: str | Path
) -> list[Path]:
    """Draw the `MODEL_FIGURES` of one model, each as PNG and SVG.

    Args:
        study: what was to run.
        model: one of its models.
        tables: folder of the model's `summary.parquet`, `curves.parquet` and `cells.parquet`.
        out: folder that the figures are written to.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    from reprocore.figures import per_model

    return per_model.write(study, model, Path(tables), Path(out))


def write_cross_model_figure(
    study: "Study",
    summary: str | Path,
    estimates: Sequence[str | Path],
    pairs: Sequence[str | Path],
    out: str | Path,
) -> list[Path]:
    """Draw the cross-model figure as PNG and SVG.

    Args:
        study: what was to run.
        summary: the study's `summary.parquet`.
        estimates: the `summary.parquet` of each model that ran.
        pairs: pairs files; the last parts of each path are `{model}/{activation}/{arm}.parquet`.
        out: path of the figure without its suffix.

    Returns:
        The files written.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign, or a file cannot be written.
    """
    from reprocore.figures import cross_model

    return cross_model.write(
        study, Path(summary), [Path(p) for p in estimates], [Path(p) for p in pairs], Path(out)
    )
