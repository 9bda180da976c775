"""What all sections of a configuration share: kinds of values, and how mistakes are gathered."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from reprocore.errors import visible
from reprocore.study.messages import (
    DOTTED_PATH,
    MISSING,
    NAME,
    SHA256,
    Boolean,
    Fault,
    WrongKeysError,
    faults_of,
    shown,
)
from reprocore.vocabulary import nearest


def _plain_path(path: str) -> str:
    if path.startswith("~"):
        raise ValueError(f"{shown(path)}: ~ is not replaced here; write the full path")
    if visible(path, kept="") != path:
        raise ValueError(f"{shown(path)}: a path must not hold control characters")
    # What file systems take, less the names of our own files.
    if len(path.encode()) > 2000 or any(len(part.encode()) > 255 for part in path.split("/")):
        raise ValueError(f"{shown(path)}: is too long for a path")
    return path


def _empty_section(content: Any) -> Any:
    return {} if content is None else content


Arm = Literal["all", "init", "order", "dropout", "none"]
Name = Annotated[str, Field(pattern=NAME, max_length=64)]
DottedPath = Annotated[str, Field(pattern=DOTTED_PATH)]
Sha256 = Annotated[str, Field(pattern=SHA256)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
PlainPath = Annotated[str, Field(min_length=1), AfterValidator(_plain_path)]
Keys = Annotated[dict[str, Any], BeforeValidator(_empty_section)]


class Section(BaseModel):
    """Base of all sections: immutable, and an unknown key is an error that names its like."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _all_mistakes(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report unknown keys beside all that is wrong with the others."""
        data = _empty_section(data)
        if not isinstance(data, dict):
            return handler(data)
        known = {key: _no_boolean(cls, key, data[key]) for key in data if key in cls.model_fields}
        faults = [
            Fault((), f"unknown key {shown(key)}; {nearest(str(key), cls.model_fields)}")
            for key in data
            if key not in known
        ]
        try:
            section = handler(known)
        except ValidationError as error:
            if not faults:
                raise
            # A key of this section that is missing may be the one that is misspelt.
            wrong = [f for f in faults_of(error) if f.kind != MISSING or len(f.where) > 1]
            raise WrongKeysError([*faults, *wrong]) from None
        if faults:
            raise WrongKeysError(faults)
        return section


def _no_boolean(section: type[Section], key: str, value: Any) -> Any:
    """Return `value` without the true and false that the validator would take for 1 and 0."""
    if section.model_fields[key].annotation is bool:
        return value
    if isinstance(value, list):
        return [Boolean(item) if isinstance(item, bool) else item for item in value]
    return Boolean(value) if isinstance(value, bool) else value


def distinct_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """Return `seeds`; ValueError if one is listed twice."""
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"seed {twice[0]} is listed twice; seeds must differ")
    return seeds


def nested(section: type[Section], content: Any) -> Section:
    """Validate a part whose class is known only now; its mistakes keep their places."""
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise WrongKeysError(faults_of(error)) from None
