"""Codes computed from a person's own: read from a Parquet file, around images, and between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from schemas.artifacts.kinds import Generator, ImageSet
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import GenerateSection

MakeImages = Callable[..., ImageSet]
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images: dark, grey and bright; and a file that is no image."""
    folder = tmp_path_factory.mktemp("photos")
    for name, level in (("a", 10), ("b", 128), ("c", 245)):
        Image.fromarray(np.full((12, 12, 3), level, np.uint8)).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a Parquet file: ``table(code=[[0.0, 1.0, 2.0]])``."""

    def write(**columns: Any) -> Path:
        pq.write_table(pa.table(columns), tmp_path / "codes.parquet")
        return tmp_path / "codes.parquet"

    return write


def rows(images: ImageSet) -> pa.Table:
    """Return the table of a set."""
    return pq.read_table(images.metadata_path)


def codes(images: ImageSet) -> Array:
    """Return the codes of a set: [N, D]."""
    return np.array(rows(images)["code"].to_pylist(), np.float32)


def pixels(images: ImageSet) -> Array:
    """Return the images of a set of the format npy: [N, H, W, C]."""
    array: Array = np.load(images.path / "images.npy")
    return array


def encoded(generator: Generator, photos: Path) -> Array:
    """Return the means of the photos' codes, with TensorFlow alone."""
    import tensorflow as tf

    images = [
        np.asarray(Image.open(path).convert("L").resize((8, 8)))[..., None] for path in sorted(photos.glob("*.png"))
    ]
    encode = tf.saved_model.load(str(generator.saved_model_path)).signatures["encode"]
    means: Array = encode(images=tf.constant(np.stack(images)))["mean"].numpy()
    return means


def test_the_codes_of_a_set_give_its_images_again(make_images: MakeImages, tmp_path: Path) -> None:
    first = make_images(tmp_path / "first", count=300, format="npy")
    again = make_images(tmp_path / "again", codes=str(first.metadata_path), format="npy")
    np.testing.assert_array_equal(pixels(again), pixels(first))
    assert set(rows(again)["sampler"].to_pylist()) == {"codes"}
    some = make_images(tmp_path / "some", codes=str(first.metadata_path), indices="0,299", format="npy")
    np.testing.assert_array_equal(pixels(some), pixels(first)[[0, 299]])


def test_a_persons_own_images_are_reconstructed(
    make_images: MakeImages, generator: Generator, photos: Path, tmp_path: Path
) -> None:
    images = make_images(tmp_path, codes=str(photos))
    np.testing.assert_allclose(codes(images), encoded(generator, photos), atol=1e-5)
    assert rows(images)["source"].to_pylist() == ["a.png", "b.png", "c.png"]


def test_only_images_that_cannot_be_used_are_counted_as_skipped(
    make_images: MakeImages, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ZipFile(tmp_path / "pets.zip", "w") as pets:
        for path in photos.iterdir():
            pets.write(path, path.name)
        pets.writestr("a.json", "{}")
        pets.writestr("broken.png", (photos / "a.png").read_bytes()[:30])
    make_images(tmp_path / "set", around=str(tmp_path / "pets.zip"), count=3)
    out = capsys.readouterr().out
    assert "skips   1 file that cannot be used, the first: broken.png (" in out
    assert "reads   3 images from" in out


def test_around_takes_each_image_in_turn_and_spreads_with_its_strength(
    make_images: MakeImages, generator: Generator, photos: Path, tmp_path: Path
) -> None:
    means = encoded(generator, photos)
    still = make_images(tmp_path / "still", around=str(photos), strength=0, count=7)
    np.testing.assert_allclose(codes(still), means[np.arange(7) % 3], atol=1e-5)
    assert rows(still)["source"].to_pylist() == ["a.png", "b.png", "c.png"] * 2 + ["a.png"]
    one, two = (
        codes(make_images(tmp_path / f"x{strength}", around=str(photos), strength=strength, count=600))
        - means[np.arange(600) % 3]
        for strength in (1, 2)
    )
    np.testing.assert_allclose(two, 2 * one, rtol=1e-3, atol=1e-4)
    assert (np.abs(one.mean(axis=0)) < 0.2 * one.std(axis=0)).all()


def test_around_depends_on_seed_and_index_alone(make_images: MakeImages, photos: Path, tmp_path: Path) -> None:
    whole = codes(make_images(tmp_path / "whole", around=str(photos), count=600))
    np.testing.assert_array_equal(codes(make_images(tmp_path / "few", around=str(photos), count=5)), whole[:5])
    np.testing.assert_array_equal(codes(make_images(tmp_path / "one", around=str(photos), indices="599")), whole[599:])
    assert not np.array_equal(codes(make_images(tmp_path / "other", around=str(photos), seed=8, count=5)), whole[:5])


def test_between_goes_from_each_image_to_the_next(
    make_images: MakeImages, generator: Generator, photos: Path, tmp_path: Path
) -> None:
    first, second, third = encoded(generator, photos)
    images = make_images(tmp_path, between=str(photos), steps=3)
    expected = [first, (first + second) / 2, second, second, (second + third) / 2, third]
    np.testing.assert_allclose(codes(images), expected, atol=1e-5)
    assert rows(images)["source"].to_pylist()[1] == "a.png to b.png, 2 of 3"


def test_shards_and_workers_do_not_change_derived_codes(
    make_images: MakeImages, small_files: None, photos: Path, tmp_path: Path
) -> None:
    one, other = (
        make_images(
            tmp_path / str(shards), around=str(photos), count=300, shards=shards, workers=workers, format="parquet"
        )
        for shards, workers in ((1, 1), (3, 2))
    )
    assert rows(one) == rows(other)


def test_labels_come_from_folders_or_from_the_recipe(
    conditional: Generator, make_images: MakeImages, photos: Path, tmp_path: Path
) -> None:
    for name, label in (("a", "left"), ("c", "right")):
        (tmp_path / "own" / label).mkdir(parents=True)
        (tmp_path / "own" / label / "image.png").write_bytes((photos / f"{name}.png").read_bytes())
    around = make_images(tmp_path / "around", of=conditional, around=str(tmp_path / "own"), count=4)
    assert rows(around)["label"].to_pylist() == ["left", "right"] * 2
    between = make_images(tmp_path / "between", of=conditional, between=str(tmp_path / "own"), steps=4)
    assert rows(between)["label"].to_pylist() == ["left", "left", "right", "right"]
    labelled_right = make_images(tmp_path / "right", of=conditional, around=str(photos), label="right", count=2)
    assert rows(labelled_right)["label"].to_pylist() == ["right", "right"]
    with pytest.raises(
        UsageError, match=r"around: expected a label for each image in .*, one of left, right, found none"
    ):
        make_images(tmp_path / "none", of=conditional, around=str(photos), count=2)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"codes": [[0.0, 1.0, 2.0]]}, "a column `code`, lists of 3 numbers, found something else"),
        ({"code": [[0.0, 1.0]]}, "codes of 3 finite numbers each, found lists of 2"),
        ({"code": [[0.0, 1.0, float("nan")]]}, "codes of 3 finite numbers each, found NaN or infinity"),
        ({"code": [[0.0, 1.0], [0.0]]}, "lists of 3 numbers, found something else"),
        ({"code": ["abc"]}, "lists of 3 numbers, found something else"),
    ],
)
def test_an_error_names_a_table_without_usable_codes(
    make_images: MakeImages, table: Callable[..., Path], tmp_path: Path, columns: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_images(tmp_path, codes=str(table(**columns)))


def test_an_error_names_a_source_that_cannot_be_used(make_images: MakeImages, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"generate\.around: expected images in .*empty, found none that can be used"):
        make_images(tmp_path / "1", around=str(tmp_path / "empty"))
    with pytest.raises(
        UsageError, match=r"generate\.between: expected images, or a Parquet file of codes, at nowhere, found nothing"
    ):
        make_images(tmp_path / "2", between="nowhere")
    with pytest.raises(
        UsageError, match=r"notes\.txt: expected a folder, a \.zip or a \.tar of images, or a \.parquet of codes"
    ):
        make_images(tmp_path / "3", codes=str(photos / "notes.txt"))
    with pytest.raises(UsageError, match=r"generate\.indices: expected numbers below 3, found 3"):
        make_images(tmp_path / "4", codes=str(photos), indices="0,3")
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "a.png").write_bytes((photos / "a.png").read_bytes())
    with pytest.raises(UsageError, match=r"generate\.between: expected two images or more, found 1"):
        make_images(tmp_path / "5", between=str(tmp_path / "single"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": "a", "around": "b"}, "around: expected no value together with codes"),
        ({"between": "a", "temperature": 0.5}, "temperature: expected no value together with between"),
        ({"around": "a", "labels": "balanced"}, "labels: expected no value together with around"),
        ({"around": "a", "drop_unlikely": 0.1}, "drop_unlikely: expected no value together with around"),
        (
            {"between": "a", "drop_near_copies": True},
            "drop_near_copies: expected images that can be replaced by others",
        ),
        ({"indices": "1", "drop_unlikely": 0.1}, "drop_unlikely: expected images that can be replaced by others"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GenerateSection(**changes)


def test_sets_of_different_codes_have_different_names() -> None:
    sections: list[dict[str, Any]] = [
        {},
        {"sampler": "mixture"},
        {"around": "photos"},
        {"around": "photos", "strength": 2},
        {"around": "other"},
        {"between": "photos"},
        {"codes": "photos"},
        {"drop_near_copies": True},
        {"drop_unlikely": 0.1},
    ]
    names = [GenerateSection(**section).folder for section in sections]
    assert len(set(names)) == len(sections)
    assert names[2] == "1000-seed0-around-photos-x0.5-png"
