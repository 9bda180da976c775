"""Checkpoints of a training: written at intervals and on a stop signal, resumed bit for bit.

A checkpoint is one safetensors file; what is not a tensor is JSON in its header. Reading one runs
no code, and a digest over all of it reveals damage.
"""

import contextlib
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
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
from reprocore.training.state import Snapshot, Training

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StoppedError(ReprocoreError):
    """A signal asked the process to stop, and its checkpoint is written."""


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: of the file.
        tensors: on the CPU, contiguous, sharing no memory.
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
        ReprocoreError: the file is damaged or not a checkpoint of this program.
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


class SavedTraining:
    """A training with its snapshots so far, and the file from which a process can resume it.

    Attributes:
        training: what is saved.
        snapshots: those so far.
        started: when the first process started, UTC.
        earlier: the origins of the processes before this one, with the last iteration (`until`)
            of each.
    """

    def __init__(self, path: Path, training: Training, origin: Mapping[str, Any]) -> None:
        """Keep `training` at `path`.

        Args:
            path: of the checkpoint.
            training: a new one, of no steps.
            origin: JSON values: the `identity`, `versions` and `hardware` of this process.
        """
        self.path, self.training, self.origin = path, training, dict(origin)
        self.snapshots: list[Snapshot] = []
        self.started = utc(time.time())
        self.earlier: list[dict[str, Any]] = []

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            ReprocoreError: the file cannot be written.
        """
        tensors, values = self.training.state()
        if self.snapshots:
            tensors |= {name: torch.stack(parts) for name, parts in self._parts().items()}
        own = {"started": self.started, "earlier": self.earlier, "origin": self.origin}
        write_checkpoint(self.path, tensors, {**values, **own})

    def _parts(self) -> dict[str, list[Tensor]]:
        """Return the snapshots by their parts, in the order of the fields of one."""
        return {
            f"snapshots.{field.name}": [getattr(each, field.name) for each in self.snapshots]
            for field in fields(Snapshot)
        }

    def resume(self) -> None:
        """Resume from the checkpoint if it is of this cell and environment; else say why not.

        Raises:
            ReprocoreError: the checkpoint names this cell but holds another training.
        """
        if not self.path.exists():
            return
        try:
            tensors, values = read_checkpoint(self.path)
            wanted, saved = _must_match(self.origin), _must_match(values["origin"])
        except (ReprocoreError, KeyError, TypeError) as error:
            _print_restart(f"the checkpoint cannot be used: {error}")
            return
        differing = [name for name in wanted if saved.get(name) != wanted[name]]
        if differing:
            _print_restart(f"the checkpoint has another {', '.join(differing)}")
            return
        try:
            self.training.restore(tensors, values)
            parts = {name: tensors.get(name, ()) for name in self._parts()}
            self.snapshots = [Snapshot(*each) for each in zip(*parts.values(), strict=True)]
            self.started = values["started"]
            self.earlier = [
                *values["earlier"],
                {**values["origin"], "until": self.training.iteration},
            ]
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ReprocoreError(
                f"{self.path}: is of another training, delete it: {reason}"
            ) from None
        print(f"resumes from iteration {self.training.iteration} of {self.path}", flush=True)


def _print_restart(reason: str) -> None:
    print(f"starts from the beginning because {reason}", flush=True)


def _must_match(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be the same for a training to resume bit for bit, by its name."""
    hardware = origin["hardware"]
    return {
        **{f"digest of {name}": value for name, value in origin["identity"].items()},
        **{f"version of {name}": value for name, value in origin["versions"].items()},
        "device": hardware.get("gpu") or hardware["device"],
    }


class Clock:
    """When a checkpoint is due: after an interval, and when a signal asks the process to stop.

    SLURM sends SIGTERM before it ends a job that is preempted or out of time. The job then saves
    and continues until it is killed: to exit would count as a failure and use up a retry, while
    SLURM itself restarts a preempted job that stays.
    """

    def __init__(self, seconds: float) -> None:
        """Be due every `seconds`, counted from the last time."""
        self.seconds = seconds
        self.signal: signal.Signals | None = None
        self._last = time.monotonic()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Record stop signals within the block instead of ending at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ignored = {stop for stop in STOP_SIGNALS if signal.getsignal(stop) is signal.SIG_IGN}
        before = {stop: signal.signal(stop, self._record) for stop in {*STOP_SIGNALS} - ignored}
        try:
            yield
        finally:
            for stop, handler in before.items():
                signal.signal(stop, handler)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)

    def due(self) -> bool:
        """Return whether to save now; starts the next interval if so."""
        if self.signal is None and time.monotonic() - self._last < self.seconds:
            return False
        self._last = time.monotonic()
        return True

    def stopping(self) -> bool:
        """Return whether to exit after saving; SIGTERM under SLURM only asks to save."""
        if self.signal is signal.SIGTERM and "SLURM_JOB_ID" in os.environ:
            self.signal = None
        return self.signal is not None
