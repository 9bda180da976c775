"""What differences at the last step are elsewhere: late in training before it, or at equal loss."""

from collections import defaultdict
from collections.abc import Iterable

from reprocore.report.page.tables import Row, Tables
from reprocore.vocabulary import Condition, ContrastVerdict, Family

# From this share of the steps on, a difference is expected to be there already.
LATE = 0.75
DIFFERENCES = (ContrastVerdict.MORE_REPRODUCIBLE, ContrastVerdict.LESS_REPRODUCIBLE)


def late_steps(tables: Tables) -> dict[str, list[int]]:
    """Return the stored steps of each model that are late in training, but for the last one."""
    steps: dict[str, set[int]] = defaultdict(set)
    for row in tables.drawn("steps"):
        steps[row["model"]].add(row["step"])
    return {
        model: sorted(step for step in own if LATE * max(own) <= step < max(own))
        for model, own in steps.items()
    }


def steady(tables: Tables, tested: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the differences at the last step by what they were late in training before it.

    Args:
        tables: of the study.
        tested: contrasts with the reference.

    Returns:
        Rows of differences that are `kept` at all of these steps, `reversed` at one of them, or
        `absent` at one. What is compared elsewhere, or has no such steps, is left out.
    """
    late = late_steps(tables)
    before: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in tables.drawn("steps"):
        if row["step"] in late[row["model"]]:
            before[row["model"], row["first"], row["measure"]].add(row["verdict"])
    kinds: dict[str, list[Row]] = {"kept": [], "reversed": [], "absent": []}
    for row in tested:
        verdicts = before.get((row["model"], row["first"], row["measure"]))
        if row["condition"] != Condition.FINAL or row["verdict"] not in DIFFERENCES or not verdicts:
            continue
        others = verdicts - {row["verdict"]}
        kind = "reversed" if others & {*DIFFERENCES} else "absent" if others else "kept"
        kinds[kind].append(row)
    return kinds


def at_matched_loss(tables: Tables, tested: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the differences at the last step by what they are where models have learned as much.

    Args:
        tables: of the study.
        tested: contrasts with the reference.

    Returns:
        Rows of differences that are the `same` there, `reversed`, `equivalent`, or `open`, and of
        those that are none at the last step and `appear` there.
    """
    matched = {
        (row["model"], row["first"], row["measure"]): row["verdict"]
        for row in tables.drawn(
            "contrasts", family=Family.REFERENCE, condition=Condition.MATCHED_LOSS
        )
    }
    kinds: dict[str, list[Row]] = {
        kind: [] for kind in ("same", "reversed", "equivalent", "open", "appear")
    }
    for row in tested:
        verdict = matched.get((row["model"], row["first"], row["measure"]))
        if row["condition"] == Condition.FINAL and (kind := _kind(row["verdict"], verdict)):
            kinds[kind].append(row)
    return kinds


def _kind(final: str, matched: str | None) -> str | None:
    """Return what a contrast at the last step is at matched loss; None if a difference at none."""
    if final not in DIFFERENCES:
        return "appear" if matched in DIFFERENCES else None
    if matched in DIFFERENCES:
        return "same" if matched == final else "reversed"
    return "equivalent" if matched == ContrastVerdict.EQUIVALENT else "open"
