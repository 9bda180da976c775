"""What a result depends on, as digests: resolved settings, and source code without its comments.

A cell is run again when, and only when, one of its digests or input files changes.
"""

import ast
import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from reprocore.config import Study
from reprocore.errors import ReprocoreError
from reprocore.settings import FAMILY_BUILDERS, smelu_beta
from reprocore.shakespeare import CORPUS_SHA256
from reprocore.study import CELL_FILES, Cell, all_cells

# Left out of source digests: what these do to a result is seen elsewhere (resolved settings,
# the corpus' own hash) or is the form of a file and not its content.
_NOT_DIGESTED = {
    "reprocore",
    "reprocore.config",
    "reprocore.errors",
    "reprocore.identity",
    "reprocore.layout",
    "reprocore.records",
    "reprocore.settings",
    "reprocore.shakespeare",
    "reprocore.storage",
    "reprocore.study",
    "reprocore.text",
    "reprocore.trust",
}


def digest(content: Any) -> str:
    """Return 16 hex digits of the SHA-256 of `content` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def corpus_settings(study: Study) -> dict[str, Any]:
    """Return what the token ids of a study depend on: the text's SHA-256 and the split.

    Raises:
        ReprocoreError: a local file cannot be read.
    """
    corpus = study.corpus
    if corpus.source == "file":
        path = Path(str(corpus.path))
        try:
            sha256 = _file_sha256(path, path.stat().st_mtime_ns)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ReprocoreError(f"corpus.path: {path} cannot be read: {reason}") from None
    else:
        sha256 = corpus.sha256 or CORPUS_SHA256
    return {"sha256": sha256, "train_fraction": corpus.train_fraction}


def stage_settings(study: Study, rule: str, model: str | None = None) -> Any:
    """Return the settings that matter to a rule beside its inputs; None for one that has none.

    Args:
        study: the resolved study.
        rule: any but `train`, whose settings are `cell_settings`.
        model: of which the rule makes something, if it is of one model.

    Raises:
        ReprocoreError: a local text cannot be read.
    """
    statistics = study.statistics.model_dump()
    # What the rows of a table are: every combination of the config, run or not.
    rows = [statistics, [cell.key for cell in all_cells(study)]]
    match rule:
        case "corpus":
            return corpus_settings(study)
        case "probe":
            return study.probe.model_dump()
        case "aggregate":
            return statistics
        case "analyse" if model in study.models:
            return [statistics, [study.activations_of(model), study.arms_of(model)]]
        case "across":
            return rows
        case "audit":
            return [rows, study.title]
        case "summarise":
            return [rows, study.title, study.figures.measure]
        case "draw_model" | "draw_study":
            return [study.figures.model_dump(), study.title, rows]
    return None


def stage_digest(study: Study, rule: str, model: str | None = None) -> str | None:
    """Return the digest of `stage_settings` as a rule carries it, None where there are none."""
    content = stage_settings(study, rule, model)
    return None if content is None else f"settings {digest(content)}"


@cache
def _file_sha256(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cell_settings(study: Study, cell: Cell) -> dict[str, Any]:
    """Return every setting that changes the results of `cell`, as plain JSON values."""
    model = study.models[cell.model]
    custom = study.custom_activations.get(cell.activation)
    return {
        "family": model.family,
        "context": model.context,
        "sizes": json.loads(json.dumps(model.sizes)),
        "training": study.training_of(cell.model).model_dump(),
        "activation": {
            "name": cell.activation,
            "gated": study.is_gated(cell.activation),
            "beta": smelu_beta(cell.activation) if custom is None else None,
            "path": custom.path if custom else None,
        },
        "arm": cell.arm,
        "seed": cell.seed,
        "probe": study.probe.model_dump(),
        "corpus": corpus_settings(study),
        "device": model.resources.trained_on,
    }


def cell_sources(study: Study, cell: Cell) -> tuple[str, ...]:
    """Return the modules whose code makes the results of `cell`.

    Raises:
        ReprocoreError: a user's own module cannot be found, or lacks the name that is asked of it.
    """
    family = study.models[cell.model].family
    paths = [FAMILY_BUILDERS.get(family, family)]
    if cell.activation in study.custom_activations:
        paths.append(study.custom_activations[cell.activation].path)
    for path in paths:
        _check_defined(path)
    return ("reprocore.cell", *(path.partition(":")[0] for path in paths))


def cell_identity(study: Study, cell: Cell) -> dict[str, str]:
    """Return the digests of settings and of source that name the results of `cell`."""
    return {
        "settings": digest(cell_settings(study, cell)),
        "source": source_digest(*cell_sources(study, cell)),
    }


def recorded_identity(path: Path) -> dict[str, str]:
    """Return the identity that a `cell.json` records, empty if there is none to read."""
    try:
        identity = json.loads(path.read_text("utf-8"))["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return identity if isinstance(identity, dict) else {}


def current_cells(study: Study, cells: Iterable[Cell]) -> set[Cell]:
    """Return those of `cells` whose files are there and were made as `study` says today."""
    return {
        cell
        for cell in cells
        if all((cell.folder(study.results) / name).is_file() for name in CELL_FILES)
        and recorded_identity(cell.folder(study.results) / "cell.json")
        == cell_identity(study, cell)
    }


@cache
def source_digest(*modules: str) -> str:
    """Return a digest of the code of `modules` and of all that they import beside them.

    Imports are followed inside the modules' own top-level packages and to any other code that is
    not installed, such as a helper beside a user's module. Comments, docstrings and layout do
    not count. Nothing is imported.

    Raises:
        ReprocoreError: a module cannot be found or is not Python.
    """
    packages = {name.partition(".")[0] for name in modules} | {"reprocore"}
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in _NOT_DIGESTED:
            continue
        code, imports = _read_module(name)
        found[name] = code
        parents = [name.rpartition(".")[0]] if "." in name else []
        waiting += [
            each
            for each in (*imports, *parents)
            if each.partition(".")[0] in packages or _is_loose(each)
        ]
    return digest(found)


def text_digest(path: str | Path) -> str:
    """Return a digest of one file's code, by the rules of `source_digest`."""
    return digest(_canonical(_parse(Path(path))))


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the canonical code of a module and the modules that it imports."""
    spec = _find(name)
    if spec is None or spec.origin is None:
        raise ReprocoreError(f"module {name!r} is not found on the Python path")
    if not spec.origin.endswith(".py"):
        return spec.origin, ()
    tree = _parse(Path(spec.origin))
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    return _canonical(tree), tuple(sorted(_imports(tree, package)))


@cache
def _is_loose(name: str) -> bool:
    """Whether a module is Python code outside the standard library and the installed packages."""
    spec = _find(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return False
    places = (sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib"))
    return not any(Path(spec.origin).is_relative_to(place) for place in places)


@cache
def _check_defined(path: str) -> None:
    """Raise unless `module:name` names something that the module's own text defines or imports."""
    module, _, name = path.partition(":")
    spec = _find(module)
    if spec is None or spec.origin is None:
        raise ReprocoreError(f"{path!r}: no module {module!r} on the Python path")
    if not spec.origin.endswith(".py"):
        return
    tree = _parse(Path(spec.origin))
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in tree.body):
        return
    names = {
        getattr(node, "id", None) or getattr(node, "asname", None) or getattr(node, "name", None)
        for node in ast.walk(tree)
    }
    if name not in names:
        raise ReprocoreError(f"{path!r}: module {module!r} has no {name!r}")


def _find(name: str) -> ModuleSpec | None:
    """Find a module without importing its parents."""
    path: list[str] | None = list(sys.path)
    spec = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise ReprocoreError(f"{path}: cannot be read as Python: {error}") from None


def _imports(tree: ast.Module, package: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                above = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{above}.{base}".rstrip(".")
            names.add(base)
            submodules = (f"{base}.{alias.name}" for alias in node.names)
            names.update(name for name in submodules if _find(name) is not None)
    return names


def _canonical(node: Any) -> str:
    """Write a syntax tree so that it is the same for every Python version and layout."""
    if isinstance(node, list):
        return "[" + ",".join(_canonical(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = [each for each in value if not _is_docstring(each)]
        if isinstance(node, ast.JoinedStr):
            # Python 3.12 alone puts empty strings around a nested format specification.
            value = [each for each in value if getattr(each, "value", None) != ""]
        if value is None or value == [] or name in ("ctx", "kind", "type_comment"):
            continue
        fields.append(f"{name}={_canonical(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _is_docstring(node: ast.stmt) -> bool:
    """A bare string does nothing, wherever it stands."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
