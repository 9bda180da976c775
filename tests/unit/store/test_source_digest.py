"""Digests of code: what it does counts, and not how it is written, nor by which Python."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, one_line
from reprocore.errors import ReprocoreError
from reprocore.store import source_digest as source_digest_module
from reprocore.store.source_digest import data_digest, digest, source_digest, text_digest


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


def test_code_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(ReprocoreError) as error:
        text_digest(tmp_path / "missing.py")
    assert "missing.py" in one_line(error)
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


def test_a_package_that_a_finder_of_its_own_knows_counts(tmp_path, monkeypatch) -> None:
    """As one has it that is installed editable and lies elsewhere."""
    path = tmp_path / "mine_elsewhere.py"
    path.write_text("def act(x):\n    return x\n", "utf-8")

    class Finder:
        @staticmethod
        def find_spec(name, path_=None, target=None):
            if name == path.stem:
                return importlib.util.spec_from_file_location(name, path)
            return None

    with pytest.raises(ReprocoreError):
        source_digest("mine_elsewhere_not")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert source_digest("mine_elsewhere")
    assert source_digest_module._is_loose("mine_elsewhere")
    # Not a file, and so no code of anybody's own.
    assert source_digest_module._find("sys") is None


def test_of_data_hidden_files_do_not_count_and_any_bytes_do(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "mine_templates"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "page.css").write_text("é {}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = data_digest("mine_templates")
    assert before == digest({"page.css": "é {}\n"})
    for name in (".DS_Store", "__pycache__/page.bin"):
        (folder / name).write_bytes(b"\xff\x00")
    assert data_digest("mine_templates") == before
    (folder / "logo.png").write_bytes(b"\xff\x00")
    one = data_digest("mine_templates")
    (folder / "logo.png").write_bytes(b"\xfe\x00")
    assert len({before, one, data_digest("mine_templates")}) == 3
