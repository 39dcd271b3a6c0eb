"""What ingest says of sources that would mislead training, and that it says nothing of others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.table_rows import table_rows
from PIL import Image

from components.images import opening
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import SPLITS, read_statistics
from schemas.errors import DataError
from schemas.recipe.sources import FolderSource, TableSource

Ingest = Callable[..., tuple[Examples, dict[str, int]]]
WritePhotos = Callable[..., Path]


def of_folder(folder: Path, *, test: tuple[str, ...] = ()) -> FolderSource:
    """Return a folder as a source, whose folders are labels."""
    return FolderSource(kind="folder", path=str(folder), label="first_folder", test=test)


def of_table(path: Path, lines: list[str], header: str = "path,label") -> TableSource:
    """Write a table; return it as a source."""
    path.write_text("".join(f"{line}\n" for line in [header, *lines]))
    return TableSource(kind="table", path=str(path))


def sentence(examples: Examples, *words: str) -> str:
    """Return the only anomaly with these words."""
    [text] = [text for text in read_statistics(examples).anomalies if all(word in text for word in words)]
    return text


@pytest.fixture
def pets(tmp_path: Path, write_photos: WritePhotos) -> Path:
    """30 cats, and 30 dogs."""
    write_photos(tmp_path / "pets" / "cats", 30, seed=1)
    write_photos(tmp_path / "pets" / "dogs", 30, seed=2)
    return tmp_path / "pets"


def copy(photo: Path, target: Path) -> None:
    """Copy a file into a folder, which may be new."""
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(photo.read_bytes())


def test_of_images_with_one_label_each_nothing_is_said_and_no_byte_is_added(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    copy(pets / "cats" / "000.png", pets / "cats" / "again.png")
    examples, _ = ingest_into(tmp_path, of_folder(pets))
    assert not [text for text in read_statistics(examples).anomalies if "label" in text or "class" in text]
    assert list(json.loads(examples.statistics_path.read_text()))[-1] == "anomalies"
    [row] = table_rows(examples.duplicates_path)
    assert list(row) == ["key", "same_as", "sha256"]


def test_an_image_under_two_labels_is_named_with_both(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    copy(pets / "cats" / "000.png", pets / "dogs" / "again.png")
    copy(pets / "cats" / "001.png", pets / "dogs" / "more.png")
    copy(pets / "cats" / "002.png", pets / "cats" / "twice.png")
    examples, counts = ingest_into(tmp_path, of_folder(pets))
    assert sentence(examples, "under two labels").startswith("2 images stand under two labels, `cats` and `dogs`; ")
    rows = {
        (row["key"], row["label"]): (row["same_as"], row["same_as_label"])
        for row in table_rows(examples.duplicates_path)
    }
    assert rows == {
        ("dogs/again.png", "dogs"): ("cats/000.png", "cats"),
        ("dogs/more.png", "dogs"): ("cats/001.png", "cats"),
        ("cats/twice.png", "cats"): ("cats/002.png", "cats"),
    }
    assert (counts["duplicates"], read_statistics(examples).two_labels) == (3, 2)


def test_an_image_under_two_labels_is_named_where_copies_are_kept(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    copy(pets / "cats" / "000.png", pets / "dogs" / "again.png")
    examples, counts = ingest_into(tmp_path, of_folder(pets), duplicates="keep")
    assert "kept under all of them" in sentence(examples, "1 image stands under two labels, `cats` and `dogs`")
    assert counts["duplicates"] == 0


def test_a_path_that_a_table_lists_with_two_labels_is_named(
    tmp_path: Path, write_photos: WritePhotos, ingest_into: Ingest
) -> None:
    write_photos(tmp_path / "p", 40)
    lines = [f"p/{number:03d}.png,{number % 3}" for number in range(40)] + ["p/000.png,2", "p/001.png,1"]
    examples, _ = ingest_into(tmp_path / "run", of_table(tmp_path / "twice.csv", lines))
    assert sentence(examples, "two labels").startswith("1 image stands under two labels, `0` and `2`; ")
    rows = [(row["key"], row["label"], row["same_as_label"]) for row in table_rows(examples.duplicates_path)]
    assert rows == [("p/000.png", "2", "0"), ("p/001.png", "1", "1")]
    assert sum(read_statistics(examples).images.values()) == 40


def test_a_class_all_of_whose_images_are_copies_of_others_is_reported_as_gone(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    for number in range(4):
        copy(pets / "cats" / f"{number:03d}.png", pets / "kittens" / f"{number}.png")
    examples, _ = ingest_into(tmp_path, of_folder(pets))
    assert sentence(examples, "gone") == (
        "The class `kittens` is gone: all of its 4 images have the same bytes as others under `cats`, which were kept."
    )
    assert read_statistics(examples).labels == ["cats", "dogs"]


def test_images_without_a_label_are_counted_where_others_have_one(
    tmp_path: Path, write_photos: WritePhotos, ingest_into: Ingest
) -> None:
    write_photos(tmp_path / "p", 40)
    lines = [f"p/{number:03d}.png,{'' if number % 10 == 9 else 'cat'}" for number in range(40)]
    examples, _ = ingest_into(tmp_path / "run", of_table(tmp_path / "some.csv", lines))
    assert sentence(examples, "no label").startswith(
        "4 of 40 images have no label, where the others have one: the first is p/009.png."
    )
    nothing, _ = ingest_into(
        tmp_path / "none", of_table(tmp_path / "none.csv", [line.split(",")[0] for line in lines], "path")
    )
    assert not [text for text in read_statistics(nothing).anomalies if "no label" in text]


def test_a_split_of_the_source_that_the_recipe_does_not_use_is_reported_before_the_work_and_kept(
    tmp_path: Path, pets: Path, ingest_into: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "cats").rename(pets / "train")
    (pets / "dogs").rename(pets / "test")
    examples, _ = ingest_into(tmp_path, FolderSource(kind="folder", path=str(pets)))
    text = sentence(examples, "sources.test=")
    screen = " ".join(capsys.readouterr().out.split())
    assert screen.count(text) == 1
    assert screen.index(text) < screen.index("training images")


def test_what_was_not_looked_at_is_counted_and_the_first_is_named_within_its_source(
    tmp_path: Path, pets: Path, ingest_into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pets / "a").symlink_to(pets / "cats")
    (pets / "b").symlink_to(pets / "dogs")
    (pets / "cats" / "gone.png").symlink_to(pets / "nowhere.png")
    (pets / "private").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # a test that runs as root may enter any folder
    examples, counts = ingest_into(tmp_path, FolderSource(kind="folder", path=str(pets)))
    texts = [text for text in read_statistics(examples).anomalies if text.startswith("Not looked at, ")]
    assert sorted(texts) == [
        "Not looked at, a folder that cannot be entered: private.",
        "Not looked at, a link that leads nowhere: cats/gone.png.",
        "Not looked at, a link to a folder: 2, the first is a.",
    ]
    assert sum(read_statistics(examples).left_out.values()) == 4
    assert counts["rejected"] == 0


def test_images_of_newer_formats_are_named_with_what_to_do(
    tmp_path: Path, pets: Path, ingest_into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "register_heif", lambda: False)
    for number in range(2):
        (pets / f"{number}.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100 + number))
    (pets / "new.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    (pets / "none.jpg").write_text("no image, though its name says so")
    examples, counts = ingest_into(tmp_path, of_folder(pets), max_rejected=0.5)
    assert counts["rejected"] == 4
    assert sentence(examples, "HEIC") == (
        "2 files could not be read, each a HEIC image: install the extra heif (.venv/bin/pip install pillow-heif), or convert "
        "it to JPEG."
    )
    assert sentence(examples, "JPEG XL") == "1 file could not be read, a JPEG XL image: convert it, such as to PNG."
    assert not [text for text in read_statistics(examples).anomalies if "not one of" in text]


def test_camera_raw_files_are_named_with_what_to_do(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    photo = next(pets.rglob("*.png"))
    with Image.open(photo) as image:
        for number in range(2):
            image.resize((8 + number, 8)).save(pets / f"{number}.NEF", "TIFF")
    examples, counts = ingest_into(tmp_path, of_folder(pets), max_rejected=0.5)
    assert counts["rejected"] == 2
    assert sentence(examples, "camera raw") == (
        "2 files could not be read, each a camera raw file (.NEF), of which only a small preview could be read: convert it to "
        'JPEG or PNG, or leave it out by sources.leave_out=["*.NEF"].'
    )


def test_pointers_of_git_lfs_are_named_with_what_to_do(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    for number in range(2):
        (pets / f"{number}.jpg").write_text(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{number}\nsize 9\n"
        )
    examples, counts = ingest_into(tmp_path, of_folder(pets), max_rejected=0.5)
    assert counts["rejected"] == 2
    assert sentence(examples, "Git LFS") == (
        "2 files could not be read, each a Git LFS pointer: run `git lfs pull` where the files are from."
    )


def test_frames_and_pages_that_are_not_used_are_counted_with_the_key(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    for number, name in enumerate(("scan.tif", "moving.gif", "one.gif")):
        frames = [
            Image.new("RGB", (16, 16), (20 * frame, 50 * number, 9)) for frame in range(1 if name == "one.gif" else 10)
        ]
        frames[0].save(pets / name, save_all=True, append_images=frames[1:])
    examples, _ = ingest_into(tmp_path, of_folder(pets))
    assert sentence(examples, "frames or pages") == (
        "2 files have several frames or pages, of which only the first was taken: 18 are not used. To use them, write each as a "
        "file; preprocess.animated=reject leaves such files out."
    )
    examples, counts = ingest_into(tmp_path / "rejecting", of_folder(pets), animated="reject", max_rejected=0.5)
    assert counts["rejected"] == 2
    assert not [text for text in read_statistics(examples).anomalies if "frames or pages" in text]


def test_files_beside_the_images_are_in_the_statistics(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    for number in range(3):
        (pets / "cats" / f"{number}.txt").write_text("a caption")
    (pets / "about.json").write_text("{}")
    examples, _ = ingest_into(tmp_path, of_folder(pets), max_rejected=0.0)
    assert read_statistics(examples).beside == {".txt": 3, ".json": 1}


def test_near_duplicates_between_own_splits_are_counted(tmp_path: Path, ingest_into: Ingest) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        photo = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
            (64, 64), Image.Resampling.BICUBIC
        )
        (tmp_path / "pets" / ("test" if number < 10 else "train")).mkdir(parents=True, exist_ok=True)
        photo.save(tmp_path / "pets" / ("test" if number < 10 else "train") / f"{number}.png")
        if number < 3:
            photo.point(lambda level: level * 0.97).save(tmp_path / "pets" / f"darker{number}.png")
    source = FolderSource(kind="folder", path=str(tmp_path / "pets"), test=("test/*",))
    examples, counts = ingest_into(tmp_path / "run", source, near_duplicates=2)
    assert sentence(examples, "near-duplicates of images") == (
        "3 images of the source's own train split are near-duplicates of images of its test split, and were put there."
    )
    assert counts["test"] == 13
    without, counts = ingest_into(tmp_path / "without", source)
    assert not [text for text in read_statistics(without).anomalies if "own" in text]
    assert counts["test"] == 10


def test_copies_that_stay_in_two_own_splits_are_counted(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    for number in range(5):
        copy(pets / "cats" / f"{number:03d}.png", pets / "test" / f"{number}.png")
    source = FolderSource(kind="folder", path=str(pets), test=("test/*",))
    kept, _ = ingest_into(tmp_path / "kept", source, duplicates="keep")
    assert sentence(kept, "own splits").startswith("5 images are in two of the source's own splits or more, ")
    dropped, _ = ingest_into(tmp_path / "dropped", source)
    assert not [text for text in read_statistics(dropped).anomalies if "own splits" in text]


def test_an_own_split_of_which_no_image_can_be_decoded_is_filled_from_the_others_and_this_is_said(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    (pets / "test").mkdir()
    (pets / "test" / "cut.png").write_bytes((pets / "cats" / "000.png").read_bytes()[:-200])
    source = FolderSource(kind="folder", path=str(pets), test=("test/*",))
    examples, counts = ingest_into(tmp_path / "run", source)
    assert sentence(examples, "none of them could be used") == (
        f"The source has test images of its own, but none of them could be used: {counts['test']} other images became the "
        "test split."
    )
    assert counts["rejected"] == 1
    assert sum(counts[split] for split in SPLITS) == 60
    assert all(counts[split] for split in SPLITS)


def test_files_of_a_format_that_cannot_be_read_are_named_with_what_to_do(
    tmp_path: Path, pets: Path, ingest_into: Ingest
) -> None:
    for number in range(3):
        (pets / "cats" / f"{number}.jxl").write_bytes(b"\xff\x0a" + bytes(50))
    examples, _ = ingest_into(tmp_path / "few", of_folder(pets))
    expected = "3 files could not be read, each a JPEG XL image: convert it, such as to PNG."
    assert expected in read_statistics(examples).anomalies
    with pytest.raises(DataError, match=r"found 3 of 63 \(unsupported 3\), 3 of them each a JPEG XL image: convert it"):
        ingest_into(tmp_path / "strict", of_folder(pets), max_rejected=0.01)


def test_a_class_of_which_no_image_can_be_decoded_is_reported(tmp_path: Path, pets: Path, ingest_into: Ingest) -> None:
    (pets / "hamsters").mkdir()
    (pets / "hamsters" / "cut.png").write_bytes((pets / "cats" / "000.png").read_bytes()[:-200])
    examples, _ = ingest_into(tmp_path, of_folder(pets))
    assert (
        sentence(examples, "hamsters") == "No image of the class `hamsters` could be used: rejected.parquet says why."
    )
