"""Parquet files as a source: images as Hugging Face writes them, read page by page, and refused where they are none."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.damage import damaged, read_or_refused
from helpers.read_through import images_of, items_of, read_all
from hypothesis import given
from hypothesis import strategies as st

from components.sources import ReadError, Source, open_source
from components.sources import parquet as module
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ParquetSource

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGES = [b"one", b"two", b"three", b"four", b"five"]


def source_at(path: Path | str, *, max_bytes: int = 1 << 20, **settings: Any) -> Source:
    """Return the source that a recipe's entry of kind parquet opens."""
    entry = ParquetSource.model_validate({"kind": "parquet", "path": str(path), **settings})
    return open_source(entry, PreprocessSettings(max_bytes=max_bytes))


def structs(images: list[bytes] = IMAGES) -> pa.Array:
    """Images as Hugging Face has them."""
    return pa.array([{"bytes": image, "path": f"{number}.png"} for number, image in enumerate(images)], STRUCT)


def write(path: Path, columns: dict[str, Any], *, metadata: dict[str, str] | None = None, **options: Any) -> Path:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, **options)
    return path


def labels(source: Source) -> list[str | None]:
    """Every image's label."""
    return [item.label for item in items_of(source)]


@pytest.mark.parametrize(
    "column",
    [
        structs(),
        pa.array(IMAGES, pa.binary()),
        pa.array(IMAGES, pa.large_binary()),
        pa.array(IMAGES, pa.binary()).dictionary_encode(),
        pa.StructArray.from_arrays([pa.array(IMAGES)], ["bytes"]),
    ],
    ids=["struct", "bytes", "large bytes", "dictionary", "struct of bytes alone"],
)
def test_images_come_in_the_rows_order(tmp_path: Path, column: pa.Array) -> None:
    source = source_at(write(tmp_path / "a.parquet", {"image": column}))
    assert images_of(source) == {f"a.parquet#{number:06d}": image for number, image in enumerate(IMAGES)}
    assert {(item.place, item.label, item.split) for item in items_of(source)} == {(None, None, None)}


@given(images=st.lists(st.binary(max_size=9), max_size=40), group=st.integers(1, 12), part=st.integers(1, 20))
def test_what_is_written_is_read_back_however_it_is_divided(images: list[bytes], group: int, part: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NAMES_PER_PART", part)
        path = write(Path(folder) / "a.parquet", {"image": structs(images)}, row_group_size=group)
        source = source_at(path)
        read = images_of(source)
        assert list(read) == [f"a.parquet#{number:06d}" for number in range(len(images))]
        assert list(read.values()) == images
        assert sum(part.images for part in source.parts()) == len(images)


def test_a_row_group_is_read_page_by_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.bytes(50_000) for _ in range(1_000)]
    path = write(
        tmp_path / "a.parquet", {"image": images}, use_dictionary=False, write_batch_size=10, compression="none"
    )
    size = path.stat().st_size
    del images
    assert pq.ParquetFile(path).num_row_groups == 1
    before, highest = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    try:
        for part in source_at(path).parts():
            for _ in source_at(path).images(part.names):
                highest = max(highest, pa.total_allocated_bytes() - before)
        assert tracemalloc.get_traced_memory()[1] + highest < size / 5
    finally:
        tracemalloc.stop()


def test_files_of_a_folder_and_those_that_a_pattern_matches_are_one_source(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", {"image": [b"b"]})
    write(tmp_path / "deep" / "a.parquet", {"image": [b"a"]})
    (tmp_path / "README.md").write_text("about")
    assert images_of(source_at(tmp_path)) == {"b.parquet#000000": b"b", "deep/a.parquet#000000": b"a"}
    assert images_of(source_at(tmp_path / "*.parquet")) == {"b.parquet#000000": b"b"}
    assert images_of(source_at(tmp_path / "**" / "*.parquet")) == images_of(source_at(tmp_path))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["cat", None, "dog"]), ["cat", None, "dog"]),
        (pa.array(["cat", "dog", "cat"]).dictionary_encode(), ["cat", "dog", "cat"]),
        (pa.array([7, None, -1], pa.int64()), ["7", None, "-1"]),
        (pa.array([1.0, None, 2.5]), ["1", None, "2.5"]),
        (pa.array([True, False, None]), ["true", "false", None]),
    ],
    ids=["text", "dictionary", "whole numbers", "numbers", "true and false"],
)
def test_labels_are_text(tmp_path: Path, column: pa.Array, expected: list[str | None]) -> None:
    assert labels(source_at(write(tmp_path / "a.parquet", {"image": IMAGES[:3], "label": column}))) == expected


def test_the_label_is_the_column_label_else_text_else_the_one_that_is_named_or_none(tmp_path: Path) -> None:
    columns = {"image": [b"i"], "text": ["t"], "label": ["l"], "fine": ["f"]}
    both = write(tmp_path / "both.parquet", columns)
    text = write(tmp_path / "text.parquet", {"image": [b"i"], "text": ["t"]})
    assert labels(source_at(both)) == ["l"]
    assert labels(source_at(text)) == ["t"]
    assert labels(source_at(both, label="fine")) == ["f"]
    assert labels(source_at(both, label="none")) == [None]


def test_hugging_faces_class_names_stand_for_their_numbers(tmp_path: Path) -> None:
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path = write(tmp_path / "a.parquet", {"image": IMAGES, "label": [1, 0, -1, None, 5]}, metadata=metadata)
    assert labels(source_at(path)) == ["dog", "cat", None, None, "5"]


@pytest.mark.parametrize("metadata", ["{", "[]", '{"info": {"features": {"label": {"names": 3}}}}', '{"info": null}'])
def test_metadata_that_says_nothing_of_the_label_leaves_numbers(tmp_path: Path, metadata: str) -> None:
    path = write(tmp_path / "a.parquet", {"image": [b"i"], "label": [1]}, metadata={"huggingface": metadata})
    assert labels(source_at(path)) == ["1"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"], ["test", "train", "train"]),
        (["train-00000-of-00001", "validation-00000-of-00001"], ["train", "validation"]),
        (["train", "val", "test", "extra"], ["train", "test", "train", "validation"]),
        (["train-00000-of-00001"], [None]),
        (["test-00000-of-00001"], [None]),
        (["latest", "trainer"], [None, None]),
    ],
)
def test_files_named_after_splits_keep_them_where_the_division_is_whole(
    tmp_path: Path, names: list[str], expected: list[str | None]
) -> None:
    for name in names:
        write(tmp_path / f"{name}.parquet", {"image": [b"i"]})
    assert [item.split for item in items_of(source_at(tmp_path))] == expected


def test_files_of_other_names_are_for_training_and_it_is_said(tmp_path: Path) -> None:
    for name in ("train-0", "test-0", "unsupervised-0", "unsupervised-1"):
        write(tmp_path / f"{name}.parquet", {"image": [b"i"]})
    assert source_at(tmp_path).remarks() == [
        "The images of unsupervised-0.parquet, unsupervised-1.parquet, beside `test`, `train`, are taken for training; "
        "`test: [...]` names other test images."
    ]
    assert source_at(tmp_path, test=["test*"]).remarks() == []
    (tmp_path / "test-0.parquet").unlink()
    assert source_at(tmp_path).remarks() == []


def test_keys_that_match_are_the_test_split_for_any_names_of_files(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", {"image": IMAGES[:2]})
    write(tmp_path / "test.parquet", {"image": IMAGES[:1]})
    splits = {item.key: item.split for item in items_of(source_at(tmp_path, test=["train*1"]))}
    assert splits == {"test.parquet#000000": "train", "train.parquet#000000": "train", "train.parquet#000001": "test"}
    splits = {item.key: item.split for item in items_of(source_at(tmp_path, validation=["train*0"], test=["test*"]))}
    assert list(splits.values()) == ["test", "validation", "train"]


def test_a_row_without_bytes_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    rows = [{"bytes": None, "path": "far/a.png"}, {"bytes": None, "path": None}, None, {"bytes": b"good", "path": None}]
    source = source_at(write(tmp_path / "a.parquet", {"image": pa.array(rows, STRUCT)}))
    assert [str(raw) if isinstance(raw, ReadError) else raw for _, raw in read_all(source)] == [
        f"there is no file {tmp_path}/far/a.png",
        "the row holds no image",
        "the row holds no image",
        b"good",
    ]


def test_of_an_image_that_is_too_large_no_more_is_kept_than_shows_that_it_is(tmp_path: Path) -> None:
    source = source_at(write(tmp_path / "a.parquet", {"image": [b"a" * 100]}), max_bytes=9)
    assert list(images_of(source).values()) == [b"a" * 10]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": "scan"}, r"sources\.image: expected the column .*, found no 'scan' in .*; it has img, label, boxes"),
        ({"image": "label"}, r"sources\.image: .*, found 'label' of type int64 in .*; it has img, label, boxes"),
        ({"image": "boxes"}, r"sources\.image: expected a column of bytes, .* found 'boxes' of type list"),
        ({"image": "img", "label": "class"}, r"sources\.label: .*, found no 'class' in .*; it has img, label, boxes"),
        (
            {"image": "img", "label": "boxes"},
            r"sources\.label: .* text or numbers, or none, found 'boxes' of type list",
        ),
    ],
)
def test_a_wrong_column_is_a_usage_error_that_names_those_that_there_are(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    path = write(tmp_path / "a.parquet", {"img": [b"i"], "label": [1], "boxes": [[1, 2]]})
    with pytest.raises(UsageError, match=message):
        list(source_at(path, **settings).parts())


def test_a_place_without_parquet_files_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match=rf"kind parquet expects files named \*\.parquet, found none in {tmp_path}"):
        source_at(tmp_path)
    with pytest.raises(UsageError, match=r"found nothing at .*/nowhere; check SOURCE="):
        source_at(tmp_path / "nowhere")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"no table at all", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_file_that_is_not_parquet_is_named_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: expected a whole Parquet file, found .*$") as error:
        items_of(source_at(path))
    assert "\n" not in str(error.value)


@given(data=st.data())
def test_a_damaged_file_is_read_whole_or_refused(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "a.parquet", {"image": structs(), "label": [1, 2, 3, 4, 5]}, write_page_checksum=True
        )
        path.write_bytes(damaged(data, path.read_bytes()))
        read_or_refused(lambda: source_at(path))


def test_the_digest_is_the_names_and_the_contents(tmp_path: Path) -> None:
    for folder, content in (("one", b"i"), ("same", b"i"), ("other", b"o")):
        write(tmp_path / folder / "a.parquet", {"image": [content]})
    digests = [source_at(tmp_path / folder).digest() for folder in ("one", "same", "other")]
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "one" / "a.parquet").rename(tmp_path / "one" / "b.parquet")
    assert source_at(tmp_path / "one").digest() != digests[0]
