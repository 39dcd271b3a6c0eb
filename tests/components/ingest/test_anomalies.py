"""Each anomaly is reported in plain words on one side of its threshold, and not on the other."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.facts_by_hand import DIGITS, OF_SOURCES, facts, split, texts

from components.ingest.anomalies import Anomaly, Kind, anomalies
from components.ingest.facts import SplitFacts
from components.ingest.findings import Findings


def test_of_a_set_like_mnist_there_is_nothing_to_say() -> None:
    assert anomalies(facts()) == []


def test_of_a_set_of_photographs_without_labels_there_is_nothing_to_say() -> None:
    def photographs(images: int) -> SplitFacts:
        return SplitFacts(images=images, images_per_label={}, mean=[0.6, 0.5, 0.5], deviation=[0.3, 0.3, 0.3])

    facts_of_set = facts(
        train=photographs(1_800),
        validation=photographs(100),
        test=photographs(100),
        channels=3,
        grey=20,
        distinct=2_000,
        smaller=12,
        rejected={"truncated": 1},
        largest_group=4,
    )
    assert anomalies(facts_of_set) == []


def test_of_no_images_there_is_nothing_to_say() -> None:
    none = split(0)
    assert anomalies(facts(train=none, validation=none, test=none, distinct=0, grey=0)) == []


CASES = [
    (
        Kind.IDENTICAL,
        {"distinct": 1},
        {"distinct": 70_000},
        "All images are identical: there is nothing to learn but one image.",
    ),
    (
        Kind.FLAT,
        {"train": split(54_000, deviation=0.001, mean=0.13)},
        {"train": split(54_000, deviation=0.02)},
        "The images are all but of one brightness: their pixels deviate by 0.001 from a mean of 0.130, "
        "on a scale from 0 to 1.",
    ),
    (
        Kind.FEW_IMAGES,
        {"train": split(999)},
        {"train": split(1_000)},
        "There are 999 training images: expect little variety in new ones; some thousand teach more.",
    ),
    (
        Kind.FEW_IN_SPLIT,
        {"validation": split(19)},
        {"validation": split(20)},
        "The validation split has 19 images: its loss will be noisy; preprocess.validation can be raised.",
    ),
    (
        Kind.FEW_IN_SPLIT,
        {"test": split(1)},
        {"test": split(20)},
        "The test split has 1 image: what is measured on it will be uncertain.",
    ),
    (
        Kind.FEW_IN_CLASS,
        {"train": split(54_000, {**DIGITS, "hat": 9})},
        {"train": split(54_000, {**dict.fromkeys(DIGITS, 150), "hat": 10})},
        "The class `hat` has 9 training images: too few to learn from.",
    ),
    (
        Kind.FEW_IN_CLASS,
        {"train": split(54_000, {"hat": 1, "scarf": 9})},
        {"train": split(54_000, {"hat": 10, "scarf": 10})},
        "2 classes have fewer than 10 training images, too few to learn from: `hat` (1) and `scarf` (9).",
    ),
    (
        Kind.IMBALANCE,
        {"train": split(54_000, {"hat": 100, "shoes": 2_000, "coat": 500})},
        {"train": split(54_000, {"hat": 100, "shoes": 1_999, "coat": 500})},
        "The class `shoes` has 20 times as many training images as `hat` (2,000 and 100): "
        "new images will rarely look like the latter.",
    ),
    (
        Kind.UNTRAINED_CLASS,
        {"test": split(10_000, {**DIGITS, "shoes": 1})},
        {"test": split(10_000, {**DIGITS, "shoes": 0})},
        "The label `shoes` is only in the test split: no training image has it.",
    ),
    (
        Kind.UNTRAINED_CLASS,
        {"test": split(10_000, {"shoes": 1}), "validation": split(6_000, {"shoes": 4})},
        {"test": split(10_000, {"1": 1}), "validation": split(6_000, {"2": 4})},
        "The label `shoes` is only in the validation and test splits: no training image has it.",
    ),
    (
        Kind.UNTRAINED_CLASS,
        {"test": split(10_000, dict.fromkeys("abcde", 1))},
        {"test": split(10_000, {})},
        "5 labels have no training image: `a` (test), `b` (test), `c` (test) and 2 more.",
    ),
    (
        Kind.UNTRAINED_CLASS,
        {"train": split(54_000, {**DIGITS, "hat": 0, "cap": 0})},
        {"train": split(54_000, {**DIGITS, "hat": 10})},
        "No image of the classes `hat` and `cap` could be used: rejected.parquet says why.",
    ),
    (
        Kind.SMALLER,
        {"smaller": 28_000, "height": 128, "width": 96, "fitting": (64, 48)},
        {"smaller": 7_000, "height": 128, "width": 96, "fitting": (64, 48)},
        "40% of the images are smaller than 96 × 128 pixels and were enlarged: they will look soft; "
        "preprocess.height=64 preprocess.width=48 would fit most.",
    ),
    (
        Kind.GREY,
        {"channels": 3, "grey": 70_000},
        {"channels": 1, "grey": 70_000},
        "RGB was asked for, but all images are grey: preprocess.channels=1 would train faster.",
    ),
    (
        Kind.GREY,
        {"channels": 3, "grey": 69_300},
        {"channels": 3, "grey": 69_299},
        "RGB was asked for, but 99% of the images are grey: preprocess.channels=1 would train faster.",
    ),
    (
        Kind.SHIFT,
        {"test": split(10_000, mean=0.19)},
        {"test": split(10_000, mean=0.17)},
        "The test images are brighter than the training images (mean 0.19 and 0.13, on a scale from 0 to 1): "
        "what is measured on them says less about the others.",
    ),
    (
        Kind.SHIFT,
        {"validation": split(6_000, mean=0.07)},
        {"validation": split(100, mean=0.07)},  # so few that it may be chance
        "The validation images are darker than the training images (mean 0.07 and 0.13, on a scale from 0 to 1): "
        "what is measured on them says less about the others.",
    ),
    (
        Kind.COPIES,
        {"distinct": 66_499},
        {"distinct": 66_500},
        "3,501 of 70,000 images are exact copies of others and count more than once: 66,499 are different.",
    ),
    (
        Kind.COPIES,
        {"dropped": 30_000},
        {"dropped": 3_684},
        "30,000 of 100,000 images are exact copies of others and were left out: 70,000 are different.",
    ),
    (
        Kind.CROWD,
        {"largest_group": 3_500},
        {"largest_group": 3_499},
        "3,500 of 70,000 images are one group of near-duplicates: so many look alike without being copies, "
        "and a smaller distance, or none, would keep them apart.",
    ),
    (
        Kind.CROWD,
        {"train": split(60), "validation": split(20), "test": split(20), "distinct": 100, "largest_group": 20},
        {"train": split(60), "validation": split(20), "test": split(20), "distinct": 100, "largest_group": 19},
        "20 of 100 images are one group of near-duplicates: so many look alike without being copies, "
        "and a smaller distance, or none, would keep them apart.",
    ),
    (
        Kind.REJECTED,
        {"rejected": {"truncated": 700, "corrupt": 8}},
        {"rejected": {"truncated": 700, "corrupt": 7}},
        "708 of 70,708 files could not be used (truncated 700, corrupt 8): rejected.parquet lists them.",
    ),
    (
        Kind.PROFILES,
        {"profiles_ignored": 2},
        {"profiles_ignored": 0},
        "2 images have colour profiles that are broken or for another kind of image: their colours were taken as sRGB.",
    ),
    (
        Kind.PROFILES,
        {"profiles_ignored": 1},
        {"profiles_ignored": 0},
        "1 image has a colour profile that is broken or for another kind of image: its colours were taken as sRGB.",
    ),
    (
        Kind.ANIMATED,
        {"animated": 12, "frames_unused": 108},
        {"animated": 0, "frames_unused": 0},
        "12 files have several frames or pages, of which only the first was taken: 108 are not used. To use them, write each as "
        "a file; preprocess.animated=reject leaves such files out.",
    ),
    (
        Kind.ANIMATED,
        {"animated": 1, "frames_unused": 1},
        {"animated": 0, "frames_unused": 0},
        "1 file has several frames or pages, of which only the first was taken: 1 is not used. To use them, write each as "
        "a file; preprocess.animated=reject leaves such files out.",
    ),
]


@pytest.mark.parametrize(("kind", "odd", "well", "text"), CASES)
def test_a_sentence_is_there_beyond_its_threshold_and_not_before(
    kind: Kind, odd: dict[str, Any], well: dict[str, Any], text: str
) -> None:
    assert Anomaly(kind, text) in anomalies(facts(**odd))
    assert text not in texts(facts(**well))
    assert kind not in {anomaly.kind for anomaly in anomalies(facts(**well))}


def test_every_kind_is_tested_on_both_sides_and_reported_in_order() -> None:
    assert {kind for kind, *_ in CASES} == set(Kind) - OF_SOURCES
    everything = facts(
        train=split(900, {"hat": 3, "coat": 10, "shoes": 800}, mean=0.999, deviation=0.001),
        validation=split(3, {"scarf": 3}, mean=0.1),
        channels=3,
        smaller=10_000,
        grey=70_000,
        distinct=10_000,
        largest_group=5_000,
        rejected={"empty": 1_000},
        profiles_ignored=3,
        animated=2,
        frames_unused=9,
        findings=Findings(
            two_labels={("hat", "coat"): 1},
            vanished={"cap": (1, ("hat",))},
            unlabelled=(1, "a.png"),
            straddling=1,
            unused=["The folder test is not used."],
            modern={"an AVIF image": 1},
            left_out={"a link to a folder": (1, "b")},
        ),
    )
    kinds = [anomaly.kind for anomaly in anomalies(everything)]
    assert kinds == sorted(kinds, key=list(Kind).index)
    assert set(kinds) == set(Kind) - {Kind.IDENTICAL}


@pytest.mark.parametrize(
    ("mean", "look"), [(0.0, "black"), (0.019, "black"), (0.02, "of one brightness"), (0.99, "white")]
)
def test_images_that_show_nothing_are_called_what_they_look_like(mean: float, look: str) -> None:
    [text] = texts(facts(**{name: split(10_000, mean=mean, deviation=0.0) for name in ("train", "validation", "test")}))
    assert text.startswith(f"The images are all but {look}: ")


def test_one_channel_with_contrast_is_enough() -> None:
    red = SplitFacts(images=54_000, images_per_label={}, mean=[0.5, 0.0, 0.0], deviation=[0.2, 0.0, 0.0])
    same = dict.fromkeys(("train", "validation", "test"), red)
    assert Kind.FLAT not in {anomaly.kind for anomaly in anomalies(facts(**same, channels=3, grey=0))}


def test_copies_that_were_left_out_of_one_image_leave_identical_images() -> None:
    alone = facts(train=split(1), validation=split(0), test=split(0), distinct=1, dropped=499)
    assert texts(alone)[0] == "All images are identical: there is nothing to learn but one image."
    single = facts(train=split(1), validation=split(0), test=split(0), distinct=1)
    assert Kind.IDENTICAL not in {anomaly.kind for anomaly in anomalies(single)}


def test_a_class_with_too_few_images_is_not_also_called_imbalanced() -> None:
    of_hat = anomalies(facts(train=split(54_000, {"hat": 3, "coat": 500})))
    assert [anomaly.kind for anomaly in of_hat if "hat" in anomaly.text] == [Kind.FEW_IN_CLASS]
