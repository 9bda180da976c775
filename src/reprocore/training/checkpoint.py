"""Checkpoints of a training: written now and then and when told to stop, taken up bit for bit.

A checkpoint is one safetensors file; what is no tensor stands in its header as JSON. Reading one
runs no code, and a digest over all of it tells a damaged one.
"""

import contextlib
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from reprocore.errors import ReprocoreError
from reprocore.store.files import atomic
from reprocore.store.records import utc
from reprocore.training.state import Run

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StoppedError(ReprocoreError):
    """The process was told to stop and its checkpoint is written."""


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: of the file.
        tensors: on the CPU, contiguous, each with memory of its own.
        values: JSON values; `iteration` among them.

    Raises:
        ReprocoreError: the file cannot be written.
    """
    text = json.dumps(values)
    metadata = {"values": text, "sha256": _digest(tensors, text)}
    with atomic(path) as temporary:
        safetensors.torch.save_file(dict(tensors), temporary, metadata)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and values of a checkpoint.

    Raises:
        ReprocoreError: the file is damaged or no checkpoint of this program.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        text = metadata["values"]
        if metadata["sha256"] != _digest(tensors, text):
            raise ReprocoreError(f"{path}: its content is not what was written")
        return tensors, json.loads(text)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ReprocoreError(f"{path}: not a whole checkpoint: {reason}") from None


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class SavedRun:
    """A run with its predictions so far, and the file from which another process can go on.

    Attributes:
        run: the training.
        probabilities: of the snapshots so far, float32 [N, V] each.
        started: when the first process began, UTC.
        earlier: what ran before this process, each with the iteration `until` which it did.
    """

    def __init__(self, path: Path, run: Run, origin: Mapping[str, Any]) -> None:
        """Keep `run` at `path`.

        Args:
            path: of the checkpoint.
            run: a new one, of no steps.
            origin: JSON values: the `identity`, `versions` and `hardware` of this process.
        """
        self.path, self.run, self.origin = path, run, dict(origin)
        self.probabilities: list[Tensor] = []
        self.started = utc(time.time())
        self.earlier: list[dict[str, Any]] = []

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            ReprocoreError: the file cannot be written.
        """
        tensors, values = self.run.state()
        if self.probabilities:
            tensors["probabilities"] = torch.stack(self.probabilities)
        own = {"started": self.started, "earlier": self.earlier, "origin": self.origin}
        write_checkpoint(self.path, tensors, {**values, **own})

    def resume(self) -> None:
        """Go on from the checkpoint, if one is there and of this very cell; else say why not.

        Raises:
            ReprocoreError: the checkpoint names this cell but holds another run.
        """
        if not self.path.exists():
            return
        try:
            tensors, values = read_checkpoint(self.path)
            wanted, found = _same(self.origin), _same(values["origin"])
        except (ReprocoreError, KeyError, TypeError) as error:
            print(f"starts afresh, as the checkpoint cannot be used: {error}", flush=True)
            return
        differing = [name for name in wanted if found.get(name) != wanted[name]]
        if differing:
            print(
                f"starts afresh, as the checkpoint has another {', '.join(differing)}", flush=True
            )
            return
        try:
            self.run.restore(tensors, values)
            self.probabilities = list(tensors.get("probabilities", ()))
            self.started = values["started"]
            self.earlier = [*values["earlier"], {**values["origin"], "until": self.run.iteration}]
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ReprocoreError(f"{self.path}: of another run, delete it: {reason}") from None
        print(f"goes on from iteration {self.run.iteration} of {self.path}", flush=True)


def _same(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be the same for a run to go on bit for bit, by what it is called."""
    hardware = origin["hardware"]
    return {
        **{f"digest of {name}": value for name, value in origin["identity"].items()},
        **{f"version of {name}": value for name, value in origin["versions"].items()},
        "device": hardware.get("gpu") or hardware["device"],
    }


class Clock:
    """When a checkpoint is due: after an interval, and when the process is told to stop.

    Under SLURM, SIGTERM comes before the end of a preempted job and of the time that a job was
    given. The job then saves and goes on until it is killed: leaving would count as a failure and
    spend a retry, where a preempted job that stays is started again by SLURM itself.
    """

    def __init__(self, seconds: float) -> None:
        """Be due every `seconds`, counted from the last time that it was."""
        self.seconds = seconds
        self.signal: signal.Signals | None = None
        self._last = time.monotonic()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of stop signals within the block, instead of ending there and then."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ignored = {each for each in STOP_SIGNALS if signal.getsignal(each) is signal.SIG_IGN}
        before = {each: signal.signal(each, self._note) for each in {*STOP_SIGNALS} - ignored}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)

    def due(self) -> bool:
        """Return whether to save now; starts the next interval if so."""
        if self.signal is None and time.monotonic() - self._last < self.seconds:
            return False
        self._last = time.monotonic()
        return True

    def stopping(self) -> bool:
        """Return whether to leave once that is saved; a signal that asks only to save is done."""
        if self.signal is signal.SIGTERM and "SLURM_JOB_ID" in os.environ:
            self.signal = None
        return self.signal is not None
