"""Colours become sRGB by an image's profile; a profile that cannot be applied costs no image."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers.icc_profiles import ADOBE_RGB, DISPLAY_P3, SRGB, cmyk_profile, grey_profile, rgb_profile
from helpers.tiffs import tiff
from PIL import Image, ImageCms

from components.images.decode import Decoded, Decoder
from components.images.geometry import Cover
from schemas.recipe.preprocess import PreprocessSettings

ADOBE_GAMMA = 2.19921875
INKS = cmyk_profile({"C": 50, "M": 60, "Y": 70, "K": 1})
LINEAR, P3, ADOBE = grey_profile(gamma=1), rgb_profile(DISPLAY_P3), rgb_profile(ADOBE_RGB, gamma=ADOBE_GAMMA)
RED, MIDDLE, CYAN = (220, 30, 30), 128, (255, 0, 0, 0)
EXACT = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100}}
TABLE = [  # mode, stored colour, profile, its formats, sRGB
    ("RGB", RED, ADOBE, ("AVIF", "JPEG", "PNG", "TIFF", "WEBP"), (255, 24, 24)),
    ("RGB", RED, P3, ("AVIF", "JPEG", "PNG", "TIFF", "WEBP"), (241, 0, 0)),
    ("RGB", RED, rgb_profile(SRGB), ("AVIF", "JPEG", "PNG", "TIFF", "WEBP"), RED),
    ("RGBA", (*RED, 255), P3, ("AVIF", "PNG", "TIFF", "WEBP"), (241, 0, 0)),
    ("P", RED, P3, ("PNG", "TIFF"), (241, 0, 0)),
    ("L", MIDDLE, LINEAR, ("JPEG", "PNG", "TIFF"), (188, 188, 188)),
    ("L", MIDDLE, grey_profile(), ("JPEG", "PNG", "TIFF"), (128, 128, 128)),
    ("LA", (MIDDLE, 255), LINEAR, ("PNG", "TIFF"), (188, 188, 188)),
    ("I;16", MIDDLE * 257, LINEAR, ("PNG", "TIFF"), (188, 188, 188)),
    ("CMYK", CYAN, INKS, ("JPEG", "TIFF"), (118, 118, 118)),
]
NAMES = {ADOBE: "Adobe RGB", P3: "Display P3", LINEAR: "linear grey", INKS: "inks"}
CASES = [
    pytest.param(mode, colour, profile, name, expected, id=f"{mode} {name} {NAMES.get(profile, 'sRGB')}")
    for mode, colour, profile, names, expected in TABLE
    for name in names
]


def encoded(mode: str, colour: Any, name: str, *, size: tuple[int, int] = (16, 16), **options: Any) -> bytes:
    """Return an image of one colour as the bytes of a file."""
    image = Image.new("RGB", size, colour).quantize(4) if mode == "P" else Image.new(mode, size, colour)
    buffer = io.BytesIO()
    image.save(buffer, name, **{**EXACT.get(name, {}), **options})
    return buffer.getvalue()


def decoded(data: bytes, *, channels: int = 3, **options: Any) -> Decoded:
    return Decoder(PreprocessSettings(channels=channels, background=(10, 200, 90))).decode(data, **options)


@pytest.mark.parametrize(("mode", "colour", "profile", "name", "expected"), CASES)
def test_colours_become_srgb(mode: str, colour: Any, profile: bytes, name: str, expected: tuple[int, ...]) -> None:
    pixels, ignored, _ = decoded(encoded(mode, colour, name, icc_profile=profile))
    np.testing.assert_allclose(pixels[8, 8], expected, atol=3)
    assert not ignored


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("profile", [None, rgb_profile(SRGB)], ids=["no profile", "sRGB by hand"])
def test_colours_that_are_srgb_stay_byte_for_byte(name: str, profile: bytes | None) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, name, icc_profile=profile)
    with Image.open(buffer) as stored:
        np.testing.assert_array_equal(decoded(buffer.getvalue()).pixels, np.asarray(stored.convert("RGB")))


def test_little_cms_own_srgb_counts_as_srgb() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decoded(encoded("RGB", RED, "PNG", icc_profile=icc)).pixels[8, 8].tolist() == list(RED)


@pytest.mark.parametrize("size", [8, 64, 200])
def test_a_photograph_decoded_at_a_fraction_is_converted_too(size: int) -> None:
    data = encoded("RGB", RED, "JPEG", size=(400, 300), icc_profile=ADOBE)
    np.testing.assert_allclose(decoded(data, geometry=Cover(size, size)).pixels[4, 4], (255, 24, 24), atol=3)


def test_a_grey_image_is_made_of_the_converted_colours() -> None:
    blue = (30, 30, 220)
    data = encoded("RGB", blue, "JPEG", size=(400, 300), icc_profile=P3)
    red, green, rest = (int(value) for value in decoded(data).pixels[8, 8])
    luma = 0.299 * red + 0.587 * green + 0.114 * rest
    assert abs(int(decoded(data, channels=1).pixels[8, 8, 0]) - luma) <= 1
    assert abs(int(decoded(data, channels=1, geometry=Cover(16, 16)).pixels[8, 8, 0]) - luma) <= 1


def test_the_background_under_transparent_pixels_is_not_converted() -> None:
    clear = decoded(encoded("RGBA", (*RED, 0), "PNG", icc_profile=P3))
    assert clear.pixels[8, 8].tolist() == [10, 200, 90]
    key = decoded(encoded("L", MIDDLE, "PNG", icc_profile=LINEAR, transparency=MIDDLE))
    assert key.pixels[8, 8].tolist() == [10, 200, 90]
    other = decoded(encoded("L", MIDDLE, "PNG", icc_profile=LINEAR, transparency=0))
    np.testing.assert_allclose(other.pixels[8, 8], 188, atol=1)
    sixteen = decoded(encoded("I;16", MIDDLE * 257, "PNG", icc_profile=LINEAR, transparency=MIDDLE * 257))
    assert sixteen.pixels[8, 8].tolist() == [10, 200, 90]


@pytest.mark.parametrize(
    ("mode", "colour", "profile"),
    [
        ("RGB", RED, b"no profile"),
        ("RGB", RED, P3[:200]),
        ("RGB", RED, bytes(3_000)),
        ("RGB", RED, INKS),
        ("RGB", RED, LINEAR),
        ("L", MIDDLE, P3),
        ("CMYK", CYAN, P3),
        ("CMYK", CYAN, LINEAR),
    ],
    ids=["text", "cut off", "zeros", "RGB: inks", "RGB: grey", "L: RGB", "CMYK: RGB", "CMYK: grey"],
)
@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_a_profile_that_is_broken_or_of_another_model_is_ignored_and_counted(
    mode: str, colour: Any, profile: bytes, name: str
) -> None:
    pixels, ignored, _ = decoded(encoded(mode, colour, name, icc_profile=profile))
    assert ignored
    np.testing.assert_array_equal(pixels, decoded(encoded(mode, colour, name)).pixels)


def test_srgb_beside_a_grey_image_is_no_reason_for_a_note() -> None:
    pixels, ignored, _ = decoded(encoded("L", MIDDLE, "JPEG", icc_profile=rgb_profile(SRGB)))
    assert (pixels[8, 8].tolist(), ignored) == ([128, 128, 128], False)


def test_lab_colours_are_converted() -> None:
    grey = bytes((round(50 * 2.55), 0, 0)) * 32
    red = bytes((round(54 * 2.55), 81, 70)) * 32
    np.testing.assert_allclose(decoded(tiff(grey, 8, 4, samples=3, photometric=8)).pixels[2, 2], 119, atol=2)
    np.testing.assert_allclose(decoded(tiff(red, 8, 4, samples=3, photometric=8)).pixels[2, 2], (255, 0, 0), atol=8)
