"""The sections of the details, each a heading, what its table shows, and the table, in Markdown."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reprocore.analysis.strata import DIVERGENCES, STRATA
from reprocore.pipeline.documents.guidance import verdict_words, with_reference
from reprocore.report.audit.table import claim_counts, verdict_notes
from reprocore.report.figures.entries import ARM_WORDS
from reprocore.report.markdown import table
from reprocore.report.page.answer import Topic, flags, is_tested
from reprocore.report.page.elsewhere import DIFFERENCES
from reprocore.report.page.sentences import listed, ratio, seeds_for, sentence
from reprocore.report.page.tables import NOTHING, QUANTITIES, Row, Tables, percent, with_interval
from reprocore.report.page.view import reference_words
from reprocore.report.words import CLAIM_VERDICTS, VERDICTS, readable
from reprocore.study.study import Study
from reprocore.vocabulary import (
    Condition,
    ContrastVerdict,
    Family,
    Stratification,
    counted,
)

# A smaller difference than that which the page plans for.
STRICT_PERCENT = 5
# What two verdicts on the same comparison can be.
AGREEMENTS = (
    "the same verdict",
    "opposite differences",
    "a difference in one and equivalent in the other",
    "undecided in one or both",
)
# In the order of a tally.
TALLIED = (*DIFFERENCES, ContrastVerdict.EQUIVALENT, ContrastVerdict.UNDECIDED)


def ratios(studies: Mapping[str, Tables], condition: Condition) -> str:
    """Return a table of the ratios to the reference, by model, study and activation; "" for none.

    A difference is bold, what is undecided in italics, what is equivalent neither.

    Args:
        studies: their tables by their names, which stand in the table if there are several.
        condition: of the contrasts.
    """
    found = {
        (row["model"], name, row["first"]): row
        for name, tables in studies.items()
        for row in with_reference(tables, condition)
    }
    models, activations = (
        dict.fromkeys(each for tables in studies.values() for each in names(tables.study))
        for names in (lambda study: study.models, lambda study: study.studied_activations())
    )
    drawn = [name for name in activations if any(place[2] == name for place in found)]
    rows = [
        (
            f"{model}, {name}" if len(studies) > 1 else model,
            *(_marked(found.get((model, name, activation))) for activation in drawn),
        )
        for model in models
        for name in studies
        if any(place[:2] == (model, name) for place in found)
    ]
    return table(("model", *map(readable, drawn)), rows) if rows else ""


def _marked(row: Row | None) -> str:
    if row is None:
        return ""
    if not is_tested(row):
        return f"{ratio(row)}, not tested"
    mark = {**dict.fromkeys(DIFFERENCES, "**"), ContrastVerdict.UNDECIDED: "*"}
    return (sign := mark.get(row["verdict"], "")) + ratio(row) + sign


def decided(tables: Tables, foretold: tuple[float, float, float]) -> Iterator[str]:
    """Say which share of the comparisons with the reference is decided, and what was foretold."""
    study = tables.study
    asked = {"family": Family.REFERENCE, "condition": Condition.FINAL}
    found = {
        (model, measure): [row for row in rows if is_tested(row) and row["ratio"] is not None]
        for model in study.models
        for measure in DIVERGENCES
        if (rows := tables.drawn("contrasts", model=model, measure=measure, **asked))
    }
    if not found:
        return
    middle, least, most = foretold
    label = QUANTITIES["relative_pd"].label
    yield "### What these seeds decide"
    yield (
        f"Before the study, pilots of three models foretold that its {len(study.seeds)} seeds find "
        f"a difference of {middle}% of {label} with 80% power ({least} to {most}% by model). "
        f"{_margins(study)} Measures other than that which the study declared are exploratory."
    )
    needed = [
        f"{seeds_for(row, STRICT_PERCENT)} in {row['model']}"
        for row in tables.drawn("sensitivity", exploratory=False)
        if not row["seeds_reason"]
    ]
    if needed:
        yield (
            f"By the errors of the study itself, a difference of {STRICT_PERCENT}% takes "
            f"{listed(needed)}."
        )
    heads = (
        "model",
        "measure",
        "decided",
        *(VERDICTS[verdict] for verdict in TALLIED),
        "least difference found",
    )
    yield table(heads, [_tally(*place, rows) for place, rows in found.items()])


def _margins(study: Study) -> str:
    found = ((study.statistics.margins[name], QUANTITIES[name].label) for name in DIVERGENCES)
    parts = [f"{margin:.0%} in {label}" for margin, label in found if margin]
    return f"Equivalent is within {listed(parts)}." if parts else ""


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


def agreement(one: Tables, other: Tables) -> Iterator[str]:
    """Say which of the comparisons that two studies share have the same verdict in both."""
    words = list(agreement_words(one, other))
    if not words:
        return
    yield "## Do the two studies agree"
    yield from words
    first, second = map(_declared, (one, other))
    heads = ("model", "activation", "as in the report", "trained longer")
    rows = [
        (place[0], readable(place[1]), verdict_words(first[place]), verdict_words(second[place]))
        for place in first
        if place in second
    ]
    yield table(heads, rows)


def agreement_words(one: Tables, other: Tables) -> Iterator[str]:
    """Count the comparisons that two studies share by whether they have the same verdict.

    Once at the last step of both, and once with those of the first at matched loss, which foretell
    the other study where it is the activation that differs and not how far a model has learned.
    """
    second = _declared(other)
    reference = reference_words(one.study)
    starts = {
        Condition.FINAL: f"Of {{}} with {reference} in both studies, at the last step of both",
        Condition.MATCHED_LOSS: (
            "Of {} of the first study at equal loss with the second at its last step"
        ),
    }
    for condition, start in starts.items():
        first = _declared(one, condition).items()
        pairs = [{row["verdict"], second[at]["verdict"]} for at, row in first if at in second]
        if pairs:
            counts = Counter(map(_agreement, pairs))
            said = [f"{counts[kind]} {kind}" for kind in AGREEMENTS if counts[kind]]
            yield f"{start.format(counted(len(pairs), 'comparison'))}: {', '.join(said)}."


def _agreement(verdicts: set[str]) -> str:
    same, opposite, one, undecided = AGREEMENTS
    if ContrastVerdict.UNDECIDED in verdicts:
        return undecided
    if len(verdicts) == 1:
        return same
    return opposite if verdicts == {*DIFFERENCES} else one


def _declared(tables: Tables, condition: Condition = Condition.FINAL) -> dict[tuple[str, str], Row]:
    rows = with_reference(tables, condition)
    return {(row["model"], row["first"]): row for row in rows}


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
        (row["model"], row["activation"], row["arm"], row["measure"]): share(row)
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
