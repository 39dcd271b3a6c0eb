"""What the tests of generate share: a generator of grey and one of colour images, and sets made with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts import Generator, ImageSet
from schemas.recipe import BeamSection, GenerateSection
from schemas.settings import GenerateSettings

MODEL = "12ab" * 16  # digest of a model


@pytest.fixture(scope="session")
def make_generator(make_vae: Callable[..., Any], seal: Callable[..., None]) -> Callable[..., Generator]:
    """Exports a VAE and seals it, without the proof: ``make_generator(folder, channels=3)``."""

    def make(folder: Path, **changes: Any) -> Generator:
        from components.export.saved_model import write_saved_model

        generator = Generator(folder)
        write_saved_model(make_vae(**changes), generator.saved_model_path)
        seal(generator, Model=MODEL)
        return generator

    return make


@pytest.fixture(scope="session")
def generator(make_generator: Callable[..., Generator], tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """A generator of grey images, 8 × 8."""
    return make_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="session")
def make_images(generator: Generator) -> Callable[..., ImageSet]:
    """Makes a set in this process: ``make_images(folder, count=300, seed=1, format="parquet", shards=2)``."""

    def make(folder: Path, *, of: Generator = generator, workers: int = 1, **changes: Any) -> ImageSet:
        from components.generate.component import generate

        images = ImageSet(folder / "artifact", work=folder / "work")
        images.path.mkdir(parents=True, exist_ok=True)
        images.work.mkdir(parents=True, exist_ok=True)
        wanted = GenerateSection(**{"count": 40, "seed": 7, **changes})
        counts = generate(of, images, GenerateSettings(generate=wanted, beam=BeamSection(workers=workers)))
        assert counts == {"images": wanted.count}
        return images

    return make
