"""IDX files: read as MNIST ships them; files that only look like one are refused."""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from helpers.read_through import images_of, items_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from components.sources import ReadError, Source, open_source
from components.sources import idx as module
from components.sources.idx import read_idx
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.errors import DataError, UsageError
from schemas.recipe.sources import IdxSource

Array = np.ndarray[Any, Any]
WriteIdx = Callable[[Path, Array], Path]
IMAGES = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([3, 0, 9, 3, 255, 1], np.uint8)
endings = pytest.mark.parametrize("ending", ["", ".gz"], ids=["plain", "gzipped"])


def idx(path: Path | str | None) -> Source:
    """Return the source that a recipe's entry of kind idx opens."""
    return open_source(IdxSource(kind="idx", path=None if path is None else str(path)))


def image_header(*shape: int) -> bytes:
    """Return the header of an IDX file of unsigned bytes."""
    return bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape)


def names(path: Path, *parts: str) -> str:
    """Return a pattern: the file's name first, then what was expected and what was found."""
    return ".*".join(map(re.escape, (str(path), *parts)))


@endings
def test_images_and_labels_come_in_the_files_order(tmp_path: Path, write_idx: WriteIdx, ending: str) -> None:
    write_idx(tmp_path / f"photos-images-idx3-ubyte{ending}", IMAGES)
    write_idx(tmp_path / f"photos-labels-idx1-ubyte{ending}", LABELS)
    items = items_of(idx(tmp_path))
    assert [item.label for item in items] == ["3", "0", "9", "3", "255", "1"]
    assert len({item.key for item in items}) == len(IMAGES)
    np.testing.assert_array_equal(list(images_of(idx(tmp_path)).values()), IMAGES)


def test_images_of_a_plain_file_can_be_read_again_by_their_place(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    source = idx(tmp_path)
    again = [source.read(item.place or "") for item in items_of(source)]
    np.testing.assert_array_equal(again, IMAGES)


def test_an_image_that_was_cut_off_after_it_was_listed_cannot_be_read(tmp_path: Path, write_idx: WriteIdx) -> None:
    path = write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    source = idx(tmp_path)
    places = [item.place or "" for item in items_of(source)]
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(source.read(places[-2]), IMAGES[-2])
    with pytest.raises(ReadError, match="the file has become shorter"):
        source.read(places[-1])


def test_images_of_a_gzipped_file_have_no_place(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte.gz", IMAGES)
    assert {item.place for item in items_of(idx(tmp_path))} == {None}


def test_a_long_file_comes_in_several_parts(
    tmp_path: Path, write_idx: WriteIdx, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS)
    whole = items_of(idx(tmp_path))
    monkeypatch.setattr(module, "_IMAGES_PER_PART", 4)
    assert [part.images for part in idx(tmp_path).parts()] == [4, 2]
    assert items_of(idx(tmp_path)) == whole
    np.testing.assert_array_equal(list(images_of(idx(tmp_path)).values()), IMAGES)


@endings
def test_labels_may_be_missing(tmp_path: Path, write_idx: WriteIdx, ending: str) -> None:
    write_idx(tmp_path / f"photos-images-idx3-ubyte{ending}", IMAGES)
    items = items_of(idx(tmp_path))
    assert [item.label for item in items] == [None] * len(IMAGES)
    assert [item.split for item in items] == [None] * len(IMAGES)


def test_labels_may_be_gzipped_where_images_are_not(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "photos-labels-idx1-ubyte.gz", LABELS)
    assert [item.label for item in items_of(idx(tmp_path))] == ["3", "0", "9", "3", "255", "1"]


def test_mnists_files_keep_their_own_splits(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", IMAGES[:2])
    splits = [item.split for item in items_of(idx(tmp_path))]
    assert splits.count("train") == len(IMAGES)
    assert splits.count("test") == 2


def write_labels(path: Path, values: Array) -> Path:
    """Write an IDX file of labels of any type, big-endian as all of them are."""
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[values.dtype.str[1:]]
    header = bytes((0, 0, code, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = header + values.astype(values.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("emnist-letters-{}-images-idx3-ubyte.gz", "emnist-letters-{}-labels-idx1-ubyte.gz"),
        ("{}-images.idx3-ubyte", "{}-labels.idx1-ubyte"),
        ("{}-images-idx3-ubyte/{}-images-idx3-ubyte", "{}-labels-idx1-ubyte/{}-labels-idx1-ubyte"),
        ("{}_imgs.gz", "{}_labels.gz"),
        ("{}/images-idx3-ubyte", "{}/labels-idx1-ubyte"),
    ],
    ids=["EMNIST", "with a dot", "Kaggle's folders", "other words", "a folder for each split"],
)
@pytest.mark.parametrize(("train", "test"), [("train", "t10k"), ("train", "test"), ("Training", "eval")])
def test_files_have_other_names_too(
    tmp_path: Path, write_idx: WriteIdx, images: str, labels: str, train: str, test: str
) -> None:
    for word, count in {train: 6, test: 2}.items():
        write_idx(tmp_path / images.format(word, word), IMAGES[:count])
        write_idx(tmp_path / labels.format(word, word), LABELS[:count])
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n")
    items = items_of(idx(tmp_path))
    assert [item.label for item in items if item.split == "train"] == ["3", "0", "9", "3", "255", "1"]
    assert [item.label for item in items if item.split == "test"] == ["3", "0"]


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("columns", [0, 1, 8])
@endings
def test_labels_may_be_of_any_type_and_have_further_columns(
    tmp_path: Path, write_idx: WriteIdx, kind: str, columns: int, ending: str
) -> None:
    write_idx(tmp_path / f"qmnist-train-images-idx3-ubyte{ending}", IMAGES)
    values = np.array([3, 0, 9, 3, 25, 1], kind)
    if columns:
        values = np.stack([values, *[values * 0 + 7] * (columns - 1)], axis=1)
    name = f"qmnist-train-labels-idx{values.ndim}-{'int' if kind == 'i4' else 'ubyte'}{ending}"
    write_labels(tmp_path / name, values)
    assert [item.label for item in items_of(idx(tmp_path))] == ["3", "0", "9", "3", "25", "1"]
    said = [f"`{name}` has 8 columns, and the first was taken as the label."] if columns == 8 else []
    assert idx(tmp_path).remarks() == said


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


def test_several_sets_in_a_folder_are_said_and_a_pattern_takes_one(tmp_path: Path, write_idx: WriteIdx) -> None:
    for name in ("digits", "letters"):
        for split in ("train", "test"):
            write_idx(tmp_path / f"emnist-{name}-{split}-images-idx3-ubyte", IMAGES)
            write_idx(tmp_path / f"emnist-{name}-{split}-labels-idx1-ubyte", LABELS)
    (remark,) = idx(tmp_path).remarks()
    assert remark.startswith("The files are of 2 sets, and all were taken: `emnist-digits-t")
    letters = idx(tmp_path / "emnist-letters-*")
    assert letters.remarks() == []
    assert [(item.label, item.split) for item in items_of(letters)][::6] == [("3", "test"), ("3", "train")]
    assert len(items_of(letters)) == 12


def test_one_file_can_be_given_instead_of_a_folder(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    other = write_idx(tmp_path / "drawings-images-idx3-ubyte", IMAGES[:2])
    assert len(items_of(idx(other))) == 2


def test_an_archive_that_was_also_unpacked_beside_itself_is_read_once(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte.gz", IMAGES)
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    assert len(items_of(idx(tmp_path))) == len(IMAGES)


@given(values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)), packed=st.booleans())
def test_what_is_written_is_read_back(write_idx: WriteIdx, values: Array, packed: bool) -> None:
    with TemporaryDirectory() as folder:
        path = write_idx(Path(folder) / ("values.gz" if packed else "values"), values)
        np.testing.assert_array_equal(read_idx(path, dimensions=values.ndim), values)


@given(data=st.binary(max_size=64) | st.binary(max_size=64).map(lambda rest: image_header(2, 3, 4) + rest))
def test_any_bytes_are_read_whole_or_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photos-images-idx3-ubyte"
        path.write_bytes(data)
        try:
            assert read_idx(path, dimensions=3).size == len(data) - 16
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
            read_idx(path, dimensions=3)


def test_another_number_of_labels_than_of_images_is_refused(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    path = write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS[:4])
    with pytest.raises(DataError, match=names(path, "expected 6 labels, found 4")):
        items_of(idx(tmp_path))


def test_the_digest_is_the_contents_and_not_the_places(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "here" / "photos-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "here" / "photos-labels-idx1-ubyte", LABELS)
    shutil.copytree(tmp_path / "here", tmp_path / "there" / "deeper")
    assert idx(tmp_path / "here").digest() == idx(tmp_path / "there" / "deeper").digest()


@pytest.mark.parametrize("changed", ["photos-images-idx3-ubyte", "photos-labels-idx1-ubyte"])
def test_one_changed_byte_changes_the_digest(tmp_path: Path, write_idx: WriteIdx, changed: str) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS)
    before = idx(tmp_path).digest()
    data = bytearray((tmp_path / changed).read_bytes())
    data[-1] ^= 1
    (tmp_path / changed).write_bytes(data)
    assert idx(tmp_path).digest() != before


def test_labels_that_are_added_change_the_digest(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    before = idx(tmp_path).digest()
    write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS)
    assert idx(tmp_path).digest() != before


def test_a_missing_path_is_a_usage_error_that_names_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"found nothing at {re.escape(str(tmp_path / 'nowhere'))}; set SOURCE="):
        idx(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"found none; set SOURCE="):
        idx(None)


def test_a_folder_without_idx_files_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"")
    with pytest.raises(UsageError, match=rf"expects files named .*-images-idx3-ubyte.*found none in {tmp_path}"):
        idx(tmp_path)


def test_qmnists_files_become_examples_with_their_split(
    tmp_path: Path, write_idx: WriteIdx, ingest_into: Callable[..., tuple[Examples, dict[str, int]]]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    for split, numbers in {"train": range(20), "test": range(20, 30)}.items():
        write_idx(tmp_path / "q" / f"qmnist-{split}-images-idx3-ubyte.gz", images[numbers.start : numbers.stop])
        rows = np.array([[number % 3, 0, number, 0, 0, 0, 0, 0] for number in numbers], "i4")
        write_labels(tmp_path / "q" / f"qmnist-{split}-labels-idx2-int.gz", rows)
    examples, counts = ingest_into(tmp_path / "run", IdxSource(kind="idx", path=str(tmp_path / "q")))
    assert (counts["train"] + counts["validation"], counts["test"], counts["rejected"]) == (20, 10, 0)
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == ["0", "1", "2"]
