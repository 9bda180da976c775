"""Rows of the tables that claims are judged by, and what is said of a claim on them."""

import math
from typing import Any

from audit_scenarios import ACTIVATIONS, ratio_errors

from conftest import tiny_config
from reprocore.report.audit.claims import parse_claims
from reprocore.report.audit.evidence import Evidence, Tables
from reprocore.report.audit.outcome import Outcome
from reprocore.report.audit.table import judge
from reprocore.store.catalogue import schemas_of
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import Condition, ContrastVerdict, Family

STUDY = parse_study(tiny_config(activations=list(ACTIVATIONS)))
# Of the activation that `estimate` is of.
RELU = parse_study(tiny_config(activations=["relu"]))
SCHEMAS = schemas_of("estimates", "contrasts", "sensitivity", "cells", "curves")
BETTER, WORSE = ContrastVerdict.MORE_REPRODUCIBLE, ContrastVerdict.LESS_REPRODUCIBLE
SAME, OPEN = ContrastVerdict.EQUIVALENT, ContrastVerdict.UNDECIDED
CONTRAST = {"kind": "contrast", "measures": ["relative_pd"], "first": ["gelu"]}
ORDER = CONTRAST | {"second": ["relu"]}
BETWEEN = ORDER | {"kind": "between", "bounds": [None, 0.56]}
TWO = {"models": ["charlm", "tinylstm"]}


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
    labels |= {"activations": len(ACTIVATIONS)}
    figures = {"corrected": high, "low": low, "high": high, "p_omnibus": p}
    return row_of("sensitivity", **figures | labels | more)


def cell(**more: Any) -> dict[str, Any]:
    values = {"activation": "relu", "seed": 1, "parameters": 1000, "beats_unigram": True}
    return row_of("cells", **values | {"environment": "one machine"} | more)


def tables(**rows: Any) -> Tables:
    return Tables(**{"cells": [cell()], **rows})


def judged(
    test: dict[str, Any], models: dict[str, Tables] | Tables, study: Study = STUDY
) -> Outcome:
    """Judge a claim on the models that are given, or only on `charlm`."""
    if isinstance(models, Tables):
        models = {"charlm": models}
    if test["kind"] in ("contrast", "between", "level", "spread"):
        test = {"models": ["charlm"], **test}
    content = [{"id": "one", "text": "A claim.", "reported": "0", "test": test}]
    return judge(parse_claims(content, "claims.yaml", study)[0], Evidence(study, models))
