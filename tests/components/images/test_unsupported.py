"""Images of kinds that are not read are named, and not called broken."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from helpers.tiffs import tiff
from PIL import Image

from components.images import opening
from components.images.decode import decode, read_header
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import FORMATS, Format, PreprocessSettings

SIZE = (8, 4)


def verdict(data: bytes, *, formats: tuple[Format, ...] = FORMATS) -> tuple[Reason, str]:
    """Reason and detail with which both passes reject some bytes."""
    preprocess = PreprocessSettings(formats=formats)
    verdicts = []
    for read in (read_header, decode):
        with pytest.raises(Rejected) as caught:
            read(data, preprocess)
        verdicts.append((caught.value.reason, caught.value.detail))
    assert verdicts[0] == verdicts[1]
    return verdicts[0]


def box(*brands: bytes) -> bytes:
    """Return the beginning of an ISO media file of these brands."""
    content = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I", 4 + len(content)) + content + bytes(100)


@pytest.mark.parametrize(("value", "white"), [(1000, 251), (0, 255), (65_535, 0), (32_768, 127)])
def test_a_tiff_of_sixteen_bits_whose_white_is_zero_is_no_negative(value: int, white: int) -> None:
    pixels = decode(tiff(struct.pack("<H", value) * 32, *SIZE, bits=16, photometric=0), PreprocessSettings())
    assert set(np.unique(pixels)) == {white}


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (
            tiff(bytes(5 * 32), *SIZE, samples=5, photometric=1),
            "a TIFF of 5 channels of 8 bits, photometric interpretation 1",
        ),
        (
            tiff(bytes(12 * 32), *SIZE, samples=3, photometric=2, bits=32, sample_format=3),
            "a TIFF of 3 channels of floating-point 32 bits, photometric interpretation 2",
        ),
        (
            tiff(bytes(2 * 32), *SIZE, bits=16, sample_format=3),
            "a TIFF of 1 channel of floating-point 16 bits, photometric interpretation 1",
        ),
        (
            tiff(bytes(48), *SIZE, bits=12, order=">"),
            "a TIFF of 1 channel of 12 bits, photometric interpretation 1",
        ),
        (
            tiff(bytes(64), *SIZE, bits=16, photometric=0, order=">"),
            "a TIFF of 1 channel of 16 bits, photometric interpretation 0",
        ),
        (tiff(bytes(32), *SIZE, compression=34712), "a TIFF of compression 34712"),
    ],
    ids=["five channels", "float colours", "half floats", "12 bits", "16 bits, white is zero", "JPEG 2000 inside"],
)
def test_a_tiff_that_pillow_cannot_read_is_unsupported(data: bytes, detail: str) -> None:
    assert verdict(data) == (Reason.UNSUPPORTED, detail)


def test_a_tiff_of_floats_is_unsupported_when_it_is_decoded() -> None:
    with pytest.raises(Rejected) as caught:
        decode(tiff(bytes(4 * 32), *SIZE, bits=32, sample_format=3), PreprocessSettings())
    assert caught.value.reason == Reason.UNSUPPORTED


def test_a_tiff_of_twelve_bits_in_the_usual_order_is_read() -> None:
    white = decode(tiff(b"\xff" * 48, *SIZE, bits=12), PreprocessSettings())
    assert set(np.unique(white)) == {255}


def test_a_broken_tiff_is_not_unsupported() -> None:
    whole = tiff(bytes(32), *SIZE, samples=5)
    assert verdict(whole[:-30])[0] in (Reason.CORRUPT, Reason.TRUNCATED)


@pytest.mark.parametrize("data", [b"\xff\x0a" + bytes(50), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50)])
def test_a_jpeg_xl_is_named_with_what_to_do(data: bytes) -> None:
    assert verdict(data) == (Reason.UNSUPPORTED, "a JPEG XL image: convert it, such as to PNG")


@pytest.mark.parametrize("data", [box(b"heic", b"mif1"), box(b"mif1", b"miaf", b"heic"), box(b"hevc")])
def test_a_heic_is_named_with_what_to_do_where_the_extra_is_missing(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "register_heif", lambda: False)
    assert verdict(data) == (
        Reason.UNSUPPORTED,
        "a HEIC image: install the extra heif (.venv/bin/pip install pillow-heif), or convert it to JPEG",
    )


def test_an_avif_is_read() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", SIZE, (200, 40, 40)).save(buffer, "AVIF", quality=100)
    pixels = decode(buffer.getvalue(), PreprocessSettings(channels=3))
    np.testing.assert_allclose(pixels[2, 4], (200, 40, 40), atol=3)
    assert verdict(buffer.getvalue(), formats=("JPEG", "PNG")) == (
        Reason.UNKNOWN_FORMAT,
        "AVIF, not one of JPEG, PNG",
    )


def test_an_avif_is_named_with_what_to_do_where_pillow_cannot_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening.features, "check", lambda name: name != "avif")
    assert verdict(box(b"avif", b"mif1")) == (
        Reason.UNSUPPORTED,
        "an AVIF image: install a Pillow that reads it, or convert it to JPEG",
    )


def test_other_iso_media_are_no_images() -> None:
    assert verdict(box(b"isom", b"mp42"))[0] == Reason.UNKNOWN_FORMAT
