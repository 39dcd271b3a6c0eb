"""New images of a model, as its evaluation judges them. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from components.examples.dataset import images_at_once
from components.latents.noise import sampled_codes
from models.code_samplers import CodeSampler, Mixture
from models.vae import VAE

FACTORS = 2**28  # bytes of a mixture's factors that are held at once, where codes have many dimensions


def new_images(
    vae: VAE, *, count: int, seed: int, labels: NDArray[np.int64], sampler: CodeSampler | None = None
) -> Iterator[NDArray[np.float32]]:
    """Decode codes that a sampler draws: image i of a seed, with the same label, is the generator's image i.

    Args:
        vae: The model.
        count: Number of images.
        seed: Seed of the codes.
        labels: Labels of the images, [count]; ignored where the model takes none.
        sampler: Where codes come from; None: the prior.

    Yields:
        Batches [B, H, W, C], scale 0 to 1.
    """
    sampler = sampler or vae.prior_sampler()
    height, width, _ = vae.image_shape
    size = images_at_once(height, width)
    if isinstance(sampler, Mixture):
        size = max(1, min(size, FACTORS // (4 * vae.latent_dim**2)))
    for start in range(0, count, size):
        images = min(size, count - start)
        of_label = labels[start : start + images] if vae.conditional else None
        codes = sampled_codes(
            sampler, seed, start=start, count=images, latent_dim=vae.latent_dim, labels=of_label, temperature=1.0
        )
        yield np.asarray(vae.normalise.to_unit(vae.decode(codes, of_label)))


def spread_labels(vae: VAE, *, count: int) -> NDArray[np.int64]:
    """Return labels in order, the same number of each: [count]."""
    return np.arange(count) * len(vae.labels) // count


def shared_labels(vae: VAE, *, count: int) -> NDArray[np.int64]:
    """Return labels in order, each with the share that it has in training: [count]."""
    places = (np.arange(count) + 0.5) / count
    labels: NDArray[np.int64] = np.searchsorted(np.cumsum(vae.label_shares), places).astype(np.int64)
    return np.minimum(labels, max(len(vae.labels) - 1, 0))
