"""The importance-weighted bound on an image's log-probability, in parts that fit into memory. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.noise import standard_normal


class Weighted(Protocol):
    """What is asked of a model; `models.vae.VAE` is one."""

    latent_dim: int

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """See `models.vae.VAE.log_weights`."""


class ImportanceBound:
    """``log 1/K Σ_k p(x, z_k) / q(z_k|x)``, z_k drawn from the posterior q: [B], nats.

    Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8. On average it lies below log p(x), and
    the closer the larger K is; with K = 1 it is the ELBO.

    Args:
        vae: The model.
        samples: K.
        codes: Decoded at once, so that memory does not grow with K.
        seed: Of the noise; image i's depends on (seed, i, K) alone.
    """

    def __init__(self, vae: Weighted, *, samples: int, codes: int, seed: int) -> None:
        self.samples = samples
        self.codes = codes
        self.seed = seed
        self.latent_dim = vae.latent_dim
        self._log_weights: Callable[..., Any] = tf.function(vae.log_weights, reduce_retracing=True)

    def __call__(self, inputs: Any, *, start: int) -> NDArray[np.float64]:
        """The bound of each image of a batch as the model takes it, whose first has the number `start`."""
        images = int(tf.nest.flatten(inputs)[0].shape[0])
        at_once = max(1, self.codes // self.samples)
        return np.concatenate([self._bound(inputs, first, at_once, start) for first in range(0, images, at_once)])

    def _bound(self, inputs: Any, first: int, at_once: int, start: int) -> NDArray[np.float64]:
        """Of some images of the batch."""
        some = tf.nest.map_structure(lambda values: values[first : first + at_once], inputs)
        count = int(tf.nest.flatten(some)[0].shape[0])
        draws = standard_normal(self.seed, start=start + first, count=count, size=self.samples * self.latent_dim)
        draws = draws.reshape(count, self.samples, self.latent_dim)
        total = np.full(count, -np.inf)
        for drawn in range(0, self.samples, self.codes):
            weights = np.asarray(self._log_weights(some, draws[:, drawn : drawn + self.codes]), np.float64)
            total = np.logaddexp(total, np.logaddexp.reduce(weights, axis=1))
        return total - np.log(self.samples)
