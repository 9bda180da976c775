"""Named, independent random streams, so that a cell can vary one source of chance at a time."""

import hashlib
from typing import Any

import numpy as np
import torch

from reprocore.vocabulary import STREAMS

FIXED_SEED = 0


def stream_seeds(arm: str, seed: int) -> dict[str, int]:
    """Return the number that each stream is seeded with.

    In the arm `all` every stream follows `seed`; in `init`, `order` and `dropout` only that one
    does; in `none` no stream does, so all its cells are the same cell. A stream that does not
    follow the seed uses `FIXED_SEED`.

    Raises:
        ValueError: an unknown arm.
    """
    if arm not in (*STREAMS, "all", "none"):
        raise ValueError(f"unknown arm {arm!r}")
    return {name: seed if arm in (name, "all") else FIXED_SEED for name in STREAMS}


def sequence(stream: str, seed: int, key: str = "") -> np.random.SeedSequence:
    """Return the seed sequence of one stream; `key` splits it further, such as by tensor name.

    Independent of model and activation: equal arguments give equal numbers, so cells with the
    same seed are paired.
    """
    label = hashlib.sha256(f"{stream}/{key}".encode()).digest()
    words = np.frombuffer(label[:16], dtype="<u4")
    return np.random.SeedSequence(entropy=[seed, *(int(word) for word in words)])


def numpy_generator(stream: str, seed: int) -> np.random.Generator:
    """Return a numpy generator (PCG64) of one stream."""
    return np.random.Generator(np.random.PCG64(sequence(stream, seed)))


def torch_generator(stream: str, seed: int, key: str = "") -> torch.Generator:
    """Return a torch generator on the CPU of one stream and key."""
    state = sequence(stream, seed, key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) % 2**63)


class MaskStream:
    """Dropout masks from the stream `dropout`.

    On the CPU a mask costs two random bytes per element, drawn as 64-bit words: several times
    faster than `torch.nn.functional.dropout`. The drop probability is thereby rounded to a
    multiple of 2^-16, and the masks are scaled by the rounded value, so they stay unbiased.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        """Start the stream of `seed`, for tensors on `device`."""
        self.device = device
        self._words = np.random.SFC64(sequence("dropout", seed))
        self._generator = torch.Generator(device=device)
        state = sequence("dropout", seed).generate_state(1, np.uint64)
        self._generator.manual_seed(int(state[0]) % 2**63)

    def state(self) -> tuple[dict[str, Any], torch.Tensor]:
        """Return where the stream is: of the CPU's words, JSON values; of the device, uint8 [n]."""
        words: Any = self._words.state
        state = {"state": [int(word) for word in words["state"]["state"]]}
        return {**words, "state": state}, self._generator.get_state()

    def restore(self, words: dict[str, Any], generator: torch.Tensor) -> None:
        """Continue from the `state` of a stream."""
        state: Any = {"state": np.array(words["state"]["state"], dtype=np.uint64)}
        self._words.state = {**words, "state": state}  # type: ignore[typeddict-item]
        self._generator.set_state(generator)

    def mask(
        self, shape: torch.Size, probability: float, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Return a tensor [*shape]: 0 with `probability`, else 1 / (1 - probability)."""
        dropped = min(round(probability * 2**16), 2**16 - 1)
        scale = 2**16 / (2**16 - dropped)
        if self.device.type != "cpu":
            keep = torch.empty(shape, device=self.device, dtype=dtype)
            return keep.bernoulli_(1 / scale, generator=self._generator).mul_(scale)
        size = shape.numel()
        words = self._words.random_raw((size + 3) // 4).view(np.int16)[:size]
        # Numpy compares, PyTorch converts: each is several times faster at it than the other.
        keep = torch.from_numpy(np.greater_equal(words, dropped - 2**15).view(np.uint8)).to(dtype)
        return keep.mul_(scale).view(shape)
