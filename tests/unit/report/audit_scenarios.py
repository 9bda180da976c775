"""Made-up tables of a study of 6 models × 6 activations, for the audit's golden verdicts.

Every number follows from the scenario's name, so that the same verdicts can be asked for at any
time. `claimed` is a world in which the published claims hold, `opposite` one in which they do not,
`noisy` one in which nothing can be decided, `absent` one in which nothing ran. The numbered ones
lie between them, with models, activations, seeds and intervals missing at random.
"""

import itertools
import math
import random
from typing import Any

from scipy import stats

from reprocore.vocabulary import Condition, ContrastVerdict, Family, Reason

MODELS = {
    "charlm": 429_121,
    "minigpt": 10_788_929,
    "convlm": 429_281,
    "hybridlm": 429_377,
    "tinylstm": 176_169,
    "nanotransformer": 428_800,
}
ACTIVATIONS = ("relu", "gelu", "swish", "swiglu", "smelu_05", "smelu_1")
NAMED = ("claimed", "opposite", "noisy", "absent")
SCENARIOS = (*NAMED, *(f"mixed-{number}" for number in range(60)))

# Levels relative to the model's: first where the claims hold, then where they do not.
FACTORS = {
    "relu": (1.3, 0.8),
    "gelu": (0.8, 1.5),
    "swish": (0.8, 1.4),
    "swiglu": (0.95, 1.3),
    "smelu_05": (0.9, 1.1),
    "smelu_1": (0.85, 1.2),
}
SWIGLU_OF_CHARLM = (0.35, 1.3)
ACCURACY = dict(zip(ACTIVATIONS, ((1.0, 0.9), (1.3, 1.5), *[(1.1, 1.2)] * 4), strict=True))
CVS = {
    "minigpt": (27.0, 2.0),
    "charlm": (22.0, 8.0),
    "nanotransformer": (15.0, 14.0),
    "convlm": (17.0, 18.0),
    "hybridlm": (10.0, 24.0),
    "tinylstm": (0.003, 40.0),
}
STEPS = (50, 100)
Row = dict[str, Any]


class _World:
    """One scenario: how far it is from the claims, how noisy, and what is missing."""

    def __init__(self, name: str) -> None:
        self.random = random.Random(f"audit {name}")
        self.name = name
        self.mixed = name not in NAMED
        self.pull = self._pick(0.0, 0.0, 0.1, 0.5, 1.0) if self.mixed else float(name == "opposite")
        self.noise = self._pick(1e-6, 1e-3, 0.02, 0.1) if self.mixed else 1e-6
        self.gaps = self.mixed and self._chance(0.5)
        if name == "noisy":
            self.noise = 0.5

    def _pick(self, *values: Any) -> Any:
        return values[int(self.random.random() * len(values))]

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _missing(self, share: float) -> bool:
        return self._chance(share) and self.gaps

    def _level(self, ends: tuple[float, float]) -> float:
        pull = self.pull
        if self.mixed and self._chance(0.2):
            pull = self.random.random()
        wave = 1 + self.noise * (self.random.random() - 0.5)
        return math.exp(math.log(ends[0]) * (1 - pull) + math.log(ends[1]) * pull) * wave

    def models(self) -> dict[str, dict[str, list[Row]]]:
        if self.name == "absent":
            return {}
        return {name: self._model(name) for name in MODELS if not self._missing(0.1)}

    def _model(self, model: str) -> dict[str, list[Row]]:
        ran = [name for name in ACTIVATIONS if not self._missing(0.1)]
        seeds = self._pick(2, 3, 4, 5, 8, 10, 10) if self.mixed else 10
        return {
            "cells": self._cells(model, ran, seeds),
            "estimates": self._estimates(model, ran, seeds),
            "contrasts": self._contrasts(model, ran, seeds),
            "sensitivity": self._sensitivity(model, ran, seeds),
            "curves": self._curves(ran, seeds),
        }

    def _cells(self, model: str, ran: list[str], seeds: int) -> list[Row]:
        elsewhere, behind = self._missing(0.1), self._missing(0.08)
        return [
            {
                "activation": activation,
                "seed": seed,
                "parameters": MODELS[model],
                "beats_unigram": not (behind and seed == 0),
                "environment": "another" if elsewhere and seed == 1 else "one machine",
            }
            for activation in ran
            for seed in range(seeds)
        ]

    def _estimates(self, model: str, ran: list[str], seeds: int) -> list[Row]:
        base = (0.049, 0.4) if model == "tinylstm" else (0.6, 0.5)
        rows = []
        for activation, step in itertools.product(ran, STEPS):
            level = self._level(base)
            values = {
                "relative_pd": level,
                "total_variation": level / self._level((1.7, 3.0)),
                "churn": self._level((0.83, 0.3)),
                "val_accuracy": 0.27 if step == STEPS[0] else 0.5,
            }
            for measure, value in values.items():
                # Scores are better known, or it would not be known which snapshots count.
                se: float | None = value * (
                    min(self.noise, 0.02) if measure == "val_accuracy" else self.noise
                )
                if seeds < 3 or self._missing(0.05):
                    se = self._pick(None, 0.0)
                labels = {"activation": activation, "measure": measure, "step": step}
                figures = {"estimate": value, "se": se, "seeds": seeds, "reason": Reason.NOT_FINITE}
                rows.append(labels | figures)
        return rows

    def _contrasts(self, model: str, ran: list[str], seeds: int) -> list[Row]:
        rows = []
        for measure in ("relative_pd", "val_loss", "val_accuracy"):
            level = {}
            for name in ran:
                ends = SWIGLU_OF_CHARLM if (name, model) == ("swiglu", "charlm") else FACTORS[name]
                level[name] = self._level(ACCURACY[name] if measure == "val_accuracy" else ends)
            if self.name == "noisy":
                level = dict.fromkeys(ran, 1.0)
            for first, second in itertools.combinations(ran, 2):
                if not self._missing(0.02):
                    rows.append(self._contrast(measure, (first, second), level, seeds))
        return rows

    def _contrast(
        self, measure: str, pair: tuple[str, str], level: dict[str, float], seeds: int
    ) -> Row:
        first, second = pair
        error = self.noise * (0.5 + self.random.random())
        logarithm = math.log(level[first] / level[second])
        z = abs(logarithm) / error
        p = math.erfc(z / math.sqrt(2))
        p = min(1.0, p * 15)
        verdict = ContrastVerdict.UNDECIDED
        if seeds > 3 and p <= 0.05:
            names = (ContrastVerdict.HIGHER, ContrastVerdict.LOWER)
            if measure == "relative_pd":
                names = (ContrastVerdict.LESS_REPRODUCIBLE, ContrastVerdict.MORE_REPRODUCIBLE)
            verdict = names[logarithm < 0]
        elif seeds > 3 and abs(logarithm) + 2 * error < math.log(1.1):
            verdict = ContrastVerdict.EQUIVALENT
        interval = seeds > 2 and not self._missing(0.05)
        return {
            "measure": measure,
            "condition": Condition.FINAL,
            "family": Family.REFERENCE if "relu" in pair else Family.ALL_PAIRS,
            "first": first,
            "second": second,
            "verdict": verdict,
            "difference": level[first] - level[second],
            "se": error * level[second] if interval else None,
            "ratio": level[first] / level[second],
            "ratio_low": math.exp(logarithm - 2.3 * error) if interval else None,
            "ratio_high": math.exp(logarithm + 2.3 * error) if interval else None,
            **ratio_errors(2.3 * error if interval else None, seeds - 1),
            "p_adjusted": p if seeds > 3 else None,
            "seeds": seeds,
            "reason": "" if interval else Reason.NOT_FINITE,
        }

    def _sensitivity(self, model: str, ran: list[str], seeds: int) -> list[Row]:
        if len(ran) < 2:
            return []
        centre = self._level(CVS[model])
        half = centre * self.noise * 4 if self.name != "noisy" else 60.0
        low: float | None = max(0.0, centre - half)
        high: float | None = centre + half
        if seeds < 3 or self._missing(0.05):
            low = high = None
        elif self._missing(0.05):
            high = low
        return [
            {
                "measure": "relative_pd",
                "condition": Condition.FINAL,
                "corrected": centre,
                "low": low,
                "high": high,
                "activations": len(ran),
                "p_omnibus": None
                if self._missing(0.1)
                else self._pick(1e-4, 1e-4, 0.02, 0.4)
                if self.mixed
                else 1e-4,
                "seeds": seeds,
                "seeds_for_10": self._pick(4, 12, 30, None),
                "seeds_for_5": self._pick(4, 40, None),
                "reason": Reason.NOT_FINITE,
            }
        ]

    def _curves(self, ran: list[str], seeds: int) -> list[Row]:
        rows = []
        for activation in ran:
            slower = self._level((1.2, 0.8)) if activation.startswith("smelu") else 1.0
            for seed in range(seeds):
                spread = self.noise * (self.random.random() - 0.5)
                for step in (0, *STEPS):
                    speed = None if step == 0 or self._missing(0.1) else 100 / slower + spread * 100
                    labels = {"activation": activation, "seed": seed, "iteration": step}
                    rows.append(labels | {"tokens_per_second": speed})
        return rows


def scenario(name: str) -> dict[str, dict[str, list[Row]]]:
    """Return the tables of the models that ran, by model and table, of the arm `all`."""
    return _World(name).models()


def ratio_errors(half: float | None, dof: int) -> Row:
    """Errors of two independent means whose ratio has an interval of this half width, on logs."""
    if half is None:
        return {"dof": None, "first_cv": None, "second_cv": None}
    cv = half / stats.t.ppf(0.975, dof) / math.sqrt(2)
    return {"dof": dof, "first_cv": cv, "second_cv": cv}
