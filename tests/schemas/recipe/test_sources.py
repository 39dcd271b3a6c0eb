"""The `data` section of a recipe: the downloads that it may name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.recipe.sources import DataSection

GOOD = {"url": "https://example.org/images.gz", "name": "images.gz", "sha256": "0a" * 32}


def data_with(*files: dict[str, str]) -> DataSection:
    """Return a data section with these files."""
    return DataSection.model_validate({"about": "Tiny set, CC0", "files": files})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "http://example.org/images.gz"),
        ("url", "http://localhost.example.org/images.gz"),
        ("url", "ftp://example.org/images.gz"),
        ("url", "https://example.org/two words"),
        ("url", "/etc/passwd"),
        ("sha256", "12ab"),
        ("sha256", "G" * 64),
        ("name", "../images.gz"),
        ("name", "a/b"),
        ("name", ".hidden"),
        ("name", ""),
    ],
)
def test_a_file_needs_a_safe_url_a_whole_hash_and_a_plain_name(key: str, value: str) -> None:
    data_with(GOOD)
    with pytest.raises(ValidationError, match=rf"files\.0\.{key}"):
        data_with({**GOOD, key: value})


def test_two_files_cannot_have_the_same_name() -> None:
    with pytest.raises(ValidationError, match=r"files: expected names that differ, found images\.gz twice"):
        data_with(GOOD, GOOD)
