"""A chain of all six stages that is run in a minute, for tests that run it by processes. No test is here."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

SETTINGS = (
    *("train.epochs=2", "train.deterministic=true", "preprocess.validation=0.45", "preprocess.test=0.04"),
    *("tune.max_trials=1", "tune.epochs=1", "tune.max_images=300"),
    *("evaluate.scatter_images=200", "evaluate.distance_images=200", "export.formats=[]", "generate.count=20"),
)
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def words(*overrides: str) -> list[str]:
    """The small chain's settings, and more, as the command line has them."""
    return [part for setting in (*SETTINGS, *overrides) for part in ("--set", setting)]


def load(*overrides: str) -> Recipe:
    """The small chain's recipe."""
    return load_recipe("demo", overrides=[*SETTINGS, *overrides])
