"""What the page's charts and switched tables show, as JSON: rows of the tables, with words."""

from collections.abc import Iterable, Iterator

from reprocore.report.figures import style
from reprocore.report.figures.entries import ARM_WORDS, Entry, is_no_dropout, summary_entries
from reprocore.report.page.charts import specifications
from reprocore.report.page.tables import (
    QUANTITIES,
    Row,
    Tables,
    finite,
    rounded,
    with_interval,
)
from reprocore.report.words import (
    CONDITIONS,
    HOLDS_FOR,
    VERDICTS,
    gap_text,
    readable,
    reason_texts,
)
from reprocore.study.study import Study
from reprocore.vocabulary import (
    PAIR_MEASURES,
    Condition,
    ContrastVerdict,
    Gap,
    Measure,
    Stratification,
    generalisation,
)

# A mark of the figures as a letter, for text.
GLYPHS = {
    **{"o": "●", "s": "■", "^": "▲", "v": "▼", "<": "◀", ">": "▶", "D": "◆", "d": "◆"},
    **{"P": "✚", "X": "✚", "*": "★", "h": "●", "H": "■", "8": "●", "p": "◆"},
}


# What the line of the early signs is called.
ORDER = "order of activations"


def payload(tables: Tables) -> Row:
    """Return everything that is drawn but the text, by the name of what draws it."""
    study = tables.study
    return {
        "measures": {name: measure_words(measure) for name, measure in QUANTITIES.items()},
        "drawn": study.drawn_measure,
        "models": list(study.models),
        "activations": {model: list(study.activations_of(model)) for model in study.models},
        "labels": {name: readable(name) for name in study.studied_activations()},
        "specifications": specifications([*looks(study), (ORDER, style.Look(style.INK, "o", "-"))]),
        "levels": packed(_levels(tables)),
        "curves": packed(_curves(tables)),
        "contrasts": packed(map(contrast, tables.drawn("contrasts"))),
        "steps": packed(map(_step, tables.drawn("steps"))),
        "cross": packed(map(_cross, tables.drawn("cross"))),
        "pairs": packed(_pairs(tables)),
        "kinds": packed(map(_kind, tables.drawn("strata", stratification=Stratification.KIND))),
        "tuning": packed(map(_trial, tables.rows("tuning"))),
        "sources": packed(_sources(tables)),
        "early": packed(map(_early, tables.drawn("early", measure=study.drawn_measure))),
    }


def looks(study: Study) -> list[tuple[str, style.Look]]:
    """Return the label of each activation of a study, and how it is drawn."""
    names = study.studied_activations()
    found = style.looks(names, study.figures.colours)
    return [(readable(name), found[name]) for name in names]


def packed(rows: Iterable[Row]) -> Row:
    """Return rows of the same keys as `names` and `rows` of values, the numbers rounded."""
    several = list(rows)
    names = list(several[0]) if several else []
    return {"names": names, "rows": [[rounded(row[name]) for name in names] for row in several]}


def measure_words(measure: Measure) -> Row:
    """Return what a page says of a measure."""
    closer = "higher" if measure.more_is_closer else "lower"
    alike = f"{closer} means more alike" if measure.name in PAIR_MEASURES else ""
    holds = HOLDS_FOR[generalisation(measure.name)]
    return {"label": measure.label, "heading": measure.heading, "alike": alike, "holds": holds}


def _levels(tables: Tables) -> Iterator[Row]:
    """Yield the final level of each measure for each model and activation, or why there is none."""
    estimates = tables.tables["estimates"].to_pandas()
    summary = tables.tables["summary"].to_pandas()
    for measure in QUANTITIES:
        of_measure = estimates[estimates["measure"] == measure]
        for model in tables.study.models:
            for entry in summary_entries(tables.study, model, of_measure, summary, measure):
                yield {"model": model, "measure": measure, **level(entry)}


def level(entry: Entry) -> Row:
    """Return a level as a row of a chart or a table."""
    seeds = f"{entry.seeds} of {entry.wanted} seeds"
    behind = ["not all below unigram entropy"] if entry.behind else []
    return {
        "activation": entry.activation,
        "label": readable(entry.activation),
        "estimate": entry.estimate,
        "low": entry.low,
        "high": entry.high,
        "text": with_interval(entry.estimate, entry.low, entry.high),
        "why": entry.why,
        "note": "; ".join([*(entry.note_parts or (seeds,)), *behind]),
    }


def _curves(tables: Tables) -> Iterator[Row]:
    for row in tables.drawn("estimates"):
        if row["measure"] in QUANTITIES and finite(row["estimate"]) is not None:
            names = ("model", "activation", "measure", "step", "estimate", "low", "high")
            yield {name: row[name] for name in names}


def contrast(row: Row) -> Row:
    """Return a contrast as a row of a chart or a table."""
    verdict = VERDICTS[ContrastVerdict(row["verdict"])]
    reasons = "; ".join(reason_texts(row))
    names = ("model", "measure", "condition", "family", "first", "second", "exploratory")
    return {
        **{name: row[name] for name in names},
        "label": readable(row["first"]),
        "other": readable(row["second"]),
        "place": CONDITIONS[Condition(row["condition"])],
        "estimate": finite(row["ratio"]),
        "low": finite(row["ratio_low"]),
        "high": finite(row["ratio_high"]),
        "text": with_interval(row["ratio"], row["ratio_low"], row["ratio_high"]),
        "p": row["p_adjusted"],
        "seeds": row["seeds"],
        "verdict": verdict,
        "note": reasons,
        "why": "" if finite(row["ratio"]) is not None else reasons or "not compared",
    }


def _step(row: Row) -> Row:
    ends = (row["ratio"], row["ratio_low"], row["ratio_high"])
    return {
        **{name: row[name] for name in ("model", "measure", "step")},
        "label": readable(row["first"]),
        "other": readable(row["second"]),
        **dict(zip(("estimate", "low", "high"), map(finite, ends), strict=True)),
        "text": f"{with_interval(*ends)}, {VERDICTS[ContrastVerdict(row['verdict'])]}",
    }


def _cross(row: Row) -> Row:
    names = ("model", "measure", "activation_a", "activation_b", "same_seed")
    return {
        **{name: row[name] for name in names},
        **{name: finite(row[name]) for name in ("estimate", "low", "high", "ratio")},
        "text": with_interval(row["estimate"], row["low"], row["high"]),
        "times": with_interval(row["ratio"], row["ratio_low"], row["ratio_high"]),
        "note": "; ".join(reason_texts(row)),
    }


def _pairs(tables: Tables) -> Iterator[Row]:
    names = ("model", "activation", "seed_a", "seed_b", *PAIR_MEASURES)
    return ({name: row[name] for name in names} for row in tables.last("pairs"))


def _kind(row: Row) -> Row:
    return {
        **{name: row[name] for name in ("model", "activation", "stratum", "measure", "positions")},
        "text": with_interval(row["estimate"], row["low"], row["high"]),
    }


def _trial(row: Row) -> Row:
    return {**row, "trial": str(row["trial"])}


def _sources(tables: Tables) -> Iterator[Row]:
    for row in tables.rows("sources", measure=tables.study.drawn_measure):
        if is_no_dropout(tables.study, row):
            none = dict.fromkeys(("share", "low", "high"))
            yield {**_source({**row, **none}), "why": gap_text(Gap.NO_DROPOUT)}
        else:
            yield _source(row)


def _source(row: Row) -> Row:
    reasons = "; ".join(reason_texts(row))
    return {
        "model": row["model"],
        "activation": row["activation"],
        "label": readable(row["activation"]),
        "arm": row["arm"],
        "words": ARM_WORDS[row["arm"]],
        "estimate": finite(row["share"]),
        "low": finite(row["low"]),
        "high": finite(row["high"]),
        "text": with_interval(row["share"], row["low"], row["high"]),
        "level": with_interval(row["estimate"], None, None),
        "note": reasons,
        "why": "" if finite(row["share"]) is not None else reasons,
    }


def _early(row: Row) -> Row:
    names = ("model", "step", "budget", "estimate", "low", "high", "seeds")
    text = with_interval(row["estimate"], row["low"], row["high"])
    return {**{name: row[name] for name in names}, "label": ORDER, "text": text}
