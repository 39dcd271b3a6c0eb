"""An image file holds the pixels that were encoded."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from components.generate.encoding import encode_all


@st.composite
def images(draw: st.DrawFn) -> Any:
    """Pixels, grey or in colour, [H, W, C]; some of few levels, as flat areas are what a file's size depends on."""
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.sampled_from([1, 3]))
    levels = draw(st.sampled_from([1, 2, 255]))
    return draw(arrays(np.uint8, shape, elements=st.integers(0, levels), fill=st.integers(0, levels)))


@pytest.mark.parametrize("suffix", ["png", "webp"])
@given(pixels=images())
def test_pixels_come_back_as_they_were(pixels: Any, suffix: str) -> None:
    with Image.open(io.BytesIO(encode_all(pixels[None], suffix)[0])) as image:
        assert image.format == suffix.upper()
        channels = pixels.shape[2]
        image.load()
        decoded = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    np.testing.assert_array_equal(decoded, pixels[..., 0] if channels == 1 else pixels)


def test_a_png_is_grey_or_rgb_and_its_checksums_are_right() -> None:
    for channels, mode in ((1, "L"), (3, "RGB")):
        data = encode_all(np.zeros((2, 5, 7, channels), np.uint8), "png")[1]
        with Image.open(io.BytesIO(data)) as image:
            image.verify()
            assert (image.mode, image.size) == (mode, (7, 5))
        broken = bytearray(data)
        broken[-20] ^= 1  # of the compressed pixels
        with pytest.raises((SyntaxError, OSError)), Image.open(io.BytesIO(broken)) as image:
            image.verify()
