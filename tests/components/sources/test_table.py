"""A table of paths as a source: what it lists is read, and where it is wrong, its line is named."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from helpers.read_through import images_of, items_of, read_all
from hypothesis import given
from hypothesis import strategies as st

from components.sources import MissingError, ReadError, Source, open_source
from components.sources import table as module
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TableSource

ROWS = [("a.png", "cat", "train"), ("deep/b.png", "dog", "test"), ("é 図, 1.png", "", "")]
EXPECTED = [("a.png", "cat", "train"), ("deep/b.png", "dog", "test"), ("é 図, 1.png", None, None)]
text = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=9)
paths = text.filter(str.strip).filter(lambda path: path[0] != " " and "\\" not in path)
# Neither numbers nor spaces, and composed: these are spelt in one way.
labels = text.map(lambda label: unicodedata.normalize("NFC", f"l{label}l"))


def source_at(path: Path | str, *, max_bytes: int = 1 << 20) -> Source:
    """Return the source that a recipe's entry of kind table opens."""
    return open_source(TableSource(kind="table", path=str(path)), PreprocessSettings(max_bytes=max_bytes))


def write(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def separated(rows: list[tuple[str, ...]], *, header: str = "path,label,split", separator: str = ",") -> str:
    """Rows as CSV or TSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([header.split(","), *rows])
    return out.getvalue()


def lines_of_json(rows: list[tuple[str, ...]]) -> str:
    """Rows as JSONL."""
    return "".join(json.dumps(dict(zip(("path", "label", "split"), row, strict=True))) + "\n" for row in rows)


def rows_of(source: Source) -> list[tuple[str, str | None, str | None]]:
    """Key, label and split of every image."""
    return [(item.key, item.label, item.split) for item in items_of(source)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", separated(ROWS)),
        ("a.CSV", "\ufeff" + separated(ROWS)),
        ("a.tsv", separated(ROWS, separator="\t")),
        ("a.jsonl", lines_of_json(ROWS[:2]) + '\n{"path": "é 図, 1.png", "more": [1]}\n'),
        ("a.csv", 'id, split, path, label\n1, Train, a.png, cat\n\n2, TEST, deep/b.png, dog\n3,,"é 図, 1.png"\n'),
    ],
    ids=["csv", "csv with a mark of its bytes' order", "tsv", "jsonl", "columns in any order"],
)
def test_rows_say_path_label_and_split(tmp_path: Path, name: str, content: str) -> None:
    for path, _, _ in ROWS:
        write(tmp_path / path, path)
    source = source_at(write(tmp_path / name, content))
    assert rows_of(source) == EXPECTED
    assert images_of(source) == {path: path.encode() for path, _, _ in ROWS}
    assert {item.key: source.read(item.place or "") for item in items_of(source)} == images_of(source)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
@given(rows=st.lists(st.tuples(paths, labels, st.sampled_from(["train", "validation", "test"])), max_size=9))
def test_what_is_written_is_read_back(ending: str, rows: list[tuple[str, ...]]) -> None:
    separator = "\t" if ending == ".tsv" else ","
    content = lines_of_json(rows) if ending == ".jsonl" else separated(rows, separator=separator)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NAMES_PER_PART", 3)
        source = source_at(write(Path(folder) / f"a{ending}", content))
        assert rows_of(source) == rows
        assert all(part.images == len(part.names) <= 3 for part in source.parts())


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("train", "train"),
        ("val", "validation"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("Test", "test"),
        ("TRAINING", "train"),
        ("Testing", "test"),
        ("evaluation", "test"),
        ("", None),
    ],
)
def test_splits_have_their_usual_names(tmp_path: Path, word: str, split: str | None) -> None:
    assert rows_of(source_at(write(tmp_path / "a.csv", f"path,split\na.png,{word}\n"))) == [("a.png", None, split)]


@pytest.mark.parametrize(("value", "label"), [("3", "3"), ("3.0", "3"), ("true", "true"), ("null", None), ('"x"', "x")])
def test_labels_of_json_may_be_numbers(tmp_path: Path, value: str, label: str | None) -> None:
    source = source_at(write(tmp_path / "a.jsonl", f'{{"path": "a.png", "label": {value}}}'))
    assert rows_of(source) == [("a.png", label, None)]


def test_a_path_may_lead_anywhere_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.png", "a")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "link.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    absolute = str(tmp_path / "elsewhere" / "a.png")
    path = write(tmp_path / "tables" / "a.csv", f"path\n../elsewhere/a.png\n{absolute}\nlink.png\n")
    assert images_of(source_at(path)) == {"../elsewhere/a.png": b"a", absolute: b"a", "link.png": b"a"}


def test_a_table_beside_us_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.png", "a")
    write(tmp_path / "a.csv", "path\na.png\n")
    monkeypatch.chdir(tmp_path)
    assert images_of(source_at("a.csv")) == {"a.png": b"a"}


def test_several_tables_are_one_source_and_keys_begin_with_theirs(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name / "a.png", name)
        write(tmp_path / name / "list.csv", "path\na.png\n")
    source = source_at(tmp_path / "*" / "list.csv")
    assert images_of(source) == {"one/list.csv/a.png": b"one", "two/list.csv/a.png": b"two"}
    assert source.read("two/list.csv/a.png") == b"two"


def test_a_row_whose_file_cannot_be_read_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    write(tmp_path / "good.png", "good")
    names = ["gone.png", "folder", "pipe.png", "/dev/zero", "nowhere://a.png", "x" * 300, "good.png"]
    source = source_at(write(tmp_path / "a.csv", separated([(name,) for name in names], header="path")))
    raws = [raw for _, raw in read_all(source)]
    assert isinstance(raws[0], MissingError)
    assert str(raws[0]) == f"there is no file {tmp_path}/gone.png"
    assert [str(raw) for raw in raws[1:4]] == ["a folder, a pipe or a device"] * 3
    assert isinstance(raws[4], ReadError)
    assert isinstance(raws[5], ReadError)
    assert len(str(raws[5])) == 200
    assert raws[6] == b"good"
    assert len(source.digest()) == 64


def test_of_a_file_that_is_too_large_no_more_is_read_than_shows_that_it_is(tmp_path: Path) -> None:
    write(tmp_path / "a.png", "a" * 100)
    source = source_at(write(tmp_path / "a.csv", "path\na.png\n"), max_bytes=9)
    assert images_of(source) == {"a.png": b"a" * 10}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "picture,class\na.png,1\n",
            ", line 1: expected a header with a column of paths .*, found picture, class; name",
        ),
        ("a.csv", "emotion,pixels\n1,0 0 0\n", ", line 1: .*; if its rows are pixels, write them as an array, .npy"),
        (
            "a.csv",
            f"label,{','.join(f'pixel{n}' for n in range(784))}\n",
            ", line 1: .*; if its rows are pixels, write",
        ),
        ("a.csv", "a.png,1\nb.png,2\n", ", line 1: .*, found a.png, 1; put a line such as path,label before it"),
        ("a.csv", "path,path\na,b\n", ", line 1: expected a header with one column path, found path, path"),
        (
            "a.csv",
            "path,label,label\na,b,c\n",
            ", line 1: expected a header with one column label, found path, label, label",
        ),
        ("a.csv", "", ": expected a header with a column path, found an empty file"),
        ("a.csv", "path,label\na.png,1\n,2\n", ", line 3: expected a path, found none"),
        (
            "a.csv",
            "path,split\na.png,train\nb.png,tset\n",
            ", line 3: expected train, .* as split, .*'tset'; or set split",
        ),
        ("a.csv", "path,label\na, b.png,cat\n", ", line 2: expected 2 values, found 3; quote what holds commas"),
        ("a.csv", "path;label\na; b.png;cat\n", ", line 2: expected 2 values, found 3; quote what holds semicolons"),
        ("a.csv", 'path\n"a.png\n', ", line 2: expected a row of values, found unexpected end of data"),
        ("a.csv", b"path\ncaf\xe9.png\n", ": expected text in UTF-8, found bytes that are not .*; save it as UTF-8"),
        ("a.csv", "path\n" + "a" * (1 << 20), ", line 2: expected less than 1,048,576 characters, found more"),
        ("a.csv", "path\na\0b.png\n", ", line 2: expected a path, found characters that no path has in 'a.x00b"),
        ("a.jsonl", '{"path": "a.png"}\n{"path": 3}\n', ", line 2: expected a path, found 3"),
        ("a.jsonl", '{"path": "a.png"}\n\n{"label": 3}\n', ", line 3: expected a path, found none"),
        ("a.jsonl", '{"path": "\\ud800.png"}', ", line 1: expected a path, found characters that no path has"),
        ("a.jsonl", '{"path": "a.png", "label": [1]}', ", line 1: expected a label of text or a number, found list"),
        (
            "a.jsonl",
            '{"path": "a.png", "split": 3}',
            ", line 1: expected train, .* as split, or nothing, found 3",
        ),
        ("a.jsonl", '{"path": "a.png"\n', ", line 1: expected a JSON object, found something else"),
        ("a.jsonl", '["a.png"]\n', ", line 1: expected a JSON object with a path, found list"),
        ("a.jsonl", "[" * 100_000, ", line 1: expected a JSON object, found something else"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}{message}") as error:
        list(source_at(path).parts())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
@given(content=st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"path,label\n" + rest))
def test_any_bytes_are_rows_or_refused(ending: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a{ending}", content)
        try:
            read_all(source_at(path))
        except DataError as error:
            assert str(error).startswith(str(path))


def test_a_file_that_is_not_a_table_is_a_usage_error(tmp_path: Path) -> None:
    write(tmp_path / "a.xlsx", "")
    with pytest.raises(
        UsageError, match=rf"kind table expects \.csv, \.tsv, \.jsonl or \.parquet files, found {tmp_path}/a\.xlsx"
    ):
        source_at(tmp_path / "a.xlsx")
    with pytest.raises(UsageError, match=rf"found {tmp_path}"):
        source_at(tmp_path)


@pytest.mark.parametrize("change", ["content", "label", "split", "name", "gone", "added"])
def test_the_digest_changes_with_what_is_listed(tmp_path: Path, change: str) -> None:
    write(tmp_path / "a.png", "a")
    table = write(tmp_path / "a.csv", "path,label,split,more\na.png,cat,train,1\n")
    before = source_at(table).digest()
    write(table, "path,label,split,more\na.png,cat,train,2\n")
    assert source_at(table).digest() == before
    if change == "content":
        write(tmp_path / "a.png", "b")
    elif change == "gone":
        (tmp_path / "a.png").unlink()
    else:
        rows = {
            "label": "a.png,dog,train",
            "split": "a.png,cat,test",
            "name": "./a.png,cat,train",
            "added": "a.png,cat,train\na.png,cat,train",
        }
        write(table, f"path,label,split\n{rows[change]}\n")
    assert source_at(table).digest() != before
