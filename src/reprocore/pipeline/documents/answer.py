"""The answer in the project's README and citation, from the tables of a finished study."""

import re
import textwrap
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents.studies import FOLDER, STUDIES, archived
from reprocore.report.page.answer import answer_of
from reprocore.report.page.sentences import short
from reprocore.study.study import load_study

# The study whose answer stands there, and what it is called.
STUDY = STUDIES["published"].configuration
TABLES = f"{FOLDER}/published"
NAME = "In the reference study"
NOTE = (
    "*In brackets 95% intervals; a ratio is that of the relative PD to the reference's. [The whole "
    "answer](docs/study/answer.md) has every model, what to do with one like it, and what holds of "
    "the published claims; its tables, figures and page lie beside it.*"
)
# Where it stands: between two comments, of Markdown and of YAML.
_PLACES = {
    "README.md": re.compile(r"(<!-- answer:[^>]*-->\n).*?(<!-- /answer -->)", flags=re.DOTALL),
    "CITATION.cff": re.compile(r"(# answer:[^\n]*\n).*?(# /answer)", flags=re.DOTALL),
}


def with_answers(root: Path) -> dict[str, str]:
    """Return the text of each file that has the answer of the study in its marked place.

    Args:
        root: of the project.

    Raises:
        ReprocoreError: a table is missing or damaged, or a file has not one such place.
    """
    first, *rest = short(answer_of(archived(load_study(root / STUDY), root / TABLES)))
    first = f"{NAME}: {first[0].lower()}{first[1:]}"
    front = [f"**{first}** {' '.join(rest)}", NOTE]
    answers = {
        "README.md": "\n\n".join(textwrap.fill(part, 100) for part in front),
        "CITATION.cff": "abstract: >-\n"
        + textwrap.fill(" ".join([first, *rest]), 100, initial_indent="  ", subsequent_indent="  "),
    }
    return {name: _with(root, name, answer) for name, answer in answers.items()}


def _with(root: Path, name: str, answer: str) -> str:
    text = (root / name).read_text("utf-8")
    result, count = _PLACES[name].subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"{name}: needs one place for the answer, has {count}")
    return result
