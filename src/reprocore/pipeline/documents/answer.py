"""The answer at the head of the project's README, from the tables of a finished study."""

import re
import textwrap
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents.studies import archived
from reprocore.report.page.answer import answer_of
from reprocore.report.page.sentences import short
from reprocore.study.study import load_study

# The study whose answer stands there, and what it is called; the reference study's when it has run.
STUDY = "config/quick.yaml"
TABLES = "docs/demo"
NAME = "In the demo"
NOTE = (
    "*These are numbers of a demo: small models, trained for a short time, from four seeds. In "
    "brackets 95% intervals; a ratio is that of the relative PD to the reference's. Processors "
    "round differently: on yours the numbers will be a little different.*"
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
    first, *rest = short(answer_of(archived(load_study(root / STUDY), root / TABLES)))
    parts = (f"**{NAME}: {first[0].lower()}{first[1:]}** {' '.join(rest)}", NOTE)
    answer = "\n\n".join(textwrap.fill(part, 100) for part in parts)
    result, count = _PLACE.subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"README.md: needs one place <!-- answer: ... -->, has {count}")
    return result
