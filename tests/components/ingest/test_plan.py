"""The split of an image depends on its content, not on other images or their order."""

from __future__ import annotations

import pytest
from helpers.planned import SPLITS, contents, plan, row, rows_of, sha256, splits_by_key
from hypothesis import assume, given
from hypothesis import strategies as st

from components.ingest.plan import split_of
from schemas.recipe.preprocess import PreprocessSettings

own_splits = st.sampled_from([None, "train", "validation", "test"])
held_out = st.sets(st.sampled_from(["validation", "test"]))


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
    drawn = {
        split_of(sha256(image), None, own_splits=(), preprocess=PreprocessSettings(validation=0.3, test=0.3))
        for image in images
    }
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
