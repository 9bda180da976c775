"""The figures of a study that claims are held against, and the intervals that decide."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from reprocore.findings import Finding, not_measured
from reprocore.statistics.tests_over_seeds import (
    LEAST_SEEDS,
    least_seeds,
    ratio_interval,
    seeds_needed,
)
from reprocore.study.study import Study
from reprocore.vocabulary import FINAL

ARM = "all"
Row = dict[str, Any]
Between = tuple[float | None, float | None]


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
        rows = sorted(
            (row for row in self.estimates if row["measure"] == measure),
            key=lambda row: int(row["step"]),
        )
        return {row["activation"]: row for row in rows}

    def spread(self, measure: str) -> Row | None:
        """Return the row of the sensitivity at the end, None if there is none."""
        found = (
            row
            for row in self.sensitivity
            if row["measure"] == measure and row["condition"] == FINAL
        )
        return next(found, None)

    def parameters(self) -> float | None:
        """Return the number of parameters, the median over cells."""
        counts = [row["parameters"] for row in self.cells]
        return float(np.median(counts)) if counts else None


@dataclass(frozen=True)
class Evidence:
    """All that claims are judged by: the study and the tables of the models that ran."""

    study: Study
    models: Mapping[str, Tables]

    @property
    def alpha(self) -> float:
        """Chance of a wrong verdict that the study allows."""
        return 1 - self.study.statistics.confidence

    def gap(self, model: str) -> str:
        """Say why nothing is known of a model; "" if something is."""
        if model not in self.study.models:
            return f"{model} is not in the study"
        return "" if self.models.get(model, Tables()).cells else f"{model} has not run"


class Compared(NamedTuple):
    """One activation against another, seen from the first; None for what is not known."""

    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    difference: float | None
    se: float | None
    seeds: int
    p: float | None
    family: int
    note: str


def compared(tables: Tables, measure: str, first: str, second: str) -> Compared | None:
    """Return a contrast at the end of training, turned round if it stands the other way."""
    rows = [
        row for row in tables.contrasts if row["measure"] == measure and row["condition"] == FINAL
    ]
    swapped = {
        "more reproducible": "less reproducible",
        "less reproducible": "more reproducible",
        "lower": "higher",
        "higher": "lower",
    }
    for row in rows:
        if {row["first"], row["second"]} != {first, second}:
            continue
        found = Compared(
            verdict=row["verdict"],
            ratio=row["ratio"],
            low=row["ratio_low"],
            high=row["ratio_high"],
            difference=row["difference"],
            se=row["se"],
            seeds=row["seeds"] or 0,
            p=row["p_adjusted"],
            family=len(rows),
            note=row["note"] or "",
        )
        if row["first"] == first:
            return found
        return found._replace(
            verdict=swapped.get(found.verdict, found.verdict),
            ratio=_inverse(found.ratio),
            low=_inverse(found.high),
            high=_inverse(found.low),
            difference=None if found.difference is None else -found.difference,
        )
    return None


def _inverse(value: float | None) -> float | None:
    return 1 / value if value is not None and value > 0 else None


class Known(NamedTuple):
    """A figure with its standard error, in the scale in which its error is symmetric."""

    estimate: float
    se: float
    dof: float
    seeds: int
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


def known_estimate(row: Row | None) -> Known | str:
    """Return an estimate with its error, or why it cannot decide anything."""
    if row is None:
        return "has no estimate"
    estimate, se, seeds = row["estimate"], row["se"], row["seeds"] or 0
    if seeds < LEAST_SEEDS:
        return f"has {seeds} seeds, an interval needs {LEAST_SEEDS}"
    if estimate is None or se is None or not math.isfinite(estimate) or not math.isfinite(se):
        return f"has no interval ({row['note'] or 'a value is not finite'})"
    if se <= 0:
        return "is the same for every seed: how sure it is cannot be told"
    return Known(float(estimate), float(se), seeds - 1, seeds)


def known_ratio(found: Compared, alpha: float) -> Known | str:
    """Return a contrast's ratio with its error on the logarithm, from its interval's ends."""
    if found.ratio is None or found.low is None or found.high is None:
        return f"has no interval ({found.note or 'no ratio'})"
    if not 0 < found.low < found.high:
        return "has an interval without width or beyond 0: how sure it is cannot be told"
    # Fieller's interval, all but symmetric on the logarithm, stands for that of a t.
    dof = found.seeds - 1
    half = (math.log(found.high) - math.log(found.low)) / 2
    centre = (math.log(found.high) + math.log(found.low)) / 2
    return Known(centre, half / float(stdtrit(dof, 1 - alpha / 2)), dof, found.seeds, True)


def known_difference(found: Compared) -> Known | str:
    """Return a contrast's difference with its error."""
    if found.se is None or found.difference is None or found.seeds < LEAST_SEEDS:
        return f"has no interval ({found.note or f'{found.seeds} seeds'})"
    if found.se <= 0:
        return "is the same for every seed: how sure it is cannot be told"
    return Known(found.difference, found.se, found.seeds - 1, found.seeds)


def independent_ratio(first: Row | None, second: Row | None) -> Known | str:
    """Return the ratio of two models' estimates, which no seed connects (delta method, Welch)."""
    a, b = known_estimate(first), known_estimate(second)
    for each in (a, b):
        if isinstance(each, str):
            return each
    assert isinstance(a, Known) and isinstance(b, Known)
    if a.estimate <= 0 or b.estimate <= 0:
        return "is not above 0: no ratio"
    parts = [((each.se / each.estimate) ** 2, each.dof) for each in (a, b)]
    total = sum(v for v, _ in parts)
    dof = total**2 / sum(v**2 / free for v, free in parts)
    centre = math.log(a.estimate / b.estimate)
    return Known(centre, math.sqrt(total), dof, min(a.seeds, b.seeds), True)


def within(name: str, found: Known | str, between: Between, alpha: float) -> Finding:
    """Judge whether a figure lies between two bounds, by its interval.

    Supported if the whole interval does, refuted if none of it does, else undecided; then the
    seeds are told with which an estimate that stays where it is would clear the nearest bound.

    Args:
        name: of the figure, for people.
        found: the figure, or why there is none that decides.
        between: the bounds; None is open.
        alpha: of the interval; divide it by the number of figures judged together.
    """
    if isinstance(found, str):
        return Finding("undecided", "", f"{name} {found}")
    low, high = found.interval(alpha)
    measured = f"{name} {_figure(found.value())} [{_figure(low)}, {_figure(high)}]"
    return judged(measured, (low, high), between, _more(found, between, alpha))


def judged(
    measured: str, interval: tuple[float, float], between: Between, more: int | None = None
) -> Finding:
    """Judge an interval against two bounds, None for an open one."""
    low, high = interval
    bottom, top = between[0], between[1]
    wanted = range_text(between)
    if (top is not None and low > top) or (bottom is not None and high < bottom):
        return Finding("refuted", measured, f"no part of the interval is {wanted}")
    if (top is None or high <= top) and (bottom is None or low >= bottom):
        return Finding("supported", measured, f"the whole interval is {wanted}")
    return Finding("undecided", measured, f"the interval is partly {wanted}", more)


def range_text(between: Between) -> str:
    """Write bounds for people."""
    low, high = between
    if low is None:
        return f"at most {high:.3g}"
    if high is None:
        return f"at least {low:.3g}"
    return f"within {low:.3g} to {high:.3g}" if low < high else f"{low:.3g}"


def _more(found: Known, between: Between, alpha: float) -> int | None:
    log = found.logarithm
    ends = [e for e in between if e is not None and (e > 0 or not log)]
    distance = min(abs(found.estimate - (math.log(e) if log else e)) for e in ends) if ends else 0
    if distance == 0:
        return None
    wanted = seeds_needed(found.se, found.seeds, distance, alpha=alpha)
    return None if wanted is None else max(1, wanted - found.seeds)


def _figure(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.2g}"


def seeds_to_tell(
    tables: Tables, measure: str, seeds: int, alpha: float, family: int
) -> int | None:
    """Seeds to add until 10%, or else 5%, between activations could be told; None if unknown."""
    floor = least_seeds(alpha, max(family, 1))
    row = tables.spread(measure) or {}
    for percent in (10, 5):
        wanted = row.get(f"seeds_for_{percent}")
        if wanted is not None and max(wanted, floor) > seeds:
            return int(max(wanted, floor)) - seeds
    return floor - seeds if floor > seeds else None


def time_ratio(tables: Tables, first: str, second: str, confidence: float) -> Known | Finding:
    """Time per character of one activation over another, on the seeds that both ran.

    The median over a training's logged steps is one figure per seed.
    """
    where = {r["environment"] for r in tables.cells if r["activation"] in (first, second)}
    times: list[dict[int, float]] = []
    for name in (first, second):
        speeds: dict[int, list[float]] = {}
        for row in tables.curves:
            speed = row["tokens_per_second"]
            if row["activation"] == name and speed is not None and speed > 0:
                speeds.setdefault(row["seed"], []).append(speed)
        if not speeds:
            return not_measured(f"no speed of {name} was logged")
        times.append({seed: 1 / float(np.median(each)) for seed, each in speeds.items()})
    if len(where) > 1:
        return Finding("undecided", "", f"{first} and {second} ran on different machines")
    shared = sorted(set(times[0]) & set(times[1]))
    if len(shared) < LEAST_SEEDS:
        reason = f"{first} and {second} share {len(shared)} seeds, an interval needs {LEAST_SEEDS}"
        return Finding("undecided", "", reason, LEAST_SEEDS - len(shared))
    a, b = (np.array([each[seed] for seed in shared]) for each in times)
    low, high = ratio_interval(a, b, confidence) or (None, None)
    ratio = float(a.mean() / b.mean())
    contrast = Compared("", ratio, low, high, None, None, len(shared), None, 1, "")
    found = known_ratio(contrast, 1 - confidence)
    if isinstance(found, str):
        return Finding("undecided", "", f"the time of {first} over {second} {found}")
    return found
