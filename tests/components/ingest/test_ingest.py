"""Ingest from a folder to Examples: what is written, and that it is always the same."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
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
    """The photos as Examples, labelled by folder."""
    source = FolderSource(kind="folder", path=str(photos), label="first_folder")
    return ingest_into(tmp_path_factory.mktemp("labelled"), source)[0]


def statistics_of(examples: Examples) -> Statistics:
    """What Examples say of themselves."""
    return Statistics.model_validate_json(examples.statistics_path.read_text())


def stored(examples: Examples, split: str) -> list[tuple[str, Array, int]]:
    """Key, pixels or values, and label of every record of a split."""
    said = statistics_of(examples)
    found = []
    for shard in examples.shards(split):
        for record in read_records(shard):
            pixels, key, label = decode_example(record)
            values = np.frombuffer(pixels, np.uint8) if isinstance(pixels, bytes) else np.array(pixels, np.float32)
            found.append((key, values.reshape(said.stored_height, said.stored_width, said.channels), label))
    return found


def digests(folder: Path) -> dict[str, str]:
    """Sha256 of every file below a folder."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_image_is_counted_listed_and_stored_once(labelled: Examples, photos: Path) -> None:
    said = statistics_of(labelled)
    rows = read_table(labelled.images_path, IMAGES).to_pylist()
    names = {path.relative_to(photos).as_posix() for path in photos.rglob("*.png")}
    assert {row["key"] for row in rows} == names
    assert sum(said.images.values()) == len(rows) == COUNT
    assert said.rejected == {}
    assert read_table(labelled.rejected_path, REJECTED).num_rows == 0
    for split in SPLITS:
        of_split = [row["key"] for row in rows if row["split"] == split]
        assert len(of_split) == said.images[split] == said.records[split] > 0
        assert sorted(key for key, _, _ in stored(labelled, split)) == sorted(of_split)


def test_the_counts_are_returned_for_the_manifest(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    examples, counts = ingest_into(tmp_path, photos)
    assert counts == {**statistics_of(examples).images, "rejected": 0, "duplicates": 0}


def test_a_row_tells_where_an_image_came_from_and_where_it_went(labelled: Examples, photos: Path) -> None:
    for row in read_table(labelled.images_path, IMAGES).to_pylist():
        file = photos / row["key"]
        assert row["sha256"] == sha256_of(file)
        assert row["bytes"] == file.stat().st_size
        assert (row["format"], row["width"], row["height"]) == ("PNG", 16, 20 if "dogs" in row["key"] else 12)
        assert labelled.path / row["shard"] in labelled.shards(row["split"])


def test_labels_are_stored_by_their_place_in_the_statistics(labelled: Examples) -> None:
    said = statistics_of(labelled)
    assert said.labels == ["cats", "dogs"]
    for split in SPLITS:
        records = stored(labelled, split)
        for key, _, label in records:
            assert label == (said.labels.index(key.split("/")[0]) if "/" in key else -1)
        assert said.images_per_label[split] == {
            name: sum(key.startswith(name) for key, _, _ in records) for name in said.labels
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
def test_the_moments_are_those_of_all_stored_training_pixels(
    tmp_path: Path, photos: Path, ingest_into: Ingest, crop: str
) -> None:
    examples, _ = ingest_into(tmp_path, photos, crop=crop, crops_per_image=2, normalise="standardise")
    said = statistics_of(examples)
    pixels = np.stack([pixels for _, pixels, _ in stored(examples, "train")]).astype(np.float64) / 255
    np.testing.assert_allclose(said.train_mean, pixels.mean(axis=(0, 1, 2)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(said.train_deviation, pixels.std(axis=(0, 1, 2)), rtol=0, atol=1e-9)
    assert (said.mean, said.deviation) == (said.train_mean, said.train_deviation)


@pytest.mark.parametrize("crop", ["none", "baked", "fresh"])
@pytest.mark.parametrize(("geometry", "kind"), [("fit", Fit), ("pad", Pad), ("stretch", Stretch)])
def test_every_geometry_reaches_the_shards_with_every_crop(
    tmp_path: Path, photos: Path, ingest_into: Ingest, geometry: str, kind: type[Geometry], crop: str
) -> None:
    background = (1, 2, 3)
    examples, _ = ingest_into(tmp_path, photos, geometry=geometry, crop=crop, crop_margin=0.5, background=background)
    side = 8 if crop == "none" else 12  # what a crop is cut from
    frame = kind(side, side, background)
    for key, pixels, _ in stored(examples, "test"):
        expected = frame.map(Image.open(photos / key))
        np.testing.assert_array_equal(pixels, Crop(8, 8).map(expected) if crop == "baked" else expected)


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_the_schema_describes_the_records(tmp_path: Path, photos: Path, ingest_into: Ingest, store: str) -> None:
    examples, _ = ingest_into(tmp_path, photos, store=store)
    schema = text_format.Parse(examples.schema_path.read_text(), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    assert set(features) == {"image", "key", "label"}
    kind, size = (schema_pb2.BYTES, 1) if store == "uint8" else (schema_pb2.FLOAT, 8 * 8 * 3)
    assert (features["image"].type, features["image"].shape.dim[0].size) == (kind, size)


def test_baked_crops_are_windows_of_training_images_and_the_centre_of_others(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    examples, _ = ingest_into(tmp_path, photos, crop="baked", crops_per_image=3, crop_margin=0.5)
    said = statistics_of(examples)
    assert said.records == {**said.images, "train": 3 * said.images["train"]}
    found = {split: stored(examples, split) for split in SPLITS}
    assert set(Counter(key for key, _, _ in found["train"]).values()) == {3}
    places = set()
    for split in SPLITS:
        for key, pixels, _ in found[split]:
            with Image.open(photos / key) as image:
                windows = sliding_window_view(Cover(12, 12).map(image), (8, 8, 3))[:, :, 0]
            hits = np.argwhere((windows == pixels).all(axis=(2, 3, 4))).tolist()
            assert len(hits) == 1
            if split == "train":
                places.add(tuple(hits[0]))
            else:
                assert hits == [[2, 2]]
    assert len(places) > 15  # of 25 that there are


def test_fresh_crops_get_a_margin_to_be_cut_from_later(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    examples, _ = ingest_into(tmp_path, photos, crop="fresh", crop_margin=0.25)
    said = statistics_of(examples)
    assert (said.height, said.width, said.stored_height, said.stored_width) == (8, 8, 10, 10)
    assert said.records == said.images
    for key, pixels, _ in stored(examples, "validation"):
        with Image.open(photos / key) as image:
            np.testing.assert_array_equal(pixels, Cover(10, 10).map(image))


@pytest.mark.parametrize("normalise", ["unit", "symmetric", "standardise"])
def test_float32_holds_the_normalised_values_of_the_same_pixels(
    tmp_path: Path, photos: Path, ingest_into: Ingest, normalise: str
) -> None:
    pixels, _ = ingest_into(tmp_path / "uint8", photos, normalise=normalise)
    values, _ = ingest_into(tmp_path / "float32", photos, normalise=normalise, store="float32")
    said = statistics_of(values)
    assert said == statistics_of(pixels).model_copy(update={"store": "float32"})
    if normalise != "standardise":
        mean, deviation = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5)}[normalise]
        assert (said.mean, said.deviation) == ([mean] * 3, [deviation] * 3)
    for split in SPLITS:
        for ours, raw in zip(stored(values, split), stored(pixels, split), strict=True):
            assert (ours[0], ours[2]) == (raw[0], raw[2])
            expected = (raw[1] / 255 - np.array(said.mean)) / np.array(said.deviation)
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
    assert all(len(found) == 2 and len(set(found)) == 1 for found in splits.values())


def test_of_images_with_the_same_bytes_one_is_kept_and_the_others_are_counted_and_listed(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    examples, counts = ingest_into(tmp_path, photos, photos)
    kept = [row["key"] for row in read_table(examples.images_path, IMAGES).to_pylist()]
    dropped = read_table(examples.duplicates_path, DUPLICATES).to_pylist()
    assert len(kept) == len(dropped) == counts["duplicates"] == statistics_of(examples).duplicates == COUNT
    assert {row["same_as"] for row in dropped} == set(kept) == {key for key in kept if key.startswith("0/")}
    assert {row["key"].removeprefix("1/") for row in dropped} == {key.removeprefix("0/") for key in kept}


def test_the_originals_are_not_touched(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    before = digests(photos), {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    ingest_into(tmp_path, photos)
    assert (digests(photos), {path: path.stat().st_mtime_ns for path in photos.rglob("*")}) == before


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_a_second_run_writes_the_same_bytes(tmp_path: Path, photos: Path, ingest_into: Ingest, store: str) -> None:
    first, second = (
        ingest_into(tmp_path / name, photos, crop="baked", crops_per_image=2, store=store)[0] for name in ("a", "b")
    )
    assert digests(first.path) == digests(second.path)
    assert len(digests(first.path)) >= 7


def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    one, two = (
        ingest_into(tmp_path / str(workers), photos, crop="baked", crops_per_image=2, workers=workers)[0]
        for workers in (1, 2)
    )
    assert digests(one.path) == digests(two.path)


def test_another_seed_crops_another_way(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    one, other = (ingest_into(tmp_path / str(seed), photos, crop="baked", seed=seed)[0] for seed in (0, 1))
    mine, theirs = ({key: pixels for key, pixels, _ in stored(examples, "train")} for examples in (one, other))
    assert mine.keys() == theirs.keys()
    assert any((mine[key] != theirs[key]).any() for key in mine)


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
