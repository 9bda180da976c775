"""What a report's printed figures allow, recomputed from them alone: no measurement is used."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from reprocore import claims
from reprocore.evidence import range_text
from reprocore.findings import Finding
from reprocore.statistics.tests_over_seeds import LEAST_SEEDS


def percent_range(
    value: float, others: tuple[float, ...], count: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """How many percent `value` is below others, of which some were printed.

    Args:
        value: the printed figure.
        others: the others that were printed, the lowest and the highest among them.
        count: others in all; the rest lie between the lowest and the highest.

    Returns:
        The least and the most over single others, and over all means that the others can have.
    """
    low, high = min(others), max(others)
    known, free = math.fsum(others), max(0, count - len(others))
    total = max(count, len(others))
    means = [(known + free * end) / total for end in (low, high)]
    singles = (_below(value, low), _below(value, high))
    return singles, (_below(value, means[0]), _below(value, means[1]))


def _below(value: float, other: float) -> float:
    return 100 * (1 - value / other)


def cv_range(known: tuple[float, ...], low: float, high: float, count: int) -> tuple[float, float]:
    """Lowest and highest sample CV, in percent, of `count` figures of which some are known.

    Both `low` and `high` are attained and the rest lie between them. Σx²/(Σx)² is quasi-convex:
    its highest value is at a corner, its lowest where all free figures are alike.
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


def printed_percent(test: claims.PrintedPercent) -> Finding:
    """Supported if the percentage is reached against every other printed, to whole percent.

    Refuted if it is not. With no percentage claimed only the order is checked. Figures of fewer
    than 3 seeds have no interval, so that they support nothing.
    """
    (least, most), means = percent_range(test.value, test.others, test.count)
    measured = f"{least:.1f}% below the nearest"
    if most > least:
        measured += f", {most:.1f}% below the farthest"
        measured += f", {means[0]:.1f} to {means[1]:.1f}% below the mean of the others"
    if least <= 0:
        return Finding("refuted", measured, "another printed figure is not above it")
    if test.claimed is not None and round(least) < test.claimed:
        return Finding(
            "refuted",
            measured,
            f"{test.claimed:g}% is not reached against every other figure printed",
        )
    if test.seeds is not None and test.seeds < LEAST_SEEDS:
        pairs = test.seeds * (test.seeds - 1) // 2
        return Finding(
            "undecided",
            measured,
            f"{test.seeds} seeds, {pairs} pair{'s' * (pairs != 1)} each: no interval is possible",
            LEAST_SEEDS - test.seeds,
        )
    return Finding("supported", measured, "follows from the figures printed")


def printed_times(test: claims.PrintedTimes) -> Finding:
    """Supported if all others are so many times the printed figure, refuted otherwise."""
    low, high = (end / test.value for end in (min(test.others), max(test.others)))
    measured = f"{low:.1f} to {high:.1f} times"
    bottom, top = test.between
    wanted = range_text(test.between)
    if (bottom is None or low >= bottom) and (top is None or high <= top):
        return Finding("supported", measured, f"the figures printed are {wanted}")
    return Finding("refuted", measured, f"the figures printed are not all {wanted}")


def printed_cv(test: claims.PrintedCV) -> Finding:
    """Supported if the printed CV, as rounded, is one that the printed figures allow."""
    low, high = cv_range(test.known, *test.others, test.count)
    measured = f"{low:.2f} to {high:.2f}%"
    if round(low, 2) <= test.claimed <= round(high, 2):
        reason = f"{test.claimed:g}% lies in what the figures printed allow"
        return Finding("supported", measured, reason)
    return Finding("refuted", measured, f"the figures printed cannot give {test.claimed:g}%")


def printed_disagreement(test: claims.PrintedDisagreement) -> Finding:
    """Refuted if two models of that accuracy cannot disagree so often on the same characters.

    Each is wrong on a share 1 − a of them, and where both are right they agree, so they disagree
    on at most 2·(1 − a).
    """
    most = min(1.0, 2 * (1 - test.accuracy))
    measured = f"at most {most:.0%} is possible"
    low, high = test.claimed
    if high > most:
        return Finding("refuted", measured, f"{low:.0%} to {high:.0%} goes beyond it")
    return Finding("supported", measured, f"{low:.0%} to {high:.0%} is possible")
