"""Contact sheets: some images of a set on one sheet, each with its label below, drawn by Pillow."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from components.images.sheets import Layout, enlarge, lay_out

COLUMNS = 16
LABELLED_COLUMNS = 10  # fewer, so that a label has room
IMAGES = 160
WIDTH = 1280  # pixels, about
GAP = 4
LARGEST = 256  # pixels; a longer side is shrunk to it
INK = "#5f6d7a"


def contact_sheet(
    images: Sequence[Image.Image], *, labels: Sequence[str | None] = (), columns: int | None = None
) -> Image.Image:
    """Lay out images of one size in rows on a white sheet.

    Small images are enlarged by whole numbers, so that pixels stay sharp; large ones are shrunk.

    Args:
        images: At least one, of any mode.
        labels: One per image, or none at all. A label that is too long ends in …; None and "" leave the place empty.
        columns: Images per row; None chooses a number by the sheet's width.
    """
    labelled = any(labels)
    columns = min(columns or (LABELLED_COLUMNS if labelled else COLUMNS), len(images))
    if max(images[0].size) > LARGEST:
        images = [
            ImageOps.contain(image.convert("RGB"), (LARGEST, LARGEST), Image.Resampling.LANCZOS) for image in images
        ]
    width, height = images[0].size
    factor = max(1, round(WIDTH / (columns * (width + GAP))))
    if columns * (width + GAP) > 2 * WIDTH:
        columns = max(1, 2 * WIDTH // (width + GAP))
    width, height = width * factor, height * factor
    font = _font(min(18, max(10, width // 8))) if labelled else None
    line = sum(font.getmetrics()) if font else 0
    margins = dict.fromkeys(("top", "left", "right", "bottom"), GAP)
    layout = Layout(len(images), columns, height=height, width=width, gap=GAP, label=line, **margins)
    cells = np.stack([np.asarray(image.convert("RGB")) for image in images])
    sheet = Image.fromarray(lay_out(enlarge(cells, factor), layout, background=255))
    if font:
        draw = ImageDraw.Draw(sheet)
        for index, label in enumerate(labels):
            top, left = layout.corner(index)
            text = _shortened(label or "", font=font, room=width)
            draw.text((left + width / 2, top + height), text, fill=INK, font=font, anchor="ma")
    return sheet


def pillow_images(pixels: NDArray[np.uint8]) -> list[Image.Image]:
    """Convert pixels [n, H, W, C] with 1 or 3 channels to images of mode L or RGB."""
    return [Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in pixels]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans from matplotlib's folder, because Pillow's own font has only ASCII.

    matplotlib is located, not imported. A letter that the font lacks is drawn as a box.
    """
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _shortened(label: str, *, font: ImageFont.FreeTypeFont, room: int) -> str:
    """Shorten a label until it fits into `room` pixels, on one line."""
    text = "".join(letter for letter in " ".join(label.split()) if letter.isprintable())
    if font.getlength(text) <= room:
        return text
    shorter = (f"{text[:length].rstrip()}…" for length in range(min(len(text), room) - 1, 0, -1))
    return next((candidate for candidate in shorter if font.getlength(candidate) <= room), "…")
