"""IDX files: read as MNIST ships them, with their labels and splits."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers.idx_files import IMAGES, LABELS, Array, WriteIdx, endings, idx
from helpers.read_through import images_of, items_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from components.sources import ReadError
from components.sources import idx as module


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


def test_a_file_that_is_another_when_it_is_read_again_is_one_image_that_cannot_be_read(
    tmp_path: Path, write_idx: WriteIdx
) -> None:
    path = write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    source = idx(tmp_path)
    places = [item.place or "" for item in items_of(source)]
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(source.read(places[-2]), IMAGES[-2])
    with pytest.raises(ReadError, match="the file has become shorter"):
        source.read(places[-1])
    path.write_bytes(b"gone")
    with pytest.raises(ReadError, match="listed, then another file"):
        source.read(places[0])


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


def test_one_file_can_be_given_instead_of_a_folder(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    other = write_idx(tmp_path / "drawings-images-idx3-ubyte", IMAGES[:2])
    assert len(items_of(idx(other))) == 2


def test_an_archive_that_was_also_unpacked_beside_itself_is_read_once(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte.gz", IMAGES)
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    assert len(items_of(idx(tmp_path))) == len(IMAGES)


@given(values=arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), packed=st.booleans())
def test_what_is_written_is_read_back(write_idx: WriteIdx, values: Array, packed: bool) -> None:
    with TemporaryDirectory() as folder:
        path = write_idx(Path(folder) / ("values.gz" if packed else "values"), values)
        np.testing.assert_array_equal(list(images_of(idx(path)).values()), values)


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


def test_a_folder_that_names_another_split_changes_the_digest(tmp_path: Path, write_idx: WriteIdx) -> None:
    for folder in ("train", "val"):
        write_idx(tmp_path / folder / "images-idx3-ubyte", IMAGES)
    before = idx(tmp_path).digest()
    (tmp_path / "val").rename(tmp_path / "test")
    assert {item.split for item in items_of(idx(tmp_path))} == {"train", "test"}
    assert idx(tmp_path).digest() != before


def test_labels_that_are_added_change_the_digest(tmp_path: Path, write_idx: WriteIdx) -> None:
    write_idx(tmp_path / "photos-images-idx3-ubyte", IMAGES)
    before = idx(tmp_path).digest()
    write_idx(tmp_path / "photos-labels-idx1-ubyte", LABELS)
    assert idx(tmp_path).digest() != before
