"""How long a SLURM job takes from its start to the first line of its script, by the study's size.

Each job reads the whole study again, in two Snakemakes, one within the other. Starts one cell of a
study of 10 cells and one of 3,600 in turn, as root on a cluster of this machine
(tests/cluster/slurm.py).

    python benchmarks/job_start.py [--rounds 5]
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/cluster"))

from slurm import missing, slurm_cluster

from project import TINY, Project

ALLOWED_SECONDS = 4
CELL = "out/cells/model0/relu/all-1/cell.json"
# The cell then fails: what comes after its first line is not measured.
FIRST_LINE = """import time

with open("script", "w") as file:
    print(time.time(), file=file)
raise SystemExit(1)
"""
ACTIVATIONS = ("relu", "gelu", "swish", "mish", "elu", "selu", "prelu", "relu2", "tanh", "softplus")


def study(models: int, activations: int, arms: int, seeds: int) -> dict[str, Any]:
    """Return a study of so many cells: the product of the four."""
    small = TINY["models"]["small"]
    return {
        **TINY,
        "models": {f"model{number}": small for number in range(models)},
        "activations": [*ACTIVATIONS[:activations]],
        "arms": ["all", "init", "order", "dropout", "none"][:arms],
        "seeds": [*range(1, seeds + 1)],
    }


def prepare(root: Path, content: dict[str, Any]) -> Project:
    """Return a project with corpus and probe, whose cells only tell when their script starts."""
    root.mkdir()
    project = Project(root, content)
    project.jobs("out/corpus/probe.parquet")
    script = root / "workflow/scripts/train.py"
    script.write_text(FIRST_LINE + script.read_text())
    return project


def seconds_to_start(project: Project) -> float:
    """Run the cell as a SLURM job; return the seconds from its start to its script."""
    start, script = project.root / "start", project.root / "script"
    for path in (start, script):
        path.unlink(missing_ok=True)
    done = project.snakemake(
        CELL,
        "--profile=profiles/slurm",
        "--slurm-steady-init-seconds-before-status-checks=1",
        "--retries=0",
        "--precommand=date +%s.%N >> start",
    )
    if not script.exists():
        raise SystemExit(f"error: the job did not start\n{done.stdout}{done.stderr}")
    return float(script.read_text()) - float(start.read_text().split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if reason := missing():
        raise SystemExit(f"error: {reason}")
    sizes = {10: study(1, 2, 1, 5), 3600: study(6, 10, 5, 12)}
    with tempfile.TemporaryDirectory() as folder, slurm_cluster():
        projects = {cells: prepare(Path(folder) / str(cells), sizes[cells]) for cells in sizes}
        found: dict[int, list[float]] = {cells: [] for cells in sizes}
        for _ in range(rounds):
            for cells, project in projects.items():
                found[cells].append(seconds_to_start(project))
    medians = {cells: statistics.median(values) for cells, values in found.items()}
    for cells, values in found.items():
        print(f"{cells:5} cells: {medians[cells]:.1f} s ({min(values):.1f} to {max(values):.1f})")
    later = medians[3600] - medians[10]
    print(f"later by {later:.1f} s; allowed: {ALLOWED_SECONDS} s")
    raise SystemExit(later > ALLOWED_SECONDS)


if __name__ == "__main__":
    main()
