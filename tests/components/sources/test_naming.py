"""Labels and own splits follow from names, from a recipe's settings, and from tables beside the images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.sources import NamedFiles, open_source
from components.sources.beside import find_table, read_tables
from components.sources.layout import folders_of
from components.sources.naming import NamedBy, Naming
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


def test_patterns_say_the_splits() -> None:
    names = naming(NAMES, label="last_folder", test=("test/dog/*",), validation=("test/*",))
    assert [names.split(name) for name in ("train/cat/0.png", "test/cat/0.png", "test/dog/0.png")] == [
        "train",
        "validation",
        "test",
    ]


def test_splits_that_the_recipe_does_not_use_are_said_with_the_setting_that_uses_them() -> None:
    [sentence] = naming(NAMES, label="last_folder").unused()
    assert sentence == (
        "The folders test, train name splits, which the recipe does not use: its 6 test images are divided among all splits; "
        'sources.test=["test/*"] would keep them apart.'
    )
    assert naming(NAMES, label="last_folder", test=("test/*",)).unused() == []
    assert naming(["cat/0.png", "dog/0.png"]).unused() == []


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
    assert choice is not None
    assert choice[0] == table
    assert {key: row.label for key, row in choice[1].items()} == {"a.png": "cat", "sub/b.png": "dog"}
    again = folder(tmp_path, {}, table=table)
    assert read_tables(again) == choice[1]


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
    "table",
    [b"file_name,text\na.png,a cat\nb.png,a dog\n", b"x,y\n1,2\n", b"file_name,label\nelsewhere.png,cat\n", b""],
    ids=["captions", "numbers", "other images", "empty"],
)
def test_a_table_of_something_else_says_no_labels(tmp_path: Path, table: bytes) -> None:
    source = folder(tmp_path, {"a.png": b"a", "b.png": b"b", "table.csv": table})
    assert find_table(source, ["a.png", "b.png"], others=["table.csv"]) is None


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
    assert names.unused() == []


def test_names_that_only_the_table_has_are_said() -> None:
    rows = {name: NamedBy("x", None) for name in ("a.png", "gone.png", "b/gone.png")}
    names = Naming(FolderSource(kind="folder", table="t.csv"), folders_of(["a.png"]), rows)
    names.label("a.png")
    assert names.unused() == ["t.csv names 2 images that cannot be used or are not there, the first b/gone.png."]


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
    assert names.unused() == rows.remarks


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
    assert names.unused() == [
        "t.csv puts 2 images in another split than the patterns of `validation` and `test` do, the first train/a.png; its "
        "splits count."
    ]


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    decomposed, composed = "cafe\u0301.png", "caf\u00e9.png"
    table = f"file_name,label\n{composed},x\n".encode()
    source = folder(tmp_path, {"metadata.csv": table})
    choice = find_table(source, [decomposed], others=["metadata.csv"])
    assert choice is not None
    names = Naming(FolderSource(kind="folder", table="metadata.csv"), folders_of([decomposed]), choice[1])
    assert (names.label(decomposed), names.label(composed), names.unused()) == ("x", "x", [])


def test_a_second_table_of_other_images_is_said(tmp_path: Path) -> None:
    lists = {name: b"file_name,label\n%s.png,x\n" % name.encode() for name in ("train.csv", "test.csv")}
    lists |= {"train.csv": lists["train.csv"] + b"b.png,y\n", "again.csv": b"file_name,label\nb.png,y\n"}
    choice = find_table(folder(tmp_path, lists), ["train.csv.png", "b.png", "test.csv.png"], others=list(lists))
    assert choice is not None
    assert choice[0] == "train.csv"
    assert [remark.partition(" and is not read")[0] for remark in choice[1].remarks] == [
        "test.csv says the labels of 1 other image"
    ]
