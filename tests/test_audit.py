"""The audit of published claims: each kind of test, the printed arithmetic, and what is missing."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg

from conftest import ROOT, one_line, tiny_config
from reprocore.audit import AUDIT_SCHEMA, audit, audit_text, judge, read_evidence, write_audit
from reprocore.claims import KINDS, load_claims, parse_claims
from reprocore.errors import ReprocoreError
from reprocore.evidence import Evidence, Tables
from reprocore.findings import VERDICTS, Finding, all_of, any_of
from reprocore.printed import cv_range, percent_range
from reprocore.report.figures.audit import draw, write
from reprocore.store.schemas import (
    CELLS_SCHEMA,
    CONTRASTS_SCHEMA,
    CURVES_SCHEMA,
    ESTIMATES_SCHEMA,
    SENSITIVITY_SCHEMA,
)
from reprocore.store.tables import write_table
from reprocore.study.study import Study, parse_study

SEEDS = 10
ACTIVATIONS = ("relu", "gelu", "swish")
MODELS = ("charlm", "tinylstm")


def row_of(schema: Any, **values: Any) -> dict[str, Any]:
    row = {field.name: None for field in schema} | {"arm": "all", "note": ""}
    assert set(values) <= set(row), set(values) - set(row)
    return row | values


def estimate(
    value: float,
    se: float | None = 0.001,
    activation: str = "relu",
    measure: str = "relative_pd",
    step: int = 100,
    seeds: int = SEEDS,
) -> dict[str, Any]:
    return row_of(
        ESTIMATES_SCHEMA,
        activation=activation,
        measure=measure,
        step=step,
        estimate=value,
        se=se,
        seeds=seeds,
    )


def contrast(
    first: str,
    second: str,
    verdict: str,
    measure: str = "relative_pd",
    ratio: tuple[float, float] | None = None,
    p: float = 1e-4,
    difference: float = -0.1,
    se: float = 0.01,
    note: str = "",
) -> dict[str, Any]:
    ends = {} if ratio is None else {"ratio_low": ratio[0], "ratio_high": ratio[1]}
    centre = None if ratio is None else math.sqrt(ratio[0] * ratio[1])
    return row_of(
        CONTRASTS_SCHEMA,
        measure=measure,
        condition="final",
        first=first,
        second=second,
        verdict=verdict,
        ratio=centre,
        p_adjusted=p,
        difference=difference,
        se=se,
        seeds=SEEDS,
        note=note,
        **ends,
    )


def spread(
    low: float | None, high: float | None, p: float | None = 0.001, **more: Any
) -> dict[str, Any]:
    middle = None if low is None or high is None else (low + high) / 2
    values = {"cv": middle, "corrected": middle, "low": low, "high": high, "p_omnibus": p}
    labels = {"measure": "relative_pd", "condition": "final", "seeds": SEEDS}
    return row_of(SENSITIVITY_SCHEMA, **{**values, **labels, **more})


def cell(activation: str = "relu", **more: Any) -> dict[str, Any]:
    values = {"activation": activation, "seed": 1, "parameters": 1000, "beats_unigram": True}
    return row_of_cells(**{**values, "environment": "one machine", **more})


def row_of_cells(**values: Any) -> dict[str, Any]:
    return {field.name: None for field in CELLS_SCHEMA} | {"arm": "all"} | values


def speeds(activation: str, per_second: float, noise: float = 0.01) -> list[dict[str, Any]]:
    random = np.random.default_rng(sum(map(ord, activation)))
    return [
        {field.name: None for field in CURVES_SCHEMA}
        | {"arm": "all", "activation": activation, "seed": seed, "iteration": step}
        | {"tokens_per_second": None if step == 0 else per_second * (1 + random.normal(0, noise))}
        for seed in range(SEEDS)
        for step in (0, 50, 100)
    ]


@pytest.fixture(scope="module")
def study() -> Study:
    return parse_study(tiny_config(activations=list(ACTIVATIONS)))


def found(study: Study, test: dict[str, Any], tables: dict[str, Tables] | Tables | None) -> Finding:
    models = {"charlm": tables} if isinstance(tables, Tables) else tables or {}
    if "models" in KINDS[test["kind"]].model_fields:
        test = {"models": ["charlm"], **test}
    content = [{"id": "one", "text": "A claim.", "reported": "0", "test": test}]
    return judge(parse_claims(content, "claims.yaml", study)[0], Evidence(study, models))


def tables(**rows: Any) -> Tables:
    return Tables(**{"cells": [cell()], **rows})


BETTER, WORSE, SAME, OPEN = "more reproducible", "less reproducible", "equivalent", "undecided"
ORDER = {"kind": "order", "measure": "relative_pd", "better": ["gelu"], "worse": ["relu"]}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (contrast("gelu", "relu", BETTER), "supported"),
        (contrast("relu", "gelu", WORSE), "supported"),
        (contrast("gelu", "relu", WORSE), "refuted"),
        (contrast("relu", "gelu", BETTER), "refuted"),
        (contrast("gelu", "relu", SAME), "undecided"),
        (contrast("gelu", "relu", OPEN), "undecided"),
        (contrast("gelu", "relu", BETTER, measure="churn"), "not measured"),
    ],
)
def test_an_order_follows_the_verdict_of_the_contrast(study, row, verdict) -> None:
    assert found(study, ORDER, tables(contrasts=[row])).verdict == verdict


def test_an_order_over_models_needs_all_and_is_refuted_by_one(study) -> None:
    test = ORDER | {"models": list(MODELS)}
    good = tables(contrasts=[contrast("gelu", "relu", BETTER)])
    bad = tables(contrasts=[contrast("gelu", "relu", WORSE)])
    assert found(study, test, {"charlm": good, "tinylstm": good}).verdict == "supported"
    assert found(study, test, {"charlm": good, "tinylstm": bad}).verdict == "refuted"
    assert found(study, test, {"tinylstm": bad}).verdict == "refuted"
    part = found(study, test, {"charlm": good})
    assert part.verdict == "undecided"
    assert "tinylstm has not run" in part.reason


def test_a_refutation_must_stand_for_the_number_of_models(study) -> None:
    weak = tables(contrasts=[contrast("gelu", "relu", WORSE, p=0.04)])
    assert found(study, ORDER, weak).verdict == "refuted"
    assert found(study, ORDER | {"models": list(MODELS)}, weak).verdict == "undecided"


def test_an_undecided_order_says_how_many_seeds_it_needs(study) -> None:
    kept = tables(
        contrasts=[contrast("gelu", "relu", OPEN, note="10 seeds cannot decide")],
        sensitivity=[spread(1, 2, seeds_for_10=14, seeds_for_5=50)],
    )
    assert found(study, ORDER, kept).seeds_more == 4
    far = tables(
        contrasts=kept.contrasts, sensitivity=[spread(1, 2, seeds_for_10=9, seeds_for_5=50)]
    )
    assert found(study, ORDER, far).seeds_more == 40
    assert found(study, ORDER, tables(contrasts=kept.contrasts)).seeds_more is None


def triple(gelu_relu: str, gelu_swish: str, relu_swish: str = OPEN) -> Tables:
    return tables(
        contrasts=[
            contrast("gelu", "relu", gelu_relu),
            contrast("gelu", "swish", gelu_swish),
            contrast("relu", "swish", relu_swish),
        ]
    )


GELU = {"measure": "relative_pd", "activation": "gelu", "among": list(ACTIVATIONS)}


@pytest.mark.parametrize(
    ("kind", "both", "verdict"),
    [
        ("worst", (WORSE, WORSE), "supported"),
        ("worst", (BETTER, WORSE), "refuted"),
        ("worst", (WORSE, OPEN), "undecided"),
        ("never_worst", (BETTER, OPEN), "supported"),
        ("never_worst", (WORSE, WORSE), "refuted"),
        ("never_worst", (WORSE, OPEN), "undecided"),
        ("never_worst", (WORSE, SAME), "undecided"),
        ("top", (BETTER, BETTER), "supported"),
        ("top", (WORSE, OPEN), "refuted"),
        ("top", (BETTER, OPEN), "undecided"),
    ],
)
def test_places_among_activations(study, kind, both, verdict) -> None:
    test = GELU | {"kind": kind} | ({"places": 1} if kind == "top" else {})
    assert found(study, test, triple(*both)).verdict == verdict


@pytest.mark.parametrize("kind", ["worst", "never_worst", "top"])
def test_activations_that_did_not_run_support_nothing(study, kind) -> None:
    test = GELU | {"kind": kind} | ({"places": 2} if kind == "top" else {})
    assert found(study, test, tables()).verdict == "not measured"
    part = tables(contrasts=[contrast("gelu", "relu", WORSE)])
    assert found(study, test, part).verdict == "undecided"


@pytest.mark.parametrize(
    ("quantifier", "ratios", "verdict"),
    [
        ("each", [(0.3, 0.4), (0.4, 0.5)], "supported"),
        ("each", [(0.3, 0.4), (0.7, 0.8)], "refuted"),
        ("each", [(0.3, 0.4), (0.4, 0.8)], "undecided"),
        ("each", [(0.3, 0.4), None], "undecided"),
        ("some", [(0.3, 0.4), (0.7, 0.8)], "supported"),
        ("some", [(0.7, 0.8), (0.7, 0.8)], "refuted"),
        ("some", [(0.7, 0.8), (0.4, 0.8)], "undecided"),
    ],
)
def test_a_magnitude_is_judged_by_the_intervals_of_ratios(
    study, quantifier, ratios, verdict
) -> None:
    rows = [
        contrast("gelu", b, OPEN, ratio=r) for b, r in zip(("relu", "swish"), ratios, strict=True)
    ]
    test = {
        "kind": "magnitude",
        "measure": "relative_pd",
        "activation": "gelu",
        "others": ["relu", "swish"],
        "quantifier": quantifier,
        "between": [None, 0.56],
    }
    assert found(study, test, tables(contrasts=rows)).verdict == verdict
    # Named the other way round, the ratio is the inverse.
    turned = [
        row
        | {"first": row["second"], "second": "gelu"}
        | {"ratio": row["ratio"] and 1 / row["ratio"]}
        | {"ratio_low": row["ratio_high"] and 1 / row["ratio_high"]}
        | {"ratio_high": row["ratio_low"] and 1 / row["ratio_low"]}
        for row in rows
    ]
    assert found(study, test, tables(contrasts=turned)).verdict == verdict
    assert found(study, test, None).verdict == "not measured"


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (spread(0.0, 0.4), "supported"),
        (spread(2.0, 4.0), "refuted"),
        (spread(2.0, 4.0, p=0.2), "undecided"),
        (spread(0.0, 4.0), "undecided"),
        (spread(None, None, None, seeds=2, note="2 seeds, needs 3"), "undecided"),
        (spread(0.0, 0.0, 1.0), "undecided"),
        (None, "not measured"),
    ],
)
def test_invariance_needs_interval_and_omnibus(study, row, verdict) -> None:
    kept = tables(sensitivity=[] if row is None else [row])
    test = {"kind": "invariant", "measure": "relative_pd", "at_most": 0.5}
    assert found(study, test, kept).verdict == verdict


def test_two_seeds_need_one_more(study) -> None:
    kept = tables(sensitivity=[spread(None, None, None, seeds=2, note="2 seeds, needs 3")])
    result = found(study, {"kind": "invariant", "measure": "relative_pd", "at_most": 1}, kept)
    assert result.seeds_more == 1


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.83, 0.001, "supported"),
        (0.20, 0.010, "refuted"),
        (0.90, 0.050, "undecided"),
        (0.83, None, "undecided"),
        (0.20, 0.0, "undecided"),
        (math.inf, None, "undecided"),
    ],
)
def test_a_level_is_judged_by_its_interval(study, value, se, verdict) -> None:
    test = {"kind": "level", "measure": "churn", "between": [0.82, 0.84]}
    kept = tables(estimates=[estimate(value, se, measure="churn")])
    result = found(study, test, kept)
    assert result.verdict == verdict
    if (value, se) == (0.90, 0.05):
        assert result.seeds_more is not None and result.seeds_more > 0


def test_a_level_where_another_quantity_was_reached(study) -> None:
    at = {"measure": "val_accuracy", "value": 0.27}
    test = {"kind": "level", "measure": "churn", "between": [0.82, 0.84], "at": at}
    rows = [
        estimate(accuracy, measure="val_accuracy", step=step)
        for step, accuracy in ((10, 0.15), (50, 0.28), (100, 0.5))
    ] + [estimate(c, measure="churn", step=s) for s, c in ((10, 0.1), (50, 0.83), (100, 0.1))]
    assert found(study, test, tables(estimates=rows)).verdict == "supported"
    late = [row for row in rows if row["step"] != 50]
    assert found(study, test, tables(estimates=late)).verdict == "not measured"


@pytest.mark.parametrize(
    ("small", "verdict"), [((1, 2), "supported"), ((9, 10), "refuted"), ((4, 6), "undecided")]
)
@pytest.mark.parametrize("kind", ["ranking", "trend"])
def test_orders_of_models_need_intervals_apart(study, kind, small, verdict) -> None:
    both = {
        "charlm": Tables(cells=[cell(parameters=5000)], sensitivity=[spread(5, 8)]),
        "tinylstm": Tables(cells=[cell(parameters=1000)], sensitivity=[spread(*small)]),
    }
    test = {"kind": kind, "measure": "relative_pd", "models": list(MODELS)}
    assert found(study, test, both).verdict == verdict
    assert found(study, test, {"charlm": both["charlm"]}).verdict == "not measured"


def test_models_of_one_size_show_no_trend(study) -> None:
    alike = {name: tables(sensitivity=[spread(i, i + 1)]) for i, name in enumerate(MODELS, 1)}
    test = {"kind": "trend", "measure": "relative_pd", "models": list(MODELS)}
    assert found(study, test, alike).verdict == "not measured"


@pytest.mark.parametrize(
    ("difference", "se", "verdict"),
    [
        (1e-6, 1e-6, "supported"),
        (0.01, 1e-4, "refuted"),
        (1e-4, 1e-3, "undecided"),
        (0.0, 0.0, "undecided"),
    ],
)
def test_equality_to_decimals_is_judged_by_the_difference(study, difference, se, verdict) -> None:
    names = ("relative_pd", "val_loss")
    rows = [contrast("gelu", "swish", OPEN, m, difference=difference, se=se) for m in names]
    test = {"kind": "equal", "first": "swish", "second": "gelu"}
    test |= {"decimals": 4, "measures": list(names)}
    assert found(study, test, tables(contrasts=rows)).verdict == verdict
    assert found(study, test, tables()).verdict == "not measured"


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [(0.05, 0.001, "supported"), (0.7, 0.01, "refuted"), (0.1, 0.01, "undecided")],
)
def test_ratios_of_models(study, value, se, verdict) -> None:
    test = {"kind": "model_ratio", "measure": "relative_pd", "model": "tinylstm"}
    test |= {"others": ["charlm"], "between": [None, 0.1]}
    both = {
        "tinylstm": tables(estimates=[estimate(value, se)]),
        "charlm": tables(estimates=[estimate(1.0, 0.01)]),
    }
    assert found(study, test, both).verdict == verdict
    assert found(study, test, {"charlm": both["charlm"]}).verdict == "not measured"
    assert found(study, test, {"tinylstm": both["tinylstm"]}).verdict == "not measured"


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [(0.34, 0.001, "supported"), (0.6, 0.01, "refuted"), (0.34, 0.02, "undecided")],
)
def test_ratios_of_measures(study, value, se, verdict) -> None:
    test = {"kind": "measure_ratio", "numerator": "relative_pd"}
    test |= {"denominator": "total_variation", "between": [1.6, 1.8]}
    rows = [estimate(value, se), estimate(0.2, 0.0005, measure="total_variation")]
    assert found(study, test, tables(estimates=rows)).verdict == verdict
    assert found(study, test, tables(estimates=rows[:1])).verdict == "not measured"


COST = {"kind": "cost", "activations": ["gelu"], "than": "relu", "between": [1.2, 1.2]}


@pytest.mark.parametrize(
    ("speed", "noise", "verdict"),
    [(100.0, 0.01, "supported"), (120.0, 0.01, "refuted"), (112.0, 0.15, "undecided")],
)
def test_costs_are_ratios_of_times_on_one_machine(study, speed, noise, verdict) -> None:
    curves = speeds("gelu", speed, noise) + speeds("relu", 120.0, noise)
    assert found(study, COST, tables(curves=curves)).verdict == verdict
    mixed = Tables(cells=[cell(), cell("gelu", environment="another")], curves=curves)
    assert found(study, COST, mixed).verdict == "undecided"
    assert found(study, COST, tables(curves=speeds("relu", 1.0))).verdict == "not measured"


@pytest.mark.parametrize(
    ("pd", "accuracy", "verdict"),
    [
        (BETTER, "higher", "supported"),
        (BETTER, SAME, "supported"),
        (BETTER, "lower", "refuted"),
        (BETTER, OPEN, "undecided"),
    ],
)
def test_a_trade_off(study, pd, accuracy, verdict) -> None:
    rows = [
        contrast("gelu", "relu", pd),
        contrast("gelu", "relu", accuracy, measure="val_accuracy"),
    ]
    test = {"kind": "no_trade_off", "measure": "relative_pd", "among": ["relu", "gelu"]}
    assert found(study, test, tables(contrasts=rows)).verdict == verdict
    assert found(study, test, tables()).verdict == "not measured"


def test_models_that_learned_nothing_decide_nothing(study) -> None:
    rows = [contrast("gelu", "relu", BETTER)]
    result = found(study, ORDER, Tables(cells=[cell(beats_unigram=False)], contrasts=rows))
    assert result.verdict == "undecided"
    assert "1 of 1 cells of charlm are not below the unigram entropy" in result.reason


def test_percentages_by_hand() -> None:
    singles, means = percent_range(0.594, (0.905, 1.095), 4)
    assert singles == pytest.approx((100 * (1 - 0.594 / 0.905), 100 * (1 - 0.594 / 1.095)))
    assert singles == pytest.approx((34.4, 45.8), abs=0.05)
    assert means == pytest.approx(
        (100 * (1 - 0.594 * 4 / (3 * 0.905 + 1.095)), 100 * (1 - 0.594 * 4 / (0.905 + 3 * 1.095)))
    )


def test_the_range_of_a_printed_cv_is_that_of_a_search() -> None:
    low, high = cv_range((0.594,), 0.905, 1.095, 5)
    grid = np.linspace(0.905, 1.095, 96)
    tried = [
        100 * np.std(x, ddof=1) / np.mean(x)
        for a, b in itertools.product(grid, grid)
        for x in [[0.594, 0.905, 1.095, a, b]]
    ]
    assert (low, high) == pytest.approx((min(tried), max(tried)), abs=2e-3)
    assert low < 21.89 < high


PERCENT = {"kind": "printed_percent", "value": 0.594, "others": [0.905, 1.095], "count": 4}
DISAGREEMENT = {"kind": "printed_disagreement", "claimed": [0.83, 0.95]}
PRINTED_CV = {"kind": "printed_cv", "known": [0.594], "others": [0.905, 1.095], "count": 5}
TIMES = {"kind": "printed_times", "value": 0.049, "others": [0.594, 1.095]}


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        (PERCENT | {"claimed": 45}, "refuted"),
        (PERCENT | {"claimed": 34}, "supported"),
        ({"kind": "printed_percent", "value": 0.6, "others": [0.5]}, "refuted"),
        ({"kind": "printed_percent", "value": 0.5, "others": [0.6], "seeds": 2}, "undecided"),
        (TIMES | {"between": [10, 30]}, "supported"),
        (TIMES | {"between": [15, 30]}, "refuted"),
        (PRINTED_CV | {"claimed": 21.89}, "supported"),
        (PRINTED_CV | {"claimed": 25.0}, "refuted"),
        (DISAGREEMENT | {"accuracy": 0.59}, "refuted"),
        (DISAGREEMENT | {"accuracy": 0.27}, "supported"),
    ],
)
def test_printed_figures_are_recomputed_without_any_data(study, test, verdict) -> None:
    assert found(study, test, None).verdict == verdict


def test_findings_are_put_together() -> None:
    parts = {verdict: Finding(verdict, verdict, f"why {verdict}", 2) for verdict in VERDICTS}
    for first, second in itertools.product(VERDICTS, VERDICTS):
        pair = [parts[first], parts[second]]
        every, some = all_of(pair).verdict, any_of(pair).verdict
        assert (every == "refuted") == ("refuted" in (first, second))
        assert (every == "supported") == (first == second == "supported")
        assert (some == "supported") == ("supported" in (first, second))
        assert (some == "refuted") == (first == second == "refuted")
        assert (every == "not measured") == (first == second == "not measured")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"test": ORDER | {"models": ["charml"]}}, "did you mean 'charlm'"),
        ({"test": ORDER | {"models": ["charlm"], "measure": "pd"}}, "unknown measure 'pd'"),
        ({"test": ORDER | {"models": ["charlm"], "better": ["gellu"]}}, "did you mean 'gelu'"),
        ({"test": {"kind": "ordre"}}, "did you mean 'order'"),
        ({"test": {}}, "unknown kind None"),
        ({"test": ORDER | {"models": ["charlm"], "model": "a"}}, "unknown key 'model'"),
        ({"test": PRINTED_CV | {"claimed": 1, "count": 2}}, "3 figures are printed"),
        ({"test": TIMES | {"between": [3, 1]}}, "the lower end comes first"),
        ({"text": ""}, "text"),
        ({"sauce": "report"}, "did you mean 'source'"),
    ],
)
def test_a_wrong_claim_is_refused_in_one_line(study, change, told) -> None:
    claim = {"id": "mine", "text": "A claim.", "reported": "1", "test": TIMES, **change}
    if "test" not in change:
        claim["test"] = TIMES | {"between": [1, 2]}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim], "claims.yaml", study)
    line = one_line(error)
    assert line.startswith("claims.yaml: claim mine")
    assert told in line


@pytest.mark.parametrize("content", ["[1]", "a: 1", "]", None])
def test_a_file_without_claims_is_refused(study, tmp_path: Path, content) -> None:
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReprocoreError) as error:
        load_claims(path, study)
    assert str(path) in one_line(error)


def test_a_claim_listed_twice_is_refused(study) -> None:
    claim = {"id": "mine", "text": "A.", "reported": "1", "test": TIMES | {"between": [1, 2]}}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim, claim], "claims.yaml", study)
    assert "listed twice" in one_line(error)


SHIPPED = ROOT / "config" / "claims.yaml"


def test_without_results_only_printed_figures_are_judged(study) -> None:
    rows = audit(load_claims(SHIPPED, study), Evidence(study, {})).to_pylist()
    for row in rows:
        assert (row["verdict"] == "not measured") == (not row["kind"].startswith("printed_"))
        assert row["reason"]


def test_the_shipped_claims_use_most_kinds_and_name_what_was_published(study) -> None:
    claims = load_claims(SHIPPED, study)
    assert {claim.test.kind for claim in claims} == set(KINDS)
    text = SHIPPED.read_text("utf-8")
    for figure in ("0.594", "0.905–1.095", "23–44%", "0.049", "26.94", "21.89", "16.65", "10.32"):
        assert figure in text
    assert len(yaml.safe_load(text)) == len(claims)


def measured_tables(study: Study) -> dict[str, Tables]:
    """Tables of two models with gaps: no interval, two seeds, an infinite value."""
    rows = [
        estimate(0.5 + 0.1 * i, 0.01, a, m, seeds=SEEDS)
        for i, a in enumerate(ACTIVATIONS)
        for m in ("relative_pd", "total_variation", "val_accuracy")
    ]
    rows += [estimate(math.inf, None, "relu", "churn"), estimate(0.3, None, "gelu", "churn")]
    pairs = itertools.combinations(ACTIVATIONS, 2)
    kept = tables(
        estimates=rows,
        contrasts=[contrast(a, b, OPEN, note="too few seeds") for a, b in pairs],
        sensitivity=[spread(None, None, None, seeds=2, note="2 seeds, needs 3")],
        curves=speeds("relu", 10.0),
    )
    return {"charlm": kept, "tinylstm": kept}


def test_the_text_is_a_table_without_a_number_that_is_none(study, tmp_path: Path) -> None:
    table = audit(load_claims(SHIPPED, study), Evidence(study, measured_tables(study)))
    write_audit(table, study, tmp_path)
    text = (tmp_path / "audit.md").read_text("utf-8")
    assert text == audit_text(study, table.to_pylist())
    assert not {"nan", "none", "inf", "null"} & set(text.lower().replace("|", " ").split())
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len(body) == len(table) + 2
    assert len({line.count("|") for line in body}) == 1
    assert table.schema == AUDIT_SCHEMA


def test_tables_are_read_from_files_and_drawn(study, tmp_path: Path) -> None:
    import pyarrow as pa

    schemas = {
        "summary": ESTIMATES_SCHEMA,
        "contrasts": CONTRASTS_SCHEMA,
        "sensitivity": SENSITIVITY_SCHEMA,
        "cells": CELLS_SCHEMA,
        "curves": CURVES_SCHEMA,
    }
    for name, schema in schemas.items():
        write_table(tmp_path / f"{name}.parquet", schema.empty_table())
    full = {"model": "charlm", "train_seconds": 1.0, "val_loss": 2.0, "val_accuracy": 0.3}
    full |= {"unigram_entropy": 3.3, "probe_hash": "p", "source": "s"}
    rows = [cell(**full), cell(**full) | {"arm": "init"}]
    write_table(tmp_path / "cells.parquet", pa.Table.from_pylist(rows, schema=CELLS_SCHEMA))
    evidence = read_evidence(study, {"charlm": tmp_path})
    assert len(evidence.models["charlm"].cells) == 1
    write_audit(audit(load_claims(SHIPPED, study), evidence), study, tmp_path)
    paths = write(study, tmp_path / "audit.parquet", tmp_path / "audit")
    assert [path.name for path in paths] == ["audit.png", "audit.svg"]
    (tmp_path / "contrasts.parquet").unlink()
    with pytest.raises(ReprocoreError) as error:
        read_evidence(study, {"charlm": tmp_path})
    assert "contrasts.parquet" in one_line(error)


def test_texts_of_the_figure_do_not_overlap(study) -> None:
    table = audit(load_claims(SHIPPED, study), Evidence(study, measured_tables(study)))
    figure = draw(study, table.to_pylist())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in (*figure.axes[0].texts, *figure.texts)
        if text.get_text()
    ]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
    assert all(box.x1 <= figure.bbox.x1 for _, box in boxes)
