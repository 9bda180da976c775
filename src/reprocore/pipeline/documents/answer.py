"""The answer in the project's README and citation, from the tables of a finished study."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents.sections import ratios
from reprocore.pipeline.documents.studies import FOLDER, STUDIES, archived
from reprocore.report.page.answer import Answer, Topic, answer_of
from reprocore.report.page.sentences import WARNED, listed, matched_loss, sentence
from reprocore.report.page.view import reference_words
from reprocore.report.words import VERDICTS
from reprocore.study.study import load_study
from reprocore.vocabulary import Condition, counted

# The study whose answer stands there, and what it is called.
STUDY = STUDIES["published"].configuration
TABLES = f"{FOLDER}/published"
NAME = "In the reference study"
LEGEND = (
    "Relative PD as a ratio to that of {reference}, at the last step, with 95% intervals: below 1 "
    "is more reproducible; bold is a difference, italics undecided, neither equivalent:"
)
MATCHED = (
    "The same where both have the same validation loss, which the slower one reaches after more "
    "steps (exploratory):"
)
NOTE = (
    "[The whole answer](docs/study/answer.md) has what to do with a model like one of these, where "
    "trainings disagree, and what holds of the published claims; its tables, figures and page lie "
    "beside it."
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
    tables = archived(load_study(root / STUDY), root / TABLES)
    first, *rest = brief(answer_of(tables))
    first = f"{NAME}: {first[0].lower()}{first[1:]}"
    final, matched = (ratios(tables, condition) for condition in Condition)
    front = (
        _filled(f"**{first}** {' '.join(rest)}"),
        _filled(LEGEND.format(reference=reference_words(tables.study))),
        final,
        _filled(MATCHED),
        matched,
        _filled(NOTE),
    )
    answers = {
        "README.md": "\n\n".join(front),
        "CITATION.cff": f"abstract: >-\n{_filled(' '.join([first, *rest]), indent='  ')}",
    }
    return {name: _with(root, name, answer) for name, answer in answers.items()}


def brief(answer: Answer) -> Iterator[str]:
    """Yield an answer in sentences that count what its tables show one by one."""
    yield sentence(answer.level[0])
    counts = {
        finding.data["verdict"]: len(finding.data["rows"])
        for finding in answer.activation
        if finding.topic is Topic.VERDICT
    }
    if counts:
        parts = [f"{count} {VERDICTS[verdict]}" for verdict, count in counts.items()]
        tested = counted(sum(counts.values()), "comparison")
        yield f"Of {tested} with the reference that the study declared: {listed(parts)}."
    for finding in answer.activation:
        if finding.topic is Topic.WITHIN_MARGIN:
            yield sentence(finding)
        elif finding.topic is Topic.AT_MATCHED_LOSS:
            yield matched_loss(finding.data)
    yield from (sentence(finding) for finding in answer.limits if finding.topic in WARNED)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)


def _with(root: Path, name: str, answer: str) -> str:
    text = (root / name).read_text("utf-8")
    result, count = _PLACES[name].subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"{name}: needs one place for the answer, has {count}")
    return result
