"""Large text and profiles beside a PNG's picture are left out, and the picture is read."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from helpers.png_chunk import png_chunk
from PIL import Image

from components.images.decode import Decoder
from components.images.png_chunks import without_large_metadata
from schemas.recipe.preprocess import PreprocessSettings

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
BOMB = zlib.compress(bytes(100 << 20))


def png(*chunks: bytes, after: bool = False, **options: object) -> bytes:
    """Return a PNG with further chunks before or after the picture's data."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", **options)
    data = buffer.getvalue()
    at = data.index(b"IEND") - 4 if after else data.index(b"IDAT") - 4
    return data[:at] + b"".join(chunks) + data[at:]


LARGE = {
    "compressed text": png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"node 1; " * 400_000)),
    "international text": png_chunk(b"iTXt", b"workflow\0\1\0en\0\0" + zlib.compress(b"node 1; " * 400_000)),
    "much text": png_chunk(b"tEXt", b"a\0" + bytes(30 << 20)) * 3,
    "many compressed texts": png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 70,
    "a bomb of text": png_chunk(b"zTXt", b"workflow\0\0" + BOMB),
    "a profile": png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(2_000_000))),
    "a bomb of a profile": png_chunk(b"iCCP", b"icc\0\0" + BOMB),
}


@pytest.mark.parametrize(
    ("name", "after"),
    [
        *((name, False) for name in LARGE),
        *((name, True) for name in LARGE if "profile" not in name),  # which stands before the picture
    ],
)
def test_the_picture_is_read_without_them(name: str, after: bool) -> None:
    data = png(LARGE[name], after=after)
    tracemalloc.start()
    try:
        decoded = Decoder(PreprocessSettings(channels=3)).decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + (8 << 20)
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(decoded.pixels, PIXELS)
    assert decoded.profile_ignored == ("profile" in name)


def test_small_text_and_profiles_stay() -> None:
    data = png(
        png_chunk(b"tEXt", b"a\0b"),
        png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(90_000))),
        png_chunk(b"iCCP", b"i\0\0x"),
    )
    assert without_large_metadata(data) == (data, False)


def test_text_that_says_how_the_picture_is_turned_stays() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes()
    text = b"\nexif\n%8d\n" % len(raw) + raw.hex().encode() + b"\n"  # as ImageMagick writes it
    turn = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    decoder = Decoder(PreprocessSettings(channels=3))
    for data in (png(turn), png(LARGE["compressed text"], turn)):
        np.testing.assert_array_equal(decoder.decode(data).pixels, np.rot90(PIXELS, -1))


@pytest.mark.parametrize("length", [8, 9, 20, 40, 60])
def test_a_file_that_ends_anywhere_is_left_as_it_is(length: int) -> None:
    data = png()[:length]
    assert without_large_metadata(data) == (data, False)
