"""The table of slopes over sizes of one architecture."""

import math

import numpy as np
import pytest
from courses import course_of, rows, study_of

from reprocore.analysis.scale import analyse_scale
from reprocore.vocabulary import MEASURES, Reason, ScaledBy, ScaledQuantity, split_codes

SIZES = ("small", "middle", "large")
COUNTS = {"small": 100_000, "middle": 1_000_000, "large": 10_000_000}
# Level by size, falling by a tenth in its logarithm for tenfold parameters and 0.2 nats of loss.
LEVELS = {name: 0.5 * math.exp(-0.1 * index) for index, name in enumerate(SIZES)}
LOSSES = {name: 2.0 - 0.2 * index for index, name in enumerate(SIZES)}


def course(model: str, activation: str, **more):
    factor, random = {"relu": (1.0, 1), "gelu": (1.2, 2)}[activation]
    settings = {"noise": 0.005, "random": 10 * random + len(model), "loss": LOSSES[model], **more}
    return course_of(factor * LEVELS[model], **settings)


def table(models: dict[str, tuple[str, ...]], **more):
    study = study_of(["relu", "gelu"], models=SIZES, scale=list(SIZES))
    found = {
        model: {(name, "all"): course(model, name, **more) for name in names}
        for model, names in models.items()
    }
    parameters = {(m, a): count for m, count in COUNTS.items() for a in ("relu", "gelu")}
    return analyse_scale(study, found, parameters)


BOTH = ("relu", "gelu")


def test_slopes_of_levels_and_of_squared_cvs_are_found():
    found = table(dict.fromkeys(SIZES, BOTH))
    assert len(found) == len(MEASURES) * 3 * 2
    for activation in BOTH:
        of_activation = rows(found, measure="churn", activation=activation)
        slopes = {row["scaled_by"]: row for row in of_activation}
        assert slopes[ScaledBy.PARAMETERS]["slope"] == pytest.approx(-0.1, abs=0.02)
        assert slopes[ScaledBy.VAL_LOSS]["slope"] == pytest.approx(0.5, abs=0.1)
        for row in of_activation:
            assert row["low"] < row["slope"] < row["high"]
            assert (row["models"], row["models_total"], row["seeds"]) == (3, 3, 12)
    (cv,) = rows(
        found, measure="churn", quantity=ScaledQuantity.SQUARED_CV, scaled_by=ScaledBy.PARAMETERS
    )
    # The CV is the same at all sizes: 100 · √2 · 0.1 / 1.1 percent.
    assert cv["low"] < 0 < cv["high"]
    assert cv["high"] - cv["low"] < (100 * math.sqrt(2) / 11) ** 2
    assert cv["activation"] is None


def test_below_three_models_there_is_no_slope_and_a_reason():
    found = table({"small": BOTH, "middle": BOTH})
    assert all(row["slope"] is None for row in found.to_pylist())
    assert all(
        (split_codes(row["reason"], Reason), row["models"]) == ((Reason.FEW_MODELS,), 2)
        for row in found.to_pylist()
    )
    assert {row["models"] for row in table({}).to_pylist()} == {0}


def test_a_model_without_an_activation_is_missing_in_what_needs_it_alone():
    found = table({"small": BOTH, "middle": BOTH, "large": ("relu",)})
    churn = rows(found, measure="churn", scaled_by=ScaledBy.PARAMETERS)
    assert {row["activation"]: row["models"] for row in churn} == {"relu": 3, "gelu": 2, None: 2}


def test_only_shared_seeds_count():
    study = study_of(["relu"], models=SIZES, scale=list(SIZES))
    seeds = {"small": range(1, 7), "middle": range(3, 9), "large": range(1, 13)}
    found = {m: {("relu", "all"): course(m, "relu", seeds=s)} for m, s in seeds.items()}
    (row,) = rows(
        analyse_scale(study, found, {(m, "relu"): c for m, c in COUNTS.items()}),
        measure="churn",
        scaled_by=ScaledBy.PARAMETERS,
    )
    assert (row["models"], row["seeds"]) == (3, 4)
    assert np.isfinite(row["slope"])


def test_a_study_without_sizes_has_an_empty_table():
    study = study_of(["relu", "gelu"], models=SIZES)
    assert len(analyse_scale(study, {}, {})) == 0
