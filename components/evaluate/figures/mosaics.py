"""Figures made of images: each pixel becomes a square of whole pixels, or large images shrink by a whole factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from components.reporting.style import MARGIN, MUTED, WIDE, WIDTH, blank, head, shortened, styled

Images = NDArray[np.float32]  # [n, H, W, C], scale 0 to 1
COLUMNS = 5  # pairs beside each other
SIDE = 10  # samples beside each other
_WANTED = 1500  # pixels: small images are enlarged to about this width in all
_LABEL_INCHES = 0.22
_SIDE_INCHES = 0.62  # for headings left of the rows
_LABEL_POINTS = 8.0


@styled()
def reconstructions(originals: Images, rebuilt: Images, *, names: Sequence[str]) -> Figure:
    """Images beside their reconstructions, five pairs to a row, in the order given.

    Args:
        originals: Test images: [n, H, W, C], scale 0 to 1, n at least 1.
        rebuilt: What the model made of them: [n, H, W, C].
        names: A label under each pair, "" for none: [n].
    """
    figure = _side_by_side(originals, rebuilt, names=names)
    subtitle = "Left of each pair: the image. Right: what the model makes of it."
    head(figure, "Test images and their reconstructions", subtitle)
    return figure


@styled()
def closest(new: Images, training: Images) -> Figure:
    """New images beside the training images nearest to them, closest first: [n, H, W, C] both, n at least 1."""
    figure = _side_by_side(new, training, names=[""] * len(new))
    subtitle = "Left of each pair: the new image. Right: the training image nearest to it."
    head(figure, "The closest pairs", subtitle)
    return figure


def _side_by_side(first: Images, second: Images, *, names: Sequence[str]) -> Figure:
    columns = min(COLUMNS, len(first))
    left, right = (resized(images, row=2 * columns * images.shape[2], most=2800) for images in (first, second))
    count, height, width, channels = left.shape
    between = np.ones((count, height, max(2, width // 50), channels), np.float32)
    cells = np.concatenate([left, between, right], axis=2)
    return grid(cells, columns=columns, gap=0.14, inches=WIDE, names=names)


@styled()
def samples(images: Images, *, source: str) -> Figure:
    """New images, ten to a row: [n, H, W, C], scale 0 to 1, n at least 1; and where their codes come from, in words."""
    columns = min(SIDE, len(images))
    cells = resized(images, row=columns * images.shape[2], most=1600)
    figure = grid(cells, columns=columns, gap=0.06, inches=WIDTH)
    subtitle = f"Codes from {source}. None chosen by hand."
    head(figure, "New images", subtitle)
    return figure


def resized(images: Images, *, row: int, most: int) -> Images:
    """Enlarges or shrinks by a whole factor, so that a row of `row` pixels comes near 1500 and stays below `most`."""
    if row > most:
        return shrunk(images, row=row, most=most)
    factor = max(1, round(_WANTED / row))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def shrunk(images: Images, *, row: int, most: int) -> Images:
    """Shrinks by a whole factor, so that a row of `row` pixels has at most `most`; smaller images stay as they are."""
    factor = max(1, -(-row // most))
    count, height, width, channels = images.shape
    rows, across = max(1, height // factor), max(1, width // factor)
    trimmed = images[:, : rows * factor, : across * factor]
    return images if factor == 1 else trimmed.reshape(count, rows, -1, across, factor, channels).mean(axis=(2, 4))


def grid(
    cells: Images,
    *,
    columns: int,
    gap: float,
    inches: float,
    names: Sequence[str] = (),
    heads: Sequence[str] = (),
    sides: Sequence[str] = (),
) -> Figure:
    """Puts images on white, row by row, pixel by pixel.

    Args:
        cells: The images: [n, H, W, C], scale 0 to 1.
        columns: Images beside each other.
        gap: Between them, a share of the shorter of their sides.
        inches: The figure's width.
        names: A label under each image, "" for none: [n]; or none at all.
        heads: A heading above each column, or none at all.
        sides: A heading left of each row, or none at all.
    """
    count, height, width, _ = cells.shape
    rows = -(-count // columns)
    space = max(2, round(gap * min(width, height)))
    content = columns * width + (columns - 1) * space
    aside = _SIDE_INCHES if sides else 0.0
    dpi = content / (inches - 2 * MARGIN - aside)
    margin, start = round(MARGIN * dpi), round((MARGIN + aside) * dpi)
    label = round(_LABEL_INCHES * dpi) if any(names) else 0
    above = round(_LABEL_INCHES * dpi) if heads else 0
    tall = above + rows * (height + label) + (rows - 1) * space + margin
    sheet = np.ones((tall, start + content + margin, 3), np.float32)
    figure = blank(tall / dpi, width=inches, dpi=dpi)
    room = int(width / dpi * 72 / (_LABEL_POINTS * 0.62))  # characters
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = above + row * (height + label + space), start + column * (width + space)
        sheet[top : top + height, left : left + width] = cell  # grey repeats over RGB
        if label and names[index]:
            text = shortened(names[index], length=room)
            _write(figure, text, x=left + width / 2, y=tall - top - height - 0.3 * label)
    for column, text in enumerate(heads):
        _write(figure, text, x=start + column * (width + space) + width / 2, y=tall - 0.15 * above)
    for row, text in enumerate(sides):
        middle = tall - above - row * (height + label + space) - height / 2
        _write(figure, text, x=margin, y=middle, ha="left", va="center")
    figure.figimage(sheet, xo=0, yo=0)
    return figure


def _write(figure: Figure, text: str, *, x: float, y: float, ha: str = "center", va: str = "top") -> Any:
    """Writes a label at the point (x, y), in pixels from the lower left."""
    return figure.text(
        x,
        y,
        text,
        transform=IdentityTransform(),
        fontsize=_LABEL_POINTS,
        color=MUTED,
        ha=ha,
        va=va,
        parse_math=False,
    )
