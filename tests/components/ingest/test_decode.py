"""Any valid image, in any mode and format, becomes one upright opaque image in grey or RGB."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.ingest.decode import Header, decode, read_header

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]
LEFT: Colour = (200, 40, 40)
RIGHT: Colour = (20, 60, 120)
BACKGROUND: Colour = (10, 200, 90)
SIZE = (16, 8)
LOSSY = ("JPEG", "WEBP")
FORMATS_OF_MODE = {
    "L": ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"),
    "RGB": ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"),
    "RGBA": ("GIF", "PNG", "TIFF", "WEBP"),
    "LA": ("PNG", "TIFF"),
    "P": ("BMP", "GIF", "PNG", "TIFF"),
    "1": ("BMP", "GIF", "PNG", "PPM", "TIFF"),
    "CMYK": ("JPEG", "TIFF"),
    "I;16": ("PNG", "PPM", "TIFF"),
}
CASES = [(mode, name) for mode, names in FORMATS_OF_MODE.items() for name in names]
both_channels = pytest.mark.parametrize("channels", [1, 3], ids=["grey", "RGB"])


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def decoded(data: Any, *, channels: int = 3, background: Colour = BACKGROUND) -> Image.Image:
    """What ingest makes of a file's bytes."""
    return decode(data, channels=channels, background=background, max_pixels=1_000_000)


def pixel(image: Image.Image, x: int, y: int) -> Array:
    """Value of one pixel: [channels], or one number where the image is grey."""
    pixels: Array = np.asarray(image)
    return np.asarray(pixels[y, x])


def grey(colour: Colour) -> int:
    """Luma of a colour, as ITU-R 601 has it."""
    return round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


def halves(mode: str) -> Image.Image:
    """An image whose left half is `LEFT` and whose right half is `RIGHT`, as near as its mode comes to them."""
    image = Image.new("RGB", SIZE, LEFT)
    image.paste(RIGHT, (SIZE[0] // 2, 0, *SIZE))
    if mode == "P":
        return image.quantize(4)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "1":
        return image.convert("L").point(lambda value: 255 * (value > 70), mode="1")
    return image.convert("L").convert("LA") if mode == "LA" else image.convert(mode)


def expected(mode: str, colour: Colour) -> Colour:
    """What a colour becomes in a mode."""
    if mode in ("L", "LA", "I;16"):
        return (grey(colour),) * 3
    return (255 * (colour == LEFT),) * 3 if mode == "1" else colour


@both_channels
@pytest.mark.parametrize(("mode", "name"), CASES, ids=[f"{mode} {name}" for mode, name in CASES])
def test_every_mode_of_every_format_keeps_its_size_and_colours(mode: str, name: str, channels: int) -> None:
    image = decoded(encoded(halves(mode), name), channels=channels)
    assert (image.mode, image.size) == ("L" if channels == 1 else "RGB", SIZE)
    tolerance = 8 if name in LOSSY else 1
    for x, colour in ((1, LEFT), (SIZE[0] - 2, RIGHT)):
        wanted = expected(mode, colour)
        np.testing.assert_allclose(
            pixel(image, x, 4), grey(wanted) if channels == 1 else wanted, atol=tolerance, rtol=0
        )


@pytest.mark.parametrize(("mode", "name"), CASES, ids=[f"{mode} {name}" for mode, name in CASES])
def test_the_header_tells_format_and_size(mode: str, name: str) -> None:
    assert read_header(encoded(halves(mode), name), max_pixels=1_000) == Header(name, *SIZE)


@pytest.mark.parametrize("name", FORMATS_OF_MODE["I;16"])
def test_sixteen_bits_are_scaled_and_not_clipped(name: str) -> None:
    values = np.array([[0, 257, 10_000, 128 * 257, 60_000, 65_535]], np.uint16).repeat(4, axis=0)
    pixels = np.asarray(decoded(encoded(Image.fromarray(values), name), channels=1))
    np.testing.assert_allclose(pixels, values / 257, atol=1)
    assert pixels.min() == 0
    assert pixels.max() == 255


ALPHA = {  # opaque | half | transparent
    "RGBA PNG": ("RGBA", "PNG"),
    "RGBA TIFF": ("RGBA", "TIFF"),
    "RGBA WEBP": ("RGBA", "WEBP"),
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
    for x, wanted in ((4, opaque), (12, half), (20, BACKGROUND)):
        np.testing.assert_allclose(ours[4, x], wanted, atol=1.5)


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


@pytest.mark.parametrize("name", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_an_animation_the_first_frame_counts(name: str) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in (LEFT, RIGHT, (255, 255, 255))]
    image = decoded(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    assert image.size == SIZE
    np.testing.assert_allclose(pixel(image, 8, 4), LEFT, atol=8)


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


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP"])
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


def test_an_orientation_that_does_not_exist_is_passed_over() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert decoded(encoded(halves("RGB"), "PNG", exif=exif)).size == SIZE


def test_odd_metadata_warns_nobody() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12"  # an EXIF block that ends early
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(encoded(halves("RGB"), "JPEG", exif=exif)).size == SIZE


@both_channels
@pytest.mark.parametrize("shape", [(8, 16), (8, 16, 1), (8, 16, 3)], ids=["H W", "H W 1", "H W 3"])
def test_pixels_that_need_no_decoder_are_taken_as_they_are(shape: tuple[int, ...], channels: int) -> None:
    pixels = np.full(shape, 77, np.uint8)
    assert read_header(pixels, max_pixels=1_000) == Header("pixels", 16, 8)
    image = decoded(pixels, channels=channels)
    assert (image.mode, image.size) == ("L" if channels == 1 else "RGB", SIZE)
    assert set(np.unique(np.asarray(image))) == {77}
