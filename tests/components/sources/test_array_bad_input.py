"""NumPy's files that lie, are damaged, or hold no images: each is one clear line, and none is trusted."""

from __future__ import annotations

import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers.damage import damaged, read_or_refused
from helpers.numpy_files import IMAGES, LABELS, Pixels, endings, save, source_at
from helpers.read_through import images_of, items_of, read_all
from hypothesis import given
from hypothesis import strategies as st

from components.sources import ReadError
from schemas.errors import DataError, UsageError


def header(shape: str, *, kind: str = "'|u1'", order: str = "False") -> bytes:
    """Return the header of an .npy file, which may be false."""
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf, 255.0])
def test_an_image_of_floats_beyond_those_of_the_others_cannot_be_read(tmp_path: Path, value: float) -> None:
    values = np.linspace(0, 1, 12 * 35, dtype=np.float32).reshape(12, 5, 7)
    values[1, 2, 3] = value
    source = source_at(save(tmp_path / "a.npy", values))
    items, raws = zip(*read_all(source), strict=True)
    with pytest.raises(ReadError, match=r"expected floats from 0 to 1, found .* to "):
        source.read(items[1].place)
    assert [number for number, raw in enumerate(raws) if isinstance(raw, ReadError)] == [1]
    assert re.match(r"expected floats from 0 to 1, found .* to ", str(raws[1]))


@pytest.mark.parametrize(
    ("low", "high"), [(-2.1, 2.6), (0, 1.5), (-0.2, 1), (0, 4095), (-1024, 3071), (0, 9), (-1, 255)]
)
def test_a_range_that_is_not_known_is_one_line_that_says_how_to_say_it(tmp_path: Path, low: float, high: float) -> None:
    values = np.tile(np.linspace(low, high, 35, dtype=np.float64).reshape(5, 7), (6, 1, 1))
    path = save(tmp_path / "a.npy", values)
    with pytest.raises(
        DataError,
        match=rf"^{path}: expected values from 0 to 1, −1 to 1 or 0 to 255, found {low:g} to {high:g}; say which are "
        rf"black and white by sources\.range, such as \[{low:g}, {high:g}\]$",
    ):
        items_of(source_at(path))
    for image in images_of(source_at(path, range=[low, high])).values():
        assert (image.min(), image.max()) == (0, 255)  # type: ignore[union-attr]


def test_images_in_rows_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.zeros((100, 784), np.uint8))
    with pytest.raises(DataError, match=r"; images in rows need their shape: images\.reshape\(-1, 28, 28\)$"):
        items_of(source_at(path))


@pytest.mark.parametrize("values", [IMAGES.astype(complex), IMAGES.astype("S1")])
def test_types_that_are_no_pixels_are_refused(tmp_path: Path, values: Pixels) -> None:
    path = save(tmp_path / "a.npy", values)
    with pytest.raises(
        DataError, match=rf"{path}: expected uint8, bool, uint16 or other numbers, found .* \[6, 5, 7\]"
    ):
        items_of(source_at(path))


@endings
def test_what_is_pickled_is_never_read(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"a{ending}", np.empty((6, 5, 7), object))
    with pytest.raises(DataError, match=r"expected uint8, .*, found object \[6, 5, 7\]"):
        items_of(source_at(path))


@endings
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 7), r"; one image needs a first axis: image\[None\]"),
        ((5, 7, 3), r"; one image needs a first axis: image\[None\]"),
        ((6, 2, 5, 7), "$"),
        ((6, 5, 7, 2), "$"),
        ((6, 2, 2, 5, 7), "$"),
        ((35,), "$"),
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, ending: str, shape: tuple[int, ...], hint: str) -> None:
    path = save(tmp_path / f"a{ending}", np.zeros(shape, np.uint8))
    description = rf"found (images )?uint8 \[{', '.join(map(str, shape))}\]"
    with pytest.raises(DataError, match=rf"expected .*images \[N, H, W\] or \[N, H, W, .*, {description}({hint})?"):
        items_of(source_at(path))
    named = {"images": "images"} if ending == ".npz" else {}
    with pytest.raises(DataError, match=rf"{path}.*: expected images .*, found uint8 .*\]{hint}"):
        items_of(source_at(path, **named))


def test_columns_first_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.asfortranarray(IMAGES))
    with pytest.raises(DataError, match=r"expected rows first .* np\.ascontiguousarray turns them"):
        items_of(source_at(path))


def test_of_several_arrays_one_has_to_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", IMAGES, masks=IMAGES + 1)
    with pytest.raises(
        UsageError, match=r"sources\.images: expected the name of one of images, masks in .*, found none"
    ):
        items_of(source_at(path))
    np.testing.assert_array_equal(list(images_of(source_at(path, images="masks")).values()), IMAGES + 1)
    with pytest.raises(UsageError, match=r"found 'x'; it has images uint8 \[6, 5, 7\], masks uint8"):
        items_of(source_at(path, images="x"))
    with pytest.raises(UsageError, match=r"sources\.labels: expected one of images, masks, or none, found 'x'"):
        items_of(source_at(path, images="masks", labels="x"))


@pytest.mark.parametrize(
    "labels", [LABELS[:4], np.eye(6) * 2, np.ones((6, 2)), LABELS.astype(complex), np.array([None] * 6)]
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: Pixels) -> None:
    path = save(tmp_path / "a.npz", IMAGES, labels=labels)
    with pytest.raises(
        DataError, match=r"a\.npz: labels: expected 6 labels of text or numbers, found .* or set it to none"
    ):
        items_of(source_at(path))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (header("(6, 5, 7)") + bytes(209), "expected 210 bytes after a header that says uint8 [6, 5, 7], found 209"),
        (header("(6, 5, 7)") + bytes(211), "expected 210 bytes after a header that says uint8 [6, 5, 7], found more"),
        (header("(9999999999, 999, 7)"), "says uint8 [9999999999, 999, 7], found 0"),
        (header("(1, 99999, 99999)"), "expected images of 1 to 100,000,000 pixels (preprocess.max_pixels)"),
        (header("(999999999999, 0, 5)"), "expected images of 1 to 100,000,000 pixels"),
        (header("(-6, 5, 7)"), "found the shape [-6, 5, 7]"),
        (header("(6, 5, 7)", kind="'|O'"), "found object [6, 5, 7]"),
        (header("(((((("), "found no such header"),
        (header("(6, 5, 7)", kind="__import__('os')"), "found no such header"),
        (b"\x93NUMPY\x09\x00", "found no such header"),
        (b"\x89PNG\r\n\x1a\n", "found no such header"),
        (b"", "found no such header"),
    ],
)
@endings
def test_a_header_with_a_false_size_is_refused_at_once(tmp_path: Path, ending: str, data: bytes, found: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"^{re.escape(str(path))}.*: .*{re.escape(found)}") as error:
            items_of(source_at(path))
        assert "\n" not in str(error.value)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@given(data=st.data())
@endings
def test_a_damaged_file_is_read_whole_or_refused(ending: str, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = save(Path(folder) / f"a{ending}", IMAGES, labels=np.array(list("abcdef")))
        path.write_bytes(damaged(data, path.read_bytes(), within=150))
        read_or_refused(lambda: source_at(path))


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.zeros((50, 300, 300), np.uint8))
    with pytest.raises(
        DataError, match=r"at most 100 times their bytes, found images\.npy; raise preprocess\.max_expansion"
    ):
        items_of(source_at(path, limits={"max_expansion": 100}))
    with pytest.raises(DataError, match=r"expected at most 1 arrays, found 2"):
        items_of(source_at(save(path, IMAGES, labels=LABELS), limits={"max_members": 1}))


def test_a_file_that_is_another_when_it_is_read_again_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    source = source_at(save(tmp_path / "a.npy", IMAGES))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-1])
    with pytest.raises(ReadError, match="the file has become shorter"):
        source.read("a.npy#000005")
    (tmp_path / "a.npy").write_bytes(b"gone")
    with pytest.raises(ReadError, match="listed, then another file"):
        source.read("a.npy#000001")
    (tmp_path / "a.npy").unlink()
    with pytest.raises(FileNotFoundError):
        source.read("a.npy#000001")


def test_a_place_without_arrays_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(
        UsageError, match=rf"kind array expects files named \*\.npy or \*\.npz, found none in {tmp_path}"
    ):
        source_at(tmp_path)
