"""Which file holds the predictions of which group and seed: a CSV, or the files' names."""

import csv
import glob
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError
from reprocore.store.arrays.whole_numbers import whole_number

COLUMNS = ("file", "group", "seed", "step")
SEED = "{seed}"


@dataclass(frozen=True)
class Member:
    """One file of a group.

    Attributes:
        path: of the file.
        group: its name.
        seed: None where seeds are not named.
        step: which snapshot; None is the last, or the only one.
    """

    path: Path
    group: str
    seed: int | None = None
    step: int | None = None


def read_manifest(path: str | Path) -> list[Member]:
    """Read a CSV with the columns `file`, `group` and, if wanted, `seed` and `step`.

    Paths are relative to the folder of the manifest.

    Raises:
        ReprocoreError: not such a table; names the line.
    """
    path = Path(path)
    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), strict=True)
        # The reader passes over blank lines, so that the numbers of lines are not those of rows.
        rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error):
        raise ReprocoreError(f"{path}: not a CSV file") from None
    heads = set(reader.fieldnames or ())
    if not {"file", "group"} <= heads or not heads <= set(COLUMNS):
        raise ReprocoreError(
            f"{path}: columns {sorted(map(str, heads))}; needs file and group, allowed: "
            f"{', '.join(COLUMNS)}"
        )
    if not rows:
        raise ReprocoreError(f"{path}: names no file")
    return [_member(path, number, row) for number, row in rows]


def _member(path: Path, number: int, row: Mapping[Any, Any]) -> Member:
    where = f"{path}, line {number}"
    if None in row:
        raise ReprocoreError(f"{where}: has more fields than the first line")
    file, group = ((row[name] or "").strip() for name in ("file", "group"))
    if not file or not group:
        raise ReprocoreError(f"{where}: file and group must be given")
    seed, step = (_whole(row.get(name), name, where) for name in ("seed", "step"))
    return Member(path.parent / file, group, seed, step)


def _whole(text: str | None, name: str, where: str) -> int | None:
    if text is None or not text.strip():
        return None
    number = whole_number(text.strip())
    if number is None or number < 0:
        raise ReprocoreError(f"{where}: {name} {text!r}, must be a whole number of 0 or more")
    return number


def members_of(
    arguments: list[str], seeds: str | None = None, step: int | None = None
) -> list[Member]:
    """Return the files that arguments of the command line name.

    Args:
        arguments: `GROUP=PATTERN`, in which `*` stands for any text; what follows without a group
            is of the group before it. Files alone are of one group without a name.
        seeds: the pattern of file names that hold a seed, such as `relu-{seed}.npy`; `*` stands for
            any text.
        step: of all files.

    Raises:
        ReprocoreError: a pattern has no file, or a name does not fit the pattern of seeds.
    """
    members: list[Member] = []
    group = ""
    for place, argument in enumerate(arguments):
        name, sign, pattern = argument.partition("=")
        if sign and not Path(argument).exists():
            group = name
            if not group or not pattern:
                raise ReprocoreError(f"{argument!r}: must be GROUP=FILES")
        elif place and bool(group) != bool(members[0].group):
            raise ReprocoreError(
                f"{argument!r}: is of no group; say GROUP=FILES for all or for none"
            )
        else:
            pattern = argument
        members += [
            Member(path, group, None if seeds is None else _seed(path, seeds), step)
            for path in _files(pattern)
        ]
    if members and not members[0].group and members[-1].group:
        raise ReprocoreError(f"{members[0].path}: is of no group; say GROUP=FILES for all or none")
    return members


def _files(pattern: str) -> list[Path]:
    if Path(pattern).exists() or not glob.has_magic(pattern):
        return [Path(pattern)]
    files = sorted(glob.glob(pattern, recursive=True), key=_in_order)  # noqa: PTH207 (absolute ones too)
    if not files:
        raise ReprocoreError(f"{pattern}: no file fits this pattern")
    return [Path(file) for file in files]


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return a key by which relu-2 stands before relu-10."""
    parts = [(whole_number(part), part) for part in re.split(r"([0-9]+)", name)]
    return [(-1 if number is None else number, part) for number, part in parts]


def _seed(path: Path, pattern: str) -> int:
    if pattern.count(SEED) != 1:
        raise ReprocoreError(f"seeds: {pattern!r}, must hold {SEED} once, as in relu-{SEED}.npy")
    signs = {"*": ".*", "?": "."}
    parts = ["".join(signs.get(c, re.escape(c)) for c in part) for part in pattern.split(SEED)]
    # Text of any length before a seed does not take the first of its digits.
    start = "(?<![0-9])" if parts[0].endswith(".*") else ""
    match = re.fullmatch(rf"(?:.*/)?{parts[0]}{start}([0-9]+){parts[1]}", path.as_posix())
    if match is None:
        raise ReprocoreError(f"{path}: its name does not fit the pattern of seeds {pattern!r}")
    if (seed := whole_number(match.group(1))) is None:
        raise ReprocoreError(f"{path}: seed {match.group(1)}, must have at most 18 digits")
    return seed
