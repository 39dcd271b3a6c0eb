"""Which columns say splits: told by their values, in tables, beside images and in Parquet data sets alike."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.read_through import items_of

from components.sources import Source, open_source
from components.sources.base import NamedFiles
from components.sources.beside import find_table
from components.sources.split_columns import SplitColumns
from schemas.recipe.sources import FolderSource, ParquetSource, TableSource

Columns = dict[str, Sequence[object]]
LABELS = ["cat", "dog", "cat", "dog"]
WORDS = ["train", "train", "valid", "test"]
SPLITS = ["train", "train", "validation", "test"]
TAKEN = "`{}` was taken as the split; "


def table_at(path: Path, columns: Columns) -> Path:
    """Write a table of four images, in the form of the path's ending."""
    columns = {"file_name": [f"{number}.png" for number in range(len(LABELS))], **columns}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(dict(columns)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(columns), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def table_source(path: Path, **settings: str) -> Source:
    """Return the source that a recipe's entry of kind table opens."""
    return open_source(TableSource.model_validate({"kind": "table", "path": str(path), **settings}))


def pictures(path: Path, columns: Columns) -> Source:
    """Write a Parquet data set of four images, and return its source."""
    pq.write_table(pa.table({"image": [b"image"] * len(LABELS), **columns}), path)
    return open_source(ParquetSource(kind="parquet", path=str(path)))


def splits(source: Source) -> list[str | None]:
    """Return every image's split."""
    return [item.split for item in items_of(source)]


def labels(source: Source) -> list[str | None]:
    """Return every image's label."""
    return [item.label for item in items_of(source)]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", ["phase", "type", "dataset", "data set", "fold", "category", "split"])
def test_a_column_of_words_for_splits_is_the_split_whatever_its_name(tmp_path: Path, name: str, ending: str) -> None:
    columns: Columns = {name: [word.upper() for word in WORDS], "class": LABELS, "scanner": ["a", "b", "a", "b"]}
    table = table_source(table_at(tmp_path / f"list{ending}", columns))
    data_set = pictures(tmp_path / "images.parquet", columns)
    for source in (table, data_set):
        assert splits(source) == SPLITS
        assert labels(source) == LABELS
        remarks = [remark for remark in source.remarks() if remark.startswith(TAKEN.format(name))]
        assert len(remarks) == (name != "split")


def test_a_table_beside_the_images_has_its_split_in_any_column(tmp_path: Path) -> None:
    table_at(tmp_path / "metadata.csv", {"label": LABELS, "phase": WORDS})
    keys = [f"{number}.png" for number in range(len(LABELS))]
    for key in keys:
        (tmp_path / key).write_bytes(b"image")
    source = open_source(FolderSource(kind="folder", path=str(tmp_path)))
    assert isinstance(source, NamedFiles)
    table = find_table(source, keys, others=["metadata.csv"])
    assert table.says_splits
    assert table.rows is not None
    assert [table.rows[key] for key in keys] == list(zip(LABELS, SPLITS, strict=True))
    assert any(TAKEN.format("phase") in remark for remark in table.rows.remarks)


def test_of_two_columns_the_usual_name_goes_first_and_the_other_is_said(tmp_path: Path) -> None:
    columns: Columns = {"phase": WORDS[::-1], "Subset": WORDS, "label": LABELS}
    for source in (table_source(table_at(tmp_path / "a.csv", columns)), pictures(tmp_path / "a.parquet", columns)):
        assert splits(source) == SPLITS
        assert "`Subset` was taken as the split, and `phase` not, though it could be, too" in " ".join(source.remarks())
    unusual: Columns = {"set": [1, 2, 3, 4], "phase": WORDS, "label": LABELS}
    source = table_source(table_at(tmp_path / "b.csv", unusual))
    assert splits(source) == SPLITS


def test_settings_go_before_what_values_say(tmp_path: Path) -> None:
    path = table_at(tmp_path / "a.csv", {"class": LABELS, "phase": WORDS, "kind": ["test", "train", "train", "train"]})
    assert splits(table_source(path, split="kind")) == ["test", "train", "train", "train"]
    assert splits(table_source(path, split="none")) == [None] * len(LABELS)
    assert not [remark for remark in table_source(path, split="none").remarks() if "split" in remark]
    source = table_source(path, label="phase")
    assert (labels(source), splits(source)[0]) == (WORDS, "test")


@pytest.mark.parametrize(
    "values",
    [
        ["train", "train", "train", "train"],
        ["test", "val", "test", "val"],
        ["", "", "", "test"],
        ["train", "bus", "test", "train"],
    ],
    ids=["only training", "only held out", "notes", "other words"],
)
def test_words_that_do_not_divide_the_images_are_no_split(tmp_path: Path, values: list[str]) -> None:
    columns: Columns = {"label": LABELS, "remark": values}
    for source in (table_source(table_at(tmp_path / "a.csv", columns)), pictures(tmp_path / "a.parquet", columns)):
        assert splits(source) == [None] * len(LABELS)
        assert not [remark for remark in source.remarks() if "split" in remark]


def test_a_row_without_a_word_has_no_split(tmp_path: Path) -> None:
    words = ["train", None, "test", None]
    for source in (
        table_source(table_at(tmp_path / "a.jsonl", {"label": LABELS, "phase": words})),
        pictures(tmp_path / "a.parquet", {"label": LABELS, "phase": words}),
    ):
        assert splits(source) == words


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Usage", ["Training", "Training", "PublicTest", "PrivateTest"]),
        ("is_test", [0, 0, 0, 1]),
        ("isTest", [False, False, True, True]),
        ("train", [1, 1, 1, 0]),
    ],
)
def test_a_column_that_may_say_splits_in_its_own_words_is_named(
    tmp_path: Path, name: str, values: list[object]
) -> None:
    columns: Columns = {"label": LABELS, name: values}
    for source in (table_source(table_at(tmp_path / "a.csv", columns)), pictures(tmp_path / "a.parquet", columns)):
        assert splits(source) == [None] * len(LABELS)
        remarks = [remark for remark in source.remarks() if remark.startswith(f"`{name}` may say splits (")]
        assert len(remarks) == 1
        assert remarks[0].endswith(
            "was not taken as the split; write train, validation or test there, and it is taken."
        )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("is_test", [0, 0, 0, 0]),
        ("test_score", [0, 1, 0, 1]),
        ("is_male", [0, 1, 0, 1]),
        ("text", ["a train", "two trains", "a dog", "a cat"]),
        ("tags", [["train"], ["test"], [], []]),
    ],
)
def test_other_columns_are_not_said_to_be_splits(name: str, values: list[object]) -> None:
    columns = SplitColumns([name])
    for value in values:
        columns.see({name: value})
    assert columns.dividing == []
    assert columns.remarks() == []
