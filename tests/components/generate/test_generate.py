"""The content of a set of images, and where each image came from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from helpers.table_rows import table_rows
from PIL import Image

from schemas.artifacts import tables
from schemas.artifacts.kinds import Generator, ImageSet
from schemas.errors import DataError

MakeImages = Callable[..., ImageSet]
Array = np.ndarray[Any, Any]
COUNT = 300  # a block and a bit
MODEL = "12ab" * 16


@pytest.fixture(scope="module")
def images(make_images: MakeImages, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """300 grey images as PNG files; no test changes them."""
    return make_images(tmp_path_factory.mktemp("png"), count=COUNT)


@pytest.fixture(scope="module")
def shards(make_images: MakeImages, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Return the same 300 as two Parquet shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.generate.plan.FILE_BLOCKS", 4)
        return make_images(tmp_path_factory.mktemp("parquet"), count=COUNT, format="parquet")


def pixels_of(data: bytes) -> Array:
    """Return the pixels of a PNG file: [H, W] or [H, W, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def decoded(generator: Generator, codes: list[list[float]]) -> Array:
    """Return the images that the generator decodes: [N, H, W, C]."""
    loaded = tf.saved_model.load(str(generator.saved_model_path))
    return np.asarray(loaded.signatures["decode"](codes=tf.constant(codes))["images"])


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_has_the_published_schema_and_a_row_per_image_in_order(images: ImageSet) -> None:
    assert pq.read_schema(images.metadata_path).equals(tables.GENERATED)
    rows = table_rows(images.metadata_path)
    assert [row["index"] for row in rows] == list(range(COUNT))
    assert {(row["seed"], row["sampler"], row["label"], row["model"]) for row in rows} == {(7, "normal", None, MODEL)}
    assert {len(row["code"]) for row in rows} == {3}


def test_every_png_file_is_in_the_table_with_its_hash_and_no_other_is_there(images: ImageSet) -> None:
    rows = table_rows(images.metadata_path)
    for row in rows:
        assert hashlib.sha256((images.path / row["file_name"]).read_bytes()).hexdigest() == row["sha256"]
    files = {path.relative_to(images.path).as_posix() for path in images.path.rglob("*") if path.is_file()}
    assert files == {row["file_name"] for row in rows} | {"metadata.parquet", "contact_sheet.png"}


def test_every_image_is_what_its_code_decodes_to(images: ImageSet, generator: Generator) -> None:
    rows = table_rows(images.metadata_path)
    pixels = np.stack([pixels_of((images.path / row["file_name"]).read_bytes()) for row in rows])
    # In batches of another size than the images were made in: the last bit may differ before rounding.
    difference = np.abs(pixels.astype(int) - decoded(generator, [row["code"] for row in rows])[:, :, :, 0])
    assert pixels.shape == (COUNT, 8, 8)
    assert difference.max() <= 1
    assert np.mean(difference == 0) > 0.999


# --- Parquet shards --------------------------------------------------------------------------------------------------


def test_parquet_shards_hold_images_as_hugging_face_does(shards: ImageSet, images: ImageSet) -> None:
    paths = sorted((shards.path / "data").iterdir())
    assert [path.name for path in paths] == ["images-00000-of-00002.parquet", "images-00001-of-00002.parquet"]
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    assert table.schema.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert table["index"].to_pylist() == list(range(COUNT))
    for item, row in zip(table["image"].to_pylist(), table_rows(images.metadata_path), strict=True):
        assert item["bytes"] == (images.path / row["file_name"]).read_bytes()
        assert item["path"] == Path(row["file_name"]).name


def test_the_table_names_the_shard_that_holds_each_image(shards: ImageSet) -> None:
    for name in sorted({row["file_name"] for row in table_rows(shards.metadata_path)}):
        expected = {row["index"]: row["sha256"] for row in table_rows(shards.metadata_path) if row["file_name"] == name}
        items = pq.read_table(shards.path / name).to_pylist()
        assert {item["index"]: hashlib.sha256(item["image"]["bytes"]).hexdigest() for item in items} == expected


def test_formats_differ_in_files_alone(shards: ImageSet, images: ImageSet) -> None:
    def without_file(images: ImageSet) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in row.items() if key != "file_name"} for row in table_rows(images.metadata_path)
        ]

    assert without_file(shards) == without_file(images)
    assert shards.contact_sheet_path.read_bytes() == images.contact_sheet_path.read_bytes()


# --- colour, and PNG -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_a_colour_model_makes_colour_images(
    format: str, make_generator: Callable[..., Generator], make_images: MakeImages, tmp_path: Path
) -> None:
    generator = make_generator(tmp_path / "generator", channels=3, latent_dim=5)
    images = make_images(tmp_path / "images", of=generator, count=20, format=format)
    rows = table_rows(images.metadata_path)
    if format == "png":
        contents = [(images.path / row["file_name"]).read_bytes() for row in rows]
    else:
        contents = [item["bytes"] for item in pq.read_table(images.path / rows[0]["file_name"])["image"].to_pylist()]
    pixels = np.stack([pixels_of(data) for data in contents])
    assert pixels.shape == (20, 8, 8, 3)
    difference = np.abs(pixels.astype(int) - decoded(generator, [row["code"] for row in rows]))
    assert difference.max() <= 1


def test_a_generator_without_a_saved_model_is_an_error_that_names_it(
    make_images: MakeImages, seal: Callable[..., None], tmp_path: Path
) -> None:
    empty = Generator(tmp_path / "generator")
    empty.path.mkdir()
    seal(empty, Model=MODEL)
    with pytest.raises(DataError, match=f"{empty.saved_model_path}: expected a SavedModel"):
        make_images(tmp_path / "images", of=empty)


def test_a_generator_that_was_never_sealed_is_an_error_that_names_its_manifest(
    make_images: MakeImages, tmp_path: Path
) -> None:
    unsealed = Generator(tmp_path / "generator")
    unsealed.path.mkdir()
    with pytest.raises(DataError, match=f"{unsealed.path}/manifest.json: expected the manifest of Generator"):
        make_images(tmp_path / "images", of=unsealed)


# --- space on the disk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["png", "parquet", "npy"])
def test_a_large_set_is_not_started_without_space_on_the_disk(
    format: str, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("components.generate.run.MANY", 300)
    monkeypatch.setattr("components.generate.disk_space.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(
        DataError, match=rf"artifact: expected .* MB on the disk for 300 images as {format}, found 0\.0 MB"
    ):
        make_images(tmp_path, count=COUNT, format=format)
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("filters", [{}, {"drop_unlikely": 0.5}])
def test_a_set_beyond_any_disk_is_refused_before_it_is_planned(
    filters: dict[str, Any], make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr("components.generate.run.plan_files")  # a plan of so many images fits into no memory
    with pytest.raises(DataError, match=r"expected .* TB on the disk for 1,000,000,000,000,000 images as png, found"):
        make_images(tmp_path, count=10**15, **filters)


def test_the_space_that_a_large_set_needs_is_printed(
    make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("components.generate.run.MANY", 300)
    images = make_images(tmp_path, count=COUNT)
    [needs] = [line for line in capsys.readouterr().out.splitlines() if "on the disk" in line]
    used = sum(path.stat().st_blocks * 512 for path in (images.path / "images").rglob("*.png"))
    assert float(needs.split()[2]) == pytest.approx(used / 1e6, rel=0.3)
