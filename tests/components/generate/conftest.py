"""Fixtures of generate's tests: generators, and sets that they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.recipe.generate import GenerateSection
from schemas.recipe.recipe import BeamSection
from schemas.recipe.settings import GenerateSettings

MODEL = "12ab" * 16  # digest of a model
LABELS = {"left": 3, "right": 1}  # and training images of each


@pytest.fixture(scope="session")
def make_generator(make_vae: Callable[..., Any], seal: Callable[..., None]) -> Callable[..., Generator]:
    """Return a function that exports and seals a VAE, without comparing it: ``make_generator(folder, channels=3)``.

    Its sampler is N(0, I); others are a box from -2 to 2, a mixture of two components, near -1 and near 1, and a flow.
    """

    def make(folder: Path, **changes: Any) -> Generator:
        from helpers.flows import small_flow

        from components.export.description import write_description
        from components.export.saved_model import write_saved_model
        from models.code_samplers import Mixture, UniformBox

        generator, vae = Generator(folder), make_vae(**changes)
        write_saved_model(vae, generator.saved_model_path)
        of_labels, dims = max(1, len(vae.labels)), vae.latent_dim
        ones = np.ones((of_labels, 1, dims), np.float32)
        mixture = Mixture(
            np.full((of_labels, 2), 0.5, np.float32),
            np.concatenate([-ones, ones], axis=1),
            np.broadcast_to(np.eye(dims, dtype=np.float32) / 4, (of_labels, 2, dims, dims)).copy(),
        )
        box = UniformBox(np.full(dims, -2, np.float32), np.full(dims, 2, np.float32))
        write_description(
            vae, generator, sampler=vae.prior_sampler(), others=[box, mixture, small_flow(labels=of_labels, dims=dims)]
        )
        height, width, channels = vae.image_shape
        preprocess = {"height": height, "width": width, "channels": channels}
        seal(generator, manifest={"recipe": {"preprocess": preprocess}}, Model=MODEL)
        return generator

    return make


@pytest.fixture(scope="session")
def generator(make_generator: Callable[..., Generator], tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """Return a generator of grey images, 8 × 8."""
    return make_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="session")
def conditional(make_generator: Callable[..., Generator], tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """Return a generator of two labels; three in four training images had the first."""
    return make_generator(tmp_path_factory.mktemp("conditional"), labels=LABELS)


@pytest.fixture(scope="session")
def make_images(generator: Generator) -> Callable[..., ImageSet]:
    """Return a function that makes a set in this process: ``make_images(folder, count=300, format="parquet")``."""

    def make(
        folder: Path, *, of: Generator = generator, examples: Examples | None = None, workers: int = 1, **changes: Any
    ) -> ImageSet:
        from components.generate.component import generate

        images = ImageSet(folder / "artifact", work=folder / "work")
        images.path.mkdir(parents=True, exist_ok=True)
        images.work.mkdir(parents=True, exist_ok=True)
        section = GenerateSection(**{"count": 40, "seed": 7, **changes})
        counts = generate(of, examples, images, GenerateSettings(generate=section, beam=BeamSection(workers=workers)))
        assert counts["images"] == len(pq.read_table(images.metadata_path))
        return images

    return make


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit files to 128 images, so that a small set has several."""
    monkeypatch.setattr("components.generate.plan.FILE_BLOCKS", 2)
