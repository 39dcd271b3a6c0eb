"""Batch normalisation's statistics are those of the data under the current weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.by_hand import describe

from components.engine.batch_norm import PreciseBatchNorm
from components.examples.dataset import batches
from models.build import build_vae
from models.vae import VAE
from schemas.artifacts import records
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.recipe.model import BernoulliLoss, ConvModel

IMAGES = 48


@pytest.fixture
def statistics() -> Statistics:
    """Statistics of 48 grey images of 8×8."""
    return describe(images={"train": IMAGES, "validation": 0, "test": 0})


@pytest.fixture
def examples(tmp_path: Path, statistics: Statistics) -> Examples:
    """Random images."""
    examples = Examples(tmp_path)
    examples.split("train").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 8, 1), dtype=np.uint8)
    shard = b"".join(
        records.frame(records.encode_example(image, key=str(i), label=-1)) for i, image in enumerate(pixels)
    )
    (examples.split("train") / "data_tfrecord-00000-of-00001").write_bytes(shard)
    examples.statistics_path.write_text(statistics.model_dump_json())
    return examples


def vae_with(statistics: Statistics, *, batch_norm: str) -> VAE:
    """Build a small convolutional model."""
    settings = ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm=batch_norm)
    return build_vae(settings, BernoulliLoss(likelihood="bernoulli"), statistics, seed=0)


def test_the_encoders_statistics_are_those_of_its_layers_outputs_and_nothing_else_changes(
    examples: Examples, statistics: Statistics
) -> None:
    vae = vae_with(statistics, batch_norm="before")
    before = [weight.numpy() for weight in vae.trainable_weights]
    vae.augment = augment = lambda *_, **__: pytest.fail("the statistics are those of images as they are")
    PreciseBatchNorm(batches(examples, "train", batch_size=16)).measure(vae)
    assert vae.augment is augment
    convolution, normalisation = vae.encoder.layers[1:3]
    pixels = np.concatenate([np.asarray(batch) for batch in batches(examples, "train", batch_size=16)])
    outputs = convolution(vae.normalise(pixels)).numpy()
    np.testing.assert_allclose(normalisation.moving_mean.numpy(), outputs.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-6)
    each = [outputs[start : start + 16].var(axis=(0, 1, 2)) for start in range(0, IMAGES, 16)]
    np.testing.assert_allclose(normalisation.moving_variance.numpy(), np.mean(each, axis=0), rtol=1e-4)
    assert normalisation.momentum == 0.99
    for weight, value in zip(vae.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_a_model_without_batch_normalisation_is_left_alone(examples: Examples, statistics: Statistics) -> None:
    vae = vae_with(statistics, batch_norm="none")
    before = [variable.numpy() for variable in vae.variables]
    PreciseBatchNorm(batches(examples, "train", batch_size=16)).measure(vae)
    for variable, value in zip(vae.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
