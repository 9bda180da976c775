"""What a user reads of a wrong configuration: one line per wrong key, in words of the file."""

import re
import reprlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from reprocore.vocabulary import nearest

NAME = r"^[a-z][a-z0-9_]*$"
DOTTED_PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
SHA256 = r"^[0-9a-f]{64}$"
COLOUR = r"^#[0-9a-fA-F]{6}$"

PATTERNS = {
    NAME: "must be a name: a lower-case letter, then lower-case letters, digits and _",
    DOTTED_PATH: "must be a path to your code, such as my_module:my_function",
    SHA256: "must be a SHA-256: 64 digits from 0-9 and a-f",
    COLOUR: "must be a colour, such as '#1f77b4'",
}

# The validator's type of error for a key that is not there.
MISSING = "missing"

# By the validator's type of error; {…} is filled from its context.
WORDS = {
    MISSING: "missing; this key is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of at most some 4,000 digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be text of whole characters",
    "dict_type": "must be a section: keys with values",
    "model_type": "must be a section: keys with values",
    "recursion_loop": "must not contain itself",
}


Where = tuple[str | int, ...]


class Fault(NamedTuple):
    """One mistake: the keys that lead to it, from the section that is checked, and what is wrong.

    The message starts with the value where that helps, and ends with what is allowed. The kind is
    the validator's type of error, such as `MISSING`; "" for what we find ourselves.
    """

    where: Where
    message: str
    kind: str = ""


class WrongKeysError(ValueError):
    """Several mistakes in one section."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


class Boolean:
    """True or false where neither is allowed; the validator would take it for 1 or 0."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "true" if self._value else "false"


def error_lines(error: ValidationError, source: str) -> list[str]:
    """Return one line per wrong key: where it is, its value, and what is allowed."""
    return [
        f"{source}: {where}: {fault.message}"
        if (where := _dotted(fault.where))
        else f"{source}: {fault.message}"
        for fault in faults_of(error)
    ]


def faults_of(error: ValidationError) -> list[Fault]:
    """Return the mistakes that a validation met, also those inside nested sections."""
    items = error.errors(include_url=False)
    faulty = {item["loc"][:-1] for item in items if item["loc"]}
    faults: list[Fault] = []
    for item in items:
        where = item["loc"]
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, WrongKeysError):
            faults += (fault._replace(where=(*where, *fault.where)) for fault in cause.faults)
        # A list with a wrong item is not too short, and the item has a line of its own.
        elif not (item["type"] == "too_short" and where in faulty):
            faults.append(Fault(where, _message(dict(item)), item["type"]))
    return faults


def shown(value: Any) -> str:
    """Return a value as a config file has it, shortened: aliases can make a small file huge."""
    text = _SHORT.repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


class _Short(reprlib.Repr):
    """Values as YAML writes them, of which only the beginning is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 2, 100, 100

    def repr_NoneType(self, value: None, level: int) -> str:  # noqa: N802
        return "null"

    def repr_bool(self, value: bool, level: int) -> str:
        return "true" if value else "false"

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to write numbers of thousands of digits.
        return str(value) if value.bit_length() < 256 else "a number of more than 75 digits"


_SHORT = _Short()


def _dotted(where: Iterable[str | int]) -> str:
    parts = (str(part) for part in where if part != "[key]")
    return ".".join(part if part and part.isprintable() else repr(part) for part in parts)


def _message(item: dict[str, Any]) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    words = _words(kind, value, context) or item["msg"]
    bare = kind == MISSING or isinstance(value, dict | BaseModel)
    return words if bare else f"{shown(value)}: {words}"


def _words(kind: str, value: Any, context: dict[str, Any]) -> str:
    if kind == "literal_error":
        return nearest(
            str(value) if isinstance(value, str) else "",
            re.findall(r"'([^']*)'", context["expected"]),
        )
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        lower = str(value).lower()
        hint = f"; did you mean {lower!r}?" if re.fullmatch(pattern, lower) else ""
        return PATTERNS.get(pattern, f"must be like {pattern}") + hint
    if kind in ("tuple_type", "list_type"):
        example = value if isinstance(value, str) and re.fullmatch(NAME, value) else "a, b"
        return f"must be a list, such as [{example}]"
    if kind == "too_short":
        least = context["min_length"]
        return f"must have at least {least} {'entry' if least == 1 else 'entries'}"
    if kind == "string_type" and isinstance(value, int | float):
        return "must be text; write it in quotes"
    return WORDS.get(kind, "").format(**context)
