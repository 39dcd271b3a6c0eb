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


class Likelihood(ABC):
    """The distribution of an image given the decoder's outputs; Keras saves it by its configuration.

    Attributes:
        binarise: Whether it is one of binary images, which are drawn from grey ones.
    """

    binarise: bool = False

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
