"""Transparency is laid on the background, and 16-bit values are scaled, in every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.two_halves import BACKGROUND, LEFT, SIZE, decoded, encoded, expected
from PIL import Image

from components.images.decode import decode
from components.images.flatten import flatten
from schemas.recipe.preprocess import PreprocessSettings


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_a_tiff_says_how_many_bits_are_white(bits: int) -> None:
    white = 2**bits - 1
    values = np.array([[0, white // 2, white, 0]], np.uint16).repeat(4, axis=0)
    # Pillow writes no such file, and reads one of 12 bits; the tag is what matters here.
    image = Image.fromarray(values)
    image.tag_v2 = {258: (bits,)}  # type: ignore[attr-defined]
    assert np.asarray(flatten(image, BACKGROUND))[0].tolist() == [0, 127, 255, 0]


ALPHA = {  # opaque | half | transparent
    "RGBA PNG": ("RGBA", "PNG"),
    "RGBA TIFF": ("RGBA", "TIFF"),
    "RGBA WEBP": ("RGBA", "WEBP"),
    "RGBA AVIF": ("RGBA", "AVIF"),
    "LA PNG": ("LA", "PNG"),
    "LA TIFF": ("LA", "TIFF"),
}


@pytest.mark.parametrize(("mode", "name"), ALPHA.values(), ids=ALPHA.keys())
def test_alpha_is_laid_on_the_background(mode: str, name: str) -> None:
    image = Image.new("RGB", (24, 8), LEFT).convert(mode)
    alpha = np.repeat(np.array([255, 128, 0], np.uint8), 8)
    image.putalpha(Image.fromarray(np.tile(alpha, (8, 1))))
    ours = np.asarray(decoded(encoded(image, name, **({"lossless": True} if name == "WEBP" else {}))), np.float64)
    opaque = np.array(expected(mode, LEFT))
    half = (128 * opaque + 127 * np.array(BACKGROUND)) / 255
    for x, target in ((4, opaque), (12, half), (20, BACKGROUND)):
        np.testing.assert_allclose(ours[4, x], target, atol=1.5)


def test_pixels_with_alpha_are_laid_on_the_background_too() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, :, 3] = 255
    decoded_rows = decode(pixels, PreprocessSettings(channels=3, background=(10, 20, 30)))
    np.testing.assert_array_equal(decoded_rows[0], np.zeros((3, 3), np.uint8))
    np.testing.assert_array_equal(decoded_rows[1], np.tile(np.array([10, 20, 30], np.uint8), (3, 1)))


@pytest.mark.parametrize("mode", ["PA", "RGBa"])
def test_modes_with_alpha_that_pillow_writes_to_no_file_are_laid_on_the_background(mode: str) -> None:
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 8, 8))
    if mode == "PA":
        alpha = image.getchannel("A")
        image = Image.merge("PA", (alpha, alpha))
        image.putpalette([level for level in range(256) for _ in range(3)])
    else:
        image = image.convert(mode)
    flat = flatten(image, BACKGROUND)
    assert flat.getpixel((4, 4)) == (255, 255, 255)
    assert flat.getpixel((12, 4)) == BACKGROUND


@pytest.mark.parametrize(
    ("mode", "name", "transparency"),
    [
        ("P", "PNG", 0),
        ("P", "PNG", bytes([0, 255])),
        ("P", "GIF", 0),
        ("L", "PNG", 0),
        ("RGB", "PNG", (0, 0, 0)),
        ("1", "PNG", 0),
        ("I;16", "PNG", 0),
    ],
    ids=["palette index", "palette of alphas", "GIF", "grey value", "colour", "one bit", "16-bit value"],
)
def test_a_colour_that_is_set_transparent_shows_the_background(mode: str, name: str, transparency: Any) -> None:
    black_and_white = np.repeat(np.array([[0, 255]], np.uint8), 8, axis=0).repeat(8, axis=1)
    image = Image.fromarray(black_and_white)
    if mode == "P":
        image = Image.fromarray(black_and_white // 255, "L")
        image.putpalette([0, 0, 0, 255, 255, 255])
    elif mode == "I;16":
        image = Image.fromarray(black_and_white.astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    ours = decoded(encoded(image, name, transparency=transparency))
    assert ours.getpixel((12, 4)) == (255, 255, 255)
    assert ours.getpixel((4, 4)) == BACKGROUND
