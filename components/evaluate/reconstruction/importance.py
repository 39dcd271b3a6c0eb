"""The importance-weighted bound on an image's log-probability, in parts that fit into memory. Loads TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.noise import standard_normal
from schemas import atomic

SAVE_SECONDS = 10.0


class Weighted(Protocol):
    """What is asked of a model; `models.vae.VAE` is one."""

    latent_dim: int

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """See `models.vae.VAE.log_weights`."""


class Kept:
    """Values of the first images, on disk, so that what a kill interrupts goes on where it was.

    Args:
        path: Of the file. It is left as it was where it cannot be read, until new values are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.saved = time.monotonic()
        try:
            self.values: NDArray[np.float64] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            self.values = np.empty(0)

    def get(self, start: int, count: int) -> NDArray[np.float64] | None:
        """Of the images `start` to `start + count`, where all of them are there."""
        found = self.values[start : start + count]
        return found if len(found) == count else None

    def add(self, start: int, values: NDArray[np.float64]) -> None:
        """Keeps values of images from `start` on, which follow those that are there; on disk every few seconds."""
        self.values = np.concatenate([self.values[:start], values])
        if time.monotonic() - self.saved > SAVE_SECONDS:
            with atomic.replacing(self.path) as temporary, temporary.open("wb") as file:
                np.save(file, self.values, allow_pickle=False)
            self.saved = time.monotonic()


class ImportanceBound:
    """``log 1/K Σ_k p(x, z_k) / q(z_k|x)``, z_k drawn from the posterior q: [B], nats.

    Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders", equation 8. On average it lies below log p(x), and
    the closer the larger K is; with K = 1 it is the ELBO.

    Args:
        vae: The model.
        samples: K.
        codes: Decoded at once, so that memory does not grow with K.
        seed: Of the noise; image i's depends on (seed, i, K) alone.
        kept: Where values of first images are kept; none: nowhere.
    """

    def __init__(self, vae: Weighted, *, samples: int, codes: int, seed: int, kept: Kept | None = None) -> None:
        self.samples = samples
        self.codes = codes
        self.seed = seed
        self.kept = kept
        self.latent_dim = vae.latent_dim
        self._log_weights: Callable[..., Any] = tf.function(vae.log_weights, reduce_retracing=True)

    def __call__(self, inputs: Any, *, start: int) -> NDArray[np.float64]:
        """The bound of each image of a batch as the model takes it, whose first has the number `start`."""
        images = int(tf.nest.flatten(inputs)[0].shape[0])
        if self.kept and (found := self.kept.get(start, images)) is not None:
            return found
        at_once = max(1, self.codes // self.samples)
        found = np.concatenate([self._bound(inputs, first, at_once, start) for first in range(0, images, at_once)])
        if self.kept:
            self.kept.add(start, found)
        return found

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
