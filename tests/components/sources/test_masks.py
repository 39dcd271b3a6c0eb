"""Masks and small copies are found by the names of files and folders, and classes are not taken for them."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.layout import folders_of
from components.sources.masks import Masks, find_masks, left_out_masks, trained_on_masks


def masks_in(names: list[str]) -> list[Masks]:
    """Return the masks among these names."""
    return find_masks(lambda: names, folders_of(names))


def left(names: list[str]) -> list[str]:
    """Return the names that no pattern matches."""
    patterns = [pattern for masks in masks_in(names) for pattern in masks.patterns]
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]


def numbered(*names: str, count: int = 10) -> list[str]:
    """Return each name with each number in it."""
    return [name.format(number) for name in names for number in range(count)]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("benign/benign ({}).png", "benign/benign ({})_mask.png"),
        ("benign/benign ({}).png", "benign/benign ({})_mask_1.png"),
        ("{}.jpg", "{}_mask.png"),
        ("{}.jpg", "{}_seg.png"),
        ("{}.jpg", "{}_gt.png"),
        ("{}.jpg", "{}_label.png"),
        ("{}.jpg", "{}-GroundTruth.bmp"),
        ("{}.jpg", "{}.mask.png"),
        ("{}_sat.jpg", "{}_mask.png"),
        ("img_{}.png", "mask_{}.png"),
        ("train/a{}_jpg.rf.2f.jpg", "train/a{}_jpg.rf.2f_mask.png"),
        ("ISIC_{}.jpg", "ISIC_{}_superpixels.png"),
        ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"),
        ("data/images/{}.png", "data/masks/{}.png"),
        ("train/images/{}.png", "train/masks/x{}.png"),
        ("images/training/{}.jpg", "annotations/training/{}.png"),
        ("images/{}.jpg", "annotations/trimaps/{}.png"),
        ("leftImg8bit/train/aachen/a_{}_leftImg8bit.png", "gtFine/train/aachen/a_{}_gtFine_labelIds.png"),
        ("ISIC2018_Task1-2_Training_Input/I_{}.jpg", "ISIC2018_Task1_Training_GroundTruth/I_{}_segmentation.png"),
        ("train/{}_01.jpg", "train_masks/{}_01_mask.gif"),
        ("train/{}.png", "trainannot/{}.png"),
        ("images1024x1024/00000/{}.png", "thumbnails128x128/00000/{}.png"),
        ("bottle/test/broken/{}.png", "bottle/ground_truth/broken/{}_mask.png"),
        ("CXR_png/C_{}_0.png", "masks/C_{}_0_mask.png"),
        ("rgb/{}.png", "depth/{}.png"),
        ("DRIVE/test/images/{}_test.tif", "DRIVE/test/1st_manual/{}_manual1.gif"),
        ("kaggle_3m/T_1/T_1_{}.tif", "kaggle_3m/T_1/T_1_{}_mask.tif"),
    ],
)
def test_masks_are_found_and_nothing_else(images: str, masks: str) -> None:
    pictures = numbered(images)
    assert left(pictures + numbered(masks)) == pictures


@pytest.mark.parametrize(
    "names",
    [
        numbered("with_mask/{}.png", "without_mask/{}.png"),
        numbered("mask/{}.png", "no_mask/{}.png"),
        numbered("mask/{}.png", "nomask/{}.png", "wrong/{}.png"),
        numbered("face/{}a.png", "face_mask/{}b.png"),
        numbered("mask/{}.png", "nomask/{}.png"),
        numbered("gas_mask_{}.png", "helmet_{}.png"),
        numbered("seg_train/seg_train/forest/{}.jpg", "seg_test/seg_test/sea/{}.jpg"),
        numbered("labels/{}.png", "stamps/{}.png"),
        numbered("masks/{}.png"),
        numbered("{}_mask.png"),
    ],
)
def test_classes_and_masks_alone_are_no_masks_of_other_images(names: list[str]) -> None:
    assert masks_in(names) == []


def test_a_name_few_of_which_stand_beside_their_image_is_none_of_a_mask() -> None:
    names = [*numbered("{}_label.png"), *numbered("{}.png", count=8)]
    assert masks_in(names) == []
    assert left([*names, "8.png"]) == [*numbered("{}.png", count=8), "8.png"]


def test_a_folder_of_masks_beside_each_image_has_one_pattern() -> None:
    names = [name for n in range(30) for name in (f"s/{n}/images/{n}.png", f"s/{n}/masks/a.png", f"s/{n}/masks/b.png")]
    [masks] = masks_in(names)
    assert (masks.patterns, masks.count) == (("*/masks/*",), 60)


def test_many_masks_of_one_image_have_one_pattern() -> None:
    [masks] = masks_in(["a.png", *numbered("a_mask_{}.png")])
    assert (masks.patterns, masks.count) == (("*_mask_[0-9]*.png",), 10)


def test_the_sentences_name_count_example_and_key() -> None:
    names = ["benign (1).png", "benign (1)_mask.png", "benign (2).png", "benign (2)_mask.png", "x_thumb.jpg", "x.jpg"]
    masks = masks_in(names)
    assert left_out_masks(masks) == [
        "Left out by their names: 2 masks of other images, the first benign (1)_mask.png beside benign (1).png. To take them, "
        'remove "*_mask.png" from sources.leave_out.',
        "Left out by their names: 1 small copy of other images, the first x_thumb.jpg beside x.jpg. To take it, remove "
        '"*_thumb.jpg" from sources.leave_out.',
    ]
    assert trained_on_masks(masks)[0] == (
        "By their names, 2 masks of other images are among the images, the first benign (1)_mask.png beside benign (1).png; "
        'sources.leave_out=["*_mask.png"] leaves them out.'
    )
    [sentence] = left_out_masks(masks_in(["m/images/1.png", "m/masks/1.png"]))
    assert "the first m/masks/1.png beside images/. To take it" in sentence


WORDS = st.text("abcdefgh 12()", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(
    st.lists(WORDS, min_size=1, max_size=6, unique=True),
    st.sampled_from(["_mask", "_seg", "-gt", " label", ".mask", "_Mask", "_mask_2"]),
    st.lists(WORDS, max_size=2),
)
def test_whatever_the_names_and_folders_the_masks_beside_them_are_left_out(
    stems: list[str], suffix: str, folders: list[str]
) -> None:
    place = "".join(f"{folder}/" for folder in folders)
    pictures = [f"{place}{stem}.jpg" for stem in stems]
    assert left([*(f"{place}{stem}{suffix}.png" for stem in stems), *pictures]) == pictures
