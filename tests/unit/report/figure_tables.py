"""Tables of studies that never ran, which the figures and the page are tested with."""

import dataclasses
import itertools
import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from reprocore.analysis.cross import cross_table
from reprocore.analysis.estimates import estimate_groups
from reprocore.analysis.final_predictions import FinalPredictions
from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.scale import analyse_scale, read_parameters
from reprocore.analysis.strata import strata_table
from reprocore.analysis.summary import summarise
from reprocore.analysis.trajectories import read_trajectories
from reprocore.report.figures.all_models.early import draw_early
from reprocore.report.figures.all_models.overview import draw_cross_model
from reprocore.report.figures.all_models.ratios import draw_ratios
from reprocore.report.figures.all_models.sources import draw_sources
from reprocore.report.figures.one_model.along_training import (
    draw_pd_along_training,
    draw_training_curves,
)
from reprocore.report.figures.one_model.at_the_end import (
    draw_accuracy_and_loss,
    draw_pd_by_activation,
)
from reprocore.report.figures.one_model.contrasts import draw_contrasts
from reprocore.report.figures.one_model.cross import draw_cross
from reprocore.report.figures.one_model.strata import draw_strata
from reprocore.report.figures.trade_off import (
    draw_accuracy_against_pd,
    draw_models_accuracy_against_pd,
)
from reprocore.store.position_schemas import CROSS_SCHEMA, STRATA_SCHEMA
from reprocore.store.readers import final_rows, read_estimates, read_pairs
from reprocore.store.schemas import BLOCKS_SCHEMA, CELLS_SCHEMA, CURVES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import cells_of
from reprocore.study.layout import ACROSS_TABLES
from reprocore.study.study import parse_study
from reprocore.vocabulary import POSITION_MEASURES

STEPS = (13, 25, 50, 100)
BASE = {"relative_pd": 0.5, "relative_pd_true": 0.4, "total_variation": 0.2}
BASE |= {"jensen_shannon": 0.05, "jeffreys": 0.4, "churn": 0.28, "top5_overlap": 0.75}
BASE |= {"right_to_wrong": 0.07, "wrong_to_right": 0.06, "wrong_to_wrong": 0.15, "flips": 0.13}
BASE |= {"kappa": 0.7, "loss_correlation": 0.9}
SYMBOLS = ("\n", " ", "!", "3", "A", "B", "a", "b", "c", "d")
ARMS = ("all", "init", "order", "dropout", "none")
SHARES = dict(zip(ARMS, (1.0, 0.9, 0.8, 0.5, 0.0), strict=True))


def make_study(models=("charlm", "tinylstm"), activations=("relu", "gelu", "swiglu"), **more):
    content = {
        "title": "Synthetic",
        "seeds": [1, 2, 3, 4],
        "activations": list(activations),
        "models": {model: {"family": "lstm"} for model in models},
    }
    return parse_study({**content, **more})


def with_measure(study, name):
    """The same study, its figures drawn of another measure."""
    settings = study.figures.model_copy(update={"measure": name})
    return study.model_copy(update={"figures": settings})


LONG = make_study(
    models=(
        "transformer_with_wide_feed_forward_units",
        "a_model_whose_name_is_sixty_four_letters_long_and_needs_lines_ab"[:64],
        "charlm",
        "convolutionalnetworkwithoutanyunderscore",
        "tinylstm",
        "minigpt",
    ),
    activations=(
        "relu",
        "gelu",
        "swish",
        "swiglu",
        "smelu_05",
        "smelu_0125",
        "smeglu_025",
        "a_custom_activation_of_my_own",
    ),
    custom_activations={"a_custom_activation_of_my_own": {"path": "mine:act"}},
    title="Why $ signs, long titles and many words are no reason for letters on letters " * 2,
)


def final_of(cells, positions=100):
    """Predictions in which the seed, the activation and chance have each a part."""
    base = np.random.default_rng(0).normal(0, 2, (positions, len(SYMBOLS)))
    targets = np.random.default_rng(1).integers(0, len(SYMBOLS), positions).astype(np.uint16)
    stack = []
    for cell in cells:
        logits = base.copy()
        for part in ([cell.seed], [len(cell.activation), 9], [cell.seed, len(cell.activation)]):
            logits += np.random.default_rng(part).normal(0, 0.5, base.shape)
        weights = np.exp(logits)
        stack.append(weights / weights.sum(axis=1, keepdims=True))
    return FinalPredictions(cells, STEPS[-1], targets, np.array(stack, dtype=np.float32), "a1")


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
                self._predict(model, cells)
        self.estimate_paths, self.cell_paths = estimated, described
        self.estimates = read_estimates(estimated)
        summary = summarise(study, estimated, described)
        write_table(self.folder / "summary.parquet", summary)
        self.summary = summary.to_pandas()
        self._analyse()

    def _predict(self, model, cells):
        """Make the tables of the final predictions."""
        arm = self.study.primary_arm(model)
        final = final_of([cell for cell in cells if cell.arm == arm])
        base = self.folder / "models" / model
        write_table(base / "cross.parquet", cross_table(self.study, model, final))
        write_table(base / "strata.parquet", strata_table(self.study, model, final, SYMBOLS))

    def _analyse(self):
        """Make the tables of contrasts, sensitivity, sources and early signs, and across models."""
        trajectories, found = {}, {}
        for model in self.models:
            base = self.folder / "models" / model
            mine = [path for key, path in self.pairs.items() if key[0] == model]
            trajectories |= read_trajectories(mine, [base / "curves.parquet"])
            for name, table in analyse_model(self.study, model, trajectories[model]).items():
                write_table(base / f"{name}.parquet", table)
                found.setdefault(name, []).append(table)
        parameters = read_parameters(self.cell_paths)
        scale = analyse_scale(self.study, trajectories, parameters)
        for name, table in {**analyse_across(self.study, trajectories), "scale": scale}.items():
            write_table(self.folder / "across" / f"{name}.parquet", table)
            found[name] = [table]
        empty = analyse_model(self.study, next(iter(self.study.models)), {})
        self.analysis = {
            name: pa.concat_tables([*([empty[name]] if name in empty else []), *tables]).to_pandas()
            for name, tables in ({name: [] for name in empty} | found).items()
        }

    @property
    def models(self):
        """Those that ran."""
        return [path.parent.name for path in self.cell_paths]

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
                    "parameters": round(10 ** (3 + 5 * (loss - 2))),
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
        estimates = self.folder / "models" / model / "estimates.parquet"
        blocks = [self._blocks(path) for path in paths.values()]
        scores = self._scores()
        write_table(estimates, estimate_groups(paths.values(), blocks, scores, 0.95))
        return estimates

    def _scores(self):
        """Two blocks for every row of the curves."""
        columns = ["model", "activation", "arm", "seed", "iteration", "val_loss", "val_accuracy"]
        rows = self.curves.to_pandas()[columns].rename(columns={"iteration": "step"})
        return pd.concat([rows.assign(block=block) for block in (0, 1)])

    def _blocks(self, path):
        """Two blocks that differ by a hundredth, with the pairs' values between them."""
        frame = read_pairs(path).to_pandas()
        of_seeds = [frame.rename(columns={name: "seed"}) for name in ("seed_a", "seed_b")]
        keys = ["model", "activation", "arm", "seed", "step"]
        means = pd.concat(of_seeds).groupby(keys)[list(POSITION_MEASURES)].mean()
        rows = pd.concat(
            [(means * (0.995 + 0.01 * block)).reset_index().assign(block=block) for block in (0, 1)]
        )
        beside = Path(str(path).replace("/pairs/", "/blocks/"))
        write_table(beside, pa.Table.from_pandas(rows, schema=BLOCKS_SCHEMA, preserve_index=False))
        return beside

    def _pairs(self, key, seeds, scale, number):
        random = np.random.default_rng([number, len(key[0])])
        own = dict(zip(seeds, random.normal(0, 0.04, len(seeds)), strict=True))
        rows = []
        for step, (a, b) in itertools.product(STEPS, itertools.combinations(seeds, 2)):
            factor = scale * (0.6 + 0.4 * step / 100) * (1 + own[a] + own[b])
            values = {name: min(base * factor, 1.0) for name, base in BASE.items()}
            if key[:2] in self.infinite and (a, b) == tuple(seeds[:2]):
                values["jeffreys"] = math.inf
            labels = dict(zip(("model", "activation", "arm"), key, strict=True))
            rows.append(labels | {"seed_a": a, "seed_b": b, "step": step, **values})
        return pa.Table.from_pylist(rows, schema=PAIRS_SCHEMA)

    def of_model(self, model):
        base = self.folder / "models" / model
        return {
            name: pd.read_parquet(base / f"{name}.parquet")
            if (base / f"{name}.parquet").exists()
            else schema.empty_table().to_pandas()
            for name, schema in (
                *(("curves", CURVES_SCHEMA), ("cells", CELLS_SCHEMA)),
                *(("cross", CROSS_SCHEMA), ("strata", STRATA_SCHEMA)),
            )
        } | {"estimates": self.estimates[self.estimates["model"] == model]}

    @property
    def final_pairs(self):
        tables = [PAIRS_SCHEMA.empty_table(), *map(read_pairs, self.pairs.values())]
        return final_rows(pa.concat_tables(tables).to_pandas())

    def cross_model(self):
        return draw_cross_model(
            self.study, self.summary, self.estimates, self.final_pairs, self.analysis["sensitivity"]
        )

    def model_files(self, model):
        """The files that the figures of one model are drawn from, by name."""
        base = self.folder / "models" / model
        names = ("estimates", "curves", "cells", "contrasts", "cross", "strata")
        return {name: base / f"{name}.parquet" for name in names}

    def study_files(self):
        """The files that the figures over all models are drawn from, by name."""
        names = ("estimates", "sensitivity", "sources", "early")
        base = self.folder / "models"
        files = {name: [base / m / f"{name}.parquet" for m in self.models] for name in names}
        for name in ACROSS_TABLES:
            files[name] = self.folder / "across" / f"{name}.parquet"
        return files | {
            "summary": self.folder / "summary.parquet",
            "pairs": list(self.pairs.values()),
        }

    def figures(self, *wanted):
        """Figures of the study by name; all of them, unless some are wanted."""
        draws = {name: partial(*parts) for name, parts in self._draws()}
        return {name: draws[name]() for name in wanted or draws}

    def _draws(self):
        a, study = self.analysis, self.study
        yield "cross_model", (self.cross_model,)
        over_models = draw_models_accuracy_against_pd
        yield "accuracy_against_pd", (over_models, study, self.estimates, self.summary)
        yield "sources", (draw_sources, study, a["sources"])
        yield "early", (draw_early, study, a["early"], a["early_model_order"])
        yield "ratios", (draw_ratios, study, a["ratios"], self.summary)
        for model in study.models:
            t = self.of_model(model)
            ends, contrasts = (t["estimates"], t["cells"]), a["contrasts"]
            for name, draw, *given in (
                ("pd_by_activation", draw_pd_by_activation, *ends),
                ("accuracy_and_loss", draw_accuracy_and_loss, *ends),
                ("accuracy_against_pd", draw_accuracy_against_pd, *ends),
                ("training_curves", draw_training_curves, t["curves"], t["cells"]),
                ("pd_along_training", draw_pd_along_training, *ends, contrasts),
                ("cross", draw_cross, t["cross"], *ends),
                ("strata", draw_strata, t["strata"], *ends),
                ("contrasts", draw_contrasts, contrasts, *ends),
            ):
                yield f"{model}/{name}", (draw, study, model, *given)


class WithArms(Tables):
    """Pairs that depend on the arm, and are the same in the control."""

    def _pairs(self, key, seeds, scale, number):
        table = super()._pairs(key, seeds, scale * SHARES[key[2]], number)
        if key[2] != "none":
            return table
        place = table.schema.get_field_index("top5_overlap")
        return table.set_column(place, table.schema.field(place), pa.array([1.0] * len(table)))
