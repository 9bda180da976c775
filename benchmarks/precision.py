"""How much the precision alone moves predictions: PD between precisions beside PD between seeds.

Trains the seeds of a model in float32 and in bfloat16 and compares the last predictions: of a seed
in both precisions (same initial weights, batches and dropout masks), and of pairs of seeds in each.

    python benchmarks/precision.py [--model charlm] [--seeds 4] [--iterations 500]
"""

import argparse
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np

from reprocore.data.probe import build_probe
from reprocore.data.shakespeare import default_cache
from reprocore.data.text import load_text
from reprocore.data.tokens import Corpus, encode
from reprocore.statistics.divergence import churn, relative_pd, total_variation
from reprocore.store.predictions import read_predictions
from reprocore.study.cells import Cell
from reprocore.study.study import load_study, parse_study
from reprocore.training.cell import train_cell

ROOT = Path(__file__).parents[1]
PRECISIONS = ("float32", "bfloat16")
MEASURES = (relative_pd, total_variation, churn)


def last_predictions(
    arguments: argparse.Namespace, corpus: Corpus, folder: Path
) -> dict[tuple[str, int], np.ndarray]:
    """Train the cells; return probabilities [N, V] by precision and seed, and print the losses."""
    content = load_study(ROOT / "config/config.yaml").model_dump(mode="json")
    content["models"] = {arguments.model: content["models"][arguments.model]}
    content["models"][arguments.model]["training"] |= {
        "iterations": arguments.iterations,
        "batch_size": arguments.batch_size,
        "evaluate_every": arguments.iterations,
    }
    found = {}
    for precision in PRECISIONS:
        content["models"][arguments.model]["training"]["precision"] = precision
        study = parse_study(content)
        block, lead = study.probe.block, study.probe.lead
        probe = build_probe(corpus, context=lead, positions=study.probe.positions, block=block)
        for seed in range(1, arguments.seeds + 1):
            cell = Cell(arguments.model, arguments.activation, "all", seed)
            place = folder / precision / str(seed)
            loss = train_cell(study, cell, corpus, probe, place)["val_loss"]
            print(f"{precision}, seed {seed}: loss {loss:.4f}", flush=True)
            stored = read_predictions(place / "predictions.parquet")
            found[precision, seed] = stored.probabilities[-1]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="charlm")
    parser.add_argument("--activation", default="relu")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    text = load_text("tiny_shakespeare", path=None, url=None, sha256=None, cache=default_cache())
    with tempfile.TemporaryDirectory() as folder:
        found = last_predictions(arguments, encode(text), Path(folder))
    seeds = range(1, arguments.seeds + 1)
    pairs = {
        "the precisions, same seed": [tuple((p, seed) for p in PRECISIONS) for seed in seeds],
        **{
            f"seeds, both {p}": [((p, a), (p, b)) for a, b in combinations(seeds, 2)]
            for p in PRECISIONS
        },
    }
    for name, compared in pairs.items():
        for measure in MEASURES:
            values = [measure(found[one], found[other]) for one, other in compared]
            shown = f"{np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"
            print(f"between {name}: {measure.__name__} {shown}")


if __name__ == "__main__":
    main()
