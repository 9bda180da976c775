"""The audit of claims about levels and spreads: each is judged by its interval."""

import numpy as np
import pytest
from audit_rows import RELU, TWO, cell, estimate, judged, spread, tables
from hypothesis import given
from hypothesis import strategies as st

from conftest import tiny_config
from reprocore.report.audit.evidence import Tables
from reprocore.report.audit.outcome import NOT_MEASURED, REFUTED, SUPPORTED, UNDECIDED
from reprocore.statistics.spread import activation_spread
from reprocore.study.study import parse_study
from reprocore.vocabulary import ClaimReason, Reason

LEVEL = {"kind": "level", "measures": ["churn"], "bounds": [0.82, 0.84], "within_margin": True}
SPREAD = ("cv", "corrected", "low", "high", "p_omnibus", "epsilon", "activations", "seeds")
AT = {"measure": "val_accuracy", "value": 0.27}


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.83, 0.001, SUPPORTED),
        (0.20, 0.010, REFUTED),
        (0.90, 0.050, UNDECIDED),
        (0.83, None, UNDECIDED),
        (0.20, 0.0, UNDECIDED),
        (np.inf, None, UNDECIDED),
    ],
)
def test_a_level_is_judged_by_its_interval(value, se, verdict) -> None:
    result = judged(LEVEL, tables(estimates=[estimate(value, se, "churn")]), RELU)
    assert result.verdict == verdict
    assert (result.seeds_more is not None) == ((value, se) == (0.90, 0.05))


def test_a_level_on_a_bound_decides_nothing() -> None:
    row = estimate(1.0, 0.01, "churn") | {"dof": None, "reason": Reason.ON_A_BOUND}
    result = judged(LEVEL, tables(estimates=[row]), RELU)
    assert result.verdict == UNDECIDED
    assert [fact.reason for fact in result.facts] == [ClaimReason.NO_INTERVAL]


@pytest.mark.parametrize(("share_of_seeds", "known"), [(1.0, True), (0.9, True), (0.3, False)])
def test_more_seeds_do_not_help_where_the_text_leaves_too_much_open(
    share_of_seeds: float, known: bool
) -> None:
    row = estimate(0.9, 0.05, "churn")
    row["se_seeds"] = 0.05 * share_of_seeds
    result = judged(LEVEL, tables(estimates=[row]), RELU)
    assert (result.verdict, result.seeds_more is not None) == (UNDECIDED, known)


def test_a_level_where_another_quantity_was_reached() -> None:
    test = LEVEL | {"at": AT}
    values = {10: (0.15, 0.1), 50: (0.28, 0.83), 100: (0.5, 0.1)}
    rows = [estimate(accuracy, 0.001, "val_accuracy", s) for s, (accuracy, _) in values.items()]
    rows += [estimate(churn, 0.001, "churn", step) for step, (_, churn) in values.items()]
    assert judged(test, tables(estimates=rows), RELU).verdict == SUPPORTED
    late = [row for row in rows if row["step"] != 50]
    assert judged(test, tables(estimates=late), RELU).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("accuracy", "se", "verdict"),
    [
        (0.25, 0.001, SUPPORTED),
        (0.28, 0.001, SUPPORTED),
        # Most of the interval is within 10% of 0.27, but not all.
        (0.28, 0.01, NOT_MEASURED),
        (0.27, 0.0, NOT_MEASURED),
        (0.27, None, NOT_MEASURED),
    ],
)
def test_a_quantity_was_reached_where_its_whole_interval_is_near(accuracy, se, verdict) -> None:
    rows = [estimate(accuracy, se, "val_accuracy"), estimate(0.83, 0.001, "churn")]
    assert judged(LEVEL | {"at": AT}, tables(estimates=rows), RELU).verdict == verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.88, REFUTED), (0.895, SUPPORTED), (0.95, SUPPORTED), (0.96, REFUTED)],
)
def test_the_margin_of_an_accuracy_is_on_the_errors(value, verdict) -> None:
    """Errors of 5 to 10% within a tenth: 4.5 to 11%."""
    test = LEVEL | {"measures": ["val_accuracy"], "bounds": [0.9, 0.95]}
    rows = [estimate(value, 0.001, "val_accuracy")]
    assert judged(test, tables(estimates=rows), RELU).verdict == verdict


SHARES = st.integers(0, 100).map(lambda percent: percent / 100)


@given(st.tuples(SHARES, SHARES).map(sorted), st.integers(1, 99), st.sampled_from([0.0003, 0.02]))
def test_a_share_and_1_less_it_are_judged_alike(bounds, percent, se) -> None:
    verdicts = []
    for measure, ends, value in (
        ("top5_overlap", bounds, percent / 100 + 0.004),
        ("total_variation", [1 - end for end in bounds[::-1]], 0.996 - percent / 100),
    ):
        test = LEVEL | {"measures": [measure], "bounds": ends}
        rows = [estimate(value, se, measure)]
        verdicts.append(judged(test, tables(estimates=rows), RELU).verdict)
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(("value", "verdict"), [(0.83, UNDECIDED), (0.2, REFUTED)])
def test_a_level_of_every_activation_is_not_supported_by_some(value, verdict) -> None:
    study = parse_study(tiny_config(activations=["relu", "gelu"]))
    rows = [estimate(value, 0.001, "churn", step) for step in (50, 100)]
    rows += [estimate(0.27, 0.001, "val_accuracy", step) for step in (50, 100)]
    others = [estimate(0.5, 0.001, "churn") | {"activation": "gelu"}]
    others += [estimate(0.9, 0.001, "val_accuracy") | {"activation": "gelu"}]
    # Without rows, and where it never was.
    for test, more in ((LEVEL, []), (LEVEL | {"at": AT}, []), (LEVEL | {"at": AT}, others)):
        result = judged(test, tables(estimates=[*rows, *more]), study)
        assert (result.verdict, result.tally[NOT_MEASURED]) == (verdict, 1)
        assert any("GELU" in str(f.data) for part in result.everything() for f in part.facts)
    both = [*rows, *(row | {"activation": "gelu"} for row in rows)]
    assert judged(LEVEL, tables(estimates=both), study).tally.total() == 2
    assert judged(LEVEL, tables(estimates=both), study).verdict != UNDECIDED


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [(0.05, 0.001, SUPPORTED), (0.7, 0.01, REFUTED), (0.1, 0.01, UNDECIDED)],
)
@pytest.mark.parametrize("other", ["other_models", "other_measures"])
def test_levels_over_those_of_others(value, se, other, verdict) -> None:
    name = {"other_models": "tinylstm", "other_measures": "total_variation"}[other]
    test = {"kind": "level", "measures": ["relative_pd"], other: [name], "bounds": [None, 0.1]}
    one, rest = estimate(value, se), estimate(1.0, 0.01)
    models = {"charlm": tables(estimates=[one]), "tinylstm": tables(estimates=[rest])}
    if other == "other_measures":
        models = {"charlm": tables(estimates=[one, rest | {"measure": name}])}
    assert judged(test, models, RELU).verdict == verdict
    assert judged(test, {"charlm": tables(estimates=[one])}, RELU).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (spread(0.0, 0.4), SUPPORTED),
        (spread(2.0, 4.0), REFUTED),
        (spread(2.0, 4.0, p=0.2), UNDECIDED),
        (spread(0.0, 4.0), UNDECIDED),
        (spread(None, None, seeds=2), UNDECIDED),
        (spread(0.0, 0.0, 1.0), UNDECIDED),
        (spread(0.0, 0.4, activations=5), UNDECIDED),
        (spread(2.0, 4.0, activations=5), UNDECIDED),
        (None, NOT_MEASURED),
    ],
)
def test_a_small_spread_needs_interval_and_omnibus(row, verdict) -> None:
    test = {"kind": "spread", "measure": "relative_pd", "at_most": 0.5}
    result = judged(test, tables(sensitivity=[row] if row else []))
    assert result.verdict == verdict
    if row and row["low"] is None:
        assert result.seeds_more == 1


def test_a_spread_over_several_models_is_too_large_at_the_level_over_their_number() -> None:
    levels = np.linspace(0.9, 1.1, 6)[:, None]
    values = levels + np.random.default_rng(3).normal(0, 0.05, (6, 8))
    one, all_ = (activation_spread(values, 1 - 0.05 / count) for count in (1, 2))
    assert one.low > all_.low > 0
    row = spread(one.low, one.high) | {name: getattr(one, name) for name in SPREAD}
    claim = {"kind": "spread", "measure": "relative_pd"}
    models = dict.fromkeys(TWO["models"], tables(sensitivity=[row]))
    for at_most, verdict in (((one.low + all_.low) / 2, UNDECIDED), (all_.low * 0.99, REFUTED)):
        assert judged(claim | {"at_most": at_most}, models).verdict == REFUTED
        both = judged(claim | TWO | {"at_most": at_most}, models)
        assert both.verdict == verdict
        assert both.figures[0].interval == pytest.approx((all_.low, all_.high))
        assert both.figures[0].level == pytest.approx(0.975)


@pytest.mark.parametrize(
    ("small", "verdict"), [((1, 2), SUPPORTED), ((9, 10), REFUTED), ((4, 6), UNDECIDED)]
)
@pytest.mark.parametrize("order", ["falling", "by_size"])
def test_orders_of_models_need_intervals_apart(order, small, verdict) -> None:
    large = Tables(cells=[cell(parameters=5000)], sensitivity=[spread(5, 8)])
    both = {"charlm": large, "tinylstm": tables(sensitivity=[spread(*small)])}
    test = {"kind": "spread", "measure": "relative_pd", "order": order} | TWO
    assert judged(test, both).verdict == verdict
    assert judged(test, {"charlm": large}).verdict == NOT_MEASURED
    alike = both | {"charlm": tables(sensitivity=[spread(5, 8)])}
    expected = NOT_MEASURED if order == "by_size" else verdict
    assert judged(test, alike).verdict == expected
