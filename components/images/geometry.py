"""What is done to an image's shape: frozen operations on pixels, random ones with a generator of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from PIL import Image

from schemas.recipe.preprocess import PreprocessSettings

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


@dataclass(frozen=True)
class Geometry(ABC):
    """Brings an image of any size into a frame: centred, what stands over is cut evenly, what stays free is background.

    One resampling straight from the source (bicubic with antialiasing). An image that fits exactly is not touched.
    """

    height: int
    width: int
    background: tuple[int, int, int] = (255, 255, 255)

    @abstractmethod
    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Pixels of the frame per pixel of an image of this size, across and down."""

    def map(self, image: Image.Image, *, box: Box | None = None) -> np.ndarray:
        """An L or RGB image to pixels [height, width, channels], uint8.

        Args:
            image: Of any size.
            box: The part of it that counts as the image; None is all of it.
        """
        left, top, right, bottom = box or (0.0, 0.0, *image.size)
        across, down = self.scales(right - left, bottom - top)
        left, right, width = _part(left, right, across, self.width)
        top, bottom, height = _part(top, bottom, down, self.height)
        # Within the image, whatever rounding says: Pillow refuses a box that starts at -1e-15.
        inside = (max(0.0, left), max(0.0, top), min(right, image.width), min(bottom, image.height))
        if image.size != (width, height) or inside != (0.0, 0.0, width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC, box=inside)
        if (width, height) == (self.width, self.height):
            return channels_last(image)
        frame = Image.new("RGB", (self.width, self.height), self.background).convert(image.mode)
        frame.paste(image, ((self.width - width) // 2, (self.height - height) // 2))
        return channels_last(frame)


@dataclass(frozen=True)
class Cover(Geometry):
    """`geometry: crop`. The smallest size that covers the frame; the aspect ratio stays, what stands over is cut."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """One scale: the larger."""
        scale = max(self.width / width, self.height / height)
        return scale, scale


@dataclass(frozen=True)
class Pad(Geometry):
    """`geometry: pad`. The largest size that fits inside; the aspect ratio stays, the rest is background."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """One scale: the smaller."""
        scale = min(self.width / width, self.height / height)
        return scale, scale


@dataclass(frozen=True)
class Fit(Geometry):
    """`geometry: fit`. As `Pad`, but nothing is enlarged: a small image keeps its size."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """One scale: the smaller, and at most 1."""
        scale = min(self.width / width, self.height / height, 1.0)
        return scale, scale


@dataclass(frozen=True)
class Stretch(Geometry):
    """`geometry: stretch`. All of the image fills all of the frame; the aspect ratio does not stay."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """A scale for each direction."""
        return self.width / width, self.height / height


def framing(preprocess: PreprocessSettings) -> Geometry:
    """How a recipe brings images into the frame that crops, the centre or random ones, are then cut from."""
    kind = {"crop": Cover, "pad": Pad, "fit": Fit, "stretch": Stretch}[preprocess.geometry]
    return kind(preprocess.uncropped_height, preprocess.uncropped_width, preprocess.background)


def channels_last(image: Image.Image) -> np.ndarray:
    """An L or RGB image as pixels [height, width, channels], uint8."""
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _part(start: float, end: float, scale: float, frame: int) -> tuple[float, float, int]:
    """In one direction: from where to where the source is taken, its middle, and how many pixels that becomes."""
    pixels = min(frame, max(1, round((end - start) * scale)))
    taken = min(end - start, frame / scale)
    middle = (start + end) / 2
    return middle - taken / 2, middle + taken / 2, pixels


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
