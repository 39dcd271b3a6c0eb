"""What the model makes of the same images and the same codes, epoch after epoch."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from components.examples.dataset import labelled_batches
from components.images.contact_sheet import contact_sheet, pillow_images
from components.latents.noise import sampled_codes
from schemas import atomic
from schemas.artifacts.kinds import Examples

COLUMNS = 8
RECONSTRUCTIONS = 32  # images, each above what the model makes of it
SAMPLES = 64
PICTURES = 20  # of a training, about: of every epoch, or every second, …
FRAME_MILLISECONDS = 300
LAST_MILLISECONDS = 2000


class Pictures(keras.callbacks.Callback):
    """Draws reconstructions and samples every so many epochs.

    The codes of the samples are those of a seed, so that the same picture is seen to become clearer.

    Args:
        folder: Where the PNGs go.
        examples: Whose first validation images are reconstructed.
        epochs: Most epochs of the training.
        seed: Of the samples' codes.
    """

    def __init__(self, folder: Path, examples: Examples, *, epochs: int, seed: int) -> None:
        super().__init__()
        self.folder = folder
        self.every = max(1, math.ceil(epochs / PICTURES))
        self.seed = seed
        images, labels = next(iter(labelled_batches(examples, "validation", batch_size=RECONSTRUCTIONS)))
        self.images, self.labels = images.numpy(), labels.numpy()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draws."""
        if (epoch + 1) % self.every:
            return
        spread = np.arange(SAMPLES) * len(self.model.labels) // SAMPLES  # as many of each label, in order
        codes = sampled_codes(
            self.model.prior_sampler(),
            self.seed,
            start=0,
            count=SAMPLES,
            latent_dim=self.model.latent_dim,
            labels=spread,
            temperature=1.0,
        )
        self._save(self._decoded(codes, spread), f"samples-{epoch + 1:05d}.png")
        seen = {"pixels": self.images, "labels": self.labels} if self.model.conditional else self.images
        mean, _ = self.model.encode(seen)
        made = self._decoded(mean, self.labels)
        cropped = np.asarray(self.model.crop(self.images, random=False)).astype(np.uint8)
        starts = range(0, len(cropped), COLUMNS)
        rows = [row for start in starts for row in (cropped[start : start + COLUMNS], made[start : start + COLUMNS])]
        self._save(np.concatenate(rows), f"reconstructions-{epoch + 1:05d}.png")

    def _decoded(self, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        decoded = self.model.decode(codes, labels if self.model.conditional else None)
        return np.asarray(self.model.normalise.to_pixels(decoded))

    def _save(self, pixels: np.ndarray, name: str) -> None:
        with atomic.replacing(self.folder / name) as temporary:
            contact_sheet(pillow_images(pixels), columns=COLUMNS).save(temporary, format="PNG")


def make_film(folder: Path) -> None:
    """Makes the film of the samples that are there, those of an interrupted run's first part included."""
    frames = [_shown(path) for path in sorted(folder.glob("samples-*.png"))]
    if frames:
        times = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
        with atomic.replacing(folder / "samples.gif") as temporary:
            frames[0].save(temporary, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)


def _shown(path: Path) -> Image.Image:
    """A frame of the film, at most 640 pixels wide."""
    with Image.open(path) as image:
        frame = image.convert("RGB")
    frame.thumbnail((640, 640))
    return frame
