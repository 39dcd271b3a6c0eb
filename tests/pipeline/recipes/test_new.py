"""A recipe is written after a look at a user's images."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.recipes import load, new
from pipeline.recipes.load import load_recipe
from pipeline.recipes.new import new_recipe
from schemas.errors import UsageError
from schemas.recipe.model import ResnetModel
from schemas.recipe.sources import FolderSource, ImageFiles, TarSource, WebDatasetSource, ZipSource

pytestmark = pytest.mark.usefixtures("decode_here")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let recipes be written into a folder of the test."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    monkeypatch.setattr(new, "FOLDER", recipes)
    monkeypatch.setattr(load, "FOLDER", recipes)
    return recipes


def photos(root: Path, *, size: tuple[int, int], mode: str, folders: int = 0) -> Path:
    """Return a folder of random images."""
    rng = np.random.default_rng(0)
    for number in range(12):
        path = root / (f"class{number % folders}" if folders else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return root


@pytest.mark.parametrize(
    ("size", "mode", "expected_size", "channels"),
    [((28, 28), "L", 28, 1), ((40, 90), "RGB", 32, 3), ((100, 80), "L", 64, 1), ((640, 480), "RGB", 128, 3)],
)
def test_size_and_channels_come_from_the_images(
    size: tuple[int, int], mode: str, expected_size: int, channels: int, tmp_path: Path
) -> None:
    path, _, _ = new_recipe("mine", str(photos(tmp_path / "photos", size=size, mode=mode)))
    recipe = load_recipe("mine")
    assert path.name == "mine.yaml"
    assert (recipe.preprocess.height, recipe.preprocess.width, recipe.preprocess.channels) == (
        expected_size,
        expected_size,
        channels,
    )
    assert isinstance(recipe.model, ResnetModel)
    assert expected_size / recipe.model.patch / 2 ** (len(recipe.model.widths) - 1) in (4, 7, 8)


def test_folders_beside_each_other_are_labels(tmp_path: Path) -> None:
    new_recipe("mine", str(photos(tmp_path / "photos", size=(32, 32), mode="L", folders=3)))
    source = load_recipe("mine").sources[0]
    assert isinstance(source, FolderSource)
    assert source.label == "first_folder"


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train/cats", "train/dogs", "val/cats", "val/dogs"), ("first_folder", ("val/*",), ())),
        (("train/cats", "train/dogs", "Test/cats", "val/dogs"), ("first_folder", ("val/*",), ("Test/*",))),
        (("train", "test"), ("none", (), ("test/*",))),
        (("train/cats", "extra/cats"), ("none", (), ())),
    ],
)
def test_folders_named_after_splits_are_splits(
    tmp_path: Path, folders: tuple[str, ...], expected: tuple[object, ...]
) -> None:
    for folder in folders:
        photos(tmp_path / "photos" / folder, size=(32, 32), mode="L")
    new_recipe("mine", str(tmp_path / "photos"))
    source = load_recipe("mine").sources[0]
    assert isinstance(source, ImageFiles)
    assert (source.label, source.validation, source.test) == expected


@pytest.mark.parametrize(("format", "kind"), [("zip", ZipSource), ("tar", TarSource), ("gztar", TarSource)])
def test_an_archive_is_looked_at_like_a_folder(tmp_path: Path, format: str, kind: type[ImageFiles]) -> None:
    folder = photos(tmp_path / "photos", size=(32, 32), mode="L", folders=3)
    new_recipe("mine", shutil.make_archive(str(tmp_path / "photos"), format, folder))
    source = load_recipe("mine").sources[0]
    assert isinstance(source, kind)
    assert source.label == "first_folder"


@pytest.mark.parametrize("name", ["shards", "shards/train-000.tar"])
def test_samples_beside_each_other_in_a_tar_are_a_webdataset(tmp_path: Path, name: str) -> None:
    folder = photos(tmp_path / "photos", size=(32, 32), mode="L")
    for path in list(folder.iterdir()):
        path.with_suffix(".cls").write_text("7")
    shutil.make_archive(str(tmp_path / "shards" / "train-000"), "tar", folder)
    new_recipe("mine", str(tmp_path / name))
    assert isinstance(load_recipe("mine").sources[0], WebDatasetSource)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.npy", "array"), ("a.npz", "array"), ("a.parquet", "parquet"), ("data", "parquet"), ("a.csv", "table")],
)
def test_a_file_is_known_by_its_ending_and_a_folder_of_parquet_by_its_files(
    tmp_path: Path, name: str, kind: str
) -> None:
    folder = photos(tmp_path / "photos", size=(40, 40), mode="RGB")
    paths = sorted(folder.iterdir())
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "a.npz", pixels)
    (tmp_path / "a.csv").write_text("path\n" + "".join(f"photos/{path.name}\n" for path in paths))
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for file in (tmp_path / "a.parquet", tmp_path / "data" / "deep" / "a.parquet"):
        pq.write_table(pa.table({"image": [path.read_bytes() for path in paths]}), file)
    new_recipe("mine", str(tmp_path / name))
    recipe = load_recipe("mine")
    assert recipe.sources[0].model_dump(exclude_defaults=True) == {"kind": kind, "path": str(tmp_path / name)}
    assert (recipe.preprocess.height, recipe.preprocess.channels) == (32, 3)
    assert recipe.title == f"{name}, 12 images"


def test_a_taken_name_is_left_alone(tmp_path: Path, folder: Path) -> None:
    (folder / "mine.yaml").write_text("precious")
    with pytest.raises(UsageError, match="NAME=mine: expected a new name"):
        new_recipe("mine", str(photos(tmp_path / "photos", size=(32, 32), mode="L")))
    assert (folder / "mine.yaml").read_text() == "precious"


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "texts"
    source.mkdir()
    (source / "readme.txt").write_text("words")
    with pytest.raises(UsageError, match="expected images, found none"):
        new_recipe("mine", str(source))


def test_an_invalid_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NAME=My Photos"):
        new_recipe("My Photos", str(tmp_path))
    with pytest.raises(UsageError, match="expected at most 100 characters, found 150"):
        new_recipe("a" * 150, str(tmp_path))


def test_a_recipe_can_be_read_whatever_the_names_of_the_folders(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    for number in range(2):
        photos(root / f"a\x1b[31m{number}" / "b", size=(32, 32), mode="L")
        photos(root / f"a\x1b[31m{number}" / "c", size=(32, 32), mode="L")
    new_recipe("mine", str(root))
    recipe = load_recipe("mine")
    assert recipe.title == "caf%E9, 48 images"
    assert recipe.model_dump_json(exclude={"sources"})
