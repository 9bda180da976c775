"""Numbers and tables on a terminal."""

import pytest
from rich.console import Console

from reprocore.report.terminal import interval_numbers, table_of
from reprocore.vocabulary import counted


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.123456, 0.111111, 0.135801), ["0.123", "0.111", "0.136"]),
        ((0.123456, 0.1, 0.3), ["0.12", "0.10", "0.30"]),
        ((1234.5, 1000.0, 1500.0), ["1234", "1000", "1500"]),
        ((0.000123456, 0.000120, 0.000127), ["0.0001235", "0.0001200", "0.0001270"]),
        ((0.123456, None, None), ["0.1235", "–", "–"]),
        ((12.3456, None, None, 11.0), ["12.35", "–", "–", "11.00"]),
        ((0.0, None, None), ["0.0000", "–", "–"]),
        ((0.5, 0.5, 0.5), ["0.5000", "0.5000", "0.5000"]),
        ((None, None, None), ["–", "–", "–"]),
    ],
)
def test_numbers_end_where_their_interval_warrants(values: tuple, shown: list[str]) -> None:
    assert interval_numbers(*values) == shown


def test_a_number_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ("name", "first", "second")
    table = table_of(None, heads, [["a long name of words", "1234567890", "0.12345678"]], heads[1:])
    Console(width=26).print(table)
    out = capsys.readouterr().out
    assert "1234567890" in out
    assert "0.12345678" in out


def test_one_is_singular() -> None:
    assert (counted(1, "pair"), counted(3600, "cell")) == ("1 pair", "3,600 cells")
