"""New images of a model, as its evaluation judges them. Importing this module loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.measure import batch_size
from models.noise import standard_normal
from models.vae import VAE


def new_images(vae: VAE, *, count: int, seed: int) -> Iterator[NDArray[Any]]:
    """Images of codes from N(0, I), sorted by label where the model takes them; image i depends on (seed, i, count) alone.

    Returns:
        Batches [B, H, W, C], scale 0 to 1.
    """
    height, width, _ = vae.image_shape
    size, labels = batch_size(height, width), spread_labels(vae, count=count)
    for start in range(0, count, size):
        here = min(size, count - start)
        codes = standard_normal(seed, start=start, count=here, size=vae.latent_dim)
        of_label = labels[start : start + here] if vae.conditional else None
        yield np.asarray(vae.normalise.to_unit(vae.decode(codes, of_label)))


def spread_labels(vae: VAE, *, count: int) -> NDArray[np.int64]:
    """As many of each label as there is room for, in order: [count]."""
    return np.arange(count) * len(vae.labels) // count
