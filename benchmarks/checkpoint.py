"""What checkpoints of a `charlm` cell cost, and how soon a resumed cell trains.

Times the saving of a checkpoint of a whole run (weights, optimiser, all snapshots but the last)
against the training steps of the same process, as the share of a cell at the default interval; and
the time from the end of the imports to the first step of a resumed cell, corpus read included.

    python benchmarks/checkpoint.py [--rounds 5] [--steps 10]
"""

import argparse
import math
import signal
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from reprocore.data.probe import build_probe, read_probe, write_probe
from reprocore.data.tokens import encode, read_corpus, write_corpus
from reprocore.study.cells import CHECKPOINT, Cell
from reprocore.study.study import Study, load_study, parse_study
from reprocore.training import loop as training
from reprocore.training.cell import train_cell
from reprocore.training.checkpoint import SavedTraining, StoppedError

ROOT = Path(__file__).parents[1]
SNAPSHOTS = 6
CELL = Cell("charlm", "relu", "all", 1)


def prepare(folder: Path, study: Study) -> None:
    """Write a corpus of the size of tiny Shakespeare and its probe."""
    letters = np.random.default_rng(0).integers(32, 97, 1_115_394).astype(np.uint8)
    corpus = encode(letters.tobytes().decode())
    write_corpus(folder / "corpus.parquet", corpus)
    positions, block = study.probe.positions, study.probe.block
    probe = build_probe(corpus, context=study.probe.lead, positions=positions, block=block)
    write_probe(folder / "probe.parquet", probe)


def train_until_stopped(study: Study, folder: Path, row: int) -> None:
    """Read the corpus and train the cell; stop after the step that follows row `row`."""
    corpus = read_corpus(folder / "corpus.parquet")
    probe = read_probe(folder / "probe.parquet")

    def progress(found, _total, _left) -> None:
        if found.iteration == row:
            signal.raise_signal(signal.SIGTERM)

    train_cell(study, CELL, corpus, probe, folder / "cell", progress)


class Watch:
    """Notes when steps begin and what a checkpoint costs, within `train_until_stopped`."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.saves: list[float] = []
        step, save = training.optimiser_step, SavedTraining.save

        def watched_step(*arguments):
            self.steps.append(time.perf_counter())
            return step(*arguments)

        def watched_save(saved: SavedTraining) -> None:
            if not saved.probabilities:
                saved.probabilities = [torch.zeros(2048, 65)] * SNAPSHOTS
            begun = time.perf_counter()
            save(saved)
            self.saves.append(time.perf_counter() - begun)

        training.optimiser_step, SavedTraining.save = watched_step, watched_save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    full = load_study(ROOT / "config/config.yaml")
    interval = full.models["charlm"].resources.checkpoint_seconds
    content = full.model_dump(mode="json")
    content["models"]["charlm"]["resources"]["checkpoint_seconds"] = 0
    # The last step is far away, so that a row of history comes when this asks for it.
    content["training"] |= {"iterations": 10**6, "evaluate_every": arguments.steps}
    study = parse_study(content)
    starts, steps, saves = [], [], []
    watch = Watch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, study)
        for number in range(arguments.rounds + 1):
            watch.steps.clear()
            watch.saves.clear()
            begun = time.perf_counter()
            try:
                train_until_stopped(study, folder, number * arguments.steps)
            except StoppedError:
                starts.append(watch.steps[0] - begun)
                between = np.diff(watch.steps) - watch.saves[: len(watch.steps) - 1]
                steps += list(between)
                saves += watch.saves
        size = (folder / "cell" / CHECKPOINT).stat().st_size
    report(interval, starts[1:], steps, saves, size)


def report(
    interval: float, starts: list[float], steps: list[float], saves: list[float], size: int
) -> None:
    """Print the figures; times in seconds, size in bytes."""
    step, save = statistics.median(steps), statistics.median(saves)
    cell = 500 * step
    share = math.floor(cell / interval) * save / cell
    print(f"a step: {1000 * step:.0f} ms; a checkpoint: {1000 * save:.0f} ms, {size / 1e6:.1f} MB")
    print(
        f"a cell of 500 steps: {cell:.0f} s; checkpoints every {interval:.0f} s are {share:.2%} "
        f"of it, and at most {save / interval:.2%} of any cell"
    )
    median = statistics.median(starts)
    print(f"a resumed cell trains after {median:.2f} s (at most {max(starts):.2f} s)")


if __name__ == "__main__":
    main()
