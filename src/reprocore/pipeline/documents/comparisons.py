"""The comparisons with the reference in words and tables: counted, and in all three divergences.

A difference in one divergence need not be one in another, so that none is told without the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from reprocore.analysis.strata import DIVERGENCES
from reprocore.report.markdown import table
from reprocore.report.page.answer import is_tested, reasons_of
from reprocore.report.page.elsewhere import DIFFERENCES, LATE, at_matched_loss, steady
from reprocore.report.page.sentences import enumerated, ratio
from reprocore.report.page.tables import NOTHING, QUANTITIES, Row, Tables
from reprocore.report.page.view import reference_words
from reprocore.report.words import VERDICTS, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, ContrastVerdict, Family, Reason

# In the order of a tally.
TALLIED = (*DIFFERENCES, ContrastVerdict.EQUIVALENT, ContrastVerdict.UNDECIDED)
# Any other verdict is a difference.
_MARKS = {ContrastVerdict.EQUIVALENT: "", ContrastVerdict.UNDECIDED: "*"}
PLACES = {Condition.FINAL: "at the last step", Condition.MATCHED_LOSS: "at equal loss"}
# Where one letter must do.
LETTERS = {"relative_pd": "r", "total_variation": "t", "churn": "c"}
_ARROWS = dict(zip(DIFFERENCES, "↓↑", strict=True))
Count = Callable[[Tables], str]


def with_reference(
    tables: Tables, measure: str, condition: Condition, **wanted: str
) -> dict[tuple[str, str], Row]:
    """Return the contrasts with the reference, tested or not, by model and activation."""
    asked = {"family": Family.REFERENCE, "measure": measure, "condition": condition}
    rows = tables.drawn("contrasts", **asked, **wanted)
    return {(row["model"], row["first"]): row for row in rows}


def tested(tables: Tables, measure: str, condition: Condition) -> list[Row]:
    """Return those of these contrasts that were tested."""
    return [row for row in with_reference(tables, measure, condition).values() if is_tested(row)]


def primary(study: Study) -> str:
    """Return the measure that a study declared."""
    return study.statistics.primary.measure


def margin_words(study: Study, measure: str) -> str:
    """Write the margin of equivalence in a measure."""
    return f"{study.statistics.margins.get(measure) or 0:.0%}"


def margins_words(study: Study) -> str:
    """Write the margins of equivalence in all divergences."""
    parts = [f"{margin_words(study, name)} in {QUANTITIES[name].label}" for name in DIVERGENCES]
    return enumerated(parts)


def legend(study: Study) -> str:
    """Say how the table of ratios is read."""
    return (
        "Below 1 is more reproducible. **Bold**: a difference, of any size; *italics*: undecided; "
        f"plain: none found, and shown to be within {margin_words(study, primary(study))} "
        "(equivalent). Where total variation (t) or churn (c) differs, too, ↓ is more reproducible "
        "and ↑ less. –: not in the study."
    )


def ratios(studies: Mapping[str, Tables]) -> str:
    """Return a table of the ratios at the last step, by model, study and activation; "" for none.

    Args:
        studies: their tables by their names, which stand in the table if there are several.
    """
    found = {
        (model, name, activation): shown
        for name, tables in studies.items()
        for (model, activation), shown in _ratios(tables).items()
    }
    models, activations = (
        dict.fromkeys(each for tables in studies.values() for each in names(tables.study))
        for names in (lambda study: study.models, lambda study: study.studied_activations())
    )
    drawn = [name for name in activations if any(place[2] == name for place in found)]
    rows = [
        (
            f"{model}, {name}" if len(studies) > 1 else model,
            *(found.get((model, name, activation), NOTHING) for activation in drawn),
        )
        for model in models
        for name, tables in studies.items()
        if with_reference(tables, primary(tables.study), Condition.FINAL, model=model)
    ]
    return table(("model", *map(readable, drawn)), rows) if rows else ""


def _ratios(tables: Tables) -> dict[tuple[str, str], str]:
    """Return what stands for each model and activation of a study but for the reference."""
    study = tables.study
    rows = {name: with_reference(tables, name, Condition.FINAL) for name in DIVERGENCES}
    places = [
        (model, activation)
        for model in study.models
        for activation in study.activations_of(model)
        if activation != study.reference_of(model)
    ]
    return {at: _cell(study, {name: own.get(at) for name, own in rows.items()}) for at in places}


def _cell(study: Study, rows: Mapping[str, Row | None]) -> str:
    own = rows[primary(study)]
    if own is None:
        return "not run"
    beside = [
        f" {letter}{_ARROWS[row['verdict']]}"
        for name, letter in LETTERS.items()
        if name != primary(study) and (row := rows[name]) and row["verdict"] in _ARROWS
    ]
    return marked(own) + "".join(beside)


def marked(row: Row | None) -> str:
    """Write a ratio, a difference in bold and what is undecided in italics."""
    if row is None:
        return NOTHING
    if not is_tested(row):
        return f"{ratio(row)}, not tested"
    return (sign := _MARKS.get(row["verdict"], "**")) + ratio(row) + sign


def every_ratio(tables: Tables) -> str:
    """Return a table of each comparison in all divergences and in loss, in both conditions."""
    columns = [
        with_reference(tables, measure, condition)
        for condition in Condition
        for measure in DIVERGENCES
    ]
    loss = with_reference(tables, "val_loss", Condition.FINAL)
    places = list(dict.fromkeys(place for column in columns for place in column))
    heads = [
        f"{QUANTITIES[measure].label} {PLACES[condition]}"
        for condition in Condition
        for measure in DIVERGENCES
    ]
    rows = [
        (at[0], readable(at[1]), marked(loss.get(at)), *(marked(c.get(at)) for c in columns))
        for at in places
    ]
    return table(("model", "activation", "loss at the last step", *heads), rows) if rows else ""


def differing(measure: str) -> Count:
    """Return what counts the differences in a measure at the last step."""

    def said(tables: Tables) -> str:
        rows = tested(tables, measure, Condition.FINAL)
        if not rows:
            return NOTHING
        counts = Counter(row["verdict"] for row in rows)
        apart = [row for row in rows if row["verdict"] in DIFFERENCES]
        small = sum(Reason.WITHIN_MARGIN in reasons_of(row) for row in apart)
        found = f"{len(apart)} of {len(rows)}"
        if apart:
            more, less = (counts[verdict] for verdict in DIFFERENCES)
            margin = margin_words(tables.study, measure)
            found += f" ({more} more, {less} less reproducible)"
            found += f"; {small} of {len(apart)} within {margin}"
        left = counts[ContrastVerdict.UNDECIDED]
        return f"{found}; {left} undecided" if left else found

    return said


def by_activation(tables: Tables) -> str:
    """Say for each activation in how many models it differs in the declared measure."""
    rows = tested(tables, primary(tables.study), Condition.FINAL)
    ran = Counter(row["first"] for row in rows)
    parts = []
    for verdict in DIFFERENCES:
        counts = Counter(row["first"] for row in rows if row["verdict"] == verdict)
        names = [f"{readable(n)} {count}/{ran[n]}" for n, count in counts.most_common()]
        parts += [f"{VERDICTS[verdict]}: {enumerated(names)}"] if names else []
    return "; ".join(parts) + " of the models" if parts else NOTHING


def changes(tables: Tables) -> str:
    """Say in how many comparisons the declared measure differs, how far, and at equal loss."""
    rows = tested(tables, primary(tables.study), Condition.FINAL)
    apart = [row for row in rows if row["verdict"] in DIFFERENCES]
    if not rows:
        return ""
    reference = reference_words(tables.study)
    found = (
        f"another activation than {reference} changes relative PD in {len(apart)} of {len(rows)}"
    )
    found += f" {'comparison' if len(rows) == 1 else 'comparisons'}"
    ordered = sorted((r for r in apart if r["ratio"] is not None), key=lambda row: row["ratio"])
    if ordered:
        ends = dict.fromkeys(f"{ratio(row)} ({_named(row)})" for row in (ordered[0], ordered[-1]))
        found += f", by a factor of {' to '.join(ends)}; at equal loss there are still "
        found += at_equal_loss(tables)
    return found


def _named(row: Row) -> str:
    return f"{readable(row['first'])} in {row['model']}"


def at_equal_loss(tables: Tables) -> str:
    """Say how many differences at the last step stay at matched loss, are reversed, or appear."""
    parts = []
    for measure in DIVERGENCES:
        kinds = at_matched_loss(tables, tested(tables, measure, Condition.FINAL))
        total = sum(map(len, kinds.values())) - len(kinds["appear"])
        more = [f"{turned} reversed"] if (turned := len(kinds["reversed"])) else []
        more += [f"{new} more there"] if (new := len(kinds["appear"])) else []
        beside = f" ({', '.join(more)})" if more else ""
        parts.append(f"{len(kinds['same'])} of {total} in {QUANTITIES[measure].label}{beside}")
    return enumerated(parts)


def contradicting(tables: Tables) -> str:
    """Name the comparisons in which two divergences differ in opposite directions."""
    found: list[str] = []
    for condition in Condition:
        verdicts: dict[tuple[str, str], set[str]] = {}
        for measure in DIVERGENCES:
            for row in tested(tables, measure, condition):
                verdicts.setdefault((row["model"], row["first"]), set()).add(row["verdict"])
        both = [at for at, own in verdicts.items() if {*DIFFERENCES} <= own]
        names = [f"{readable(activation)} in {model}" for model, activation in both]
        found += [f"{enumerated(names)}, {PLACES[condition]}"] if names else []
    return "; ".join(found) or (NOTHING if compared(tables) == NOTHING else "none")


def late(tables: Tables) -> str:
    """Say what differences in the declared measure were late in training, before the last step."""
    kinds = steady(tables, tested(tables, primary(tables.study), Condition.FINAL))
    total = sum(map(len, kinds.values()))
    words = {"reversed": "reversed at some", "absent": "not shown at some"}
    parts = [f"{len(kinds['kept'])} of {total}"] if total else []
    parts += [f"{len(kinds[kind])} {said}" for kind, said in words.items() if kinds[kind]]
    return "; ".join(parts) or NOTHING


def compared(tables: Tables) -> str:
    """Say how many of a study's models were compared, and which were not."""
    models = tables.study.models
    found = {row["model"] for row in tested(tables, primary(tables.study), Condition.FINAL)}
    if not found:
        return NOTHING
    left = [model for model in models if model not in found]
    return f"{len(found)} of {len(models)}" + (f" (not {enumerated(left, 'or')})" if left else "")


# What is said of the comparisons of a study, in a table.
COMPARED: Mapping[str, Count] = {
    "models compared": compared,
    "differ in relative PD (declared)": differing("relative_pd"),
    "… by activation": by_activation,
    f"… also at each step from {LATE:.0%} on": late,
    "differ in total variation": differing("total_variation"),
    "differ in churn": differing("churn"),
    "measures go opposite ways": contradicting,
}


def by_study(studies: Mapping[str, Tables], said: Mapping[str, Count], head: str = "") -> str:
    """Return a table with a column for each study, of what is said of any of them."""
    reference = reference_words(next(iter(studies.values())).study)
    rows = [
        (name.format(reference=reference), *map(words, studies.values()))
        for name, words in said.items()
    ]
    rows = [row for row in rows if {*row[1:]} != {NOTHING}]
    return table((head, *studies), rows) if rows else ""


def agreement_words(studies: Mapping[str, Tables]) -> Iterator[str]:
    """Count the comparisons that two studies share and that have the same verdict in both.

    Once at the last step of both, and once with those of the first at matched loss: does that
    foretell a study whose models have learned more?

    Args:
        studies: the tables of two by their names.
    """
    (first, one), (second, other) = studies.items()
    starts = {
        Condition.FINAL: (
            f"Comparisons with {reference_words(one.study)} that have the same verdict in both "
            "studies at the last step"
        ),
        Condition.MATCHED_LOSS: f"With *{first}* at equal loss and *{second}* at the last step",
    }
    for condition, start in starts.items():
        parts = [part for name in DIVERGENCES if (part := _agreement(one, other, name, condition))]
        if parts:
            yield f"{start}: {enumerated(parts)}."


def _agreement(one: Tables, other: Tables, measure: str, condition: Condition) -> str:
    """Count in one measure; "" where the studies share no comparison."""
    second = {(r["model"], r["first"]): r for r in tested(other, measure, Condition.FINAL)}
    pairs = [
        (row["verdict"], second[at]["verdict"])
        for row in tested(one, measure, condition)
        if (at := (row["model"], row["first"])) in second
    ]
    if not pairs:
        return ""
    same = sum(first == last for first, last in pairs)
    opposite = sum({*pair} == {*DIFFERENCES} for pair in pairs)
    more = f" ({opposite} opposite)" if opposite else ""
    return f"{QUANTITIES[measure].label} {same} of {len(pairs)}{more}"
