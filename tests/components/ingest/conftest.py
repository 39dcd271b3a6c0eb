"""What the tests of ingest as a command share: its folder, and what it makes there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.ingest_command import RECIPE, ended, examples, ingest

from schemas.artifacts.manifest import Manifest


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, write_photos: Callable[..., Path]) -> Path:
    """The folder in which commands are started: a recipe, and the images that it names by a relative path."""
    folder = tmp_path_factory.mktemp("home")
    write_photos(folder / "photos", 200, height=24, width=32)
    (folder / "photos.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


@pytest.fixture(scope="session")
def local(home: Path) -> Manifest:
    """What ingest makes in its own process."""
    assert ended(ingest(home, "local", workers=1)) == (0, "")
    return examples(home, "local").manifest
