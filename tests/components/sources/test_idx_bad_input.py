"""IDX files that are broken, or only look like one, are refused in one line."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers.idx_files import IMAGES, LABELS, WriteIdx, endings, idx
from helpers.read_through import images_of, items_of
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DataError, UsageError


def image_header(*shape: int) -> bytes:
    """Return the header of an IDX file of unsigned bytes."""
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)


def names(path: Path, *parts: str) -> str:
    """Return a pattern: the file's name first, then what was expected and what was found."""
    return ".*".join(map(re.escape, (str(path), *parts)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes((0, 0, 12, 3)) + bytes(12), "expected an IDX header of labels in 1 or 2 dimensions.*found 00 00 0c 03"),
        (bytes((0, 0, 10, 1)) + bytes(12), "expected an IDX header of labels.*found 00 00 0a 01"),
        (bytes((0, 0, 12, 2)) + bytes(5), "expected an IDX header of 12 bytes, found 9"),
        (b"", "expected an IDX header of labels.*found an empty file"),
        (bytes((0, 0, 12, 2, 0, 0, 0, 6, 0, 0, 0, 8)), "expected 192 bytes after a header that says 6 × 8, found 0"),
    ],
)
def test_a_file_of_labels_without_the_right_header_is_refused(
    tmp_path: Path, write_idx: WriteIdx, data: bytes, message: str
) -> None:
    write_idx(tmp_path / "a-images-idx3-ubyte", IMAGES)
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(data)
    with pytest.raises(DataError, match=f"a-labels-idx1-ubyte: {message}"):
        items_of(idx(tmp_path))


@given(data=st.binary(max_size=64) | st.binary(max_size=64).map(lambda rest: image_header(2, 3, 4) + rest))
def test_any_bytes_are_read_whole_or_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photos-images-idx3-ubyte"
        path.write_bytes(data)
        try:
            assert sum(map(np.size, images_of(idx(path)).values())) == len(data) - 16
        except DataError as error:
            assert str(error).startswith(f"{path}: expected")


@endings
@pytest.mark.parametrize(
    ("claim", "content", "expected", "length"),
    [
        ((6, 4, 5), 119, "expected 120 bytes after a header that says 6 × 4 × 5", "found 119"),
        ((6, 4, 5), 0, "expected 120 bytes after a header that says 6 × 4 × 5", "found 0"),
        ((6, 4, 5), 121, "expected 120 bytes after a header that says 6 × 4 × 5", "found more"),
        ((2**32 - 1, 1, 1), 100, "expected 4,294,967,295 bytes", "found 100"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), 100, "says 4,294,967,295 × 4,294,967,295 × 4,294,967,295", "found 100"),
    ],
    ids=["too short", "header alone", "too long", "four billion images", "absurd"],
)
def test_a_header_with_a_false_length_is_refused_at_once(
    tmp_path: Path, ending: str, claim: tuple[int, ...], content: int, expected: str, length: str
) -> None:
    path = tmp_path / f"photos-images-idx3-ubyte{ending}"
    data = image_header(*claim) + bytes(content)
    path.write_bytes(gzip.compress(data) if ending else data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=names(path, expected, length)):
            items_of(idx(tmp_path))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@endings
def test_images_without_pixels_are_refused_however_many_the_header_promises(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"photos-images-idx3-ubyte{ending}"
    data = image_header(2**32 - 1, 0, 28)
    path.write_bytes(gzip.compress(data) if ending else data)
    with pytest.raises(DataError, match=names(path, "expected images with pixels, found 4,294,967,295 × 0 × 28")):
        items_of(idx(tmp_path))


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (image_header(6) + bytes(6), "found 00 00 08 01"),
        (bytes((0, 0, 0x0D, 3)) + bytes(12), "found 00 00 0d 03"),
        (b"\x89PNG\r\n\x1a\n" + bytes(16), "found 89 50 4e 47"),
        (image_header(6, 4, 5)[:9], "found 00 00 08 03"),
        (b"", "found an empty file"),
    ],
    ids=["labels", "floats", "a picture", "cut within the header", "empty"],
)
def test_a_file_without_the_right_magic_number_is_refused(tmp_path: Path, data: bytes, header: str) -> None:
    path = tmp_path / "photos-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match=names(path, "expected an IDX header", "00 00 08 03", header)):
        items_of(idx(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "flipped", "not gzip"])
def test_a_broken_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "photos-images-idx3-ubyte.gz"
    whole = gzip.compress(image_header(6, 4, 5) + IMAGES.tobytes())
    flipped = bytearray(whole)
    flipped[-6] ^= 0xFF  # in the checksum
    path.write_bytes(
        {"cut": whole[: len(whole) // 2], "flipped": bytes(flipped), "not gzip": b"no gzip at all"}[damage]
    )
    with pytest.raises(DataError, match=names(path, "expected whole gzip data, found a broken file")):
        items_of(idx(tmp_path))


@given(length=st.integers(0, 60))
def test_a_gzip_cut_anywhere_is_refused(length: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photos-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(image_header(6, 4, 5) + IMAGES.tobytes())[:length])
        with pytest.raises(DataError, match=names(path, "expected", "found")):
            items_of(idx(path))


def test_another_number_of_labels_than_of_images_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    path = write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS[:4])
    with pytest.raises(DataError, match=names(path, "expected 6 labels, found 4")):
        items_of(idx(tmp_path))


def test_a_missing_path_is_a_usage_error_that_names_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"found nothing at {re.escape(str(tmp_path / 'nowhere'))}; check SOURCE="):
        idx(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"found none; set SOURCE="):
        idx(None)


def test_a_folder_without_idx_files_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"")
    with pytest.raises(UsageError, match=rf"expects files named .*-images-idx3-ubyte.*found none in {tmp_path}"):
        idx(tmp_path)
