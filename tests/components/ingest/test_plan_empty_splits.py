"""No split is left empty where three images or more could fill it."""

from __future__ import annotations

import hashlib

from helpers.planned import SPLITS, plan, row, rows_of, sha256, splits_by_key
from hypothesis import given
from hypothesis import strategies as st

from components.ingest.plan import split_of
from schemas.recipe.preprocess import PreprocessSettings

THIRDS = PreprocessSettings(validation=0.3, test=0.3)


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
