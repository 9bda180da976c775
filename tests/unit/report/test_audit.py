"""The audit of published claims: its primitives, the printed arithmetic, what is missing."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from audit_scenarios import ACTIVATIONS, NAMED, SCENARIOS, ratio_errors, scenario

from conftest import ROOT, one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.report.audit.claims import Claim, load_claims, parse_claims
from reprocore.report.audit.evidence import Evidence, Tables, read_evidence
from reprocore.report.audit.outcome import (
    NOT_MEASURED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Figure,
    Outcome,
    all_of,
    at_least,
    outcome,
)
from reprocore.report.audit.printed import cv_range, percent_range
from reprocore.report.audit.table import (
    AUDIT_SCHEMA,
    JUDGES,
    SHOWN,
    WORDS,
    audit_table,
    audit_text,
    figure_text,
    judge,
    write_audit,
)
from reprocore.store.schemas import (
    CELLS_SCHEMA,
    CONTRASTS_SCHEMA,
    CURVES_SCHEMA,
    ESTIMATES_SCHEMA,
    SENSITIVITY_SCHEMA,
)
from reprocore.store.tables import read_table, write_table
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import (
    ClaimReason,
    ClaimVerdict,
    Condition,
    ContrastVerdict,
    Family,
    Reason,
)

SHIPPED = ROOT / "config" / "claims.yaml"
GOLDEN = Path(__file__).with_name("audit_golden.json")
SCHEMAS = {
    "estimates": ESTIMATES_SCHEMA,
    "contrasts": CONTRASTS_SCHEMA,
    "sensitivity": SENSITIVITY_SCHEMA,
    "cells": CELLS_SCHEMA,
    "curves": CURVES_SCHEMA,
}
LETTERS = {SUPPORTED: "S", REFUTED: "R", UNDECIDED: "U", NOT_MEASURED: "N"}
BETTER, WORSE = ContrastVerdict.MORE_REPRODUCIBLE, ContrastVerdict.LESS_REPRODUCIBLE
SAME, OPEN = ContrastVerdict.EQUIVALENT, ContrastVerdict.UNDECIDED


@pytest.fixture(scope="module")
def study() -> Study:
    return parse_study(tiny_config(activations=list(ACTIVATIONS)))


@pytest.fixture(scope="module")
def shipped(study: Study) -> tuple[Claim, ...]:
    return load_claims(SHIPPED, study)


def evidence_of(study: Study, name: str) -> Evidence:
    return Evidence(study, {model: Tables(**rows) for model, rows in scenario(name).items()})


def row_of(table: str, **values: Any) -> dict[str, Any]:
    """Return a row of a table in which everything else is null."""
    row = dict.fromkeys(SCHEMAS[table].names)
    assert set(values) <= set(row), set(values) - set(row)
    return row | {"arm": "all", "reason": ""} | values if "reason" in row else row | values


def estimate(value: float, se: float | None, measure: str = "relative_pd", step: int = 100) -> Any:
    figures = {"estimate": value, "se": se, "seeds": 10, "dof": 9.0}
    return row_of("estimates", activation="relu", measure=measure, step=step, **figures)


def contrast(first: str, second: str, verdict: str, p: float = 1e-4, **more: Any) -> Any:
    labels = {
        "measure": "relative_pd",
        "condition": Condition.FINAL,
        "family": Family.ALL_PAIRS,
        "first": first,
        "second": second,
    }
    if more.get("ratio_low") is not None:
        half = math.log(more["ratio_high"] / more["ratio_low"]) / 2
        more |= {"ratio": math.sqrt(more["ratio_low"] * more["ratio_high"])}
        more |= ratio_errors(half, 9)
    return row_of("contrasts", **{"verdict": verdict, "p_adjusted": p, "seeds": 10} | labels | more)


def spread(low: float | None, high: float | None, p: float = 0.001, **more: Any) -> dict[str, Any]:
    labels = {"measure": "relative_pd", "condition": Condition.FINAL, "seeds": 10}
    figures = {"corrected": high, "low": low, "high": high, "p_omnibus": p}
    return row_of("sensitivity", **figures | labels | more)


def cell(**more: Any) -> dict[str, Any]:
    values = {"activation": "relu", "seed": 1, "parameters": 1000, "beats_unigram": True}
    return row_of("cells", **values | {"environment": "one machine"} | more)


def tables(**rows: Any) -> Tables:
    return Tables(**{"cells": [cell()], **rows})


def judged(study: Study, test: dict[str, Any], models: dict[str, Tables] | Tables) -> Outcome:
    """Judge a claim on the models that are given, or only on `charlm`."""
    if isinstance(models, Tables):
        models = {"charlm": models}
    if test["kind"] in ("contrast", "between", "level", "spread"):
        test = {"models": ["charlm"], **test}
    content = [{"id": "one", "text": "A claim.", "reported": "0", "test": test}]
    return judge(parse_claims(content, "claims.yaml", study)[0], Evidence(study, models))


@pytest.mark.slow
def test_verdicts_are_those_of_the_golden_scenarios(study, shipped) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert list(golden) == [claim.id for claim in shipped]
    verdicts: dict[str, str] = dict.fromkeys(golden, "")
    seeds: dict[str, dict[str, int]] = {claim.id: {} for claim in shipped}
    for name in SCENARIOS:
        evidence = evidence_of(study, name)
        for claim in shipped:
            result = judge(claim, evidence)
            verdicts[claim.id] += LETTERS[result.verdict]
            if result.seeds_more is not None:
                seeds[claim.id][name] = result.seeds_more
    for claim in shipped:
        assert verdicts[claim.id] == golden[claim.id]["verdicts"], claim.id
        assert seeds[claim.id] == golden[claim.id]["seeds_more"], claim.id
        if not claim.test.kind.startswith("printed"):
            # Supported, refuted, undecided, not measured: in the scenarios of those names.
            assert verdicts[claim.id][: len(NAMED)] == "SRUN", claim.id


def test_scenarios_name_columns_that_the_tables_have() -> None:
    for rows in scenario("claimed").values():
        for table, schema in SCHEMAS.items():
            assert set(rows[table][0]) <= set(schema.names), table


CONTRAST = {"kind": "contrast", "measures": ["relative_pd"], "first": ["gelu"]}
ORDER = CONTRAST | {"second": ["relu"]}
BETWEEN = ORDER | {"kind": "between", "bounds": [None, 0.56]}
TWO = {"models": ["charlm", "tinylstm"]}


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
def test_an_order_follows_the_verdict_of_the_contrast(study, row, verdict, reason) -> None:
    result = judged(study, ORDER, tables(contrasts=[row]))
    assert (result.verdict, result.facts[0].reason) == (verdict, reason)


def test_a_contrast_with_the_reference_is_that_of_its_family(study) -> None:
    rows = [contrast("gelu", "relu", OPEN), contrast("gelu", "relu", BETTER, family="reference")]
    assert judged(study, ORDER, tables(contrasts=rows)).verdict == SUPPORTED
    assert judged(study, ORDER, tables(contrasts=rows[::-1])).verdict == SUPPORTED


def test_a_claim_over_models_needs_all_and_is_refuted_by_one(study) -> None:
    good = tables(contrasts=[contrast("gelu", "relu", BETTER)])
    bad = tables(contrasts=[contrast("gelu", "relu", WORSE)])
    weak = tables(contrasts=[contrast("gelu", "relu", WORSE, p=0.04)])
    assert judged(study, ORDER | TWO, {"charlm": good, "tinylstm": good}).verdict == SUPPORTED
    assert judged(study, ORDER | TWO, {"charlm": good, "tinylstm": bad}).verdict == REFUTED
    assert judged(study, ORDER | TWO, {"tinylstm": bad}).verdict == REFUTED
    part = judged(study, ORDER | TWO, {"charlm": good})
    assert part.verdict == UNDECIDED
    assert [fact.reason for fact in part.facts] == [
        ClaimReason.PARTLY_MEASURED,
        ClaimReason.NOT_RUN,
    ]
    # A refutation must stand for the number of models.
    assert judged(study, ORDER, weak).verdict == REFUTED
    assert judged(study, ORDER | TWO, {"charlm": weak, "tinylstm": weak}).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("planned", "more"),
    [({"seeds_for_10": 14, "seeds_for_5": 50}, 4), ({"seeds_for_10": 9, "seeds_for_5": 50}, 40)],
)
def test_an_undecided_order_says_how_many_seeds_it_needs(study, planned, more) -> None:
    rows = [contrast("gelu", "relu", OPEN)]
    kept = tables(contrasts=rows, sensitivity=[spread(1, 2, **planned)])
    assert judged(study, ORDER, kept).seeds_more == more
    assert judged(study, ORDER, tables(contrasts=rows)).seeds_more is None


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
def test_quantifiers_over_activations(study, quantifier, both, verdict) -> None:
    test = CONTRAST | {"second": ["relu", "swish"], "quantifier": quantifier}
    pairs = zip(("relu", "swish"), both, strict=True)
    kept = tables(contrasts=[contrast("gelu", b, word) for b, word in pairs if word])
    assert judged(study, test, kept).verdict == verdict
    assert judged(study, test, tables()).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (ContrastVerdict.HIGHER, SUPPORTED),
        (SAME, SUPPORTED),
        (ContrastVerdict.LOWER, REFUTED),
        (OPEN, UNDECIDED),
    ],
)
def test_a_trade_off_between_measures(study, accuracy, verdict) -> None:
    rows = [
        contrast("gelu", "relu", BETTER),
        contrast("gelu", "relu", accuracy, measure="val_accuracy"),
    ]
    both = ["relu", "gelu"]
    test = CONTRAST | {"relation": "no_worse", "measures": ["relative_pd", "val_accuracy"]}
    test |= {"first": both, "second": both, "first_quantifier": "some"}
    assert judged(study, test, tables(contrasts=rows)).verdict == verdict


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
def test_ratios_are_judged_by_their_intervals(study, quantifier, ratios, verdict) -> None:
    test = BETWEEN | {"second": ["relu", "swish"], "quantifier": quantifier}
    ends = zip(("relu", "swish"), ratios, strict=True)
    rows = [contrast("gelu", b, OPEN, ratio_low=x, ratio_high=y) for b, (x, y) in ends]
    # Named the other way round, the ratio is the inverse.
    turned = [
        contrast(b, "gelu", OPEN, ratio_low=y and 1 / y, ratio_high=x and 1 / x)
        for b, (x, y) in zip(("relu", "swish"), ratios, strict=True)
    ]
    for kept in (rows, turned):
        assert judged(study, test, tables(contrasts=kept)).verdict == verdict


@pytest.mark.parametrize(
    ("difference", "se", "verdict"),
    [(1e-6, 1e-6, SUPPORTED), (0.01, 1e-4, REFUTED), (1e-4, 1e-3, UNDECIDED), (0, 0, UNDECIDED)],
)
def test_equality_to_decimals_is_judged_by_the_difference(study, difference, se, verdict) -> None:
    test = {"kind": "between", "figure": "difference", "bounds": [-1e-4, 1e-4]}
    test |= {"measures": ["relative_pd"], "first": ["swish"], "second": ["gelu"]}
    rows = [contrast("gelu", "swish", OPEN, difference=difference, se=se, dof=9)]
    assert judged(study, test, tables(contrasts=rows)).verdict == verdict


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
def test_times_are_compared_on_one_machine(study, speed, noise, verdict) -> None:
    test = {"kind": "between", "measures": ["time"], "first": ["gelu"], "second": ["relu"]}
    test |= {"bounds": [1.2, 1.2], "within_margin": True}
    curves = speeds("gelu", speed, noise) + speeds("relu", 120.0, noise)
    unlearned = Tables(cells=[cell(beats_unigram=False)], curves=curves)
    mixed = Tables(cells=[cell(), cell(activation="gelu", environment="another")], curves=curves)
    assert judged(study, test, unlearned).verdict == verdict
    assert judged(study, test, mixed).facts[0].reason == ClaimReason.OTHER_MACHINE
    busy = judged(study.model_copy(update={"timed": False}), test, unlearned)
    assert (busy.verdict, busy.facts[0].reason) == (NOT_MEASURED, ClaimReason.NOT_TIMED)
    assert judged(study, test, tables(curves=curves[:30])).verdict == NOT_MEASURED
    few = [row for row in curves if row["seed"] < 2]
    assert judged(study, test, tables(curves=few)).seeds_more == 1


LEVEL = {"kind": "level", "measures": ["churn"], "bounds": [0.82, 0.84], "within_margin": True}


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
def test_a_level_is_judged_by_its_interval(study, value, se, verdict) -> None:
    result = judged(study, LEVEL, tables(estimates=[estimate(value, se, "churn")]))
    assert result.verdict == verdict
    assert (result.seeds_more is not None) == ((value, se) == (0.90, 0.05))


def test_a_level_on_a_bound_decides_nothing(study) -> None:
    row = estimate(1.0, 0.01, "churn") | {"dof": None, "reason": Reason.ON_A_BOUND}
    result = judged(study, LEVEL, tables(estimates=[row]))
    assert result.verdict == UNDECIDED
    assert [fact.reason for fact in result.facts] == [ClaimReason.NO_INTERVAL]


@pytest.mark.parametrize(("share_of_seeds", "known"), [(1.0, True), (0.9, True), (0.3, False)])
def test_more_seeds_do_not_help_where_the_text_leaves_too_much_open(
    study, share_of_seeds: float, known: bool
) -> None:
    row = estimate(0.9, 0.05, "churn")
    row["se_seeds"] = 0.05 * share_of_seeds
    result = judged(study, LEVEL, tables(estimates=[row]))
    assert (result.verdict, result.seeds_more is not None) == (UNDECIDED, known)


def test_a_level_where_another_quantity_was_reached(study) -> None:
    test = LEVEL | {"at": {"measure": "val_accuracy", "value": 0.27}}
    values = {10: (0.15, 0.1), 50: (0.28, 0.83), 100: (0.5, 0.1)}
    rows = [estimate(accuracy, 0.001, "val_accuracy", s) for s, (accuracy, _) in values.items()]
    rows += [estimate(churn, 0.001, "churn", step) for step, (_, churn) in values.items()]
    assert judged(study, test, tables(estimates=rows)).verdict == SUPPORTED
    late = [row for row in rows if row["step"] != 50]
    assert judged(study, test, tables(estimates=late)).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [(0.05, 0.001, SUPPORTED), (0.7, 0.01, REFUTED), (0.1, 0.01, UNDECIDED)],
)
@pytest.mark.parametrize("other", ["other_models", "other_measures"])
def test_levels_over_those_of_others(study, value, se, other, verdict) -> None:
    name = {"other_models": "tinylstm", "other_measures": "total_variation"}[other]
    test = {"kind": "level", "measures": ["relative_pd"], other: [name], "bounds": [None, 0.1]}
    one, rest = estimate(value, se), estimate(1.0, 0.01)
    models = {"charlm": tables(estimates=[one]), "tinylstm": tables(estimates=[rest])}
    if other == "other_measures":
        models = {"charlm": tables(estimates=[one, rest | {"measure": name}])}
    assert judged(study, test, models).verdict == verdict
    assert judged(study, test, {"charlm": tables(estimates=[one])}).verdict == NOT_MEASURED


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (spread(0.0, 0.4), SUPPORTED),
        (spread(2.0, 4.0), REFUTED),
        (spread(2.0, 4.0, p=0.2), UNDECIDED),
        (spread(0.0, 4.0), UNDECIDED),
        (spread(None, None, seeds=2), UNDECIDED),
        (spread(0.0, 0.0, 1.0), UNDECIDED),
        (None, NOT_MEASURED),
    ],
)
def test_a_small_spread_needs_interval_and_omnibus(study, row, verdict) -> None:
    test = {"kind": "spread", "measure": "relative_pd", "at_most": 0.5}
    result = judged(study, test, tables(sensitivity=[row] if row else []))
    assert result.verdict == verdict
    if row and row["low"] is None:
        assert result.seeds_more == 1


@pytest.mark.parametrize(
    ("small", "verdict"), [((1, 2), SUPPORTED), ((9, 10), REFUTED), ((4, 6), UNDECIDED)]
)
@pytest.mark.parametrize("order", ["falling", "by_size"])
def test_orders_of_models_need_intervals_apart(study, order, small, verdict) -> None:
    large = Tables(cells=[cell(parameters=5000)], sensitivity=[spread(5, 8)])
    both = {"charlm": large, "tinylstm": tables(sensitivity=[spread(*small)])}
    test = {"kind": "spread", "measure": "relative_pd", "order": order} | TWO
    assert judged(study, test, both).verdict == verdict
    assert judged(study, test, {"charlm": large}).verdict == NOT_MEASURED
    alike = both | {"charlm": tables(sensitivity=[spread(5, 8)])}
    expected = NOT_MEASURED if order == "by_size" else verdict
    assert judged(study, test, alike).verdict == expected


def test_models_that_learned_nothing_decide_nothing(study) -> None:
    rows = [contrast("gelu", "relu", BETTER)]
    result = judged(study, ORDER, Tables(cells=[cell(beats_unigram=False)], contrasts=rows))
    assert result.verdict == UNDECIDED
    reasons = [fact.reason for fact in result.facts]
    assert reasons == [ClaimReason.WITHHELD, ClaimReason.ABOVE_UNIGRAM, ClaimReason.BETTER]


def test_percentages_by_hand() -> None:
    single, mean = percent_range(0.594, (0.905, 1.095), 4)
    assert single == pytest.approx((34.4, 45.8), abs=0.05)
    sums = (3 * 0.905 + 1.095, 0.905 + 3 * 1.095)
    assert mean == pytest.approx([100 * (1 - 0.594 * 4 / total) for total in sums])


def test_the_range_of_a_printed_cv_is_that_of_a_search() -> None:
    low, high = cv_range((0.594,), 0.905, 1.095, 5)
    grid = itertools.product(np.linspace(0.905, 1.095, 96), repeat=2)
    samples = np.array([[0.594, 0.905, 1.095, a, b] for a, b in grid])
    cvs = 100 * samples.std(axis=1, ddof=1) / samples.mean(axis=1)
    assert (low, high) == pytest.approx((cvs.min(), cvs.max()), abs=2e-3)


PERCENT = {"kind": "printed_percent", "value": 0.594, "others": [0.905, 1.095], "count": 4}
DISAGREEMENT = {"kind": "printed_disagreement", "claimed": [0.83, 0.95]}
PRINTED_CV = {"kind": "printed_cv", "known": [0.594], "others": [0.905, 1.095], "count": 5}
TIMES = {"kind": "printed_times", "value": 0.049, "others": [0.594, 1.095], "bounds": [10, 30]}


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        (PERCENT | {"claimed": 45}, REFUTED),
        (PERCENT | {"claimed": 34}, SUPPORTED),
        ({"kind": "printed_percent", "value": 0.6, "others": [0.5]}, REFUTED),
        ({"kind": "printed_percent", "value": 0.5, "others": [0.6], "seeds": 2}, UNDECIDED),
        (TIMES, SUPPORTED),
        (TIMES | {"bounds": [15, 30]}, REFUTED),
        (PRINTED_CV | {"claimed": 21.89}, SUPPORTED),
        (PRINTED_CV | {"claimed": 25.0}, REFUTED),
        (DISAGREEMENT | {"accuracy": 0.59}, REFUTED),
        (DISAGREEMENT | {"accuracy": 0.27}, SUPPORTED),
    ],
)
def test_printed_figures_are_recomputed_without_any_data(study, test, verdict) -> None:
    assert judged(study, test, {}).verdict == verdict


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
    assert all_of(parts) == at_least(3, parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": ORDER | {"models": ["charml"]}}, "did you mean 'charlm'"),
        ({"test": ORDER | {"models": ["charlm"], "measures": ["pd"]}}, "unknown measure 'pd'"),
        ({"test": BETWEEN | {"models": ["charlm"], "measures": ["pd"]}}, "unknown measure 'pd'"),
        ({"test": ORDER | {"models": ["charlm"], "first": ["gellu"]}}, "did you mean 'gelu'"),
        ({"test": ORDER | {"models": ["charlm"], "second": ["gelu"]}}, "fewer than 1"),
        ({"test": ORDER | {"models": ["charlm"], "quantifier": 2}}, "fewer than 2"),
        ({"test": ORDER | {"models": ["charlm"], "quantifier": "all"}}, "neither each nor some"),
        ({"test": {"kind": "contrats"}}, "expected tags: 'contrast'"),
        ({"test": {}}, "discriminator 'kind'"),
        ({"test": ORDER | {"models": ["charlm"], "model": "a"}}, "unknown key 'model'"),
        ({"test": {"kind": "spread", "models": ["charlm"], "measure": "churn"}}, "needs one of"),
        ({"test": PRINTED_CV | {"claimed": 1, "count": 2}}, "3 figures are printed"),
        ({"test": TIMES | {"bounds": [3, 1]}}, "the lower end comes first"),
        ({"text": ""}, "text"),
        ({"sauce": "report"}, "did you mean 'source'"),
    ],
)
def test_a_wrong_claim_is_refused_in_one_line(study, change, message) -> None:
    claim = {"id": "this-one", "text": "A claim.", "reported": "1", "test": TIMES, **change}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim], "claims.yaml", study)
    line = one_line(error)
    assert line.startswith("claims.yaml: claim this-one")
    assert message in line


def test_a_claim_listed_twice_is_refused(study) -> None:
    claim = {"id": "this-one", "text": "A.", "reported": "1", "test": TIMES}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim, claim], "claims.yaml", study)
    assert "listed twice" in one_line(error)


@pytest.mark.parametrize("content", ["[1]", "a: 1", "]", None])
def test_a_file_without_claims_is_refused(study, tmp_path: Path, content) -> None:
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReprocoreError) as error:
        load_claims(path, study)
    assert str(path) in one_line(error)


def test_the_shipped_claims_use_all_kinds_and_name_what_was_published(shipped) -> None:
    assert {claim.test.kind for claim in shipped} == set(JUDGES)
    text = SHIPPED.read_text("utf-8")
    for figure in ("0.594", "0.905–1.095", "23–44%", "0.049", "26.94", "21.89", "16.65", "10.32"):
        assert figure in text


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(ClaimReason)


def test_the_table_holds_all_facts_and_the_text_only_the_first(study, shipped) -> None:
    rows = {
        row["id"]: row for row in audit_table(shipped, evidence_of(study, "claimed")).to_pylist()
    }
    row = rows["smooth-beats-relu"]
    # 6 models × 4 smooth activations against ReLU.
    assert len(row["measured"].split("\n")) == len(row["reason"].split("\n")) == 24
    assert " more" not in row["measured"] + row["reason"]
    line = next(x for x in audit_text(study, [row]).splitlines() if row["claim"] in x)
    assert line.count(f"; {24 - SHOWN} more in audit.parquet") == 2
    # What decides nothing is kept as well.
    rows = {r["id"]: r for r in audit_table(shipped, evidence_of(study, "opposite")).to_pylist()}
    row = rows["relu-worst"]
    assert (row["verdict"], set(row["codes"].split("\n"))) == ("refuted", {"worse"})
    rows = {r["id"]: r for r in audit_table(shipped, evidence_of(study, "mixed-3")).to_pylist()}
    assert "the first is better" in rows["gelu-top-three"]["beside"]
    assert "the first is better" not in rows["gelu-top-three"]["reason"]


@pytest.mark.parametrize("name", ["absent", "noisy", "mixed-0", "mixed-3", "mixed-9"])
def test_the_text_is_a_table_without_a_number_that_is_none(
    study, shipped, tmp_path: Path, name
) -> None:
    table = audit_table(shipped, evidence_of(study, name))
    out = {"parquet": tmp_path / "audit.parquet", "markdown": tmp_path / "audit.md"}
    write_audit(table, study, out)
    text = (tmp_path / "audit.md").read_text("utf-8")
    assert text == audit_text(study, table.to_pylist())
    assert not {"nan", "none", "inf", "null"} & set(text.lower().replace("|", " ").split())
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len(body) == len(table) + 2
    assert len({line.count("|") for line in body}) == 1
    assert all(table["reason"].to_pylist())
    assert read_table(tmp_path / "audit.parquet", AUDIT_SCHEMA) == table


def test_tables_are_read_from_files(study, shipped, tmp_path: Path) -> None:
    files = {name: [tmp_path / f"{name}.parquet"] for name in SCHEMAS}
    for name, schema in SCHEMAS.items():
        write_table(files[name][0], schema.empty_table())
    full = {"model": "charlm", "train_seconds": 1.0, "val_loss": 2.0, "val_accuracy": 0.3}
    full |= {"unigram_entropy": 3.3, "probe_hash": "p", "source": "s"}
    rows = [cell(**full, arm=arm) for arm in ("all", "init")]
    write_table(tmp_path / "cells.parquet", pa.Table.from_pylist(rows, schema=CELLS_SCHEMA))
    evidence = read_evidence(study, files)
    assert len(evidence.models["charlm"].cells) == 1
    assert len(audit_table(shipped, evidence)) == len(shipped)
    (tmp_path / "contrasts.parquet").unlink()
    with pytest.raises(ReprocoreError) as error:
        read_evidence(study, files)
    assert "contrasts.parquet" in one_line(error)


def test_a_figure_names_the_level_of_its_interval() -> None:
    figure = Figure("charlm: churn", 0.25, (0.2, 0.3), level=1 - 0.05 / 15)
    assert figure_text(figure) == "charlm: churn 0.25 [0.2, 0.3] (99.67% interval)"
    assert figure_text(figure._replace(level=None)) == "charlm: churn 0.25 [0.2, 0.3]"
