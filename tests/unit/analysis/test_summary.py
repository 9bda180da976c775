"""Estimates of a model and the cross-model summary: numbers, gaps and flags."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from conftest import one_line, tiny_config
from reprocore.analysis.estimates import (
    estimate_groups,
    estimate_model,
    gather_cells,
    gather_scores,
)
from reprocore.analysis.summary import summarise
from reprocore.errors import ReprocoreError
from reprocore.report.summary_text import (
    over_all_models,
    summary_text,
    with_interval,
    write_summary,
)
from reprocore.report.words import flag_texts
from reprocore.statistics.jackknife import jackknife
from reprocore.store.cell_schemas import EVALUATION_SCHEMA, HISTORY_SCHEMA
from reprocore.store.files import write_json
from reprocore.store.records import sealed
from reprocore.store.schemas import BLOCKS_SCHEMA, CELLS_SCHEMA, CONTRASTS_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import (
    MEASURE_NAMES,
    PAIR_MEASURES,
    POSITION_MEASURES,
    QUANTITIES,
    Condition,
    ContrastVerdict,
    Family,
    Flag,
    Generalisation,
    Reason,
    join_codes,
)

SHARES = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")
STEPS = (50, 100)
BLOCKS = 3


def write_blocks(path: Path, text: np.ndarray) -> Path:
    """Write the blocks of a pairs file, whose values differ by block by these factors alone."""
    frame, rows = pd.read_parquet(path), []
    for step in STEPS:
        of_step = frame[frame.step == step]
        for seed in np.unique(of_step[["seed_a", "seed_b"]]):
            own = of_step[(of_step.seed_a == seed) | (of_step.seed_b == seed)]
            labels = own.iloc[0][["model", "activation", "arm"]].to_dict()
            means = own[list(POSITION_MEASURES)].mean()
            rows += [
                labels | {"seed": seed, "step": step, "block": b} | (means * factor).to_dict()
                for b, factor in enumerate(text / text.mean())
            ]
    beside = Path(str(path).replace("/pairs/", "/blocks/"))
    write_table(beside, pa.Table.from_pylist(rows, schema=BLOCKS_SCHEMA))
    return beside


def study_of(models: tuple[str, ...] = ("charlm",), seeds: int = 4) -> Study:
    content = tiny_config(activations=["relu", "gelu"], seeds=list(range(1, seeds + 1)))
    content["models"] = dict.fromkeys(models, content["models"]["charlm"])
    return parse_study(content)


def describe(cell: Cell, **changes: object) -> dict[str, object]:
    return {
        "cell": {
            "model": cell.model,
            "activation": cell.activation,
            "arm": cell.arm,
            "seed": cell.seed,
        },
        "identity": {"settings": "s", "source": "c"},
        "parameters": 1000,
        "val_loss": 2.0 + cell.seed / 100,
        "val_accuracy": 0.3,
        "unigram_entropy": 3.3,
        "beats_unigram": True,
        "train_seconds": 1.0,
        "probe_hash": "probe",
        "versions": {"torch": "2"},
        "hardware": {"processor": "one"},
        "earlier": [],
        **changes,
    }


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., list[list[Path]]]:
    """Return a function that writes the files of a model's cells and gives their paths."""

    def write(
        model: str = "charlm",
        activations: tuple[str, ...] = ("relu", "gelu"),
        seeds: tuple[int, ...] = (1, 2, 3, 4),
        **changes: object,
    ) -> list[list[Path]]:
        random = np.random.default_rng(len(model))
        pairs, blocks, histories, evaluations, descriptions = [], [], [], [], []
        for activation in activations:
            for seed in seeds:
                cell = Cell(model, activation, "all", seed)
                folder = cell.folder(tmp_path)
                rows = [
                    dict.fromkeys(HISTORY_SCHEMA.names, 1.0)
                    | {"iteration": step, "val_loss": 3 - step / 100 + seed / 10}
                    for step in (0, *STEPS)
                ]
                named = HISTORY_SCHEMA.with_metadata({"cell": cell.key})
                table = pa.Table.from_pylist(rows, schema=named)
                write_table(folder / "history.parquet", table)
                write_json(folder / "cell.json", sealed(describe(cell, **changes)))
                rows = [
                    {"step": step, "block": b, "accuracy": 0.4 + b / 100 + seed / 50}
                    | {"loss": 3 - step / 100 + seed / 10 + (b - 1) / 10}
                    for step in STEPS
                    for b in range(BLOCKS)
                ]
                named = EVALUATION_SCHEMA.with_metadata({"cell": cell.key})
                write_table(folder / "evaluation.parquet", pa.Table.from_pylist(rows, schema=named))
                evaluations.append(folder / "evaluation.parquet")
                histories.append(folder / "history.parquet")
                descriptions.append(folder / "cell.json")
            path = tmp_path / f"pairs/{model}/{activation}/all.parquet"
            if len(seeds) > 1:
                table = pa.Table.from_pylist(
                    [
                        {name: random.uniform(0.1, 0.5) for name in (*PAIR_MEASURES, *SHARES)}
                        | ({} if step == STEPS[-1] else {"continuation_distance": None})
                        | {"model": model, "activation": activation, "arm": "all"}
                        | {"seed_a": a, "seed_b": b, "step": step}
                        for step in STEPS
                        for i, a in enumerate(seeds)
                        for b in seeds[i + 1 :]
                    ],
                    schema=PAIRS_SCHEMA,
                )
                write_table(path, table)
                pairs.append(path)
                blocks.append(write_blocks(path, random.uniform(0.9, 1.1, BLOCKS)))
        return [pairs, blocks, histories, evaluations, descriptions]

    return write


def summary_of(study: Study, folder: Path, files: list[tuple]) -> pd.DataFrame:
    estimates, cells = [], []
    for index, of_model in enumerate(files):
        tables = estimate_model(*of_model, 0.95)
        for name, paths in (("estimates", estimates), ("cells", cells)):
            write_table(folder / f"{index}-{name}.parquet", tables[name])
            paths.append(folder / f"{index}-{name}.parquet")
    return summarise(study, estimates, cells).to_pandas()


def estimated(files: list[list[Path]], confidence: float = 0.95) -> pd.DataFrame:
    pairs, blocks, _, evaluations, _ = files
    return estimate_groups(pairs, blocks, gather_scores(evaluations), confidence).to_pandas()


def test_estimates_are_those_of_the_pairs_with_an_interval_for_new_text_too(fill) -> None:
    files = fill()
    pairs, frame = files[0], estimated(files, 0.9)
    assert len(frame) == 2 * len(STEPS) * (len(QUANTITIES) - 1) + 2
    stored = pd.read_parquet(pairs[0])
    matrix = np.zeros((4, 4))
    for row in stored[stored.step == 100].itertuples():
        matrix[row.seed_a - 1, row.seed_b - 1] = matrix[row.seed_b - 1, row.seed_a - 1] = row.churn
    wanted = jackknife(matrix, 0.9)
    (found,) = frame[
        (frame.activation == "relu") & (frame.step == 100) & (frame.measure == "churn")
    ].itertuples()
    assert (found.estimate, found.se_seeds) == pytest.approx((wanted.estimate, wanted.se))
    by_block = pd.read_parquet(files[1][0]).query("step == 100").groupby("block")["churn"].mean()
    assert found.se_text == pytest.approx(by_block.std() / np.sqrt(BLOCKS))
    assert found.se >= max(found.se_seeds, found.se_text)
    assert 0 < found.low < found.estimate < found.high < 1
    assert (found.seeds, found.pairs, found.blocks) == (4, 6, BLOCKS)
    assert found.generalisation == Generalisation.SEEDS_AND_TEXT


def test_the_distance_of_texts_is_estimated_at_the_last_step_alone(fill, tmp_path: Path) -> None:
    files = fill()
    frame = estimated(files)
    (found,) = frame[
        (frame.measure == "continuation_distance") & (frame.activation == "gelu")
    ].itertuples()
    stored = pd.read_parquet(files[0][1])
    assert found.step == 100
    assert found.estimate == pytest.approx(stored["continuation_distance"].mean())
    assert 0 < found.low < found.estimate < found.high < 1
    assert (found.generalisation, found.blocks) == (Generalisation.SEEDS, 0)
    assert found.se == found.se_seeds
    assert np.isnan(found.se_text)
    summary = summary_of(study_of(), tmp_path, [files]).set_index("activation")
    assert summary.loc["gelu", "continuation_distance"] == found.estimate
    assert summary.loc["gelu", "continuation_distance_high"] == found.high


def test_losses_are_means_over_seeds_at_the_same_step(fill) -> None:
    frame = estimated(fill())
    losses = frame[(frame.measure == "val_loss") & (frame.activation == "relu")]
    assert losses.set_index("step")["estimate"].to_dict() == pytest.approx({50: 2.75, 100: 2.25})


def test_the_summary_has_a_row_for_everything_wanted(fill, tmp_path: Path) -> None:
    study = study_of(("charlm", "other"))
    frame = summary_of(study, tmp_path, [fill("charlm", activations=("relu",))])
    assert frame[["model", "activation"]].to_numpy().tolist() == [
        ["charlm", "relu"],
        ["charlm", "gelu"],
        ["other", "relu"],
        ["other", "gelu"],
    ]
    assert frame["flags"].tolist() == ["", *[Flag.NOT_RUN] * 3]
    assert frame["missing_seeds"].tolist() == ["", *["1, 2, 3, 4"] * 3]
    assert frame["seeds"].tolist() == [4, 0, 0, 0]
    assert frame.loc[1:, list(MEASURE_NAMES)].isna().all(axis=None)
    assert frame.loc[0, "step"] == 100


@pytest.mark.parametrize(
    ("seeds", "flags", "words"),
    [
        ((1, 2, 4), [], "missing seeds: 3"),
        ((1, 4), [Flag.NO_INTERVAL], "missing seeds: 2, 3; no interval: 2 seeds, needs 3"),
        ((2,), [Flag.NO_PAIR], "missing seeds: 1, 3, 4; no pair of seeds"),
        # A seed that is not asked for does not stand for one that is.
        ((1, 2, 3, 9), [], "missing seeds: 4"),
    ],
)
def test_missing_seeds_are_named(
    fill, tmp_path: Path, seeds: tuple[int, ...], flags: list[Flag], words: str
) -> None:
    frame = summary_of(study_of(), tmp_path, [fill(seeds=seeds)])
    assert frame["flags"].tolist() == [join_codes([Flag.MISSING_SEEDS, *flags])] * 2
    assert ["; ".join(flag_texts(row)) for row in frame.to_dict("records")] == [words] * 2
    assert frame["seeds"].tolist() == [len(seeds)] * 2
    assert frame["relative_pd_low"].isna().all() == (len(seeds) < 3)


def test_cells_above_the_unigram_entropy_are_flagged(fill, tmp_path: Path) -> None:
    frame = summary_of(study_of(), tmp_path, [fill(beats_unigram=False)])
    assert frame["flags"].tolist() == [Flag.ABOVE_UNIGRAM] * 2
    assert frame["cells_above_unigram"].tolist() == [4, 4]
    assert flag_texts(frame.iloc[0]) == ["4 of 4 not below unigram entropy"]


def test_cells_of_different_machines_or_code_are_flagged(fill, tmp_path: Path) -> None:
    files = fill()
    path = files[-1][0]
    content = json.loads(path.read_text())
    content["hardware"]["processor"] = "another"
    content["identity"]["source"] = "another"
    write_json(path, sealed(content))
    frame = summary_of(study_of(), tmp_path, [files])
    assert frame["flags"].tolist() == [join_codes([Flag.MIXED_MACHINES, Flag.MIXED_CODE]), ""]


def test_a_cell_that_went_on_on_another_machine_is_flagged(fill, tmp_path: Path) -> None:
    files = fill()
    content = json.loads(files[-1][0].read_text())
    content["earlier"] = [{"hardware": {"processor": "another"}, "until": 3}]
    files[-1][0].write_text(json.dumps(sealed(content)))
    frame = summary_of(study_of(), tmp_path, [files])
    assert frame["flags"].tolist() == [Flag.MIXED_MACHINES, ""]


def test_cells_of_different_probes_are_an_error(fill, tmp_path: Path) -> None:
    files = [fill("charlm"), fill("other", probe_hash="another")]
    with pytest.raises(ReprocoreError) as error:
        summary_of(study_of(("charlm", "other")), tmp_path, files)
    assert "charlm/relu/all/1 and other/relu/all/1 predicted different probes" in one_line(error)


def test_pairs_and_scores_of_different_seeds_are_an_error(fill) -> None:
    files = fill()
    files[3] = files[3][1:]
    with pytest.raises(ReprocoreError) as error:
        estimated(files)
    assert "has seeds [1, 2, 3, 4], the evaluations [2, 3, 4]" in one_line(error)
    files = fill()
    files[1] = files[1][::-1]
    with pytest.raises(ReprocoreError, match=r"relu/all.parquet: has seeds .*, .*gelu/all.* \[\]"):
        estimated(files)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"cell": 1}', "no json"], ids=["empty", "list", "{}", "1", "text"]
)
def test_a_foreign_description_is_an_error(fill, content: str) -> None:
    *_, descriptions = fill()
    descriptions[0].write_text(content)
    with pytest.raises(ReprocoreError) as error:
        gather_cells(descriptions)
    assert str(descriptions[0]) in one_line(error)


def test_a_description_of_another_cell_is_an_error(fill) -> None:
    *_, descriptions = fill()
    descriptions[0].write_bytes(descriptions[1].read_bytes())
    with pytest.raises(ReprocoreError) as error:
        gather_cells(descriptions)
    assert "must be of charlm/relu/all-1" in one_line(error)


def test_an_infinite_measure_is_shown_as_infinite_without_interval(fill, tmp_path: Path) -> None:
    files = fill()
    for path in files[0]:
        frame = pd.read_parquet(path)
        frame["jeffreys"] = np.inf
        write_table(path, pa.Table.from_pandas(frame, schema=PAIRS_SCHEMA, preserve_index=False))
        write_blocks(path, np.ones(BLOCKS))
    frame = summary_of(study_of(), tmp_path, [files])
    assert np.isinf(frame["jeffreys"]).all()
    assert frame["jeffreys_low"].isna().all()
    assert frame["flags"].tolist() == [Flag.NO_INTERVAL] * 2
    assert frame["reason"].tolist() == [Reason.INFINITE] * 2


def test_what_does_not_vary_has_an_interval_without_width_and_no_flag(fill, tmp_path: Path) -> None:
    files = fill()
    for path in files[0]:
        frame = pd.read_parquet(path)
        frame["churn"] = 0.0
        write_table(path, pa.Table.from_pandas(frame, schema=PAIRS_SCHEMA, preserve_index=False))
        write_blocks(path, np.ones(BLOCKS))
    frame = summary_of(study_of(), tmp_path, [files])
    assert frame[["churn", "churn_low", "churn_high", "churn_se"]].eq(0).all(axis=None)
    assert frame[["flags", "reason"]].to_numpy().tolist() == [["", ""]] * 2


def test_the_three_forms_hold_the_same_and_nothing_is_filled_in(fill, tmp_path: Path) -> None:
    study = study_of(("charlm", "other"))
    files = fill()
    frame = summary_of(study, tmp_path, [files])
    out = {"parquet": "summary.parquet", "csv": "summary.csv", "markdown": "summary.md"}
    paths = {kind: tmp_path / name for kind, name in out.items()}
    write_summary(study, pa.Table.from_pandas(frame, preserve_index=False), paths)
    stored = pd.read_parquet(tmp_path / "summary.parquet")
    listed = pd.read_csv(tmp_path / "summary.csv")
    assert listed["churn"].tolist() == pytest.approx(stored["churn"].tolist(), nan_ok=True)
    text = (tmp_path / "summary.md").read_text()
    assert with_interval(frame.iloc[0].to_dict(), "churn") in text
    missing = [line for line in text.splitlines() if line.startswith("| other")]
    assert len(missing) == 2
    assert all("nan" not in line and "| – |" in line for line in missing)


def test_what_is_said_over_all_models_is_adjusted_over_them() -> None:
    study = study_of(("charlm", "other"))
    verdict = ContrastVerdict.MORE_REPRODUCIBLE
    rows = [
        {"model": model, "first": "gelu", "p_adjusted": p, "verdict": verdict}
        for model, p in (("charlm", 0.02), ("other", 0.2))
    ]
    text = over_all_models(study, rows)
    assert "Over 2 models together" in text
    assert "gelu in charlm (more reproducible, p 0.0400)." in text
    assert over_all_models(study, rows[1:]).endswith("over models, no difference is clear.")
    untested = [row | {"p_adjusted": None} for row in rows]
    assert "no model was tested" in over_all_models(study, untested)


def test_the_summary_shows_the_family_of_the_reference_and_labels_what_is_exploratory() -> None:
    study = study_of()
    row = dict.fromkeys(CONTRASTS_SCHEMA.names) | {"model": "charlm", "arm": "all", "seeds": 5}
    row |= {"measure": "relative_pd", "first": "gelu", "second": "relu", "reason": ""}
    row |= {"verdict": ContrastVerdict.UNDECIDED, "p": 0.3, "exploratory": True}
    rows = [
        row | {"condition": condition, "family": family, "p_adjusted": p}
        for condition in Condition
        for family, p in ((Family.REFERENCE, 0.1234), (Family.ALL_PAIRS, 0.4321))
    ]
    text = summary_text(study, [], [], rows)
    assert text.count("0.1234") == 2
    assert "0.4321" not in text
    assert "ratio at the last step | p | verdict | ratio at matched loss (exploratory) |" in text
    assert "Declared beforehand: relative PD at the last step" in text


def test_the_cell_table_names_its_environment(fill) -> None:
    *_, descriptions = fill()
    table = gather_cells(descriptions)
    assert table.schema.equals(CELLS_SCHEMA)
    assert set(table["environment"].to_pylist()) == {"torch 2, one"}
