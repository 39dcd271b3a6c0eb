"""From a recipe's settings to an untrained model."""

from __future__ import annotations

from types import ModuleType

import keras

from models import conv, dense
from models.likelihoods import Bernoulli, Likelihood, WeightedMse
from models.normalisation import Normalise
from models.vae import VAE
from schemas.recipe import BernoulliLoss, ConvModel, DenseModel, LossSettings, ModelSettings
from schemas.records import Statistics

NETWORKS: dict[type, ModuleType] = {DenseModel: dense, ConvModel: conv}
OUTPUT_ACTIVATION = {"unit": "sigmoid", "symmetric": "tanh", "standardise": "linear"}


def build_vae(model: ModelSettings, loss: LossSettings, statistics: Statistics, *, seed: int) -> VAE:
    """Builds the VAE for images as `statistics` describes them; its initial weights depend on the seed alone."""
    keras.utils.set_random_seed(seed)
    image_shape = (statistics.height, statistics.width, statistics.channels)
    network = NETWORKS[type(model)]
    vae = VAE(
        encoder=network.build_encoder(model, image_shape=image_shape),
        decoder=network.build_decoder(model, image_shape=image_shape),
        likelihood=_likelihood(loss, statistics),
        normalise=Normalise(statistics.mean, statistics.deviation, name="normalise"),
        kl=loss.kl,
        free_bits=loss.free_bits,
        seed=seed,
        name="vae",
    )
    vae.build((None, statistics.stored_height, statistics.stored_width, statistics.channels))
    return vae


def _likelihood(loss: LossSettings, statistics: Statistics) -> Likelihood:
    if isinstance(loss, BernoulliLoss):
        return Bernoulli(loss.reconstruction)
    return WeightedMse(loss.weight, OUTPUT_ACTIVATION[statistics.normalise])
