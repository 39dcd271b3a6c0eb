"""What `generate` writes is an input: files of many images in each of its formats, with their labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.image_sets import COUNT, LABELS, write_set
from helpers.read_through import images_of, items_of, read_all
from pydantic import TypeAdapter

from components.sources import ReadError, Source, open_source
from components.sources.image_set import kind_of_set, shape_in_set
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics, encode_example, frame
from schemas.errors import DataError
from schemas.recipe.sources import Source as SourceSettings

pytestmark = pytest.mark.usefixtures("decode_here")

KINDS = {"parquet": "parquet", "webdataset": "webdataset", "tfrecord": "tfrecord", "npy": "array"}
formats = pytest.mark.parametrize("format", KINDS)


def source_in(folder: Path) -> Source:
    """Return the set as a source of the kind that it is."""
    settings: SourceSettings = TypeAdapter(SourceSettings).validate_python(
        {"kind": kind_of_set(str(folder)), "path": str(folder)}
    )
    return open_source(settings)


@formats
def test_a_set_has_its_images_and_labels(tmp_path: Path, format: str) -> None:
    write_set(tmp_path / "set", format)
    assert kind_of_set(str(tmp_path / "set")) == KINDS[format]
    source = source_in(tmp_path / "set")
    assert [item.label for item in items_of(source)] == LABELS
    assert {item.split for item in items_of(source)} == {None}
    assert len(images_of(source)) == COUNT
    assert len(source.digest()) == 64


@formats
def test_a_set_without_labels_has_none(tmp_path: Path, format: str) -> None:
    write_set(tmp_path / "set", format, labels=[None] * COUNT)
    assert {item.label for item in items_of(source_in(tmp_path / "set"))} == {None}


@formats
def test_a_set_becomes_examples(
    tmp_path: Path, format: str, ingest_into: Callable[..., tuple[Examples, dict[str, int]]]
) -> None:
    write_set(tmp_path / "set", format)
    examples, counts = ingest_into(tmp_path / "run", source_in(tmp_path / "set").settings)
    assert (counts["train"] + counts["validation"] + counts["test"], counts["rejected"]) == (COUNT, 0)
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == ["bird", "cat", "dog"]


def test_files_of_images_and_other_folders_are_no_such_set(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"type": "ImageSet"}')
    assert kind_of_set(str(tmp_path)) is None
    for text in ('{"type": "Examples"}', "[]", "{", '"ImageSet"'):
        (tmp_path / "manifest.json").write_text(text)
        assert kind_of_set(str(tmp_path)) is None
    assert kind_of_set(str(tmp_path / "nowhere")) is None


@pytest.mark.parametrize("shape", [(8, 10, 3), (8, 8, 1), (12, 8, 1)])
def test_records_have_their_pixels_back(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    pixels = write_set(tmp_path / "set", "tfrecord", shape=shape, file_blocks=2)
    for path in (tmp_path / "set", tmp_path / "set" / "data"):
        settings: SourceSettings = TypeAdapter(SourceSettings).validate_python({"kind": "tfrecord", "path": str(path)})
        source = open_source(settings)
        read = np.array(list(images_of(source).values()))
        np.testing.assert_array_equal(read, pixels[..., 0] if shape[2] == 1 else pixels)
        assert [item.label for item in items_of(source)] == LABELS
        assert {item.place for item in items_of(source)} == {None}
    before = source_in(tmp_path / "set").digest()
    (tmp_path / "set" / "metadata.parquet").unlink()
    assert source_in(tmp_path / "set").digest() != before
    assert {item.label for item in items_of(source_in(tmp_path / "set"))} == {None}


def test_labels_of_each_of_several_sets_are_in_the_digest(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_set(tmp_path / "sets" / name, "tfrecord")
    settings: SourceSettings = TypeAdapter(SourceSettings).validate_python(
        {"kind": "tfrecord", "path": str(tmp_path / "sets")}
    )
    digests = {open_source(settings).digest()}
    write_set(tmp_path / "other", "tfrecord", labels=LABELS[::-1])
    for name in ("a", "b"):
        shutil.copyfile(tmp_path / "other" / "metadata.parquet", tmp_path / "sets" / name / "metadata.parquet")
        digests.add(open_source(settings).digest())
    assert len(digests) == 3


def test_without_a_manifest_images_are_square(tmp_path: Path) -> None:
    assert shape_in_set(str(tmp_path), 28 * 28) == (28, 28, 1)
    assert shape_in_set(str(tmp_path), 28 * 28 * 3) == (28, 28, 3)
    assert shape_in_set(str(tmp_path), 8 * 10) is None
    (tmp_path / "manifest.json").write_text('{"recipe": {"preprocess": {"height": "high"}}}')
    assert shape_in_set(str(tmp_path), 28 * 28) == (28, 28, 1)


def tfrecord(path: Path, data: bytes) -> Source:
    """Write a file of records, and open it as a source."""
    path.write_bytes(data)
    settings: SourceSettings = TypeAdapter(SourceSettings).validate_python({"kind": "tfrecord", "path": str(path)})
    return open_source(settings)


def test_an_image_of_an_unknown_shape_cannot_be_read(tmp_path: Path) -> None:
    record = encode_example(np.zeros((8, 10, 1), np.uint8), key="0", label=-1)
    values = encode_example(np.zeros((8, 8, 1), np.float32), key="1", label=-1)
    source = tfrecord(tmp_path / "a.tfrecord", frame(record) + frame(values))
    raws = [raw for _, raw in read_all(source)]
    assert all(isinstance(raw, ReadError) for raw in raws)
    assert list(map(str, raws)) == [
        "80 bytes, of which no manifest beside it says height and width",
        "the record holds normalised values, and no pixels",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (frame(b""), "expected TFRecords that generate wrote .*, found others"),
        (frame(b"\xff\xff"), "expected TFRecords that generate wrote .*, found others"),
        (frame(b"abc")[:-1], "expected whole TFRecords, found a broken one"),
        (b"no records at all", "expected whole TFRecords, found a broken one"),
    ],
    ids=["another message", "no message", "cut", "no records"],
)
def test_other_records_are_refused_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"^{tmp_path}/a\.tfrecord: {message}") as error:
        items_of(tfrecord(tmp_path / "a.tfrecord", data))
    assert "\n" not in str(error.value)
