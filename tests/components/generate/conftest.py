"""What the tests of generate share: a generator of grey and one of colour images, and sets made with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.artifacts import Generator, ImageSet
from schemas.generate import GenerateSection
from schemas.recipe import BeamSection
from schemas.settings import GenerateSettings

MODEL = "12ab" * 16  # digest of a model


@pytest.fixture(scope="session")
def make_generator(make_vae: Callable[..., Any], seal: Callable[..., None]) -> Callable[..., Generator]:
    """Exports a VAE and seals it, without the proof: ``make_generator(folder, channels=3)``."""

    def make(folder: Path, **changes: Any) -> Generator:
        from components.export.saved_model import write_saved_model

        generator, vae = Generator(folder), make_vae(**changes)
        write_saved_model(vae, generator.saved_model_path)
        said = {"sampler": "normal", "image_shape": vae.image_shape}
        generator.parity_path.write_text(json.dumps(said))
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
        assert counts == {"images": len(wanted.wanted)}
        return images

    return make


@pytest.fixture
def two_blocks_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 512 images, so that a small set has several."""
    monkeypatch.setattr("components.generate.plan.FILE_BLOCKS", 2)
