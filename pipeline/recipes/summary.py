"""A recipe on the screen: what it changes from the defaults, as far as some stages read it; or every setting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from components.reporting.console import console
from schemas.recipe.recipe import Recipe, TuneSection
from schemas.recipe.search import Range
from schemas.recipe.settings import StageSettings, by_key

KINDS = ("kind", "network", "likelihood")  # keys that say which kind of source, network or loss a section is
INDENT = 14  # columns before a section's settings
LONGEST = 120  # characters of a setting: a longer one is cut
MOST_SOURCES = 4

Readers = Sequence[type[StageSettings]]


def print_recipe(recipe: Recipe, *, readers: Readers | None = None, full: bool) -> None:
    """Print a recipe's name and title, then its settings.

    Args:
        recipe: With overrides applied.
        readers: The settings of the stages that run: nothing else is printed. None: of all stages.
        full: Print every setting of the recipe instead.
    """
    console.print(Text.assemble((recipe.name, "bold"), "  ", recipe.title))
    lines = _all_settings(recipe) if full else _lines(changed_settings(recipe, readers), width=console.width)
    for line in lines:
        console.print(line, style="dim", markup=False)
    if not full:
        console.print(
            "  settings not listed have their defaults or are not used here; VERBOSE=1 (--verbose) lists all",
            style="dim",
        )


def changed_settings(recipe: Recipe, readers: Readers | None = None) -> list[tuple[str, list[str]]]:
    """Return each section that a recipe changes, with its settings as texts such as ``epochs 40``.

    A network, a loss and a source begin with their kind, changed or not. Each source is a section of its own.

    Args:
        recipe: The recipe.
        readers: Settings of stages: what none of them reads is left out. None: nothing is.
    """
    changes: dict[str, Any] = recipe.model_dump(
        mode="json", exclude_defaults=True, exclude={"name": True, "title": True, "data": True, "tune": {"space"}}
    )

    def is_read(key: str) -> bool:
        return readers is None or any(reader.reads(key) for reader in readers)

    seed, sources = changes.pop("seed", None), changes.pop("sources")
    sections = [("seed", [str(seed)])] if seed is not None and is_read("seed") else []
    for source in sources[:MOST_SOURCES] if is_read("sources") else ():
        sections.append(("sources", _settings(source)))
    if len(sources) > MOST_SOURCES and is_read("sources"):
        sections.append(("sources", [f"and {len(sources) - MOST_SOURCES:,} more"]))
    for name in type(recipe).model_fields:
        section = by_key(changes.get(name, {}))
        settings = _settings({key: value for key, value in section.items() if is_read(f"{name}.{key}")})
        if settings:
            sections.append((name, settings))
        if name == "tune" and is_read("tune.space") and recipe.tune.space != TuneSection().space:
            searched = recipe.tune.space.items()
            sections.append(("tune.space", [_shortened(f"{key} {_values(values)}") for key, values in searched]))
    return sections


def _settings(section: dict[str, Any]) -> list[str]:
    kind = [str(section[key]) for key in KINDS if key in section]
    return kind + [_shortened(f"{key} {_text(value)}") for key, value in by_key(section).items() if key not in KINDS]


def _values(values: Any) -> str:
    """Return what a search tries under a key: ``[6, 8]``, or ``0.0005 to 0.005 (log)``."""
    if not isinstance(values, Range):
        return _text(list(values))
    step = f", step {values.step:g}" if values.step is not None else ""
    return f"{values.low:g} to {values.high:g}{step}{' (log)' if values.log else ''}"


def _text(value: Any) -> str:
    return " ".join(json.dumps(value, ensure_ascii=False).replace('"', "").split())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _lines(sections: list[tuple[str, list[str]]], *, width: int) -> Iterator[str]:
    """Yield a line or more for each section, broken between settings."""
    for name, settings in sections:
        line = f"  {name:<{INDENT - 2}}{settings[0]}"
        for setting in settings[1:]:
            if len(line) + len(setting) + 3 > width:
                yield f"{line},"
                line = f"{'':<{INDENT}}{setting}"
            else:
                line += f", {setting}"
        yield line


def _all_settings(recipe: Recipe) -> Iterator[str]:
    for section, value in recipe.model_dump(mode="json", exclude={"name", "title", "data"}).items():
        yield f"  {section:<{INDENT - 2}}{_text(value)}"
