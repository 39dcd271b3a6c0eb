"""What says labels or splits and is not used is named: lists in texts, MATLAB's arrays, the names of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.small_images import put

from components.sources import NamedFiles, open_source
from components.sources.lists import labels_in_names, lists_beside
from schemas.recipe.sources import FolderSource

IMAGES = [f"images/{label}/{number}.jpg" for label in ("apple_pie", "ramen") for number in range(1000, 1003)]


def remarks(root: Path, texts: dict[str, str]) -> list[str]:
    """Write files beside images; return what is said of them."""
    for name, text in texts.items():
        put(root / name, text)
    source = open_source(FolderSource(kind="folder", path=str(root)))
    assert isinstance(source, NamedFiles)
    return lists_beside(source, IMAGES, list(texts))


@pytest.mark.parametrize(
    "line",
    [
        "apple_pie/1000",
        "images/ramen/1001.jpg",
        "1001.jpg 0",
        "17 apple_pie/1002.jpg 3",
        r"ramen\1000.jpg,1",
        "1000.jpg#0 a dog",
    ],
)
def test_a_text_that_lists_images_is_named(tmp_path: Path, line: str) -> None:
    [sentence] = remarks(
        tmp_path, {"meta/test.txt": f"{line}\n" * 5, "meta/classes.txt": "apple_pie\nramen\n", "a.txt": ""}
    )
    assert sentence == (
        "Not used: meta/test.txt, which lists images. If the labels or the splits are there, write them as a table, .csv with "
        "the columns file_name, label and split."
    )


def test_captions_and_other_texts_are_passed_over(tmp_path: Path) -> None:
    assert remarks(tmp_path, {"README.txt": "Photographs of 1000 dishes.\nBy us.\n", "x.json": "{}"}) == []
    assert remarks(tmp_path, {f"{number}.txt": "1000" for number in range(30)}) == []


def test_arrays_of_matlab_are_named(tmp_path: Path) -> None:
    [sentence] = remarks(tmp_path, {"imagelabels.mat": "MATLAB", "setid.mat": "MATLAB"})
    assert sentence.startswith("Not used: imagelabels.mat, setid.mat (MATLAB), which cannot be read.")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([f"{label}.{n}.jpg" for label in ("cat", "dog") for n in range(5)], "cat, dog"),
        (
            [f"images/{label}_{n}.jpg" for label in ("Abyssinian", "american_bulldog") for n in range(5)],
            "Abyssinian, american_bulldog",
        ),
        ([f"{label} ({n}).png" for label in ("benign", "normal") for n in range(5)], "benign, normal"),
    ],
)
def test_labels_in_the_names_of_files_are_named(names: list[str], words: str) -> None:
    [sentence] = labels_in_names(names)
    assert sentence.startswith(f"The names of the files begin with {words}: not taken as labels.")


@pytest.mark.parametrize(
    "names",
    [
        [f"{n}.jpg" for n in range(9)],
        [f"{camera}_{n}.jpg" for camera in ("IMG", "DSC") for n in range(9)],
        [f"{split}_{n}.jpg" for split in ("train", "test") for n in range(9)],
        [f"photo of mine {n}.jpg" for n in range(9)],
        [f"{'ab'[n % 2] * n}_{n}.jpg" for n in range(1, 300)],
        [],
    ],
    ids=["numbers", "cameras", "splits", "one word", "a word each", "none"],
)
def test_other_names_say_nothing(names: list[str]) -> None:
    assert labels_in_names(names) == []
