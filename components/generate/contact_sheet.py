"""The first images of a set on one sheet."""

from __future__ import annotations

import math

from PIL import Image

COLUMNS = 16
IMAGES = 160
WIDTH = 1280  # pixels, about
GAP = 4


def contact_sheet(images: list[Image.Image]) -> Image.Image:
    """Lays images of one size out in rows on white; small ones are enlarged by whole numbers, so pixels stay sharp."""
    columns = min(COLUMNS, len(images))
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
