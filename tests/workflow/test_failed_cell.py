"""A cell that fails: it is named, the others go on, and what there is can be drawn."""

import numpy as np
import pandas as pd
import pytest

from project import TINY, Project, listed_jobs, rules_of
from reprocore.vocabulary import Flag, Reason, split_codes

# Sound for as long as a preflight takes; what is broken at once is in test_preflight.py.
BREAKS_LATE = """
calls = 0

def broken(x):
    global calls
    calls += 1
    return x.tanh() if calls <= 8 else x * float("nan")
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A study in which one activation makes the loss NaN, after its first run."""
    study = {
        **TINY,
        "models": {"small": TINY["models"]["small"]},
        "activations": ["relu", "broken"],
        "custom_activations": {"broken": {"path": "broken_activation:broken"}},
        "seeds": [1, 2],
    }
    project = Project(tmp_path_factory.mktemp("broken"), study)
    (project.root / "src/broken_activation.py").write_text(BREAKS_LATE)
    done = project.snakemake()
    assert done.returncode != 0
    return project, done.stdout + done.stderr


def test_a_nan_loss_fails_its_cell_and_the_others_go_on(broken: tuple[Project, str]) -> None:
    project, output = broken
    cells = project.root / "out/cells/small"
    assert (cells / "relu/all-1/cell.json").is_file()
    assert (project.root / "out/pairs/small/relu/all.parquet").is_file()
    assert [path.name for path in (cells / "broken/all-1").iterdir()] == ["failed.json"]
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 2
    assert "small/broken/all-" in lines[0]
    assert "loss became nan" in lines[0]
    log = (project.root / "out/logs/train/small/broken/all-1.log").read_text()
    assert "loss became nan" in log
    assert "Traceback" not in log


def test_a_partial_study_is_drawn_with_its_missing_cells(broken: tuple[Project, str]) -> None:
    project, _ = broken
    done = project.snakemake("--config", "partial=true")
    assert done.returncode == 0, done.stderr
    assert "train" not in rules_of(listed_jobs(done.stdout + done.stderr))
    summary = pd.read_parquet(project.root / "out/summary.parquet").set_index("activation")
    assert summary.loc["broken", "flags"] == Flag.NOT_RUN
    assert np.isnan(summary.loc["broken", "relative_pd"])
    assert split_codes(summary.loc["relu", "flags"], Flag)[0] == Flag.NO_INTERVAL
    assert summary.loc["relu", "reason"] == Reason.FEW_SEEDS
    assert (project.root / "out/figures/cross_model.png").is_file()
