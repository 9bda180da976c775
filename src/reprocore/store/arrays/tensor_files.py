"""Arrays in .safetensors and .pt files; of the latter only plain tensors, never other code."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.arrays.sources import Stored, in_memory


def read_safetensors(path: Path) -> dict[str, Stored]:
    """Return the tensors of a `.safetensors` file by name; they are read when they are used.

    Raises:
        ReprocoreError: not such a file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {
                name: in_memory(file.get_tensor(name), f"{path}, {name}")
                for name in list(file.keys())
            }
    except (SafetensorError, OSError, ValueError) as error:
        reason = (str(error) or "damaged").splitlines()[0]
        raise ReprocoreError(f"{path}: not a safetensors file: {reason}") from None


def read_pt(path: Path) -> dict[str, Stored]:
    """Return the tensors of a `.pt` file by name; one tensor alone is named "".

    Raises:
        ReprocoreError: not such a file, or it holds anything but tensors. What it holds is never
            run: torch reads it with `weights_only`.
    """
    content = _loaded(path)
    if hasattr(content, "detach"):
        content = {"": content}
    if not isinstance(content, dict) or not all(hasattr(v, "detach") for v in content.values()):
        raise ReprocoreError(
            f"{path}: holds {type(content).__name__}, must be a tensor or a dict of tensors"
        )
    return {str(name): in_memory(tensor, f"{path}, {name}") for name, tensor in content.items()}


def _loaded(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):
            # An older form of the file cannot be mapped.
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception:  # whatever a file of any content makes of torch and pickle
        raise ReprocoreError(
            f"{path}: not a file of tensors alone; nothing else is read, and no code is run"
        ) from None
