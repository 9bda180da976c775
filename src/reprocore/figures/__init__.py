"""Figures of a study.

Importing this package is cheap, so that a Snakefile can list its outputs: matplotlib and pandas
are imported where something is drawn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reprocore.study.study import Study


def write_model_figures(
    study: "Study", model: str, tables: str | Path, out: str | Path
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
    from reprocore.figures import per_model

    return per_model.write(study, model, Path(tables), Path(out))


def write_study_figures(
    study: "Study",
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
    from reprocore.figures import over_models

    return over_models.write(study, Path(tables), models, [Path(p) for p in pairs], Path(out))
