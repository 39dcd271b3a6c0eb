"""Limits on bytes, frames and formats are kept before a decoder runs. (Pixels: test_decode_hostile; bombs: test_bombs)."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image, ImageFile

from components.images.decode import Header, decode, read_header
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import FORMATS, PreprocessSettings

SIZE = (16, 8)


def encoded(name: str, *, frames: int = 1, **options: Any) -> bytes:
    """Return a small file of a format, with `frames` different frames."""
    images = [Image.new("RGB", SIZE, (20 * number, 0, 0)) for number in range(frames)]
    buffer = io.BytesIO()
    several = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(buffer, name, **several, **options)
    return buffer.getvalue()


def verdict(data: bytes, **limits: Any) -> tuple[Reason, str] | None:
    """Reason and detail of a rejection, which header and decoder agree on."""
    settings = PreprocessSettings.model_validate({"channels": 3, **limits})
    outcomes: list[tuple[Reason, str] | None] = []
    for step in (read_header, decode):
        try:
            step(data, settings)
            outcomes.append(None)
        except Rejected as error:
            outcomes.append((error.reason, error.detail))
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where a decoder runs."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("a decoder ran"))


@pytest.mark.usefixtures("no_decoder")
def test_a_file_with_too_many_bytes_is_rejected() -> None:
    data = encoded("PNG")
    assert verdict(data, max_bytes=len(data) - 1) == (
        Reason.TOO_LARGE,
        f"{len(data):,} bytes, more than {len(data) - 1:,}",
    )


# HEIF: test_heif, where its extra is installed.
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "HEIF"])
def test_only_formats_on_the_list_are_read(name: str) -> None:
    data = encoded(name)
    assert verdict(data, formats=[name], max_bytes=len(data)) is None
    others = [other for other in FORMATS if other != name]
    reason, detail = verdict(data, formats=others) or pytest.fail("was taken")
    assert reason == Reason.UNKNOWN_FORMAT
    assert detail.endswith(f"not one of {', '.join(others)}")


@pytest.mark.parametrize("name", ["TGA", "ICO", "PCX", "SGI", "JPEG2000", "EPS", "PDF"])
def test_formats_that_pillow_knows_and_a_recipe_cannot_name_are_unknown(name: str) -> None:
    reason, _ = verdict(encoded(name)) or pytest.fail("was taken")
    assert reason == Reason.UNKNOWN_FORMAT


ANIMATED = ["GIF", "PNG", "TIFF", "WEBP"]


@pytest.mark.usefixtures("no_decoder")
@pytest.mark.parametrize("name", ANIMATED)
def test_animations_are_rejected_where_the_recipe_says_so(name: str) -> None:
    settings = PreprocessSettings(animated="reject")
    with pytest.raises(Rejected) as caught:
        read_header(encoded(name, frames=3), settings)
    assert (caught.value.reason, caught.value.detail) == (Reason.ANIMATED, "3 frames")
    assert read_header(encoded(name), settings) == Header(name, *SIZE)


@pytest.mark.usefixtures("no_decoder")
def test_a_pointer_of_git_lfs_is_named_with_what_to_do() -> None:
    with pytest.raises(Rejected) as caught:
        read_header(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", PreprocessSettings())
    assert (caught.value.reason, caught.value.detail) == (
        Reason.UNKNOWN_FORMAT,
        "a Git LFS pointer: run `git lfs pull` where the files are from",
    )


@pytest.mark.usefixtures("no_decoder")
@pytest.mark.parametrize("name", ANIMATED)
def test_a_file_with_too_many_frames_is_rejected(name: str) -> None:
    data = encoded(name, frames=5)
    assert read_header(data, PreprocessSettings(max_frames=5)) == Header(name, *SIZE)
    with pytest.raises(Rejected) as caught:
        read_header(data, PreprocessSettings(max_frames=4))
    assert (caught.value.reason, caught.value.detail) == (Reason.TOO_LARGE, "more than 4 frames")


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_pages_that_point_in_a_circle_are_counted_once(big: bool) -> None:
    data = bytearray(encoded("TIFF", frames=2, big_tiff=big))
    read = Image.open(io.BytesIO(bytes(data)))
    read.seek(1)
    assert isinstance(read, Image.Image)
    at, entry, wide = read.tag_v2.offset, 20 if big else 12, "<Q" if big else "<L"  # type: ignore[attr-defined]
    (entries,) = struct.unpack_from("<Q" if big else "<H", data, at)
    struct.pack_into(wide, data, at + (8 if big else 2) + entry * entries, at)  # the last page's next is itself
    with pytest.raises(Rejected, match="2 frames"):
        read_header(bytes(data), PreprocessSettings(animated="reject"))


def test_the_second_picture_of_a_camera_jpeg_is_no_frame() -> None:
    data = encoded("MPO", frames=2)
    assert read_header(data, PreprocessSettings(animated="reject", max_frames=1)) == Header("JPEG", *SIZE)
    assert verdict(data) is None
