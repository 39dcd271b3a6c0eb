"""The settings of `generate`: how labels with their numbers of images are read, and the name of a set's folder."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.recipe.generate import GenerateSection


def labels_of(text: str) -> Any:
    """Return the setting `labels` that was written as this YAML."""
    return GenerateSection(labels=yaml.safe_load(text)).labels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{shoe: 500, bag: 100}", {"shoe": 500, "bag": 100}),
        ("{shoe:500,bag:100}", {"shoe": 500, "bag": 100}),
        ("{shoe:500, bag: 100}", {"shoe": 500, "bag": 100}),
        ("{7: 5, 0:3, 1:100}", {"7": 5, "0": 3, "1": 100}),
        ("{a:b: 5, c:d:6}", {"a:b": 5, "c:d": 6}),
        ("{'no tumor':5}", {"no tumor": 5}),
        ("balanced", "balanced"),
        ("null", None),
    ],
)
def test_numbers_of_images_by_label_are_read_as_people_write_them(text: str, expected: object) -> None:
    assert labels_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{shoe}", "labels: expected a number of images for each label, found none for shoe"),
        ("{shoe:many}", "labels: expected a number of images for each label, found none for shoe:many"),
        (
            "{1:50}",
            "labels: expected a number of images for each label, found none for 110; put a space after the colon",
        ),
        ("{no: 5}", "labels: expected text as a label, found false; put it in quotes"),
        ("{shoe:5, shoe: 6}", "labels: expected each label once, found shoe twice"),
        ("{shoe:0}", "labels: expected at least 1 image of shoe, found 0"),
        ("{shoe: a few}", "labels: expected at least 1 image of shoe, found 'a few'"),
        ("[shoe]", r"labels: expected balanced, or numbers of images such as {cat: 500, dog: 500}, found \[\"shoe\"\]"),
    ],
)
def test_labels_that_cannot_be_read_are_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labels_of(text)


@given(label=st.text(min_size=1, max_size=400))
def test_a_labels_folder_of_a_set_is_one_name_that_every_file_system_takes(label: str) -> None:
    folder = GenerateSection(label=label, seed=2**63 - 1, temperature=0.123456, drop_unlikely=0.123456).folder
    assert "/" not in folder
    assert not folder.startswith(".")
    assert len(folder.encode()) < 200


def test_a_set_with_a_folder_per_label_is_beside_the_one_without() -> None:
    without, sorted_by_label = (GenerateSection(labels="balanced", label_folders=value) for value in (False, True))
    assert without.folder == "1000-seed0-balanced-png"
    assert sorted_by_label.folder == "1000-seed0-balanced-label-folders-png"


def test_long_labels_that_begin_alike_have_folders_of_their_own() -> None:
    first, second = (GenerateSection(label="x" * 300 + end).folder for end in "ab")
    assert first != second
    assert first == GenerateSection(label="x" * 300 + "a").folder
    assert GenerateSection(label="T-shirt/top").folder == "1000-seed0-T-shirt-top-png"
