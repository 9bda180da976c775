"""Which code concerns which cells: of a copy of the package, and of users' own modules."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import MODELS, RECURRENT, ROOT, tiny_config

# Run in a process of its own, with another copy of the package: the digests of one cell of each
# model, and of user code; also that nothing heavy was imported.
SCRIPT = """
import json, sys
from reprocore.store import identity
from reprocore.study.study import parse_study
from reprocore.errors import ReprocoreError
from reprocore.study.cells import Cell
study = parse_study(json.loads(sys.argv[1]))
found = {}
for name in study.models:
    for activation in study.activations_of(name):
        try:
            cell = Cell(name, activation, "all", 1)
            found[f"{name}/{activation}"] = identity.cell_identity(study, cell)["source"]
        except ReprocoreError as error:
            found[f"{name}/{activation}"] = f"error: {error}"
heavy = {"torch", "pandas", "numpy", "pyarrow", "scipy", "matplotlib"} & set(sys.modules)
print(json.dumps({"found": found, "heavy": sorted(heavy), "file": identity.__file__}))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package's source that can be edited."""
    target = tmp_path / "src" / "reprocore"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "reprocore", target, ignore=ignored)
    return target


def sources(package: Path, content: dict[str, Any], *more_paths: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, (package.parent, *more_paths)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-c", SCRIPT, json.dumps(content)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    answer = json.loads(done.stdout)
    assert Path(answer["file"]).is_relative_to(package)
    assert answer["heavy"] == []
    return answer["found"]


def append(path: Path, code: str) -> None:
    path.write_text(path.read_text("utf-8") + code, "utf-8")


SMALL = tiny_config(activations=["relu"])


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {key.partition("/")[0] for key in before if before[key] != after[key]}


@pytest.mark.slow
def test_code_of_one_family_concerns_the_models_of_that_family_only(package):
    before = sources(package, SMALL)
    assert len(set(before.values())) == 4
    # Formatting, comments and docstrings first: no cell is another one.
    for path in package.rglob("*.py"):
        code = path.read_text("utf-8")
        path.write_text("# new\n\n" + code.replace('"""', '"""Changed. ', 1) + "\n# end\n", "utf-8")
    assert sources(package, SMALL) == before
    append(package / "training/models/recurrent.py", "\nEDITED = 1\n")
    recurrent = sources(package, SMALL)
    assert differing(before, recurrent) == {"tinylstm", *RECURRENT}
    append(package / "training/models/gpt.py", "\nEDITED = 1\n")
    gpt = sources(package, SMALL)
    assert differing(recurrent, gpt) == {"charlm", "nanotransformer", "minigpt"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "training/loop.py",
        "training/randomness.py",
        "training/models/build.py",
        "training/models/layers.py",
        "data/tokens.py",
        "data/probe.py",
    ],
)
def test_code_of_training_concerns_every_model(package, module):
    before = sources(package, SMALL)
    append(package / module, "\nEDITED = 1\n")
    assert differing(before, sources(package, SMALL)) == set(MODELS)


@pytest.mark.slow
def test_code_that_trains_nothing_concerns_no_model(package):
    before = sources(package, SMALL)
    for path in package.rglob("*.py"):
        place = path.relative_to(package)
        if place.parts[0] not in ("training", "data") or place.name == "__init__.py":
            append(path, "\nEDITED = 1\n")
    # Nor does a change of what is there, such as of a measure.
    measures = package / "statistics" / "divergence.py"
    code = measures.read_text("utf-8")
    start = code.index("\ndef churn(")
    measures.write_text(code[:start] + code[start:].replace("return ", "return 2 * ", 1), "utf-8")
    assert sources(package, SMALL) == before


def test_packages_that_train_hold_no_code_of_their_own(package):
    for layer in ("training", "data"):
        for path in (package / layer).rglob("__init__.py"):
            (statement,) = ast.parse(path.read_text("utf-8")).body
            assert isinstance(statement, ast.Expr), path


def write_user_package(folder: Path) -> None:
    package = folder / "mylab" / "inner"
    package.mkdir(parents=True)
    (folder / "mylab" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "acts.py").write_text(
        "from .parts import half\nfrom .. import shared\n\ndef mine(x):\n    return half(x)\n"
    )
    (package / "parts.py").write_text("def half(x):\n    return x / 2\n")
    (package / "unused.py").write_text("X = 1\n")
    (folder / "mylab" / "shared.py").write_text("import mylab.deep\n")
    (folder / "mylab" / "deep.py").write_text("Y = 1\n")
    (folder / "mylab" / "family.py").write_text("def build(*_):\n    return None\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ("inner/acts.py", {"charlm/mine", "own/mine"}),
        ("inner/parts.py", {"charlm/mine", "own/mine"}),
        ("shared.py", {"charlm/mine", "own/mine"}),
        ("deep.py", {"charlm/mine", "own/mine"}),
        ("inner/__init__.py", {"charlm/mine", "own/mine"}),
        ("__init__.py", {"charlm/mine", "own/mine", "own/relu"}),
        ("family.py", {"own/mine", "own/relu"}),
        ("inner/unused.py", set()),
    ],
)
def test_user_code_concerns_the_cells_that_use_it(package, tmp_path, edited, expected):
    user = tmp_path / "user"
    write_user_package(user)
    content = tiny_config(
        models={
            "charlm": tiny_config()["models"]["charlm"],
            "own": {"family": "mylab.family:build", "context": 16},
        },
        custom_activations={"mine": {"path": "mylab.inner.acts:mine"}},
        activations=["relu", "mine"],
    )
    before = sources(package, content, user)
    assert not any(value.startswith("error") for value in before.values())
    append(user / "mylab" / edited, "\nEDITED = 1\n")
    after = sources(package, content, user)
    assert {key for key in before if before[key] != after[key]} == expected


def test_missing_user_module_is_one_line_that_names_it(package):
    content = tiny_config(
        models={"own": {"family": "no_such_lab.family:build", "context": 16}}, activations=["relu"]
    )
    (found,) = sources(package, content).values()
    wanted = "'no_such_lab.family:build': no module 'no_such_lab.family' on the Python path"
    assert found == f"error: {wanted}"
