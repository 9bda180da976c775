"""The answer in the project's README and citation, from the tables of the finished studies."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reprocore.analysis.strata import DIVERGENCES
from reprocore.errors import ReprocoreError
from reprocore.pipeline.documents.answer import in_short, named, warnings
from reprocore.pipeline.documents.comparisons import (
    COMPARED,
    by_study,
    legend,
    primary,
    ratios,
    tested,
)
from reprocore.report.page.elsewhere import DIFFERENCES
from reprocore.report.page.sentences import enumerated
from reprocore.report.page.tables import QUANTITIES, Tables
from reprocore.report.page.view import reference_words
from reprocore.vocabulary import Condition

RATIOS = (
    "Relative PD as a ratio to that of {reference}, at the last step, with the 95% interval of one "
    "comparison alone, for new seeds on the same text; the verdict allows for all comparisons of a "
    "model. {legend}"
)
TERMS = (
    "Relative PD, declared beforehand, is 0 where two trainings predict the same and 2 where they "
    "have nothing in common; total variation is half the sum of all differences of probabilities; "
    "churn is the share of the text at which the likeliest next character differs ([formulas]"
    "(docs/explanation/measures.md)). At equal loss, all trainings of a model are read at the loss "
    "at which its slowest ones end."
)
NOTE = (
    "[The answer on two pages](docs/study/answer.md) has what to do with a model like one of "
    "these, where trainings disagree, and what holds of the published claims; [the details]"
    "(docs/study/details.md) have every ratio by each measure and at equal loss; tables, figures "
    "and pages lie beside them."
)
# Where it stands: between two comments, of Markdown and of YAML.
_PLACES = {
    "README.md": re.compile(r"(<!-- answer:[^>]*-->\n).*?(<!-- /answer -->)", flags=re.DOTALL),
    "CITATION.cff": re.compile(r"(# answer:[^\n]*\n).*?(# /answer)", flags=re.DOTALL),
}


def with_answers(root: Path, found: Mapping[str, Tables]) -> dict[str, str]:
    """Return the text of each file that has the answer of the studies in its marked place.

    Args:
        root: of the project.
        found: the studies that are archived in it, from `archives`.

    Raises:
        ReprocoreError: a file has not one such place.
    """
    studies = named(found)
    answers = {
        "README.md": "\n\n".join(filter(None, _front(studies))),
        "CITATION.cff": f"abstract: >-\n{_filled(' '.join(_abstract(studies)), indent='  ')}",
    }
    return {name: _with(root, name, answer) for name, answer in answers.items()}


def _front(studies: Mapping[str, Tables]) -> Iterator[str]:
    study = next(iter(studies.values())).study
    reference = reference_words(study)
    yield _bullets(in_short(studies))
    yield by_study(studies, COMPARED, f"comparisons with {reference}")
    yield _filled(TERMS)
    yield _bullets(warnings(studies))
    if final := ratios(studies):
        yield _filled(RATIOS.format(reference=reference, legend=legend(study)))
        yield final
    yield _filled(NOTE)


def _abstract(studies: Mapping[str, Tables]) -> Iterator[str]:
    yield from (text.replace("*", "") for text in in_short(studies))
    for name, tables in studies.items():
        if compared := len(tested(tables, primary(tables.study), Condition.FINAL)):
            yield (
                f"{name.capitalize()}: of {compared} comparisons with "
                f"{reference_words(tables.study)}, {enumerated(list(_differing(tables)))}."
            )
    yield from (text.replace("*", "") for text in warnings(studies))


def _differing(tables: Tables) -> Iterator[str]:
    for measure in DIVERGENCES:
        rows = tested(tables, measure, Condition.FINAL)
        differ = sum(row["verdict"] in DIFFERENCES for row in rows)
        yield f"{differ} differ in {QUANTITIES[measure].label}"


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(_filled(f"- {text}", indent="  ")[2:] for text in texts)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)


def _with(root: Path, name: str, answer: str) -> str:
    text = (root / name).read_text("utf-8")
    result, count = _PLACES[name].subn(lambda place: f"{place[1]}{answer}\n{place[2]}", text)
    if count != 1:
        raise ReprocoreError(f"{name}: needs one place for the answer, has {count}")
    return result
