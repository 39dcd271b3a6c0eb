"""Which images are made together: every image once, in whole blocks, however many shards are wanted."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.generate.plan import BLOCK, FILES_PER_FOLDER, SHARD_BLOCKS, plan_shards, png_name

quick = settings(deadline=None)
counts = st.integers(1, 200_000)
wanted = st.none() | st.integers(1, 2000)


@quick
@given(count=counts, shards=wanted)
@example(count=BLOCK, shards=7)
@example(count=BLOCK + 1, shards=7)
def test_the_shards_cover_every_image_once_and_in_order(count: int, shards: int | None) -> None:
    units = plan_shards(count, shards)
    assert units[0].start == 0
    assert units[-1].stop == count
    assert all(unit.start < unit.stop for unit in units)
    assert all(before.stop == after.start for before, after in pairwise(units))


@quick
@given(count=counts, shards=wanted)
def test_every_shard_begins_with_a_block(count: int, shards: int | None) -> None:
    assert all(unit.start % BLOCK == 0 for unit in plan_shards(count, shards))


@quick
@given(count=counts, shards=st.integers(1, 2000))
def test_there_are_as_many_shards_as_wanted_but_never_more_than_blocks(count: int, shards: int) -> None:
    assert len(plan_shards(count, shards)) == min(shards, math.ceil(count / BLOCK))


@quick
@given(count=counts, shards=wanted)
def test_no_shard_has_two_blocks_more_than_another(count: int, shards: int | None) -> None:
    blocks = [math.ceil((unit.stop - unit.start) / BLOCK) for unit in plan_shards(count, shards)]
    assert max(blocks) - min(blocks) <= 1


@quick
@given(count=counts)
def test_unless_told_a_shard_is_never_larger_than_the_default(count: int) -> None:
    assert all(unit.stop - unit.start <= SHARD_BLOCKS * BLOCK for unit in plan_shards(count, None))


@quick
@given(count=counts, shards=wanted)
def test_shards_are_numbered_and_named_one_by_one(count: int, shards: int | None) -> None:
    units = plan_shards(count, shards)
    assert [unit.number for unit in units] == list(range(len(units)))
    assert {unit.of for unit in units} == {len(units)}
    assert sorted({unit.parquet_name for unit in units}) == [unit.parquet_name for unit in units]


@quick
@given(index=st.integers(0, 10**8 - 2))
def test_an_images_file_is_its_own_and_sorts_after_the_one_before(index: int) -> None:
    assert png_name(index) < png_name(index + 1)


@pytest.mark.parametrize(("index", "name"), [(0, "images/0000/00000000.png"), (12_345, "images/0001/00012345.png")])
def test_an_images_file_is_named_by_its_index(index: int, name: str) -> None:
    assert png_name(index) == name


def test_no_folder_holds_more_files_than_a_file_system_likes() -> None:
    folders = [png_name(index).rsplit("/", 1)[0] for index in range(3 * FILES_PER_FOLDER)]
    assert {folders.count(folder) for folder in set(folders)} == {FILES_PER_FOLDER}
