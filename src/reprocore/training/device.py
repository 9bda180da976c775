"""The device of a cell, and the settings that make its results repeat."""

import contextlib
import ctypes
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import filelock
import torch

from reprocore.errors import ReprocoreError


@contextlib.contextmanager
def cell_device(kind: Literal["cpu", "cuda"], threads: int) -> Iterator[torch.device]:
    """Yield the CPU, or a CUDA device that no other cell of this machine uses meanwhile.

    Sets the number of CPU threads and deterministic algorithms for the whole process. A device
    is held by a file lock, which the system frees when the process ends, however it ends.

    Raises:
        ReprocoreError: a GPU is wanted and none can be used.
    """
    # Read when CUDA starts: without it cuBLAS may pick another order of summation each time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # By default new memory is filled with NaN, a pass over every intermediate result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    _keep_freed_memory()
    if kind == "cpu":
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        raise ReprocoreError(
            "this cell needs a CUDA device and torch finds none; "
            "set resources.gpu: 0 for its model, or run it where a GPU is"
        )
    properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    index, lock = lock_first_free([str(device.uuid) for device in properties])
    with lock:
        torch.cuda.set_device(index)
        yield torch.device("cuda", index)


def _keep_freed_memory() -> None:
    """Let glibc reuse large blocks: from the system, each page of a new one costs a fault.

    Changes no result; elsewhere than in glibc nothing happens.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(mmap_max, 0)
        library.mallopt(trim_threshold, 2**31 - 1)


def lock_first_free(names: Sequence[str]) -> tuple[int, filelock.BaseFileLock]:
    """Wait for the first device that no process of this user holds; return its index and lock.

    Args:
        names: of the devices, the same for every process: an index is not, where a process sees
            only some of them.
    """
    folder = Path(tempfile.gettempdir()) / f"reprocore-gpu-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for index, name in enumerate(names):
            lock = filelock.FileLock(folder / f"{name}.lock")
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0)
                return index, lock
        time.sleep(0.5)


def describe_hardware(device: torch.device) -> dict[str, Any]:
    """Return what `cell.json` says of the hardware."""
    described: dict[str, Any] = {
        "host": platform.node(),
        "machine": platform.machine(),
        "processor": _processor(),
        "device": device.type,
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        described |= {
            "gpu": properties.name,
            "gpu_memory_mb": properties.total_memory // 2**20,
            "cuda": torch.version.cuda,
            "driver": _driver(),
        }
    return described


def _driver() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/driver/nvidia/version").read_text().splitlines()[0]
    return "unknown"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
