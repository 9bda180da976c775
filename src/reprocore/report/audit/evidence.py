"""The tables of a study that claims are compared with, and figures with their errors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from reprocore.report.audit.outcome import NOT_MEASURED, Fact, Outcome, outcome
from reprocore.statistics.planning import POWER
from reprocore.statistics.tests_over_seeds import (
    LEAST_SEEDS,
    LEAST_SEEDS_OF_A_TEST,
    ratio_interval_at,
    seeds_needed,
)
from reprocore.store.catalogue import schemas_of
from reprocore.store.tables import read_table
from reprocore.study.study import Study
from reprocore.vocabulary import ClaimReason, Condition, ContrastVerdict, Family

ARM = "all"
# Two figures that differ by no more count as equal where the study has no margin of equivalence.
MARGIN = 0.1
Row = dict[str, Any]
Bounds = tuple[float | None, float | None]

_SCHEMAS = schemas_of("estimates", "contrasts", "sensitivity", "cells", "curves")
_TURNED = {
    ContrastVerdict.MORE_REPRODUCIBLE: ContrastVerdict.LESS_REPRODUCIBLE,
    ContrastVerdict.LESS_REPRODUCIBLE: ContrastVerdict.MORE_REPRODUCIBLE,
    ContrastVerdict.LOWER: ContrastVerdict.HIGHER,
    ContrastVerdict.HIGHER: ContrastVerdict.LOWER,
}


@dataclass(frozen=True)
class Tables:
    """Rows of one model's tables, of the arm `all` alone; what does not exist is empty."""

    estimates: Sequence[Row] = ()
    contrasts: Sequence[Row] = ()
    sensitivity: Sequence[Row] = ()
    cells: Sequence[Row] = ()
    curves: Sequence[Row] = ()

    def final(self, measure: str) -> dict[str, Row]:
        """Return the last estimates of a measure, by activation."""
        rows = [row for row in self.estimates if row["measure"] == measure]
        return {row["activation"]: row for row in sorted(rows, key=lambda row: int(row["step"]))}

    def spread(self, measure: str) -> Row | None:
        """Return the row of the sensitivity at the end, None if there is none."""
        return next(iter(_at_the_end(self.sensitivity, measure)), None)

    def contrast(self, measure: str, first: str, second: str) -> Row | None:
        """Return the contrast at the end, seen from the first.

        It is that of the reference's family, or of all pairs where neither is the reference.
        """
        rows = {
            row["family"]: row
            for row in _at_the_end(self.contrasts, measure)
            if {row["first"], row["second"]} == {first, second}
        }
        row = rows.get(Family.REFERENCE) or rows.get(Family.ALL_PAIRS)
        return row if row is None or row["first"] == first else _turned(row)

    def seeds_to_separate(self, measure: str, seeds: int) -> int | None:
        """Return the seeds to add to separate activations that differ by 10%, or else by 5%.

        Args:
            measure: in which they differ.
            seeds: that there are.

        Returns:
            None where it is not known.
        """
        floor = LEAST_SEEDS_OF_A_TEST
        row = self.spread(measure) or {}
        for percent in (10, 5):
            wanted = row.get(f"seeds_for_{percent}")
            if wanted is not None and max(wanted, floor) > seeds:
                return int(max(wanted, floor)) - seeds
        return floor - seeds if floor > seeds else None

    def seconds_per_character(self, activation: str) -> dict[int, float]:
        """Return the time by seed: the median over a training's logged steps."""
        speeds: dict[int, list[float]] = {}
        for row in self.curves:
            if row["activation"] == activation and (row["tokens_per_second"] or 0) > 0:
                speeds.setdefault(row["seed"], []).append(row["tokens_per_second"])
        return {seed: 1 / float(np.median(values)) for seed, values in speeds.items()}


def _at_the_end(rows: Sequence[Row], measure: str) -> list[Row]:
    return [
        row for row in rows if row["measure"] == measure and row["condition"] == Condition.FINAL
    ]


def _turned(row: Row) -> Row:
    difference = row["difference"]
    return row | {
        "verdict": _TURNED.get(row["verdict"], row["verdict"]),
        "difference": None if difference is None else -difference,
        "ratio_low": _inverse(row["ratio_high"]),
        "ratio_high": _inverse(row["ratio_low"]),
        "ratio": _inverse(row["ratio"]),
        "first_cv": row["second_cv"],
        "second_cv": row["first_cv"],
    }


def _inverse(value: float | None) -> float | None:
    return 1 / value if value is not None and value > 0 else None


@dataclass(frozen=True)
class Evidence:
    """All that claims are judged by: the study and the tables of the models that ran."""

    study: Study
    models: Mapping[str, Tables]

    @property
    def alpha(self) -> float:
        """Chance of a wrong verdict that the study allows."""
        return 1 - self.study.statistics.confidence

    def margin(self, measure: str) -> float:
        """Return the share by which two figures of a measure may differ and count as equal."""
        return self.study.statistics.margins.get(measure) or MARGIN

    def ratio_ends(self, row: Row, alpha: float) -> tuple[float, float] | None:
        """Return the ends of a contrast's ratio at level 1 − alpha, None where there are none."""
        if None in (row["ratio_low"], row["ratio_high"]):
            return None
        ends = row["ratio_low"], row["ratio_high"]
        known_level = self.study.statistics.confidence
        own = row["ratio"], ends, (row["first_cv"], row["second_cv"]), row["dof"]
        return ratio_interval_at(*own, known_level, 1 - alpha)

    def gap(self, model: str) -> Outcome | None:
        """Say why nothing is known of a model; None if something is."""
        if model not in self.study.models:
            return outcome(NOT_MEASURED, ClaimReason.NOT_IN_STUDY, model=model)
        if not self.models.get(model, Tables()).cells:
            return outcome(NOT_MEASURED, ClaimReason.NOT_RUN, model=model)
        return None


def read_evidence(study: Study, tables: Mapping[str, Sequence[str | Path]]) -> Evidence:
    """Read the tables of the models that ran.

    Args:
        study: what was to run.
        tables: for each name in `Tables`, the Parquet files of all models.

    Raises:
        ReprocoreError: a table is missing, damaged or foreign.
    """
    models: dict[str, dict[str, list[Row]]] = {}
    for name, paths in tables.items():
        for path in paths:
            for row in read_table(path, _SCHEMAS[name]).to_pylist():
                if row["arm"] == ARM:
                    models.setdefault(row["model"], {}).setdefault(name, []).append(row)
    return Evidence(study, {model: Tables(**rows) for model, rows in models.items()})


class Known(NamedTuple):
    """A figure with its standard error, in the scale in which its error is symmetric.

    `se_seeds` is the part of the error that more seeds make smaller.
    """

    estimate: float
    se: float
    dof: float
    seeds: int
    se_seeds: float
    logarithm: bool = False

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of level 1 − alpha, by t."""
        half = float(stdtrit(self.dof, 1 - alpha / 2)) * self.se
        low, high = self.estimate - half, self.estimate + half
        if not self.logarithm:
            return low, high
        # exp of a hundred is beyond any measure, and of a thousand overflows.
        return math.exp(min(low, 100.0)), math.exp(min(high, 100.0))

    def value(self) -> float:
        """Return the figure in its own scale."""
        return math.exp(self.estimate) if self.logarithm else self.estimate

    def seeds_more(self, bounds: Bounds, alpha: float) -> int | None:
        """Return the seeds to add for an estimate that stays to clear the nearest bound.

        None where the text alone leaves too much open, since no number of seeds changes that.
        """
        ends = [end for end in bounds if end is not None and (end > 0 or not self.logarithm)]
        places = [math.log(end) if self.logarithm else end for end in ends]
        distance = min((abs(self.estimate - place) for place in places), default=0.0)
        of_text = max(self.se**2 - self.se_seeds**2, 0.0)
        left = distance**2 - (float(ndtri(1 - alpha / 2)) + float(ndtri(POWER))) ** 2 * of_text
        if left <= 0:
            return None
        wanted = seeds_needed(self.se_seeds, self.seeds, math.sqrt(left), POWER, alpha)
        return None if wanted is None else max(1, wanted - self.seeds)


def known(row: Row, name: str = "estimate") -> Known | Fact:
    """Return a row's estimate or difference with its error, or why it cannot decide anything."""
    value, se, seeds = row[name], row["se"], row["seeds"] or 0
    if seeds < LEAST_SEEDS:
        return Fact(ClaimReason.FEW_SEEDS, {"seeds": seeds})
    if value is None or se is None or not math.isfinite(value) or not math.isfinite(se):
        return Fact(ClaimReason.NO_INTERVAL, {"row": row})
    if se <= 0:
        return Fact(ClaimReason.NO_VARIATION, {})
    if row.get("dof", seeds) is None:
        return Fact(ClaimReason.NO_INTERVAL, {"row": row})
    of_seeds = se if row.get("se_seeds") is None else row["se_seeds"]
    return Known(float(value), float(se), row.get("dof", seeds - 1), seeds, float(of_seeds))


def known_ratio(
    low: float | None, high: float | None, seeds: int, alpha: float, row: Row | None = None
) -> Known | Fact:
    """Return a ratio with its error on the logarithm, from the ends of its interval.

    Fieller's interval, all but symmetric on the logarithm, stands for that of a t. One that reaches
    0 has no logarithm. `row` says why there is none, if anything does.
    """
    if low is None or high is None:
        return Fact(ClaimReason.NO_INTERVAL, {"row": row})
    if low == high:
        return Fact(ClaimReason.NO_VARIATION, {})
    if low <= 0:
        return Fact(ClaimReason.NOT_POSITIVE, {})
    centre, half = (math.log(high) + math.log(low)) / 2, (math.log(high) - math.log(low)) / 2
    se = half / float(stdtrit(seeds - 1, 1 - alpha / 2))
    return Known(centre, se, seeds - 1, seeds, se, True)


def independent_ratio(above: Known, below: Known) -> Known | Fact:
    """Return the ratio of two models' estimates, taken as independent (delta method, Welch).

    They share the text, and models of the same seed its batches.
    """
    if above.estimate <= 0 or below.estimate <= 0:
        return Fact(ClaimReason.NOT_POSITIVE, {})
    parts = [((one.se / one.estimate) ** 2, one.dof) for one in (above, below)]
    total = sum(v for v, _ in parts)
    dof = total**2 / sum(v**2 / free for v, free in parts)
    centre = math.log(above.estimate / below.estimate)
    of_seeds = math.hypot(above.se_seeds / above.estimate, below.se_seeds / below.estimate)
    seeds = min(above.seeds, below.seeds)
    return Known(centre, math.sqrt(total), dof, seeds, of_seeds, True)
