"""The settings of a chain of all six stages that runs in a minute, in processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

SETTINGS = (
    *("train.epochs=2", "train.deterministic=true", "preprocess.validation=0.45", "preprocess.test=0.04"),
    "train.sharpen=null",
    *("tune.max_trials=1", "tune.epochs=1", "tune.max_images=300"),
    *("evaluate.scatter_images=200", "evaluate.distance_images=200", "export.formats=[]", "generate.count=20"),
)
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def words(*overrides: str) -> list[str]:
    """Return the small chain's settings and further ones as arguments of the command line."""
    return [part for setting in (*SETTINGS, *overrides) for part in ("--set", setting)]


def load(*overrides: str) -> Recipe:
    """Return the small chain's recipe."""
    return load_recipe("demo", overrides=[*SETTINGS, *overrides])
