"""Pictures of a training's progress: the same images and the same codes, epoch after epoch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.examples.dataset import labelled_batches
from components.images.contact_sheet import contact_sheet, pillow_images
from components.latents.noise import sampled_codes
from schemas import atomic
from schemas.artifacts.kinds import Examples

COLUMNS = 8
RECONSTRUCTIONS = 32  # images, each above its reconstruction
SAMPLES = 64
PICTURES = 20  # epochs of a training that are drawn, about
FRAME_MILLISECONDS = 300
LAST_MILLISECONDS = 2000


class Pictures(keras.callbacks.Callback):
    """Draws reconstructions and samples at regular intervals of epochs.

    The samples' codes are the same each time, so that a person sees the same picture become clearer.

    Args:
        folder: Where the PNGs go.
        examples: Their first validation images are reconstructed.
        epochs: Most epochs of the training.
        seed: Seed of the samples' codes.
    """

    def __init__(self, folder: Path, examples: Examples, *, epochs: int, seed: int) -> None:
        super().__init__()
        self.folder = folder
        self.every = max(1, math.ceil(epochs / PICTURES))
        self.seed = seed
        images, labels = next(iter(labelled_batches(examples, "validation", batch_size=RECONSTRUCTIONS)))
        self.images, self.labels = images.numpy(), labels.numpy()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw both sheets, if it is this epoch's turn."""
        if (epoch + 1) % self.every == 0:
            self.draw(epoch + 1)

    def draw(self, number: int) -> None:
        """Draw both sheets under this number."""
        self._save(self._samples(), f"samples-{number:05d}.png")
        self._save(self._reconstructions(), f"reconstructions-{number:05d}.png")

    def _samples(self) -> NDArray[np.uint8]:
        labels = np.arange(SAMPLES) * len(self.model.labels) // SAMPLES  # the same number of each label, in order
        codes = sampled_codes(
            self.model.prior_sampler(),
            self.seed,
            start=0,
            count=SAMPLES,
            latent_dim=self.model.latent_dim,
            labels=labels,
            temperature=1.0,
        )
        return self._decode(codes, labels)

    def _reconstructions(self) -> NDArray[np.uint8]:
        """Return rows of images, and below each row its reconstructions."""
        mean, _ = self.model.encode(
            {"pixels": self.images, "labels": self.labels} if self.model.conditional else self.images
        )
        reconstructions = self._decode(mean, self.labels)
        cropped = np.asarray(self.model.crop(self.images, random=False)).astype(np.uint8)
        rows = []
        for start in range(0, len(cropped), COLUMNS):
            rows += [cropped[start : start + COLUMNS], reconstructions[start : start + COLUMNS]]
        return np.concatenate(rows)

    def _decode(self, codes: Any, labels: NDArray[Any]) -> NDArray[np.uint8]:
        decoded = self.model.decode(codes, labels if self.model.conditional else None)
        return np.asarray(self.model.normalise.to_pixels(decoded))

    def _save(self, pixels: NDArray[np.uint8], name: str) -> None:
        with atomic.replacing(self.folder / name) as temporary:
            contact_sheet(pillow_images(pixels), columns=COLUMNS).save(temporary, format="PNG")


def make_film(folder: Path) -> None:
    """Make a film of the samples in the folder, those drawn before an interruption included."""
    frames = [_frame(path) for path in sorted(folder.glob("samples-*.png"))]
    if frames:
        times = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
        with atomic.replacing(folder / "samples.gif") as temporary:
            frames[0].save(temporary, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)


def _frame(path: Path) -> Image.Image:
    """Return a frame of the film, at most 640 pixels wide."""
    with Image.open(path) as image:
        frame = image.convert("RGB")
    frame.thumbnail((640, 640))
    return frame
