"""Operations on an image's size: resizing into a frame, and cropping; random crops get their generator as an argument."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.recipe.preprocess import PreprocessSettings

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


@dataclass(frozen=True)
class Geometry(ABC):
    """Resizes an image of any size into a frame, centred. Parts outside are cut evenly; free space becomes background.

    The image is resampled once (bicubic with antialiasing). An image that fits exactly is not changed.
    """

    height: int
    width: int
    background: tuple[int, int, int] = (255, 255, 255)

    @abstractmethod
    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Pixels of the frame per pixel of an image of this size, across and down."""

    def map(self, image: Image.Image, *, box: Box | None = None) -> NDArray[np.uint8]:
        """Resize an L or RGB image into the frame: [height, width, channels].

        Args:
            image: Of any size.
            box: The part of it that counts as the image; None is all of it.
        """
        left, top, right, bottom = box or (0.0, 0.0, *image.size)
        across, down = self.scales(right - left, bottom - top)
        left, right, width = _part(left, right, across, self.width)
        top, bottom, height = _part(top, bottom, down, self.height)
        # Rounding can put the box slightly outside of the image, and Pillow refuses a box that starts at -1e-15.
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
    """The smallest size that covers the frame (`geometry: crop`); the aspect ratio stays, what is too large is cut."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Return the larger scale for both directions."""
        scale = max(self.width / width, self.height / height)
        return scale, scale


@dataclass(frozen=True)
class Pad(Geometry):
    """The largest size that fits into the frame (`geometry: pad`); the aspect ratio stays, the rest is background."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Return the smaller scale for both directions."""
        scale = min(self.width / width, self.height / height)
        return scale, scale


@dataclass(frozen=True)
class Fit(Geometry):
    """The size of `Pad` for a large image, while a small image keeps its size (`geometry: fit`)."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Return the smaller scale, at most 1, for both directions."""
        scale = min(self.width / width, self.height / height, 1.0)
        return scale, scale


@dataclass(frozen=True)
class Stretch(Geometry):
    """The whole image stretched to the whole frame (`geometry: stretch`); the aspect ratio changes."""

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Return one scale for each direction."""
        return self.width / width, self.height / height


def framing(preprocess: PreprocessSettings) -> Geometry:
    """Return the geometry of a recipe, whose frame crops are then cut from, at the centre or at random."""
    kinds: dict[str, type[Cover | Pad | Fit | Stretch]] = {"crop": Cover, "pad": Pad, "fit": Fit, "stretch": Stretch}
    return kinds[preprocess.geometry](preprocess.uncropped_height, preprocess.uncropped_width, preprocess.background)


def channels_last(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an L or RGB image to pixels [height, width, channels]."""
    pixels: NDArray[np.uint8] = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _part(start: float, end: float, scale: float, frame: int) -> tuple[float, float, int]:
    """Return, for one direction, the start and end of the source's part that is used, and the pixels that it becomes."""
    pixels = min(frame, max(1, round((end - start) * scale)))
    length = min(end - start, frame / scale)
    middle = (start + end) / 2
    return middle - length / 2, middle + length / 2, pixels


@dataclass(frozen=True)
class Crop:
    """A window that is cut out of pixels."""

    height: int
    width: int

    def map(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut out the centre: [H', W', C] → [height, width, C]."""
        top, left = (pixels.shape[0] - self.height) // 2, (pixels.shape[1] - self.width) // 2
        return pixels[top : top + self.height, left : left + self.width]

    def random_map(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cut out a window whose place is drawn uniformly: [H', W', C] → [height, width, C]."""
        top = int(rng.integers(pixels.shape[0] - self.height + 1))
        left = int(rng.integers(pixels.shape[1] - self.width + 1))
        return pixels[top : top + self.height, left : left + self.width]
