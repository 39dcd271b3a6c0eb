"""The mistakes in a recipe's data, each as one line in the words of the recipe: key, expected, found."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.recipe.patterns import IN_WORDS
from schemas.recipe.recipe import Recipe
from schemas.recipe.values import shown

_EXPECTED = {
    "missing": "a value",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "union_tag_invalid": "{discriminator} among {expected_tags}",
    "union_tag_not_found": "a key {discriminator}",
    "finite_number": "a finite number",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "too_short": "at least {min_length}",
}


@dataclass(frozen=True)
class Mistake:
    """A mistake in a recipe.

    Attributes:
        key: The recipe key, as in `--set`.
        message: What is expected there, and what was found.
    """

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"

    def is_about(self, key: str) -> bool:
        """Return whether the mistake is at this key, below it, or in the section that holds it."""
        return self.key == key or self.key.startswith(f"{key}.") or key.startswith(f"{self.key}.")


def mistakes_in(data: dict[str, Any]) -> list[Mistake]:
    """Return the mistakes in a recipe's data, without those that follow from another one."""
    try:
        Recipe.model_validate(data)
    except ValidationError as invalid:
        errors = invalid.errors()
        errors = [error for error in errors if not any(_is_below(other["loc"], error["loc"]) for other in errors)]
        by_key: dict[str, list[ErrorDetails]] = {}
        for error in errors:
            by_key.setdefault(".".join(_path(error["loc"], data)), []).append(error)
        return [_mistake(key, same, data) for key, same in by_key.items()]
    return []


def _is_below(location: tuple[int | str, ...], section: tuple[int | str, ...]) -> bool:
    return len(location) > len(section) and location[: len(section)] == section


def _mistake(key: str, errors: Sequence[ErrorDetails], data: dict[str, Any]) -> Mistake:
    """Return one mistake: the errors at a key are several where it allows values of several types, and none fits."""
    error = errors[0]
    path = _path(error["loc"], data)
    if error["type"] == "value_error":  # raised by our validators, which name a key of their section
        text = str(error["msg"]).removeprefix("Value error, ")
        name, _, message = text.partition(": ")
        return Mistake(key, text) if " " in name else Mistake(".".join([*path, name]), message)
    if error["type"] == "extra_forbidden":
        known = _known_keys(path[:-1], data)
        close = _same_name_elsewhere(path[-1], data) or difflib.get_close_matches(path[-1], known, n=1)
        hint = f" (did you mean {' or '.join(close)}?)" if close else f" ({', '.join(known)})" if known else ""
        return Mistake(key, f"expected a key that exists{hint}, found {path[-1]}")
    expected = " or ".join(dict.fromkeys(map(expected_by, errors)))
    value = "none" if error["type"] == "missing" else shown(error["input"])
    return Mistake(key, f"expected {expected}, found {value}")


def expected_by(error: ErrorDetails) -> str:
    """Return in words what pydantic expected instead of a value."""
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return IN_WORDS[context["pattern"]]
    template = _EXPECTED.get(error["type"])
    return template.format(**context) if template else str(error["msg"])


def _path(location: Sequence[int | str], data: Any) -> list[str]:
    """Return the keys as in the file, without the tags that pydantic inserts for unions."""
    path: list[str] = []
    node = data
    for part in location:
        if (
            isinstance(node, dict)
            and part not in node
            and part in (node.get("kind"), node.get("network"), node.get("likelihood"))
        ):
            continue
        if path[:2] == ["tune", "space"] and part in ("choices", "range"):
            continue
        if path and (node is None or isinstance(node, str | int | float)):
            break  # a value: what follows is the type that it could have had
        path.append(str(part))
        if isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
    return path


def _same_name_elsewhere(name: str, data: dict[str, Any]) -> list[str]:
    """Return the keys elsewhere that have this name, such as `train.epochs` and `tune.epochs` for `epochs`."""
    sections = [key for key in _known_keys([], data) if key != "sources"]
    sources = data.get("sources")
    sections += [f"sources.{index}" for index in range(len(sources))] if isinstance(sources, list) else []
    elsewhere = [f"{section}.{name}" for section in sections if name in _known_keys(section.split("."), data)]
    return [name, *elsewhere] if name in sections else elsewhere


@functools.cache
def _schema() -> dict[str, Any]:
    """Return the recipe's JSON schema, whose making takes longer than the rest of a message."""
    return Recipe.model_json_schema()


def _known_keys(path: Sequence[str], data: dict[str, Any]) -> list[str]:
    """Return the keys that a section can have, from the recipe's JSON schema."""
    schema = _schema()
    definitions, node, value = schema["$defs"], schema, data
    for part in path:
        node = node["items"] if part.isdecimal() else node.get("properties", {}).get(part, {})
        value = value[int(part)] if isinstance(value, list) else value.get(part, {}) if isinstance(value, dict) else {}
        if "items" in node and not part.isdecimal() and not isinstance(value, list):
            node = node["items"]
        if "discriminator" in node and isinstance(value, dict):
            tag = value.get(node["discriminator"]["propertyName"])
            node = {"$ref": node["discriminator"]["mapping"].get(tag, "")}
        if "$ref" in node:
            node = definitions.get(node["$ref"].split("/")[-1], {})
    return sorted(node.get("properties", {}))
