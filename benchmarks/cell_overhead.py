"""What a cell of `charlm` spends beside its steps: scores, snapshots, continuations, start-up.

    python benchmarks/cell_overhead.py [--steps 20]

Shares of one cell of config/config.yaml, measured in one run on one thread.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from reprocore.study.study import load_study
from reprocore.training.generation import CONTINUATION_LENGTH, PROMPT_LENGTH, PROMPTS, likeliest
from reprocore.training.loop import (
    Windows,
    draw_batch,
    evaluate,
    optimiser_step,
    predict,
    row_iterations,
    snapshot_iterations,
)
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model
from reprocore.training.state import begin_training

VOCABULARY = 65
CPU = torch.device("cpu")


def seconds(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="of training, timed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = load_study(Path(__file__).parents[1] / "config/config.yaml")
    settings, training = study.models["charlm"], study.training_of("charlm")
    context, block = settings.context, study.probe.block
    model = build_model(settings, activation("relu"), VOCABULARY, 1)
    state = begin_training(model, training, {"order": 1, "dropout": 1}, CPU)
    text = np.random.default_rng(0).integers(0, VOCABULARY, 1_000_000)

    def step() -> None:
        batch = draw_batch(text, state.order, training.batch_size, context, CPU)
        optimiser_step(state, *batch, training.clip_norm)

    def windows(positions: int) -> Windows:
        tokens = torch.randint(VOCABULARY, (positions // block, context))
        return Windows(tokens, tokens[:, -block:])

    step()
    evaluated, probed = windows(training.evaluation_positions), windows(study.probe.positions)
    prompts = torch.randint(VOCABULARY, (PROMPTS, PROMPT_LENGTH))
    snapshots = len(snapshot_iterations(training.iterations, training.snapshots))
    begin = time.perf_counter()
    imports = "import reprocore.training.cell, reprocore.pipeline.jobs"
    subprocess.run([sys.executable, "-c", imports], check=True)
    parts = {"start-up": time.perf_counter() - begin}
    timed = seconds(lambda: [step() for _ in range(arguments.steps)])
    parts["steps"] = timed * training.iterations / arguments.steps
    parts["scores"] = seconds(lambda: evaluate(model, evaluated)) * len(row_iterations(training))
    parts["snapshots"] = seconds(lambda: predict(model, probed)) * snapshots
    parts["continuations"] = seconds(
        lambda: likeliest(model.eval(), prompts, context, CONTINUATION_LENGTH)
    )
    total = sum(parts.values())
    for name, spent in parts.items():
        print(f"{name:14} {spent:6.1f} s {spent / total:6.1%}")


if __name__ == "__main__":
    main()
