"""The sets of images that a model is judged by: real ones, new ones and reconstructions. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.degradations import Kind, order_of_kinds
from components.evaluate.samples.new_images import new_images, shared_labels
from components.examples.dataset import images_at_once, labelled_batches
from components.examples.training_images import TrainingImages
from components.latents.noise import binarised
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.kinds import Examples

SMALL = 8  # pixels of a side, at which images are told apart by kind

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1


@dataclass(frozen=True)
class ImageSets:
    """A model's images, set by set. All are as the network sees them, in batches [B, H, W, C], scale 0 to 1.

    Attributes:
        vae: The model.
        images: Its Examples.
        seed: Seed of codes.
    """

    vae: VAE
    images: TrainingImages
    seed: int

    def real(self, split: str, count: int) -> Iterator[Images]:
        """Return batches of the first images of a split."""
        return real_images(self.vae, self.images.examples, split=split, count=count)

    def new(self, sampler: CodeSampler, count: int) -> Iterator[Images]:
        """Return batches of new images, each label with its share in training."""
        labels = shared_labels(self.vae, count=count)
        return new_images(self.vae, count=count, seed=self.seed, labels=labels, sampler=sampler)

    def new_labelled(self, sampler: CodeSampler, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
        """Return the images of `new`, [count, H, W, C], and their labels; None: some are not finite numbers."""
        batches = []
        for batch in self.new(sampler, count):
            if not np.isfinite(batch).all():  # rounding would make NaN black
                return None
            batches.append(np.rint(batch * 255.0).astype(np.uint8))
        return np.concatenate(batches), shared_labels(self.vae, count=count)

    def real_labelled(self, split: str, *, batch_size: int) -> Iterator[tuple[Images, NDArray[np.int64]]]:
        """Yield batches of a split's images and their labels; -1: no label."""
        for pixels, labels in labelled_batches(self.images.examples, split, batch_size=batch_size):
            yield np.asarray(self.vae.crop(pixels, random=False), np.float32) / 255.0, labels.numpy()

    def reconstructed(self, split: str, count: int) -> Iterator[Images]:
        """Yield batches of what the mean codes of the first images of a split are decoded to."""
        start = 0
        for pixels, labels in self._stored(split, count):
            given = binarised(pixels.numpy(), seed=self.seed, start=start) if self.vae.binary else pixels
            conditional = self.vae.conditional
            means, _ = self.vae.encode({"pixels": given, "labels": labels} if conditional else given)
            yield np.asarray(self.vae.normalise.to_unit(self.vae.decode(means, labels if conditional else None)))
            start += len(labels)

    def order(self, kind: Kind, split: str, count: int) -> NDArray[np.int64]:
        """Return the order of a split's first images for a degradation of sets; see `degradations.rows_left`."""
        if kind == "copies":
            return np.arange(count)
        labels, small = [], []
        for pixels, batch_labels in self._stored(split, count):
            labels.append(batch_labels.numpy())
            images = np.asarray(pixels, np.float32)
            rows, columns = (np.linspace(0, side - 1, SMALL).astype(int) for side in images.shape[1:3])
            small.append(images[:, rows[:, None], columns].reshape(len(images), -1))
        return order_of_kinds(np.concatenate(small), np.concatenate(labels))

    def _stored(self, split: str, count: int) -> Iterator[tuple[Any, Any]]:
        height, width, _ = self.vae.image_shape
        return iter(
            labelled_batches(self.images.examples, split, batch_size=images_at_once(height, width), limit=count)
        )


def real_images(vae: VAE, examples: Examples, *, split: str, count: int) -> Iterator[Images]:
    """Yield batches of the first images of a split, as the network sees them: [B, H, W, C], scale 0 to 1."""
    height, width, _ = vae.image_shape
    for pixels, _labels in labelled_batches(examples, split, batch_size=images_at_once(height, width), limit=count):
        yield np.asarray(vae.crop(pixels, random=False), np.float32) / 255.0
