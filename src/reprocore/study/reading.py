"""YAML as it is read here: safely, each key once, and every fault of a file in one line."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from reprocore.errors import ReprocoreError


class _Loader(yaml.SafeLoader):
    """The safe loader, which by itself would take the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        # Before `<<` is resolved, whose keys may be overridden.
        lines: dict[Hashable, int] = {}
        for name, _ in getattr(node, "value", ()):
            key = self.construct_object(name, deep=True) if _is_plain(name) else None
            line = name.start_mark.line + 1
            if key is not None and key in lines:
                raise _DuplicateError(f"the key {key!r} is in line {lines[key]} and in line {line}")
            lines[key] = line
        return super().construct_mapping(node, deep)


class _DuplicateError(Exception):
    """One key twice in one mapping."""


def _is_plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:merge"


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        ReprocoreError: the file is missing, cannot be read, is not YAML, or has a key twice.
    """
    try:
        text = Path(path).read_text("utf-8")
    except FileNotFoundError:
        raise ReprocoreError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ReprocoreError(
            f"{path}: cannot be read: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReprocoreError(f"{path}: cannot be read: {reason}") from None
    if text.lstrip().startswith("{"):
        text = text.replace("\t", " ")  # JSON, which YAML contains but for tabs
    try:
        return yaml.load(text, _Loader)
    except _DuplicateError as error:
        raise ReprocoreError(f"{path}: {error}; keep one of them") from None
    except RecursionError:
        raise ReprocoreError(f"{path}: not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        reason = " ".join(str(error).split()).replace(' in "<unicode string>",', "")
        raise ReprocoreError(f"{path}: not valid YAML: {reason}") from None
