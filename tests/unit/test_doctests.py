"""The examples in docstrings run, and the public face is what it says."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import reprocore

ROOT = Path(reprocore.__file__).parent
WITH_EXAMPLES = [
    ".".join(("reprocore", *path.relative_to(ROOT).with_suffix("").parts))
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_give_what_they_show(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_public_names_are_there() -> None:
    assert dir(reprocore) == sorted(reprocore.__all__)
    assert "reprocore.analysis.groups.reproducibility" in WITH_EXAMPLES
    for name in reprocore.__all__:
        assert callable(getattr(reprocore, name)) or name == "MEASURES"


def test_importing_the_package_loads_nothing_large() -> None:
    large = "{'torch', 'pandas', 'pyarrow', 'scipy', 'numpy', 'matplotlib'}"
    code = f"import sys, reprocore; dir(reprocore); print({large} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
