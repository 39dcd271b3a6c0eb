"""Figures made of images: reconstructions, new images, and pairs that are nearest to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from components.images.sheets import fit_row
from components.reporting.image_grid import Images, image_grid
from components.reporting.style import WIDE, WIDTH, head, styled

COLUMNS = 5  # pairs per row
SIDE = 10  # samples per row
ROW_PIXELS = 1500  # small images are enlarged until a row is about this wide


@styled()
def reconstructions(originals: Images, rebuilt: Images, *, labels: Sequence[str]) -> Figure:
    """Draw images and their reconstructions in pairs, five to a row, in the order given.

    Args:
        originals: Test images: [n, H, W, C], scale 0 to 1, n at least 1.
        rebuilt: Their reconstructions: [n, H, W, C].
        labels: A label under each pair, "" for none: [n].
    """
    figure = _pairs(originals, rebuilt, labels=labels)
    subtitle = "Left of each pair: the image. Right: what the model makes of it."
    head(figure, "Test images and their reconstructions", subtitle)
    return figure


@styled()
def closest(new: Images, training: Images) -> Figure:
    """Draw new images and the training images nearest to them, closest first: [n, H, W, C] both, n at least 1."""
    figure = _pairs(new, training)
    subtitle = "Left of each pair: the new image. Right: the training image nearest to it."
    head(figure, "The closest pairs", subtitle)
    return figure


def _pairs(first: Images, second: Images, *, labels: Sequence[str] = ()) -> Figure:
    columns = min(COLUMNS, len(first))
    left, right = (
        fit_row(images, row=2 * columns * images.shape[2], target=ROW_PIXELS, most=2800) for images in (first, second)
    )
    count, height, width, channels = left.shape
    gaps = np.ones((count, height, max(2, width // 50), channels), np.float32)
    pairs = np.concatenate([left, gaps, right], axis=2)
    return image_grid(pairs, columns=columns, gap=0.14, inches=WIDE, labels=labels)


@styled()
def samples(images: Images, *, source: str) -> Figure:
    """Draw new images, ten to a row.

    Args:
        images: [n, H, W, C], scale 0 to 1, n at least 1.
        source: Where their codes come from, in words.
    """
    columns = min(SIDE, len(images))
    cells = fit_row(images, row=columns * images.shape[2], target=ROW_PIXELS, most=1600)
    figure = image_grid(cells, columns=columns, gap=0.06, inches=WIDTH)
    subtitle = f"Codes from {source}. None chosen by hand."
    head(figure, "New images", subtitle)
    return figure
