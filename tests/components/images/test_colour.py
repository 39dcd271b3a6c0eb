"""Whether an image has colour."""

from __future__ import annotations

import numpy as np

from components.images.colour import is_grey


def test_an_image_is_grey_while_no_pixel_has_colour() -> None:
    pixels = np.repeat(np.random.default_rng(0).integers(0, 248, (9, 7, 1), dtype=np.uint8), 3, axis=2)
    pixels[4, 4, 2] += 8  # as JPEG does
    assert is_grey(pixels)
    pixels[4, 4, 2] += 1
    assert not is_grey(pixels)
    assert is_grey(pixels[:, :, :1])
