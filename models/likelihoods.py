"""What a decoder's output means: the distribution of an image given its code.

A likelihood owns the step from the decoder's last layer (linear) to pixel values, the term that training minimises, and
the log-probability in nats that evaluation reports, whatever weight training gave it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal, Self

import keras
from keras import ops

FIRST_LOG_DEVIATION = -2.0  # of a Gaussian that has not learned yet
LEAST_LOG_DEVIATION = -6.0  # as in Rybkin et al. 2021
LEAST_LOG_SCALE = -7.0  # as in Salimans et al. 2017


class Likelihood(ABC):
    """The distribution of an image given the decoder's outputs; Keras saves it by its configuration.

    Attributes:
        binarise: Whether it is one of binary images, which are drawn from grey ones.
        values: What an image's values are to it: probabilities, or points of a density over normalised values, or levels of
            which each has a probability.
    """

    binarise: bool = False
    values: Literal["probabilities", "density", "levels"] = "probabilities"

    def outputs(self, channels: int) -> int:
        """How many outputs of the decoder it takes at each place of an image of so many channels."""
        return channels

    @abstractmethod
    def mean(self, outputs: Any) -> Any:
        """Pixel values on the normalised scale: [B, H, W, C]."""

    @abstractmethod
    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Log-probability (or density over normalised values) of each image, in nats: [B]."""

    @abstractmethod
    def loss(self, targets: Any, outputs: Any) -> Any:
        """What training minimises, per image: [B]."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The likelihood that a configuration describes."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="latent_mill")
class Bernoulli(Likelihood):
    """Each pixel is the probability of a coin: ``log p(x|z) = Σ x log p + (1 - x) log(1 - p)``, p = sigmoid(output).

    Kingma & Welling 2014, appendix C.1. Pixels in between 0 and 1 are taken as they are, as all five articles do.

    Args:
        reduction: What training minimises: the cross-entropy's `sum` over pixels and channels, which is ``-log p``, or
            their `mean`, which makes the KL weigh as many times more as there are pixels and channels.
        binarise: Whether pixels are drawn, 0 or 1, with their values as probabilities, anew each time: Burda et al. 2016,
            section 5.1.
    """

    def __init__(self, reduction: Literal["sum", "mean"] = "sum", binarise: bool = False) -> None:
        self.reduction = reduction
        self.binarise = binarise

    def mean(self, outputs: Any) -> Any:
        """Pixel values in [0, 1]: [B, H, W, C]."""
        return ops.sigmoid(outputs)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Log-probability of each image in nats: [B]. Targets in [0, 1]: [B, H, W, C]."""
        outputs = ops.cast(outputs, "float32")
        targets = ops.cast(targets, "float32")
        # From logits: exact where the sigmoid saturates.
        entropy = ops.maximum(outputs, 0.0) - outputs * targets + ops.log1p(ops.exp(-ops.abs(outputs)))
        return -ops.sum(entropy, axis=(1, 2, 3))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """What training minimises, per image: binary cross-entropy, nats (`mean`: nats per pixel and channel): [B]."""
        entropy = -self.log_prob(targets, outputs)
        return entropy if self.reduction == "sum" else entropy / math.prod(targets.shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {"reduction": self.reduction, **({"binarise": True} if self.binarise else {})}


@keras.saving.register_keras_serializable(package="latent_mill")
class WeightedMse(Likelihood):
    """Mean squared error per image times a weight.

    It is the negative log-likelihood of a Gaussian with one fixed variance: ``weight · Σ(x - m)² / D`` equals
    ``Σ(x - m)² / 2σ²`` for ``σ² = D / (2 · weight)``, D the number of pixels and channels, up to the normaliser
    ``D/2 · log 2πσ²``, which `log_prob` adds. Densities are over normalised values.

    Args:
        weight: Factor of the mean squared error.
        activation: From the decoder's output to pixel values: sigmoid for [0, 1], tanh for [-1, 1], linear otherwise.
    """

    values = "density"

    def __init__(self, weight: float, activation: Literal["sigmoid", "tanh", "linear"]) -> None:
        self.weight = float(weight)
        self.activation = activation

    def mean(self, outputs: Any) -> Any:
        """Pixel values on the normalised scale: [B, H, W, C]."""
        return keras.activations.get(self.activation)(outputs)

    def loss(self, targets: Any, outputs: Any) -> Any:
        """What training minimises, per image: weight times the mean squared error: [B]."""
        difference = ops.cast(targets, "float32") - ops.cast(self.mean(outputs), "float32")
        return self.weight * ops.mean(ops.square(difference), axis=(1, 2, 3))

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Log-density of each image in nats: [B]."""
        size = math.prod(targets.shape[1:])
        variance = size / (2.0 * self.weight)
        return -self.loss(targets, outputs) - 0.5 * size * math.log(2.0 * math.pi * variance)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {"weight": self.weight, "activation": self.activation}


@keras.saving.register_keras_serializable(package="latent_mill")
class Gaussian(keras.layers.Layer, Likelihood):
    """A Gaussian around the decoder's image, with one deviation σ for all pixels, which is learned.

    ``log p(x|z) = -Σ (x - m)² / 2σ² - D (log σ + ½ log 2π)``: Rybkin, Daniilidis & Levine 2021, "Simple and Effective VAE
    Training with Calibrated Decoders" (σ-VAE). σ balances reconstruction and KL, where `WeightedMse` has a weight to choose.
    Densities are over normalised values.

    Args:
        activation: From the decoder's output to pixel values: sigmoid for [0, 1], tanh for [-1, 1], linear otherwise.
    """

    values = "density"

    def __init__(self, activation: Literal["sigmoid", "tanh", "linear"], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.activation = activation
        self.log_deviation = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(FIRST_LOG_DEVIATION), name="log_deviation"
        )
        self.built = True

    def mean(self, outputs: Any) -> Any:
        """Pixel values on the normalised scale: [B, H, W, C]."""
        return keras.activations.get(self.activation)(outputs)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Log-density of each image in nats: [B]."""
        # Nobody gains from a narrower one than the pixels' steps, and images that are all the same would make it vanish.
        log_deviation = ops.maximum(self.log_deviation, LEAST_LOG_DEVIATION)
        difference = ops.cast(targets, "float32") - ops.cast(self.mean(outputs), "float32")
        squares = ops.sum(ops.square(difference), axis=(1, 2, 3))
        size = math.prod(targets.shape[1:])
        return -0.5 * squares * ops.exp(-2.0 * log_deviation) - size * (log_deviation + 0.5 * math.log(2.0 * math.pi))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """What training minimises, per image: [B]."""
        return -self.log_prob(targets, outputs)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**keras.layers.Layer.get_config(self), "activation": self.activation}


@keras.saving.register_keras_serializable(package="latent_mill")
class LogisticMixture(Likelihood):
    """Each pixel is one of 256 levels, from a mixture of logistic distributions that the levels cut into steps.

    Salimans et al. 2017, "PixelCNN++", section 2.1, without dependence between channels. Values are normalised to [-1, 1]; the
    first and the last level reach to infinity.

    Args:
        components: Of the mixture.
    """

    values = "levels"

    def __init__(self, components: int) -> None:
        self.components = components

    def outputs(self, channels: int) -> int:
        """A logit, a mean and a log-scale for each component of each channel."""
        return 3 * self.components * channels

    def mean(self, outputs: Any) -> Any:
        """Pixel values on the normalised scale: [B, H, W, C]."""
        logits, means, _ = self._parts(outputs)
        return ops.clip(ops.sum(ops.softmax(logits) * means, axis=-1), -1.0, 1.0)

    def log_prob(self, targets: Any, outputs: Any) -> Any:
        """Log-probability of each image in nats: [B]."""
        logits, means, log_scales = self._parts(outputs)
        x = ops.expand_dims(ops.cast(targets, "float32"), -1)  # [B, H, W, C, 1]
        sharp = ops.exp(-log_scales)
        upper, lower = (sharp * (x - means + side / 255.0) for side in (1.0, -1.0))
        # log(sigmoid(u) - sigmoid(l)) without the difference of numbers near 0 or near 1.
        width = ops.log(-ops.expm1(-2.0 * sharp / 255.0))
        middle = width + ops.log_sigmoid(upper) + ops.log_sigmoid(-lower)
        first, last = ops.log_sigmoid(upper), ops.log_sigmoid(-lower)
        found = ops.where(x < -1.0 + 1.0 / 255.0, first, ops.where(x > 1.0 - 1.0 / 255.0, last, middle))
        return ops.sum(ops.logsumexp(found + ops.log_softmax(logits), axis=-1), axis=(1, 2, 3))

    def loss(self, targets: Any, outputs: Any) -> Any:
        """What training minimises, per image: [B]."""
        return -self.log_prob(targets, outputs)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {"components": self.components}

    def _parts(self, outputs: Any) -> tuple[Any, Any, Any]:
        """Logits, means and log-scales: [B, H, W, C, components] each."""
        height, width, found = outputs.shape[1:]
        channels = found // (3 * self.components)
        parts = ops.reshape(ops.cast(outputs, "float32"), (-1, height, width, channels, 3, self.components))
        return parts[..., 0, :], parts[..., 1, :], ops.maximum(parts[..., 2, :], LEAST_LOG_SCALE)
