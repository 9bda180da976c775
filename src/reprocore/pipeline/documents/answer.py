"""The answer at the head of the project's README, from the tables of a finished study."""

import re
import textwrap
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from reprocore.errors import ReprocoreError
from reprocore.report.words import VERDICTS
from reprocore.store.schemas import CONTRASTS_SCHEMA, SUMMARY_SCHEMA
from reprocore.store.tables import read_table
from reprocore.vocabulary import ACTIVATIONS, ContrastVerdict, Family

# The study whose answer stands there, and what it is called; the reference study's when it has run.
TABLES = Path("docs/demo")
STUDY = "the demo"
NOTE = "*These are numbers of a demo: small models, trained for a short time, from four seeds.*"
# What is read, so that tables made before another column was added still do.
_SUMMARY = pa.schema([SUMMARY_SCHEMA.field(name) for name in ("churn", "relative_pd")])
_CONTRASTS = pa.schema(
    [
        CONTRASTS_SCHEMA.field(name)
        for name in (
            *("model", "first", "second", "ratio", "ratio_low", "ratio_high"),
            *("verdict", "exploratory", "family"),
        )
    ]
)
_PLACE = re.compile(r"(<!-- answer:[^>]*-->\n).*?(<!-- /answer -->)", flags=re.DOTALL)


def with_answer(text: str, tables: Path) -> str:
    """Return a README with the answer of the study that `tables` holds in its marked place.

    Raises:
        ReprocoreError: a table is missing or damaged, or the text has not one such place.
    """
    sentences = f"{textwrap.fill(' '.join(answer(tables)), 100)}\n\n{NOTE}\n"
    result, count = _PLACE.subn(lambda found: found[1] + sentences + found[2], text)
    if count != 1:
        raise ReprocoreError(f"README.md: needs one place <!-- answer: ... -->, has {count}")
    return result


def answer(tables: Path) -> list[str]:
    """Return two sentences: how much trainings disagree, and what the activation changes."""
    summary = read_table(tables / "summary.parquet", _SUMMARY).to_pandas()
    files = sorted(tables.glob("models/*/contrasts.parquet"))
    contrasts = pd.concat(read_table(path, _CONTRASTS).to_pandas() for path in files)
    declared = contrasts[~contrasts["exploratory"] & (contrasts["family"] == Family.REFERENCE)]
    return [_levels(summary), _differences(declared)]


def _levels(summary: pd.DataFrame) -> str:
    churn = f"{summary['churn'].min():.0%} to {summary['churn'].max():.0%}".replace("% to", " to")
    distance = f"{summary['relative_pd'].min():.2f} to {summary['relative_pd'].max():.2f}"
    return (
        f"**In {STUDY}, two trainings that differ in the seed alone name another likeliest "
        f"character at {churn} of positions** (relative PD {distance}, of at most 2)."
    )


def _differences(declared: pd.DataFrame) -> str:
    counts = declared["verdict"].value_counts()
    differing = (ContrastVerdict.MORE_REPRODUCIBLE, ContrastVerdict.LESS_REPRODUCIBLE)
    clear = declared[declared["verdict"].isin(differing)]
    found = "; ".join(_contrast(row) for row in clear.to_dict("records"))
    reference = _label(declared["second"].iloc[0])
    return (
        f"Of {len(declared)} comparisons of an activation with {reference}, {len(clear)} "
        f"{'shows' if len(clear) == 1 else 'show'} a difference{f' ({found})' if found else ''}, "
        f"{_count(counts, ContrastVerdict.EQUIVALENT)} equivalent and "
        f"{_count(counts, ContrastVerdict.UNDECIDED)} undecided."
    )


def _contrast(row: Mapping[Hashable, Any]) -> str:
    verdict = VERDICTS[ContrastVerdict(str(row["verdict"]))]
    ends = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
    return (
        f"{_label(str(row['first']))} in `{row['model']}` is {verdict}: {row['ratio']:.2f} times "
        f"the relative PD, 95% interval {ends}"
    )


def _count(counts: "pd.Series[int]", verdict: ContrastVerdict) -> str:
    number = int(counts.get(verdict, 0))
    return f"{number} {'is' if number == 1 else 'are'}"


def _label(activation: str) -> str:
    return ACTIVATIONS[activation].label if activation in ACTIVATIONS else activation
