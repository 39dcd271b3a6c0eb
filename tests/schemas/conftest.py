"""Fixtures that the tests of recipes and settings share."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from schemas.recipe.recipe import Recipe

CONVOLUTIONAL: dict[str, Any] = {
    "name": "photos",
    "sources": [{"kind": "folder", "path": "/photos"}],
    "model": {"network": "conv"},
    "loss": {"likelihood": "mse"},
}


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """Make a small valid recipe with some keys changed: ``make_recipe({"train.epochs": 3, "seed": 1})``."""

    def make(changes: dict[str, Any] | None = None) -> Recipe:
        data = deepcopy(CONVOLUTIONAL)
        for key, value in (changes or {}).items():
            *parents, last = key.split(".")
            section: Any = data
            for part in parents:
                section = section[int(part)] if isinstance(section, list) else section.setdefault(part, {})
            section[last] = value
        return Recipe.model_validate(data)

    return make
