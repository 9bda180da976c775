"""A configuration as Snakemake takes it: the project's folder, a file, and `--config` values."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from reprocore.errors import ReprocoreError
from reprocore.study.reading import read_yaml

SNAKEFILES = ("Snakefile", "workflow/Snakefile")


def project_folder(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that holds a Snakefile, else `start`."""
    # What lies in `workflow` is part of the project above it.
    folders = (folder for folder in (start, *start.parents) if folder.name != "workflow")
    holding = (f for f in folders if any((f / name).is_file() for name in SNAKEFILES))
    return next(holding, start)


def read_config(paths: Iterable[str | Path], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of configuration files, each over those before it, with the overrides.

    Raises:
        ReprocoreError: a file is missing, not YAML, or no mapping.
    """
    config: dict[str, Any] = {}
    for path in paths:
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise ReprocoreError(f"{path}: must be a mapping of keys to values")
        config = updated(config, content)
    return updated(config, overrides)


def options_apart(arguments: Iterable[str]) -> list[str]:
    """Return the arguments with one option before each of the several values that it may have.

    As Snakemake does, `--config` takes all words up to the next option; `--configfile` here only
    those that name a file of configuration, since what follows may be a cell.

    >>> options_apart(["--configfile", "a.yaml", "b.yaml", "--config", "x=1", "y=2"])
    ['--configfile', 'a.yaml', '--configfile', 'b.yaml', '--config', 'x=1', '--config', 'y=2']
    """
    apart: list[str] = []
    option = ""
    for argument in arguments:
        if argument.startswith("-"):
            option = argument if argument in ("--config", "--configfile", "-c") else ""
        elif option and apart[-1] != option:
            if option == "--config" or argument.endswith((".yaml", ".yml", ".json")):
                apart.append(option)
            else:
                option = ""
        apart.append(argument)
    return apart


def parse_overrides(entries: Iterable[str]) -> dict[str, Any]:
    """Return the values of `--config key=value ...`, read as Snakemake reads them.

    Raises:
        ReprocoreError: an entry is not of this form.
    """
    values: dict[str, Any] = {}
    for entry in entries:
        key, sign, text = entry.partition("=")
        if not sign or not key.isidentifier():
            raise ReprocoreError(f"--config: {entry!r}; must be of the form key=value")
        values = updated(values, {key: _value(text.strip("'\""))})
    return values


def updated(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with `overrides` over it, section by section, as Snakemake does."""
    result = dict(config)
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            section = result.get(key)
            result[key] = updated(section if isinstance(section, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _value(text: str) -> Any:
    """Read a value as `snakemake.cli.parse_config` does, which leaves what is in a list as text."""
    if text == "":
        return None
    parsers: tuple[Callable[[str], Any], ...] = (int, float, _boolean, _yaml)
    for parse in parsers:
        try:
            return parse(text)
        except (ValueError, yaml.YAMLError):
            continue
    return text


def _boolean(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


def _yaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)
