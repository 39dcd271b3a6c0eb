"""Any valid image, in any mode and format, becomes one upright opaque image in grey or RGB."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from helpers.two_halves import LEFT, LOSSY, RIGHT, SIZE, Array, decoded, encoded, expected, grey, halves, pixel
from PIL import Image

from components.images.decode import Header, decode, read_header
from components.images.geometry import framing
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings

FORMATS_OF_MODE = {
    "L": ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"),
    "RGB": ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"),
    "RGBA": ("AVIF", "GIF", "PNG", "TIFF", "WEBP"),
    "LA": ("PNG", "TIFF"),
    "P": ("BMP", "GIF", "PNG", "TIFF"),
    "1": ("BMP", "GIF", "PNG", "PPM", "TIFF"),
    "CMYK": ("JPEG", "TIFF"),
    "I;16": ("PNG", "PPM", "TIFF"),
}
CASES = [(mode, name) for mode, names in FORMATS_OF_MODE.items() for name in names]
both_channels = pytest.mark.parametrize("channels", [1, 3], ids=["grey", "RGB"])


@both_channels
@pytest.mark.parametrize(("mode", "name"), CASES, ids=[f"{mode} {name}" for mode, name in CASES])
def test_every_mode_of_every_format_keeps_its_size_and_colours(mode: str, name: str, channels: int) -> None:
    image = decoded(encoded(halves(mode), name), channels=channels)
    assert (image.mode, image.size) == ("L" if channels == 1 else "RGB", SIZE)
    tolerance = 8 if name in LOSSY else 1
    for x, colour in ((1, LEFT), (SIZE[0] - 2, RIGHT)):
        target = expected(mode, colour)
        np.testing.assert_allclose(
            pixel(image, x, 4), grey(target) if channels == 1 else target, atol=tolerance, rtol=0
        )


@pytest.mark.parametrize(("mode", "name"), CASES, ids=[f"{mode} {name}" for mode, name in CASES])
def test_the_header_tells_format_and_size(mode: str, name: str) -> None:
    assert read_header(encoded(halves(mode), name), PreprocessSettings()) == Header(name, *SIZE)


@pytest.mark.parametrize("name", FORMATS_OF_MODE["I;16"])
def test_sixteen_bits_are_scaled_and_not_clipped(name: str) -> None:
    values = np.array([[0, 257, 10_000, 128 * 257, 60_000, 65_535]], np.uint16).repeat(4, axis=0)
    pixels = np.asarray(decoded(encoded(Image.fromarray(values), name), channels=1))
    np.testing.assert_allclose(pixels, values / 257, atol=1)
    assert pixels.min() == 0
    assert pixels.max() == 255


@both_channels
def test_colours_of_sixteen_bits_are_scaled(channels: int) -> None:
    colours = np.array([(65_535, 32_896, 0), (0, 257, 65_535)], np.uint16).repeat(4, axis=0)[None].repeat(4, axis=0)
    target = np.array([(255, 128, 0), (0, 1, 255)])
    for data in (png_of_sixteen_bits(colours), ppm_of_sixteen_bits(colours)):
        image = decoded(data, channels=channels)
        for x, colour in ((1, target[0]), (6, target[1])):
            expected = grey(tuple(colour.tolist())) if channels == 1 else colour
            np.testing.assert_allclose(pixel(image, x, 2), expected, atol=1)


def png_of_sixteen_bits(colours: Array) -> bytes:
    """Return a PNG of [H, W, 3] uint16, which Pillow cannot write."""
    height, width = colours.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def ppm_of_sixteen_bits(colours: Array) -> bytes:
    """Return a PPM of [H, W, 3] uint16."""
    height, width = colours.shape[:2]
    return f"P6 {width} {height} 65535\n".encode() + colours.astype(">u2").tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_unknown_range_are_rejected(dtype: Any) -> None:
    data = encoded(Image.fromarray(np.full((8, 16), 3, dtype)), "TIFF")
    with pytest.raises(Rejected) as caught:
        decoded(data)
    assert caught.value.reason == Reason.UNSUPPORTED


def test_ycck_as_adobe_writes_it_becomes_rgb() -> None:
    """Components are stored inverted, and the first three as luma and chroma (Adobe's technical note 5116)."""
    luma, blue, red, black = 150, 110, 170, 240
    # Pillow writes CMYK inverted and says "not transformed" in the APP14 segment; that is changed to YCCK.
    stored = Image.new("CMYK", SIZE, (255 - luma, 255 - blue, 255 - red, 255 - black))
    data = bytearray(encoded(stored, "JPEG", quality=100))
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    data[at] = 2
    # By JFIF's formula to the inverted C, M and Y, and those with the inverted K to RGB.
    inverted = (
        luma + 1.402 * (red - 128),
        luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
        luma + 1.772 * (blue - 128),
    )
    target = [(255 - value) * black / 255 for value in inverted]
    np.testing.assert_allclose(pixel(decoded(bytes(data)), 8, 4), target, atol=3)


@pytest.mark.parametrize("name", ["AVIF", "GIF", "PNG", "TIFF", "WEBP"])
def test_of_an_animation_the_first_frame_counts(name: str) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in (LEFT, RIGHT, (255, 255, 255))]
    image = decoded(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    assert image.size == SIZE
    np.testing.assert_allclose(pixel(image, 8, 4), LEFT, atol=8)


def test_odd_metadata_gives_no_warning() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12"  # an EXIF block that ends early
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(encoded(halves("RGB"), "JPEG", exif=exif)).size == SIZE


@pytest.mark.parametrize("name", ["crop", "fit", "pad", "stretch"])
@pytest.mark.parametrize("encode", [None, "PNG", "BMP", "JPEG"], ids=["pixels", "PNG", "BMP", "JPEG"])
def test_an_image_of_the_networks_own_size_comes_through_byte_for_byte(name: str, encode: str | None) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    raw = encoded(Image.fromarray(pixels), encode) if encode else pixels
    target = np.asarray(Image.open(io.BytesIO(raw))) if isinstance(raw, bytes) else pixels
    preprocess = PreprocessSettings.model_validate({"geometry": name})
    np.testing.assert_array_equal(decode(raw, preprocess, geometry=framing(preprocess))[:, :, 0], target)


@both_channels
@pytest.mark.parametrize("shape", [(8, 16), (8, 16, 1), (8, 16, 3)], ids=["H W", "H W 1", "H W 3"])
def test_pixels_that_need_no_decoder_are_taken_as_they_are(shape: tuple[int, ...], channels: int) -> None:
    pixels = np.full(shape, 77, np.uint8)
    assert read_header(pixels, PreprocessSettings()) == Header("pixels", 16, 8)
    image = decoded(pixels, channels=channels)
    assert (image.mode, image.size) == ("L" if channels == 1 else "RGB", SIZE)
    assert set(np.unique(np.asarray(image))) == {77}
