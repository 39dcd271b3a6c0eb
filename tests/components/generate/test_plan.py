"""The plan of a set: every image once, in whole blocks, in the same files for any number of shards."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components.generate.plan import (
    FILE_BYTES,
    FILES_PER_FOLDER,
    NAME_BYTES,
    deal,
    folder_of,
    folders_of,
    image_name,
    plan_files,
)
from schemas.recipe.generate import BLOCK

counts = st.integers(1, 200_000)
sizes = st.integers(1, 10_000_000)  # bytes of an image
some_indices = st.sets(st.integers(0, 10**7), min_size=1, max_size=50).map(sorted)


@given(indices=counts.map(range) | some_indices, image_bytes=sizes)
@example(indices=range(BLOCK + 1), image_bytes=FILE_BYTES)
def test_the_files_hold_every_image_of_the_set_once_and_in_order(indices: list[int] | range, image_bytes: int) -> None:
    files = plan_files(indices, image_bytes=image_bytes)
    assert [index for file in files for part in file.parts for index in part.indices] == list(indices)
    assert [file.first for file in files] == [sum(before.images for before in files[:n]) for n in range(len(files))]
    assert [file.number for file in files] == list(range(len(files)))
    assert {file.of for file in files} == {len(files)}


@given(indices=counts.map(range) | some_indices, image_bytes=sizes)
def test_images_are_made_in_the_block_that_their_index_gives_them(indices: list[int] | range, image_bytes: int) -> None:
    for file in plan_files(indices, image_bytes=image_bytes):
        assert all(part.start % BLOCK == 0 and 0 <= min(part.rows) <= max(part.rows) < BLOCK for part in file.parts)


@given(count=counts, image_bytes=sizes)
def test_a_file_has_one_block_or_at_most_the_bytes_of_a_file(count: int, image_bytes: int) -> None:
    for file in plan_files(range(count), image_bytes=image_bytes):
        assert file.images <= BLOCK or file.images * image_bytes <= FILE_BYTES


@given(count=counts, shards=st.none() | st.integers(1, 2000))
def test_shards_share_the_files_evenly_and_change_none(count: int, shards: int | None) -> None:
    files = plan_files(range(count), image_bytes=10_000)
    units = deal(files, shards)
    assert [file for unit in units for file in unit.files] == files
    assert len(units) == min(shards or len(files), len(files))
    sizes = [len(unit.files) for unit in units]
    assert max(sizes) - min(sizes) <= 1


def test_an_empty_set_has_no_shards() -> None:
    assert deal([], None) == []


@given(index=st.integers(0, 10**8 - 2))
def test_an_images_file_is_its_own_and_sorts_after_the_one_before(index: int) -> None:
    assert image_name(index, suffix="png") < image_name(index + 1, suffix="png")


@pytest.mark.parametrize(
    ("index", "label", "name"),
    [
        (0, None, "images/0000/00000000.png"),
        (12_345, None, "images/0001/00012345.png"),
        (12_345, "T-shirt/top", "images/T-shirt_top/00012345.png"),
        (1, "../../etc", "images/_.._.._etc/00000001.png"),
    ],
)
def test_an_images_file_is_named_by_its_index_and_its_label(index: int, label: str | None, name: str) -> None:
    assert image_name(index, suffix="png", folder=None if label is None else folder_of(label)) == name


@given(label=st.text())
@example(label="..")
@example(label="")
@example(label="/")
def test_a_labels_folder_is_valid_on_any_file_system_and_not_hidden(label: str) -> None:
    folder = folder_of(label)
    assert folder.strip(". ") == folder.strip(" ").strip(". ")
    assert folder
    assert "/" not in folder
    assert not folder.startswith(".")
    assert len(folder.encode()) <= NAME_BYTES


@pytest.mark.parametrize("letter", ["x", "猫"])
def test_a_label_that_is_too_long_for_a_folder_ends_in_its_hash(letter: str) -> None:
    longest, longer, other = letter * (NAME_BYTES // len(letter.encode())), letter * 300, letter * 301
    assert folder_of(longest) == longest
    assert folder_of(longer) == folder_of(longer) != folder_of(other)
    assert folder_of(longer).startswith(letter * 80)


@given(labels=st.lists(st.text("a/_:.-", max_size=4), unique=True))
@example(labels=["a/b", "a_b", "a:b", "a_b-c14cddc0", folder_of("x" * 300), "x" * 300])
def test_no_two_labels_share_a_folder(labels: list[str]) -> None:
    folders = folders_of(labels)
    assert sorted(folders) == sorted(labels)
    assert len(set(folders.values())) == len(labels)


def test_a_labels_folder_has_a_hash_only_where_another_label_has_its_name() -> None:
    assert folders_of(["cat", "a/c"]) == {"cat": "cat", "a/c": "a_c"}
    folders = folders_of(["a/b", "a_b", "cat"])
    assert (folders["a_b"], folders["cat"]) == ("a_b", "cat")
    assert folders["a/b"].startswith("a_b-")


def test_no_folder_holds_too_many_files() -> None:
    folders = [image_name(index, suffix="png").rsplit("/", 1)[0] for index in range(3 * FILES_PER_FOLDER)]
    assert {folders.count(folder) for folder in set(folders)} == {FILES_PER_FOLDER}


def test_consecutive_blocks_are_consecutive() -> None:
    parts = [part for file in plan_files(range(3000), image_bytes=784) for part in file.parts]
    assert all(after.start - before.start == BLOCK for before, after in pairwise(parts))
