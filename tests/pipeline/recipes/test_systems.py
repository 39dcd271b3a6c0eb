"""The recipes of the published systems build the networks that the articles describe, parameter by parameter."""

from __future__ import annotations

import math

import pytest
from helpers.by_hand import describe

from models.build import build_vae
from models.vae import VAE
from pipeline.recipes.load import load_recipe


def conv(inputs: int, filters: int) -> int:
    """Return the number of weights and offsets of a 3×3 convolution, transposed or not."""
    return 3 * 3 * inputs * filters + filters


def dense(inputs: int, units: int) -> int:
    """Return the number of weights and offsets of a dense layer."""
    return inputs * units + units


def norm(*channels: int) -> int:
    """Return the number of trained scales and offsets of batch normalisations."""
    return 2 * sum(channels)


MNIST_DENSE = [
    dense(784, 512),
    dense(512, 256),
    2 * dense(256, 2),
    dense(2, 256),
    dense(256, 512),
    dense(512, 784),
]
MNIST_CONV = [  # two strides of 2 take 28 to 7
    conv(1, 32),
    conv(32, 64),
    dense(7 * 7 * 64, 16),
    2 * dense(16, 2),
    dense(2, 7 * 7 * 64),
    conv(64, 64),
    conv(64, 32),
    conv(32, 1),
]
FASHION_BN = [
    conv(1, 32) + norm(32),
    conv(32, 64) + norm(64),
    2 * (conv(64, 64) + norm(64)),
    2 * dense(7 * 7 * 64, 2),
    dense(2, 7 * 7 * 64),
    2 * (conv(64, 64) + norm(64)),
    conv(64, 32) + norm(32),
    conv(32, 1),
]
CARTOON_FACES = [  # five strides of 2 take 256 to 8
    conv(3, 32) + norm(32),
    conv(32, 64) + norm(64),
    3 * (conv(64, 64) + norm(64)),
    2 * dense(8 * 8 * 64, 200),
    dense(200, 8 * 8 * 64),
    3 * (conv(64, 64) + norm(64)),
    conv(64, 32) + norm(32),
    conv(32, 3),
]
FASHION_PRODUCTS = [  # three strides of 2 take 128 to 16
    conv(3, 32) + norm(32),
    conv(32, 16) + norm(16),
    conv(16, 4) + norm(4),
    2 * dense(16 * 16 * 4, 256),
    dense(256, 8 * 8 * 64),
    conv(64, 32) + norm(32),
    conv(32, 16) + norm(16),
    conv(16, 8) + norm(8),
    conv(8, 3),
]
SYSTEMS = {  # layers, image, latent dimensions, and the number of parameters of the article's code
    "mnist_dense": (MNIST_DENSE, (28, 28, 1), 2, 1_068_820),
    "mnist_conv": (MNIST_CONV, (28, 28, 1), 2, 134_165),
    "mnist_conv_sum": (MNIST_CONV, (28, 28, 1), 2, 134_165),
    "fashion_conv": (MNIST_CONV, (28, 28, 1), 2, 134_165),
    "fashion_bn": (FASHION_BN, (28, 28, 1), 2, 208_005),
    "cartoon_faces": (CARTOON_FACES, (256, 256, 3), 200, 2_723_411),
    "fashion_products": (FASHION_PRODUCTS, (128, 128, 3), 256, 1_608_255),
}


def build(name: str) -> VAE:
    """Return the untrained model of a recipe."""
    recipe = load_recipe(name)
    image = recipe.preprocess
    stored = {"stored_height": image.stored_height, "stored_width": image.stored_width}
    return build_vae(recipe.model, recipe.loss, describe(image.height, image.width, image.channels, **stored), seed=0)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_has_the_layers_of_its_article(name: str) -> None:
    layers, image, latent_dim, counted = SYSTEMS[name]
    vae = build(name)
    assert sum(layers) == counted
    assert sum(math.prod(weight.shape) for weight in vae.trainable_weights) == counted
    assert vae.encoder.input_shape == vae.decoder.output_shape == (None, *image)
    assert vae.encoder.output_shape == [(None, latent_dim)] * 2
    assert vae.decoder.input_shape == (None, latent_dim)


def test_the_plain_autoencoder_is_fashion_bn_without_what_makes_it_variational() -> None:
    log_variance = dense(7 * 7 * 64, 2)
    trained = sum(math.prod(weight.shape) for weight in build("fashion_ae").trainable_weights)
    assert trained == sum(FASHION_BN) - log_variance


def test_in_fashion_products_every_variance_starts_at_one() -> None:
    kernel, offset = build("fashion_products").encoder.get_layer("log_variance").get_weights()
    assert not kernel.any()
    assert not offset.any()
