"""The figures: every number is drawn where the tables say, and what is missing is shown so."""

import dataclasses
import itertools
import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.patches import Patch
from matplotlib.text import Text

from reprocore.analysis.cross import cross_table
from reprocore.analysis.estimates import estimate_groups
from reprocore.analysis.final_predictions import FinalPredictions
from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.scale import analyse_scale, read_parameters
from reprocore.analysis.strata import strata_table
from reprocore.analysis.summary import summarise
from reprocore.analysis.trajectories import read_trajectories
from reprocore.errors import ReprocoreError
from reprocore.report.figures import frame as canvas
from reprocore.report.figures import style
from reprocore.report.figures.all_models.early import draw_early
from reprocore.report.figures.all_models.overview import draw_cross_model
from reprocore.report.figures.all_models.ratios import draw_ratios
from reprocore.report.figures.all_models.sources import draw_sources
from reprocore.report.figures.all_models.write import write_study_figures
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
from reprocore.report.figures.one_model.write import write_model_figures
from reprocore.report.figures.trade_off import (
    draw_accuracy_against_pd,
    draw_models_accuracy_against_pd,
)
from reprocore.report.words import readable
from reprocore.store.position_schemas import CROSS_SCHEMA, STRATA_SCHEMA
from reprocore.store.readers import final_rows, read_estimates, read_pairs
from reprocore.store.schemas import BLOCKS_SCHEMA, CELLS_SCHEMA, CURVES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import cells_of
from reprocore.study.layout import ACROSS_TABLES, MODEL_FIGURES, STUDY_FIGURES
from reprocore.study.study import parse_study
from reprocore.vocabulary import (
    MEASURE_NAMES,
    MEASURES,
    POSITION_MEASURES,
    Condition,
    Reason,
    split_codes,
)

# Drawing takes a second or so each.
pytestmark = pytest.mark.slow

STEPS = (13, 25, 50, 100)
BASE = {"relative_pd": 0.5, "relative_pd_true": 0.4, "total_variation": 0.2}
BASE |= {"jensen_shannon": 0.05, "jeffreys": 0.4, "churn": 0.28, "top5_overlap": 0.75}
BASE |= {"right_to_wrong": 0.07, "wrong_to_right": 0.06, "wrong_to_wrong": 0.15, "flips": 0.13}
BASE |= {"kappa": 0.7, "loss_correlation": 0.9}


def make_study(models=("charlm", "tinylstm"), activations=("relu", "gelu", "swiglu"), **more):
    content = {
        "title": "Synthetic",
        "seeds": [1, 2, 3, 4],
        "activations": list(activations),
        "models": {model: {"family": "lstm"} for model in models},
    }
    return parse_study({**content, **more})


SYMBOLS = ("\n", " ", "!", "3", "A", "B", "a", "b", "c", "d")


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


def artist(figure, gid):
    """The one artist of this name."""
    (found,) = figure.findobj(lambda a: a.get_gid() == gid)
    return found


def bar(figure, gid):
    """The ends of the one bar of this name."""
    ((first, second),) = artist(figure, gid).get_segments()
    # A bar of no length does not show which way it runs.
    along = int(np.argmax(first != second)) or int(":y:" in gid)
    return pytest.approx([first[along], second[along]])


def note_of(figure):
    """The note under a figure in one line."""
    return " ".join(artist(figure, "note").get_text().split())


def gids(figure, prefix):
    return {a.get_gid() for a in figure.findobj() if str(a.get_gid()).startswith(prefix)}


def texts(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def hatches(figure):
    """Hatched patches and legend entries that stand for something missing."""
    return figure.findobj(lambda a: isinstance(a, Patch) and a.get_hatch() is not None)


def rendered(figure):
    """(text, bounding box in pixels) of every text that is really drawn."""
    with style.styled():
        canvas_ = FigureCanvasAgg(figure)
        canvas_.draw()
        renderer = canvas_.get_renderer()
        hidden = set()
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                slack = 1e-6 * (high - low)
                for tick in axis.get_major_ticks():
                    if not low - slack <= tick.get_loc() <= high + slack:
                        hidden |= {tick.label1, tick.label2}
        return [
            (text.get_text(), text.get_window_extent(renderer))
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in hidden
        ]


def illegible(figure):
    """Texts of a figure that lie on one another, as pairs, or go over its edge."""
    drawn, found = rendered(figure), []
    for (text_a, a), (text_b, b) in itertools.combinations(drawn, 2):
        # Half a pixel of a box is its padding, not ink.
        apart = a.x1 <= b.x0 + 0.5 or b.x1 <= a.x0 + 0.5 or a.y1 <= b.y0 + 0.5 or b.y1 <= a.y0 + 0.5
        if not apart:
            found.append((text_a, text_b))
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in drawn:
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            found.append(text)
    return found


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


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    """A study with everything that can be missing."""
    study = make_study(models=("charlm", "convlm", "tinylstm", "minigpt"))
    return Tables(
        study,
        tmp_path_factory.mktemp("gappy"),
        seeds={
            "minigpt": (),
            ("charlm", "gelu"): (),
            ("charlm", "swiglu"): (1, 2),
            ("convlm", "relu"): (3,),
            ("convlm", "gelu"): (1, 2, 4),
        },
        infinite={("tinylstm", "relu")},
        behind={"tinylstm"},
    )


@pytest.fixture(scope="module")
def drawn(gappy):
    return gappy.figures()


@pytest.fixture(scope="module")
def long_names(tmp_path_factory):
    return Tables(
        LONG,
        tmp_path_factory.mktemp("long"),
        seeds={
            "minigpt": (),
            ("charlm", "smelu_05"): (),
            ("charlm", "swish"): (1, 2),
            ("tinylstm", "gelu"): (1, 2, 3),
            ("tinylstm", "a_custom_activation_of_my_own"): (),
        },
        behind={"tinylstm"},
    )


def test_cross_model_intervals_are_those_of_the_table(gappy, drawn):
    rows = gappy.estimates[
        (gappy.estimates["measure"] == "relative_pd") & (gappy.estimates["step"] == 100)
    ]
    assert len(rows) == 7  # 4 models x 3, less minigpt's 3, one missing and one lone seed
    for row in rows.to_dict("records"):
        key = f"a:{row['model']}:{row['activation']}"
        point = artist(drawn["cross_model"], f"estimate:{key}")
        assert list(point.get_xdata()) == [row["estimate"]]
        if pd.isna(row["low"]):
            assert not gids(drawn["cross_model"], f"interval:{key}")
            assert to_hex(point.get_markerfacecolor()) == "#ffffff"
        else:
            assert bar(drawn["cross_model"], f"interval:{key}") == [row["low"], row["high"]]


@pytest.mark.parametrize("name", [*MEASURE_NAMES, "val_loss", "val_accuracy"])
def test_model_figures_draw_the_intervals_of_the_table(gappy, drawn, name):
    figure = "pd_by_activation" if name in MEASURES else "accuracy_and_loss"
    rows = gappy.estimates[
        (gappy.estimates["measure"] == name)
        & (gappy.estimates["step"] == 100)
        & (gappy.estimates["model"] == "tinylstm")
    ]
    for row in rows.to_dict("records"):
        key = f"{name}:{row['activation']}"
        if math.isinf(row["estimate"]):
            assert not gids(drawn[f"tinylstm/{figure}"], f"estimate:{key}")
            continue
        assert bar(drawn[f"tinylstm/{figure}"], f"interval:{key}") == [row["low"], row["high"]]


def test_single_pairs_are_all_drawn(gappy, drawn):
    table = pd.read_parquet(gappy.pairs["convlm", "swiglu", "all"])
    expected = table.loc[table["step"] == 100, "relative_pd"].tolist()
    strip = artist(drawn["cross_model"], "pairs:b:convlm:swiglu")
    assert list(strip.get_xdata()) == expected
    assert len(expected) == 6


def test_sensitivity_is_that_of_the_table(gappy, drawn):
    table = gappy.analysis["sensitivity"]
    rows = table[(table["measure"] == "relative_pd") & (table["condition"] == Condition.FINAL)]
    assert set(rows["model"]) == {"charlm", "convlm", "tinylstm"}
    for row in rows.to_dict("records"):
        figure, model = drawn["cross_model"], row["model"]
        assert list(artist(figure, f"plain:{model}").get_xdata()) == [row["cv"]]
        if pd.isna(row["corrected"]):
            assert not gids(figure, f"estimate:d:{model}") | gids(figure, f"interval:d:{model}")
            continue
        assert list(artist(figure, f"estimate:d:{model}").get_xdata()) == [row["corrected"]]
        assert bar(figure, f"interval:d:{model}") == [row["low"], row["high"]]
        few = Reason.FEW_SEEDS_FOR_TEST in split_codes(row["reason"], Reason)
        p = "too few seeds for p" if few else f"p = {row['p_omnibus']:.2g}"
        assert any(p in text for text in texts(figure)), model
    # One of charlm's two activations has 2 seeds, so there is nothing to correct with.
    assert gids(drawn["cross_model"], "plain:charlm")
    assert not gids(drawn["cross_model"], "estimate:d:charlm")


def test_missing_is_named_in_each_panel_of_the_cross_model_figure(drawn):
    figure = drawn["cross_model"]
    panels = {
        axes.get_title(loc="left")[:3]: axes for axes in figure.axes if axes.get_title("left")
    }
    assert set(panels) == {"(a)", "(b)", "(c)", "(d)"}
    for letter, axes in panels.items():
        shown = texts(axes)
        assert "not run" in shown, letter
        assert hatches(axes), letter
    for letter in ("(a)", "(b)"):
        shown = texts(panels[letter])
        assert "GELU: missing" in shown
        assert "ReLU: 1 seed: no pair" in shown
    assert "missing" in texts(panels["(c)"])
    assert "1 seed:\nno pair" in texts(panels["(c)"])
    assert "no interval (2 of 4 seeds)" in texts(panels["(a)"])
    assert "3 of 4 seeds" in texts(panels["(a)"])
    heat = [t for t in texts(panels["(c)"]) if "±" in t and "3 of 4 seeds" in t]
    assert len(heat) == 1
    assert any("no interval\n2 of 4 seeds" in t for t in texts(panels["(c)"]))
    assert any("no interval (2 of 4 seeds)" in t for t in texts(panels["(d)"]))
    assert sum("2 of 3 activations" in t for t in texts(panels["(d)"])) == 2
    assert any(t.startswith("†") for t in texts(panels["(a)"]))


@pytest.mark.parametrize("name", MODEL_FIGURES)
def test_a_model_that_did_not_run_is_hatched_and_draws_nothing(drawn, name):
    figure = drawn[f"minigpt/{name}"]
    many = {"pd_by_activation": 7, "training_curves": 3, "accuracy_against_pd": 1, "strata": 12}
    panels = many.get(name, 2)
    assert texts(figure).count("not run") == panels
    assert len(hatches(figure)) == panels
    assert not [line for axes in figure.axes for line in axes.lines]


@pytest.mark.parametrize("name", MODEL_FIGURES)
def test_a_missing_activation_is_named(drawn, name):
    figure = drawn[f"charlm/{name}"]
    assert hatches(figure)
    assert any(text in ("missing", "GELU: missing") for text in texts(figure))
    assert not gids(figure, "estimate:relative_pd:gelu")
    assert not gids(figure, "line:step:gelu") | gids(figure, "line:val_loss:gelu")


def test_two_seeds_have_no_band_and_say_so(drawn):
    assert any("no interval" in t for t in texts(drawn["charlm/pd_by_activation"]))
    figure = drawn["charlm/pd_along_training"]
    assert "SwiGLU: no interval (2 of 4 seeds)" in texts(figure)
    band = artist(figure, "band:step:swiglu")
    assert not [p for p in band.get_paths() if len(p.vertices)]
    line = artist(figure, "line:step:swiglu")
    assert len(line.get_xdata()) == len(STEPS)


def test_a_lone_seed_has_a_loss_but_no_difference(drawn):
    assert "1 seed: no pair" in texts(drawn["convlm/pd_by_activation"])
    figure = drawn["convlm/accuracy_and_loss"]
    assert {"no interval", "ReLU\n1 of 4 seeds"} <= set(texts(figure))
    assert gids(figure, "estimate:val_loss:relu")
    assert "ReLU: 1 seed: no pair" in texts(drawn["convlm/pd_along_training"])


def test_infinite_is_said_and_never_drawn(gappy, drawn):
    assert "infinite" in texts(drawn["tinylstm/pd_by_activation"])
    settings = gappy.study.figures.model_copy(update={"measure": "jeffreys"})
    study = gappy.study.model_copy(update={"figures": settings})
    sensitivity = gappy.analysis["sensitivity"]
    figure = draw_cross_model(study, gappy.summary, gappy.estimates, gappy.final_pairs, sensitivity)
    assert "ReLU: infinite" in texts(figure)
    assert "1 of 6 pairs infinite" in texts(figure)
    assert not gids(figure, "estimate:a:tinylstm:relu")
    assert len(artist(figure, "pairs:b:tinylstm:relu").get_xdata()) == 5
    t = gappy.of_model("tinylstm")
    along = draw_pd_along_training(
        study, "tinylstm", t["estimates"], t["cells"], gappy.analysis["contrasts"]
    )
    assert "ReLU †: infinite" in texts(along)


def test_the_matched_loss_that_is_drawn_is_that_of_the_table(gappy, drawn):
    contrasts = gappy.analysis["contrasts"]
    (loss,) = contrasts.loc[contrasts["model"] == "tinylstm", "matched_loss"].dropna().unique()
    assert artist(drawn["tinylstm/pd_along_training"], "matched").get_xdata()[0] == loss


def test_nothing_missing_is_drawn_as_zero(drawn):
    drawn_values = ("estimate:", "line:")
    for name, figure in drawn.items():
        for line in figure.findobj(lambda a: str(a.get_gid()).startswith(drawn_values)):
            if line.get_gid().startswith("estimate:d:"):
                continue  # what seeds alone would show may be all: the table may say 0
            upright = line.get_gid().startswith("line:") or name.endswith(("strata", "early"))
            values = np.asarray(line.get_ydata() if upright else line.get_xdata())
            assert np.isfinite(values).all(), name
            assert (values != 0).all(), name
    heat = [t for t in drawn["cross_model"].findobj(Text) if str(t.get_gid()).startswith("heat:")]
    assert len(heat) == 7
    assert not [t for t in heat if t.get_text().startswith("0.000")]


def test_nothing_at_all_has_run(tmp_path):
    study = make_study()
    tables = Tables(study, tmp_path, seeds=dict.fromkeys(study.models, ()))
    for name, figure in tables.figures().items():
        assert any("not run" in text for text in texts(figure)), name
        rendered(figure)


def test_control_arm_of_exact_zeros(tmp_path):
    study = make_study(models=("charlm",), arms=["none"])
    tables = Tables(study, tmp_path)
    zero = tables.estimates.copy()
    zero.loc[zero["measure"] == "relative_pd", ["estimate", "se", "low", "high"]] = 0.0
    spread = tables.analysis["sensitivity"].copy()
    numbers = ["cv", "corrected", "low", "high", "p_omnibus"]
    spread.loc[spread["measure"] == "relative_pd", numbers] = np.nan
    spread.loc[spread["measure"] == "relative_pd", "reason"] = Reason.ZERO_MEAN
    figure = draw_cross_model(study, tables.summary, zero, tables.final_pairs, spread)
    assert bar(figure, "interval:a:charlm:relu") == [0.0, 0.0]
    assert any("mean is 0" in t for t in texts(figure))
    assert any("control" in t for t in texts(figure))
    rendered(figure)


def test_models_with_activations_and_arms_of_their_own(tmp_path):
    study = make_study()
    models = dict(study.models)
    models["tinylstm"] = models["tinylstm"].model_copy(
        update={"activations": ("relu", "mish"), "arms": ("order",)}
    )
    study = study.model_copy(update={"models": models})
    figure = Tables(study, tmp_path).cross_model()
    assert texts(figure).count("not in\nstudy") == 3  # mish of charlm; gelu, swiglu of tinylstm
    assert "tinylstm\n(order)" in texts(figure)
    assert gids(figure, "estimate:a:tinylstm:mish")


def test_colours_are_the_same_in_every_figure(gappy, drawn):
    for activation in gappy.study.activations:
        expected = style.look(activation).colour.lower()
        seen = {
            to_hex(to_rgba_array(found.get_color())[0])
            for figure in drawn.values()
            for found in figure.findobj(lambda a: hasattr(a, "get_color"))
            if str(found.get_gid()).startswith(("estimate:", "interval:", "line:", "pairs:"))
            and found.get_gid().endswith(f":{activation}")
        }
        assert seen == {expected}


def test_colours_do_not_depend_on_the_study_and_can_be_set():
    known = ("relu", "gelu", "swish", "mish", "elu", "selu", "prelu", "relu2", "tanh", "softplus")
    known += ("swiglu", "geglu", "reglu")
    known += tuple(
        f"sme{kind}_{beta}" for kind in ("lu", "glu") for beta in ("025", "05", "1", "2")
    )
    assert len({style.look(name).colour for name in known}) == len(known)
    assert style.look("smelu_0125").colour != style.look("smelu_015").colour
    assert style.look("relu", {"relu": "#123456"}).colour == "#123456"
    code = "from reprocore.report.figures import style; print(style.look('my_own'))"
    others = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert others.stdout.strip() == str(style.look("my_own"))


def test_custom_activations_get_different_colours():
    # With seven colours, by their names alone, some of these share one.
    names = [f"my_own_{number}" for number in range(7)]
    assert len({style.look(name).colour for name in names}) < 7
    found = style.looks([*names, "relu"])
    assert len({look.colour for look in found.values()}) == 8
    assert style.looks(["relu", *reversed(names)]) == found
    assert found["relu"] == style.look("relu")
    assert style.looks(names, {names[0]: "#123456"})[names[0]].colour == "#123456"
    assert style.looks(names[:1])[names[0]] == style.look(names[0])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smelu_05", "SmeLU β=0.5"),
        ("smeglu_025", "SmeGLU β=0.25"),
        ("smelu_2", "SmeLU β=2"),
        ("swiglu", "SwiGLU"),
        ("relu2", "ReLU²"),
        ("my_own", "my_own"),
    ],
)
def test_readable_names(name, shown):
    assert readable(name) == shown


@pytest.mark.parametrize("width", [3, 8, 40])
def test_wrapping_loses_no_letter(width):
    text = "a_model_name with words, andaverylongwordwithoutanybreak_\nand a second line"
    wrapped = style.wrap(text, width)
    assert max(map(len, wrapped.split("\n"))) <= width
    assert wrapped.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")


def test_no_text_overlaps_or_is_clipped(long_names):
    figures = {"cross_model": long_names.cross_model()}
    t = long_names.of_model("tinylstm")
    figures["rows"] = draw_pd_by_activation(LONG, "tinylstm", t["estimates"], t["cells"])
    figures["scores"] = draw_accuracy_and_loss(LONG, "tinylstm", t["estimates"], t["cells"])
    figures["along"] = draw_pd_along_training(
        LONG, "tinylstm", t["estimates"], t["cells"], long_names.analysis["contrasts"]
    )
    figures["curves"] = draw_training_curves(LONG, "tinylstm", t["curves"], t["cells"])
    for name, figure in figures.items():
        assert not illegible(figure), name


def test_no_text_overlaps_where_much_is_missing(drawn):
    for name, figure in drawn.items():
        assert not illegible(figure), name


def test_what_cannot_be_read_is_seen():
    figure = canvas.new_figure(make_study(), "heading", ["note"], 2.0)
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.99, 0.2, "over the edge")
    assert illegible(figure) == [("one", "two"), "over the edge"]


def test_unigram_line_only_where_in_range(drawn):
    assert not gids(drawn["charlm/accuracy_and_loss"], "unigram")
    assert any(
        "unigram entropy 3.31 is right" in t for t in texts(drawn["charlm/accuracy_and_loss"])
    )
    assert gids(drawn["charlm/training_curves"], "unigram")


def test_training_band_is_lowest_to_highest_seed(gappy, drawn):
    curves = gappy.of_model("convlm")["curves"]
    rows = curves[(curves["activation"] == "swiglu") & (curves["iteration"] == 100)]["val_loss"]
    (path,) = (
        drawn["convlm/training_curves"]
        .findobj(lambda a: a.get_gid() == "band:val_loss:swiglu")[0]
        .get_paths()
    )
    at_end = path.vertices[path.vertices[:, 0] == 100, 1]
    assert (at_end.min(), at_end.max()) == (rows.min(), rows.max())


def test_a_seed_that_diverged_interrupts_the_curve(gappy):
    t = gappy.of_model("convlm")
    curves = t["curves"].copy()
    wrong = (curves["activation"] == "swiglu") & (curves["seed"] == 2)
    curves.loc[wrong & (curves["iteration"] >= 50), "val_loss"] = np.inf
    figure = draw_training_curves(gappy.study, "convlm", curves, t["cells"])
    line = figure.findobj(lambda a: a.get_gid() == "line:val_loss:swiglu")[0]
    assert list(line.get_xdata()) == [0, 13, 25]


def test_files_are_written_and_reproducible(gappy, tmp_path):
    study = gappy.study
    model_figures = {name: tmp_path / "one/convlm" / f"{name}.png" for name in MODEL_FIGURES}
    write_model_figures(study, "convlm", gappy.model_files("convlm"), model_figures)
    for out in ("one", "two"):
        study_figures = {name: tmp_path / out / f"{name}.png" for name in STUDY_FIGURES}
        write_study_figures(study, gappy.study_files(), study_figures)
    kinds = ("png", "svg")
    names = {f"convlm/{name}.{kind}" for name in MODEL_FIGURES for kind in kinds}
    names |= {f"{name}.{kind}" for name in STUDY_FIGURES for kind in kinds}
    written = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "one").as_posix() for path in written} == names
    again = [path for path in (tmp_path / "two").rglob("*") if path.is_file()]
    assert len(again) == len(kinds) * len(STUDY_FIGURES)
    for path in again:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes(), path.name
    svg = (tmp_path / "one" / "cross_model.svg").read_text("utf-8")
    assert "<dc:date>" not in svg
    assert "interval:a:convlm:swiglu" in svg


def test_files_do_not_depend_on_the_users_settings(gappy, tmp_path):
    import matplotlib

    first = style.save(gappy.cross_model(), tmp_path / "first")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "savefig.dpi": 20}):
        second = style.save(gappy.cross_model(), tmp_path / "second")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_damaged_table_is_one_line(gappy, tmp_path):
    (tmp_path / "estimates.parquet").write_text("no")
    files = gappy.model_files("convlm") | {"estimates": tmp_path / "estimates.parquet"}
    out = {name: tmp_path / "out" / f"{name}.png" for name in MODEL_FIGURES}
    with pytest.raises(ReprocoreError, match=r"estimates\.parquet: not a whole Parquet file"):
        write_model_figures(gappy.study, "convlm", files, out)
    assert not (tmp_path / "out").exists()


def test_names_of_figures_are_cheap_to_import():
    code = "import sys; from reprocore.study.layout import MODEL_FIGURES; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"matplotlib", "pandas", "torch", "numpy"} & set(loaded.stdout.split())


def test_drawing_needs_no_torch_and_no_pyplot():
    folder = "reprocore.report.figures"
    code = f"import sys, {folder}.one_model.write, {folder}.all_models.write; "
    loaded = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"torch", "matplotlib.pyplot"} & set(loaded.stdout.split())
