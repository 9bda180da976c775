"""Training steps of the models against what else could be had, side by side on one thread.

For each model and precision, processor time per step of
- `own`: `reprocore`, as a cell is trained;
- `floor`: the matrix products of that step alone, of the same shapes and precision;
- `plain`: the same model from PyTorch's own parts, as most would write it;
- `nanogpt`: nanoGPT's model and step of its train.py, with the same sizes (family gpt, float32);
  against `gelu`, which it uses, where the others are measured with `relu`.
Each has a process of its own and they take turns; ratios are of one round. Processor time, because
other programs on the machine move it less than the clock.

    python benchmarks/training_step.py [--models charlm tinylstm] [--nanogpt DIR] [--rounds 5]
"""

import argparse
import contextlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from plain_models import Plain
from products import products_of
from torch import nn

from reprocore.study.sections import ModelSettings, TrainingSettings
from reprocore.study.study import load_study
from reprocore.training.device import cell_device
from reprocore.training.loop import draw_batch, optimiser_step
from reprocore.training.models.activations import activation
from reprocore.training.models.build import build_model, count_parameters
from reprocore.training.precision import has_bfloat16, matrix_products
from reprocore.training.state import begin_training

ROOT = Path(__file__).parents[1]
VOCABULARY = 65
TEXT = np.random.default_rng(0).integers(0, VOCABULARY, 1_000_000)
CPU = torch.device("cpu")

Step = Callable[[], object]


def own_step(settings: ModelSettings, training: TrainingSettings, name: str) -> Step:
    model = build_model(settings, activation(name), VOCABULARY, 1)
    state = begin_training(model, training, {"order": 1, "dropout": 1}, CPU)

    def step() -> None:
        batch = draw_batch(TEXT, state.order, training.batch_size, settings.context, CPU)
        optimiser_step(state, *batch, training.clip_norm)

    return step


def plain_step(settings: ModelSettings, training: TrainingSettings) -> Step:
    model = Plain(VOCABULARY, settings)
    wanted = build_model(settings, activation("relu"), VOCABULARY, 1)
    if count_parameters(model) != count_parameters(wanted):
        raise ValueError("the plain model has another number of parameters")
    optimiser = torch.optim.AdamW(model.parameters(), lr=training.learning_rate)
    tokens, context = torch.from_numpy(TEXT), settings.context

    def step() -> None:
        starts = torch.randint(len(tokens) - context, (training.batch_size,))
        windows = torch.stack([tokens[i : i + context + 1] for i in starts])
        with matrix_products(training.precision, CPU):
            logits = model(windows[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def nanogpt_step(settings: ModelSettings, training: TrainingSettings, folder: str) -> Step:
    """A step as in its train.py on a CPU, without torch.compile."""
    sys.path.insert(0, folder)
    import model as nanogpt

    sizes, context = settings.sizes, settings.context
    with contextlib.redirect_stdout(None):
        config = nanogpt.GPTConfig(
            block_size=context,
            vocab_size=VOCABULARY,
            n_layer=sizes["layers"],
            n_head=sizes["heads"],
            n_embd=sizes["width"],
            dropout=sizes["dropout"],
            bias=False,
        )
        model = nanogpt.GPT(config)
        optimiser = model.configure_optimizers(1e-1, training.learning_rate, (0.9, 0.95), "cpu")
    text = TEXT.astype(np.uint16)

    def window(start: int) -> torch.Tensor:
        return torch.from_numpy(text[start : start + context].astype(np.int64))

    def step() -> None:
        starts = torch.randint(len(text) - context, (training.batch_size,))
        inputs = torch.stack([window(i) for i in starts])
        targets = torch.stack([window(i + 1) for i in starts])
        _, loss = model(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def build_step(kind: str, name: str, precision: str, folder: str) -> Step:
    study = load_study(ROOT / "config/config.yaml")
    settings = study.models[name]
    training = study.training_of(name).model_copy(update={"precision": precision})
    match kind:
        case "plain":
            return plain_step(settings, training)
        case "nanogpt":
            return nanogpt_step(settings, training, folder)
        case "floor":
            return products_of(own_step(settings, training, "relu"))
    if kind == "own float32":
        training = training.model_copy(update={"precision": "float32"})
    return own_step(settings, training, "gelu" if kind == "own gelu" else "relu")


def serve(pipe: Connection, kind: str, *arguments: str) -> None:
    """Build a step; then, for each number of steps asked for, answer milliseconds per step."""
    torch.set_num_threads(1)
    ours = kind not in ("plain", "nanogpt")
    with cell_device("cpu", 1) if ours else contextlib.nullcontext():
        step = build_step(kind, *arguments)
        while count := pipe.recv():
            begin = time.process_time()
            for _ in range(count):
                step()
            pipe.send(1e3 * (time.process_time() - begin) / count)


@contextlib.contextmanager
def contenders(kinds: list[str], *arguments: str) -> Iterator[dict[str, Callable[[int], float]]]:
    """Start a process for each kind; yield functions of a number of steps that give ms per step."""
    context, running = multiprocessing.get_context("spawn"), {}
    for kind in kinds:
        pipe, other = context.Pipe()
        process = context.Process(target=serve, args=(other, kind, *arguments), daemon=True)
        process.start()
        other.close()
        running[kind] = (pipe, process)

    def measure(pipe: Connection, steps: int) -> float:
        pipe.send(steps)
        return pipe.recv()

    yield {kind: lambda n, p=pipe: measure(p, n) for kind, (pipe, _) in running.items()}
    for pipe, process in running.values():
        pipe.send(0)
        process.join()


def ratio(times: list[dict[str, float]], one: str, other: str) -> str:
    found = [each[one] / each[other] for each in times]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def compare(name: str, family: str, precision: str, arguments: argparse.Namespace) -> None:
    kinds = ["own", "floor", "plain"]
    if precision == "bfloat16":
        kinds.append("own float32")
    elif arguments.nanogpt and family == "gpt":
        kinds += ["own gelu", "nanogpt"]
    with contenders(kinds, name, precision, arguments.nanogpt or "") as run:
        for each in run.values():
            each(2)
        times = [
            {kind: each(arguments.steps) for kind, each in run.items()}
            for _ in range(arguments.rounds)
        ]
    medians = {kind: statistics.median(each[kind] for each in times) for kind in kinds}
    print(f"{name} {precision}: ", end="")
    print(", ".join(f"{kind} {value:.0f} ms" for kind, value in medians.items()))
    print(f"  own / floor: {ratio(times, 'own', 'floor')}")
    print(f"  plain / own: {ratio(times, 'plain', 'own')}")
    if "nanogpt" in kinds:
        print(f"  nanogpt / own, both with gelu: {ratio(times, 'nanogpt', 'own gelu')}")
    if "own float32" in kinds:
        print(f"  float32 / own: {ratio(times, 'own float32', 'own')}", flush=True)


def main() -> None:
    models = load_study(ROOT / "config/config.yaml").models
    small = [name for name, settings in models.items() if not settings.resources.gpu]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=small, choices=list(models))
    parser.add_argument(
        "--precisions", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"]
    )
    parser.add_argument("--nanogpt", help="folder of nanoGPT's model.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="per round")
    arguments = parser.parse_args()
    print("milliseconds of processor time per step and ratios: median (range over rounds)")
    if "bfloat16" in arguments.precisions and not has_bfloat16(CPU):
        print("this processor has no bfloat16 instructions: its ratios say nothing about others")
    for name in arguments.models:
        for precision in arguments.precisions:
            compare(name, models[name].family, precision, arguments)


if __name__ == "__main__":
    main()
