"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table; bars and line breaks, which would end a cell, may stand in one.

    >>> print(table(("key", "allowed"), [("seed", "1|2")]))
    | key | allowed |
    | --- | --- |
    | seed | 1\|2 |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
