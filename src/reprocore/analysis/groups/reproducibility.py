"""How reproducible are groups of models, and do they differ in it? All tables in one call."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from reprocore.analysis.groups import tables
from reprocore.analysis.groups.inputs import Group, Inputs, check_inputs, groups_in_memory
from reprocore.analysis.groups.passes import measure as measure_pairs
from reprocore.analysis.groups.passes import survey as survey_models
from reprocore.analysis.rows import Row
from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.statistics.kinds import as_kind
from reprocore.store import group_schemas as schemas
from reprocore.vocabulary import nearest


@dataclass(frozen=True, eq=False)
class Reproducibility:
    """What there is to say of groups of models that differ in their seed alone.

    All are data frames with the columns of a study's tables; what cannot be had is missing, and
    codes in `reason` say why. `step` is the snapshot, where files have some.

    Attributes:
        models: one row per model, with its loss and accuracy where targets are given.
        pairs: one row per pair of models of one group: every measure.
        estimates: one row per (group, measure), loss and accuracy among them where targets are
            given: the mean, its standard error and interval, and what the interval holds for.
        contrasts: one row per (measure, family, pair of groups): difference, ratio, intervals,
            method, p-values and verdict.
        verdicts: of these, the comparisons with the reference by the declared measure, with the
            losses and accuracies of both groups.
        strata: one row per (group, stratum of positions, measure).
        notices: what to know of the predictions: float16 that underflows, seeds that are not
            named.
    """

    models: pd.DataFrame
    pairs: pd.DataFrame
    estimates: pd.DataFrame
    contrasts: pd.DataFrame
    verdicts: pd.DataFrame
    strata: pd.DataFrame
    notices: pd.DataFrame


# The first of these that there is, unless another is asked for.
DECLARED = ("relative_pd", "churn")

SCHEMAS: Mapping[str, pa.Schema] = {
    "models": schemas.MODELS_SCHEMA,
    "pairs": schemas.GROUP_PAIRS_SCHEMA,
    "estimates": schemas.GROUP_ESTIMATES_SCHEMA,
    "contrasts": schemas.GROUP_CONTRASTS_SCHEMA,
    "verdicts": schemas.VERDICTS_SCHEMA,
    "strata": schemas.GROUP_STRATA_SCHEMA,
    "notices": schemas.NOTICES_SCHEMA,
}


@dataclass(frozen=True)
class Question:
    """What is asked of groups.

    Attributes:
        reference: the group that others are held against; None is the first.
        measure: the declared measure, which verdicts are about; None is relative PD, of labels
            churn. Everything else is exploratory.
        confidence: level of the intervals; with 1 less it any difference is false, and again any
            equivalence.
        allow_identical: whether two models may hold the very same numbers.
    """

    reference: str | None = None
    measure: str | None = None
    confidence: float = 0.95
    allow_identical: bool = False


def reproducibility(
    groups: Mapping[str, Any],
    *,
    targets: npt.ArrayLike | None = None,
    seeds: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
    blocks: npt.ArrayLike | None = None,
    kind: OutputKind | str = OutputKind.PROBABILITIES,
    reference: str | None = None,
    measure: str | None = None,
    confidence: float = 0.95,
    allow_identical: bool = False,
) -> Reproducibility:
    """Measure how much models of each group differ by seed, and test whether groups differ in it.

    The measures are those of `reprocore.vocabulary.MEASURES`; the intervals of levels and the tests
    between groups are those of a study's tables (`docs/decisions/0007-tests-over-seeds.md`).

    Args:
        groups: by name, the outputs of M ≥ 2 models that differ in their seed alone: an array or
            tensor [M, N, V], or M of [N, V], on the same N positions and V symbols (classes,
            tokens); labels are [M, N] or M of [N]. Probabilities are checked: 0 or more, each row
            with sum 1.
        targets: what really came, integers [N] in 0 … V−1; with them there are loss, accuracy and
            the measures that need them.
        seeds: whole numbers that name each model's seed, [M] for all groups or by group. Models of
            the same seed are then paired between groups. Without seeds groups are compared as
            unpaired (Welch's t with Holm), and the tables say so.
        blocks: which positions are drawn together, for intervals that hold for new data too: a
            size, for blocks of so many positions one after the other, or a label for each, [N].
        kind: of the outputs: "probabilities", "logits", "log-probabilities" or "labels".
        reference: the group that others are held against; the first if None.
        measure: the one that verdicts are about, all else is exploratory; relative PD if None, of
            labels churn.
        confidence: level of the intervals, in 0–1, exclusive; with 1 less it any difference of the
            family is false, and again any equivalence.
        allow_identical: accept models that hold the very same numbers, which mostly is a mistake.

    Returns:
        The tables as data frames. Verdicts need four seeds in each group, intervals three.

    Raises:
        ReprocoreError: what is wrong, where, and what is allowed.

    Examples:
        >>> import numpy as np
        >>> import reprocore
        >>> rng = np.random.default_rng(0)
        >>> steady, shaky = (rng.dirichlet([9 / s] * 3, (5, 40)) for s in (0.2, 1.0))
        >>> result = reprocore.reproducibility({"steady": steady, "shaky": shaky})
        >>> result.verdicts[["first", "second", "verdict", "method"]].values.tolist()
        [['shaky', 'steady', 'less_reproducible', 'welch']]
        >>> result.estimates.query("measure == 'churn'")[["group", "pairs"]].values.tolist()
        [['steady', 10], ['shaky', 10]]
    """
    kind = as_kind(kind)
    inputs = check_inputs(groups_in_memory(groups, kind, seeds), kind, targets, blocks)
    return analyse(inputs, Question(reference, measure, confidence, allow_identical))


def analyse(inputs: Inputs, question: Question, step: int | None = None) -> Reproducibility:
    """Make all tables of groups of models.

    Args:
        inputs: checked groups.
        question: what is asked.
        step: the snapshot that they are of, for the tables.

    Raises:
        ReprocoreError: an output is not of its kind, or a setting is not among what is allowed.
    """
    if not 0 < question.confidence < 1:
        raise ReprocoreError(f"confidence: {question.confidence}, must be between 0 and 1")
    reference = _reference(inputs.groups, question.reference)
    survey = survey_models(inputs, question.allow_identical)
    measured = measure_pairs(inputs, survey.strata)
    primary = _primary(tables.quantities_of(inputs, measured), question.measure)
    level = question.confidence
    estimates = list(tables.estimate_rows(inputs, measured, level))
    contrasts = list(tables.contrast_rows(inputs, measured, reference, primary, level))
    rows = {
        "models": tables.model_rows(inputs, measured),
        "pairs": tables.pair_rows(inputs, measured),
        "estimates": estimates,
        "contrasts": contrasts,
        "verdicts": tables.verdict_rows(contrasts, estimates),
        "strata": tables.strata_rows(inputs, survey, measured, level),
        "notices": tables.notice_rows(inputs, survey, measured),
    }
    return Reproducibility(**{name: _frame(name, found, step) for name, found in rows.items()})


def together(results: Sequence[Reproducibility]) -> Reproducibility:
    """Return the tables of several snapshots as one."""
    return Reproducibility(
        **{
            name: pd.concat([getattr(result, name) for result in results], ignore_index=True)
            for name in SCHEMAS
        }
    )


def _primary(known: Sequence[str], wanted: str | None) -> str:
    """Return the declared measure by the name that the vocabulary has for it."""
    names = {tables.NAMES.get(name, name): name for name in known}
    if wanted is None:
        return next(name for name in DECLARED if name in known)
    if wanted not in names:
        raise ReprocoreError(f"measure: no {wanted!r} here; {nearest(wanted, names)}")
    return names[wanted]


def _reference(groups: Sequence[Group], wanted: str | None) -> str:
    names = [group.name for group in groups]
    if wanted is not None and wanted not in names:
        raise ReprocoreError(f"reference: no group {wanted!r}; {nearest(wanted, names)}")
    return names[0] if wanted is None else wanted


def _frame(name: str, rows: Iterable[Row], step: int | None) -> pd.DataFrame:
    content = [{"step": step, **row} for row in rows]
    frame: pd.DataFrame = pa.Table.from_pylist(content, schema=SCHEMAS[name]).to_pandas(
        integer_object_nulls=True
    )
    return frame
