"""What makes a cell another cell: its settings and the code that trains it, and nothing else."""

import ast
import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import MODELS, RECURRENT, ROOT, one_line, tiny_config
from reprocore.errors import ReprocoreError
from reprocore.store import identity
from reprocore.store import source_digest as source_digest_module
from reprocore.store.identity import cell_settings
from reprocore.store.source_digest import digest, source_digest, text_digest
from reprocore.study.cells import Cell, all_cells
from reprocore.study.study import parse_study

CELL = Cell("charlm", "smelu_1", "all", 1)


def settings_digest(content: dict[str, Any], cell: Cell = CELL) -> str:
    return digest(cell_settings(parse_study(content), cell))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The tiny config with the value at a dotted path replaced."""
    content = copy.deepcopy(tiny_config())
    *parents, last = path.split(".")
    place = content
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return content


USUAL = settings_digest(tiny_config())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.charlm", {"family": "conv", "context": 16}),
        ("models.charlm.context", 8),
        ("models.charlm.sizes.layers", 3),
        ("models.charlm.sizes.heads", 4),
        ("models.charlm.sizes.width", 32),
        ("models.charlm.sizes.hidden", 65),
        ("models.charlm.sizes.dropout", 0.21),
        ("models.charlm.sizes.bias", False),
        ("models.charlm.sizes.init_std", 0.03),
        ("models.charlm.training", {"iterations": 9}),
        ("models.charlm.resources", {"gpu": 1}),
        ("training.iterations", 9),
        ("training.batch_size", 5),
        ("training.learning_rate", 4e-3),
        ("training.schedule", "cosine"),
        ("training.warmup", 1),
        ("training.final_rate", 0.2),
        ("training.weight_decay", 0.02),
        ("training.beta1", 0.8),
        ("training.beta2", 0.99),
        ("training.clip_norm", 1.0),
        ("training.evaluate_every", 3),
        ("training.evaluation_positions", 80),
        ("training.snapshots", [0.5, 1]),
        ("training.threads", 2),
        ("training.precision", "bfloat16"),
        ("probe.positions", 128),
        ("probe.block", 8),
        ("probe.lead", 33),
    ],
)
def test_each_setting_of_a_cell_changes_its_digest(path, value):
    assert settings_digest(changed(path, value)) != USUAL


@pytest.mark.parametrize(
    "cell",
    [
        Cell("nanotransformer", "smelu_1", "all", 1),
        Cell("charlm", "smelu_05", "all", 1),
        Cell("charlm", "smelu_1", "init", 1),
        Cell("charlm", "smelu_1", "all", 2),
    ],
)
def test_another_cell_has_another_digest(cell):
    assert settings_digest(tiny_config(), cell) != USUAL


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "another"),
        ("results", "elsewhere"),
        ("seeds", [1, 2, 3, 4]),
        ("seeds", [7, 1]),
        ("arms", ["all", "none"]),
        ("activations", ["smelu_1", "relu"]),
        ("models.charlm.activations", ["smelu_1"]),
        ("models.charlm.arms", ["all"]),
        ("models.charlm.resources", {"gpu": 1, "device": "cpu"}),
        ("models.charlm.resources", {"mem_mb": 4000, "minutes": 5, "checkpoint_seconds": 1}),
        ("models.tinylstm.sizes.width", 32),
        ("models.tinylstm.training", {"iterations": 9}),
        ("models.another", {"family": "lstm", "context": 16}),
        ("custom_activations", {"mine": {"path": "a:b"}}),
        ("figures", {"dpi": 300, "measure": "churn", "colours": {"relu": "#ff0000"}}),
        ("statistics", {"confidence": 0.9}),
        ("gpu", "none"),
        ("partial", True),
        ("training.learning_rate", "3.0e-3"),
    ],
)
def test_what_does_not_concern_a_cell_leaves_its_digest(path, value):
    assert settings_digest(changed(path, value)) == USUAL


def test_leaving_a_default_out_and_writing_it_is_the_same_cell():
    plain, explicit = tiny_config(), tiny_config()
    explicit["training"] |= {"schedule": "constant", "warmup": 0, "clip_norm": None}
    explicit["models"]["charlm"]["sizes"] |= {"bias": True, "hidden": None}
    assert settings_digest(explicit) == settings_digest(plain)


def test_training_of_the_study_or_of_the_model_alone_is_the_same_cell():
    assert settings_digest(changed("models.charlm.training", {"iterations": 9})) == settings_digest(
        changed("training.iterations", 9)
    )


def test_swapped_values_are_another_cell():
    one, other = tiny_config(), tiny_config()
    one["training"] |= {"evaluate_every": 4, "threads": 3}
    other["training"] |= {"evaluate_every": 3, "threads": 4}
    assert settings_digest(one) != settings_digest(other)
    one["models"]["charlm"]["sizes"] |= {"layers": 2, "heads": 4}
    other["models"]["charlm"]["sizes"] |= {"layers": 4, "heads": 2}
    other["training"] = one["training"]
    assert settings_digest(one) != settings_digest(other)


def test_order_of_dilations_counts_and_order_of_keys_does_not():
    cell = Cell("convlm", "relu", "all", 1)
    reversed_dilations = changed("models.convlm.sizes.dilations", [4, 2, 1])
    assert settings_digest(reversed_dilations, cell) != settings_digest(tiny_config(), cell)
    sizes = dict(reversed(tiny_config()["models"]["charlm"]["sizes"].items()))
    assert settings_digest(changed("models.charlm.sizes", sizes)) == USUAL


def test_path_and_gate_of_a_custom_activation_change_its_cells_only():
    def digests(custom: dict[str, Any]) -> tuple[str, str]:
        content = tiny_config(custom_activations={"mine": custom}, activations=["relu", "mine"])
        cells = (Cell("charlm", name, "all", 1) for name in ("mine", "relu"))
        mine, relu = (settings_digest(content, cell) for cell in cells)
        return mine, relu

    one = digests({"path": "a:f"})
    other_path = digests({"path": "a:g"})
    gated = digests({"path": "a:f", "gated": True})
    assert len({one[0], other_path[0], gated[0]}) == 3
    assert one[1] == other_path[1] == gated[1]


def test_digest_is_short_and_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({"a": 1}) != digest({"a": "1"})
    assert len(digest(None)) == 16
    assert int(digest(None), 16) >= 0


CODE = '''"""Docstring."""
import math
# A comment.
LIMIT = 1_000


class Thing:
    """Docstring."""

    size: int = 3

    def area(self, x: float = 2.0) -> float:
        """Docstring."""
        if x > LIMIT:  # another
            return math.pi * x**2
        return {"a": [x, -x], 'b': f"{x:.2f}"}["a"][0]
'''
SAME_CODE = """
import math
LIMIT = 1000
class Thing:
    size: int = 3
    "A bare string."

    def area(
        self,
        x: float = 2.0,
    ) -> float:


        if (x > LIMIT): return math.pi * x ** 2
        return {'a': [x, -x,], "b": f'{x:.2f}',}['a'][0]
"""


def code_digest(tmp_path: Path, code: str) -> str:
    path = tmp_path / "code.py"
    path.write_text(code, "utf-8")
    return text_digest(path)


def test_comments_docstrings_and_layout_do_not_change_a_code_digest(tmp_path):
    assert code_digest(tmp_path, CODE) == code_digest(tmp_path, SAME_CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1_000", "1_001"),
        ("x**2", "x**3"),
        ("x > LIMIT", "x >= LIMIT"),
        ("math.pi", "math.e"),
        ("x: float = 2.0", "y: float = 2.0"),
        ("x: float = 2.0", "x: float"),
        ("x: float = 2.0", "x: int = 2.0"),
        ("x: float = 2.0", "*, x: float = 2.0"),
        ("2.0) ->", "2) ->"),
        ("[x, -x]", "[-x, x]"),
        ("[x, -x]", "(x, -x)"),
        ('["a"][0]', '["a"][-0]'),
        ('["a"][0]', '["a"][0:]'),
        ('["a"][0]', '["a"][:0]'),
        (":.2f", ":.3f"),
        ("import math", "from math import pi"),
        ("class Thing:", "class Thing(object):"),
        ("    def area", "    @property\n    def area"),
        ("    size: int = 3\n", ""),
    ],
)
def test_each_change_of_code_changes_its_digest(tmp_path, old, new):
    assert CODE.count(old) >= 1
    assert code_digest(tmp_path, CODE) != code_digest(tmp_path, CODE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x = ..."),
        ("x = 0.0", "x = -0.0"),
        ("del x", "x"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(*, a=1, b): pass", "def f(*, a, b=1): pass"),
        ("for i in x: pass", "async def f():\n  async for i in x: pass"),
        ("try:\n  a()\nexcept E:\n  b()", "try:\n  a()\nfinally:\n  b()"),
        ("f(*a)", "f(**a)"),
        ("f(a, b=c)", "f(a, c=b)"),
        ("{**a}", "{a: None}"),
        ("lambda: None", "lambda: 0"),
    ],
)
def test_codes_that_do_different_things_have_different_digests(tmp_path, one, other):
    assert code_digest(tmp_path, one) != code_digest(tmp_path, other)


def test_file_that_is_not_python_is_one_line(tmp_path):
    for content in ("def f(:\n  pass\n", "x = '\0'"):
        (tmp_path / "code.py").write_text(content)
        with pytest.raises(ReprocoreError) as error:
            text_digest(tmp_path / "code.py")
        assert one_line(error).startswith(f"{tmp_path / 'code.py'}: ")
    with pytest.raises(ReprocoreError) as error:
        text_digest(tmp_path / "missing.py")
    assert "missing.py" in one_line(error)


# Run in a process of its own, with another copy of the package: the digests of one cell of each
# model, and of user code; also that nothing heavy was imported.
SCRIPT = """
import json, sys
from reprocore.store import identity
from reprocore.store import source_digest as source_digest_module
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


SMALL = {"activations": ["relu"]}


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {key.partition("/")[0] for key in before if before[key] != after[key]}


@pytest.mark.slow
def test_code_of_one_family_concerns_the_models_of_that_family_only(package):
    content = tiny_config(**SMALL)
    before = sources(package, content)
    assert len(set(before.values())) == 4
    # Formatting, comments and docstrings first: no cell is another one.
    for path in package.rglob("*.py"):
        code = path.read_text("utf-8")
        path.write_text("# new\n\n" + code.replace('"""', '"""Changed. ', 1) + "\n# end\n", "utf-8")
    assert sources(package, content) == before
    append(package / "training/models/recurrent.py", "\nEDITED = 1\n")
    recurrent = sources(package, content)
    assert differing(before, recurrent) == {"tinylstm", *RECURRENT}
    append(package / "training/models/gpt.py", "\nEDITED = 1\n")
    gpt = sources(package, content)
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
    content = tiny_config(**SMALL)
    before = sources(package, content)
    append(package / module, "\nEDITED = 1\n")
    assert differing(before, sources(package, content)) == set(MODELS)


@pytest.mark.slow
def test_code_that_trains_nothing_concerns_no_model(package):
    content = tiny_config(**SMALL)
    before = sources(package, content)
    for path in package.rglob("*.py"):
        place = path.relative_to(package)
        if place.parts[0] not in ("training", "data") or place.name == "__init__.py":
            append(path, "\nEDITED = 1\n")
    assert sources(package, content) == before


@pytest.mark.slow
def test_the_body_of_a_measure_concerns_no_model(package):
    content = tiny_config(**SMALL)
    before = sources(package, content)
    measures = package / "statistics" / "divergence.py"
    code = measures.read_text("utf-8")
    start = code.index("\ndef churn(")
    measures.write_text(code[:start] + code[start:].replace("return ", "return 2 * ", 1), "utf-8")
    assert sources(package, content) == before


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


def test_missing_module_in_this_process_too():
    with pytest.raises(ReprocoreError) as error:
        source_digest("reprocore.no_such_module")
    assert "'reprocore.no_such_module' is not found" in one_line(error)


def other_interpreters() -> list[Path]:
    found = []
    for folder in sorted(Path.home().glob(".pyenv/versions/3.*")):
        version = tuple(int(part) for part in folder.name.split(".")[:2] if part.isdigit())
        if version >= (3, 11) and version != sys.version_info[:2]:
            found.append(folder / "bin" / "python")
    return [path for path in found if path.exists()]


# The package itself needs what other interpreters lack; one module of it does not.
OTHER_PYTHON = """
import importlib.util, sys, types
errors = types.ModuleType("reprocore.errors")
errors.ReprocoreError = Exception
sys.modules |= {"reprocore": types.ModuleType("reprocore"), "reprocore.errors": errors}
spec = importlib.util.spec_from_file_location("source_digest", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for path in sys.argv[2:]:
    print(module.text_digest(path))
"""
TRICKY = """
async def g(x):
    return [i async for i in x]


def f(x, *args, y: "int" = 1, **rest) -> None:
    text = f"{x!r:>{y}} {{}} {x=} {'a' 'b'}" "joined" f"{x:%Y-%m}" f"{x:{{}}}" f""
    match x:
        case {"a": [1, *_], **others} if others: pass
        case str() | None: return None
    with (open(x) as a, open(y) as b): yield from a
    try: assert x, "no"
    except* ValueError as e: raise e from None
    global G
    G = [i for i in x] if (n := len(x)) else x[1:2, ::3, ...]
    return "\\N{BULLET}é😀" + 1e400j + 0x_ff + b"\\x00" @ ~x
"""


@pytest.mark.slow
@pytest.mark.skipif(not other_interpreters(), reason="no other Python from 3.11 on is at hand")
def test_digest_is_the_same_in_every_python_version(tmp_path):
    tricky = tmp_path / "tricky.py"
    tricky.write_text(TRICKY, "utf-8")
    files = [*sorted((ROOT / "src" / "reprocore").rglob("*.py")), tricky]
    here = [text_digest(path) for path in files]
    module = ROOT / "src" / "reprocore" / "store" / "source_digest.py"
    for python in other_interpreters():
        command = [str(python), "-c", OTHER_PYTHON, str(module), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert dict(zip(map(str, files), done.stdout.split(), strict=True)) == dict(
            zip(map(str, files), here, strict=True)
        ), python


def test_a_helper_beside_a_users_module_counts(user_module) -> None:
    user_module("mine_helper", "SLOPE = 1\n")
    user_module("mine_top", "import mine_helper\n\n\ndef act(x):\n    return x\n")
    before = source_digest("mine_top")
    user_module("mine_helper", "SLOPE = 2\n")
    for cached in (source_digest, source_digest_module._read_module):
        cached.cache_clear()
    assert source_digest("mine_top") != before


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_packages_of_another_environment_do_not_count(tmp_path, monkeypatch, folder) -> None:
    other = tmp_path / folder
    other.mkdir()
    (other / "neighbour_package.py").write_text("SLOPE = 1\n", "utf-8")
    monkeypatch.syspath_prepend(other)
    assert not source_digest_module._is_loose("neighbour_package")


def test_a_name_that_a_module_lacks_is_told_before_anything_runs(user_module) -> None:
    user_module("mine_act", "def act(x):\n    return x\n")
    custom = {"mine": {"path": "mine_act:atc"}}
    study = parse_study(tiny_config(activations=["mine"], custom_activations=custom))
    with pytest.raises(ReprocoreError) as error:
        identity.cell_identity(study, all_cells(study)[0])
    assert "module 'mine_act' has no 'atc'" in one_line(error)


def test_another_text_or_split_is_another_cell(tmp_path) -> None:
    path = tmp_path / "text.txt"

    def settings(text: str, **corpus) -> dict:
        path.write_text(text)
        os.utime(path, (1, len(text)))
        study = parse_study(tiny_config(corpus={"source": "file", "path": str(path), **corpus}))
        return identity.cell_settings(study, all_cells(study)[0])

    first = settings("one text")
    assert settings("one other") != first
    assert settings("one text", train_fraction=0.8) != first
    sha256 = hashlib.sha256(b"one text").hexdigest()
    assert settings("one text", sha256=sha256) == first
