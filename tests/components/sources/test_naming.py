"""Labels and own splits follow from names, from a recipe's settings, and from tables beside the images."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.sources import NamedFiles, open_source
from components.sources.beside import find_table, read_tables
from components.sources.layout import folders_of
from components.sources.naming import NamedBy, Naming, TableRows
from schemas.errors import DataError, UsageError
from schemas.recipe.sources import FolderSource

NAMES = [
    f"{split}/{label}/{number}.png" for split in ("train", "test") for label in ("cat", "dog") for number in range(3)
]


def naming(names: list[str], **settings: Any) -> Naming:
    """Return the naming of a folder of these files."""
    return Naming(FolderSource(kind="folder", **settings), folders_of(names))


def folder(root: Path, files: dict[str, bytes], **settings: Any) -> NamedFiles:
    """Write some files below a folder; return it as a source."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    source = open_source(FolderSource(kind="folder", path=str(root), **settings))
    assert isinstance(source, NamedFiles)
    return source


def test_a_folder_that_names_a_split_is_no_label() -> None:
    for rule in ("first_folder", "last_folder"):
        assert naming(NAMES, label=rule).label("train/cat/0.png") == "cat"
        assert naming(NAMES, label=rule, test=("test/*",)).label("test/dog/0.png") == "dog"
    assert naming(NAMES).label("train/cat/0.png") is None


def test_splits_and_masks_that_names_of_files_say_and_the_recipe_does_not_use_are_said() -> None:
    names = ["train_1.png", "train_2.png", "test_1.png", "test_1_mask.png"]
    assert naming(names).unused(lambda: names) == [
        "By their names, 1 mask of other images is among the images, the first test_1_mask.png beside test_1.png; "
        'sources.leave_out=["*_mask.png"] leaves it out.',
        "The names of the files say `test`, `train`, which the recipe does not use: its 2 test images are divided among all "
        'splits; sources.test=["test_*"] would keep them apart.',
    ]
    assert naming(names[:3], test=("test_*",)).unused(lambda: names[:3]) == []


def test_patterns_say_the_splits() -> None:
    names = naming(NAMES, label="last_folder", test=("test/dog/*",), validation=("test/*",))
    assert [names.split(name) for name in ("train/cat/0.png", "test/cat/0.png", "test/dog/0.png")] == [
        "train",
        "validation",
        "test",
    ]


def test_splits_that_the_recipe_does_not_use_are_said_with_the_setting_that_uses_them() -> None:
    [sentence] = naming(NAMES, label="last_folder").unused(lambda: NAMES)
    assert sentence == (
        "The folders test, train name splits, which the recipe does not use: its 6 test images are divided among all splits; "
        'sources.test=["test/*"] would keep them apart.'
    )
    assert naming(NAMES, label="last_folder", test=("test/*",)).unused(lambda: NAMES) == []
    assert naming(["cat/0.png", "dog/0.png"]).unused(list) == []
    names = [*NAMES, "val/cat/0.png"]
    [sentence] = naming(names, label="last_folder", test=("test/*",)).unused(lambda: names)
    assert sentence.startswith("The folder val names a split, which the recipe does not use")


TABLES = {
    "metadata.csv": b"file_name,label\na.png,cat\nsub/b.png,dog\n",
    "metadata.jsonl": b'{"file_name": "a.png", "label": "cat"}\n{"file_name": "sub/b.png", "label": "dog"}\n',
    "dataset.json": json.dumps({"labels": [["a.png", "cat"], ["sub/b.png", "dog"]]}).encode(),
    "my labels.tsv": b"Image\tClass\n./a.png\tcat\nsub\\b.png\tdog\n",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_beside_the_images_says_their_labels(tmp_path: Path, table: str) -> None:
    source = folder(tmp_path, {"a.png": b"a", "sub/b.png": b"b", table: TABLES[table]})
    choice = find_table(source, ["a.png", "sub/b.png"], others=[table])
    assert choice.name == table
    assert choice.rows is not None
    assert {key: row.label for key, row in choice.rows.items()} == {"a.png": "cat", "sub/b.png": "dog"}
    again = folder(tmp_path, {}, table=table)
    assert read_tables(again) == choice.rows


def test_each_folder_may_have_its_table_whose_paths_start_there(tmp_path: Path) -> None:
    files = {f"{split}/metadata.csv": b"file_name,label\n1.png,%s\n" % split.encode() for split in ("train", "test")}
    rows = read_tables(folder(tmp_path, files, table="metadata.csv"))
    assert rows is not None
    assert {key: row.label for key, row in rows.items()} == {"train/1.png": "train", "test/1.png": "test"}


def test_a_parquet_table_beside_the_images_says_labels_and_splits(tmp_path: Path) -> None:
    table = pa.table({"file_name": ["a.png", "b.png"], "label": [3, 4], "split": ["train", "valid"]})
    pq.write_table(table, tmp_path / "metadata.parquet")
    rows = read_tables(folder(tmp_path, {}, table="metadata.parquet"))
    assert rows is not None
    assert rows["a.png"] == ("3", "train")
    assert rows["b.png"] == ("4", "validation")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            b"file_name,text\na.png,a cat\nb.png,a dog\n",
            r"it says no labels \(it has file_name, text\); rename the column that has them to label\.$",
        ),
        (
            b"file_name,split\na.png,train\nb.png,test\n",
            r"it says no labels, but splits \(it has file_name, split\); rename",
        ),
        (
            b"x,y\n1,2\n",
            "line 1: expected a header with a column of paths .*, found x, y; rename that of file names to file_name, "
            r"and that of labels to label\.$",
        ),
        (b"id,label\n1,2\n", r"found id, label; rename that of file names to file_name\.$"),
        (b"file_name,label\nelsewhere.png,cat\n", "it names none of the images, .* its first name is elsewhere.png"),
        (b"image,label\na.png,cat\n", "it says the labels of 1 of 3 images, fewer than half"),
        (b"image,label\n", "it has no rows"),
        (b"", "table.csv"),
    ],
    ids=["captions", "splits", "numbers", "ids", "other images", "few", "no rows", "empty"],
)
def test_a_table_that_is_not_used_has_a_reason(tmp_path: Path, table: bytes, reason: str) -> None:
    source = folder(tmp_path, {"a.png": b"a", "b.png": b"b", "c.png": b"c", "table.csv": table})
    choice = find_table(source, ["a.png", "b.png", "c.png"], others=["table.csv"])
    assert (choice.name, choice.rows) == (None, None)
    [remark] = choice.remarks()
    assert re.search(f"^Not used: table.csv: .*(?:{reason})", remark)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"filename,label\n3,cat\n4,dog\n5,cat\n6,dog\n", "it labels no training image"),
        (b"filename,label\n1,cat\n2,cat\n3,cat\n4,cat\n", "it gives all its images one label, cat"),
    ],
    ids=["only test images", "one label"],
)
def test_a_table_that_says_less_than_the_folders_is_not_used(tmp_path: Path, table: bytes, reason: str) -> None:
    images = ["train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png", "test/5.png", "test/6.png"]
    choice = find_table(folder(tmp_path, {"sample.csv": table}), images, others=["sample.csv"])
    assert choice.name is None
    assert choice.remarks() == [
        f"Not used: sample.csv: {reason}, and the folders say several labels; sources.table=sample.csv and sources.label=none "
        "take it."
    ]
    alone = [image for image in images if image.startswith("test")] + ["train/1.png", "train/2.png"]
    assert find_table(folder(tmp_path, {}), alone, others=["sample.csv"]).name == "sample.csv"


def test_a_poorer_table_does_not_hide_a_better_one(tmp_path: Path) -> None:
    images = ["train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png"]
    tables = {
        "a.csv": b"filename,label\n3,x\n4,y\n",
        "b.csv": b"filename,label\n1,x\n2,y\n",
    }
    choice = find_table(folder(tmp_path, tables), images, others=list(tables))
    assert choice.name == "b.csv"
    assert list(choice.why_not) == ["a.csv"]


def test_names_without_folders_or_endings_are_found_by_their_last_parts(tmp_path: Path) -> None:
    images = ["input/input/a.jpg", "input/input/b.jpg"]
    source = folder(tmp_path, {"truth.csv": b"image,label\na,cat\nb,dog\n"}, table="truth.csv")
    rows = find_table(source, images, others=["truth.csv"]).rows
    assert rows is not None
    again = read_tables(source)
    assert again is not None
    again.match(images)
    for table in (rows, again):
        names = Naming(FolderSource(kind="folder", table="truth.csv"), folders_of(images), table)
        assert [names.label(name) for name in images] == ["cat", "dog"]
        assert names.unused(lambda: images) == [
            "Names without their folders or endings, such as a, were found by their last parts."
        ]


def test_a_name_that_two_images_have_is_found_for_neither(tmp_path: Path) -> None:
    images = ["x/a.jpg", "y/a.jpg", "b.jpg"]
    source = folder(tmp_path, {"truth.csv": b"image,label\na,cat\nb,dog\n"})
    [remark] = find_table(source, images, others=["truth.csv"]).remarks()
    assert "it names none of the images, or does not say which" in remark


def test_where_a_name_fits_as_it_is_no_other_is_found_by_its_last_part(tmp_path: Path) -> None:
    rows = TableRows({"a.png": NamedBy("cat", None)})
    rows.match(["a.png", "sub/a.png"])
    assert rows.spelling("sub/a.png") == "sub/a.png"


SPLITS = {
    "fold1 fold2 fold1": ("`split` was not taken as the split, because it holds 'fold1'", [None, None, None]),
    "0 1 2": ("`split` was not taken as the split, because it holds '0'", [None, None, None]),
    "train unlabeled test": (
        "`split` holds 'unlabeled', which is no split: 1 such images are taken for training",
        ["train", "train", "test"],
    ),
    "train train unlabeled": ("`split` was not taken as the split, because it holds 'unlabeled'", [None, None, None]),
}


@pytest.mark.parametrize("words", SPLITS)
def test_a_split_of_other_words_is_said_and_the_labels_are_taken(tmp_path: Path, words: str) -> None:
    remark, splits = SPLITS[words]
    rows = "".join(f"{name},{name},{word}\n" for name, word in zip("abc", words.split(), strict=True))
    source = folder(tmp_path, {"a": b"a", "metadata.csv": b"file_name,label,split\n" + rows.encode()})
    choice = find_table(source, ["a", "b", "c"], others=["metadata.csv"])
    assert choice.rows is not None
    assert [row.split for row in choice.rows.values()] == splits
    assert [row.label for row in choice.rows.values()] == ["a", "b", "c"]
    assert any(remark in sentence for sentence in choice.rows.remarks)
    assert read_tables(folder(tmp_path, {}, table="metadata.csv")) == choice.rows


def test_a_table_that_is_not_there_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^sources.table: expected files named labels.csv beside the images, found none"
    ):
        read_tables(folder(tmp_path, {"a.png": b"a"}, table="labels.csv"))
    with pytest.raises(DataError, match=r'^dataset.json: expected {"labels": '):
        read_tables(folder(tmp_path, {"dataset.json": b"[" * 100_000}, table="dataset.json"))


def test_an_image_that_the_table_does_not_list_has_no_label() -> None:
    names = Naming(
        FolderSource(kind="folder", table="t.csv"), folders_of(["a.png", "b.png"]), {"a.png": NamedBy("x", "test")}
    )
    assert (names.label("a.png"), names.split("a.png")) == ("x", "test")
    assert (names.label("b.png"), names.split("b.png")) == (None, None)
    assert names.unused(list) == []


def test_names_that_only_the_table_has_are_said() -> None:
    rows = {name: NamedBy("x", None) for name in ("a.png", "gone.png", "b/gone.png")}
    names = Naming(FolderSource(kind="folder", table="t.csv"), folders_of(["a.png"]), rows)
    names.label("a.png")
    assert names.unused(list) == ["t.csv names 2 images that cannot be used or are not there, the first b/gone.png."]


def test_of_contradicting_rows_the_first_counts_and_that_is_said(tmp_path: Path) -> None:
    lists = {
        "img/metadata.csv": b"file_name,label,split\na.png,cat,train\na.png,dog,train\nb.png,cat,\n",
        "metadata.csv": b"file_name,label,split\nimg/b.png,dog,test\nimg/c.png,,test\nimg/a.png,cat,test\n",
    }
    rows = read_tables(folder(tmp_path, lists, table="metadata.csv"))
    assert rows == {"img/a.png": ("cat", "test"), "img/b.png": ("dog", "test"), "img/c.png": (None, "test")}
    assert rows.remarks == [
        "metadata.csv gives 2 images more than one label, and the first counts: img/a.png.",
        "metadata.csv gives 1 image more than one split, and the first counts: img/a.png.",
    ]
    names = Naming(FolderSource(kind="folder", table="metadata.csv"), folders_of(list(rows)), rows)
    assert [names.label(name) for name in rows] == ["dog", None, "cat"]
    assert names.unused(list) == rows.remarks


def test_how_a_table_beside_the_images_was_understood_is_said(tmp_path: Path) -> None:
    table = b"file_name,class,category,subset\na.png,cat,x,holdout\n"
    rows = read_tables(folder(tmp_path, {"labels.csv": table}, table="labels.csv"))
    assert rows is not None
    assert [remark.partition(",")[0] for remark in rows.remarks] == [
        "Of labels.csv: `class` was taken as the label; `label: category` takes another. These are keys of `kind: table`.",
        "Of labels.csv: `subset` was not taken as the split",
    ]


def test_the_splits_of_a_table_go_before_those_of_folders(tmp_path: Path) -> None:
    rows = {
        "train/a.png": NamedBy("x", "validation"),
        "val/b.png": NamedBy("x", None),
        "val/c.png": NamedBy("x", "test"),
    }
    names = Naming(FolderSource(kind="folder", table="t.csv", validation=("val/*",)), folders_of(list(rows)), rows)
    assert [names.split(name) for name in rows] == ["validation", "validation", "test"]
    assert [names.label(name) for name in rows] == ["x"] * 3
    assert names.unused(list) == [
        "t.csv puts 2 images in another split than the patterns of `validation` and `test` do, the first train/a.png; its "
        "splits count."
    ]


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    decomposed, composed = "cafe\u0301.png", "caf\u00e9.png"
    table = f"file_name,label\n{composed},x\n".encode()
    source = folder(tmp_path, {"metadata.csv": table})
    choice = find_table(source, [decomposed], others=["metadata.csv"])
    names = Naming(FolderSource(kind="folder", table="metadata.csv"), folders_of([decomposed]), choice.rows)
    assert (names.label(decomposed), names.label(composed), names.unused(list)) == ("x", "x", [])


def test_a_second_table_of_other_images_is_said(tmp_path: Path) -> None:
    lists = {name: b"file_name,label\n%s.png,x\n" % name.encode() for name in ("train.csv", "test.csv")}
    lists |= {"train.csv": lists["train.csv"] + b"b.png,y\n", "again.csv": b"file_name,label\nb.png,y\n"}
    choice = find_table(folder(tmp_path, lists), ["train.csv.png", "b.png", "test.csv.png"], others=list(lists))
    assert choice.name == "train.csv"
    assert choice.rows is not None
    assert [remark.partition(" and is not read")[0] for remark in choice.rows.remarks] == [
        "test.csv says the labels of 1 other image"
    ]
