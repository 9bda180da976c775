"""Whole numbers in what users write: arguments, names of files, and text files."""

import re


def whole_number(word: str) -> int | None:
    """Return the number that `word` is in digits 0-9, with - before it if negative; else None.

    `str.isdigit` also takes signs such as ², which `int` refuses. Numbers of more digits than 18
    are refused too: they do not fit an int64.
    """
    return int(word) if re.fullmatch(r"-?[0-9]{1,18}", word) else None
