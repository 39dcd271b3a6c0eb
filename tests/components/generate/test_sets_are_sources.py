"""What `generate` writes is an input: `recipe` understands a set in each format, with its labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.recipes.kind import source_at
from pipeline.recipes.look import look
from schemas.artifacts.kinds import Generator, ImageSet

pytestmark = pytest.mark.usefixtures("decode_here")


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("png", {}),
        ("png", {"label_folders": True}),
        ("webp", {}),
        ("parquet", {}),
        ("webdataset", {}),
    ],
)
def test_a_set_is_a_source(
    format: str,
    settings: dict[str, Any],
    conditional: Generator,
    make_images: Callable[..., ImageSet],
    tmp_path: Path,
) -> None:
    images = make_images(
        tmp_path / "set", of=conditional, count=40, format=format, labels={"left": 30, "right": 10}, **settings
    )
    (images.path / "manifest.json").write_text("{}")  # as the stage's process writes it
    seen = look(source_at(str(images.path)), choose=True)
    assert (seen.images, dict(seen.labels), dict(seen.splits)) == (40, {"left": 30, "right": 10}, {})
    assert not seen.rejected
