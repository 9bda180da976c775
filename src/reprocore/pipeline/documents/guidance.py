"""What the contrasts of a model with its reference mean for who has a model like it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reprocore.report.markdown import table
from reprocore.report.page.answer import PLANNED_PERCENT, extremes, reasons_of
from reprocore.report.page.elsewhere import at_matched_loss, steady
from reprocore.report.page.sentences import level, listed, ratio, seeds_for
from reprocore.report.page.tables import NOTHING, Row, Tables, percent
from reprocore.report.words import VERDICTS, readable
from reprocore.study.study import Study
from reprocore.vocabulary import Condition, ContrastVerdict, Family, Reason


class Compared(NamedTuple):
    """A model's contrasts with its reference in the declared measure, by what they are.

    Attributes:
        rows: all of them.
        alike: those that are equivalent.
        small: differences that are shown to be smaller than the margin of equivalence.
        left: those that are undecided.
        before: differences by what they were late in training before the last step.
        matched: by what they are at matched loss.
    """

    rows: Sequence[Row]
    alike: Sequence[Row]
    small: Sequence[Row]
    left: Sequence[Row]
    before: Mapping[str, Sequence[Row]]
    matched: Mapping[str, Sequence[Row]]


def guidance(tables: Tables) -> Iterator[str]:
    """Say what to do with a model like one of those that have run, with the verdicts."""
    models = [name for name in tables.study.models if tables.rows("contrasts", model=name)]
    if models:
        heads = ("model", "validation loss", "characters that change", "activation", "what to do")
        yield "### If your model is like one of these"
        yield table(heads, [_guidance(tables, model) for model in models])


def _guidance(tables: Tables, model: str) -> tuple[str, ...]:
    rows = _compared(tables, model).rows
    shown = [f"{readable(row['first'])} {verdict_words(row)}" for row in rows]
    said = "<br>".join(_advice(tables, model))
    return model, *_levels(tables, model), "<br>".join(shown) or NOTHING, said or NOTHING


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
            "; ".join(_short_advice(tables, model)) or NOTHING,
        )
        for model in dict.fromkeys(m for tables in studies.values() for m in tables.study.models)
        for name, tables in studies.items()
        if tables.rows("contrasts", model=model)
    ]
    return table(("if your model is like", "loss within", "churn within", "then"), rows)


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


def _levels(tables: Tables, model: str) -> tuple[str, str]:
    """Write the range of a model's final losses, and of the share of characters that change."""
    return _range(tables, model, "val_loss", level), _range(tables, model, "churn", percent)


def _range(tables: Tables, model: str, measure: str, written: Callable[[Row], str]) -> str:
    found = extremes(tables, measure, model=model)
    return f"{written(found['low'])} to {written(found['high'])}" if found else NOTHING


def _compared(tables: Tables, model: str) -> Compared:
    primary = tables.study.statistics.primary
    asked = {"model": model, "measure": primary.measure, "family": Family.REFERENCE}
    rows = tables.drawn("contrasts", **asked, condition=primary.condition)
    return Compared(
        rows,
        [row for row in rows if row["verdict"] == ContrastVerdict.EQUIVALENT],
        [row for row in rows if Reason.WITHIN_MARGIN in reasons_of(row)],
        [row for row in rows if row["verdict"] == ContrastVerdict.UNDECIDED],
        steady(tables, rows),
        at_matched_loss(tables, rows),
    )


def _advice(tables: Tables, model: str) -> Iterator[str]:
    """Say what each contrast of a model means for who has such a model."""
    found, margin = _compared(tables, model), margin_words(tables.study)
    reference = readable(tables.study.reference_of(model))
    for rows, said in (
        (found.before["reversed"], "the opposite shortly before the last step"),
        (found.before["absent"], "no difference shown at a step shortly before the last"),
        (found.matched["same"], f"differs from {reference} at equal loss too"),
        (found.matched["equivalent"], "apart at the end, equivalent at equal loss"),
        (found.matched["reversed"], "the opposite at equal loss; compare at equal loss"),
        (found.matched["appear"], "no difference shown at the end, one at equal loss"),
        (found.matched["open"], "apart at the end, not shown to be at equal loss"),
        (found.small, f"at the last step the difference is smaller than {margin}"),
        (_free(found), f"within {margin} of {reference}; choose by loss or cost"),
    ):
        if rows:
            yield f"{_names(rows)}: {said}"
    if _all_near(found):
        yield f"not comparing activations saves {_saved(tables, found)}"
    yield from _left(tables, model, found)


def _short_advice(tables: Tables, model: str) -> Iterator[str]:
    """Say the same by the cases that call for different actions."""
    found, margin = _compared(tables, model), margin_words(tables.study)
    if _all_near(found):
        yield (
            f"every activation is within {margin} of {readable(tables.study.reference_of(model))}: "
            f"choose by loss or cost, which saves {_saved(tables, found)}"
        )
    if same := found.matched["same"]:
        yield f"{_with_ratios(tables, same)}: a difference at equal loss too"
    if _all_near(found):
        return
    if found.matched["equivalent"]:
        yield f"{_names(found.matched['equivalent'])}: equivalent at equal loss"
    for kind, said in (
        ("reversed", "the opposite at equal loss"),
        ("appear", "a difference at equal loss alone"),
        ("open", "none shown at equal loss"),
    ):
        if rows := found.matched[kind]:
            yield f"{_with_ratios(tables, rows)}: {said}"
    if moving := [*found.before["reversed"], *found.before["absent"]]:
        yield f"{_names(moving)}: not settled shortly before the last step"
    if free := _free(found):
        yield f"{_names(free)}: within {margin}, choose by loss or cost"
    yield from _left(tables, model, found)


def margin_words(study: Study) -> str:
    """Write the margin of equivalence in the measure that a study declared."""
    statistics = study.statistics
    return f"{statistics.margins[statistics.primary.measure] or 0:.0%}"


def _free(found: Compared) -> list[Row]:
    """Return what is equivalent at the last step and not shown to differ at matched loss."""
    return [row for row in found.alike if row not in found.matched["appear"]]


def _all_near(found: Compared) -> bool:
    """Return whether every activation is shown to be within the margin at the last step."""
    return bool(found.rows) and all(row in found.alike or row in found.small for row in found.rows)


def _saved(tables: Tables, found: Compared) -> str:
    saved, total = (
        count * len(tables.study.seeds) for count in (len(found.rows), len(found.rows) + 1)
    )
    return f"{saved} of {total} trainings"


def _with_ratios(tables: Tables, rows: Sequence[Row]) -> str:
    """Name activations with their ratios at matched loss."""
    kept = ("model", "first", "measure", "family")
    matched = [
        tables.drawn(
            "contrasts", condition=Condition.MATCHED_LOSS, **{key: row[key] for key in kept}
        )
        for row in rows
    ]
    return listed([f"{readable(row['first'])} {ratio(row)}" for (row,) in matched])


def _left(tables: Tables, model: str, found: Compared) -> Iterator[str]:
    if not found.left:
        return
    needed = [
        f"; a difference of {PLANNED_PERCENT}% takes {seeds_for(row, PLANNED_PERCENT)}"
        for row in tables.drawn("sensitivity", exploratory=False, model=model)
        if not row["seeds_reason"]
    ]
    yield f"{_names(found.left)}: not decided{''.join(needed)}"


def _names(rows: Iterable[Row]) -> str:
    return listed([readable(row["first"]) for row in rows])
