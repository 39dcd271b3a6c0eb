"""The shard of an image depends on its content and name, and shards are of bounded size."""

from __future__ import annotations

import math
from itertools import chain

import pytest
from helpers.planned import SPLITS, contents, plan, rows_of
from hypothesis import given
from hypothesis import strategies as st

from components.ingest.plan import SHARD_BYTES, SHARD_RECORDS


@given(images=contents, seed=st.integers(0, 9), height=st.sampled_from([4, 1024]), crops=st.sampled_from([1, 5]))
def test_every_image_is_in_just_one_shard_of_its_split(images: list[bytes], seed: int, height: int, crops: int) -> None:
    rows = rows_of(images)
    units = plan(rows, seed=seed, height=height, width=height, crop="baked", crops_per_image=crops)
    placed = list(chain.from_iterable(unit.rows for unit in units))
    assert sorted(item["key"] for item in placed) == [item["key"] for item in rows]
    assert all(unit.name.startswith(f"Split-{unit.split}/") for unit in units)
    assert len({unit.name for unit in units} | {unit.stem for unit in units}) == 2 * len(units)


@pytest.mark.parametrize("store", ["uint8", "float32"])
@pytest.mark.parametrize("crops", [1, 7])
@pytest.mark.parametrize("size", [4, 28, 512, 1024])
def test_shards_are_bounded_in_records_and_bytes(size: int, crops: int, store: str) -> None:
    rows = rows_of([str(number).encode() for number in range(5_000 if size < 512 else 50)])
    units = plan(rows, channels=3, height=size, width=size, crop="baked", crops_per_image=crops, store=store)
    record_bytes = size * size * 3 * (4 if store == "float32" else 1)
    for unit in units:
        records = len(unit.rows) * (crops if unit.split == "train" else 1)
        assert 0 < records <= SHARD_RECORDS
        assert records * record_bytes <= SHARD_BYTES or len(unit.rows) == 1
    # As few as can be, and of one length, so that workers finish together.
    for split in SPLITS:
        lengths = [len(unit.rows) for unit in units if unit.split == split]
        assert max(lengths) - min(lengths) <= 1
        longer = math.ceil(sum(lengths) / max(1, len(lengths) - 1)) * (crops if split == "train" else 1)
        assert len(lengths) == 1 or longer > SHARD_RECORDS or longer * record_bytes > SHARD_BYTES


def test_shards_are_numbered_as_tfrecords_are() -> None:
    units = plan(rows_of([str(number).encode() for number in range(5_000)]), validation=0.01, test=0.01)
    train = [unit.name for unit in units if unit.split == "train"]
    assert train == [f"Split-train/data_tfrecord-{number:05d}-of-00003" for number in range(3)]


@given(images=contents, data=st.data())
def test_the_order_of_the_listing_changes_nothing(images: list[bytes], data: st.DataObject) -> None:
    rows = rows_of(images)
    shuffled = data.draw(st.permutations(rows))
    assert plan(shuffled, height=1024, width=1024, channels=3) == plan(rows, height=1024, width=1024, channels=3)


def test_neighbours_in_the_sources_are_strangers_in_the_shards_and_the_seed_says_how() -> None:
    rows = rows_of([str(number).encode() for number in range(500)])
    orders = [[item["key"] for unit in plan(rows, seed=seed) for item in unit.rows] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sum(int(b[:5]) - int(a[:5]) == 1 for a, b in zip(orders[0], orders[0][1:], strict=False)) < 10


def test_no_images_make_no_shards() -> None:
    assert plan([]) == []
