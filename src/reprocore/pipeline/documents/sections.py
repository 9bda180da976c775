"""The sections of the details, each a heading, what its table shows, and the table, in Markdown."""

from collections import Counter
from collections.abc import Iterator, Sequence

from reprocore.analysis.strata import DIVERGENCES, STRATA
from reprocore.pipeline.documents.comparisons import TALLIED, margins_words, tested
from reprocore.report.audit.table import claim_counts, verdict_notes
from reprocore.report.figures.entries import ARM_WORDS, is_no_dropout
from reprocore.report.markdown import table
from reprocore.report.page.answer import Topic, flags
from reprocore.report.page.elsewhere import DIFFERENCES
from reprocore.report.page.sentences import enumerated, ratio, seeds_for, sentence
from reprocore.report.page.tables import NOTHING, QUANTITIES, Row, Tables, percent, with_interval
from reprocore.report.words import CLAIM_VERDICTS, VERDICTS, readable
from reprocore.vocabulary import Condition, ContrastVerdict, Stratification

# A smaller difference than that which the page plans for.
STRICT_PERCENT = 5


def decided(tables: Tables, foretold: tuple[float, float, float]) -> Iterator[str]:
    """Say which share of the comparisons with the reference is decided, and what was foretold."""
    study = tables.study
    rows = {name: tested(tables, name, Condition.FINAL) for name in DIVERGENCES}
    found = {
        (model, measure): own
        for model in study.models
        for measure in DIVERGENCES
        if (own := [r for r in rows[measure] if r["model"] == model and r["ratio"] is not None])
    }
    if not found:
        return
    middle, least, most = foretold
    label = QUANTITIES["relative_pd"].label
    yield "### What these seeds decide"
    yield (
        f"Before the study, pilots of three models foretold that its {len(study.seeds)} seeds find "
        f"a difference of {middle}% of {label} with 80% power ({least} to {most}% by model). "
        f"Equivalent is within {margins_words(study)}. Measures other than that which the study "
        "declared are exploratory."
    )
    needed = [
        f"{seeds_for(row, STRICT_PERCENT)} in {row['model']}"
        for row in tables.drawn("sensitivity", exploratory=False)
        if not row["seeds_reason"]
    ]
    if needed:
        yield (
            f"By the errors of the study itself, a difference of {STRICT_PERCENT}% takes "
            f"{enumerated(needed)}."
        )
    heads = (
        "model",
        "measure",
        "decided",
        *(VERDICTS[verdict] for verdict in TALLIED),
        "least difference found",
    )
    yield table(heads, [_tally(*place, rows) for place, rows in found.items()])


def _tally(model: str, measure: str, rows: Sequence[Row]) -> tuple[str, ...]:
    counts = Counter(row["verdict"] for row in rows)
    decided = len(rows) - counts[ContrastVerdict.UNDECIDED]
    apart = [row for row in rows if row["verdict"] in DIFFERENCES]
    least = min(apart, key=lambda row: abs(row["ratio"] - 1), default=None)
    shown = f"{readable(least['first'])}, {ratio(least)}" if least else NOTHING
    verdicts = (str(counts[verdict]) for verdict in TALLIED)
    return model, QUANTITIES[measure].label, f"{decided} of {len(rows)}", *verdicts, shown


def where(tables: Tables) -> Iterator[str]:
    """Say at which characters trainings of each model's reference disagree."""
    study = tables.study
    fifths = STRATA[Stratification.ENTROPY]
    rows = []
    for model in study.models:
        asked = {"model": model, "activation": study.reference_of(model), "measure": "churn"}
        of_fifth, of_kind = (
            {row["stratum"]: row for row in tables.drawn("strata", stratification=by, **asked)}
            for by in (Stratification.ENTROPY, Stratification.KIND)
        )
        if of_fifth and of_kind:
            kinds = sorted(of_kind.values(), key=lambda row: row["estimate"])
            shown = [percent(of_fifth[name]) if name in of_fifth else NOTHING for name in fifths]
            rows.append((model, *shown, _kind(kinds[0]), _kind(kinds[-1])))
    if rows:
        yield "### Where trainings disagree"
        yield (
            "Churn of trainings with the reference activation, in fifths of the text from that at "
            "which all trainings together are surest, and for the kinds of character at which it "
            "is lowest and highest. Intervals are for new seeds on the same text."
        )
        heads = ("model", "surest", *fifths[1:-1], "least sure", "least", "most")
        yield table(heads, rows)


def _kind(row: Row) -> str:
    return f"{row['stratum'].replace('_', ' ')} {percent(row)}"


def claims(tables: Tables) -> Iterator[str]:
    """Say what the study finds of each claim that it audits."""
    rows = tables.rows("audit")
    if not rows:
        return
    yield "### What holds of the published claims"
    yield (
        f"{claim_counts(rows)} A verdict holds for the models and settings of this study. A claim "
        "with several parts fails as a whole where one that it needs does."
    )
    yield table(("claim", "verdict", "parts", "measured"), map(_claim, rows))


def _claim(row: Row) -> tuple[str, ...]:
    first, *rest = row["measured"].split("\n")
    more = f" and {len(rest)} more" if rest else ""
    notes = "; ".join(verdict_notes(row)) or NOTHING
    return row["claim"], CLAIM_VERDICTS[row["verdict"]], notes, (first or NOTHING) + more


def sources(tables: Tables) -> Iterator[str]:
    """Say what share of the difference each stream of random numbers makes alone."""
    measure = tables.study.statistics.primary.measure
    rows = [row for row in tables.rows("sources", measure=measure) if row["arm"] != "all"]
    if not rows:
        return
    yield "## Where the differences come from"
    yield (
        "Trainings of which only one stream of random numbers follows the seed: their difference "
        "as a share of that of trainings in which all do. Shares need not add up to 1: whatever "
        "begins a difference, training makes it grow. What does not follow the seed is one draw, "
        "which the intervals do not count."
    )
    yield from (sentence(finding) for finding in flags(tables) if finding.topic is Topic.NOT_RUN)
    measures = list(dict.fromkeys((measure, *DIVERGENCES)))
    shares = {
        (row["model"], row["activation"], row["arm"], row["measure"]): (
            "no dropout" if is_no_dropout(tables.study, row) else share(row)
        )
        for row in tables.rows("sources")
    }
    heads = ("model", "activation", "arm", *(QUANTITIES[name].label for name in measures))
    yield table(
        heads,
        [
            (
                *(row["model"], readable(row["activation"]), ARM_WORDS[row["arm"]]),
                *(shares[row["model"], row["activation"], row["arm"], name] for name in measures),
            )
            for row in rows
        ],
    )


def share(row: Row) -> str:
    """Write a share with its interval, and one that is 0 in every bit as such."""
    exact = row["share"] == row["low"] == row["high"] == 0
    return "0, exactly" if exact else with_interval(row["share"], row["low"], row["high"])
