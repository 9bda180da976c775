"""Which file holds the predictions of which group and seed: a CSV, or the files' names."""

import csv
import glob
import re
from dataclasses import dataclass
from pathlib import Path

from reprocore.errors import ReprocoreError

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
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), strict=True))
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error):
        raise ReprocoreError(f"{path}: not a CSV file") from None
    heads = set(rows[0]) if rows else set()
    if not {"file", "group"} <= heads or not heads <= set(COLUMNS):
        raise ReprocoreError(
            f"{path}: columns {sorted(map(str, heads))}; needs file and group, allowed: "
            f"{', '.join(COLUMNS)}"
        )
    return [_member(path, number, row) for number, row in enumerate(rows, 2)]


def _member(path: Path, number: int, row: dict[str, str | None]) -> Member:
    where = f"{path}, line {number}"
    file, group = ((row[name] or "").strip() for name in ("file", "group"))
    if not file or not group:
        raise ReprocoreError(f"{where}: file and group must be given")
    seed, step = (_whole(row.get(name), name, where) for name in ("seed", "step"))
    return Member(path.parent / file, group, seed, step)


def _whole(text: str | None, name: str, where: str) -> int | None:
    if text is None or not text.strip():
        return None
    if not re.fullmatch(r"\d{1,18}", text.strip()):
        raise ReprocoreError(f"{where}: {name} {text!r}, must be a whole number of 0 or more")
    return int(text)


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
    return [(int(part or -1) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def _seed(path: Path, pattern: str) -> int:
    if pattern.count(SEED) != 1:
        raise ReprocoreError(f"seeds: {pattern!r}, must hold {SEED} once, as in relu-{SEED}.npy")
    signs = {"*": ".*", "?": "."}
    parts = ["".join(signs.get(c, re.escape(c)) for c in part) for part in pattern.split(SEED)]
    match = re.fullmatch(rf"(?:.*/)?{parts[0]}(\d+){parts[1]}", path.as_posix())
    if match is None:
        raise ReprocoreError(f"{path}: its name does not fit the pattern of seeds {pattern!r}")
    return int(match.group(1))
