"""Digests of settings and of source code, which say when a result must be made again."""

import ast
import hashlib
import json
import sys
import sysconfig
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reprocore.errors import ReprocoreError

# What makes a cell's numbers. The other layers hand over what is in its resolved settings or in the
# corpus' hash, or write the form of a file and not its content.
CELL_LAYERS = frozenset({"training", "data"})
# What makes the tables and figures: all but the settings, which a rule names one by one.
TABLE_LAYERS = CELL_LAYERS | {"analysis", "report", "statistics", "store", "vocabulary"}
# Folders of installed packages; Debian has its own name for them.
INSTALLED = {"site-packages", "dist-packages"}


def canonical_json(content: Any) -> str:
    """Return `content` as JSON, the same for equal content: sorted, ASCII, without spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(content: Any) -> str:
    """Return 16 hex digits of the SHA-256 of `content` as canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:16]


@cache
def source_digest(*modules: str, layers: frozenset[str] = TABLE_LAYERS) -> str:
    """Return a digest of the code of `modules` and of all that they import beside them.

    Of this package, imports are followed into `layers`, but not into an `__init__`, which holds no
    code. Elsewhere they are followed inside the modules' own top-level packages and to any other
    code that is not installed, such as a helper beside a user's module. Comments, docstrings and
    layout do not count. Nothing is imported.

    Raises:
        ReprocoreError: a module cannot be found or is not Python.
    """
    packages = {name.partition(".")[0] for name in modules}
    code_of: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in code_of:
            continue
        code_of[name], imports = _read_module(name)
        parents = [name.rpartition(".")[0]] if "." in name else []
        waiting += [
            other
            for other in (*imports, *parents)
            if (
                _is_in(other, layers)
                if other.partition(".")[0] == "reprocore"
                else other.partition(".")[0] in packages or _is_loose(other)
            )
        ]
    return digest(code_of)


def _is_in(name: str, layers: frozenset[str]) -> bool:
    """Whether a module of this package is code of one of `layers`."""
    spec = _find(name)
    return (
        name.split(".")[1:2] != []
        and name.split(".")[1] in layers
        and not (spec is not None and spec.submodule_search_locations)
    )


def text_digest(path: str | Path) -> str:
    """Return a digest of one file's code, by the rules of `source_digest`."""
    return digest(_canonical(_parse(Path(path))))


def data_digest(package: str) -> str:
    """Return a digest of the files below a package that are no Python, by name and content.

    Hidden files, such as those in which a system keeps how a folder is shown, do not count.

    Raises:
        ReprocoreError: the package cannot be found.
    """
    spec = _find(package)
    if spec is None or not spec.submodule_search_locations:
        raise ReprocoreError(f"package {package!r} is not found on the Python path")
    folder = Path(next(iter(spec.submodule_search_locations)))
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [str(path) for path in paths if _is_data(path)]
    # Not every file need be text in UTF-8.
    contents = ((folder / name).read_bytes().decode("utf-8", "surrogateescape") for name in names)
    return digest(dict(zip(names, contents, strict=True)))


def _is_data(path: Path) -> bool:
    """Whether a path inside a package is of a file that is no Python and not hidden."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix not in (".py", ".pyc")


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
    path = Path(spec.origin)
    # By name too: a virtual environment may see another's packages, or the system's.
    return not (path.is_relative_to(sysconfig.get_path("stdlib")) or INSTALLED & set(path.parts))


@cache
def check_defined(path: str) -> None:
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


@cache
def _find(name: str) -> ModuleSpec | None:
    """Find a module without importing its parents."""
    parent = name.rpartition(".")[0]
    if not parent:
        return PathFinder.find_spec(name, sys.path) or _found_by_others(name)
    spec = _find(parent)
    return spec and PathFinder.find_spec(name, list(spec.submodule_search_locations or ()))


def _found_by_others(name: str) -> ModuleSpec | None:
    """Find a file that is not on the path, such as of a package that is installed editable."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec if spec is not None and spec.has_location else None


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
