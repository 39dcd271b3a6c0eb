"""Judgements of new images that several tests read: those of the ring (`helpers.ring`) and of an untrained conditional model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helpers.ring import Judged, load, ring_images, ring_vae

from schemas.artifacts.kinds import Examples


@pytest.fixture(scope="session")
def ring(make_examples: Callable[..., Examples]) -> Judged:
    """Return the model of the ring and its images, which have no labels."""
    return Judged.of(ring_vae(), make_examples(ring_images()[0], training=200, validation=100))


@pytest.fixture(scope="session")
def labelled_ring(make_examples: Callable[..., Examples], tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Return the same with labelled images; the model is not conditional."""
    images, labels = ring_images()
    return Judged.of(
        ring_vae(),
        make_examples(images, labels=labels, names=("dark", "bright"), training=200, validation=100),
        work=tmp_path_factory.mktemp("classifiers"),
    )


@pytest.fixture(scope="session")
def conditional(
    make_examples: Callable[..., Examples], make_model: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Judged:
    """Return an untrained conditional model of thirty test images of noise, of which twenty are training images, too."""
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=20)
    return Judged.of(
        load(make_model(examples, conditional=True)), examples, work=tmp_path_factory.mktemp("classifiers")
    )
