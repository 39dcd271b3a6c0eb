"""Labels that a recipe asks `generate` for are checked as soon as they are known, and not after hours of training."""

from __future__ import annotations

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import read_statistics
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe

SHOWN = 20  # labels in an error


def expect_labels(recipe: Recipe, examples: Examples) -> None:
    """Check that training images have the labels of which the recipe generates images.

    Raises:
        UsageError: None has one of them.
    """
    section = recipe.generate
    asked = [section.label] if section.label is not None else section.labels if isinstance(section.labels, dict) else ()
    if not asked:
        return
    statistics = read_statistics(examples)
    trained = [label for label in statistics.labels if statistics.images_per_label["train"].get(label)]
    more = f" and {len(trained) - SHOWN:,} more" if len(trained) > SHOWN else ""
    expected = f"one of {', '.join(trained[:SHOWN])}{more}" if trained else "none, as no training image has one"
    for label in asked:
        if label not in trained:
            key = "label" if section.label is not None else "labels"
            why = ", which no training image has" if label in statistics.labels else ""
            raise UsageError(f"generate.{key}: expected {expected}, found {label}{why}")
