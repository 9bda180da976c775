"""The words of the answer: one sentence for each finding, made from its code and its rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reprocore.report.page.answer import Answer, Finding, Topic
from reprocore.report.page.elsewhere import LATE
from reprocore.report.page.tables import QUANTITIES, Row, percent, with_interval
from reprocore.report.words import VERDICTS, readable
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS_OF_A_TEST, MOST_SEEDS
from reprocore.vocabulary import ContrastVerdict, counted

# Of a list, so many are named; the tables below have all.
NAMED = 6
NAMED_VERDICTS = 30
# What the short answer leaves to the page, and which warnings it keeps.
_LEFT = {Topic.DISTANCE, Topic.OTHER_MEASURES, Topic.SEEDS_NEEDED, Topic.SWAPPED, Topic.ACCURACY}
WARNED = {Topic.NOT_RUN, Topic.MISSING_SEEDS, Topic.ABOVE_UNIGRAM}
# What leaves something without a verdict.
UNTOLD = {
    *(Topic.NOTHING_MEASURED, Topic.ONE_ACTIVATION, Topic.NO_REFERENCE, Topic.FEW_SEEDS),
    *(Topic.NOT_COMPARED, Topic.UNTESTED),
}
Data = Mapping[str, Any]
FORMULAS = {"relative_pd": "2·|p − q| / (p + q), averaged over all characters and positions"}


def sentence(finding: Finding) -> str:
    """Return the words of a finding."""
    return WORDS[finding.topic](finding.data)


def short(answer: Answer) -> list[str]:
    """Return the answer in a few sentences, for a place that has no page."""
    found = [*answer.level, *answer.activation, *(f for f in answer.limits if f.topic in WARNED)]
    return [
        told(finding)
        for finding in found
        if finding.topic not in _LEFT and finding.data.get("verdict") != ContrastVerdict.UNDECIDED
    ]


def told(finding: Finding) -> str:
    """Return the words of a finding with the verdict that stands before them, if any."""
    if finding.topic != Topic.VERDICT:
        return sentence(finding)
    return f"{VERDICTS[finding.data['verdict']].capitalize()}: {sentence(finding)}."


def listed(parts: Sequence[str], word: str = "and") -> str:
    """Return `a, b and c`; of many the first, and how many more there are."""
    more = len(parts) - NAMED
    if more > 0:
        return f"{', '.join(parts[:NAMED])} and {more} more"
    return enumerated(parts, word)


def enumerated(parts: Sequence[str], word: str = "and") -> str:
    """Return `a, b and c`, however many there are."""
    return f" {word} ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def place(row: Row) -> str:
    """Name a model with its activation."""
    return f"{row['model']} with {readable(row['activation'])}"


def span(ends: Mapping[str, Row], written: Callable[[Row], str]) -> str:
    """Write from where to where something goes; of one row alone, that row."""
    low, high = written(ends["low"]), written(ends["high"])
    return low if low == high else f"{low} to {high}"


def level(row: Row) -> str:
    """Write an estimate with its interval."""
    return with_interval(row["estimate"], row["low"], row["high"])


def ratio(row: Row) -> str:
    """Write a ratio with its interval."""
    return with_interval(row["ratio"], row["ratio_low"], row["ratio_high"])


def _changed(data: Data) -> str:
    low, high = data["low"], data["high"]
    found = f"at {percent(low)} of all positions ({place(low)})"
    if data["count"] > 1:
        found = f"at {percent(low)} ({place(low)}) to {percent(high)} ({place(high)}) of the text"
    return (
        f"Trained again with another seed, a model expects another next character {found} (churn)."
    )


def _distance(data: Data) -> str:
    measure, low, high = QUANTITIES[data["measure"]], data["low"], data["high"]
    found = f"{level(low)} ({place(low)})"
    if data["count"] > 1:
        found = f"{level(low)} ({place(low)}) to {level(high)} ({place(high)})"
    formula = f" ({FORMULAS[measure.name]})" if measure.name in FORMULAS else ""
    return (
        f"In {measure.label}, the measure that the study declared{formula}, which can be "
        f"{measure.lower:g} to {measure.upper:.3g}, two trainings are {found} apart."
    )


def _compared(data: Data) -> str:
    """Begin a sentence on the comparisons that were declared."""
    names = listed([readable(name) for name in data["reference"]])
    one = data["tested"] == 1
    return (
        f"{'comparison' if one else 'comparisons'} with {names} that the study declared and tested"
    )


def _all_decided(data: Data) -> str:
    if data["tested"] == 1:
        return f"The one {_compared(data)} is decided."
    whole = "Both" if data["tested"] == 2 else f"All {data['tested']}"
    return f"{whole} {_compared(data)} are decided."


def _some_decided(data: Data) -> str:
    decided, rest = data["decided"], data["tested"] - data["decided"]
    return (
        f"Of the {data['tested']} {_compared(data)}, {decided} {_is(decided)} decided and {rest} "
        f"{_is(rest)} not: there these seeds leave both directions possible, which does not mean "
        "that there is no difference."
    )


def _none_decided(data: Data) -> str:
    one = data["tested"] == 1
    start = f"The one {_compared(data)} is not" if one else f"None of the {data['tested']} "
    start += "" if one else f"{_compared(data)} is"
    return (
        f"{start} decided: these seeds do not tell whether the activation makes a model more or "
        "less reproducible. That does not mean that it makes no difference."
    )


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _verdict(data: Data) -> str:
    rows = data["rows"][:NAMED_VERDICTS]
    models = _by_model(rows, lambda row: f"{readable(row['first'])} {ratio(row)}")
    more = len(data["rows"]) - NAMED_VERDICTS
    parts = [f"in {model} {', '.join(found)}" for model, found in models.items()]
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _clear(data: Data) -> str:
    names = [f"{readable(row['first'])} in {row['model']}" for row in data["clear"]]
    found = f"{len(names)} of {counted(data['differences'], 'difference')}"
    more = "" if len(names) == data["differences"] else f": {listed(names)}"
    stay = "remains" if len(names) == 1 else "remain"
    return f"Corrected for all {data['models']} models together, {found} {stay}{more}."


def _within_margin(data: Data) -> str:
    low, high = 1 / (1 + data["margin"]), 1 + data["margin"]
    found = counted(data["differences"], "difference")
    small = (
        f"; of {found} found, {data['small']} {_is(data['small'])} shown to be smaller than that"
    )
    small = small if data["small"] else ""
    of = " of 1 less the values" if data["complement"] else ""
    return (
        f"Where no difference is found, a ratio{of} shown to be within {data['margin']:.0%} "
        f"({low:.3g} to {high:.3g}) is called equivalent{small}."
    )


def _other_measures(data: Data) -> str:
    parts = [
        f"by {QUANTITIES[measure].label} {verdict_counts(counts)}"
        for measure, counts in data["counts"].items()
    ]
    return f"The same comparisons are {'; '.join(parts)} (exploratory)."


def verdict_counts(counts: Mapping[str, int]) -> str:
    """Write how many comparisons have each verdict."""
    return listed([f"{counts[code]} {said}" for code, said in VERDICTS.items() if code in counts])


def _steady(data: Data) -> str:
    kept = {"kept": "there at each of these steps"}
    gone = {
        "reversed": "reversed at one or more of them",
        "absent": "not shown at one or more of them",
    }
    # Those that are always there need no names.
    parts = [*_kinds(data, kept, lambda _: ""), *_kinds(data, gone, _named)]
    steps = {tuple(own) for own in data["steps"].values() if own}
    # Models that are trained for other numbers of steps have others.
    places = f" ({listed([f'{n:,}' for n in steps.pop()])})" if len(steps) == 1 else ""
    total = counted(sum(len(data[kind]) for kind in kept | gone), "difference")
    return (
        f"At the stored steps from {LATE:.0%} of the training on{places}, before the last "
        f"(exploratory), of {total}, {listed(parts)}."
    )


def _kinds(data: Data, words: Mapping[str, str], more: Callable[[Sequence[Row]], str]) -> list[str]:
    """Count the rows of each kind that has any, with more said of them."""
    return [
        f"{len(rows)} {_is(len(rows))} {said}{more(rows)}"
        for kind, said in words.items()
        if (rows := data[kind])
    ]


def _by_model(rows: Sequence[Row], words: Callable[[Row], str]) -> dict[str, list[str]]:
    """Return what is said of each row, by model."""
    models: dict[str, list[str]] = {}
    for row in rows:
        models.setdefault(row["model"], []).append(words(row))
    return models


def _named(rows: Sequence[Row]) -> str:
    models = _by_model(rows, lambda row: readable(row["first"]))
    return f" ({'; '.join(f'{listed(names)} in {model}' for model, names in models.items())})"


def _at_matched_loss(data: Data) -> str:
    words = {
        "same": "the same",
        "reversed": "reversed",
        "equivalent": "equivalent",
        "open": "not shown to be one",
    }
    parts = _kinds(data, words, _named)
    total, new = sum(len(data[kind]) for kind in words), len(data["appear"])
    differences = counted(total, "difference")
    found = [f"of {differences} at the last step, {listed(parts)}"] if parts else []
    if new:
        differ = "differs" if new == 1 else "differ"
        without = f"{counted(new, 'comparison')} with none shown at the last step"
        found.append(f"{without} {differ} here{_named(data['appear'])}")
    others = [
        f"in {QUANTITIES[measure].label} {same} of {all_}"
        for measure, (same, all_) in data["others"].items()
    ]
    more = f" Of those by other measures, the same here are {listed(others)}." if others else ""
    return (
        "At matched loss, where all trainings of a model are read at the loss at which its slowest "
        f"ones end (exploratory), {'; '.join(found)}.{more}"
    )


def _needed(data: Data) -> str:
    step = data["percent"]
    return (
        f"To find a difference of {step}% with 80% power takes about "
        f"{listed([_seeds(row, step) for row in data['rows']])}."
    )


def _seeds(row: Row, step: int) -> str:
    return f"{seeds_for(row, step)} in {row['model']} (compared on {row['compared']})"


def seeds_for(row: Row, step: int) -> str:
    """Write with how many seeds a difference of so many percent is found."""
    if row[f"seeds_for_{step}_high"] == LEAST_SEEDS_OF_A_TEST:
        return f"{LEAST_SEEDS_OF_A_TEST} seeds (the least for any verdict)"
    return f"{count_of_seeds(row, step)} seeds"


def count_of_seeds(row: Row, step: int) -> str:
    """Write the number of these seeds with its interval, which the least possible has not."""
    values = [row[f"seeds_for_{step}{end}"] for end in ("", "_low", "_high")]
    middle, low, high = (f"over {MOST_SEEDS:,}" if v is None else f"{v}" for v in values)
    return middle if values[2] == LEAST_SEEDS_OF_A_TEST else f"{middle} [{low}, {high}]"


def _swapped(data: Data) -> str:
    low, high = data["low"], data["high"]
    found = f"{_swap(low)} times"
    if data["count"] > 1:
        found = f"{_swap(low)} to {_swap(high)} times"
    pairs = counted(data["count"], "pair")
    ends = [_swap(row) for row in data["kept"]]
    kept = f" Where the seed is kept, it is {' to '.join(ends)} times." if ends else ""
    return (
        f"Swapping the activation together with the seed moves the predictions {found} as far as "
        f"changing the seed alone ({QUANTITIES[data['measure']].label}). For {data['larger']} of "
        f"{pairs} of activations that is more than chance explains, each alone.{kept}"
    )


def _swap(row: Row) -> str:
    names = " and ".join(readable(row[f"activation_{end}"]) for end in "ab")
    return f"{ratio(row)} ({names}, {row['model']})"


def _no_reference(data: Data) -> str:
    names = [f"{readable(reference)} in {model}" for model, reference in data["pairs"]]
    return (
        f"The activation that others are compared with has not run: {listed(names)}. "
        "There nothing can be decided."
    )


def _rows(start: str) -> Callable[[Data], str]:
    return lambda data: f"{start}: {listed(_runs(data))}."


def _runs(data: Data) -> list[str]:
    """Name models, each with those of its activations that are meant if these are not all."""
    models = _by_model(data["rows"], lambda row: readable(row["activation"]))
    return [
        model if model in data["whole"] else f"{model} ({', '.join(names)})"
        for model, names in models.items()
    ]


def _above(data: Data) -> str:
    names = listed(_runs(data))
    return (
        f"Not all trainings of {names} have learned more than how frequent each character is. "
        "Models that have learned little agree easily: do not compare them with the others."
    )


def _accuracy(data: Data) -> str:
    low, high = data["low"], data["high"]
    found = f"{percent(low)} ({place(low)}) to {percent(high)} ({place(high)})"
    steps = listed([f"{count:,}" for count in data["steps"]])
    return (
        f"Trained for {steps} steps, models expect the right next character at {found} of the "
        "positions; training longer or shorter can change all of this."
    )


def _tuned(data: Data) -> str:
    tuning = data["tuning"]
    rates, chosen = (
        listed([f"{rate:g}" for rate in found]) for found in (tuning.learning_rates, data["chosen"])
    )
    steps = f" for {tuning.iterations:,} steps" if tuning.iterations else ""
    found = f"; {'all' if len(data['chosen']) == 1 else 'they'} chose {chosen}" if chosen else ""
    return (
        f"Each model had its learning rate chosen for each activation, from {rates}, on "
        f"{counted(len(tuning.seeds), 'seed')} of their own{steps}{found}."
    )


WORDS: Mapping[Topic, Callable[[Data], str]] = {
    Topic.CHANGED_CHARACTERS: _changed,
    Topic.NOTHING_MEASURED: lambda _: "No two trainings can be compared yet.",
    Topic.DISTANCE: _distance,
    Topic.ONE_ACTIVATION: lambda data: (
        f"One activation is studied, {readable(data['activation'])}: there is nothing to compare "
        "it with."
    ),
    Topic.NO_REFERENCE: _no_reference,
    Topic.FEW_SEEDS: lambda _: (
        f"No comparison has a verdict: that needs {LEAST_SEEDS_OF_A_TEST} seeds. Ratios are "
        "estimates."
    ),
    Topic.NOT_COMPARED: lambda _: "No two activations can be compared yet.",
    Topic.ALL_DECIDED: _all_decided,
    Topic.SOME_DECIDED: _some_decided,
    Topic.NONE_DECIDED: _none_decided,
    Topic.VERDICT: _verdict,
    Topic.WITHIN_MARGIN: _within_margin,
    Topic.OTHER_MEASURES: _other_measures,
    Topic.UNTESTED: lambda data: f"Not tested ({listed(data['reasons'])}): {_verdict(data)}.",
    Topic.CLEAR_OVER_MODELS: _clear,
    Topic.NOT_CLEAR_OVER_MODELS: lambda data: (
        f"Corrected for all {data['models']} models together, no single difference remains: among "
        "so many comparisons one may stand out by luck."
    ),
    Topic.STEADY: _steady,
    Topic.AT_MATCHED_LOSS: _at_matched_loss,
    Topic.SEEDS_NEEDED: _needed,
    Topic.SWAPPED: _swapped,
    Topic.ACCURACY: _accuracy,
    Topic.NOT_RUN: _rows("Not run"),
    Topic.MISSING_SEEDS: _rows("Some seeds have not run"),
    Topic.ABOVE_UNIGRAM: _above,
    Topic.BFLOAT16: lambda data: (
        f"Trained with matrix products in bfloat16: {listed(data['models'])}."
    ),
    Topic.TUNED: _tuned,
    Topic.ONE_RATE: lambda _: (
        "All activations of a model share one learning rate, which may suit one better than "
        "another."
    ),
    Topic.RATE_AT_END: _rows(
        "The best learning rate is an end of the grid, so that a better one may lie beyond it"
    ),
    Topic.MIXED_MACHINES: _rows("Trained on different machines or with different versions"),
    Topic.MIXED_CODE: _rows("Trained by different versions of the code"),
}
