"""Every code has words, and a table has the numbers that they name."""

from enum import StrEnum

import pyarrow as pa
import pytest

from reprocore.kinds import Notice
from reprocore.report import words
from reprocore.store import group_schemas, position_schemas, schemas
from reprocore.store.columns import codes_of
from reprocore.vocabulary import (
    ClaimVerdict,
    Condition,
    ContrastVerdict,
    Flag,
    Gap,
    Generalisation,
    Reason,
    join_codes,
    split_codes,
)

SCHEMAS = {
    name: schema
    for name, schema in (vars(schemas) | vars(position_schemas) | vars(group_schemas)).items()
    if isinstance(schema, pa.Schema) and "reason" in schema.names and name != "AUDIT_SCHEMA"
}


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (Condition, words.CONDITIONS),
        (ContrastVerdict, words.VERDICTS),
        (ClaimVerdict, words.CLAIM_VERDICTS),
        (Reason, words.REASONS),
        (Flag, words.FLAGS),
        (Gap, words.GAPS),
        (Generalisation, words.HOLDS_FOR),
        (Notice, words.NOTICES),
    ],
)
def test_every_code_has_words_of_its_own(kind: type[StrEnum], texts: dict[StrEnum, str]) -> None:
    assert set(texts) == set(kind)
    assert len(set(texts.values())) == len(kind)


def row_of(schema: pa.Schema, **values: str) -> dict[str, object]:
    return {field.name: "x" if pa.types.is_string(field.type) else 2 for field in schema} | values


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_has_the_numbers_that_its_reasons_name(name: str) -> None:
    codes = codes_of(SCHEMAS[name], "reason")
    assert codes
    for code in codes:
        (text,) = words.reason_texts(row_of(SCHEMAS[name], reason=code))
        assert text
        assert "{" not in text


def test_every_reason_is_of_some_table_or_of_arrays() -> None:
    known = set().union(*(codes_of(schema, "reason") for schema in SCHEMAS.values()))
    known |= codes_of(SCHEMAS["SENSITIVITY_SCHEMA"], "seeds_reason")
    assert set(Reason) - known == {Reason.ONE_ACTIVATION}


def test_the_summary_has_what_its_flags_name() -> None:
    flags, reason = join_codes(Flag), join_codes([Reason.FEW_SEEDS, Reason.INFINITE])
    texts = words.flag_texts(row_of(schemas.SUMMARY_SCHEMA, flags=flags, reason=reason))
    assert len(texts) == len(Flag)
    assert "no interval: 2 seeds, needs 3, infinite" in texts


@pytest.mark.parametrize(("count", "text"), [(0, "0 seeds"), (1, "1 seed"), (2.0, "2 seeds")])
def test_numbers_agree_with_their_nouns(count: float, text: str) -> None:
    assert words.counted(count, "seed") == text


def test_codes_are_read_as_they_were_written() -> None:
    assert split_codes(join_codes(Reason), Reason) == tuple(Reason)
    assert split_codes("", Reason) == ()
    with pytest.raises(ValueError, match="unheard"):
        split_codes("unheard", Reason)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smelu_05", "SmeLU β=0.5"),
        ("smeglu_025", "SmeGLU β=0.25"),
        ("smelu_2", "SmeLU β=2"),
        ("swiglu", "SwiGLU"),
        ("relu2", "ReLU²"),
        ("my_own", "my_own"),
    ],
)
def test_readable_names(name: str, shown: str) -> None:
    assert words.readable(name) == shown
