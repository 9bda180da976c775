"""What a report's printed figures allow, recomputed from them alone: no measurement is used."""

import math
from decimal import Decimal

import numpy as np
from scipy.optimize import minimize_scalar

from reprocore.report.audit import claims
from reprocore.report.audit.outcome import (
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Figure,
    Outcome,
    outcome,
)
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS
from reprocore.vocabulary import ClaimReason

Range = tuple[float, float]


def percent_range(value: float, others: tuple[float, ...], count: int) -> tuple[Range, Range]:
    """Return how many percent `value` is below others, at least and at most.

    Args:
        value: the printed figure.
        others: the others that were printed, the lowest and the highest among them.
        count: others in all; the rest lie between the lowest and the highest.

    Returns:
        The range over single others, and over all means that the others can have.
    """
    ends = (min(others), max(others))
    free, total = max(0, count - len(others)), max(count, len(others))
    means = [(math.fsum(others) + free * end) / total for end in ends]
    single, mean = (tuple(100 * (1 - value / x) for x in xs) for xs in (ends, means))
    return (single[0], single[1]), (mean[0], mean[1])


def cv_range(known: tuple[float, ...], low: float, high: float, count: int) -> Range:
    """Return the lowest and highest sample CV, in percent, of figures of which some are known.

    Both `low` and `high` are attained and the rest lie between them. Σx²/(Σx)² is quasi-convex:
    its highest value is at a corner, its lowest where all free figures are alike.

    Args:
        known: figures that were printed beside the lowest and the highest.
        low: the lowest of the others.
        high: the highest of the others.
        count: figures in all.
    """
    fixed = [*known, low, high]
    free = count - len(fixed)

    def cv(rest: list[float]) -> float:
        x = np.array([*fixed, *rest])
        return float(100 * x.std(ddof=1) / x.mean())

    corners = [cv([high] * k + [low] * (free - k)) for k in range(free + 1)]
    if free == 0 or low == high:
        return min(corners), max(corners)
    best = minimize_scalar(
        lambda x: cv([x] * free), bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return min(float(best.fun), *corners), max(corners)


def _given(holds: bool, claim: str, *figures: Figure) -> Outcome:
    if holds:
        return outcome(SUPPORTED, ClaimReason.PRINTED_GIVE, *figures, claim=claim)
    return outcome(REFUTED, ClaimReason.PRINTED_DO_NOT_GIVE, *figures, claim=claim)


def judge_percent(test: claims.PrintedPercent) -> Outcome:
    """Support a percentage that is reached, to the claim's digits, against every other printed.

    Without one only the order is checked. Fewer than 3 seeds have no interval: they support
    nothing.
    """
    single, mean = percent_range(test.value, test.others, test.count)
    figures = [Figure("below the others", None, single, "%")]
    if single[1] > single[0]:
        figures.append(Figure("below their mean", None, mean, "%"))
    least = test.claimed or 0
    holds = single[0] > 0 and round(single[0], _decimals(least)) >= least
    if holds and test.seeds is not None and test.seeds < LEAST_SEEDS:
        missing = LEAST_SEEDS - test.seeds
        names = {"label": "printed figures", "seeds": test.seeds}
        return outcome(UNDECIDED, ClaimReason.FEW_SEEDS, *figures, more=missing, **names)
    claim = f"{least:g}% below every other figure" if least else "less than every other figure"
    return _given(holds, claim, *figures)


def _decimals(value: float) -> int:
    """Return how many decimals a figure was printed with; a trailing 0 is not known of it."""
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def judge_times(test: claims.PrintedTimes) -> Outcome:
    """Support it if all others are so many times the printed figure, else refute it."""
    low, high = min(test.others) / test.value, max(test.others) / test.value
    bottom, top = test.bounds
    holds = (bottom is None or low >= bottom) and (top is None or high <= top)
    return _given(holds, "so many times for all", Figure("ratio", None, (low, high)))


def judge_cv(test: claims.PrintedCV) -> Outcome:
    """Support a printed CV, as rounded, that the printed figures allow."""
    low, high = cv_range(test.known, *test.others, test.count)
    holds = round(low, 2) <= test.claimed <= round(high, 2)
    return _given(holds, f"a CV of {test.claimed:g}%", Figure("CV", None, (low, high), "%"))


def judge_disagreement(test: claims.PrintedDisagreement) -> Outcome:
    """Refute it if two models of that accuracy cannot disagree so often on the same characters.

    Each is wrong on a share 1 − a of them, and where both are right they agree, so they disagree
    on at most 2·(1 − a).
    """
    most = min(1.0, 2 * (1 - test.accuracy))
    low, high = test.claimed
    figure = Figure("most that is possible", 100 * most, unit="%")
    return _given(high <= most, f"a disagreement of {low:.0%} to {high:.0%}", figure)
