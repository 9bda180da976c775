"""Training step of `charlm` against a plain PyTorch loop, side by side on one thread.

The plain model uses `nn.Dropout` and `scaled_dot_product_attention`; the sizes, the data and the
optimiser are the same. Prints milliseconds per step and the ratio, from alternating rounds, and
the share of a 500-iteration cell that is spent outside the training steps.

    python benchmarks/training_step.py [--rounds 5] [--steps 10]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reprocore.data.tokens import encode
from reprocore.study.sections import ModelSettings, TrainingSettings
from reprocore.study.study import Study, load_study
from reprocore.training.generation import (
    CONTINUATION_LENGTH,
    PROMPT_LENGTH,
    PROMPTS,
    likeliest,
)
from reprocore.training.loop import (
    Windows,
    evaluate,
    predict,
    row_iterations,
    snapshot_iterations,
    train,
)
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.state import begin_training

ROOT = Path(__file__).parents[1]
WIDTH, HEADS, CONTEXT, VOCABULARY, DROPOUT = 128, 4, 128, 65, 0.2


class PlainBlock(nn.Module):
    """A transformer block as most would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.out, self.dropout = nn.Linear(WIDTH, WIDTH), nn.Dropout(DROPOUT)
        self.feed_forward = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH),
            nn.ReLU(),
            nn.Linear(4 * WIDTH, WIDTH),
            nn.Dropout(DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        heads = (x.shape[0], x.shape[1], HEADS, WIDTH // HEADS)
        query, key, value = (
            project(y).view(heads).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        dropped = DROPOUT if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropped, is_causal=True)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(x.shape)))
        return x + self.feed_forward(self.second(x))


class PlainGPT(nn.Module):
    """`charlm` from PyTorch's own parts."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(PlainBlock(), PlainBlock())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens) + self.position.weight[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def plain_steps(tokens: Tensor, batch: int, rate: float) -> Callable[[int], None]:
    model = PlainGPT()
    assert count_parameters(model) == 429_121
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)

    def run(steps: int) -> None:
        for _ in range(steps):
            starts = torch.randint(len(tokens) - CONTEXT, (batch,))
            windows = torch.stack([tokens[i : i + CONTEXT + 1] for i in starts])
            logits = model(windows[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


def own_steps(study: Study, corpus, settings: ModelSettings) -> Callable[[int], None]:
    model = build_model(settings, activation("relu"), VOCABULARY, 1)
    nothing = Windows(torch.zeros((1, 2), dtype=torch.long), torch.zeros((1, 1), dtype=torch.long))

    def run(steps: int) -> None:
        chosen = TrainingSettings(iterations=steps, evaluate_every=steps, snapshots=(1,))
        training = begin_training(model, chosen, {"order": 1, "dropout": 1}, torch.device("cpu"))
        for _ in train(training, corpus, chosen, CONTEXT, nothing):
            pass

    return run


def milliseconds(run: Callable[[int], None], steps: int) -> float:
    begin = time.perf_counter()
    run(steps)
    return 1e3 * (time.perf_counter() - begin) / steps


def overhead(study: Study, corpus, settings: ModelSettings, step_ms: float) -> None:
    """Measure what a 500-iteration cell spends beside its steps."""
    model = build_model(settings, activation("relu"), VOCABULARY, 1)
    training = study.training_of("charlm")

    def windows(positions: int) -> Windows:
        rows = positions // study.probe.block
        tokens = torch.randint(VOCABULARY, (rows, CONTEXT))
        return Windows(tokens, tokens[:, -study.probe.block :])

    begin = time.perf_counter()
    evaluate(model, windows(training.evaluation_positions))
    evaluation = (time.perf_counter() - begin) * len(row_iterations(training))
    begin = time.perf_counter()
    predict(model, windows(study.probe.positions))
    count = len(snapshot_iterations(training.iterations, training.snapshots))
    snapshots = (time.perf_counter() - begin) * count
    begin = time.perf_counter()
    prompts = torch.randint(VOCABULARY, (PROMPTS, PROMPT_LENGTH))
    likeliest(model.eval(), prompts, CONTEXT, CONTINUATION_LENGTH)
    texts = time.perf_counter() - begin
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import reprocore.training.cell, reprocore.pipeline.jobs"],
        check=True,
    )
    start = time.perf_counter() - begin
    steps = training.iterations * step_ms / 1e3
    total = steps + evaluation + snapshots + texts + start
    print(f"cell of {training.iterations} iterations: {steps:.1f} s of steps, ", end="")
    print(
        f"{evaluation:.1f} s evaluation, {snapshots:.1f} s snapshots, {start:.1f} s start-up, "
        f"{texts:.1f} s ({texts / total:.1%}) continuations: ",
        end="",
    )
    print(f"{(total - steps) / total:.1%} beside the steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    study = load_study(ROOT / "config/config.yaml")
    letters = np.random.default_rng(0).integers(0, VOCABULARY, 100_000)
    corpus = encode("".join(chr(48 + letter) for letter in letters))
    tokens = torch.from_numpy(corpus.train.astype(np.int64))
    training = study.training_of("charlm")
    own = own_steps(study, corpus, study.models["charlm"])
    plain = plain_steps(tokens, training.batch_size, training.learning_rate)
    for run in (own, plain):
        run(3)
    times = [
        (milliseconds(own, arguments.steps), milliseconds(plain, arguments.steps))
        for _ in range(arguments.rounds)
    ]
    ratios = [ours / theirs for ours, theirs in times]
    ours, theirs = (statistics.median(each) for each in zip(*times, strict=True))
    print(f"reprocore {ours:.0f} ms per step, plain PyTorch {theirs:.0f} ms per step")
    print(f"ratio: median {statistics.median(ratios):.2f}, ", end="")
    print(f"range {min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds")
    overhead(study, corpus, study.models["charlm"], ours)


if __name__ == "__main__":
    main()
