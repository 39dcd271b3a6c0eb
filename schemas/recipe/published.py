"""The recipe that an artifact's manifest holds: without what only its author's machine can use, and others need not know."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from schemas.recipe.generate import CODE_SOURCES
from schemas.recipe.settings import EVALUATE_FILES, TRAIN_FOLDERS

_PATHS = {"train": TRAIN_FOLDERS, "evaluate": EVALUATE_FILES, "generate": CODE_SOURCES}  # by section


def published(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's data without paths, and without `beam`, which names other machines.

    Whoever publishes an artifact publishes its manifest, and a path often holds a person's name. The result is a valid recipe,
    in which a source lacks its path. A recipe that another version wrote is taken as it is where it has another form.
    """
    data = copy.deepcopy(dict(recipe))
    data.pop("beam", None)
    for source in _sections(data.get("sources")):
        if "path" in source:
            source["path"] = None
    for name, keys in _PATHS.items():
        for section in _sections([data.get(name)]):
            section.update({key: None for key in keys if key in section})
    for section in _sections([data.get("data")]):
        files = section.get("files")
        section["files"] = [file for file in _sections(files) if not str(file.get("url")).startswith("file:")]
    return data


def _sections(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
