"""Groups of arrays: conversions, pairing, blocks, strata, and the tables of a study."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import special

import reprocore
from conftest import one_line, tiny_config
from reprocore.analysis.groups.files import compare_files
from reprocore.analysis.groups.inputs import check_inputs, groups_in_memory
from reprocore.analysis.groups.reproducibility import Question
from reprocore.analysis.pairs import compare_cells
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_trajectories
from reprocore.errors import ReprocoreError
from reprocore.kinds import OutputKind
from reprocore.statistics import divergence
from reprocore.statistics.jackknife import pair_matrix
from reprocore.statistics.levels import level_of_pairs, seed_means
from reprocore.store.arrays.manifest import read_manifest
from reprocore.store.arrays.sources import with_targets
from reprocore.store.cell_schemas import CONTINUATIONS_SCHEMA
from reprocore.store.predictions import Predictions, write_predictions
from reprocore.store.schemas import CURVES_SCHEMA
from reprocore.store.tables import write_table
from reprocore.study.cells import Cell
from reprocore.study.study import parse_study
from reprocore.vocabulary import AGREEMENT_MEASURES, MEASURES, bounds_of

POSITIONS, SYMBOLS = 60, 6
LABELS = OutputKind.LABELS


def logits_of(groups: int = 2, models: int = 5, seed: int = 0, noise: float = 0.4) -> np.ndarray:
    """Models that share what they learned: logits [groups, models, N, V]."""
    random = np.random.default_rng(seed)
    shape = (groups, models, POSITIONS, SYMBOLS)
    return random.normal(0, 1.5, shape[2:]) + noise * random.normal(size=shape)


def groups_of(**settings: Any) -> dict[str, np.ndarray]:
    return dict(zip(("one", "two"), special.softmax(logits_of(**settings), axis=-1), strict=True))


TARGETS = np.random.default_rng(5).integers(0, SYMBOLS, POSITIONS)


def same(one: reprocore.Reproducibility, other: reprocore.Reproducibility, **options: Any) -> None:
    for name in ("pairs", "estimates", "contrasts", "verdicts", "strata"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), **options)


class TestKinds:
    def test_logits_and_their_logarithms_give_what_their_softmax_gives(self) -> None:
        logits = dict(zip(("one", "two"), logits_of(), strict=True))
        wanted = reprocore.reproducibility(groups_of(), targets=TARGETS)
        same(reprocore.reproducibility(logits, targets=TARGETS, kind="logits"), wanted)
        logs = {name: special.log_softmax(x, axis=-1) for name, x in logits.items()}
        result = reprocore.reproducibility(logs, targets=TARGETS, kind="log-probabilities")
        same(result, wanted, rtol=1e-9)

    def test_labels_give_churn_flips_kappa_and_accuracy_alone(self) -> None:
        groups = groups_of()
        labels = {name: p.argmax(axis=-1) for name, p in groups.items()}
        result = reprocore.reproducibility(labels, targets=TARGETS, kind="labels")
        wanted = reprocore.reproducibility(groups, targets=TARGETS).estimates
        assert set(result.estimates["measure"]) == {"accuracy", "churn", "flips", "kappa"}
        both = result.estimates.merge(wanted, on=["group", "measure"])
        assert len(both) == 8
        np.testing.assert_allclose(both["estimate_x"], both["estimate_y"], rtol=1e-12)
        assert set(result.verdicts["measure"]) == {"churn"}

    def test_a_symbol_that_only_the_targets_hold_counts_from_files_and_arguments_alike(
        self,
    ) -> None:
        (group,) = groups_in_memory({"one": np.arange(12).reshape(4, 3) % 3}, LABELS, None)
        targets = np.array([3, 0, 1])
        stored = replace(group, sources=with_targets(group.sources, targets))
        for found in (check_inputs([stored], LABELS), check_inputs([group], LABELS, targets)):
            assert found.symbols == 4
            assert found.targets is not None
            assert found.targets.tolist() == targets.tolist()

    def test_targets_of_labels_that_are_text_are_refused(self) -> None:
        labels = {name: p.argmax(axis=-1) for name, p in groups_of().items()}
        with pytest.raises(ReprocoreError, match="targets"):
            reprocore.reproducibility(labels, targets=TARGETS.astype(str), kind="labels")

    def test_logits_for_probabilities_are_refused_with_a_hint(self) -> None:
        with pytest.raises(ReprocoreError) as error:
            reprocore.reproducibility({"one": logits_of()[0]})
        assert "one[0]: probability -" in one_line(error)
        assert "logits" in one_line(error)

    @pytest.mark.parametrize("bad", ["logits", "nan"])
    def test_pairwise_refuses_what_is_no_probability(self, bad: str) -> None:
        stack = logits_of()[0] if bad == "logits" else groups_of()["one"]
        stack[1, 2, 3] = np.nan if bad == "nan" else stack[1, 2, 3]
        with pytest.raises(ReprocoreError) as error:
            reprocore.pairwise(stack)
        one_line(error)

    def test_tensors_of_any_type_are_taken(self) -> None:
        wanted = reprocore.reproducibility(groups_of(), targets=TARGETS)
        double = {n: torch.tensor(p, requires_grad=True) for n, p in groups_of().items()}
        same(reprocore.reproducibility(double, targets=torch.tensor(TARGETS)), wanted)
        coarse = {n: [torch.tensor(m).bfloat16() for m in p] for n, p in groups_of().items()}
        result = reprocore.reproducibility(coarse, targets=TARGETS)
        np.testing.assert_allclose(
            result.estimates["estimate"], wanted.estimates["estimate"], rtol=0.1, atol=0.02
        )
        assert divergence.relative_pd(double["one"][0], double["one"][0]) == 0

    def test_float16_that_underflows_is_said_with_its_part_of_relative_pd(self) -> None:
        sharp = special.softmax(12 * logits_of(), axis=-1)
        half = dict(zip(("one", "two"), sharp.astype(np.float16), strict=True))
        result = reprocore.reproducibility(half)
        notice = result.notices[result.notices["notice"] == "underflow"].set_index("subject")
        for name, models in half.items():
            zeros = [(a == 0, b == 0) for a, b in itertools.combinations(models, 2)]
            one = np.mean([a ^ b for a, b in zeros])
            assert notice.loc[name, "one"] == pytest.approx(one)
            assert notice.loc[name, "both"] == pytest.approx(np.mean([a & b for a, b in zeros]))
            assert 0.1 < 2 * one <= notice.loc[name, "relative_pd"]


class TestPairing:
    def test_without_seeds_groups_are_not_paired_and_it_says_so(self) -> None:
        result = reprocore.reproducibility(groups_of())
        assert set(result.contrasts["method"]) == {"welch"}
        assert all("seeds_not_named" in reason for reason in result.contrasts["reason"])
        assert "not_paired" in set(result.notices["notice"])

    def test_named_seeds_pair_whatever_the_order_of_the_models(self) -> None:
        groups = groups_of()
        wanted = reprocore.reproducibility(groups, seeds=[1, 2, 3, 4, 5])
        assert set(wanted.contrasts["method"]) == {"closed_test"}
        mixed = {"one": groups["one"][::-1], "two": groups["two"]}
        seeds = {"one": [5, 4, 3, 2, 1], "two": [1, 2, 3, 4, 5]}
        same(reprocore.reproducibility(mixed, seeds=seeds), wanted)

    def test_seeds_of_one_group_alone_are_refused(self) -> None:
        with pytest.raises(ReprocoreError) as error:
            reprocore.reproducibility(groups_of(), seeds={"one": [1, 2, 3, 4, 5]})
        assert "for all groups or for none" in one_line(error)

    def test_identical_arrays_are_named_unless_they_are_allowed(self) -> None:
        groups = groups_of()
        groups["two"][3] = groups["one"][1]
        with pytest.raises(ReprocoreError) as error:
            reprocore.reproducibility(groups)
        assert "two[3]: holds the very same numbers as one[1]" in one_line(error)
        reprocore.reproducibility(groups, allow_identical=True)


class TestBlocksAndStrata:
    def test_blocks_of_one_size_are_those_of_a_study(self) -> None:
        groups = groups_of()
        result = reprocore.reproducibility(groups, targets=TARGETS, blocks=10)
        pairs, _, parts = divergence.pairwise_by_block(groups["one"], TARGETS, 10)
        level = level_of_pairs(seed_means(pairs, parts["churn"]), bounds_of("churn"))
        row = result.estimates.query("group == 'one' and measure == 'churn'").iloc[0]
        for name in ("estimate", "se", "se_seeds", "se_text", "low", "high", "dof"):
            assert row[name] == pytest.approx(getattr(level, name), rel=1e-12)
        assert (row["blocks"], row["generalisation"]) == (6, "seeds and text")

    def test_labels_of_blocks_in_any_order_are_the_same_blocks(self) -> None:
        groups, order = groups_of(), np.random.default_rng(2).permutation(POSITIONS)
        wanted = reprocore.reproducibility(groups, targets=TARGETS, blocks=10).estimates
        names = np.array([f"page {i // 10}" for i in range(POSITIONS)])[order]
        mixed = {name: p[:, order] for name, p in groups.items()}
        result = reprocore.reproducibility(mixed, targets=TARGETS[order], blocks=names)
        pd.testing.assert_frame_equal(result.estimates, wanted, rtol=1e-9)

    def test_unequal_blocks_leave_the_estimate_and_widen_or_narrow_its_interval(self) -> None:
        labels = np.repeat([0, 1, 2, 3], [5, 10, 20, 25])
        groups = groups_of()
        row = reprocore.reproducibility(groups, blocks=labels).estimates.iloc[0]
        plain = reprocore.reproducibility(groups).estimates.iloc[0]
        assert row["estimate"] == pytest.approx(plain["estimate"], rel=1e-12)
        assert row["low"] < row["estimate"] < row["high"]

    def test_a_stratum_is_what_pairwise_says_of_its_positions(self) -> None:
        groups = groups_of()
        strata = reprocore.reproducibility(groups, targets=TARGETS).strata
        mean = np.concatenate(list(groups.values())).mean(axis=0)
        surprise = -np.log(mean[range(POSITIONS), TARGETS])
        members = np.argsort(surprise, kind="stable")[: POSITIONS // 5]
        _, values = divergence.pairwise(groups["two"][:, members], TARGETS[members])
        row = strata.query(
            "group == 'two' and stratification == 'surprisal' and stratum == '1' "
            "and measure == 'churn'"
        ).iloc[0]
        assert row["estimate"] == pytest.approx(values["churn"].mean(), rel=1e-12)
        assert row["positions"] == POSITIONS // 5


@pytest.mark.slow
def test_equal_groups_are_told_apart_in_at_most_six_percent() -> None:
    wrong = 0
    for seed in range(200):
        # Networks of one width with weights of their own: no group is the steadier.
        random = np.random.default_rng(seed)
        inputs = random.normal(size=(40, 6))
        first, second = (random.normal(size=(10, *shape)) for shape in ((6, 12), (12, 4)))
        hidden = np.maximum(inputs @ first, 0)
        p = special.softmax(hidden @ second / 3, axis=-1)
        verdicts = reprocore.reproducibility({"one": p[:5], "two": p[5:]}).verdicts
        wrong += verdicts["verdict"].isin(["more_reproducible", "less_reproducible"]).sum()
    assert wrong <= 12


class TestAsAStudy:
    SEEDS, STEPS = (1, 2, 3, 4, 5), (4, 8)

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The predictions, texts and losses of two activations and five seeds."""
        p = special.softmax(logits_of(4).reshape(2, 2, 5, POSITIONS, SYMBOLS), axis=-1)
        curves = []
        for (a, activation), (s, seed) in itertools.product(
            enumerate(("relu", "gelu")), enumerate(self.SEEDS)
        ):
            cell = Cell("charlm", activation, "all", seed)
            positions = np.arange(POSITIONS)
            content = (np.array(self.STEPS), positions, TARGETS.astype(np.uint16))
            stored = Predictions(*content, p[a, :, s].astype(np.float32), "hash", cell.key)
            write_predictions(tmp_path / f"{activation}-{seed}.parquet", stored)
            text = [{"position": 0, "continuation": "abcdefgh"[: seed + 1]}]
            schema = CONTINUATIONS_SCHEMA.with_metadata({"cell": cell.key})
            write_table(tmp_path / f"{activation}-{seed}-texts", pa.Table.from_pylist(text, schema))
            labels = {"model": "charlm", "activation": activation, "arm": "all", "seed": seed}
            curves += [
                {**labels, "iteration": step, "val_loss": 2 - step / 10 + seed / 100}
                | {"val_accuracy": 0.5 + seed / 100}
                for step in self.STEPS
            ]
        write_table(tmp_path / "curves.parquet", pa.Table.from_pylist(curves, CURVES_SCHEMA))
        return tmp_path

    def test_pairs_and_contrasts_are_those_of_the_workflow(self, root: Path) -> None:
        for activation in ("relu", "gelu"):
            files = [root / f"{activation}-{seed}.parquet" for seed in self.SEEDS]
            texts = [root / f"{activation}-{seed}-texts" for seed in self.SEEDS]
            write_table(root / f"{activation}.pairs", compare_cells(files, texts, 10)["pairs"])
        paths = [root / "relu.pairs", root / "gelu.pairs"]
        trajectories = read_trajectories(paths, [root / "curves.parquet"])["charlm"]
        content = tiny_config(activations=["relu", "gelu"], seeds=list(self.SEEDS))
        content["models"] = {"charlm": content["models"]["charlm"]}
        study = parse_study(content)
        tables = analyse_model(study, "charlm", trajectories)

        lines = ["file,group,seed,step"] + [
            f"{activation}-{seed}.parquet,{activation},{seed},{step}"
            for step in self.STEPS
            for activation in ("relu", "gelu")
            for seed in self.SEEDS
        ]
        (root / "runs.csv").write_text("\n".join(lines))
        result = compare_files(read_manifest(root / "runs.csv"), Question())

        wanted = pd.concat([pd.read_parquet(path) for path in paths])
        keys = ["activation", "step", "seed_a", "seed_b"]
        measures = [*MEASURES, *AGREEMENT_MEASURES, "right_to_wrong", "wrong_to_wrong"]
        pairs = result.pairs.rename(columns={"group": "activation"}).set_index(keys).sort_index()
        pd.testing.assert_frame_equal(
            pairs[measures], wanted.set_index(keys).sort_index()[measures], rtol=1e-13
        )

        contrasts = tables["contrasts"].to_pandas()
        contrasts = contrasts[contrasts["condition"] == "final"]
        keys = ["measure", "family", "first", "second"]
        found = result.contrasts[result.contrasts["step"] == 8].set_index(keys)
        shared = found.index.intersection(contrasts.set_index(keys).index)
        assert len(shared) == 2 * (len(MEASURES) + len(AGREEMENT_MEASURES))
        columns = [name for name in found.columns if name != "step"]
        pd.testing.assert_frame_equal(
            found.loc[shared, columns], contrasts.set_index(keys).loc[shared, columns], rtol=1e-9
        )
        primary = found.loc[("relative_pd", "reference", "gelu", "relu")]
        assert not primary["exploratory"]

    def test_a_pair_matrix_is_what_the_contrasts_rest_on(self, root: Path) -> None:
        lines = ["file,group,seed", *(f"relu-{seed}.parquet,relu,{seed}" for seed in self.SEEDS)]
        (root / "runs.csv").write_text("\n".join(lines))
        result = compare_files(read_manifest(root / "runs.csv"), Question())
        seeds, matrix = pair_matrix(
            result.pairs[["seed_a", "seed_b"]].to_numpy(int), result.pairs["churn"]
        )
        assert seeds.tolist() == list(self.SEEDS)
        mean = matrix[np.triu_indices(5, 1)].mean()
        row = result.estimates.query("measure == 'churn'").iloc[0]
        assert row["estimate"] == pytest.approx(mean)
