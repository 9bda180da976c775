"""Digests of settings and of source code."""

import ast
import hashlib
import json
import sys
import sysconfig
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError

# Left out of source digests: what these do to a result is seen elsewhere (resolved settings,
# the corpus' own hash) or is the form of a file and not its content.
_NOT_DIGESTED = {
    "reprocore",
    "reprocore.study.study",
    "reprocore.errors",
    "reprocore.store.identity",
    "reprocore.study.layout",
    "reprocore.store.records",
    "reprocore.study.sections",
    "reprocore.data.shakespeare",
    "reprocore.store.files",
    "reprocore.study.cells",
    "reprocore.data.text",
    "reprocore.study.permissions",
}


def digest(content: Any) -> str:
    """Return 16 hex digits of the SHA-256 of `content` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
