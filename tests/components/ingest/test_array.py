"""NumPy's files as a source: `.npy` read by place, `.npz` read through, and neither trusted in what it says."""

from __future__ import annotations

import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from read_through import found_in, images_of, items_of

from components.ingest.decode import decode
from components.ingest.sources import ReadError, Source, open_source
from components.ingest.sources import array as module
from schemas.errors import DataError, UsageError
from schemas.preprocess import PreprocessSettings
from schemas.sources import ArraySource

Pixels = np.ndarray[Any, Any]
IMAGES = np.arange(6 * 5 * 7, dtype=np.uint8).reshape(6, 5, 7)
LABELS = np.array([3, 0, 9, 3, 255, 1], np.uint8)
no_deadline = hypothesis_settings(deadline=None, max_examples=60)
endings = pytest.mark.parametrize("ending", [".npy", ".npz"])
images = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=5, max_side=9))


def opened(path: Path | str, *, limits: dict[str, int] | None = None, **settings: Any) -> Source:
    """The source that a recipe's entry of kind array opens."""
    entry = ArraySource.model_validate({"kind": "array", "path": str(path), **settings})
    return open_source(entry, PreprocessSettings.model_validate(limits or {}))


def save(path: Path, values: Pixels, **others: Pixels) -> Path:
    """Writes an array as its name says; in an .npz, named images, with others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        np.savez_compressed(path, images=values, **others)
    return path


def read(source: Source) -> Pixels:
    """All images."""
    return np.array(list(images_of(source).values()))


def header(shape: str, *, kind: str = "'|u1'", order: str = "False") -> bytes:
    """What an .npy file begins with; it may lie."""
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@endings
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_images_come_in_the_arrays_order(tmp_path: Path, ending: str, channels: tuple[int, ...]) -> None:
    values = (
        np.arange(6 * 5 * 7 * np.prod((1, *channels)), dtype=np.uint64).astype(np.uint8).reshape(6, 5, 7, *channels)
    )
    path = save(tmp_path / f"photos{ending}", values)
    np.testing.assert_array_equal(read(opened(path)), values)
    prefix = "photos.npy" if ending == ".npy" else "photos.npz/images"
    assert list(images_of(opened(path))) == [f"{prefix}#{number:06d}" for number in range(6)]


@no_deadline
@given(values=images, packed=st.booleans(), part=st.integers(1, 4))
def test_what_is_written_is_read_back_and_again_by_its_place(values: Pixels, packed: bool, part: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_IMAGES_PER_PART", part)
        source = opened(save(Path(folder) / ("a.npz" if packed else "a.npy"), values))
        np.testing.assert_array_equal(read(source), values)
        places = [item.place for item in items_of(source)]
        if packed:
            assert set(places) == {None}
        else:
            np.testing.assert_array_equal([source.read(place or "") for place in places], values)


@endings
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (IMAGES % 2 == 0, np.where(IMAGES % 2 == 0, 255, 0)),
        (IMAGES.astype("<u2") * 257 + 3, IMAGES),
        (IMAGES.astype(">u2") * 257, IMAGES),
        ((IMAGES / 255).astype(np.float32), IMAGES),
        ((IMAGES / 255).astype(np.float64), IMAGES),
        ((IMAGES / 255).astype(np.float16), IMAGES),
    ],
    ids=["bool", "uint16", "uint16, other bytes first", "float32", "float64", "float16"],
)
def test_other_types_are_scaled_to_one_byte(tmp_path: Path, ending: str, values: Pixels, expected: Pixels) -> None:
    source = opened(save(tmp_path / f"a{ending}", values))
    assert read(source).dtype == np.uint8
    np.testing.assert_array_equal(read(source), expected)
    for item in items_of(source):
        if item.place is not None:
            np.testing.assert_array_equal(source.read(item.place), images_of(source)[item.key])


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf, 255.0])
def test_an_image_of_floats_beyond_0_to_1_cannot_be_read(tmp_path: Path, value: float) -> None:
    values = np.zeros((2, 5, 7), np.float32)
    values[1, 2, 3] = value
    good, bad = (raw for _, raw in found_in(opened(save(tmp_path / "a.npy", values))))
    assert isinstance(good, np.ndarray)
    assert isinstance(bad, ReadError)
    assert re.match(r"expected floats from 0 to 1, found .* to ", str(bad))


@pytest.mark.parametrize("values", [IMAGES.astype(np.int64), IMAGES.astype(complex), IMAGES.astype("S1")])
def test_types_that_are_no_pixels_are_refused(tmp_path: Path, values: Pixels) -> None:
    path = save(tmp_path / "a.npy", values)
    with pytest.raises(
        DataError, match=rf"{path}: expected uint8, bool, uint16 or floats from 0 to 1, found .* \[6, 5, 7\]"
    ):
        items_of(opened(path))


@endings
def test_what_is_pickled_is_never_read(tmp_path: Path, ending: str) -> None:
    values = np.empty((6, 5, 7), object)
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, values, allow_pickle=True)
    else:
        np.savez(path, images=values)
    with pytest.raises(DataError, match=r"expected uint8, .*, found object \[6, 5, 7\]"):
        items_of(opened(path))


@endings
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 7), r"; one image needs a first axis: image\[None\]"),
        ((5, 7, 3), r"; one image needs a first axis: image\[None\]"),
        ((6, 3, 5, 7), "$"),
        ((6, 5, 7, 2), "$"),
        ((6, 2, 2, 5, 7), "$"),
        ((35,), "$"),
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, ending: str, shape: tuple[int, ...], hint: str) -> None:
    path = save(tmp_path / f"a{ending}", np.zeros(shape, np.uint8))
    said = rf"found (images )?uint8 \[{', '.join(map(str, shape))}\]"
    with pytest.raises(DataError, match=rf"expected .*images \[N, H, W\] or \[N, H, W, .*, {said}({hint})?"):
        items_of(opened(path))
    named = {"images": "images"} if ending == ".npz" else {}
    with pytest.raises(DataError, match=rf"{path}.*: expected images .*, found uint8 .*\]{hint}"):
        items_of(opened(path, **named))


def test_columns_first_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.asfortranarray(IMAGES))
    with pytest.raises(DataError, match=r"expected rows first .* np\.ascontiguousarray turns them"):
        items_of(opened(path))


def test_kerass_mnist_simply_works(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2] + 1, y_test=LABELS[4:])
    items = items_of(opened(path))
    assert [(item.key, item.label, item.split) for item in items[:3]] == [
        ("mnist.npz/x_test#000000", "255", "test"),
        ("mnist.npz/x_test#000001", "1", "test"),
        ("mnist.npz/x_train#000000", "3", "train"),
    ]
    np.testing.assert_array_equal(read(opened(path)), np.concatenate([IMAGES[:2] + 1, IMAGES]))


def test_medmnists_files_simply_work(tmp_path: Path) -> None:
    path = tmp_path / "pathmnist.npz"
    sets = {f"{split}_images": IMAGES for split in ("train", "val", "test")}
    np.savez(path, **sets, **{f"{split}_labels": LABELS[:, None] for split in ("train", "val", "test")})
    items = items_of(opened(path))
    assert {item.key.split("/")[1][:4]: item.split for item in items} == {
        "test": "test",
        "trai": "train",
        "val_": "validation",
    }
    assert [item.label for item in items] == 3 * [str(label) for label in LABELS]


def test_the_only_array_of_images_has_the_labels_beside_it(tmp_path: Path) -> None:
    words = np.array(["a", "b", "c", "é", "e", "f"])
    for name in ("labels", "label", "y"):
        np.savez(tmp_path / "a.npz", data=IMAGES, ids=np.arange(6), **{name: words})
        assert [item.label for item in items_of(opened(tmp_path / "a.npz"))] == words.tolist()
    assert {item.label for item in items_of(opened(tmp_path / "a.npz", labels="none"))} == {None}
    assert [item.label for item in items_of(opened(tmp_path / "a.npz", labels="ids"))] == list("012345")


def test_of_several_arrays_one_has_to_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", IMAGES, masks=IMAGES + 1)
    with pytest.raises(
        UsageError, match=r"sources\.images: expected the name of one of images, masks in .*, found none"
    ):
        items_of(opened(path))
    np.testing.assert_array_equal(read(opened(path, images="masks")), IMAGES + 1)
    with pytest.raises(UsageError, match=r"found 'x'; it has images uint8 \[6, 5, 7\], masks uint8"):
        items_of(opened(path, images="x"))
    with pytest.raises(UsageError, match=r"sources\.labels: expected one of images, masks, or none, found 'x'"):
        items_of(opened(path, images="masks", labels="x"))


def test_labels_of_an_npy_are_in_the_one_beside_it(tmp_path: Path) -> None:
    for name, values in {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}.items():
        save(tmp_path / f"{name}.npy", values)
    items = items_of(opened(tmp_path))
    assert [(item.label, item.split) for item in items] == [
        *((str(label), "test") for label in LABELS[:2]),
        *((str(label), "train") for label in LABELS),
    ]
    alone = items_of(opened(tmp_path / "x_train.npy"))
    assert [(item.label, item.split) for item in alone] == [(str(label), None) for label in LABELS]
    assert {item.label for item in items_of(opened(tmp_path / "x_train.npy", labels="none"))} == {None}
    with pytest.raises(UsageError, match=rf"sources\.labels: .* found nothing at {tmp_path}/words\.npy"):
        items_of(opened(tmp_path / "x_train.npy", labels="words"))


@pytest.mark.parametrize("labels", [LABELS[:4], np.eye(6), LABELS.astype(complex), np.array([None] * 6)])
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: Pixels) -> None:
    path = save(tmp_path / "a.npz", IMAGES, labels=labels)
    with pytest.raises(
        DataError, match=r"a\.npz: labels: expected 6 labels of text or numbers, found .* or set it to none"
    ):
        items_of(opened(path))


def test_files_of_a_folder_are_one_source_and_keep_the_splits_in_their_names(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "train.npy", IMAGES)
    np.savez(tmp_path / "test.npz", IMAGES[:1])
    assert {item.key.split("#")[0]: item.split for item in items_of(opened(tmp_path))} == {
        "deep/train.npy": "train",
        "test.npz/arr_0": "test",
    }
    assert len(items_of(opened(tmp_path / "**" / "*.npy"))) == 6


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
def test_a_header_that_lies_is_refused_at_once(tmp_path: Path, ending: str, data: bytes, found: str) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", data)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"^{re.escape(str(path))}.*: .*{re.escape(found)}") as error:
            items_of(opened(path))
        assert "\n" not in str(error.value)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@no_deadline
@given(data=st.data())
@endings
def test_a_damaged_file_is_read_whole_or_refused(ending: str, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = save(Path(folder) / f"a{ending}", IMAGES, labels=np.array(list("abcdef")))
        damaged = bytearray(path.read_bytes())
        if data.draw(st.booleans()):
            damaged = damaged[: data.draw(st.integers(0, len(damaged) - 1))]
        else:
            damaged[data.draw(st.integers(0, min(150, len(damaged) - 1)))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(damaged)
        try:
            found_in(opened(path))
        except (DataError, UsageError) as error:
            assert "expected" in str(error)
            assert "\n" not in str(error)


def test_of_a_packed_array_one_image_is_in_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.random.default_rng(0).integers(0, 256, (400, 200, 300), np.uint8))
    source = opened(path)
    tracemalloc.start()
    try:
        for part in source.parts():
            for _ in source.images(part.names):
                pass
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.zeros((50, 300, 300), np.uint8))
    with pytest.raises(
        DataError, match=r"at most 100 times their bytes, found images\.npy; raise preprocess\.max_expansion"
    ):
        items_of(opened(path, limits={"max_expansion": 100}))
    with pytest.raises(DataError, match=r"expected at most 1 arrays, found 2"):
        items_of(opened(save(path, IMAGES, labels=LABELS), limits={"max_members": 1}))


def test_a_file_that_is_another_when_it_is_read_again_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    source = opened(save(tmp_path / "a.npy", IMAGES))
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
        opened(tmp_path)


def test_the_digest_is_the_names_and_the_contents_of_images_and_labels(tmp_path: Path) -> None:
    for folder in ("one", "same"):
        save(tmp_path / folder / "x.npy", IMAGES)
        save(tmp_path / folder / "y.npy", LABELS)
    before = opened(tmp_path / "one" / "x.npy").digest()
    assert opened(tmp_path / "same" / "x.npy").digest() == opened(tmp_path / "same").digest() == before
    save(tmp_path / "one" / "y.npy", LABELS + 1)
    assert opened(tmp_path / "one" / "x.npy").digest() != before


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_with_an_axis_of_their_own_can_be_decoded(tmp_path: Path, channels: int) -> None:
    source = opened(save(tmp_path / "a.npy", IMAGES[..., None]))
    for raw, expected in zip(images_of(source).values(), IMAGES, strict=True):
        pixels = decode(raw, PreprocessSettings(channels=channels))
        np.testing.assert_array_equal(pixels, np.repeat(expected[..., None], channels, axis=2))
