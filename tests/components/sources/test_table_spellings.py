"""Tables as people have them: other names of columns, separators, marks, backslashes, numbers; each is one reading, and said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.read_through import images_of, items_of, read_all
from PIL import Image

from components.sources import MissingError, ReadError, Source, open_source
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.artifacts.tables import DUPLICATES_LABELLED, IMAGES, REJECTED, read_table
from schemas.errors import DataError, UsageError
from schemas.recipe.sources import TableSource

LABELS = ["bird", "cat", "dog"]
IngestInto = Callable[..., tuple[Examples, dict[str, int]]]


def source_at(path: Path, **settings: str) -> Source:
    """Return the source that a recipe's entry of kind table opens."""
    return open_source(TableSource.model_validate({"kind": "table", "path": str(path), **settings}))


def rows_of(source: Source) -> list[tuple[str, str | None, str | None]]:
    """Key, label and split of every image."""
    return [(item.key, item.label, item.split) for item in items_of(source)]


def write(path: Path, text: str | bytes) -> Path:
    """Write a table."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 30 different images in `p`."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "p").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / "p" / f"{number:02d}.png")
    return folder


def lines(header: str, row: str) -> str:
    """Return a table of the 30 images."""
    return "".join([header, *(row.format(path=f"p/{n:02d}.png", label=LABELS[n % 3], number=n % 3) for n in range(30))])


@pytest.mark.parametrize("folder", [True, False], ids=["beside its images", "elsewhere, with `file_name` in any case"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_hugging_faces_metadata_can_be_given_itself(photos: Path, tmp_path: Path, ending: str, folder: bool) -> None:
    name = "file_name" if folder else "File_Name"
    rows = [{name: f"{photos}/p/{n:02d}.png", "label": LABELS[n % 3]} for n in range(30)]
    path = tmp_path / f"metadata{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    else:
        write(path, f"{name},label\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    items = items_of(source_at(path))
    assert [item.label for item in items] == [LABELS[n % 3] for n in range(30)]
    assert len(images_of(source_at(path))) == 30


@pytest.mark.parametrize(
    "content",
    [
        lines("path,label\n", "{path},{label}\n"),
        lines("Path,Label\n", "{path},{label}\n"),
        lines("file_name,class\n", "{path},{label}\n"),
        lines("Filename\tCategory\n", "{path}\t{label}\n"),
        lines("label;image\r\n", "{label};{path}\r\n"),
        lines("\ufeffpath;label\r\n", "{path};{label}\r\n"),
        lines("sep=;\npath;label\n", "{path};{label}\n"),
        lines('"path","label"\n', '"{path}","{label}"\n'),
        lines("id,image path,label\n", "7,{path},{label}\n"),
        lines("path|label\n", "{path}|{label}\n"),
        lines("path,label\n", "{path},{label}\n").replace("/", "\\"),
        lines("path\tlabel\n", "{path}\t{label}\n").encode("utf-16"),
    ],
    ids=[
        "csv", "capitals", "file_name", "tabs in a .csv", "image last", "Excel, semicolons and a mark", "Excel's sep=",
        "quotes", "a space in a name", "bars", "backslashes", "Excel's Unicode text",
    ],
)  # fmt: skip
def test_every_spelling_of_a_table_says_the_same(photos: Path, content: str | bytes) -> None:
    source = source_at(write(photos / "list.csv", content))
    assert rows_of(source) == [(f"p/{n:02d}.png", LABELS[n % 3], None) for n in range(30)]
    assert len(images_of(source)) == 30
    assert source.remarks() == []


def test_a_file_whose_name_has_a_backslash_is_that_file(tmp_path: Path) -> None:
    (tmp_path / r"a\b.png").write_bytes(b"x")
    assert images_of(source_at(write(tmp_path / "list.csv", "path\na\\b.png\n"))) == {r"a\b.png": b"x"}


def test_numbers_that_pandas_made_floats_are_whole_again(photos: Path, tmp_path: Path, ingest_into: IngestInto) -> None:
    rows = [f"{n},p/{n:02d}.png,{'' if n % 10 == 9 else float(n % 3)}\n" for n in range(30)]
    source = TableSource(kind="table", path=str(write(photos / "pandas.csv", ",path,label\n" + "".join(rows))))
    expected = [None if n % 10 == 9 else str(n % 3) for n in range(30)]
    assert [item.label for item in items_of(open_source(source))] == expected
    examples, counts = ingest_into(tmp_path, source)
    assert counts["rejected"] == 0
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == ["0", "1", "2"]
    assert [row["label"] for row in read_table(examples.images_path, IMAGES).to_pylist()].count(None) == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.0", "nan", "2"], ["1", None, "2"]),
        (["1.0", "1.5", "2.0"], ["1.0", "1.5", "2.0"]),
        (["1.0", "cat", "nan"], ["1.0", "cat", "nan"]),
        (["none", "some", "none"], ["none", "some", "none"]),
        (["007", "008", " "], ["007", "008", None]),
    ],
)
def test_a_column_of_labels_is_read_in_one_way(tmp_path: Path, values: list[str], expected: list[str | None]) -> None:
    path = write(tmp_path / "a.csv", "path,label\n" + "".join(f"{n}.png,{value}\n" for n, value in enumerate(values)))
    assert [label for _, label, _ in rows_of(source_at(path))] == expected


def test_both_rows_of_an_image_with_two_labels_reach_the_tables(
    photos: Path, tmp_path: Path, ingest_into: IngestInto
) -> None:
    text = lines("path,label\n", "{path},{number}\n") + "p/00.png,2\np/01.png,1\n"
    source = TableSource(kind="table", path=str(write(photos / "twice.csv", text)))
    rows = rows_of(open_source(source))
    assert [row for row in rows if row[0] == "p/00.png"] == [("p/00.png", "0", None), ("p/00.png", "2", None)]
    examples, counts = ingest_into(tmp_path, source)
    assert counts["train"] + counts["validation"] + counts["test"] == 30
    rows_left_out = read_table(examples.duplicates_path, DUPLICATES_LABELLED).to_pylist()
    assert [(row["key"], {row["label"], row["same_as_label"]}) for row in rows_left_out] == [
        ("p/00.png", {"0", "2"}),
        ("p/01.png", {"1"}),
    ]


def test_files_that_were_never_there_are_missing(photos: Path, tmp_path: Path, ingest_into: IngestInto) -> None:
    names = [f"p/{n:02d}.png{'' if n % 20 else '.gone'}" for n in range(30)]
    source = TableSource(kind="table", path=str(write(photos / "missing.csv", "path\n" + "\n".join(names) + "\n")))
    errors = [raw for _, raw in read_all(open_source(source)) if isinstance(raw, Exception)]
    assert [type(error) for error in errors] == [MissingError, MissingError]
    examples, counts = ingest_into(tmp_path, source)
    assert counts["rejected"] == 2
    assert read_table(examples.rejected_path, REJECTED).to_pylist() == [
        {"key": name, "reason": "missing", "detail": f"there is no file {photos}/{name}"}
        for name in ("p/00.png.gone", "p/20.png.gone")
    ]


def images_in(folder: Path, *names: str) -> None:
    """Write a file of each name, which holds its name."""
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_names_without_folder_or_ending_are_looked_for_in_the_folder_that_holds_most(tmp_path: Path) -> None:
    images_in(tmp_path, "train/10_left.jpeg", "train/10_right.png", "test/11_left.jpeg", "train/a.png", "test/a.png")
    names = ["10_left", "10_right.png", "a.png", "11_left", "10_left.png", "train"]
    source = source_at(write(tmp_path / "labels.csv", "image,level\n" + "".join(f"{name},1\n" for name in names)))
    raws = {item.key: raw for item, raw in read_all(source)}
    assert list(raws.values())[:3] == [b"train/10_left.jpeg", b"train/10_right.png", b"train/a.png"]
    assert [type(raws[name]) for name in names[3:]] == [MissingError, MissingError, ReadError]
    assert str(raws["11_left"]).endswith("; not taken: test/11_left.jpeg")
    assert {item.key: source.read(item.place or "") for item in items_of(source)[:3]} == dict(list(raws.items())[:3])
    assert source.remarks()[-1:] == [
        "The files that labels.csv names were looked for in the folder train, and in no other beside it."
    ]


def test_names_that_two_folders_hold_are_taken_by_the_split_alone(tmp_path: Path) -> None:
    images_in(tmp_path, "train_images/0.jpg", "train_images/1.jpg", "test_images/0.jpg", "test_images/1.jpg")
    rows = "image,split\n0.jpg,{}\n1.jpg,{}\n"

    def raws(name: str, *splits: str) -> list[str]:
        source = source_at(write(tmp_path / name, rows.format(*splits)))
        return [raw.decode() if isinstance(raw, bytes) else str(raw) for _, raw in read_all(source)]

    assert raws("train.csv", "", "") == ["train_images/0.jpg", "train_images/1.jpg"]
    assert raws("a.csv", "test", "train") == ["test_images/0.jpg", "train_images/1.jpg"]
    assert raws("b.csv", "", "") == [
        f"there is no file {tmp_path}/{n}.jpg; two files of that name: test_images/{n}.jpg and train_images/{n}.jpg"
        for n in range(2)
    ]
    assert source_at(tmp_path / "b.csv").remarks()[-1] == (
        "The names of b.csv fit files in test_images and in train_images: none of these was taken."
    )


def test_a_file_in_a_folder_of_another_split_is_not_taken(tmp_path: Path) -> None:
    images_in(tmp_path, "train/0.jpg", "train/1.jpg")
    raws = [raw for _, raw in read_all(source_at(write(tmp_path / "test.csv", "image,label\n0.jpg,1\n")))]
    raws += [raw for _, raw in read_all(source_at(write(tmp_path / "a.csv", "image,split\n0.jpg,test\n1.jpg,val\n")))]
    assert [type(raw) for raw in raws] == [MissingError, MissingError, bytes]
    assert str(raws[0]).endswith("; not taken: train/0.jpg")


def test_tables_named_after_splits_say_those_of_rows_without(tmp_path: Path) -> None:
    images_in(tmp_path, *(f"d/{n}.png" for n in range(3)))
    write(tmp_path / "d/train.csv", "path,split\n0.png,\n1.png,val\n")
    write(tmp_path / "d/test.csv", "path\n2.png\n")
    expected = {"train.csv/0.png": "train", "train.csv/1.png": "validation", "test.csv/2.png": "test"}
    path = tmp_path / "d/{train,test}.csv"
    assert {item.key: item.split for item in items_of(source_at(path))} == expected
    assert {item.split for item in items_of(source_at(path, split="none"))} == {None}


def test_columns_that_are_named_go_before_the_usual_ones(tmp_path: Path) -> None:
    text = "path,label,split,scan,Breed,fold\na.png,x,train,b.png,collie,test\n"
    path = write(tmp_path / "a.csv", text)
    assert rows_of(source_at(path)) == [("a.png", "x", "train")]
    assert rows_of(source_at(path, image="scan", label="breed", split="fold")) == [("b.png", "collie", "test")]
    assert rows_of(source_at(path, label="none", split="none")) == [("a.png", None, None)]
    for key, setting in {"image": "scans", "label": "breeds", "split": "folds"}.items():
        with pytest.raises(UsageError, match=rf"sources\.{key}: .* found '{setting}'; it has path, label, split, scan"):
            rows_of(source_at(path, **{key: setting}))


def test_another_reading_is_said_with_its_setting(tmp_path: Path) -> None:
    def remarks(text: str, **settings: str) -> list[str]:
        return source_at(write(tmp_path / "a.csv", text), **settings).remarks()

    assert remarks("path,label,split\na.png,x,train\n") == []
    assert remarks("path,image\na.png,b.png\n") == [
        "`path` was taken as the column of paths; `image: image` takes another.",
        "No column was taken as the label; `label: …` takes one, of `image`.",
    ]
    assert remarks("path,image\na.png,b.png\n", image="image", label="none") == []
    assert remarks("path,class,target\na.png,x,y\n") == [
        "`class` was taken as the label; `label: target` takes another."
    ]
    assert remarks("path,breed,age\na.png,x,3\n") == [
        "No column was taken as the label; `label: …` takes one, of `breed`, `age`."
    ]
    assert remarks("path,split\na.png,train\nb.png,eval\n") == [
        "`eval` was taken as the test split; for another, write train, validation or test in `split`, or set `split: none`."
    ]


def test_values_that_nearly_all_differ_are_no_classes_unless_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "path,target\n" + "".join(f"{n}.png,{n / 7}\n" for n in range(20)))
    assert {label for _, label, _ in rows_of(source_at(path))} == {None}
    assert source_at(path).remarks() == [
        "Nearly every `target` is another (20 in 20 images), so it was not taken as the label; `label: target` takes it."
    ]
    assert len({label for _, label, _ in rows_of(source_at(path, label="target"))}) == 20


def test_a_column_that_may_be_the_split_is_one_if_it_holds_the_words(tmp_path: Path) -> None:
    text = "path,subset\na.png,Training\nb.png,{}\n"
    assert [split for _, _, split in rows_of(source_at(write(tmp_path / "a.csv", text.format("Testing"))))] == [
        "train",
        "test",
    ]
    source = source_at(write(tmp_path / "a.csv", text.format("blue")))
    assert [split for _, _, split in rows_of(source)] == [None, None]
    assert source.remarks()[-1] == (
        "`subset` was not taken as the split, because it holds 'blue'; write train, validation or test instead."
    )


def test_a_store_that_cannot_be_reached_is_one_row_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(b"good")
    names = ["s3://bucket/a.png", "azfs://account/a.png", "gs://bucket/a.png", "good.png"]
    source = source_at(write(tmp_path / "a.csv", "path\n" + "\n".join(names) + "\n"))
    raws = [raw for _, raw in read_all(source)]
    assert raws[3] == b"good"
    assert all(isinstance(raw, ReadError) for raw in raws[:3])
    assert str(raws[0]).endswith("; install the extra `aws`")
    assert str(raws[2]).endswith("; install the extra `gcp`")
    assert len(source.digest()) == 64


def test_a_parquet_file_that_is_none_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.parquet: expected a whole Parquet file, found something else") as error:
        rows_of(source_at(write(tmp_path / "a.parquet", b"PAR1 no table PAR1")))
    assert "\n" not in str(error.value)
