"""How long `reprocore compare` takes on the predictions of language models, and how much memory.

Writes models as .npy files (float32 probabilities, 4.1 GB by default), compares them in a process
of its own, and prints its seconds and the most memory that it held.

    python benchmarks/compare.py [--models 10] [--groups 2] [--positions 2048] [--symbols 50257]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=10, help="of all groups together")
    parser.add_argument("--groups", type=int, default=2)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--symbols", type=int, default=50257)
    parser.add_argument("--folder", help="where to write; a temporary folder if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for model in range(options.models):
            write(Path(folder), model, options)
        targets = np.random.default_rng(1).integers(0, options.symbols, options.positions)
        np.save(Path(folder) / "targets.npy", targets)
        seconds, busy, peak = compared(Path(folder), options.groups)
    size = options.models * options.positions * options.symbols * 4 / 2**30
    print(
        f"{options.models} models in {options.groups} groups, {options.positions} x "
        f"{options.symbols} float32 ({size:.1f} GiB): {seconds:.0f} s "
        f"({busy:.0f} s of a processor), peak {peak:.2f} GiB"
    )


def write(folder: Path, model: int, options: argparse.Namespace) -> None:
    """Write softmax of logits that all models share but for noise of their own."""
    shape = (options.positions, options.symbols)
    path = folder / f"g{model % options.groups}-{model}.npy"
    out = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    shared, own = (np.random.default_rng(seed) for seed in (0, 100 + model))
    for start in range(0, len(out), ROWS):
        part = out[start : start + ROWS]
        logits = 3 * shared.standard_normal(part.shape, dtype=np.float32)
        logits += 0.3 * own.standard_normal(part.shape, dtype=np.float32)
        odds = np.exp(logits)
        part[:] = odds / odds.sum(axis=1, keepdims=True)


def compared(folder: Path, groups: int) -> tuple[float, float, float]:
    """Return the seconds, those of a processor, and the peak of memory, GiB, of a comparison."""
    patterns = [f"g{group}={folder}/g{group}-*.npy" for group in range(groups)]
    arguments = [*patterns, "--targets", str(folder / "targets.npy"), "--blocks", "64"]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "reprocore", "compare", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"compare ended with {os.waitstatus_to_exitcode(status)}")
    busy = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - start, busy, usage.ru_maxrss / 2**20


if __name__ == "__main__":
    main()
