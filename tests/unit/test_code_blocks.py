"""Which blocks of the documents run; `tests/workflow/test_documents_run.py` runs them."""

from pathlib import Path

import pytest

from code_blocks import Block, blocks, pages


def every_block() -> list[Block]:
    return [block for path in pages() for block in blocks(path)]


@pytest.mark.parametrize("block", every_block(), ids=lambda block: block.place)
def test_a_block_runs_or_says_why_not(block: Block) -> None:
    assert block.mark, f"{block.place}: needs <!-- run --> or <!-- not run: reason -->"
    if block.mark == "run":
        assert block.language in ("bash", "python", "yaml"), block.place
    else:
        assert block.detail, f"{block.place}: {block.mark} needs a reason or a path"


def test_there_are_blocks_of_each_kind() -> None:
    found = every_block()
    assert len([block for block in found if block.mark == "run"]) > 20
    assert {block.language for block in found} >= {"bash", "python", "yaml"}


def test_a_block_without_a_mark_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    marked = "<!-- run -->\n```python\n1\n```\n\n```{note}\nx\n```\n"
    page.write_text(f"A\n\n```bash\nls\n```\n\n{marked}")
    monkeypatch.setattr("code_blocks.REPOSITORY", tmp_path)
    assert [(block.line, block.mark) for block in blocks(page)] == [(3, ""), (8, "run")]
