"""Which GPUs are here, and which models can be trained with them."""

import os
import shutil
import subprocess
from functools import cache

from reprocore.study.study import Study


@cache
def gpu_count() -> int:
    """Return the number of NVIDIA GPUs that may be used here, without importing torch."""
    program = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    if program is None or visible in ("", "-1"):
        return 0
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return count if visible == "all" else min(count, len(visible.split(",")))


def local_gpus(study: Study) -> int | None:
    """Return how many jobs with a GPU can run at once; None where GPUs are elsewhere or unused."""
    wanted = any(model.resources.gpu for model in study.models.values())
    return gpu_count() if wanted and study.gpu == "auto" else None


def runnable_models(study: Study) -> list[str]:
    """Return the models that can be trained from here: all, or those that need no GPU."""
    wanting = [name for name, model in study.models.items() if model.resources.gpu]
    reachable = study.gpu == "available" or bool(local_gpus(study))
    return [name for name in study.models if reachable or name not in wanting]
