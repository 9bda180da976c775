"""A copy of the project with a tiny study of its own, driven through the real Snakemake."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import yaml

REPOSITORY = Path(__file__).parents[1]
PROJECT = ("Snakefile", "workflow", "profiles", "config", "src")

TINY: dict[str, Any] = {
    "results": "out",
    "seeds": [1, 2, 3],
    "activations": ["relu", "swiglu"],
    "models": {
        "small": {"family": "gpt", "context": 16, "sizes": {"layers": 1, "heads": 2, "width": 16}},
        "memory": {"family": "lstm", "context": 16, "sizes": {"width": 16, "hidden": 13}},
    },
    "training": {
        "iterations": 6,
        "batch_size": 4,
        "snapshots": 2,
        "evaluation_positions": 64,
    },
    "probe": {"positions": 64, "block": 16, "lead": 16},
    "corpus": {"source": "file", "path": "text.txt"},
}


class Project:
    """A copy of the project with its own study, driven through the real Snakemake."""

    def __init__(self, root: Path, study: dict[str, Any]) -> None:
        self.root = root
        for name in PROJECT:
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, root / name)
        random = np.random.default_rng(0)
        letters = random.choice(list("abcdefgh \n"), size=4000)
        (root / "text.txt").write_text("".join(letters))
        self.write(study)

    def write(self, study: dict[str, Any]) -> None:
        self.study = study
        (self.root / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))

    def changed(self, **sections: Any) -> dict[str, Any]:
        return {**self.study, **sections}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start Snakemake in a session of its own, so that a signal can be sent to all of it."""
        variables = {
            **os.environ,
            "PYTHONPATH": str(self.root / "src"),
            "CUDA_VISIBLE_DEVICES": "",
            "REPROCORE_ALLOW": "broken_activation,slow_activation",
            **environment,
        }
        command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", "study.yaml"]
        return subprocess.Popen(
            command if "--cores" in arguments else [*command, "--cores", "2"],
            cwd=self.root,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **environment) as process:
            try:
                output, errors = process.communicate(timeout=300)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def jobs(self, *arguments: str) -> Counter[str]:
        """Run, and return which jobs ran, as `rule` or `rule model/activation/arm-seed`."""
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return listed_jobs(done.stdout + done.stderr)

    def planned(self, study: dict[str, Any]) -> Counter[str]:
        """Return which jobs would run for `study`, leaving the project's own as it is."""
        own = self.study
        self.write(study)
        try:
            return self.jobs("--dry-run")
        finally:
            self.write(own)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))


def listed_jobs(output: str) -> Counter[str]:
    jobs = []
    for block in re.split(r"^(?=(?:local)?rule \w+:)", output, flags=re.MULTILINE)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)
        assert rule is not None
        found = re.search(r"^ +wildcards: (.*)$", block, flags=re.MULTILINE)
        labels = dict(part.split("=") for part in found[1].split(", ")) if found else {}
        names = [labels[key] for key in ("model", "activation") if key in labels]
        ends = [labels[key] for key in ("arm", "seed") if key in labels]
        key = "/".join([*names, "-".join(ends)] if ends else names)
        jobs.append(f"{rule[1]} {key}".strip())
    return Counter(jobs)


def rules_of(jobs: Counter[str]) -> Counter[str]:
    return Counter(job.split()[0] for job in jobs.elements())
