"""Likelihoods: the distribution of an image given the decoder's output.

A likelihood maps the output of the decoder's last layer (linear) to pixel values, computes the term that training minimises,
and computes the log-probability in nats that evaluation reports, which does not depend on weights in the loss.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal, Self

import keras
from keras import ops

OutputActivation = Literal["sigmoid", "tanh", "linear"]

INITIAL_LOG_DEVIATION = -2.0  # of a Gaussian before training
MIN_LOG_DEVIATION = -6.0  # as in Rybkin et al. 2021
MIN_LOG_SCALE = -7.0  # as in Salimans et al. 2017


class Likelihood(ABC):
    """The distribution of an image given the decoder's outputs. Keras saves it by its configuration.

    Attributes:
        binarise: Whether images are binary, drawn from grey ones.
        values: The meaning of pixel values: probabilities, or points of a density over normalised values, or levels that each
            have a probability.
    """

    binarise: bool = False
    values: Literal["probabilities", "density", "levels"] = "probabilities"

    def outputs(self, channels: int) -> int:
        """Return the number of decoder outputs per pixel, for images with a number of channels."""
        return channels

    @abstractmethod
    def mean(self, outputs: Any) -> Any:
        """Return pixel values on the normalised scale: [B, H, W, C]."""

    @abstractmethod
    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Return the log-probability (or log-density over normalised values) of each image, in nats: [B]."""

    @abstractmethod
    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the term that training minimises, per image: [B]."""

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the likelihood with this configuration."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="latent_mill")
class Bernoulli(Likelihood):
    """Each pixel is the probability of a coin: ``log p(x|z) = Σ x log p + (1 - x) log(1 - p)``, p = sigmoid(output).

    Kingma & Welling 2014, appendix C.1. Pixels between 0 and 1 are used as they are, as in the articles that the recipes follow.

    Args:
        reduction: The term that training minimises: the `sum` of the cross-entropy over pixels and channels, which is
            ``-log p``, or its `mean`, which multiplies the relative weight of the KL by the number of pixels and channels.
        binarise: Whether pixels are drawn as 0 or 1, with their values as probabilities, anew each time: Burda et al. 2016,
            section 5.1.
    """

    def __init__(self, reduction: Literal["sum", "mean"] = "sum", binarise: bool = False) -> None:
        self.reduction = reduction
        self.binarise = binarise

    def mean(self, outputs: Any) -> Any:
        """Return pixel values in [0, 1]: [B, H, W, C]."""
        return ops.sigmoid(outputs)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Return the log-probability of each image in nats: [B]. Targets are in [0, 1]: [B, H, W, C]."""
        outputs = ops.cast(outputs, "float32")
        targets = ops.cast(targets, "float32")
        # From logits, because that is exact where the sigmoid saturates.
        entropy = ops.maximum(outputs, 0.0) - outputs * targets + ops.log1p(ops.exp(-ops.abs(outputs)))
        return -ops.sum(entropy, axis=(1, 2, 3))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the binary cross-entropy per image, in nats (`mean`: nats per pixel and channel): [B]."""
        entropy = -self.log_prob(targets, outputs)
        return entropy if self.reduction == "sum" else entropy / math.prod(targets.shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {"reduction": self.reduction, **({"binarise": True} if self.binarise else {})}


@keras.saving.register_keras_serializable(package="latent_mill")
class WeightedMse(Likelihood):
    """The mean squared error per image times a weight.

    It is the negative log-likelihood of a Gaussian with one fixed variance: ``weight · Σ(x - m)² / D`` equals
    ``Σ(x - m)² / 2σ²`` for ``σ² = D / (2 · weight)``, D the number of pixels and channels, up to the normaliser
    ``D/2 · log 2πσ²``, which `log_prob` adds. Densities are over normalised values.

    Args:
        weight: Factor of the mean squared error.
        activation: Maps the decoder's output to pixel values: sigmoid for [0, 1], tanh for [-1, 1], linear otherwise.
    """

    values = "density"

    def __init__(self, weight: float, activation: OutputActivation) -> None:
        self.weight = float(weight)
        self.activation = activation

    def mean(self, outputs: Any) -> Any:
        """Return pixel values on the normalised scale: [B, H, W, C]."""
        return keras.activations.get(self.activation)(outputs)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the weight times the mean squared error, per image: [B]."""
        difference = ops.cast(targets, "float32") - ops.cast(self.mean(outputs), "float32")
        return self.weight * ops.mean(ops.square(difference), axis=(1, 2, 3))

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Return the log-density of each image in nats: [B]."""
        size = math.prod(targets.shape[1:])
        variance = size / (2.0 * self.weight)
        return -self.loss(targets, outputs) - 0.5 * size * math.log(2.0 * math.pi * variance)

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {"weight": self.weight, "activation": self.activation}


@keras.saving.register_keras_serializable(package="latent_mill")
class Gaussian(keras.layers.Layer, Likelihood):
    """A Gaussian around the decoder's image, with one learned standard deviation σ for all pixels.

    ``log p(x|z) = -Σ (x - m)² / 2σ² - D (log σ + ½ log 2π)``: Rybkin, Daniilidis & Levine 2021, "Simple and Effective VAE
    Training with Calibrated Decoders" (σ-VAE). σ balances reconstruction and KL, so that there is no weight to choose,
    unlike in `WeightedMse`. Densities are over normalised values.

    Args:
        activation: Maps the decoder's output to pixel values: sigmoid for [0, 1], tanh for [-1, 1], linear otherwise.
    """

    values = "density"

    def __init__(self, activation: OutputActivation, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.activation = activation
        self.log_deviation = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(INITIAL_LOG_DEVIATION), name="log_deviation"
        )
        self.built = True

    def mean(self, outputs: Any) -> Any:
        """Return pixel values on the normalised scale: [B, H, W, C]."""
        return keras.activations.get(self.activation)(outputs)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Return the log-density of each image in nats: [B]."""
        # A limit, because nothing is gained below the step between pixel values, and images that are all equal would bring σ
        # to 0.
        log_deviation = ops.maximum(self.log_deviation, MIN_LOG_DEVIATION)
        difference = ops.cast(targets, "float32") - ops.cast(self.mean(outputs), "float32")
        squares = ops.sum(ops.square(difference), axis=(1, 2, 3))
        size = math.prod(targets.shape[1:])
        return -0.5 * squares * ops.exp(-2.0 * log_deviation) - size * (log_deviation + 0.5 * math.log(2.0 * math.pi))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the term that training minimises, per image: [B]."""
        return -self.log_prob(targets, outputs)

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {**keras.layers.Layer.get_config(self), "activation": self.activation}


@keras.saving.register_keras_serializable(package="latent_mill")
class LogisticMixture(Likelihood):
    """A mixture of logistic distributions for each pixel, divided into 256 levels.

    Salimans et al. 2017, "PixelCNN++", section 2.1, without dependence between channels. Values are normalised to [-1, 1]; the
    first and the last level reach to infinity.

    Args:
        components: Number of distributions in the mixture.
    """

    values = "levels"

    def __init__(self, components: int) -> None:
        self.components = components

    def outputs(self, channels: int) -> int:
        """Return the number of outputs per pixel: a logit, a mean and a log-scale for each component of each channel."""
        return 3 * self.components * channels

    def mean(self, outputs: Any) -> Any:
        """Return pixel values on the normalised scale: [B, H, W, C]."""
        logits, means, _ = self._parts(outputs)
        return ops.clip(ops.sum(ops.softmax(logits) * means, axis=-1), -1.0, 1.0)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Return the log-probability of each image in nats: [B]."""
        logits, means, log_scales = self._parts(outputs)
        x = ops.expand_dims(ops.cast(targets, "float32"), -1)  # [B, H, W, C, 1]
        sharp = ops.exp(-log_scales)
        upper, lower = (sharp * (x - means + side / 255.0) for side in (1.0, -1.0))
        # log(sigmoid(u) - sigmoid(l)), without a difference of numbers that are both near 0 or both near 1.
        width = ops.log(-ops.expm1(-2.0 * sharp / 255.0))
        middle = width + ops.log_sigmoid(upper) + ops.log_sigmoid(-lower)
        first, last = ops.log_sigmoid(upper), ops.log_sigmoid(-lower)
        log_probs = ops.where(x < -1.0 + 1.0 / 255.0, first, ops.where(x > 1.0 - 1.0 / 255.0, last, middle))
        return ops.sum(ops.logsumexp(log_probs + ops.log_softmax(logits), axis=-1), axis=(1, 2, 3))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the term that training minimises, per image: [B]."""
        return -self.log_prob(targets, outputs)

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return {"components": self.components}

    def _parts(self, outputs: Any) -> tuple[Any, Any, Any]:
        """Split the outputs into logits, means and log-scales: [B, H, W, C, components] each."""
        height, width, depth = outputs.shape[1:]
        channels = depth // (3 * self.components)
        parts = ops.reshape(ops.cast(outputs, "float32"), (-1, height, width, channels, 3, self.components))
        return parts[..., 0, :], parts[..., 1, :], ops.maximum(parts[..., 2, :], MIN_LOG_SCALE)
