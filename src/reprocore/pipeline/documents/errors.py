"""The errors that `reprocore plan` takes before any result: those of the reference study."""

import json
from pathlib import Path

from reprocore.pipeline.documents.studies import FOLDER, STUDIES
from reprocore.pipeline.power import earlier_errors
from reprocore.statistics.checks import Floats
from reprocore.statistics.planning import SHIPPED
from reprocore.study.study import load_study
from reprocore.vocabulary import MEASURES

ERRORS = f"src/reprocore/statistics/{SHIPPED}"


def reference_errors(root: Path) -> str:
    """Return the errors by model and measure as JSON, from the pairs that are archived.

    Args:
        root: of the project.

    Raises:
        ReprocoreError: a pairs file is damaged.
    """
    study = load_study(root / STUDIES["published"].configuration)
    study = study.model_copy(update={"results": str(root / FOLDER / "published")})
    found = {
        model: {
            measure: {"seed": _short(known[0].seed), "pair": _short(known[0].pair)}
            for measure in MEASURES
            if (known := earlier_errors(study, model, measure)) is not None
        }
        for model in study.models
    }
    lines = [f"{json.dumps(model)}: {json.dumps(known)}" for model, known in found.items() if known]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _short(covariance: Floats) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in covariance]
