"""What the contrasts of a model with its reference mean for who has a model like it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from reprocore.report.markdown import table
from reprocore.report.page.answer import PLANNED_PERCENT, extremes, reasons_of
from reprocore.report.page.elsewhere import DIFFERENCES, steady
from reprocore.report.page.sentences import level, listed, ratio, seeds_for, span
from reprocore.report.page.tables import NOTHING, Row, Tables, percent
from reprocore.report.words import VERDICTS, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, ContrastVerdict, Family, Flag, Reason, split_codes


def guidance(tables: Tables) -> Iterator[str]:
    """Say what to do with a model like one of those that have run, with the verdicts."""
    models = [name for name in tables.study.models if tables.rows("contrasts", model=name)]
    if models:
        heads = ("model", "validation loss", "characters that change", "activation", "what to do")
        yield "### If your model is like one of these"
        yield table(heads, [_guidance(tables, model) for model in models])


def _guidance(tables: Tables, model: str) -> tuple[str, ...]:
    rows = _declared(tables, model)
    shown = [f"{readable(row['first'])} {verdict_words(row)}" for row in rows]
    said = "<br>".join(_advice(tables, model))
    loss, churn = _range(tables, model, "val_loss", level), _range(tables, model, "churn", percent)
    return model, loss, churn, "<br>".join(shown) or NOTHING, said or NOTHING


def short_guidance(studies: Mapping[str, Tables]) -> str:
    """Return a table of what to do with a model like one of these, for several studies.

    Args:
        studies: their tables by their names, which stand in the table if there are several.
    """
    rows = [
        (
            f"{model}, {name}" if len(studies) > 1 else model,
            _whole(tables, model, "val_loss"),
            _whole(tables, model, "churn"),
            "; ".join(_advice(tables, model)) or NOTHING,
        )
        for model in dict.fromkeys(m for tables in studies.values() for m in tables.study.models)
        for name, tables in studies.items()
        if tables.rows("contrasts", model=model, family=Family.REFERENCE)
    ]
    heads = ("if your model is like", "loss within", "churn within", "then")
    return table(heads, rows) if rows else ""


def _whole(tables: Tables, model: str, measure: str) -> str:
    """Write from where to where the intervals of a model's activations go at the last step."""
    rows = tables.last("estimates", model=model, measure=measure)
    lows, highs = ([row[end] for row in rows if row[end] is not None] for end in ("low", "high"))
    if not lows or not highs:
        return NOTHING
    low, high = min(lows), max(highs)
    return f"{low:.1%} to {high:.1%}" if measure == "churn" else f"{low:.2f} to {high:.2f}"


def verdict_words(row: Row) -> str:
    """Write the verdict on a contrast with its ratio."""
    return f"{VERDICTS[row['verdict']]}, {ratio(row)}"


def _range(tables: Tables, model: str, measure: str, written: Callable[[Row], str]) -> str:
    found = extremes(tables, measure, model=model)
    return span(found, written) if found else NOTHING


def _declared(tables: Tables, model: str) -> list[Row]:
    condition = Condition(tables.study.statistics.primary.condition)
    return with_reference(tables, condition, model=model)


def with_reference(tables: Tables, condition: Condition, **wanted: str) -> list[Row]:
    """Return the contrasts with the reference in the measure that the study declared."""
    asked = {"measure": tables.study.statistics.primary.measure, "condition": condition}
    return tables.drawn("contrasts", family=Family.REFERENCE, **asked, **wanted)


def _advice(tables: Tables, model: str) -> Iterator[str]:
    """Say what to do, and where its verdicts differ at equal loss from what they are at the end."""
    if _above_unigram(tables, model):
        yield "has learned no more than how frequent each character is: no advice"
        return
    study, rows = tables.study, _declared(tables, model)
    near = _all_near(study, model, rows)
    elsewhere = "; ".join(_at_equal_loss(tables, model, DIFFERENCES if near else VERDICTS))
    if near:
        shown = sorted(row["ratio"] for row in rows)
        yield (
            f"take any activation, all are within {margin_words(study)} of "
            f"{readable(study.reference_of(model))} ({shown[0]:.3f} to {shown[-1]:.3f}); not "
            f"comparing them saves {_cost(tables, model)}"
        )
    if elsewhere:
        yield f"at equal loss {elsewhere}" if near else f"decide at equal loss: {elsewhere}"
    before = steady(tables, rows)
    if (moving := [*before["reversed"], *before["absent"]]) and not near:
        yield f"unsteady late in training: {_names(moving)}"
    if left := [row for row in rows if row["verdict"] == ContrastVerdict.UNDECIDED]:
        yield f"{_names(left)}: not decided{_needed(tables, model)}"


def _at_equal_loss(tables: Tables, model: str, verdicts: Iterable[str]) -> Iterator[str]:
    """Name activations with their ratios at equal loss, by those of these verdicts."""
    rows = with_reference(tables, Condition.MATCHED_LOSS, model=model)
    for verdict in verdicts:
        names = [f"{readable(r['first'])} {ratio(r)}" for r in rows if r["verdict"] == verdict]
        if names:
            yield f"{VERDICTS[ContrastVerdict(verdict)]} {listed(names)}"


def _above_unigram(tables: Tables, model: str) -> bool:
    rows = tables.drawn("summary", model=model)
    return any(Flag.ABOVE_UNIGRAM in split_codes(row["flags"], Flag) for row in rows)


def margin_words(study: Study) -> str:
    """Write the margin of equivalence in the measure that a study declared."""
    statistics = study.statistics
    return f"{statistics.margins[statistics.primary.measure] or 0:.0%}"


def _all_near(study: Study, model: str, rows: Iterable[Row]) -> bool:
    """Return whether every activation ran and is within the margin at the last step."""
    near = {
        row["first"]
        for row in rows
        if row["verdict"] == ContrastVerdict.EQUIVALENT or Reason.WITHIN_MARGIN in reasons_of(row)
    }
    others = {*study.activations_of(model)} - {study.reference_of(model)}
    return bool(others) and near == others


def _cost(tables: Tables, model: str) -> str:
    """Write how many of a model's trainings, those of tuning too, are not of the reference."""
    reference = tables.study.reference_of(model)
    ran = [
        *((row["activation"], row["seeds"]) for row in tables.drawn("summary", model=model)),
        *((row["activation"], 1) for row in tables.rows("tuning", model=model)),
    ]
    others = sum(count for activation, count in ran if activation != reference)
    return f"{others} of {sum(count for _, count in ran)} trainings"


def _needed(tables: Tables, model: str) -> str:
    rows = tables.drawn("sensitivity", exploratory=False, model=model)
    return "".join(
        f"; a difference of {PLANNED_PERCENT}% takes {seeds_for(row, PLANNED_PERCENT)}"
        for row in rows
        if not row["seeds_reason"]
    )


def _names(rows: Iterable[Row]) -> str:
    return listed([readable(row["first"]) for row in rows])
