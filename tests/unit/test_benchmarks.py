"""Every benchmark still starts: what it imports from the library is there."""

import sys
from pathlib import Path

import pytest

from project import REPOSITORY, finished

SCRIPTS = [
    path
    for path in sorted((REPOSITORY / "benchmarks").glob("*.py"))
    if "argparse" in path.read_text("utf-8")
]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_says_what_it_measures(script: Path) -> None:
    done = finished([sys.executable, str(script), "--help"], cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")
