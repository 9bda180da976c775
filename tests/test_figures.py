"""The figures: every number is drawn where the tables say, and what is missing is shown so."""

import dataclasses
import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Patch
from matplotlib.text import Text

from reprocore.aggregation import CELLS_SCHEMA, CURVES_SCHEMA, estimate_model, read_estimates
from reprocore.comparison import PAIRS_SCHEMA
from reprocore.config import MEASURE_NAMES, parse_study
from reprocore.divergence import MEASURES
from reprocore.errors import ReprocoreError
from reprocore.figures import (
    MODEL_FIGURES,
    canvas,
    style,
    write_cross_model_figure,
    write_model_figures,
)
from reprocore.figures.along_training import draw_pd_along_training, draw_training_curves
from reprocore.figures.cross_model import draw_cross_model
from reprocore.figures.per_model import draw_accuracy_and_loss, draw_pd_by_activation
from reprocore.inference import coefficient_of_variation, noise_corrected_cv
from reprocore.storage import write_table
from reprocore.study import cells_of
from reprocore.summary import summarise

STEPS = (13, 25, 50, 100)
BASE = {"relative_pd": 0.5, "relative_pd_true": 0.4, "total_variation": 0.2}
BASE |= {"jensen_shannon": 0.05, "jeffreys": 0.4, "churn": 0.28, "top5_overlap": 0.75}


def make_study(models=("charlm", "tinylstm"), activations=("relu", "gelu", "swiglu"), **more):
    content = {
        "title": "Synthetic",
        "seeds": [1, 2, 3, 4],
        "activations": list(activations),
        "models": {model: {"family": "lstm"} for model in models},
    }
    return parse_study({**content, **more})


class Tables:
    """Tables of a study as the pipeline makes them, from invented pairs and losses.

    Args:
        study: the study.
        folder: where the files go.
        seeds: seeds that ran by (model, activation) or by model, where not all did.
        infinite: (model, activation) whose Jeffreys divergence is infinite for one pair.
        behind: models that learned nothing.
    """

    def __init__(self, study, folder, seeds=(), infinite=(), behind=()):
        self.study, self.folder = study, Path(folder)
        self.seeds, self.infinite, self.behind = dict(seeds), infinite, behind
        self.pairs, described, estimated = {}, [], []
        for index, model in enumerate(study.models):
            cells = [
                cell
                for activation in study.activations_of(model)
                for arm in study.arms_of(model)
                for cell in cells_of(study, model, activation, arm)
                if cell.seed in self.ran(model, activation)
            ]
            if cells:
                described.append(self._describe(model, cells, 2.0 + 0.1 * index))
                estimated.append(self._estimate(model, cells, 1 + 0.15 * index))
        self.estimate_paths, self.cell_paths = estimated, described
        self.estimates = read_estimates(estimated)
        summary = summarise(study, estimated, described)
        write_table(self.folder / "summary.parquet", summary)
        self.summary = summary.to_pandas()

    def ran(self, model, activation):
        default = self.seeds.get(model, self.study.seeds)
        return self.seeds.get((model, activation), default)

    def _describe(self, model, cells, loss):
        curves, rows = [], []
        for cell in cells:
            shift = np.random.default_rng([cell.seed, len(cell.activation)]).normal(0, 0.02)
            for step in (0, *STEPS):
                value = 3.4 if model in self.behind else loss + 2.2 / (1 + step / 10) + shift
                numbers = {"train_loss": value - 0.05 if step else None, "val_loss": value}
                numbers |= {"val_accuracy": 1 / (1 + value), "tokens_per_second": 1e4}
                curves.append({**dataclasses.asdict(cell), "iteration": step, **numbers})
            rows.append(
                {
                    **dataclasses.asdict(cell),
                    "parameters": 1000,
                    "val_loss": value,
                    "val_accuracy": 1 / (1 + value),
                    "unigram_entropy": 3.31,
                    "beats_unigram": value < 3.31,
                    "train_seconds": 1.0,
                    "probe_hash": "p",
                    "source": "s",
                    "environment": "e",
                }
            )
        base = self.folder / "models" / model
        write_table(base / "curves.parquet", pa.Table.from_pylist(curves, schema=CURVES_SCHEMA))
        write_table(base / "cells.parquet", pa.Table.from_pylist(rows, schema=CELLS_SCHEMA))
        self.curves = pa.Table.from_pylist(curves, schema=CURVES_SCHEMA)
        return base / "cells.parquet"

    def _estimate(self, model, cells, scale):
        groups = {}
        for cell in cells:
            groups.setdefault((model, cell.activation, cell.arm), []).append(cell.seed)
        paths = {}
        for number, (key, seeds) in enumerate(groups.items()):
            if len(seeds) > 1:
                path = self.folder / "pairs" / Path(*key[:2]) / f"{key[2]}.parquet"
                write_table(path, self._pairs(key, seeds, scale * (1 + 0.02 * number), number))
                paths[key] = self.pairs[key] = path
        estimates = self.folder / "models" / model / "summary.parquet"
        write_table(estimates, estimate_model(paths.values(), self.curves, 0.95))
        return estimates

    def _pairs(self, key, seeds, scale, number):
        random = np.random.default_rng([number, len(key[0])])
        own = dict(zip(seeds, random.normal(0, 0.04, len(seeds)), strict=True))
        rows = []
        for step, (a, b) in itertools.product(STEPS, itertools.combinations(seeds, 2)):
            factor = scale * (0.6 + 0.4 * step / 100) * (1 + own[a] + own[b])
            values = {name: min(base * factor, 1.0) for name, base in BASE.items()}
            if key[:2] in self.infinite and (a, b) == tuple(seeds[:2]):
                values["jeffreys"] = math.inf
            rows.append({"seed_a": a, "seed_b": b, "step": step, **values})
        return pa.Table.from_pylist(rows, schema=PAIRS_SCHEMA)

    def of_model(self, model):
        base = self.folder / "models" / model
        return {
            name: pd.read_parquet(base / f"{name}.parquet")
            if (base / f"{name}.parquet").exists()
            else schema.empty_table().to_pandas()
            for name, schema in (("curves", CURVES_SCHEMA), ("cells", CELLS_SCHEMA))
        } | {"estimates": self.estimates[self.estimates["model"] == model]}

    def cross_model(self):
        return draw_cross_model(self.study, self.summary, self.estimates, self.pairs)

    def figures(self):
        """Every figure of the study by name."""
        drawn = {"cross_model": self.cross_model()}
        for model in self.study.models:
            t = self.of_model(model)
            for name, draw in (
                ("pd_by_activation", draw_pd_by_activation),
                ("accuracy_and_loss", draw_accuracy_and_loss),
                ("pd_along_training", draw_pd_along_training),
            ):
                drawn[f"{model}/{name}"] = draw(self.study, model, t["estimates"], t["cells"])
            drawn[f"{model}/training_curves"] = draw_training_curves(
                self.study, model, t["curves"], t["cells"]
            )
        return drawn
