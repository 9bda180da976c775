"""Mistakes of a configuration: their kinds, and the words for lists that are too short."""

from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator

from conftest import config_with, one_line
from reprocore.errors import ReprocoreError
from reprocore.study import messages
from reprocore.study.base import Section
from reprocore.study.messages import MISSING, faults_of
from reprocore.study.study import parse_study


class Part(Section):
    size: int
    names: tuple[str, ...] = Field(("a",), min_length=1)

    @field_validator("names")
    @classmethod
    def _refused(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "gone" in names:
            raise ValueError("missing; this name is of no file")
        return names


class Whole(Section):
    part: Part


def faults(section: type[Section], content: Any) -> list[messages.Fault]:
    with pytest.raises(ValidationError) as error:
        section.model_validate(content)
    return faults_of(error.value)


def test_a_missing_key_may_be_the_misspelt_one_whatever_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(messages.WORDS, MISSING, "this key is required")
    (fault,) = faults(Part, {"sise": 3})
    assert fault.message.startswith("unknown key 'sise'; did you mean 'size'?")


def test_an_unknown_key_hides_no_missing_key_of_a_part() -> None:
    unknown, missing = faults(Whole, {"colour": "red", "part": {}})
    assert unknown.message.startswith("unknown key 'colour'")
    assert (missing.where, missing.kind) == (("part", "size"), MISSING)


def test_words_do_not_make_a_key_missing() -> None:
    unknown, wrong = faults(Part, {"size": 3, "names": ["gone"], "colour": "red"})
    assert unknown.message.startswith("unknown key 'colour'")
    assert (wrong.where, wrong.message) == (("names",), "missing; this name is of no file")


def test_the_kind_stays_with_a_mistake_of_a_part() -> None:
    (fault,) = faults(Whole, {"part": {}})
    assert (fault.where, fault.kind) == (("part", "size"), MISSING)
    first, second = faults(Whole, {"part": {"size": "x", "colour": "red"}})
    assert (first.kind, second.kind) == ("", "int_parsing")
    assert {fault.where[0] for fault in (first, second)} == {"part"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("tuning", {"learning_rates": [0.1], "seeds": [9]}, "must have at least 2 entries"),
        ("tuning", {"learning_rates": [0.1, 1], "seeds": []}, "must have at least 1 entry"),
        ("activations", [], "must have at least 1 entry"),
    ],
)
def test_entries_are_counted_in_good_english(path: str, value: Any, words: str) -> None:
    with pytest.raises(ReprocoreError) as error:
        parse_study(config_with(path, value))
    assert one_line(error).endswith(words)
