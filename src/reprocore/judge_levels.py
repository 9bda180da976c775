"""Judging claims by levels, spreads, ratios and times: one function per kind of test.

Where a claim is refuted by any one of several intervals, each is made at the level over their
number (Bonferroni).
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from reprocore import claims
from reprocore.evidence import (
    Between,
    Evidence,
    Known,
    Row,
    Tables,
    independent_ratio,
    judged,
    known_estimate,
    seeds_to_tell,
    time_ratio,
    within,
)
from reprocore.findings import Finding, all_of, not_measured
from reprocore.judge_contrasts import each_model


def invariant(test: claims.Invariant, evidence: Evidence) -> Finding:
    """Supported if the corrected CV's whole interval is at most the bound.

    Refuted if none of it is and the omnibus test rejects that the activations are alike. Figures
    that are the same for every activation and seed show no noise to judge by: undecided.
    """

    def judge(model: str, tables: Tables) -> Finding:
        row = tables.spread(test.measure)
        fault = _no_spread(model, row)
        if row is None or fault is not None:
            return fault or not_measured(f"{model}: one activation, no CV")
        more = seeds_to_tell(tables, test.measure, row["seeds"], evidence.alpha, 1)
        found = judged(
            _spread_text(model, row), (row["low"], row["high"]), (None, test.at_most), more
        )
        p = row["p_omnibus"]
        if found.verdict == "refuted" and (p is None or p * len(test.models) > evidence.alpha):
            return Finding("undecided", found.measured, f"{model}: omnibus test finds none", more)
        return found

    return each_model(test, evidence, judge)


def _no_spread(model: str, row: Row | None) -> Finding | None:
    """Say why a model's CV decides nothing; None if it may."""
    if row is None:
        return not_measured(f"{model}: fewer than 2 activations, no CV")
    if row["low"] is None or row["high"] is None:
        more = None if row["seeds"] >= 3 else 3 - row["seeds"]
        return Finding("undecided", "", f"{model}: no interval of the CV ({row['note']})", more)
    if row["low"] == row["high"]:
        reason = "nothing varies from seed to seed: how sure the CV is cannot be told"
        return Finding("undecided", _spread_text(model, row), f"{model}: {reason}")
    return None


def _spread_text(model: str, row: Row) -> str:
    p = "" if row["p_omnibus"] is None else f", omnibus p {row['p_omnibus']:.3g}"
    return f"{model}: CV {row['corrected']:.2f}% [{row['low']:.2f}, {row['high']:.2f}]{p}"


def level(test: claims.Level, evidence: Evidence) -> Finding:
    """Every activation's interval must lie between the bounds, widened by the study's margin.

    With `at`, at all snapshots where that quantity's mean is within the margin of its value.
    """
    margin = 1 + evidence.study.statistics.margin
    low, high = test.between
    between = (None if low is None else low / margin, None if high is None else high * margin)
    rows = {
        model: _reached(evidence.models[model], test, margin)
        for model in test.models
        if not evidence.gap(model)
    }
    alpha = evidence.alpha / max(1, sum(map(len, rows.values())))

    def judge(model: str, _tables: Tables) -> Finding:
        if not rows[model]:
            at = f" where {test.at.measure} is {test.at.value:g}" if test.at else ""
            return not_measured(f"{model}: no {test.measure}{at}")
        return all_of(
            [
                within(
                    f"{model}/{r['activation']} at step {r['step']}: {test.measure}",
                    known_estimate(r),
                    between,
                    alpha,
                )
                for r in rows[model]
            ]
        )

    return each_model(test, evidence, judge)


def _reached(tables: Tables, test: claims.Level, margin: float) -> list[Row]:
    if test.at is None:
        return list(tables.final(test.measure).values())
    at = {
        (row["activation"], row["step"])
        for row in tables.estimates
        if row["measure"] == test.at.measure
        and test.at.value / margin <= row["estimate"] <= test.at.value * margin
    }
    return [
        row
        for row in tables.estimates
        if row["measure"] == test.measure and (row["activation"], row["step"]) in at
    ]


def ranking(test: claims.Ranking, evidence: Evidence) -> Finding:
    """For every pair of models, the CV's interval of the first must be above the second's.

    Intervals that do not overlap are a stricter test than one of the difference; a pair the
    other way round refutes the ranking.
    """
    return _spread_order(list(itertools.combinations(test.models, 2)), test.measure, evidence)


def trend(test: claims.Trend, evidence: Evidence) -> Finding:
    """As `ranking`, for every pair of models whose sizes differ by the factor, larger first."""
    sizes = {}
    for model in test.models:
        size = None if evidence.gap(model) else evidence.models[model].parameters()
        if size is not None:
            sizes[model] = size
    absent = [
        not_measured(evidence.gap(m) or f"{m} has no cells") for m in test.models if m not in sizes
    ]
    ordered = sorted(sizes, key=lambda model: -sizes[model])
    pairs = [
        (a, b) for a, b in itertools.combinations(ordered, 2) if sizes[a] >= test.factor * sizes[b]
    ]
    if not pairs:
        gaps = ["no two models of different size were measured", *(p.reason for p in absent)]
        return not_measured("\n".join(gaps))
    return all_of([_spread_order(pairs, test.measure, evidence), *absent])


def _spread_order(pairs: Sequence[tuple[str, str]], measure: str, evidence: Evidence) -> Finding:
    parts = []
    for pair in pairs:
        gaps = [gap for gap in map(evidence.gap, pair) if gap]
        if gaps:
            parts.append(not_measured("\n".join(gaps)))
            continue
        tables = [evidence.models[model] for model in pair]
        rows = [each.spread(measure) for each in tables]
        faults = [f for f in map(_no_spread, pair, rows) if f is not None]
        one, other = rows
        if faults or one is None or other is None:
            parts.append(all_of(faults))
            continue
        texts = "\n".join(map(_spread_text, pair, (one, other)))
        if one["low"] > other["high"]:
            found = Finding("supported", texts, f"{pair[0]} is more sensitive than {pair[1]}")
        elif one["high"] < other["low"]:
            found = Finding("refuted", texts, f"{pair[0]} is less sensitive than {pair[1]}")
        else:
            more = [
                seeds_to_tell(each, measure, row["seeds"], evidence.alpha, 1)
                for each, row in zip(tables, (one, other), strict=True)
            ]
            known = [each for each in more if each is not None]
            reason = f"the CVs' intervals of {pair[0]} and {pair[1]} overlap"
            found = Finding("undecided", texts, reason, max(known, default=None))
        parts.append(found)
    return all_of(parts)


def model_ratio(test: claims.ModelRatio, evidence: Evidence) -> Finding:
    """For every shared activation, the interval of the ratio of the two models must be inside."""
    if gap := evidence.gap(test.model):
        return not_measured(gap)
    own = evidence.models[test.model].final(test.measure)
    measured = {
        m: evidence.models[m].final(test.measure) for m in test.others if not evidence.gap(m)
    }
    shared = {m: [a for a in own if a in rows] for m, rows in measured.items()}
    alpha = evidence.alpha / max(1, sum(map(len, shared.values())))
    parts = []
    for other in test.others:
        if other not in shared:
            parts.append(not_measured(evidence.gap(other)))
        elif not shared[other]:
            parts.append(not_measured(f"{test.model} and {other} share no activation"))
        for a in shared.get(other, ()):
            ratio = independent_ratio(own[a], measured[other][a])
            parts.append(within(f"{a}: {test.model}/{other}", ratio, test.between, alpha))
    return all_of(parts)


def measure_ratio(test: claims.MeasureRatio, evidence: Evidence) -> Finding:
    """For every activation the ratio of the two measures must be inside.

    The two come from the same seeds, and how they go together is not in the tables. So each has
    half of the allowed error, and the ratio lies between the outermost ratios of their ends
    whatever their correlation.
    """
    ran = [m for m in test.models if not evidence.gap(m)]
    rows = {
        m: [evidence.models[m].final(name) for name in (test.numerator, test.denominator)]
        for m in ran
    }
    count = sum(len(set(a) & set(b)) for a, b in rows.values())
    alpha = evidence.alpha / max(1, 2 * count)

    def judge(model: str, _tables: Tables) -> Finding:
        above, below = rows[model]
        parts = [
            _outer_ratio(f"{model}/{a}", above[a], below[a], test.between, alpha)
            for a in above
            if a in below
        ]
        return all_of(parts) if parts else not_measured(f"{model}: no estimates")

    return each_model(test, evidence, judge)


def _outer_ratio(name: str, above: Row, below: Row, between: Between, alpha: float) -> Finding:
    one, other = known_estimate(above), known_estimate(below)
    for each in (one, other):
        if isinstance(each, str):
            return Finding("undecided", "", f"{name} {each}")
    assert isinstance(one, Known) and isinstance(other, Known)
    (a_low, a_high), (b_low, b_high) = one.interval(alpha), other.interval(alpha)
    if b_low <= 0:
        return Finding("undecided", "", f"{name}: the lower of the two is not clearly above 0")
    low, high = min(a_low / b_high, a_low / b_low), a_high / b_low
    ratio = one.estimate / other.estimate
    return judged(f"{name} {ratio:.3f} [{low:.3f}, {high:.3f}]", (low, high), between)


def cost(test: claims.Cost, evidence: Evidence) -> Finding:
    """The interval of the ratio of times must lie between the bounds, widened by the margin.

    It is refuted by one activation in one model. Only cells of one machine are compared.
    """
    margin = 1 + evidence.study.statistics.margin
    low, high = test.between
    between = (None if low is None else low / margin, None if high is None else high * margin)
    alpha = evidence.alpha / (len(test.activations) * len(test.models))

    def judge(model: str, tables: Tables) -> Finding:
        parts = []
        for activation in test.activations:
            found = time_ratio(tables, activation, test.than, 1 - alpha)
            if isinstance(found, Finding):
                parts.append(replace(found, reason=f"{model}: {found.reason}"))
            else:
                name = f"{model}: time of {activation}/{test.than}"
                parts.append(within(name, found, between, alpha))
        return all_of(parts)

    return each_model(test, evidence, judge)
