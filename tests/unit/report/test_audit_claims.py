"""The claims as they are written: wrong ones are refused, printed figures recomputed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from audit_rows import BETWEEN, ORDER, STUDY, judged

from conftest import one_line
from reprocore.errors import ReprocoreError
from reprocore.report.audit.claims import load_claims, parse_claims
from reprocore.report.audit.outcome import REFUTED, SUPPORTED, UNDECIDED
from reprocore.report.audit.printed import cv_range, percent_range
from reprocore.report.audit.table import claim_counts, verdict_notes
from reprocore.vocabulary import ClaimVerdict

PERCENT = {"kind": "printed_percent", "value": 0.594, "others": [0.905, 1.095], "count": 4}
DISAGREEMENT = {"kind": "printed_disagreement", "claimed": [0.83, 0.95]}
PRINTED_CV = {"kind": "printed_cv", "known": [0.594], "others": [0.905, 1.095], "count": 5}
TIMES = {"kind": "printed_times", "value": 0.049, "others": [0.594, 1.095], "bounds": [10, 30]}
MARGIN = BETWEEN | {"models": ["charlm"], "within_margin": True}
LEVEL = {"kind": "level", "models": ["charlm"], "measures": ["churn"], "bounds": [0.1, 0.2]}
LEVEL |= {"within_margin": True}


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


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        (PERCENT | {"claimed": 45}, REFUTED),
        (PERCENT | {"claimed": 34}, SUPPORTED),
        (PERCENT | {"value": 0.556, "others": [1.0], "claimed": 44.4}, SUPPORTED),
        (PERCENT | {"value": 0.556, "others": [1.0], "claimed": 44.5}, REFUTED),
        (PERCENT | {"value": 0.556, "others": [1.0], "claimed": 44.41}, REFUTED),
        (PERCENT | {"value": 0.556, "others": [1.0], "claimed": 40}, SUPPORTED),
        (PERCENT | {"value": 0.62, "others": [1.0], "claimed": 40}, REFUTED),
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
def test_printed_figures_are_recomputed_without_any_data(test, verdict) -> None:
    assert judged(test, {}).verdict == verdict


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
        ({"test": MARGIN | {"measures": ["val_accuracy"]}}, "is on 1 less it"),
        ({"test": MARGIN | {"figure": "difference"}}, "none of a difference"),
        ({"test": MARGIN | {"bounds": [-0.1, 0.1]}}, "no bound may be below 0"),
        ({"test": LEVEL | {"bounds": [-0.1, 0.1]}}, "no bound may be below 0"),
        ({"test": LEVEL | {"other_measures": ["top5_overlap"]}}, "is on 1 less it"),
        ({"text": ""}, "text"),
        ({"sauce": "report"}, "did you mean 'source'"),
    ],
)
def test_a_wrong_claim_is_refused_in_one_line(change, message) -> None:
    claim = {"id": "this-one", "text": "A claim.", "reported": "1", "test": TIMES, **change}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim], "claims.yaml", STUDY)
    line = one_line(error)
    assert line.startswith("claims.yaml: claim this-one")
    assert message in line


def test_a_claim_listed_twice_is_refused() -> None:
    claim = {"id": "this-one", "text": "A.", "reported": "1", "test": TIMES}
    with pytest.raises(ReprocoreError) as error:
        parse_claims([claim, claim], "claims.yaml", STUDY)
    assert "listed twice" in one_line(error)


@pytest.mark.parametrize("content", ["[1]", "a: 1", "]", None])
def test_a_file_without_claims_is_refused(tmp_path: Path, content) -> None:
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ReprocoreError) as error:
        load_claims(path, STUDY)
    assert str(path) in one_line(error)


def test_claims_on_printed_figures_are_counted_apart() -> None:
    rows = [
        {"printed": printed, "verdict": code}
        for printed, code in ((False, REFUTED), (True, SUPPORTED))
    ]
    assert claim_counts(rows) == (
        "1 claim on trainings: 0 supported, 1 refuted, 0 undecided, 0 not measured. "
        "1 claim that printed figures alone decide: 1 supported, 0 refuted, 0 undecided, "
        "0 not measured."
    )


def test_a_verdict_says_what_becomes_of_its_parts_and_what_it_lacks() -> None:
    row = {f"parts_{code}": 0 for code in ClaimVerdict} | {"seeds_more": None}
    assert verdict_notes(row | {"parts_refuted": 1}) == []
    several = row | {"parts_refuted": 1, "parts_supported": 13, "seeds_more": 1}
    assert verdict_notes(several) == [
        "14 parts: 13 supported, 1 refuted",
        "takes about 1 more seed",
    ]
