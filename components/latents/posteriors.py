"""Posteriors of a split's images, to which samplers of codes are fitted. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.examples.dataset import images_at_once, labelled_batches
from components.examples.training_images import TrainingImages
from components.latents.noise import binarised
from models.vae import VAE


@dataclass(frozen=True)
class Posteriors:
    """Posteriors of images.

    Attributes:
        means: [N, D].
        log_variances: [N, D].
        labels: Labels of the images, from 0: [N]; None where the model is not conditional.
    """

    means: NDArray[np.float32]
    log_variances: NDArray[np.float32]
    labels: NDArray[np.int64] | None


def posteriors_of(
    vae: VAE,
    images: TrainingImages,
    split: str,
    *,
    limit: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Posteriors:
    """Return the posteriors of the first images of a split.

    Args:
        vae: The model.
        images: Its images.
        split: The split, which has an image at least.
        limit: Images, at most.
        seed: Seed of the pixels of binary images.
        progress: Called after every batch with the number of images done.
    """
    means, log_variances, labels = [], [], []
    size, done = images_at_once(images.statistics.stored_height, images.statistics.stored_width), 0
    for pixels, batch_labels in labelled_batches(images.examples, split, batch_size=size, limit=limit):
        if vae.binary:
            pixels = binarised(pixels.numpy(), seed=seed, start=done)
        mean, log_variance = vae.encode({"pixels": pixels, "labels": batch_labels} if vae.conditional else pixels)
        means.append(np.asarray(mean))
        log_variances.append(np.asarray(log_variance))
        labels.append(batch_labels.numpy())
        done += len(means[-1])
        progress(done)
    return Posteriors(
        np.concatenate(means), np.concatenate(log_variances), np.concatenate(labels) if vae.conditional else None
    )
