"""A layout is understood from names alone: which folders are labels, which are splits, and what else they could be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.base import own_split
from components.sources.folder_names import are_shards
from components.sources.layout import Layout, folders_of
from components.sources.layout_remarks import remarks_on

SPLIT_NAMES = {
    "train": ("train", "Training", "TRAIN", "training_set", "train2017"),
    "validation": ("val", "valid", "Validation", "dev", "val2017"),
    "test": ("test", "Testing", "TEST", "test_set", "test_images"),
}


def layout_of(folders: Mapping[str, int] | str) -> Layout:
    """Return the layout of folders with these numbers of images, or of 20 in each of several names; "." is the root."""
    counts = dict.fromkeys(folders.split(), 20) if isinstance(folders, str) else folders
    return Layout(folders_of(key for folder, count in counts.items() for key in names(folder, count)))


def names(folder: str, count: int) -> list[str]:
    """Return names of images in a folder."""
    return [f"{'' if folder == '.' else f'{folder}/'}{number:04d}.png" for number in range(count)]


def splits(layout: Layout) -> dict[str | None, int]:
    """Count the images of each split."""
    counts: Counter[str | None] = Counter()
    for folder, count in layout.folders.items():
        counts[layout.split(folder)] += count
    return dict(counts)


@pytest.mark.parametrize(
    ("folders", "labels", "images"),
    [
        ("cat dog", {"cat": 20, "dog": 20}, {None: 40}),
        ("pets/cat pets/dog", {"cat": 20, "dog": 20}, {None: 40}),
        ("a/b/c/cat a/b/c/dog", {"cat": 20, "dog": 20}, {None: 40}),
        ("Training/cat Training/dog Testing/cat Testing/dog", {"cat": 40, "dog": 40}, {"train": 40, "test": 40}),
        ("p/train/cat p/train/dog p/test/cat", {"cat": 40, "dog": 20}, {"train": 40, "test": 20}),
        ("train/cat train/dog val/cat", {"cat": 40, "dog": 20}, {"train": 40, "validation": 20}),
        ("train/cat train/dog val/cat test/dog", {"cat": 40, "dog": 40}, {"train": 40, "validation": 20, "test": 20}),
        ("train test", {}, {"train": 20, "test": 20}),
        ("train2017 val2017", {}, {"train": 20, "validation": 20}),
        (". test", {}, {"train": 20, "test": 20}),
        ("cat dog test", {"cat": 20, "dog": 20}, {"train": 40, "test": 20}),
        ("cat dog test/cat test/dog", {"cat": 40, "dog": 40}, {"train": 40, "test": 40}),
        ("cat/train cat/test dog/train dog/test", {"cat": 40, "dog": 40}, {"train": 40, "test": 40}),
        (
            "train_set/train_set/a train_set/train_set/b test_set/test_set/a",
            {"a": 40, "b": 20},
            {"train": 40, "test": 20},
        ),
        ("train/n1/images train/n2/images val/images", {"n1": 20, "n2": 20}, {"train": 40, "validation": 20}),
        ("train/a train/b test/a extra", {"a": 40, "b": 20}, {"train": 60, "test": 20}),
        ("train/a train/b eval/a", {"a": 40, "b": 20}, {"train": 40, "test": 20}),
        ("train/a train/b eval/a test/a", {"a": 60, "b": 20}, {"train": 40, "validation": 20, "test": 20}),
        ("val/a val/b test/a test/b", {"a": 40, "b": 40}, {None: 80}),
        ("test/a test/b", {"a": 20, "b": 20}, {None: 40}),
        ("trainA trainB testA testB", {}, {"train": 40, "test": 40}),
        (
            "train/train train/car train/bus test/train test/car",
            {"train": 40, "car": 40, "bus": 20},
            {"train": 60, "test": 40},
        ),
        ("x/train/n x/train/p x/test/n x/x/train/n x/x/train/p", {"n": 60, "p": 40}, {"train": 80, "test": 20}),
        ("train/images train/masks", {}, {None: 40}),
        ("JPEGImages SegmentationClass SegmentationObject", {}, {None: 60}),
        ("car plane train", {"car": 20, "plane": 20, "train": 20}, {None: 60}),
        ("train extra", {}, {None: 40}),
        ("train/a train/b extra/a", {"a": 40, "b": 20}, {None: 60}),
        ("1 2 10", {"1": 20, "2": 20, "10": 20}, {None: 60}),
        ("part1/cat part1/dog part2/cat", {"cat": 40, "dog": 20}, {None: 60}),
        ("cat/monday cat/tuesday dog/monday", {"cat": 40, "dog": 20}, {None: 60}),
        ("cat.zip dog.zip", {"cat": 20, "dog": 20}, {None: 40}),
        ("train.zip/cat train.zip/dog test.zip/cat", {"cat": 40, "dog": 20}, {"train": 40, "test": 20}),
        (
            "seg_train/seg_train/a seg_train/seg_train/b seg_test/seg_test/a",
            {"a": 40, "b": 20},
            {"train": 40, "test": 20},
        ),
        ("bounding_box_train bounding_box_test", {}, {"train": 20, "test": 20}),
        ("T3_Training_Input T3_Validation_Input T3_Test_Input", {}, {"train": 20, "validation": 20, "test": 20}),
        ("train/a train/b test/a test-multiple_fruits", {"a": 40, "b": 20}, {"train": 40, "test": 40}),
        (
            "images_background/Greek/c01 images_background/Latin/c01 images_evaluation/Tibetan/c01",
            {"Greek": 20, "Latin": 20, "Tibetan": 20},
            {"train": 40, "test": 20},
        ),
        ("background/a background/b evaluation/a", {"a": 40, "b": 20}, {"train": 40, "test": 20}),
        (
            "background.zip/background/a background.zip/background/b evaluation.zip/evaluation/a",
            {"a": 40, "b": 20},
            {"train": 40, "test": 20},
        ),
        ("a.zip/train/cat a.zip/train/dog b.zip/test/cat", {"cat": 40, "dog": 20}, {"train": 40, "test": 20}),
        ("a.zip/train b.zip/test", {}, {"train": 20, "test": 20}),
        ("a.zip/cat a.zip/dog b.zip/cat", {"cat": 40, "dog": 20}, {None: 60}),
        ("train.zip/data/cat train.zip/data/dog test.zip/data/cat", {"cat": 40, "dog": 20}, {"train": 40, "test": 20}),
        ("site1/train/a site1/test/b north/train/b", {"a": 20, "b": 40}, {"train": 40, "test": 20}),
        ("x/train/n x/train/p x/test/n x/x/test/n x/x/train/p", {"n": 60, "p": 40}, {"train": 60, "test": 40}),
        (
            "rps/rock rps/paper rps-test-set/rock rps-validation",
            {"rock": 40, "paper": 20},
            {"train": 40, "test": 20, "validation": 20},
        ),
        ("train-jpg test-jpg test-jpg-additional", {}, {"train": 20, "test": 40}),
        ("images_001 images_002 images_003", {}, {None: 60}),
        ("batch1 batch2", {}, {None: 40}),
        ("HAM10000_images_part_1 HAM10000_images_part_2", {}, {None: 40}),
        ("image_class_1 image_class_2", {"image_class_1": 20, "image_class_2": 20}, {None: 40}),
        ("class1 class2", {"class1": 20, "class2": 20}, {None: 40}),
        ("part1 part3", {"part1": 20, "part3": 20}, {None: 40}),
        ("cat", {}, {None: 20}),
        (". only", {}, {None: 40}),
        (".", {}, {None: 20}),
    ],
)
def test_labels_and_splits(folders: str, labels: dict[str, int], images: dict[str | None, int]) -> None:
    layout = layout_of(folders)
    assert dict(layout.labels(layout.rule)) == labels
    assert splits(layout) == images


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ({"00000": 30, "00001": 30}, True),
        ({"00000": 30, "00001": 31, "00002": 4}, True),
        ({"0000": 30, "0001": 31, "0003": 29}, False),  # not consecutive
        ({"00000": 30, "00001": 300, "00002": 30}, False),  # as the classes of traffic signs
        ({"0": 30, "1": 30}, False),
        ({"10": 30, "11": 30}, False),
        ({f"{number:02x}": 30 for number in range(256)}, True),
        ({"cat": 30, "dog": 30}, False),
        ({"00000": 30}, False),
    ],
)
def test_padded_consecutive_numbers_about_equally_full_are_shards(fill: dict[str, int], expected: bool) -> None:
    assert are_shards(fill) is expected


@pytest.mark.parametrize(
    ("folders", "remark"),
    [
        ("00000 00001", "00000, 00001 are numbered and about equally full, .* set sources.label=first_folder"),
        (
            "cat/monday cat/tuesday dog/monday",
            "cat, dog are taken as labels. If monday, tuesday are, set .*=last_folder",
        ),
        ("cat dog test", "test beside cat, dog: taken as a split .*, not as a label"),
        ("train test extra", "images of extra, beside test, train, are taken for training"),
        (
            "val/a val/b test/a",
            r'test, val name splits, but do not divide the images, .*; sources.validation=\["val/\*"\] would keep val apart',
        ),
        (
            "x/train/a x/probe/a x/gallery/a",
            r'train is named for training, and no .*If gallery is for a test, sources.test=\["x/gallery/\*"\] keeps it apart',
        ),
        (
            "train1 train2",
            "train1, train2 are named for training, and no folder beside them .* divided among all splits.$",
        ),
        ("training_set/a training_set/b holdout/a", None),
        (
            "dog cat test_tube",
            r'label test_tube holds a split.s word.*sources.test=\["test_tube/\*"\] keeps test_tube apart',
        ),
        ("x/dog x/dev[1]_kit", r'sources.validation=\["x/dev\[\[\]1\]_kit/\*"\]'),
        ("dog cat latest", None),
        ("test/car test/train train/car train/train", None),
        (
            "training_real training_fake",
            "labels training_fake, training_real hold .* write patterns into sources.test.$",
        ),
        ("trainA trainB testA", "trainA, trainB are all taken as the train split, and not as labels"),
        ("train_cat train_dog test_cat", r'labels test_cat, train_cat, train_dog hold .*\["test_cat/\*"\]'),
        (
            "train/images train/masks",
            "images, masks are images and masks by their names, and all of them are trained on",
        ),
        ("car plane train", "train is taken as a label, as no folder beside it is named for validation or test"),
        ("train/a train/b eval/a", "eval is taken as the test split"),
        ("a.zip/train b.zip/test", "The folders a, b are each of one split: not taken as labels"),
        (
            "cat/monday cat/tuesday dog/monday",
            "set sources.label=last_folder; a name that stands in several of them is one label",
        ),
        (
            "images_background/Greek/c01 images_background/Latin/c01 images_evaluation/Tibetan/c01",
            "images of images_background, beside images_evaluation, are taken for training",
        ),
        (
            "images_001 images_002",
            "images_001, images_002 are parts of one download by their names: not taken as labels",
        ),
        (
            "x/train/n x/test/n x/x/test/n",
            "Folders in x, beside test, train, name splits again: they are taken as such",
        ),
        ("train test test-more", "test, test-more are all taken as the test split, and not as labels"),
        (" ".join(f"id{number}" for number in range(30)), None),
    ],
)
def test_where_another_reading_is_plausible_a_sentence_names_its_setting(folders: str, remark: str | None) -> None:
    remarks = "\n".join(remarks_on(layout_of(folders)))
    assert re.search(remark, remarks) if remark else not remarks


def test_a_pattern_matches_the_folders_of_a_split_alone() -> None:
    layout = layout_of("cat/train cat/val dog/train dog/val cat/train/val")
    assert splits(layout) == {"train": 60, "validation": 40}
    assert layout.patterns("validation") == ("cat/val/*", "dog/val/*")
    for folder in layout.folders:
        assert own_split("/".join((*folder, "0.png")), (), layout.patterns("validation")) == layout.split(folder)


def test_folders_almost_as_many_as_images_are_no_labels() -> None:
    layout = layout_of({f"person{number}": 1 for number in range(30)})
    assert layout.rule == "none"
    assert "almost as many as the images" in next(remarks_on(layout))


def test_a_folder_that_names_a_split_is_a_label_only_beside_others_and_where_the_recipe_has_no_splits() -> None:
    classes = layout_of("dev ops sales")
    assert dict(classes.labels("first_folder")) == {"ops": 20, "sales": 20}
    assert dict(classes.labels("first_folder", use_splits=False)) == {"dev": 20, "ops": 20, "sales": 20}
    divided = layout_of("train/a train/b test/a")
    assert dict(divided.labels("first_folder", use_splits=False)) == {"a": 40, "b": 20}


def test_a_label_is_in_one_spelling_of_unicode() -> None:
    decomposed, composed = "cafe\u0301", "café"
    assert dict(layout_of(f"{decomposed} tea").labels("first_folder")) == {composed: 20, "tea": 20}


LABELS = st.text("abcdefghiklmno pqrs[]!ü猫", min_size=3, max_size=8).map(str.strip).filter(lambda text: len(text) > 2)


@st.composite
def truths(draw: st.DrawFn) -> tuple[list[str], dict[str, str | None], dict[str, str | None]]:
    """Draw a layout: names of its images, and the label and split of each."""
    classes = draw(st.lists(LABELS, min_size=2, max_size=4, unique_by=str.casefold))
    labelled = draw(st.booleans())
    held_out = draw(st.sampled_from([(), ("test",), ("validation",), ("validation", "test")]))
    split_first = draw(st.booleans())
    wrapping = draw(st.lists(st.sampled_from(["data", "my set", "archive (1)", "a[b]"]), max_size=2))
    folders = (
        {split: draw(st.sampled_from(SPLIT_NAMES[split])) for split in ("train", *held_out)}
        if held_out
        else {None: None}
    )
    labels: dict[str, str | None] = {}
    splits: dict[str, str | None] = {}
    for split, split_folder in folders.items():
        for number, name in enumerate(classes if labelled else [None]):
            parts = [split_folder, name] if split_first else [name, split_folder]
            for image in range(2 + 3 * number):
                key = "/".join([*wrapping, *(part for part in parts if part), f"{split or 'x'}{number}{image}.png"])
                labels[key], splits[key] = name, split
    return sorted(labels), labels, splits


@given(truths())
def test_what_is_understood_agrees_with_the_layouts_own_truth(
    truth: tuple[list[str], dict[str, str | None], dict[str, str | None]],
) -> None:
    keys, labels, splits = truth
    layout = Layout(folders_of(keys))
    validation, test = layout.patterns("validation"), layout.patterns("test")
    for key in keys:
        folder = tuple(key.split("/")[:-1])
        assert layout.label(folder, layout.rule) == labels[key]
        assert layout.split(folder) == splits[key]
        assert own_split(key, test, validation) == splits[key]


def test_a_copy_of_the_set_within_it_keeps_its_splits_and_the_patterns_say_so() -> None:
    layout = layout_of("x/train/n x/train/p x/test/n x/x/test/n x/x/train/p")
    assert layout.patterns("test") == ("x/test/*", "x/x/test/*")
    for folder in layout.folders:
        assert own_split("/".join((*folder, "0.png")), layout.patterns("test")) == layout.split(folder)
