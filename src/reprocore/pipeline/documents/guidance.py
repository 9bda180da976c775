"""What the contrasts of a model with its reference mean for who has a model like it."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from reprocore.analysis.strata import DIVERGENCES
from reprocore.pipeline.documents.comparisons import LETTERS, margins_words, with_reference
from reprocore.report.markdown import table
from reprocore.report.page.answer import is_tested, reasons_of
from reprocore.report.page.elsewhere import DIFFERENCES
from reprocore.report.page.sentences import enumerated
from reprocore.report.page.tables import NOTHING, Row, Tables
from reprocore.report.page.view import reference_words
from reprocore.report.words import readable
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, ContrastVerdict, Family, Flag, Reason, split_codes


class Stand(StrEnum):
    """How an activation stands to the reference in all divergences together."""

    MORE = "more reproducible"
    LESS = "less reproducible"
    CONTRADICTORY = "measures go opposite ways"
    OPEN = "open"
    NEAR = "near"


_OF_VERDICT = dict(zip(DIFFERENCES, (Stand.MORE, Stand.LESS), strict=True))


def reading(study: Study) -> str:
    """Say how the table of `guidance` is read."""
    return (
        f"More or less reproducible than {reference_words(study)}: differs, and is not shown to be "
        "within the margin, by some measure (r for relative PD, t, c), and by none the other way. "
        f"Near: within {margins_words(study)}. Open: undecided by one of them."
    )


def guidance(studies: Mapping[str, Tables]) -> str:
    """Return a table of what to do with a model like one of these, for several studies.

    Args:
        studies: their tables by their names, which stand in the table if there are several.
    """
    rows = [
        (
            f"{model}, {name}" if len(studies) > 1 else model,
            _whole(tables, model, "val_loss"),
            _whole(tables, model, "churn"),
            *_advice(tables, model),
        )
        for model in dict.fromkeys(m for tables in studies.values() for m in tables.study.models)
        for name, tables in studies.items()
        if tables.rows("contrasts", model=model, family=Family.REFERENCE)
    ]
    heads = ("model", "loss, 95%", "churn, 95%")
    places = ("if you train for a number of steps", "if you train to a loss")
    return table((*heads, *places), rows) if rows else ""


def _whole(tables: Tables, model: str, measure: str) -> str:
    """Write from where to where the intervals of a model's activations go at the last step."""
    rows = tables.last("estimates", model=model, measure=measure)
    lows, highs = ([row[end] for row in rows if row[end] is not None] for end in ("low", "high"))
    if not lows or not highs:
        return NOTHING
    low, high = min(lows), max(highs)
    return f"{low:.1%} to {high:.1%}" if measure == "churn" else f"{low:.2f} to {high:.2f}"


def _advice(tables: Tables, model: str) -> Iterator[str]:
    """Say how the activations stand to the reference, at the last step and at equal loss."""
    for condition in Condition:
        if _above_unigram(tables, model):
            yield "has learned no more than how frequent each character is: no advice"
            continue
        stands = _stands(tables, model, condition)
        words = _words(stands) or NOTHING
        near = {stand for stand, _ in stands.values()} == {Stand.NEAR}
        saved = condition is Condition.FINAL and near
        yield f"{words}; not comparing them saves {_cost(tables, model)}" if saved else words


def _words(stands: Mapping[str, tuple[Stand, str]]) -> str:
    groups: dict[Stand, list[str]] = {}
    for name, (stand, measures) in stands.items():
        groups.setdefault(stand, []).append(readable(name) + measures)
    near = groups.pop(Stand.NEAR, [])
    parts = [f"{stand}: {enumerated(groups[stand])}" for stand in Stand if stand in groups]
    if near:
        parts.append(f"near: {enumerated(near)}" if groups else "any: all are near")
    return "; ".join(parts)


def _stands(tables: Tables, model: str, condition: Condition) -> dict[str, tuple[Stand, str]]:
    """Return how each activation of a model stands to its reference, and by which measures."""
    study = tables.study
    rows = {
        measure: with_reference(tables, measure, condition, model=model) for measure in DIVERGENCES
    }
    return {
        name: _stand([row for own in rows.values() if (row := own.get((model, name)))])
        for name in study.activations_of(model)
        if name != study.reference_of(model)
    }


def _stand(rows: Iterable[Row]) -> tuple[Stand, str]:
    """Judge by the differences that are not shown to be within the margin of their measure."""
    rows = [row for row in rows if is_tested(row)]
    clear = {
        row["measure"]: _OF_VERDICT[row["verdict"]]
        for row in rows
        if row["verdict"] in DIFFERENCES and Reason.WITHIN_MARGIN not in reasons_of(row)
    }
    if clear:
        ways = {*clear.values()}
        by = f" ({' '.join(LETTERS[measure] for measure in clear)})"
        return (ways.pop() if len(ways) == 1 else Stand.CONTRADICTORY), by
    undecided = any(row["verdict"] == ContrastVerdict.UNDECIDED for row in rows)
    return (Stand.OPEN if undecided or len(rows) < len(DIVERGENCES) else Stand.NEAR), ""


def _above_unigram(tables: Tables, model: str) -> bool:
    rows = tables.drawn("summary", model=model)
    return any(Flag.ABOVE_UNIGRAM in split_codes(row["flags"], Flag) for row in rows)


def _cost(tables: Tables, model: str) -> str:
    """Write how many of a model's trainings, those of tuning too, are not of the reference."""
    reference = tables.study.reference_of(model)
    ran = [
        *((row["activation"], row["seeds"]) for row in tables.drawn("summary", model=model)),
        *((row["activation"], 1) for row in tables.rows("tuning", model=model)),
    ]
    others = sum(count for activation, count in ran if activation != reference)
    return f"{others} of {sum(count for _, count in ran)} trainings"
