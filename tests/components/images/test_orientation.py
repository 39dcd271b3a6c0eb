"""An image that says how it was turned comes out upright."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.two_halves import LOSSY, SIZE, Array, decoded, encoded, halves
from PIL import Image

from components.images.decode import decode
from components.images.geometry import Cover, Fit, Pad, Stretch
from schemas.recipe.preprocess import PreprocessSettings


def as_stored(upright: Array, orientation: int) -> Array:
    """Pixels as a camera stores them: EXIF says which visual sides the stored first row and first column are."""
    return {
        1: upright,  # row 0 is the top, column 0 the left side
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.swapaxes(0, 1),  # left, top
        6: upright[:, ::-1].swapaxes(0, 1),  # right, top
        7: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: upright[::-1].swapaxes(0, 1),  # left, bottom
    }[orientation]


@pytest.mark.parametrize("name", ["AVIF", "JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, name: str) -> None:
    corners = np.array([[[250, 0, 0], [0, 250, 0], [0, 0, 250]], [[250, 250, 0], [0, 250, 250], [250, 250, 250]]])
    upright = corners.astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(as_stored(upright, orientation)))
    image = decoded(encoded(stored, name, exif=exif))
    assert image.size == (48, 32)
    middles = np.asarray(image)[8::16, 8::16]
    np.testing.assert_allclose(middles, corners, atol=30 if name in LOSSY else 0)


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_all_eight_orientations_are_the_same_picture_in_any_frame(name: str) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    for geometry in (Cover(8, 9), Fit(9, 8), Pad(64, 65), Stretch(8, 9)):
        target = geometry.map(Image.fromarray(upright))
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            stored = Image.fromarray(np.ascontiguousarray(as_stored(upright, orientation)))
            data = encoded(stored, name, exif=exif)
            np.testing.assert_array_equal(decode(data, PreprocessSettings(channels=3), geometry=geometry), target)


def test_an_orientation_that_does_not_exist_is_passed_over() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert decoded(encoded(halves("RGB"), "PNG", exif=exif)).size == SIZE
