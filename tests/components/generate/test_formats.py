"""A set in any format can be read by other people's software, and holds the same images."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.table_rows import table_rows
from PIL import Image

from components.generate.read_images import read_images
from schemas.artifacts.kinds import Generator, ImageSet
from schemas.errors import UsageError
from schemas.recipe.generate import GenerateSection

MakeImages = Callable[..., ImageSet]
Array = np.ndarray[Any, Any]
COUNT = 150
LABELS = {"left": 3, "right": 1}


@pytest.fixture(scope="module")
def make(conditional: Generator, make_images: MakeImages, tmp_path_factory: pytest.TempPathFactory) -> MakeImages:
    """Return a function that makes 150 labelled images in a format, in two files, once for each format."""

    @cache
    def make(format: str, **changes: Any) -> ImageSet:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("components.generate.plan.FILE_BLOCKS", 2)
            folder = tmp_path_factory.mktemp(format)
            return make_images(folder, of=conditional, count=COUNT, format=format, **changes)

    return make


@pytest.fixture(scope="module")
def png(make: MakeImages) -> ImageSet:
    """Return the set as PNG files, with which other formats are compared."""
    return make("png")


@pytest.fixture(scope="module")
def expected(png: ImageSet) -> tuple[Array, list[str]]:
    """Pixels [N, 8, 8] and labels."""
    rows = table_rows(png.metadata_path)
    return np.stack([np.asarray(Image.open(png.path / row["file_name"])) for row in rows]), [r["label"] for r in rows]


def test_webp_files_are_lossless(make: MakeImages, expected: tuple[Array, list[str]]) -> None:
    images = make("webp")
    pixels = [
        np.asarray(Image.open(images.path / row["file_name"]).convert("L")) for row in table_rows(images.metadata_path)
    ]
    np.testing.assert_array_equal(np.stack(pixels), expected[0])


def test_webdataset_shards_have_an_image_and_its_description_per_sample(
    make: MakeImages, expected: tuple[Array, list[str]]
) -> None:
    images = make("webdataset")
    shards = sorted((images.path / "data").iterdir())
    assert [path.name for path in shards] == ["images-00000-of-00002.tar", "images-00001-of-00002.tar"]
    samples: dict[str, dict[str, bytes]] = {}
    for path in shards:
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                samples.setdefault(key, {})[suffix] = tar.extractfile(member).read()  # type: ignore[union-attr]
    assert list(samples) == [f"{index:08d}" for index in range(COUNT)]
    for index, sample in enumerate(samples.values()):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(sample["png"]))), expected[0][index])
        label = expected[1][index]
        assert json.loads(sample["json"]) == {
            "index": index,
            "label": label,
            "label_number": list(LABELS).index(label),
        }


def test_training_can_read_the_tfrecords(make: MakeImages, expected: tuple[Array, list[str]]) -> None:
    from schemas.artifacts.records import IMAGE, KEY, LABEL

    images = make("tfrecord")
    features = {name: tf.io.FixedLenFeature([], kind) for name, kind in ((IMAGE, tf.string), (KEY, tf.string))}
    features[LABEL] = tf.io.FixedLenFeature([], tf.int64)
    files = sorted(str(path) for path in (images.path / "data").iterdir())
    examples = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(files)]
    pixels = np.stack([np.frombuffer(example[IMAGE].numpy(), np.uint8).reshape(8, 8) for example in examples])
    np.testing.assert_array_equal(pixels, expected[0])
    assert [list(LABELS)[int(example[LABEL])] for example in examples] == expected[1]


def test_an_array_holds_all_images_in_one_file(make: MakeImages, expected: tuple[Array, list[str]]) -> None:
    images = make("npy")
    array = np.load(images.path / "images.npy", allow_pickle=False)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array[..., 0], expected[0])
    assert {row["file_name"] for row in table_rows(images.metadata_path)} == {"images.npy"}


@pytest.mark.parametrize("format", ["webp", "parquet", "webdataset", "tfrecord", "npy"])
def test_rows_lead_to_their_images_in_every_format(
    format: str, make: MakeImages, expected: tuple[Array, list[str]]
) -> None:
    images = make(format)
    rows = table_rows(images.metadata_path)[::7]
    if format == "npy":  # its rows have no index: the first rows are the first images
        rows = table_rows(images.metadata_path)[:50]
    pixels = [np.asarray(image.convert("L")) for image in read_images(images.path, rows, shape=(8, 8, 1))]
    np.testing.assert_array_equal(np.stack(pixels), expected[0][[row["index"] for row in rows]])


def test_label_folders_are_what_most_trainers_read(make: MakeImages, expected: tuple[Array, list[str]]) -> None:
    images = make("png", label_folders=True)
    assert {path.name for path in (images.path / "images").iterdir()} == set(LABELS)
    for row in table_rows(images.metadata_path):
        assert row["file_name"].startswith(f"images/{row['label']}/")
        np.testing.assert_array_equal(np.asarray(Image.open(images.path / row["file_name"])), expected[0][row["index"]])


def test_labels_of_strangers_stay_within_the_set_and_each_has_its_folder(
    make_generator: Callable[..., Generator], make_images: MakeImages, tmp_path: Path
) -> None:
    labels = ["a/b", "a_b", "../up", "no tumor", "Ünï 猫", "x" * 300]
    generator = make_generator(tmp_path / "generator", labels=dict.fromkeys(labels, 1))
    images = make_images(tmp_path / "set", of=generator, count=12, labels="balanced", label_folders=True)
    rows = table_rows(images.metadata_path)
    folders = {row["label"]: Path(row["file_name"]).parent.name for row in rows}
    assert list(folders) == labels
    assert folders["a_b"] == "a_b"
    assert folders["x" * 300].startswith("x" * 200)
    assert {path.name for path in (images.path / "images").iterdir()} == set(folders.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator", "set"]
    assert all((images.path / row["file_name"]).is_file() for row in rows)


def test_label_folders_need_labels_and_files(make_images: MakeImages, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^generate\.label_folders: expected a conditional model, found one without"):
        make_images(tmp_path, label_folders=True)
    with pytest.raises(ValueError, match="label_folders: expected format png or webp, found npy"):
        GenerateSection(label_folders=True, format="npy")


@pytest.mark.parametrize(
    ("indices", "expected"), [("7", [7]), ("3-5,1", [1, 3, 4, 5]), ("2,2,1-3", [1, 2, 3]), (None, [0, 1, 2])]
)
def test_indices_are_numbers_and_ranges(indices: str | None, expected: list[int]) -> None:
    assert list(GenerateSection(count=3, indices=indices).indices_of(None)) == expected


def test_a_single_index_may_be_written_as_a_number() -> None:
    assert list(GenerateSection.model_validate({"indices": 7}).indices_of(None)) == [7]


@pytest.mark.parametrize("indices", ["5-3", "a", "1,,2", "-1", "0-99999999999"])
def test_malformed_indices_are_refused(indices: str) -> None:
    with pytest.raises(ValueError, match="indices"):
        GenerateSection(indices=indices)
