"""The audit of claims about contrasts: orders of activations, ratios, differences and times."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from audit_rows import (
    BETTER,
    BETWEEN,
    CONTRAST,
    OPEN,
    ORDER,
    SAME,
    STUDY,
    TWO,
    WORSE,
    cell,
    contrast,
    judged,
    row_of,
    spread,
    tables,
)

from reprocore.report.audit.evidence import Tables
from reprocore.report.audit.outcome import (
    NOT_MEASURED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    all_of,
    at_least,
    outcome,
)
from reprocore.statistics.tests_over_seeds import ratio_interval
from reprocore.vocabulary import ClaimReason, ClaimVerdict, ContrastVerdict


@pytest.mark.parametrize(
    ("row", "verdict", "reason"),
    [
        (contrast("gelu", "relu", BETTER), SUPPORTED, ClaimReason.BETTER),
        (contrast("relu", "gelu", WORSE), SUPPORTED, ClaimReason.BETTER),
        (contrast("gelu", "relu", WORSE), REFUTED, ClaimReason.WORSE),
        (contrast("relu", "gelu", BETTER), REFUTED, ClaimReason.WORSE),
        (contrast("gelu", "relu", SAME), UNDECIDED, ClaimReason.EQUIVALENT),
        (contrast("gelu", "relu", OPEN), UNDECIDED, ClaimReason.NOT_SEPARATED),
        (contrast("gelu", "relu", BETTER, measure="churn"), NOT_MEASURED, ClaimReason.NOT_THERE),
    ],
)
def test_an_order_follows_the_verdict_of_the_contrast(row, verdict, reason) -> None:
    result = judged(ORDER, tables(contrasts=[row]))
    assert (result.verdict, result.facts[0].reason) == (verdict, reason)


def test_a_contrast_with_the_reference_is_that_of_its_family() -> None:
    rows = [contrast("gelu", "relu", OPEN), contrast("gelu", "relu", BETTER, family="reference")]
    assert judged(ORDER, tables(contrasts=rows)).verdict == SUPPORTED
    assert judged(ORDER, tables(contrasts=rows[::-1])).verdict == SUPPORTED


def test_a_claim_over_models_needs_all_and_is_refuted_by_one() -> None:
    good = tables(contrasts=[contrast("gelu", "relu", BETTER)])
    bad = tables(contrasts=[contrast("gelu", "relu", WORSE)])
    weak = tables(contrasts=[contrast("gelu", "relu", WORSE, p=0.04)])
    assert judged(ORDER | TWO, {"charlm": good, "tinylstm": good}).verdict == SUPPORTED
    assert judged(ORDER | TWO, {"charlm": good, "tinylstm": bad}).verdict == REFUTED
    assert judged(ORDER | TWO, {"tinylstm": bad}).verdict == REFUTED
    part = judged(ORDER | TWO, {"charlm": good})
    assert part.verdict == UNDECIDED
    assert [fact.reason for fact in part.facts] == [
        ClaimReason.PARTLY_MEASURED,
        ClaimReason.NOT_RUN,
    ]
    # A refutation must stand for the number of models.
    assert judged(ORDER, weak).verdict == REFUTED
    assert judged(ORDER | TWO, {"charlm": weak, "tinylstm": weak}).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("planned", "more"),
    [({"seeds_for_10": 14, "seeds_for_5": 50}, 4), ({"seeds_for_10": 9, "seeds_for_5": 50}, 40)],
)
def test_an_undecided_order_says_how_many_seeds_it_needs(planned, more) -> None:
    rows = [contrast("gelu", "relu", OPEN)]
    kept = tables(contrasts=rows, sensitivity=[spread(1, 2, **planned)])
    assert judged(ORDER, kept).seeds_more == more
    assert judged(ORDER, tables(contrasts=rows)).seeds_more is None


def test_models_that_learned_nothing_decide_nothing() -> None:
    rows = [contrast("gelu", "relu", BETTER)]
    result = judged(ORDER, Tables(cells=[cell(beats_unigram=False)], contrasts=rows))
    assert result.verdict == UNDECIDED
    reasons = [fact.reason for fact in result.facts]
    assert reasons == [ClaimReason.WITHHELD, ClaimReason.ABOVE_UNIGRAM, ClaimReason.BETTER]


@pytest.mark.parametrize(
    ("quantifier", "both", "verdict"),
    [
        ("each", (BETTER, BETTER), SUPPORTED),
        ("each", (BETTER, WORSE), REFUTED),
        ("each", (BETTER, OPEN), UNDECIDED),
        ("some", (BETTER, OPEN), SUPPORTED),
        ("some", (WORSE, WORSE), REFUTED),
        ("some", (WORSE, SAME), UNDECIDED),
        ("some", (WORSE, None), UNDECIDED),
        (2, (BETTER, BETTER), SUPPORTED),
        (2, (WORSE, OPEN), REFUTED),
        (2, (BETTER, None), UNDECIDED),
    ],
)
def test_quantifiers_over_activations(quantifier, both, verdict) -> None:
    test = CONTRAST | {"second": ["relu", "swish"], "quantifier": quantifier}
    pairs = zip(("relu", "swish"), both, strict=True)
    kept = tables(contrasts=[contrast("gelu", b, word) for b, word in pairs if word])
    assert judged(test, kept).verdict == verdict
    assert judged(test, tables()).verdict == NOT_MEASURED


@pytest.mark.parametrize("verdicts", list(itertools.combinations_with_replacement(ClaimVerdict, 3)))
def test_outcomes_of_parts_are_combined_and_none_is_lost(verdicts) -> None:
    parts = [
        outcome(verdict, ClaimReason.NOT_RUN, model=str(i)) for i, verdict in enumerate(verdicts)
    ]
    holding, failing, _, gaps = (verdicts.count(verdict) for verdict in ClaimVerdict)
    for count in (1, 2, 3):
        result = at_least(count, parts)
        assert (result.verdict == SUPPORTED) == (holding >= count)
        assert (result.verdict == REFUTED) == (failing > 3 - count)
        assert (result.verdict == NOT_MEASURED) == (gaps == 3)
        facts = [fact for part in result.everything() for fact in part.facts]
        assert {f.data["model"] for f in facts if f.data} == {"0", "1", "2"}
        assert all_of([result, *parts]).tally == Counter(verdicts * 2)
    assert all_of(parts) == at_least(3, parts)


@pytest.mark.parametrize(("count", "more"), [(1, 3), (2, 7), (3, None)])
def test_seeds_to_add_are_those_of_as_many_parts_as_lack(count, more) -> None:
    parts = [outcome(UNDECIDED, ClaimReason.NOT_SEPARATED, more=seeds) for seeds in (7, None, 3)]
    assert at_least(count, parts).seeds_more == more
    holding = outcome(SUPPORTED, ClaimReason.BETTER)
    assert at_least(count + 1, [*parts, holding]).seeds_more == more
    assert all_of(parts[::2]).seeds_more == 7


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (ContrastVerdict.HIGHER, SUPPORTED),
        (SAME, SUPPORTED),
        (ContrastVerdict.LOWER, REFUTED),
        (OPEN, UNDECIDED),
    ],
)
def test_a_trade_off_between_measures(accuracy, verdict) -> None:
    rows = [
        contrast("gelu", "relu", BETTER),
        contrast("gelu", "relu", accuracy, measure="val_accuracy"),
    ]
    both = ["relu", "gelu"]
    test = CONTRAST | {"relation": "no_worse", "measures": ["relative_pd", "val_accuracy"]}
    test |= {"first": both, "second": both, "first_quantifier": "some"}
    assert judged(test, tables(contrasts=rows)).verdict == verdict


@pytest.mark.parametrize(
    ("quantifier", "ratios", "verdict"),
    [
        ("each", [(0.3, 0.4), (0.4, 0.5)], SUPPORTED),
        ("each", [(0.3, 0.4), (0.7, 0.8)], REFUTED),
        ("each", [(0.3, 0.4), (0.4, 0.8)], UNDECIDED),
        ("each", [(0.3, 0.4), (None, None)], UNDECIDED),
        ("some", [(0.3, 0.4), (0.7, 0.8)], SUPPORTED),
        ("some", [(0.7, 0.8), (0.7, 0.8)], REFUTED),
    ],
)
def test_ratios_are_judged_by_their_intervals(quantifier, ratios, verdict) -> None:
    test = BETWEEN | {"second": ["relu", "swish"], "quantifier": quantifier}
    ends = zip(("relu", "swish"), ratios, strict=True)
    rows = [contrast("gelu", b, OPEN, ratio_low=x, ratio_high=y) for b, (x, y) in ends]
    # Named the other way round, the ratio is the inverse.
    turned = [
        contrast(b, "gelu", OPEN, ratio_low=y and 1 / y, ratio_high=x and 1 / x)
        for b, (x, y) in zip(("relu", "swish"), ratios, strict=True)
    ]
    for kept in (rows, turned):
        assert judged(test, tables(contrasts=kept)).verdict == verdict


@pytest.mark.parametrize(
    ("bounds", "verdict", "reason"),
    [
        ([None, 0.9], SUPPORTED, ClaimReason.INSIDE),
        ([None, 0.5], UNDECIDED, ClaimReason.NOT_POSITIVE),
        ([1.2, None], REFUTED, ClaimReason.OUTSIDE),
    ],
)
def test_a_ratio_whose_interval_reaches_0_is_judged_by_it(bounds, verdict, reason) -> None:
    first, second = np.array([1.1, -0.9] * 5), np.array([1.1, 1.0, 0.9, 1.0, 1.0] * 2)
    low, high = ratio_interval(first, second) or (0.0, 0.0)
    assert low < 0 < 0.5 < high < 0.9
    cvs = [x.std(ddof=1) / len(x) ** 0.5 / x.mean() for x in (first, second)]
    row = contrast("gelu", "relu", OPEN, ratio=first.mean() / second.mean(), dof=9)
    row |= {"ratio_low": low, "ratio_high": high, "first_cv": cvs[0], "second_cv": cvs[1]}
    result = judged(BETWEEN | {"bounds": bounds}, tables(contrasts=[row]))
    assert (result.verdict, result.facts[0].reason) == (verdict, reason)
    assert result.figures[0].interval == pytest.approx((low, high))


def test_only_a_ratio_without_width_does_not_vary() -> None:
    row = contrast("gelu", "relu", OPEN, ratio_low=0.5, ratio_high=0.5)
    result = judged(BETWEEN, tables(contrasts=[row]))
    assert (result.verdict, result.facts[0].reason) == (UNDECIDED, ClaimReason.NO_VARIATION)


@pytest.mark.parametrize(
    ("difference", "se", "verdict"),
    [(1e-6, 1e-6, SUPPORTED), (0.01, 1e-4, REFUTED), (1e-4, 1e-3, UNDECIDED), (0, 0, UNDECIDED)],
)
def test_equality_to_decimals_is_judged_by_the_difference(difference, se, verdict) -> None:
    test = {"kind": "between", "figure": "difference", "bounds": [-1e-4, 1e-4]}
    test |= {"measures": ["relative_pd"], "first": ["swish"], "second": ["gelu"]}
    rows = [contrast("gelu", "swish", OPEN, difference=difference, se=se, dof=9)]
    assert judged(test, tables(contrasts=rows)).verdict == verdict


def speeds(activation: str, per_second: float, noise: float) -> list[dict[str, Any]]:
    random = np.random.default_rng(sum(map(ord, activation)))
    labels = itertools.product(range(10), (0, 50, 100))
    return [
        row_of("curves", activation=activation, seed=seed, iteration=step)
        | {"tokens_per_second": per_second * (1 + random.normal(0, noise)) if step else None}
        for seed, step in labels
    ]


@pytest.mark.parametrize(
    ("speed", "noise", "verdict"),
    [(100.0, 0.01, SUPPORTED), (120.0, 0.01, REFUTED), (112.0, 0.15, UNDECIDED)],
)
def test_times_are_compared_on_one_machine(speed, noise, verdict) -> None:
    test = {"kind": "between", "measures": ["time"], "first": ["gelu"], "second": ["relu"]}
    test |= {"bounds": [1.2, 1.2], "within_margin": True}
    curves = speeds("gelu", speed, noise) + speeds("relu", 120.0, noise)
    unlearned = Tables(cells=[cell(beats_unigram=False)], curves=curves)
    mixed = Tables(cells=[cell(), cell(activation="gelu", environment="another")], curves=curves)
    assert judged(test, unlearned).verdict == verdict
    assert judged(test, mixed).facts[0].reason == ClaimReason.OTHER_MACHINE
    busy = judged(test, unlearned, STUDY.model_copy(update={"timed": False}))
    assert (busy.verdict, busy.facts[0].reason) == (NOT_MEASURED, ClaimReason.NOT_TIMED)
    assert judged(test, tables(curves=curves[:30])).verdict == NOT_MEASURED
    few = [row for row in curves if row["seed"] < 2]
    assert judged(test, tables(curves=few)).seeds_more == 1
