"""Figures made of images in rows, each pixel a square of whole pixels, with words below, above and beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from components.images.sheets import Layout, lay_out
from components.reporting.style import MARGIN, MUTED, blank, shortened

Images = NDArray[np.float32]  # [n, H, W, C], scale 0 to 1
Pixel = TypeVar("Pixel", np.uint8, np.float32)

_LABEL_INCHES = 0.22
_SIDE_INCHES = 0.62  # for headings left of the rows
_LABEL_POINTS = 8.0
_LETTER_WIDTH = 0.62  # of its height, on average


def image_grid(
    images: NDArray[Pixel],
    *,
    columns: int,
    gap: float,
    inches: float,
    labels: Sequence[str] = (),
    column_heads: Sequence[str] = (),
    row_heads: Sequence[str] = (),
) -> Figure:
    """Place images on white, row by row, pixel by pixel.

    Args:
        images: [n, H, W, C], scale 0 to 1 or uint8, n at least 1.
        columns: Images per row.
        gap: Between images, as a share of their shorter side.
        inches: The figure's width.
        labels: Text below each image, "" for none: [n]; or no labels at all.
        column_heads: Text above each column, or none at all.
        row_heads: Text left of each row, or none at all.
    """
    count, height, width, _ = images.shape
    space = max(2, round(gap * min(width, height)))
    side_inches = _SIDE_INCHES if row_heads else 0.0
    dpi = (columns * width + (columns - 1) * space) / (inches - 2 * MARGIN - side_inches)
    margin = round(MARGIN * dpi)
    layout = Layout(
        count,
        columns,
        height=height,
        width=width,
        gap=space,
        label=round(_LABEL_INCHES * dpi) if any(labels) else 0,
        top=round(_LABEL_INCHES * dpi) if column_heads else 0,
        left=round((MARGIN + side_inches) * dpi),
        right=margin,
        bottom=margin,
    )
    sheet_height = layout.shape[0]
    figure = blank(sheet_height / dpi, width=inches, dpi=dpi)
    if layout.label:
        length = int(width / dpi * 72 / (_LABEL_POINTS * _LETTER_WIDTH))  # characters that have room
        for index, label in enumerate(labels):
            top, left = layout.corner(index)
            y = sheet_height - top - height - 0.3 * layout.label
            _write(figure, shortened(label, length=length), x=left + width / 2, y=y)
    for column, text in enumerate(column_heads):
        _write(figure, text, x=layout.corner(column)[1] + width / 2, y=sheet_height - 0.15 * layout.top)
    for row, text in enumerate(row_heads):
        middle = sheet_height - layout.corner(row * columns)[0] - height / 2
        _write(figure, text, x=margin, y=middle, ha="left", va="center")
    figure.figimage(lay_out(images, layout, background=255 if images.dtype == np.uint8 else 1.0), xo=0, yo=0)
    return figure


def _write(figure: Figure, text: str, *, x: float, y: float, ha: str = "center", va: str = "top") -> Text:
    """Write a label at the point (x, y), in pixels from the lower left."""
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
