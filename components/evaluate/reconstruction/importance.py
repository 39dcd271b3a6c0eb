"""The importance-weighted bound on an image's log-probability, computed in parts that fit into memory. Loads TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.latents.noise import standard_normal
from schemas import atomic

SAVE_SECONDS = 10.0


class LogWeightsModel(Protocol):
    """The part of a model that the bound needs; `models.vae.VAE` has it."""

    latent_dim: int

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """See `models.vae.VAE.log_weights`."""


class Checkpoint:
    """Values of the first images in a file, with which an interrupted measurement resumes.

    Args:
        path: The file. One that cannot be read counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved_at = time.monotonic()
        try:
            self.values: NDArray[np.float64] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            self.values = np.empty(0)

    def get(self, start: int, count: int) -> NDArray[np.float64] | None:
        """Return the values of the images `start` to `start + count`; None unless all of them are there."""
        values = self.values[start : start + count]
        return values if len(values) == count else None

    def add(self, start: int, values: NDArray[np.float64]) -> None:
        """Add the values of the images from `start` on, and save all values every few seconds."""
        self.values = np.concatenate([self.values[:start], values])
        if time.monotonic() - self.saved_at > SAVE_SECONDS:
            with atomic.replacing(self.path) as temporary, temporary.open("wb") as file:
                np.save(file, self.values, allow_pickle=False)
            self.saved_at = time.monotonic()


class ImportanceBound:
    """``log 1/K Σ_k p(x, z_k) / q(z_k|x)``, with z_k drawn from the posterior q: [B], nats.

    Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8. On average it lies below log p(x), and
    a larger K brings it closer. With K = 1 it is the ELBO.

    Args:
        vae: The model.
        samples: K.
        codes: How many codes are decoded at once, so that memory does not grow with K.
        seed: Seed of the noise; the noise of image i depends on (seed, i, K) alone.
        checkpoint: Where values are saved for resuming; None: nowhere.
    """

    def __init__(
        self, vae: LogWeightsModel, *, samples: int, codes: int, seed: int, checkpoint: Checkpoint | None = None
    ) -> None:
        self.samples = samples
        self.codes = codes
        self.seed = seed
        self.checkpoint = checkpoint
        self.latent_dim = vae.latent_dim
        self._log_weights: Callable[..., Any] = tf.function(vae.log_weights, reduce_retracing=True)

    def __call__(self, inputs: Any, *, start: int) -> NDArray[np.float64]:
        """Return the bound of each image of a batch: [B].

        Args:
            inputs: The batch, as the model takes it.
            start: Number of its first image within the split.
        """
        count = int(tf.nest.flatten(inputs)[0].shape[0])
        if self.checkpoint and (saved := self.checkpoint.get(start, count)) is not None:
            return saved
        images = max(1, self.codes // self.samples)
        values = np.concatenate(
            [self._bounds(inputs, first=first, images=images, start=start) for first in range(0, count, images)]
        )
        if self.checkpoint:
            self.checkpoint.add(start, values)
        return values

    def _bounds(self, inputs: Any, *, first: int, images: int, start: int) -> NDArray[np.float64]:
        """Return the bounds of at most `images` images of the batch, from its `first` on."""
        part = tf.nest.map_structure(lambda values: values[first : first + images], inputs)
        count = int(tf.nest.flatten(part)[0].shape[0])
        noise = standard_normal(self.seed, start=start + first, count=count, size=self.samples * self.latent_dim)
        noise = noise.reshape(count, self.samples, self.latent_dim)
        total = np.full(count, -np.inf)
        for sample in range(0, self.samples, self.codes):
            log_weights = np.asarray(self._log_weights(part, noise[:, sample : sample + self.codes]), np.float64)
            total = np.logaddexp(total, np.logaddexp.reduce(log_weights, axis=1))
        bounds: NDArray[np.float64] = total - np.log(self.samples)
        return bounds
