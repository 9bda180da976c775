"""Trajectories of pairs and losses, and what they were at a loss that all reach."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from courses import course_of
from hypothesis import given
from hypothesis import strategies as st

from conftest import one_line
from reprocore.analysis.trajectories import (
    Trajectory,
    at_loss,
    common_loss,
    interpolation,
    pair_losses,
    read_trajectories,
    shared_seeds,
)
from reprocore.errors import ReprocoreError
from reprocore.store.schemas import CURVES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import write_table
from reprocore.vocabulary import PAIR_MEASURES

SHARES = ("right_to_wrong", "wrong_to_right", "wrong_to_wrong")


class TestTrajectories:
    def write(self, folder: Path, seeds=(1, 2, 3)) -> tuple[list[Path], list[Path]]:
        pairs = [
            {"model": "charlm", "activation": "relu", "arm": "all"}
            | {"seed_a": a, "seed_b": b, "step": step}
            | dict.fromkeys((*PAIR_MEASURES, *SHARES), step + a + b / 10)
            for step in (50, 100)
            for a in seeds
            for b in seeds
            if a < b
        ]
        path = folder / "pairs/charlm/relu/all.parquet"
        write_table(path, pa.Table.from_pylist(pairs, schema=PAIRS_SCHEMA))
        curves = [
            dict.fromkeys(CURVES_SCHEMA.names, 1.0)
            | {"model": "charlm", "activation": "relu", "arm": "all", "seed": seed}
            | {"iteration": step, "val_loss": step / 100 + seed}
            for step in (0, 50, 100)
            for seed in seeds
        ]
        write_table(folder / "curves.parquet", pa.Table.from_pylist(curves, schema=CURVES_SCHEMA))
        return [path], [folder / "curves.parquet"]

    def test_pairs_and_losses_stand_where_they_belong(self, tmp_path: Path) -> None:
        (trajectory,) = read_trajectories(*self.write(tmp_path))["charlm"].values()
        assert trajectory.seeds.tolist() == [1, 2, 3]
        assert trajectory.steps.tolist() == [50, 100]
        assert trajectory.pairs["churn"][1, 0, 2] == trajectory.pairs["churn"][1, 2, 0] == 101.3
        assert trajectory.scores["val_loss"].tolist() == [[1.5, 2.5, 3.5], [2.0, 3.0, 4.0]]

    def test_a_seed_without_history_is_an_error(self, tmp_path: Path) -> None:
        pairs, _ = self.write(tmp_path, seeds=(1, 2, 3, 4))
        _, curves = self.write(tmp_path / "other")
        with pytest.raises(ReprocoreError) as error:
            read_trajectories(pairs, curves)
        assert "all.parquet" in one_line(error)

    def test_restriction_keeps_the_rows_and_columns_of_the_seeds(self) -> None:
        trajectory = course_of(0.5, seeds=(2, 5, 9))
        part = trajectory.at(-1, "churn", [2, 9])
        assert part[0, 1] == trajectory.pairs["churn"][-1, 0, 2]
        assert shared_seeds([trajectory, course_of(0.5, seeds=(9, 2, 3))]) == [2, 9]


class TestMatchedLoss:
    def line(self, losses: list[float], values: list[float]) -> Trajectory:
        """Two seeds with the same losses; the difference of the pair along training."""
        cube = np.zeros((len(losses), 2, 2))
        cube[:, 0, 1] = cube[:, 1, 0] = values
        table = np.repeat(np.array(losses)[:, None], 2, axis=1)
        return Trajectory(
            np.array([1, 2]), np.arange(len(losses)), {"churn": cube}, {"val_loss": table}
        )

    def test_between_snapshots_it_is_linear_in_the_loss(self) -> None:
        trajectory = self.line([3.0, 2.0, 1.0], [0.1, 0.2, 0.6])
        assert at_loss(trajectory, "churn", 2.0)[0, 1] == pytest.approx(0.2)
        assert at_loss(trajectory, "churn", 1.25)[0, 1] == pytest.approx(0.5)
        assert at_loss(trajectory, "churn", 1.0)[0, 1] == pytest.approx(0.6)

    def test_a_pair_that_is_past_a_loss_at_its_first_snapshot_has_no_value_there(self) -> None:
        trajectory = self.line([3.0, 2.0], [0.1, 0.2])
        assert at_loss(trajectory, "churn", 3.0)[0, 1] == pytest.approx(0.1)
        assert interpolation(trajectory, 3.0) == 0
        matrix = at_loss(trajectory, "churn", 3.1)
        assert np.isnan([matrix[0, 1], matrix[1, 0]]).all()
        assert not matrix.diagonal().any()
        assert interpolation(trajectory, 3.1) is None

    def test_a_loss_that_rises_again_counts_where_it_was_first_reached(self) -> None:
        trajectory = self.line([3.0, 1.0, 2.0], [0.1, 0.3, 0.9])
        assert at_loss(trajectory, "churn", 2.0)[0, 1] == pytest.approx(0.2)

    def test_a_loss_that_was_never_reached_is_an_error(self) -> None:
        with pytest.raises(ReprocoreError) as error:
            at_loss(self.line([3.0, 2.0], [0.1, 0.2]), "churn", 1.9)
        assert "never reaches 1.9000" in one_line(error)

    def test_a_pair_is_interpolated_on_its_own_loss_from_the_snapshot_before(self) -> None:
        trajectory = self.line([3.0, 2.0, 2.5, 1.5], [0.1, 0.2, 0.4, 0.8])
        assert at_loss(trajectory, "churn", 1.75)[0, 1] == pytest.approx(0.7)
        assert common_loss([self.line([3.0, 1.0, 1.5], [0.1, 0.2, 0.3])]) == 1.5

    @pytest.mark.parametrize(
        ("loss", "share"), [(2.0, 0.0), (1.75, 0.25), (1.25, 0.25), (1.5, 0.5), (3.0, 0.0)]
    )
    def test_interpolation_is_the_distance_to_the_nearer_snapshot(self, loss, share) -> None:
        assert interpolation(self.line([3.0, 2.0, 1.0], [1, 2, 3]), loss) == pytest.approx(share)

    @given(st.lists(st.floats(0.5, 4), min_size=1, max_size=6), st.integers(0, 99))
    def test_every_pair_reaches_the_common_loss_within_what_it_showed(
        self, levels: list[float], seed: int
    ) -> None:
        trajectories = [course_of(0.3, random=seed, loss=level) for level in levels]
        loss = common_loss(trajectories)
        off = ~np.eye(12, dtype=bool)
        assert loss == max(pair_losses(trajectory)[-1][off].max() for trajectory in trajectories)
        for trajectory in trajectories:
            matrix = at_loss(trajectory, "churn", loss)
            cube = trajectory.pairs["churn"]
            past = (pair_losses(trajectory)[0] < loss) & off
            assert np.array_equal(np.isnan(matrix), past)
            assert (interpolation(trajectory, loss) is None) == past.any()
            assert np.all(matrix[~past] >= cube.min(axis=0)[~past] - 1e-12)
            assert np.all(matrix[~past] <= cube.max(axis=0)[~past] + 1e-12)
            assert np.array_equal(matrix, matrix.T, equal_nan=True)
