"""What is done to an image's shape: frozen operations on pixels, random ones with a generator of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Cover:
    """Resizes so that the image just covers a frame, and cuts what stands over, evenly at both sides.

    One resampling straight from the source (bicubic with antialiasing); the aspect ratio stays.
    """

    height: int
    width: int

    def map(self, image: Image.Image) -> np.ndarray:
        """An L or RGB image of any size to pixels [height, width, channels], uint8."""
        if image.size != (self.width, self.height):
            scale = min(image.width / self.width, image.height / self.height)
            box_width, box_height = scale * self.width, scale * self.height
            left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
            # Within the image, whatever rounding says: Pillow refuses a box that starts at -1e-15.
            left, top = max(0.0, left), max(0.0, top)
            box = (left, top, min(left + box_width, image.width), min(top + box_height, image.height))
            image = image.resize((self.width, self.height), Image.Resampling.BICUBIC, box=box)
        pixels = np.asarray(image)
        return pixels[:, :, None] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class Crop:
    """A window of pixels."""

    height: int
    width: int

    def map(self, pixels: np.ndarray) -> np.ndarray:
        """The centre: [H', W', C] → [height, width, C]."""
        top, left = (pixels.shape[0] - self.height) // 2, (pixels.shape[1] - self.width) // 2
        return pixels[top : top + self.height, left : left + self.width]

    def random_map(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A window drawn uniformly: [H', W', C] → [height, width, C]."""
        top = int(rng.integers(pixels.shape[0] - self.height + 1))
        left = int(rng.integers(pixels.shape[1] - self.width + 1))
        return pixels[top : top + self.height, left : left + self.width]
