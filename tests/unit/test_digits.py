"""The worked example: command line, library, and a computation of its own give the same numbers."""

import itertools
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import reprocore
from project import REPOSITORY
from reprocore.cli import main

pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow
SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the example writes."""
    folder = tmp_path_factory.mktemp("digits")
    runpy.run_path(str(REPOSITORY / "docs/examples/digits.py"))["main"](folder)
    return folder


@pytest.fixture(scope="module")
def arrays(folder: Path) -> dict[str, np.ndarray]:
    return {
        name: np.stack([np.load(folder / f"{name}-{seed}.npy") for seed in SEEDS])
        for name in ("relu", "tanh")
    }


@pytest.fixture(scope="module")
def command(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the command line writes, as JSON."""
    arguments = [f"{name}={folder}/{name}-*.npy" for name in ("relu", "tanh")]
    arguments += ["--targets", f"{folder}/labels.npy", "--seeds", "*-{seed}.npy", "--blocks", "1"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["reprocore", "compare", *arguments, "--json", f"{folder}/all"])
        main()
    assert not ended.value.code
    return json.loads((folder / "all").read_text("utf-8"))


def by_hand(p: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Means over pairs and over models, each measure as its definition is written."""
    pairs = list(itertools.combinations(p, 2))
    with np.errstate(invalid="ignore"):
        relative = [np.nan_to_num(2 * abs(a - b) / (a + b)).mean() for a, b in pairs]
    right = p.argmax(axis=2) == labels
    true = p[:, range(len(labels)), labels]
    return {
        "relative_pd": np.mean(relative),
        "total_variation": np.mean([abs(a - b).sum(axis=1).mean() / 2 for a, b in pairs]),
        "jensen_shannon": np.mean(
            [
                (stats.entropy(a, (a + b) / 2, axis=1) + stats.entropy(b, (a + b) / 2, axis=1)) / 2
                for a, b in pairs
            ]
        ),
        "churn": np.mean([a.argmax(axis=1) != b.argmax(axis=1) for a, b in pairs]),
        "flips": np.mean([a != b for a, b in itertools.combinations(right, 2)]),
        "loss": -np.log(true).mean(),
        "accuracy": right.mean(),
    }


def test_the_command_line_gives_what_a_computation_of_its_own_gives(
    command: dict[str, list[dict[str, Any]]], arrays: dict[str, np.ndarray], folder: Path
) -> None:
    labels = np.load(folder / "labels.npy")
    levels = {(row["group"], row["measure"]): row["estimate"] for row in command["estimates"]}
    for group, p in arrays.items():
        for measure, value in by_hand(p, labels).items():
            assert levels[group, measure] == pytest.approx(value, rel=1e-12), (group, measure)


def test_the_library_gives_what_the_command_line_gives(
    command: dict[str, list[dict[str, Any]]], arrays: dict[str, np.ndarray], folder: Path
) -> None:
    labels = np.load(folder / "labels.npy")
    result = reprocore.reproducibility(arrays, targets=labels, seeds=SEEDS, blocks=1)
    for name, rows in command.items():
        frame = getattr(result, name)
        assert len(frame) == len(rows)
        for row, other in zip(frame.to_dict("records"), rows, strict=True):
            for key, value in row.items():
                if isinstance(value, float) and not np.isfinite(value):
                    assert other[key] is None
                elif not key.startswith("model"):
                    assert other[key] == value, (name, key)


def test_the_verdict_is_that_of_a_paired_t_test(
    command: dict[str, list[dict[str, Any]]], arrays: dict[str, np.ndarray]
) -> None:
    (verdict,) = command["verdicts"]
    assert (verdict["first"], verdict["second"], verdict["measure"]) == (
        *("tanh", "relu"),
        "relative_pd",
    )
    assert (verdict["verdict"], verdict["method"]) == ("more_reproducible", "closed_test")
    # Its numbers by hand, from pseudo-values whose surplus of pair noise is not taken out: a
    # larger error, and the same difference.
    differences = pseudo_values(arrays["tanh"]) - pseudo_values(arrays["relu"])
    assert verdict["difference"] == pytest.approx(differences.mean(), rel=1e-10)
    plain = stats.ttest_1samp(differences, 0)
    assert verdict["p"] <= plain.pvalue < 0.05


def pseudo_values(p: np.ndarray) -> np.ndarray:
    """M·θ − (M−1)·θ without seed i, of relative PD."""

    def theta(models: np.ndarray) -> float:
        return by_hand(models, np.zeros(models.shape[1], int))["relative_pd"]

    seeds = len(p)
    left = [theta(np.delete(p, i, axis=0)) for i in range(seeds)]
    return seeds * theta(p) - (seeds - 1) * np.array(left)
