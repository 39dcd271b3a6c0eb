"""Any valid image, in any mode and format, becomes one upright opaque image in grey or RGB."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.images.decode import Header, decode, read_header
from components.images.flatten import flatten
from components.images.geometry import Cover, Fit, Pad, Stretch, framing
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings

Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]
LEFT: Colour = (200, 40, 40)
RIGHT: Colour = (20, 60, 120)
BACKGROUND: Colour = (10, 200, 90)
SIZE = (16, 8)
LOSSY = ("AVIF", "JPEG", "WEBP")
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


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def decoded(data: Any, *, channels: int = 3, background: Colour = BACKGROUND) -> Image.Image:
    """Decode a file's bytes as ingest does."""
    settings = PreprocessSettings(channels=channels, background=background)
    pixels = decode(data, settings)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def pixel(image: Image.Image, x: int, y: int) -> Array:
    """Value of one pixel: [channels], or one number where the image is grey."""
    pixels: Array = np.asarray(image)
    return np.asarray(pixels[y, x])


def grey(colour: Colour) -> int:
    """Luma of a colour, as ITU-R 601 has it."""
    return round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


def halves(mode: str) -> Image.Image:
    """Return an image whose left half is `LEFT` and whose right half is `RIGHT`, as near as its mode comes to them."""
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
    """Return the colour that a mode makes of a colour."""
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


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_a_tiff_says_how_many_bits_are_white(bits: int) -> None:
    white = 2**bits - 1
    values = np.array([[0, white // 2, white, 0]], np.uint16).repeat(4, axis=0)
    # Pillow writes no such file, and reads one of 12 bits; the tag is what matters here.
    image = Image.fromarray(values)
    image.tag_v2 = {258: (bits,)}  # type: ignore[attr-defined]
    assert np.asarray(flatten(image, BACKGROUND))[0].tolist() == [0, 127, 255, 0]


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


@pytest.mark.parametrize("name", ["AVIF", "GIF", "PNG", "TIFF", "WEBP"])
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
