"""The answer at the head of the project's README, from the tables of a finished study."""

import re
import textwrap
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.report.page.answer import answer_of
from reprocore.report.page.sentences import short
from reprocore.report.page.tables import read_tables
from reprocore.study.study import Study, load_study

# The study whose answer stands there, and what it is called; the reference study's when it has run.
STUDY = "config/quick.yaml"
TABLES = "docs/demo"
NAME = "In the demo"
NOTE = (
    "*These are numbers of a demo: small models, trained for a short time, from four seeds. In "
    "brackets 95% intervals; a ratio is that of the relative PD to the reference's.*"
)
_PLACE = re.compile(r"(<!-- answer:[^>]*-->\n).*?(<!-- /answer -->)", flags=re.DOTALL)


def with_answer(text: str, root: Path) -> str:
    """Return a README with the answer of the study in its marked place.

    Args:
        text: of the README.
        root: of the project.

    Raises:
        ReprocoreError: a table is missing or damaged, or the text has not one such place.
    """
    first, *rest = finding(load_study(root / STUDY), root / TABLES)
    parts = (f"**{NAME}: {first[0].lower()}{first[1:]}** {' '.join(rest)}", NOTE)
    answer = "\n\n".join(textwrap.fill(part, 100) for part in parts)
    result, count = _PLACE.subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"README.md: needs one place <!-- answer: ... -->, has {count}")
    return result


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
