"""Which columns of a Parquet file are images, labels and splits: what the Hub ships is understood, and the choice is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.read_through import images_of, items_of, read_all

from components.sources import Source, open_source
from components.sources.parquet_columns import holds_images
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.errors import UsageError
from schemas.recipe.sources import ParquetSource

COUNT = 12
WORDS = ["airplane", "bird", "cat"]
NUMBERS = [n % 3 for n in range(COUNT)]
PICTURES = pa.array([{"bytes": b"%d" % n, "path": None} for n in range(COUNT)])
CAPTIONS = [f"a drawing of a thing, number {n}, with big eyes" for n in range(COUNT)]


def source_at(path: Path, **settings: Any) -> Source:
    """Return the source that a recipe's entry of kind parquet opens."""
    return open_source(ParquetSource.model_validate({"kind": "parquet", "path": str(path), **settings}))


def class_label(names: list[str]) -> dict[str, Any]:
    """Return how Hugging Face describes a column of classes."""
    return {"names": names, "_type": "ClassLabel"}


def write(path: Path, columns: dict[str, Any], **features: Any) -> Path:
    """Write a table, with Hugging Face's description of its columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if features else None
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return path


def labels(source: Source) -> list[str | None]:
    """Return every image's label."""
    return [item.label for item in items_of(source)]


def test_cifar_10_and_100_simply_work(tmp_path: Path) -> None:
    ten = write(tmp_path / "10.parquet", {"img": PICTURES, "label": NUMBERS}, label=class_label(WORDS))
    fine = class_label(WORDS)
    columns = {"img": PICTURES, "coarse_label": [0] * COUNT, "fine_label": NUMBERS}
    hundred = write(tmp_path / "100.parquet", columns, coarse_label=class_label(["all"]), fine_label=fine)
    for path in (ten, hundred):
        assert labels(source_at(path)) == [WORDS[n] for n in NUMBERS]
        assert list(images_of(source_at(path)).values()) == [b"%d" % n for n in range(COUNT)]
    assert source_at(ten).remarks() == []
    assert source_at(hundred).remarks() == [
        "`fine_label` was taken as the label; `label: coarse_label` takes another column."
    ]
    assert labels(source_at(hundred, label="coarse_label")) == ["all"] * COUNT


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"id": [b"k"], "Picture": [{"bytes": b"i", "path": None}]}, "Picture"),
        ({"thumb": [b"t"], "image": [b"i"]}, "image"),
        ({"mask": [{"bytes": b"m"}], "img": [{"bytes": b"i"}]}, "img"),
        ({"jpeg_bytes": [b"i"], "width": [3]}, "jpeg_bytes"),
    ],
    ids=["the only struct", "its usual name", "another usual name", "the only bytes"],
)
def test_the_column_of_images_is_found(tmp_path: Path, columns: dict[str, Any], column: str) -> None:
    source = source_at(write(tmp_path / "a.parquet", columns))
    assert list(images_of(source).values()) == [b"i"]
    others = [name for name in columns if name != column]
    assert list(images_of(source_at(tmp_path / "a.parquet", image=column, label="none")).values()) == [b"i"]
    if others[0] in ("thumb", "mask"):
        assert f"`{column}` was taken as the images; `image: {others[0]}` takes another column." in source.remarks()


def test_what_has_no_images_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"pages": [[{"bytes": b"i"}]], "label": [1]})
    with pytest.raises(
        UsageError, match=r"sources\.image: .* found none in .*; it has pages \(list<.*\), label \(int64\)"
    ):
        items_of(source_at(path))
    assert not holds_images(str(path))


@pytest.mark.parametrize("relative", [True, False])
def test_rows_may_hold_paths(tmp_path: Path, relative: bool) -> None:
    folder = tmp_path / "pics"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(b"%d" % number)
    names = [f"{'pics' if relative else folder}/{n}.png" for n in range(COUNT)]
    struct = pa.array(
        [{"bytes": None, "path": name} for name in names], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    for column, values in (("image", struct), ("image", names), ("file_name", names)):
        path = write(tmp_path / "paths.parquet", {column: values, "label": NUMBERS})
        assert list(images_of(source_at(path)).values()) == [b"%d" % n for n in range(COUNT)]
        assert labels(source_at(path)) == [str(n) for n in NUMBERS]
        before = source_at(path).digest()
        (folder / "7.png").write_bytes(b"another")
        assert source_at(path).digest() != before
        (folder / "7.png").write_bytes(b"7")
        assert source_at(path).digest() == before


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5_000, "nowhere.png", None])
def test_rows_that_name_no_file_have_a_digest_too(tmp_path: Path, name: str | None) -> None:
    source = source_at(write(tmp_path / "a.parquet", {"image": pa.array([name, "b.png"])}))
    assert len(source.digest()) == 64
    assert all(isinstance(raw, Exception) for _, raw in read_all(source))


@pytest.mark.parametrize(
    ("columns", "features", "expected"),
    [
        ({"Label": NUMBERS}, {}, [str(n) for n in NUMBERS]),
        ({"species": NUMBERS}, {"species": class_label(WORDS)}, [WORDS[n] for n in NUMBERS]),
        ({"category": NUMBERS, "text": ["t"] * COUNT}, {}, [str(n) for n in NUMBERS]),
        ({"text": [WORDS[n] for n in NUMBERS]}, {}, [WORDS[n] for n in NUMBERS]),
        ({"text": CAPTIONS}, {}, [None] * COUNT),
        ({"text": CAPTIONS, "label": CAPTIONS}, {}, CAPTIONS),
        ({"target": [n / 7 for n in range(COUNT)]}, {}, [None] * COUNT),
        ({"breed": [WORDS[n] for n in NUMBERS]}, {}, [None] * COUNT),
        ({"label": [[1, 2]] * COUNT}, {}, [None] * COUNT),
    ],
    ids=[
        "in capitals", "the only ClassLabel", "a usual name", "words", "captions", "what is called label", "numbers",
        "another name", "several labels each",
    ],
)  # fmt: skip
def test_the_column_of_labels_is_found(
    tmp_path: Path, columns: dict[str, Any], features: dict[str, Any], expected: list[str | None]
) -> None:
    assert labels(source_at(write(tmp_path / "a.parquet", {"image": PICTURES, **columns}, **features))) == expected


def test_what_was_not_taken_as_the_label_is_said(tmp_path: Path) -> None:
    source = source_at(write(tmp_path / "a.parquet", {"image": PICTURES, "text": CAPTIONS}))
    assert source.remarks() == [
        "Nearly every `text` is another (12 in 12 images), so it was not taken as the label; `label: text` takes it."
    ]
    assert source_at(tmp_path / "a.parquet", label="none").remarks() == []
    source = source_at(write(tmp_path / "b.parquet", {"image": PICTURES, "breed": CAPTIONS, "age": NUMBERS}))
    assert source.remarks() == ["No column was taken as the label; `label: …` takes one, of `breed`, `age`."]
    assert labels(source_at(tmp_path / "b.parquet", label="Breed")) == CAPTIONS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["plain_text/train/0000", "plain_text/test/0000"], ["test", "train"]),
        (["data/training-0", "data/testing-0"], ["test", "train"]),
        (["train-0", "eval-0"], ["test", "train"]),
        (["train-0", "eval-0", "test-0"], ["validation", "test", "train"]),
    ],
)
def test_files_and_folders_keep_the_splits_in_their_names(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    for name in names:
        write(tmp_path / f"{name}.parquet", {"image": [b"i"]})
    source = source_at(tmp_path)
    assert [item.split for item in items_of(source)] == expected
    assert any("`eval` was taken as the" in remark for remark in source.remarks()) == ("eval-0" in names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "Validation", "TEST", None], ["train", "validation", "test", None]),
        (["train", "train"], [None, None]),
        (["red", "test"], [None, None]),
    ],
)
def test_a_column_of_splits_divides_the_rows(tmp_path: Path, words: list[str], expected: list[str | None]) -> None:
    path = write(tmp_path / "a.parquet", {"image": [b"i"] * len(words), "split": words})
    assert [item.split for item in items_of(source_at(path))] == expected
    assert {item.split for item in items_of(source_at(path, test=["*#000000"]))} == {"test", "train"}


def test_files_without_images_are_left_out_where_others_have_them(tmp_path: Path) -> None:
    write(tmp_path / "metadata.parquet", {"file_name": ["data/a.parquet"], "label": ["x"]})
    write(tmp_path / "data" / "a.parquet", {"image": PICTURES, "label": NUMBERS})
    source = source_at(tmp_path)
    assert list(images_of(source)) == [f"data/a.parquet#{n:06d}" for n in range(COUNT)]
    assert source.remarks() == ["Files without a column of images are not read: metadata.parquet."]
    before = source.digest()
    write(tmp_path / "metadata.parquet", {"file_name": ["data/a.parquet"], "label": ["y"]})
    assert source_at(tmp_path).digest() == before


def test_the_hubs_files_become_examples_with_words_as_labels(
    tmp_path: Path, write_photos: Callable[..., Path], ingest_into: Callable[..., tuple[Examples, dict[str, int]]]
) -> None:
    photos = sorted(write_photos(tmp_path / "photos", 40).iterdir())
    for split, paths in {"train": photos[:30], "test": photos[30:]}.items():
        columns = {
            "img": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
            "fine_label": [int(path.stem) % 3 for path in paths],
            "coarse_label": [0 for _ in paths],
        }
        features = {"fine_label": class_label(WORDS), "coarse_label": class_label(["all"])}
        write(tmp_path / "hub" / split / "0000.parquet", columns, **features)
    examples, counts = ingest_into(tmp_path / "run", ParquetSource(kind="parquet", path=str(tmp_path / "hub")))
    assert (counts["train"] + counts["validation"], counts["test"], counts["rejected"]) == (30, 10, 0)
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == WORDS


def test_a_list_as_label_and_other_words_as_split_are_said(tmp_path: Path) -> None:
    columns = {"image": PICTURES, "label": [[1, 2]] * COUNT, "split": ["train", "holdout"] * (COUNT // 2)}
    source = source_at(write(tmp_path / "a.parquet", columns))
    assert {(item.label, item.split) for item in items_of(source)} == {(None, None)}
    remarks = "\n".join(source.remarks())
    assert "`label` was not taken as the label: expected one text or number, found list<" in remarks
    assert "`split` was not taken as the split, because it holds 'holdout'; write train, validation or test" in remarks


def test_an_image_as_text_is_one_that_is_not_there(tmp_path: Path) -> None:
    source = source_at(write(tmp_path / "a.parquet", {"image": ["/9j/4AAQSkZJRgABAQ" * 1000]}))
    ((_, error),) = read_all(source)
    assert isinstance(error, Exception)
    assert len(str(error)) <= 200
