"""The split and the shard of an image depend on content and name, not on other images or their order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.ingest.catalogue import LISTED, Catalogue
from components.ingest.plan import SHARD_BYTES, SHARD_RECORDS, assign_splits, fill_empty_splits, plan_shards, split_of
from schemas.artifacts import tables
from schemas.recipe.preprocess import PreprocessSettings

SPLITS = ("train", "validation", "test")
contents = st.lists(st.binary(max_size=8), max_size=60)
own_splits = st.sampled_from([None, "train", "validation", "test"])
held_out = st.sets(st.sampled_from(["validation", "test"]))
Row = dict[str, Any]


THIRDS = PreprocessSettings(validation=0.3, test=0.3)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def row(number: int, content: bytes, *, own_split: str | None = None, perceptual: int | None = None) -> Row:
    """Return an image of the listing."""
    return {"key": f"{number:05d}.png", "sha256": sha256(content), "own_split": own_split, "perceptual": perceptual}


def rows_of(images: Sequence[bytes]) -> list[Row]:
    """Images with these contents, named by their place."""
    return [row(number, content) for number, content in enumerate(images)]


@dataclass(frozen=True)
class Shard:
    """A planned shard."""

    split: str
    name: str
    stem: str
    rows: tuple[Row, ...]


def plan(rows: Sequence[Row], *, seed: int = 0, **settings: Any) -> list[Shard]:
    """Deals images to shards; duplicates are kept unless the settings say otherwise."""
    preprocess = PreprocessSettings(**{"duplicates": "keep", **settings})
    fixed = {"source": 0, "format": "PNG", "width": 3, "height": 5, "bytes": 7}
    with TemporaryDirectory() as name:
        folder = Path(name)
        tables.write_rows(folder / "listed.parquet", [{**fixed, **row} for row in rows], LISTED)
        with Catalogue(folder / "catalogue.sqlite") as catalogue:
            catalogue.add(folder / "listed.parquet")
            assign_splits(catalogue, preprocess, seed=seed)
            fill_empty_splits(catalogue, preprocess)
            units = plan_shards(catalogue, preprocess, folder=folder)
        assert all(unit.images == len(unit.rows()) and unit.pixels == 15 * unit.images for unit in units)
        return [Shard(unit.split, unit.name, unit.stem, tuple(unit.rows())) for unit in units]


def splits_by_key(units: Sequence[Shard]) -> dict[str, str]:
    """Return the split of each image."""
    return {row["key"]: unit.split for unit in units for row in unit.rows}


@given(content=st.binary(max_size=16), own_split=own_splits, others=held_out)
def test_the_split_depends_on_nothing_but_the_content(content: bytes, own_split: str | None, others: set[str]) -> None:
    preprocess = PreprocessSettings(validation=0.3, test=0.3)
    split = split_of(sha256(content), own_split, own_splits=others, preprocess=preprocess)
    assert split in SPLITS
    # What an image is made into does not decide where it goes.
    other = PreprocessSettings(
        validation=0.3, test=0.3, height=64, crop="baked", normalise="symmetric", store="float32"
    )
    assert split_of(sha256(content), own_split, own_splits=others, preprocess=other) == split


@given(images=contents, added=contents)
def test_adding_images_moves_none_to_another_split_where_none_was_empty(
    images: list[bytes], added: list[bytes]
) -> None:
    drawn = {split_of(sha256(image), None, own_splits=(), preprocess=THIRDS) for image in images}
    assume(drawn == set(SPLITS))
    before = splits_by_key(plan(rows_of(images), validation=0.3, test=0.3))
    after = splits_by_key(plan(rows_of(images + added), validation=0.3, test=0.3))
    assert {key: after[key] for key in before} == before


@given(images=contents, twice=contents)
def test_images_of_the_same_bytes_are_in_the_same_split(images: list[bytes], twice: list[bytes]) -> None:
    rows = rows_of(images + twice + twice)
    splits = splits_by_key(plan(rows, validation=0.3, test=0.3))
    by_content: dict[str, set[str]] = {}
    for item in rows:
        by_content.setdefault(item["sha256"], set()).add(splits[item["key"]])
    assert all(len(different) == 1 for different in by_content.values())


@pytest.mark.parametrize(("validation", "test"), [(0.05, 0.1), (0.2, 0.2), (0.45, 0.45)])
def test_the_shares_are_approached(validation: float, test: float) -> None:
    count = 20_000
    units = plan(rows_of([str(number).encode() for number in range(count)]), validation=validation, test=test)
    shares = {split: sum(len(unit.rows) for unit in units if unit.split == split) / count for split in SPLITS}
    assert shares["validation"] == pytest.approx(validation, abs=0.01)
    assert shares["test"] == pytest.approx(test, abs=0.01)
    assert shares["train"] == pytest.approx(1 - validation - test, abs=0.02)


def test_raising_the_test_share_takes_no_image_out_of_test_or_validation() -> None:
    rows = rows_of([str(number).encode() for number in range(2_000)])
    few, many = (splits_by_key(plan(rows, validation=0.1, test=share)) for share in (0.1, 0.3))
    assert all(many[key] == split for key, split in few.items() if split != "train")
    assert few != many


def test_another_salt_divides_the_images_another_way() -> None:
    rows = rows_of([str(number).encode() for number in range(500)])
    one, again, other = (splits_by_key(plan(rows, split_salt=salt)) for salt in ("a", "a", "b"))
    assert one == again != other


def test_the_seed_divides_the_images_no_other_way() -> None:
    rows = rows_of([str(number).encode() for number in range(500)])
    assert splits_by_key(plan(rows, seed=1)) == splits_by_key(plan(rows, seed=2))


@given(content=st.binary(max_size=16), others=held_out)
def test_a_sources_own_validation_and_test_splits_are_kept_and_none_is_added_to(
    content: bytes, others: set[str]
) -> None:
    preprocess = PreprocessSettings(validation=0.4, test=0.4)

    def split(own_split: str | None) -> str:
        return split_of(sha256(content), own_split, own_splits=others, preprocess=preprocess)

    assert split("test") == "test"
    assert split("validation") == "validation"
    drawn = split(None)
    assert split("train") == ("train" if drawn in others else drawn)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (["validation", "test"], {"train": 2_000}),
        (["validation"], {"train": 1_400, "test": 600}),
        (["test"], {"train": 1_600, "validation": 400}),
        ([], {"train": 1_000, "validation": 400, "test": 600}),
    ],
)
def test_shares_are_taken_of_a_sources_training_split_for_the_splits_that_it_has_not_got(
    held: list[str], expected: dict[str, int]
) -> None:
    rows = [row(number, str(number).encode(), own_split="train") for number in range(2_000)]
    rows += [row(2_000 + number, f"held {number}".encode(), own_split=split) for number, split in enumerate(held)]
    # Another source with all splits says nothing of this one.
    rows += [{**row(3_000 + n, f"other {n}".encode(), own_split=split), "source": 1} for n, split in enumerate(SPLITS)]
    splits = [split for key, split in splits_by_key(plan(rows, validation=0.2, test=0.3)).items() if key < "02000.png"]
    counts = {split: splits.count(split) for split in set(splits)}
    assert counts == pytest.approx(expected, abs=60)


def test_of_a_sources_own_training_split_a_validation_share_is_taken() -> None:
    rows = [row(number, str(number).encode(), own_split="train") for number in range(2_000)]
    rows += [row(2_000 + number, str(number).encode(), own_split="test") for number in range(100)]
    splits = list(splits_by_key(plan(rows, validation=0.2, test=0.3)).values())
    assert splits.count("test") == 100
    assert splits.count("validation") == pytest.approx(400, abs=60)


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


@given(images=contents, twice=contents)
def test_of_images_with_the_same_bytes_one_is_kept_and_the_others_are_listed(
    images: list[bytes], twice: list[bytes]
) -> None:
    rows = rows_of(images + twice + twice)
    planned = {item["key"]: item for unit in plan(rows, duplicates="drop") for item in unit.rows}
    first: dict[str, str] = {}
    for item in rows:
        first.setdefault(item["sha256"], item["key"])
    assert sorted(planned) == sorted(first.values())


def test_a_duplicate_of_a_sources_own_test_image_is_dropped_from_training() -> None:
    rows = [row(0, b"same", own_split="train"), row(1, b"same", own_split="test"), row(2, b"other", own_split="train")]
    splits = splits_by_key(plan(rows, duplicates="drop"))
    assert sorted(splits) == ["00001.png", "00002.png"]
    assert splits["00001.png"] == "test"


def test_a_duplicate_of_a_sources_own_validation_image_is_dropped_from_training_and_kept_out_of_test() -> None:
    rows = [row(0, b"same", own_split="train"), row(1, b"same", own_split="validation"), row(2, b"other")]
    rows += [row(3, b"both", own_split="validation"), row(4, b"both", own_split="test")]
    splits = splits_by_key(plan(rows, duplicates="drop"))
    assert (sorted(splits), splits["00001.png"]) == (["00001.png", "00002.png", "00004.png"], "validation")
    assert splits["00004.png"] == "test"


@given(
    looks=st.lists(
        st.tuples(
            st.sampled_from([0, -1, 0x5555_5555_5555_5555, 0x3333_3333_3333_3333]), st.integers(0, 63), own_splits
        ),
        max_size=40,
    )
)
def test_near_duplicates_are_all_in_one_split(looks: list[tuple[int, int, str | None]]) -> None:
    # Each is within a bit of one of four looks, which are far from each other.
    def bit(number: int) -> int:
        return 1 << number if number < 63 else -(1 << 63)

    rows = [
        row(number, str(number).encode(), own_split=split, perceptual=look ^ bit(place))
        for number, (look, place, split) in enumerate(looks)
    ]
    splits = splits_by_key(plan(rows, near_duplicates=2, validation=0.3, test=0.3))
    for look in {look for look, _, _ in looks}:
        members = [number for number, (other, _, _) in enumerate(looks) if other == look]
        own = {looks[number][2] for number in members}
        (split,) = {splits[f"{number:05d}.png"] for number in members}
        assert split == "test" if "test" in own else split == "validation" if "validation" in own else split in SPLITS


def test_images_that_are_no_near_duplicates_are_divided_as_ever() -> None:
    rows = [row(number, str(number).encode(), perceptual=number * 0x0123_4567_89AB) for number in range(300)]
    assert splits_by_key(plan(rows, near_duplicates=0)) == splits_by_key(plan(rows))


# --- no split is left empty --------------------------------------------------------------------------------------------


def counts_of(splits: dict[str, str]) -> dict[str, int]:
    """Return the number of images in each split."""
    return {split: list(splits.values()).count(split) for split in SPLITS}


@given(
    images=st.sets(st.binary(max_size=8), min_size=3, max_size=12).map(sorted),
    validation=st.floats(0.001, 0.49),
    test=st.floats(0.001, 0.49),
    data=st.data(),
)
def test_three_images_fill_all_splits_the_same_in_any_order(
    images: list[bytes], validation: float, test: float, data: st.DataObject
) -> None:
    rows = rows_of(images)
    splits = splits_by_key(plan(rows, validation=validation, test=test))
    assert set(splits.values()) == set(SPLITS)
    assert splits_by_key(plan(data.draw(st.permutations(rows)), validation=validation, test=test)) == splits


@given(images=st.sets(st.binary(max_size=8), max_size=60).map(sorted))
def test_only_a_split_without_images_is_added_to(images: list[bytes]) -> None:
    splits = splits_by_key(plan(rows_of(images), validation=0.3, test=0.3))
    drawn = {key: split_of(sha256(image), None, own_splits=(), preprocess=THIRDS) for key, image in _keyed(images)}
    moved = {key for key, split in drawn.items() if splits[key] != split}
    assert {splits[key] for key in moved}.isdisjoint(drawn.values())
    if set(drawn.values()) == set(SPLITS) or len(images) < 3:
        assert not moved


def _keyed(images: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"{number:05d}.png", image) for number, image in enumerate(images)]


def test_an_empty_split_gets_its_share_of_the_images_with_the_nearest_draws() -> None:
    # These 100 images would all be drawn for training.
    few = PreprocessSettings(validation=0.1, test=0.1)
    numbers = (str(number).encode() for number in range(1_000))
    training = [image for image in numbers if split_of(sha256(image), None, own_splits=(), preprocess=few) == "train"][
        :100
    ]
    splits = splits_by_key(plan(rows_of(training), validation=0.1, test=0.1))
    assert counts_of(splits) == {"train": 80, "validation": 10, "test": 10}

    def draw(image: bytes) -> float:
        return int(hashlib.sha256(f"/{sha256(image)}".encode()).hexdigest()[:16], 16) / 2**64

    in_order = [splits[f"{training.index(image):05d}.png"] for image in sorted(training, key=draw)]
    assert in_order == ["validation"] * 10 + ["test"] * 10 + ["train"] * 80


def test_copies_and_near_duplicates_move_together_to_an_empty_split() -> None:
    rows = [row(number, b"same", perceptual=0) for number in range(3)]
    rows += [row(3 + number, str(number).encode(), perceptual=0xFFFF) for number in range(3)]
    rows += [row(6, b"other", perceptual=0xFFFF_FFFF_0000)]
    splits = splits_by_key(plan(rows, near_duplicates=2, validation=0.01, test=0.01))
    groups = [{splits[f"{number:05d}.png"] for number in numbers} for numbers in ((0, 1, 2), (3, 4, 5), (6,))]
    assert sorted(map(sorted, groups)) == [["test"], ["train"], ["validation"]]


def test_images_that_the_source_holds_out_stay_where_they_are() -> None:
    rows = [row(number, str(number).encode(), own_split="train") for number in range(3)]
    rows += [row(3 + number, f"held {number}".encode(), own_split="test") for number in range(9)]
    splits = splits_by_key(plan(rows, validation=0.01))
    assert counts_of(splits) == {"train": 2, "validation": 1, "test": 9}
    assert {splits[f"{number:05d}.png"] for number in range(3, 12)} == {"test"}


def test_two_images_do_not_fill_three_splits() -> None:
    splits = splits_by_key(plan(rows_of([b"a", b"b"]), validation=0.01, test=0.01))
    assert counts_of(splits) == {"train": 2, "validation": 0, "test": 0}
    held = [row(0, b"a", own_split="train"), *(row(1 + n, bytes([n]), own_split="test") for n in range(5))]
    assert counts_of(splits_by_key(plan(held, validation=0.01))) == {"train": 1, "validation": 0, "test": 5}


def test_no_images_make_no_shards() -> None:
    assert plan([]) == []
