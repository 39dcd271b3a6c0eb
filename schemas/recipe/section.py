"""The base class of every part of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator

MAX_NUMBER = 2**63 - 1
T = TypeVar("T")


class Section(BaseModel):
    """A part of a recipe. It cannot be changed, and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_numbers(cls, data: Any) -> Any:
        """Refuse true, false, yes and no where a number is expected: to Python, they are 1 and 0."""
        for name, value in data.items() if isinstance(data, dict) else ():
            kinds = set(_kinds(cls.model_fields[name].annotation)) if name in cls.model_fields else set()
            if bool not in kinds and kinds & {int, float}:
                for truth in _of_type(bool, value):
                    number = "a number" if float in kinds else "a whole number"
                    raise ValueError(f"{name}: expected {number}, found {str(truth).lower()}")
        return data

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Refuse whole numbers that no 64 bits hold: they would end a stage after hours, far from here."""
        for name, value in self:
            for number in _of_type(int, value):
                if abs(number) > MAX_NUMBER:
                    raise ValueError(f"{name}: expected at most {MAX_NUMBER:,}, found {str(number)[:30]}…")
        return self


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the plain types in the annotation of a setting, such as `int` and `str` of `tuple[int, ...] | Literal["auto"]`."""
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from _kinds(argument)
    elif isinstance(annotation, type):
        yield annotation


def _of_type(kind: type[T], value: Any) -> Iterator[T]:
    """Yield what is of a type in a setting's value, also in lists and tables."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _of_type(kind, item)
