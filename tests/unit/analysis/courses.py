"""Trajectories drawn at random, the studies that they are of, and rows of a table."""

import numpy as np
import pyarrow as pa

from conftest import tiny_config
from reprocore.analysis.trajectories import Trajectory
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import AGREEMENT_MEASURES, MEASURES

STEPS = np.array([25, 50, 100])


def study_of(activations: list[str], models: tuple[str, ...] = ("charlm",), **keys) -> Study:
    content = tiny_config(activations=activations, seeds=list(range(1, 13)), **keys)
    content["models"] = dict.fromkeys(models, content["models"]["charlm"])
    return parse_study(content)


def course_of(level: float, seeds=range(1, 13), random=0, noise=0.02, loss=2.0) -> Trajectory:
    """A trajectory whose differences grow along training towards `level`."""
    rng = np.random.default_rng(random)
    numbers = np.array(list(seeds))
    size = len(numbers)
    own = rng.normal(0, noise * level, size)
    cubes = {}
    for name in (*MEASURES, *AGREEMENT_MEASURES):
        single = rng.normal(0, noise * level / 2, (size, size))
        matrix = level + own[:, None] + own + single + single.T
        matrix = (matrix + matrix.T) / 2
        np.fill_diagonal(matrix, 0)
        cubes[name] = np.stack([matrix * share for share in (0.5, 0.8, 1.0)])
    cubes["continuation_distance"] = cubes["churn"] * np.array([np.nan, np.nan, 1])[:, None, None]
    losses = loss + np.array([1.0, 0.5, 0.0])[:, None] + rng.normal(0, 0.01, size)
    return Trajectory(numbers, STEPS, cubes, {"val_loss": losses, "val_accuracy": 1 / losses})


def rows(table: pa.Table, **wanted) -> list[dict]:
    return [row for row in table.to_pylist() if all(row[key] == wanted[key] for key in wanted)]
