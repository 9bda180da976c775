"""A study's answer in a few sentences, the same in a terminal and at the head of the README."""

from pathlib import Path

from reprocore.report.page.answer import answer_of
from reprocore.report.page.sentences import short
from reprocore.report.page.tables import read_tables
from reprocore.study.study import Study


def finding(study: Study, folder: Path) -> list[str]:
    """Return what the tables of a study say: how far trainings disagree, and what that rests on.

    Args:
        study: what was to run.
        folder: of its results, or of a copy of its summary, estimates and contrasts.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign.
    """
    files = {
        name: [
            path
            for path in sorted(folder.glob(f"models/*/{name}.parquet"))
            if path.parent.name in study.models
        ]
        for name in ("estimates", "contrasts")
    }
    tables = read_tables(study, {"summary": [folder / "summary.parquet"], **files})
    return short(answer_of(tables))
