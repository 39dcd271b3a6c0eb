"""HEIC images are read where the extra `heif` is installed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.icc_profiles import DISPLAY_P3, rgb_profile
from PIL import Image

from components.images.decode import Header, decode, read_header
from components.images.heif import register_heif
from schemas.recipe.preprocess import PreprocessSettings

pytest.importorskip("pillow_heif", reason="the extra heif is not installed")


@pytest.fixture(autouse=True)
def registered() -> None:
    assert register_heif()


def heic(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "HEIF", **{"quality": -1, "chroma": 444, **options})
    return buffer.getvalue()


def test_a_heic_is_read_with_its_profile() -> None:
    red = Image.new("RGB", (64, 48), (220, 30, 30))
    data = heic(red, icc_profile=rgb_profile(DISPLAY_P3))
    assert read_header(data, PreprocessSettings()) == Header("HEIF", 64, 48)
    np.testing.assert_allclose(decode(data, PreprocessSettings(channels=3))[24, 32], (241, 0, 0), atol=3)
    np.testing.assert_allclose(decode(heic(red), PreprocessSettings(channels=3))[24, 32], (220, 30, 30), atol=3)


def test_alpha_is_laid_on_the_background() -> None:
    data = heic(Image.new("RGBA", (64, 48), (220, 30, 30, 0)))
    pixels = decode(data, PreprocessSettings(channels=3, background=(1, 2, 3)))
    np.testing.assert_allclose(pixels[24, 32], (1, 2, 3), atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_stands_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (64, 48), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 64, 24))  # the first rows as stored
    pixels = decode(heic(image, exif=exif.tobytes()), PreprocessSettings())[:, :, 0]
    sides = {"top": pixels[2], "bottom": pixels[-3], "left": pixels[:, 2], "right": pixels[:, -3]}
    first_row = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right", 8: "left"}
    assert [name for name, side in sides.items() if side.min() > 200] == [first_row[orientation]]
