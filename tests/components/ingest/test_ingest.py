"""Ingest from a folder to Examples: what is written, and that every run writes the same."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from helpers.paths import ROOT
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from tensorflow_metadata.proto.v0 import schema_pb2

from components.images.geometry import Cover, Crop, Fit, Geometry, Pad, Stretch
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import SPLITS, Statistics, decode_example, read_records
from schemas.artifacts.tables import DUPLICATES, IMAGES, REJECTED, read_table
from schemas.hashing import sha256_of
from schemas.recipe.sources import FolderSource, IdxSource

Array = np.ndarray[Any, Any]
Ingest = Callable[..., tuple[Examples, dict[str, int]]]
Ingested = Callable[..., Examples]
COUNT = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, write_photos: Callable[..., Path]) -> Path:
    """60 images: 30 cats, 20 dogs, and 10 loose ones."""
    root = tmp_path_factory.mktemp("photos")
    write_photos(root / "cats", 30, seed=1)
    write_photos(root / "dogs", 20, height=20, width=16, seed=2)
    write_photos(root, 10, seed=3)
    return root


@pytest.fixture(scope="module")
def labelled(photos: Path, ingest_into: Ingest, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Return the photos as Examples, labelled by folder."""
    source = FolderSource(kind="folder", path=str(photos), label="first_folder")
    return ingest_into(tmp_path_factory.mktemp("labelled"), source)[0]


@pytest.fixture(scope="module")
def ingested(photos: Path, ingest_into: Ingest, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """Ingest the photos with these settings, once for all tests, which only look at the Examples."""

    @cache
    def get(**settings: Any) -> Examples:
        return ingest_into(tmp_path_factory.mktemp("ingested"), photos, **settings)[0]

    return get


def statistics_of(examples: Examples) -> Statistics:
    """Read the statistics of Examples."""
    return Statistics.model_validate_json(examples.statistics_path.read_text())


def stored(examples: Examples, split: str) -> list[tuple[str, Array, int]]:
    """Return key, pixels or values, and label of every record of a split."""
    statistics = statistics_of(examples)
    shape = (statistics.stored_height, statistics.stored_width, statistics.channels)
    records = []
    for shard in examples.shards(split):
        for record in read_records(shard):
            pixels, key, label = decode_example(record)
            values = np.frombuffer(pixels, np.uint8) if isinstance(pixels, bytes) else np.array(pixels, np.float32)
            records.append((key, values.reshape(shape), label))
    return records


def digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_image_is_counted_listed_and_stored_once(labelled: Examples, photos: Path) -> None:
    statistics = statistics_of(labelled)
    rows = read_table(labelled.images_path, IMAGES).to_pylist()
    names = {path.relative_to(photos).as_posix() for path in photos.rglob("*.png")}
    assert {row["key"] for row in rows} == names
    assert sum(statistics.images.values()) == len(rows) == COUNT
    assert statistics.rejected == {}
    assert read_table(labelled.rejected_path, REJECTED).num_rows == 0
    for split in SPLITS:
        of_split = [row["key"] for row in rows if row["split"] == split]
        assert len(of_split) == statistics.images[split] == statistics.records[split] > 0
        assert sorted(key for key, _, _ in stored(labelled, split)) == sorted(of_split)


def test_the_counts_are_returned_and_the_originals_are_not_touched(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    before = digests(photos), {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    examples, counts = ingest_into(tmp_path, photos)
    assert counts == {**statistics_of(examples).images, "rejected": 0, "duplicates": 0}
    assert (digests(photos), {path: path.stat().st_mtime_ns for path in photos.rglob("*")}) == before


def test_a_row_tells_where_an_image_came_from_and_where_it_went(labelled: Examples, photos: Path) -> None:
    for row in read_table(labelled.images_path, IMAGES).to_pylist():
        file = photos / row["key"]
        assert row["sha256"] == sha256_of(file)
        assert row["bytes"] == file.stat().st_size
        assert (row["format"], row["width"], row["height"]) == ("PNG", 16, 20 if "dogs" in row["key"] else 12)
        assert labelled.path / row["shard"] in labelled.shards(row["split"])


def test_labels_are_stored_by_their_place_in_the_statistics(labelled: Examples) -> None:
    statistics = statistics_of(labelled)
    assert statistics.labels == ["cats", "dogs"]
    for split in SPLITS:
        records = stored(labelled, split)
        for key, _, label in records:
            assert label == (statistics.labels.index(key.split("/")[0]) if "/" in key else -1)
        assert statistics.images_per_label[split] == {
            name: sum(key.startswith(name) for key, _, _ in records) for name in statistics.labels
        }


def test_digits_as_labels_are_in_the_order_of_numbers(
    tmp_path: Path, ingest_into: Ingest, write_idx: Callable[[Path, Array], Path]
) -> None:
    rng = np.random.default_rng(0)
    write_idx(tmp_path / "photos-images-idx3-ubyte", rng.integers(0, 256, (60, 8, 8)))
    write_idx(tmp_path / "photos-labels-idx1-ubyte", np.arange(60) % 12)
    examples, _ = ingest_into(tmp_path / "run", IdxSource(kind="idx", path=str(tmp_path)), channels=1)
    assert statistics_of(examples).labels == [str(number) for number in range(12)]


def test_the_stored_pixels_are_those_of_the_image_made_to_fit(labelled: Examples, photos: Path) -> None:
    for key, pixels, _ in stored(labelled, "test"):
        with Image.open(photos / key) as image:
            np.testing.assert_array_equal(pixels, Cover(8, 8).map(image))


@pytest.mark.parametrize("crop", ["none", "baked", "fresh"])
def test_the_moments_are_those_of_all_stored_training_pixels(ingested: Ingested, crop: str) -> None:
    examples = ingested(crop=crop, crops_per_image=2, normalise="standardise")
    statistics = statistics_of(examples)
    pixels = np.stack([pixels for _, pixels, _ in stored(examples, "train")]).astype(np.float64) / 255
    np.testing.assert_allclose(statistics.train_mean, pixels.mean(axis=(0, 1, 2)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(statistics.train_deviation, pixels.std(axis=(0, 1, 2)), rtol=0, atol=1e-9)
    assert (statistics.mean, statistics.deviation) == (statistics.train_mean, statistics.train_deviation)


# One crop for each geometry is enough: crops are cut from the geometry's result. Tests below cover every crop.
@pytest.mark.parametrize(
    ("geometry", "kind", "crop"), [("fit", Fit, "none"), ("pad", Pad, "baked"), ("stretch", Stretch, "fresh")]
)
def test_every_geometry_reaches_the_shards(
    photos: Path, ingested: Ingested, geometry: str, kind: type[Geometry], crop: str
) -> None:
    background = (1, 2, 3)
    examples = ingested(geometry=geometry, crop=crop, crop_margin=0.5, background=background)
    side = 8 if crop == "none" else 12  # what a crop is cut from
    frame = kind(side, side, background)
    for key, pixels, _ in stored(examples, "test"):
        expected = frame.map(Image.open(photos / key))
        np.testing.assert_array_equal(pixels, Crop(8, 8).map(expected) if crop == "baked" else expected)


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_the_schema_describes_the_records(ingested: Ingested, store: str) -> None:
    examples = ingested(store=store)
    schema = text_format.Parse(examples.schema_path.read_text(), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    assert set(features) == {"image", "key", "label"}
    kind, size = (schema_pb2.BYTES, 1) if store == "uint8" else (schema_pb2.FLOAT, 8 * 8 * 3)
    assert (features["image"].type, features["image"].shape.dim[0].size) == (kind, size)


def test_baked_crops_are_windows_of_training_images_and_the_centre_of_others(photos: Path, ingested: Ingested) -> None:
    examples = ingested(crop="baked", crops_per_image=3, crop_margin=0.5)
    statistics = statistics_of(examples)
    assert statistics.records == {**statistics.images, "train": 3 * statistics.images["train"]}
    records = {split: stored(examples, split) for split in SPLITS}
    assert set(Counter(key for key, _, _ in records["train"]).values()) == {3}
    places = set()
    for split in SPLITS:
        for key, pixels, _ in records[split]:
            with Image.open(photos / key) as image:
                windows = sliding_window_view(Cover(12, 12).map(image), (8, 8, 3))[:, :, 0]
            hits = np.argwhere((windows == pixels).all(axis=(2, 3, 4))).tolist()
            assert len(hits) == 1
            if split == "train":
                places.add(tuple(hits[0]))
            else:
                assert hits == [[2, 2]]
    assert len(places) > 15  # of 25 that there are


def test_fresh_crops_get_a_margin_to_be_cut_from_later(photos: Path, ingested: Ingested) -> None:
    examples = ingested(crop="fresh", crop_margin=0.25)
    statistics = statistics_of(examples)
    assert (statistics.height, statistics.width, statistics.stored_height, statistics.stored_width) == (8, 8, 10, 10)
    assert statistics.records == statistics.images
    for key, pixels, _ in stored(examples, "validation"):
        with Image.open(photos / key) as image:
            np.testing.assert_array_equal(pixels, Cover(10, 10).map(image))


@pytest.mark.parametrize("normalise", ["unit", "symmetric", "standardise"])
def test_float32_holds_the_normalised_values_of_the_same_pixels(ingested: Ingested, normalise: str) -> None:
    pixels, values = (ingested(normalise=normalise, store=store) for store in ("uint8", "float32"))
    statistics = statistics_of(values)
    assert statistics == statistics_of(pixels).model_copy(update={"store": "float32"})
    if normalise != "standardise":
        mean, deviation = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5)}[normalise]
        assert (statistics.mean, statistics.deviation) == ([mean] * 3, [deviation] * 3)
    for split in SPLITS:
        for ours, raw in zip(stored(values, split), stored(pixels, split), strict=True):
            assert (ours[0], ours[2]) == (raw[0], raw[2])
            expected = (raw[1] / 255 - np.array(statistics.mean)) / np.array(statistics.deviation)
            np.testing.assert_allclose(ours[1], expected, atol=1e-5)


def test_a_source_that_is_there_twice_has_each_image_twice_in_the_same_split(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    examples, _ = ingest_into(tmp_path, photos, photos, duplicates="keep")
    splits: dict[str, list[str]] = {}
    for row in read_table(examples.images_path, IMAGES).to_pylist():
        source, _, key = row["key"].partition("/")
        assert source in ("0", "1")
        splits.setdefault(key, []).append(row["split"])
    assert len(splits) == COUNT
    assert all(len(pair) == 2 and len(set(pair)) == 1 for pair in splits.values())


def test_of_images_with_the_same_bytes_one_is_kept_and_the_others_are_counted_and_listed(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    examples, counts = ingest_into(tmp_path, photos, photos)
    keys = [row["key"] for row in read_table(examples.images_path, IMAGES).to_pylist()]
    dropped = read_table(examples.duplicates_path, DUPLICATES).to_pylist()
    assert len(keys) == len(dropped) == counts["duplicates"] == statistics_of(examples).duplicates == COUNT
    assert {row["same_as"] for row in dropped} == set(keys) == {key for key in keys if key.startswith("0/")}
    assert {row["key"].removeprefix("1/") for row in dropped} == {key.removeprefix("0/") for key in keys}


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_a_second_run_writes_the_same_bytes(
    tmp_path: Path, photos: Path, ingest_into: Ingest, ingested: Ingested, store: str
) -> None:
    first = ingested(crop="baked", crops_per_image=2, store=store)
    second, _ = ingest_into(tmp_path, photos, crop="baked", crops_per_image=2, store=store)
    assert digests(first.path) == digests(second.path)
    assert len(digests(first.path)) >= 7


@pytest.mark.process
def test_two_workers_write_the_same_bytes_as_one(
    tmp_path: Path, photos: Path, ingest_into: Ingest, ingested: Ingested
) -> None:
    one = ingested(crop="baked", crops_per_image=2, store="uint8")
    two, _ = ingest_into(tmp_path, photos, crop="baked", crops_per_image=2, store="uint8", workers=2)
    assert digests(one.path) == digests(two.path)


def test_another_seed_crops_another_way(ingested: Ingested) -> None:
    one, other = (ingested(crop="baked", seed=seed) for seed in (0, 1))
    first, second = ({key: pixels for key, pixels, _ in stored(examples, "train")} for examples in (one, other))
    assert first.keys() == second.keys()
    assert any((first[key] != second[key]).any() for key in first)


@pytest.mark.process
def test_ingest_does_not_import_tensorflow(tmp_path: Path, photos: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from components.ingest.component import ingest
from schemas.artifacts.kinds import Examples
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import BeamSection
from schemas.recipe.sources import FolderSource
from schemas.recipe.settings import IngestSettings
preprocess = PreprocessSettings(validation=0.2, test=0.2, store="float32")
source = FolderSource(kind="folder", path={str(photos)!r})
counts = ingest(Examples(Path({str(tmp_path)!r})), IngestSettings(0, (source,), preprocess, BeamSection()))
assert counts["train"]
print("imported:", {{"tensorflow", "keras"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported: set()\n")
