"""What the tests of ingest share: tiny sources, and a run in this process."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ingest_command import RECIPE, ended, examples, ingest
from PIL import Image

from schemas.artifacts import Examples
from schemas.manifest import Manifest
from schemas.preprocess import PreprocessSettings
from schemas.recipe import BeamSection
from schemas.settings import IngestSettings
from schemas.sources import FolderSource

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="session")
def write_idx() -> Callable[[Path, Array], Path]:
    """Writes unsigned bytes of any shape as an IDX file, gzipped where its name says so."""

    def write(path: Path, values: Array) -> Path:
        header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
        data = header + values.astype(np.uint8).tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture(scope="session")
def write_photos() -> Callable[..., Path]:
    """Makes a folder of RGB images of noise, as PNG: ``write_photos(folder, 30)`` writes 000.png to 029.png."""

    def write(folder: Path, count: int, *, height: int = 12, width: int = 16, seed: int = 0) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for number in range(count):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def ingest_into() -> Callable[..., tuple[Examples, dict[str, int]]]:
    """Runs ingest in this process: ``ingest_into(folder, photos, crop="fresh")`` gives the Examples and the counts.

    Called again on the same folder, it continues what was there, as after a kill.
    """

    def run(folder: Path, *sources: Any, seed: int = 0, **preprocess: Any) -> tuple[Examples, dict[str, int]]:
        from components.ingest.component import ingest as ingest_stage

        workers = preprocess.pop("workers", None)
        small = {"height": 8, "width": 8, "channels": 3, "validation": 0.2, "test": 0.2}
        settings = IngestSettings(
            seed=seed,
            sources=tuple(
                FolderSource(kind="folder", path=str(source)) if isinstance(source, Path) else source
                for source in sources
            ),
            preprocess=PreprocessSettings(**{**small, **preprocess}),
            beam=BeamSection(workers=workers),
        )
        made = Examples(folder / "examples", work=folder / "work")
        made.path.mkdir(parents=True, exist_ok=True)
        made.work.mkdir(parents=True, exist_ok=True)
        return made, ingest_stage(made, settings)

    return run


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
