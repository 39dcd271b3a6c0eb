"""The numbers of a set of images that its anomalies are seen in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.ingest.findings import Findings

SMALLER_SHARE = 0.1  # of the images; the size that is suggested fits the other nine of ten


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """Numbers of one split."""

    images: int
    images_per_label: Mapping[str, int]
    mean: Sequence[float]  # per channel, scale 0 to 1
    deviation: Sequence[float]  # per channel


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Numbers of a set of images, counted in all splits together except where noted."""

    height: int  # of the network's images, pixels
    width: int
    channels: int
    splits: Mapping[str, SplitFacts]  # train, validation, test
    smaller: int  # images smaller than the network's in width or height, before resizing
    fitting: tuple[int, int]  # height and width that nine of ten images have: see `fitting_size`
    grey: int  # images without colour, by `is_grey`
    distinct: int  # different sha256 among the images
    dropped: int  # exact copies, which the other numbers do not count
    largest_group: int  # images in the largest group of near-duplicates; 1 if there was no search for them
    rejected: Mapping[str, int]  # files, per reason
    profiles_ignored: int = 0  # images with a colour profile that could not be applied
    animated: int = 0  # images of files with several frames or pages
    frames_unused: int = 0  # of these files: all but the first
    findings: Findings = field(default_factory=Findings)  # of the sources

    @property
    def images(self) -> int:
        """Number of images in all splits."""
        return sum(split.images for split in self.splits.values())


def fitting_size(
    heights: NDArray[np.integer], widths: NDArray[np.integer], *, height: int, width: int
) -> tuple[int, int]:
    """Return a height and a width, in about the network's proportions, that nine of ten images reach.

    They are multiples of 8, or of 4 where they are small.

    Args:
        heights: Heights of the images before resizing, in pixels: [n], n at least 1.
        widths: Widths of the images: [n].
        height: Height of the network's images.
        width: Width of the network's images.
    """
    scale = float(np.quantile(np.minimum(heights / height, widths / width), SMALLER_SHARE, method="lower"))
    scaled_height, scaled_width = (max(4, math.floor(scale * size)) for size in (height, width))
    step = 8 if min(scaled_height, scaled_width) >= 8 else 4
    return scaled_height // step * step, scaled_width // step * step
