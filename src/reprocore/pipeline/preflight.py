"""The check of a model with an activation as a file that all of its cells wait for."""

from pathlib import Path
from typing import Any

from reprocore.data.tokens import Corpus
from reprocore.errors import ReprocoreError
from reprocore.store.files import write_json
from reprocore.store.identity import preflight_identity
from reprocore.study.layout import preflight_failure, preflight_file
from reprocore.study.study import Study
from reprocore.training.preflight import preflight


def write_preflight(study: Study, model: str, activation: str, corpus: Corpus) -> None:
    """Check a model with an activation; write what passed, or the reason of the failure.

    Raises:
        ReprocoreError: a check failed, or the file cannot be written.
    """
    failure = Path(study.results) / preflight_failure(model, activation)
    failure.unlink(missing_ok=True)
    try:
        passed: dict[str, Any] = preflight(study, model, activation, corpus)
    except ReprocoreError as error:
        write_json(failure, {"reason": str(error)})
        raise
    identity = preflight_identity(study, model, activation)
    path = Path(study.results) / preflight_file(model, activation)
    write_json(path, {**passed, "identity": identity})
