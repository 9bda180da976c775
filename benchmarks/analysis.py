"""Statistics of a large study, from pairs to audit: time and peak memory.

Simulates the pairs files of 6 models × 8 activations × 20 seeds × 11 snapshots and runs what the
workflow runs after `compare`, in one process.

    python benchmarks/analysis.py [--models 6] [--activations 8] [--seeds 20] [--snapshots 11]
        [--blocks 32]
"""

import argparse
import itertools
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from reprocore.analysis.estimates import estimate_groups
from reprocore.analysis.over_models import analyse_across
from reprocore.analysis.per_model import analyse_model
from reprocore.analysis.trajectories import read_trajectories
from reprocore.report.audit.claims import PUBLISHED_MODELS, load_claims
from reprocore.report.audit.evidence import read_evidence
from reprocore.report.audit.table import audit_table
from reprocore.store.schemas import BLOCKS_SCHEMA, CELLS_SCHEMA, CURVES_SCHEMA, PAIRS_SCHEMA
from reprocore.store.tables import read_table, write_table
from reprocore.study.study import Study, parse_study
from reprocore.vocabulary import PAIR_MEASURES, PLAIN_ACTIVATIONS, POSITION_MEASURES

CLAIMS = Path(__file__).parents[1] / "config/claims.yaml"


def simulate(study: Study, model: str, root: Path, snapshots: int) -> tuple[list[Path], Path]:
    """Write pairs and curves of random-effects differences; return their paths."""
    random = np.random.default_rng(len(model))
    steps = [500 * (k + 1) // snapshots for k in range(snapshots)]
    pairs, curves = [], []
    for activation in study.activations:
        own = random.normal(0, 0.02, len(study.seeds))
        rows = list(itertools.combinations(range(len(study.seeds)), 2))
        first, second = np.array(rows * len(steps)).T
        level = 0.5 + own[first] + own[second] + random.normal(0, 0.01, len(first))
        group = {"model": model, "activation": activation, "arm": "all"}
        columns = {
            **{name: [value] * len(first) for name, value in group.items()},
            "seed_a": np.array(study.seeds)[first],
            "seed_b": np.array(study.seeds)[second],
            "step": np.repeat(steps, len(rows)),
            **dict.fromkeys(
                (*PAIR_MEASURES, "right_to_wrong", "wrong_to_right", "wrong_to_wrong"), level
            ),
        }
        path = root / "pairs" / model / activation / "all.parquet"
        write_table(path, pa.table(columns, schema=PAIRS_SCHEMA))
        pairs.append(path)
        curves += [
            dict.fromkeys(CURVES_SCHEMA.names, 1.0)
            | {"model": model, "activation": activation, "arm": "all", "seed": seed}
            | {"iteration": step, "val_loss": 4 - step / 250 + random.normal(0, 0.01)}
            for seed in study.seeds
            for step in steps
        ]
    path = root / f"{model}.parquet"
    write_table(path, pa.Table.from_pylist(curves, schema=CURVES_SCHEMA))
    return pairs, path


def simulate_blocks(path: Path, blocks: int) -> tuple[Path, pd.DataFrame]:
    """Write blocks that differ in their text beside a pairs file; return them, and scores."""
    random = np.random.default_rng(1)
    frame = read_table(path, PAIRS_SCHEMA).to_pandas()
    ends = pd.concat([frame.rename(columns={end: "seed"}) for end in ("seed_a", "seed_b")])
    keys = ["model", "activation", "arm", "seed", "step"]
    means = ends.groupby(keys, as_index=False)[list(POSITION_MEASURES)].mean()
    rows = means.loc[means.index.repeat(blocks)].reset_index(drop=True)
    rows["block"] = np.tile(np.arange(blocks), len(means))
    for name in POSITION_MEASURES:
        rows[name] += random.normal(0, 0.02, len(rows))
    beside = Path(str(path).replace("/pairs/", "/blocks/"))
    write_table(beside, pa.Table.from_pandas(rows, schema=BLOCKS_SCHEMA, preserve_index=False))
    noise = random.normal(0, 0.1, (2, len(rows)))
    return beside, rows[[*keys, "block"]].assign(val_loss=2 + noise[0], val_accuracy=0.5 + noise[1])


def cells_of(study: Study, model: str) -> pa.Table:
    labels = [
        {"model": model, "activation": activation, "arm": "all", "seed": seed}
        for activation in study.activations
        for seed in study.seeds
    ]
    other = {"parameters": 1000, "val_loss": 2.0, "val_accuracy": 0.4, "unigram_entropy": 3.3}
    other |= {"beats_unigram": True, "train_seconds": 1.0, "probe_hash": "p", "source": "s"}
    rows = [each | other | {"environment": "simulated"} for each in labels]
    return pa.Table.from_pylist(rows, schema=CELLS_SCHEMA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("models", 6), ("activations", 8), ("seeds", 20), ("snapshots", 11)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--blocks", type=int, default=32)
    sizes = parser.parse_args()
    study = parse_study(
        {
            "seeds": list(range(1, sizes.seeds + 1)),
            "activations": list(PLAIN_ACTIVATIONS[: sizes.activations]),
            "models": {name: {"family": "gpt"} for name in PUBLISHED_MODELS[: sizes.models]},
        }
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files = {model: simulate(study, model, root, sizes.snapshots) for model in study.models}
        parts = {
            model: [simulate_blocks(path, sizes.blocks) for path in pairs]
            for model, (pairs, _) in files.items()
        }
        begin = time.perf_counter()
        trajectories = {}
        for model, (pairs, curves) in files.items():
            tables = {"curves": read_table(curves, CURVES_SCHEMA), "cells": cells_of(study, model)}
            blocks, scores = zip(*parts[model], strict=True)
            tables["estimates"] = estimate_groups(pairs, blocks, pd.concat(scores), 0.95)
            trajectories[model] = read_trajectories(pairs, [curves])[model]
            tables |= analyse_model(study, model, trajectories[model])
            for table, content in tables.items():
                write_table(root / model / f"{table}.parquet", content)
        each = time.perf_counter() - begin
        begin = time.perf_counter()
        analyse_across(study, trajectories)
        across = time.perf_counter() - begin
        begin = time.perf_counter()
        names = ("estimates", "contrasts", "sensitivity", "cells", "curves")
        evidence = read_evidence(
            study, {name: [root / model / f"{name}.parquet" for model in files] for name in names}
        )
        audit_table(load_claims(CLAIMS, study), evidence)
        judged = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"models one by one {each:.1f} s, over all models {across:.1f} s, ", end="")
    print(f"audit {judged:.1f} s, peak {memory:.2f} GiB")


if __name__ == "__main__":
    main()
