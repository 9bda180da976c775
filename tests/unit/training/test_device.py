"""Which of several GPUs a job takes. The devices themselves are in test_cuda.py."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from project import started
from reprocore.training.device import lock_first_free

HOLD = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from reprocore.training.device import lock_first_free
held = [lock_first_free(["GPU-a", "GPU-b"]) for _ in range(2)]
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_each_job_has_a_device_of_its_own() -> None:
    first, one = lock_first_free(["GPU-a", "GPU-b"])
    second, other = lock_first_free(["GPU-a", "GPU-b"])
    assert (first, second) == (0, 1)
    one.release()
    assert lock_first_free(["GPU-a", "GPU-b"])[0] == 0
    other.release()


def test_a_device_is_known_by_its_name_and_not_by_its_place() -> None:
    """CUDA_VISIBLE_DEVICES gives the same device another index in another process."""
    _, held = lock_first_free(["GPU-b"])
    assert lock_first_free(["GPU-b", "GPU-a"])[0] == 1
    held.release()


@pytest.mark.slow
def test_a_job_waits_for_a_device_and_gets_it_when_another_job_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with started(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        killed = []

        def kill() -> None:
            killed.append(time.monotonic())
            holder.kill()

        threading.Timer(1, kill).start()
        index, lock = lock_first_free(["GPU-a", "GPU-b"])
        assert killed
        assert index == 0
        lock.release()
