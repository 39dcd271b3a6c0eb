"""A pattern that matches no image is refused, in the words that `recipe --check` and ingest share."""

from __future__ import annotations

import pytest

from components.sources.patterns import check_patterns
from schemas.errors import UsageError
from schemas.recipe.sources import FolderSource, IdxSource

SOURCE = FolderSource(kind="folder", path="photos", test=("test/*", "more/*"), validation=("val/*",))


def test_patterns_that_match_nothing_are_refused() -> None:
    with pytest.raises(
        UsageError,
        match=r"^sources\.1\.test: expected names that match images, found none that match test/\*, more/\*$",
    ):
        check_patterns(SOURCE, {"train", "validation"}, number=1)
    with pytest.raises(UsageError, match=r"^sources\.0\.validation: .* none that match val/\*$"):
        check_patterns(SOURCE, {"train", "test"}, number=0)


def test_patterns_that_match_are_well_also_where_no_such_image_can_be_used() -> None:
    check_patterns(SOURCE, {"train", "test", "validation"}, number=0)
    check_patterns(SOURCE, {"train", "validation"}, number=0, unusable=lambda: ["a.png", "more/b.png"])


def test_sources_without_patterns_are_well() -> None:
    check_patterns(FolderSource(kind="folder", path="photos"), set(), number=0)
    check_patterns(IdxSource(kind="idx", path="images"), set(), number=0)
