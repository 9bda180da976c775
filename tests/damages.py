"""Files of results and ways to damage them, each done to a path, some with another file."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy

from reprocore.store.tables import write_table
from reprocore.study.cells import CELL_FILES

CELL, OTHER_CELL = "cells/small/relu/all-1", "cells/small/swiglu/all-2"
TABLES = (
    *("estimates", "curves", "cells"),
    *("contrasts", "steps", "sensitivity", "sources", "early"),
)
TABLES += ("cross", "strata", "text")

# A file of each kind, and one of the same kind that is of another cell, model or figure.
FILES = {
    "preflight/small/relu.json": "preflight/small/swiglu.json",
    "corpus/tokens.parquet": "corpus/probe.parquet",
    "corpus/probe.parquet": "corpus/tokens.parquet",
    **{f"{CELL}/{name}": f"{OTHER_CELL}/{name}" for name in CELL_FILES},
    "pairs/small/relu/all.parquet": "pairs/memory/relu/all.parquet",
    "blocks/small/relu/all.parquet": "blocks/memory/relu/all.parquet",
    **{f"models/small/{name}.parquet": f"models/memory/{name}.parquet" for name in TABLES},
    "across/ratios.parquet": "across/early_model_order.parquet",
    "summary.parquet": "models/small/estimates.parquet",
    "summary.csv": "audit.md",
    "audit.parquet": "summary.parquet",
    "figures/cross_model.png": "figures/ratios.png",
    "report.html": "summary.md",
    "figures/small/contrasts.svg": "figures/memory/contrasts.svg",
}

WITHOUT_FRACTIONS = {
    *("corpus/tokens.parquet", "corpus/probe.parquet", "audit.parquet"),
    f"{CELL}/continuations.parquet",
}


def truncated(path: Path, _other: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def emptied(path: Path, _other: Path) -> None:
    path.write_bytes(b"")


def swapped(path: Path, other: Path) -> None:
    shutil.copy(other, path)


def noise(path: Path, _other: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def flipped(path: Path, _other: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3] = (byte ^ 0xFF for byte in content[middle : middle + 3])
    path.write_bytes(content)


def other_schema(path: Path, _other: Path) -> None:
    pq.write_table(pa.table({"column": [1.0, 2.0]}), path)


def without_numbers(path: Path, _other: Path) -> None:
    """NaN in every floating-point value, everything else as it was."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        for index, field in enumerate(table.schema):
            kind = field.type
            if pa.types.is_fixed_size_list(kind):
                flat = pa.array(np.full(len(table) * kind.list_size, np.nan, np.float32))
                column = pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
            elif pa.types.is_floating(kind):
                column = pa.array(np.full(len(table), np.nan, kind.to_pandas_dtype()))
            else:
                continue
            table = table.set_column(index, field, column)
        write_table(path, table)
    elif path.suffix == ".safetensors":
        tensors = safetensors.numpy.load_file(path)
        safetensors.numpy.save_file({k: np.full_like(v, np.nan) for k, v in tensors.items()}, path)
    elif path.name == "cell.json":
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "val_loss": float("nan")}))
    else:
        path.write_text(path.read_text("utf-8", "replace").replace("0.", "nan") + "nan")


def folder(path: Path, _other: Path) -> None:
    path.unlink()
    path.mkdir()


def link_to_nothing(path: Path, _other: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def forbidden(path: Path, _other: Path) -> None:
    path.chmod(0)


def removed(path: Path, _other: Path) -> None:
    path.unlink()


DAMAGES: list[Callable[[Path, Path], None]] = [
    *(truncated, emptied, swapped, noise, flipped, other_schema),
    *(without_numbers, folder, link_to_nothing),
    *([forbidden] if os.geteuid() else []),
]

# Damage of every kind, all over a study.
ROUND: dict[str, Callable[[Path, Path], None]] = {
    f"{CELL}/predictions.parquet": flipped,
    f"{OTHER_CELL}/history.parquet": swapped,
    f"{OTHER_CELL}/evaluation.parquet": without_numbers,
    "cells/memory/relu/all-2/continuations.parquet": swapped,
    "cells/small/relu/all-2/weights.safetensors": without_numbers,
    "cells/memory/relu/all-1/cell.json": truncated,
    "cells/memory/relu/all-2/predictions.parquet": folder,
    "pairs/small/swiglu/all.parquet": without_numbers,
    "pairs/memory/relu/all.parquet": link_to_nothing,
    "blocks/small/relu/all.parquet": without_numbers,
    "models/small/curves.parquet": noise,
    "models/memory/estimates.parquet": swapped,
    "summary.csv": emptied,
    "audit.parquet": other_schema,
    "figures/cross_model.png": truncated,
}
# Damage that a quick look shows.
SEEN: dict[str, Callable[[Path, Path], None]] = {
    "corpus/tokens.parquet": truncated,
    f"{CELL}/predictions.parquet": truncated,
    f"{OTHER_CELL}/cell.json": without_numbers,
    "cells/memory/relu/all-1/cell.json": emptied,
    "cells/memory/relu/all-2/weights.safetensors": truncated,
    "models/memory/curves.parquet": emptied,
    "summary.csv": emptied,
    "figures/small/contrasts.svg": truncated,
    "records/audit.md.json": truncated,
}


def damage_all(out: Path, damages: dict[str, Callable[[Path, Path], None]]) -> None:
    for name, damage in damages.items():
        damage(out / name, out / FILES.get(name, "models/small/estimates.parquet"))


def results_of(out: Path) -> dict[str, bytes]:
    """What must be the same bit for bit, however it came about."""
    kinds = ("weights.safetensors", "predictions.parquet", "evaluation.parquet")
    names = [path for kind in (*kinds, "continuations.parquet") for path in out.rglob(kind)]
    names += [*out.glob("pairs/**/*.parquet"), *out.glob("blocks/**/*.parquet")]
    names += [*out.glob("corpus/*"), out / "summary.parquet"]
    return {str(path.relative_to(out)): path.read_bytes() for path in names}
