"""Build an untrained model from a recipe's settings."""

from __future__ import annotations

from types import ModuleType

import keras

from models.likelihoods import Bernoulli, Gaussian, Likelihood, LogisticMixture, OutputActivation, WeightedMse
from models.networks import conv, dense, resnet
from models.normalisation import Normalise
from models.prior import MixturePrior
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.model import (
    BernoulliLoss,
    ConvModel,
    DenseModel,
    GaussianLoss,
    LogisticLoss,
    LossSettings,
    ModelSettings,
    ResnetModel,
)

NETWORKS: dict[type, ModuleType] = {DenseModel: dense, ConvModel: conv, ResnetModel: resnet}
OUTPUT_ACTIVATION: dict[str, OutputActivation] = {"unit": "sigmoid", "symmetric": "tanh", "standardise": "linear"}


def build_vae(model: ModelSettings, loss: LossSettings, statistics: Statistics, *, seed: int) -> VAE:
    """Build the VAE for the images that `statistics` describes. Its initial weights depend only on the seed.

    Raises:
        DataError: The model is conditional, and some images have no label.
    """
    labels, shares = _labels(statistics) if model.conditional else ([], [])
    keras.utils.set_random_seed(seed)
    image_shape = (statistics.height, statistics.width, statistics.channels)
    network, likelihood = NETWORKS[type(model)], _likelihood(loss, statistics)
    vae = VAE(
        encoder=network.build_encoder(model, image_shape=image_shape, labels=len(labels)),
        decoder=network.build_decoder(
            model, image_shape=image_shape, outputs=likelihood.outputs(statistics.channels), labels=len(labels)
        ),
        local_encoder=resnet.build_local_encoder(model, image_shape=image_shape)
        if isinstance(model, ResnetModel)
        else None,
        prior=MixturePrior(model.prior_components, model.latent_dim, labels=len(labels), seed=seed, name="prior")
        if model.prior_components
        else None,
        likelihood=likelihood,
        normalise=Normalise(statistics.mean, statistics.deviation, name="normalise"),
        kl=loss.kl,
        free_bits=loss.free_bits,
        labels=labels,
        label_shares=shares,
        seed=seed,
        name="vae",
    )
    vae.build((None, statistics.stored_height, statistics.stored_width, statistics.channels))
    return vae


def _likelihood(loss: LossSettings, statistics: Statistics) -> Likelihood:
    if isinstance(loss, BernoulliLoss):
        return Bernoulli(loss.reconstruction, binarise=loss.binarise)
    if isinstance(loss, GaussianLoss):
        return Gaussian(OUTPUT_ACTIVATION[statistics.normalise])
    if isinstance(loss, LogisticLoss):
        return LogisticMixture(loss.components)
    return WeightedMse(loss.weight, OUTPUT_ACTIVATION[statistics.normalise])


def _labels(statistics: Statistics) -> tuple[list[str], list[float]]:
    """Return all labels, and the share of each in the training images."""
    per_split = statistics.images_per_label
    images = sum(statistics.images.values())
    missing = images - sum(sum(counts.values()) for counts in per_split.values())
    if missing or not statistics.labels:
        raise DataError(
            f"model.conditional: expected a label for every image, found {missing:,} of {images:,} without; "
            "give the sources labels, or set model.conditional=false"
        )
    counts = [per_split.get("train", {}).get(label, 0) for label in statistics.labels]
    return statistics.labels, [count / max(sum(counts), 1) for count in counts]
