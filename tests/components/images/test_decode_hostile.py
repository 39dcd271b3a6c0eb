"""Files that cannot be used are rejected before anything is decoded, with a reason of the closed list and no other error."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import SHARED
from helpers.png_chunk import png_chunk
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from components.images.decode import decode, read_header
from components.images.geometry import Pad
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings

HOSTILE = SHARED / "hostile"
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LIMIT = 1_000_000  # pixels


def picture(name: str) -> bytes:
    """Return a valid file of a format: 40 × 50 pixels of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name)
    return buffer.getvalue()


PICTURES = {name: picture(name) for name in FORMATS}


def png_that_claims(width: int, height: int) -> bytes:
    """Return a tiny PNG file whose header claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(bytes(1_000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", content) + png_chunk(b"IEND", b"")


def bmp_that_claims(width: int, height: int) -> bytes:
    """Return a tiny BMP file whose header claims a size."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 54) + header + bytes(100)


def gif_that_claims(width: int, height: int) -> bytes:
    """Return a tiny GIF file whose header claims a size."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x00;"
    )


def gif_with_a_frame_larger_than_its_screen(width: int, height: int) -> bytes:
    """Return a GIF file of 1 × 1 pixels by its header, whose first frame claims a size."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x00;"
    )


def ppm_that_claims(width: int, height: int) -> bytes:
    """Return a tiny PPM file whose header claims a size."""
    return f"P6 {width} {height} 255\n".encode() + bytes(10)


def outcome(data: bytes, *, max_pixels: int = LIMIT) -> Reason | None:
    """Why `decode` rejects some bytes, in full and in a frame; None where it accepts them. Anything else fails."""
    settings = PreprocessSettings(channels=3, max_pixels=max_pixels)
    reasons: list[Reason | None] = []
    for geometry in (None, Pad(9, 8)):
        try:
            pixels = decode(data, settings, geometry=geometry)
        except Rejected as error:
            assert isinstance(error.reason, Reason)
            assert error.detail
            reasons.append(error.reason)
        else:
            assert pixels.dtype == np.uint8
            assert pixels.shape == ((9, 8, 3) if geometry else (*pixels.shape[:2], 3))
            assert 0 < pixels.shape[0] * pixels.shape[1] <= max_pixels
            reasons.append(None)
    assert reasons[0] == reasons[1]
    return reasons[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"Dear reader, this is no image.\n" * 50, Reason.UNKNOWN_FORMAT),
        (bytes(1_000), Reason.UNKNOWN_FORMAT),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", Reason.UNKNOWN_FORMAT),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", Reason.UNKNOWN_FORMAT),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", Reason.UNKNOWN_FORMAT),
    ],
    ids=["nothing", "text", "zeros", "PDF", "SVG", "PostScript, which is a program"],
)
def test_a_file_that_is_not_an_image_is_rejected_by_its_first_bytes(data: bytes, reason: Reason) -> None:
    assert outcome(data) == reason
    with pytest.raises(Rejected) as caught:
        read_header(data, PreprocessSettings(max_pixels=LIMIT))
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_in_half_is_rejected_as_truncated(name: str) -> None:
    data = PICTURES[name]
    assert outcome(data[: len(data) // 2]) == Reason.TRUNCATED


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_within_its_header_is_truncated_and_not_unknown(name: str) -> None:
    assert outcome(PICTURES[name][:20]) == Reason.TRUNCATED


def test_a_header_with_a_wrong_checksum_is_corrupt() -> None:
    damaged = bytearray(PICTURES["PNG"])
    damaged[30] ^= 1
    assert outcome(bytes(damaged)) == Reason.CORRUPT


@pytest.mark.parametrize("size", [(50_000, 50_000), (65_535, 65_535), (1_001, 1_000)], ids=lambda size: f"{size[0]:,}")
@pytest.mark.parametrize(
    "claim",
    [
        png_that_claims,
        bmp_that_claims,
        gif_that_claims,
        gif_with_a_frame_larger_than_its_screen,
        ppm_that_claims,
    ],
)
def test_a_header_that_claims_a_huge_image_is_rejected_before_anything_is_decoded(
    claim: Callable[[int, int], bytes], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = claim(*size)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("a decoder ran"))
    tracemalloc.start()
    try:
        assert outcome(data) == Reason.TOO_LARGE
        with pytest.raises(Rejected) as caught:
            read_header(data, PreprocessSettings(max_pixels=LIMIT))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.reason == Reason.TOO_LARGE
    assert f"{size[0]} × {size[1]} pixels, more than 1,000,000" in caught.value.detail


def test_a_size_that_overflows_is_rejected_too() -> None:
    assert outcome(png_that_claims(2**31 - 1, 2**31 - 1)) == Reason.TOO_LARGE


def test_an_image_of_just_as_many_pixels_as_allowed_is_taken() -> None:
    assert outcome(PICTURES["PNG"], max_pixels=40 * 50) is None
    assert outcome(PICTURES["PNG"], max_pixels=40 * 50 - 1) == Reason.TOO_LARGE


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_an_image_without_pixels_is_rejected(size: tuple[int, int]) -> None:
    assert outcome(png_that_claims(*size)) is not None


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0), (101, 100)], ids=str)
def test_pixels_that_need_no_decoder_have_the_same_limits(shape: tuple[int, int]) -> None:
    pixels = np.zeros(shape, np.uint8)
    with pytest.raises(Rejected):
        read_header(pixels, PreprocessSettings(max_pixels=100 * 100))
    with pytest.raises(Rejected):
        decode(pixels, PreprocessSettings(max_pixels=100 * 100))


def test_an_image_whose_data_end_before_its_size_is_rejected() -> None:
    assert outcome(png_that_claims(900, 900)) == Reason.TRUNCATED


@given(data=st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_rejected(data: bytes) -> None:
    outcome(data)


@given(name=st.sampled_from(FORMATS), keep=st.integers(1, 60), rest=st.binary(max_size=300))
def test_a_valid_beginning_with_random_bytes_after_it_raises_nothing_but_rejected(
    name: str, keep: int, rest: bytes
) -> None:
    outcome(PICTURES[name][:keep] + rest)


@given(data=st.data(), name=st.sampled_from(FORMATS))
def test_a_corrupted_file_raises_nothing_but_rejected(data: st.DataObject, name: str) -> None:
    corrupt = bytearray(PICTURES[name])
    positions = st.integers(0, 80) | st.integers(0, len(corrupt) - 1)  # headers matter most
    for position, value in data.draw(st.lists(st.tuples(positions, st.integers(0, 255)), min_size=1, max_size=8)):
        corrupt[position] = value
    outcome(bytes(corrupt))


@given(name=st.sampled_from(FORMATS), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_raises_nothing_but_rejected(name: str, share: float) -> None:
    outcome(PICTURES[name][: int(share * len(PICTURES[name]))])


def hostile_files(folder: str) -> list[Path]:
    """Files of the hostile collection."""
    if not HOSTILE.is_dir():
        pytest.skip(f"the real images are not at {HOSTILE}")
    files = sorted(path for path in (HOSTILE / folder).rglob("*") if path.is_file())
    assert files
    return files


@pytest.mark.shared
def test_every_file_that_no_decoder_should_accept_is_rejected() -> None:
    decoded_files = [
        path.name for path in hostile_files("rejected") if outcome(path.read_bytes(), max_pixels=10**8) is None
    ]
    assert decoded_files == []


@pytest.mark.shared
def test_every_odd_but_valid_file_is_taken() -> None:
    outcomes = {path.name: outcome(path.read_bytes(), max_pixels=10**8) for path in hostile_files("odd-but-valid")}
    assert {name: reason for name, reason in outcomes.items() if reason} == {}


@pytest.mark.shared
def test_files_that_only_pillow_opens_are_taken_or_rejected_and_crash_nothing() -> None:
    outcomes = {path.name: outcome(path.read_bytes(), max_pixels=10**8) for path in hostile_files("pillow-only")}
    others = (".blp", ".dds", ".ico", ".j2k", ".jp2", ".pcx", ".psd", ".sgi", ".tga", ".xpm")
    for name, reason in outcomes.items():
        assert (reason == Reason.UNKNOWN_FORMAT) == name.endswith(others), name
    assert list(outcomes.values()).count(None) == 105
