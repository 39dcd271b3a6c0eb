"""Checks that a source's patterns match: with a misspelt one, held-out images would silently be drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from components.sources.base import own_split
from schemas.errors import UsageError


def check_patterns(
    settings: Any, splits: Collection[str], *, number: int, unusable: Callable[[], Iterable[str]] = tuple
) -> None:
    """Check the patterns `validation` and `test` of a source.

    Args:
        settings: The recipe's entry.
        splits: The splits that the source itself puts its images in.
        number: Place of the entry among the recipe's sources.
        unusable: Returns the names of images that cannot be used: where only these match, others fill the split, and it is said.

    Raises:
        UsageError: A pattern matches no image.
    """
    for split in ("validation", "test"):
        patterns = getattr(settings, split, ())
        if not patterns or split in splits or any(own_split(key, patterns) == "test" for key in unusable()):
            continue
        raise UsageError(
            f"sources.{number}.{split}: expected names that match images, found none that match {', '.join(patterns)}"
        )
