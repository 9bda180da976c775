"""The code of README, how-tos and references does what they say, block after block."""

from pathlib import Path

import pytest

from code_blocks import Sandbox, blocks, pages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(tmp_path_factory.mktemp("documents"))


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_blocks_of_a_document_run(sandbox: Sandbox, path: Path) -> None:
    for block in blocks(path):
        if block.mark in ("run", "file"):
            sandbox.run(block)
