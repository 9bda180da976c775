"""Kill training processes and Snakemake at random over a small study; nothing may be lost.

A study is run once undisturbed, and once with SIGKILLs at random moments to what its scripts run
in, to Snakemake itself, or to both. Afterwards every result must be the same, bit for bit, and no
temporary file may be left. Prints what was killed and how much training was done again.

    python benchmarks/kill_campaign.py [--kills 50] [--seed 0]
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "profiles", "config", "src")
# Of the machine and not of the cell.
TIMES = ("elapsed_s", "tokens_per_second", "train_seconds")
HOURS = re.compile(rb", [\d.]+ hours of training in all")
SHARES = [0.125, 0.25, 0.5, 1]
STUDY: dict[str, Any] = {
    "results": "out",
    "seeds": [1, 2, 3],
    "activations": ["gelu", "swiglu"],
    "models": {
        "attention": {
            "family": "gpt",
            "context": 32,
            "sizes": {"layers": 2, "heads": 2, "width": 64, "dropout": 0.2},
            "resources": {"checkpoint_seconds": 0.2},
        },
        "memory": {
            "family": "lstm",
            "context": 32,
            "sizes": {"width": 64, "hidden": 52},
            "resources": {"checkpoint_seconds": 0.2},
        },
    },
    "training": {"iterations": 1200, "batch_size": 8, "evaluate_every": 200, "snapshots": SHARES},
    "probe": {"positions": 256, "block": 32, "lead": 32},
    "corpus": {"source": "file", "path": "text.txt"},
}


class Study:
    """A copy of the project in a folder of its own, with the small study."""

    def __init__(self, root: Path, content: dict[str, Any]) -> None:
        self.root, self.results = root, root / content["results"]
        for name in PARTS:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, root / name)
        letters = random.Random(0).choices("abcdefgh \n", k=20_000)
        (root / "text.txt").write_text("".join(letters))
        (root / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "study.yaml"]
        variables = {**os.environ, "PYTHONPATH": str(self.root / "src")}
        with open(self.root / "snakemake.log", "ab") as log:
            return subprocess.Popen(
                [*command, *arguments], cwd=self.root, env=variables, stdout=log, stderr=log
            )

    def scripts(self) -> list[psutil.Process]:
        """Processes of the study's jobs, those of a killed Snakemake among them."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "create_time"]):
            command = process.info["cmdline"] or []
            here = process.info["cwd"] == str(self.root)
            if here and any("/scripts/" in part for part in command[1:2]):
                found.append(process)
        return found

    def run_to_the_end(self) -> int:
        return self.start().wait()


def disturb(study: Study, kills: int, pause: float, rng: random.Random) -> Counter[str]:
    """Run the study and kill at random until `kills` processes are; return how many of what.

    The pauses between are at most so many seconds. Too short for a machine, and all kills are
    spent before anything trains.
    """
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        snakemake = study.start()
        while snakemake.poll() is None and killed.total() < kills:
            time.sleep(rng.uniform(0.2, pause))
            scripts = study.scripts()
            if rng.random() < 0.25:
                snakemake.kill()
                killed["snakemake"] += 1
            if scripts and (snakemake.poll() is None or rng.random() < 0.5):
                # The older of two: most of a young one's time goes into imports.
                pair = rng.sample(scripts, min(2, len(scripts)))
                victim = min(pair, key=lambda process: process.info["create_time"])
                name = Path(victim.info["cmdline"][1]).name.split(".")[-2]
                victim.kill()
                killed[f"script {name}"] += 1
        snakemake.wait()
    return killed


def results(study: Study) -> Iterator[tuple[str, Any]]:
    """Every file that holds results, as what must be the same in two runs."""
    for path in sorted(study.results.rglob("*")):
        name = str(path.relative_to(study.results))
        if not path.is_file() or name.startswith(("logs/", "records/", "study.json")):
            continue
        if path.name == "cell.json":
            content = json.loads(path.read_text())
            yield name, {key: content[key] for key in ("identity", "val_loss", "probe_hash")}
        elif path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            columns = [column for column in table.column_names if column not in TIMES]
            whole = len(columns) == len(table.column_names)
            yield name, path.read_bytes() if whole else table.select(columns)
        elif path.suffix == ".html":
            yield name, HOURS.sub(b"", path.read_bytes())
        elif path.suffix != ".svg":
            yield name, path.read_bytes()


def differing(one: Study, other: Study) -> list[str]:
    """Names of files that are not the same in both, or in one alone."""
    first, second = dict(results(one)), dict(results(other))
    return [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]


def campaign(root: Path, content: dict[str, Any], kills: int, seed: int) -> list[str]:
    """Run a study in peace and another one under fire; return what is wrong, in words."""
    for name in ("peace", "fire"):
        (root / name).mkdir()
    peace, fire = Study(root / "peace", content), Study(root / "fire", content)
    begun = time.monotonic()
    if peace.run_to_the_end() != 0:
        return [f"the undisturbed run failed; see {peace.root}/snakemake.log"]
    undisturbed = time.monotonic() - begun
    print(f"undisturbed: {undisturbed:.0f} s", flush=True)
    begun = time.monotonic()
    killed = disturb(fire, kills, undisturbed / 25, random.Random(seed))
    status = fire.run_to_the_end()
    print(f"disturbed: {time.monotonic() - begun:.0f} s, {killed.total()} kills: {dict(killed)}")
    earlier = [json.loads(path.read_text())["earlier"] for path in fire.results.rglob("cell.json")]
    print(f"cells: {len(earlier)}, resumed {sum(map(len, earlier))} times")
    wrong = [f"{name} differs" for name in differing(peace, fire)]
    if status != 0:
        wrong.append(f"the last run failed; see {fire.root}/snakemake.log")
    kinds = ("*.tmp", "checkpoint.safetensors", "cells/**/.lock", "failed.json")
    wrong += [f"{path} is left" for kind in kinds for path in fire.results.rglob(kind)]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kill-campaign-"))
    wrong = campaign(root, STUDY, arguments.kills, arguments.seed)
    print(*wrong, f"{len(wrong)} differences or leftovers", sep="\n")
    if wrong:
        raise SystemExit(f"kept for a look: {root}")
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
