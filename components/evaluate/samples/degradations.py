"""Known ways to make real images worse, by steps: what a distance says of them is what it can see."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

SEED = 20260103  # of noise: a constant, so that a calibration does not depend on the recipe's seed

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1
Kind = Literal["blur", "noise", "jpeg", "modes", "copies"]


@dataclass(frozen=True)
class Degradation:
    """One way to make images worse.

    Attributes:
        kind: Its name.
        unit: What its steps are, for a reader.
        steps: From the weakest to the strongest.
    """

    kind: Kind
    unit: str
    steps: tuple[float, ...]


BLUR = Degradation("blur", "pixels, the deviation of a Gaussian", (0.5, 0.75, 1.0, 1.5, 2.0))
OF_IMAGES = (  # what happens to each image
    BLUR,
    Degradation("noise", "deviation of white noise, in levels of 255", (5.0, 13.0, 26.0)),
    Degradation("jpeg", "quality of JPEG", (75.0, 40.0, 10.0)),
)
OF_SETS = (  # what happens to a set
    Degradation("modes", "share of the kinds of image that are left", (0.8, 0.5, 0.2)),
    Degradation("copies", "share of different images, the others are copies", (0.5, 0.1, 0.02)),
)


def degraded(batches: Iterable[Images], kind: Kind, step: float) -> Iterable[Images]:
    """Yield images of a degradation of `OF_IMAGES`, rounded to 8 bits as in a file."""
    random = np.random.default_rng(SEED)
    for images in batches:
        yield np.rint(np.clip(_OPERATIONS[kind](images, step, random), 0.0, 1.0) * 255.0).astype(np.float32) / 255.0


def rows_left(step: float, *, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the images that a degradation of `OF_SETS` leaves, repeated to as many as there were: [n].

    Args:
        step: Share of what is left.
        order: The numbers of all images: those of a kind beside each other for `modes`, in any order for `copies`: [n].
    """
    kept = order[: max(1, round(step * len(order)))]
    return np.resize(kept, len(order))


def order_of_kinds(features: NDArray[np.float32], labels: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the numbers of images ordered by their kind: by label, or else along the direction in which they differ most.

    Args:
        features: A description of each image, [n, D], such as its pixels at a small size.
        labels: Their labels, [n]; None: they have none.
    """
    if labels is not None and len(np.unique(labels)) > 1:
        return np.argsort(labels, kind="stable")
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return np.argsort(centred @ directions[0], kind="stable")


def _blurred(images: Images, step: float, random: np.random.Generator) -> Images:
    blurred: Images = gaussian_filter(images, (0.0, step, step, 0.0), mode="nearest")
    return blurred


def _noisy(images: Images, step: float, random: np.random.Generator) -> Images:
    return images + random.normal(0.0, step / 255.0, images.shape).astype(np.float32)


def _as_jpeg(images: Images, step: float, random: np.random.Generator) -> Images:
    return np.stack([_one_as_jpeg(image, round(step)) for image in images])


def _one_as_jpeg(image: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    pixels = np.rint(image * 255.0).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file), np.float32) / 255.0
    return decoded.reshape(image.shape)


_OPERATIONS: dict[str, Callable[[Images, float, np.random.Generator], Images]] = {
    "blur": _blurred,
    "noise": _noisy,
    "jpeg": _as_jpeg,
}
