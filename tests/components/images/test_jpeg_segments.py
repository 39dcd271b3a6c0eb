"""JPEGs of kinds that libjpeg cannot scale are decoded whole, and those that it cannot decode are named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.jpegs import lossless_jpeg, with_frame
from PIL import Image

from components.images.decode import decode
from components.images.geometry import Cover
from components.images.jpeg_segments import frames, is_scalable
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "RGB"])
@pytest.mark.parametrize("size", [4, 8, 16, 33, 64, 100, 128, 240, 480, 512])
def test_a_lossless_jpeg_is_decoded_whole_for_any_size(size: int, channels: int) -> None:
    preprocess = PreprocessSettings(channels=channels)
    pixels = decode(lossless_jpeg(640, 480), preprocess, geometry=Cover(size, size))
    assert pixels.shape == (size, size, channels)
    assert set(np.unique(pixels)) == {128}


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}], ids=str)
def test_the_common_kinds_are_decoded_at_a_fraction(options: dict[str, object]) -> None:
    assert is_scalable(jpeg(**options))


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_no_other_kind_is(marker: int) -> None:
    data = with_frame(jpeg(), marker=marker)
    assert [frame.marker for frame in frames(data)] == [0xFF00 + marker]
    assert not is_scalable(data)


def test_a_thumbnail_of_another_kind_in_the_metadata_does_not_count() -> None:
    assert is_scalable(jpeg(exif=b"Exif\0\0" + lossless_jpeg(16, 16), comment=lossless_jpeg(16, 16)))


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"bits": 12}, "a JPEG of 12 bits"),
        ({"bits": 16, "marker": 0xC3}, "a JPEG of 16 bits"),
        ({"channels": 2}, "a JPEG of 2 channels"),
        ({"channels": 5}, "a JPEG of 5 channels"),
        ({"marker": 0xC5}, "a differential JPEG"),
        ({"marker": 0xCB}, "a lossless and arithmetic-coded JPEG"),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [8, 100])
def test_kinds_that_cannot_be_decoded_are_unsupported_and_not_corrupt(
    changes: dict[str, int], detail: str, size: int
) -> None:
    with pytest.raises(Rejected) as caught:
        decode(with_frame(jpeg(), **changes), PreprocessSettings(), geometry=Cover(size, size))
    assert (caught.value.reason, caught.value.detail) == (Reason.UNSUPPORTED, detail)


def test_a_frame_header_that_ends_early_is_no_kind() -> None:
    data = jpeg()
    with pytest.raises(Rejected) as caught:
        decode(data[: data.index(b"\xff\xc0") + 4], PreprocessSettings())
    assert caught.value.reason in (Reason.TRUNCATED, Reason.CORRUPT)
