"""The answer in the project's README and citation, from the tables of a finished study."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents.answer import in_short, not_run
from reprocore.pipeline.documents.sections import agreement_words, ratios
from reprocore.pipeline.documents.studies import STUDIES
from reprocore.report.page.tables import Tables
from reprocore.report.page.view import reference_words
from reprocore.vocabulary import Condition

# The study whose answer stands there, what it is called, and that which it is held against.
MAIN, OTHER = "published", "trained"
NAME = "In the reference study"
LEGEND = (
    "Relative PD as a ratio to that of {reference}, at the last step: below 1 is more "
    "reproducible. Brackets are 95% intervals of one comparison alone, for new seeds on the same "
    "text; the verdict allows for all comparisons of a model: **bold** for a difference, "
    "*italics* for undecided, plain for equivalent."
)
MATCHED = (
    "The same at matched loss, where both have learned as much, the slower one after more steps "
    "(exploratory)."
)
NOTE = (
    "[The answer on two pages](docs/study/answer.md) has what to do with a model like one of "
    "these, where trainings disagree, and what holds of the published claims; [the details]"
    "(docs/study/details.md), tables, figures and pages lie beside it."
)
# Where it stands: between two comments, of Markdown and of YAML.
_PLACES = {
    "README.md": re.compile(r"(<!-- answer:[^>]*-->\n).*?(<!-- /answer -->)", flags=re.DOTALL),
    "CITATION.cff": re.compile(r"(# answer:[^\n]*\n).*?(# /answer)", flags=re.DOTALL),
}


def with_answers(root: Path, found: Mapping[str, Tables]) -> dict[str, str]:
    """Return the text of each file that has the answer of the study in its marked place.

    Args:
        root: of the project.
        found: the studies that are archived in it, from `archives`.

    Raises:
        ReprocoreError: a file has not one such place.
    """
    tables = found[MAIN]
    first, *rest = in_short(tables)
    rest += not_run(tables)
    if OTHER in found:
        rest += _held_against(tables, found[OTHER])
    first = f"{NAME}: {first[0].lower()}{first[1:]}"
    final, matched = (ratios({NAME: tables}, condition) for condition in Condition)
    front = (
        _filled(f"**{first}**"),
        "\n".join(_filled(f"- {said}", indent="  ")[2:] for said in rest),
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


def _held_against(tables: Tables, other: Tables) -> Iterator[str]:
    """Say what the other study found, and what it shares with this one."""
    said = " ".join([*in_short(other), *agreement_words(tables, other), *not_run(other)])
    yield f"{STUDIES[OTHER].heading}: {said[0].lower()}{said[1:]}"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)


def _with(root: Path, name: str, answer: str) -> str:
    text = (root / name).read_text("utf-8")
    result, count = _PLACES[name].subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"{name}: needs one place for the answer, has {count}")
    return result
