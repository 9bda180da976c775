"""The documents that follow from the configuration's classes: README and JSON schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprocore.config import (
    FAMILY_SIZES,
    CorpusSettings,
    CustomActivation,
    FigureSettings,
    ModelSettings,
    ProbeSettings,
    Resources,
    Section,
    StatisticsSettings,
    Study,
    TrainingSettings,
)
from reprocore.storage import atomic

README = Path("config/README.md")
SCHEMA = Path("workflow/schemas/config.schema.json")

SECTIONS: dict[str, type[Section]] = {
    "The study": Study,
    "`models.<name>`": ModelSettings,
    **{f"`models.<name>.sizes`, family `{name}`": sizes for name, sizes in FAMILY_SIZES.items()},
    "`models.<name>.resources`": Resources,
    "`training`": TrainingSettings,
    "`corpus`": CorpusSettings,
    "`probe`": ProbeSettings,
    "`custom_activations.<name>`": CustomActivation,
    "`statistics`": StatisticsSettings,
    "`figures`": FigureSettings,
}

INTRODUCTION = """\
# Configuration

This page is generated from the schema (`src/reprocore/config.py`) by `reprocore document`.

`config.yaml` is the full study, `quick.yaml` a small one. Choose a file with
`snakemake --configfile FILE`; override single keys with `--config`, such as
`--config 'seeds=[1,2,3,4,5,6]'`. An unknown key or a wrong value is refused before any job starts.
"""


def write_documents(root: Path) -> list[Path]:
    """Write both documents below `root`, atomically; return their paths."""
    paths = []
    for relative, text in ((README, readme()), (SCHEMA, schema())):
        with atomic(root / relative) as temporary:
            temporary.write_text(text, "utf-8")
        paths.append(root / relative)
    return paths


def schema() -> str:
    """Return the JSON schema of a configuration file, for editors."""
    return json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """Return the reference of all keys: type and range, default, meaning."""
    parts = [INTRODUCTION]
    for title, section in SECTIONS.items():
        parts.append(f"## {title}\n\n{section.__doc__}\n")
        parts.append("| key | allowed | default | meaning |\n|---|---|---|---|")
        parts.append("\n".join(_rows(section)) + "\n")
    return "\n".join(parts)


def _rows(section: type[Section]) -> Iterator[str]:
    content = section.model_json_schema()
    definitions = content.get("$defs", {})
    for key, field in section.model_fields.items():
        described = content["properties"][key]
        allowed = _allowed(described, definitions).replace("|", "\\|")
        default = _default(field.is_required(), described)
        yield f"| `{key}` | {allowed} | {default} | {field.description} |"


def _default(required: bool, described: dict[str, Any]) -> str:
    if required:
        return "required"
    if "default" not in described:
        return "see its table"
    return f"`{json.dumps(described['default'])}`"


def _allowed(kind: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say in words what a JSON schema allows."""
    if "anyOf" in kind:
        return " or ".join(_allowed(each, definitions) for each in kind["anyOf"])
    if "$ref" in kind:
        return "a section"
    if "enum" in kind:
        return ", ".join(f"`{json.dumps(value)}`" for value in kind["enum"])
    if "const" in kind:
        return f"`{json.dumps(kind['const'])}`"
    if kind.get("type") == "array":
        return "list of " + _allowed(kind["items"], definitions)
    if kind.get("type") == "object":
        return _mapping(kind, definitions)
    names = {"integer": "whole number", "number": "number", "string": "text", "null": "null"}
    name = names.get(kind.get("type", ""), "true or false")
    return f"{name} {' and '.join(_limits(kind))}".strip()


def _mapping(kind: dict[str, Any], definitions: dict[str, Any]) -> str:
    patterns = list(kind.get("patternProperties", {}).items())
    if not patterns:
        return "a section"
    pattern, value = patterns[0]
    return f"mapping of names like `{pattern}` to {_allowed(value, definitions)}"


def _limits(kind: dict[str, Any]) -> Iterator[str]:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    for name, sign in signs.items():
        if name in kind:
            yield f"{sign} {kind[name]:,}"
    if "pattern" in kind:
        yield f"like `{kind['pattern']}`"
