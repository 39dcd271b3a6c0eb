"""The first images of a set on one sheet."""

from __future__ import annotations

import math

from PIL import Image, ImageOps

COLUMNS = 16
IMAGES = 160
WIDTH = 1280  # pixels, about
GAP = 4
LARGEST = 256  # pixels; a longer side is shrunk to it


def contact_sheet(images: list[Image.Image]) -> Image.Image:
    """Lays images of one size out in rows on white.

    Small ones are enlarged by whole numbers, so that pixels stay sharp; large ones are shrunk.
    """
    columns = min(COLUMNS, len(images))
    if max(images[0].size) > LARGEST:
        images = [
            ImageOps.contain(image.convert("RGB"), (LARGEST, LARGEST), Image.Resampling.LANCZOS) for image in images
        ]
    width, height = images[0].size
    factor = max(1, WIDTH // (columns * (width + GAP)))
    if columns * (width + GAP) > 2 * WIDTH:
        columns = max(1, 2 * WIDTH // (width + GAP))
    cell_width, cell_height = width * factor + GAP, height * factor + GAP
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP), "white")
    for number, image in enumerate(images):
        enlarged = image.convert("RGB").resize((width * factor, height * factor), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (GAP + number % columns * cell_width, GAP + number // columns * cell_height))
    return sheet
