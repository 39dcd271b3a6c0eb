"""What kind of source a path is, where several would be possible."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.image_sets import COUNT, LABELS, write_set
from helpers.small_images import png
from PIL import Image

from pipeline.recipes.kind import not_read, source_at
from pipeline.recipes.look import look
from schemas.errors import DataError, UsageError

pytestmark = pytest.mark.usefixtures("decode_here")


def write_image(path: Path) -> Path:
    """Write an image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(path.name.encode(), "big")
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    return path


def write_parquet(path: Path, count: int) -> None:
    """Write a data set as the Hub has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = write_image(path.with_suffix(".png")).read_bytes()
    path.with_suffix(".png").unlink()
    images = [{"bytes": data, "path": None}] * count
    pq.write_table(pa.table({"image": images, "label": [n % 2 for n in range(count)]}), path)


@pytest.mark.parametrize(
    ("format", "label_folders"),
    [
        ("png", False),
        ("png", True),
        ("webp", False),
        *((each, False) for each in ("parquet", "webdataset", "tfrecord", "npy")),
    ],
)
def test_what_generate_wrote_is_understood_with_its_labels(tmp_path: Path, format: str, label_folders: bool) -> None:
    write_set(tmp_path / "set", format, label_folders=label_folders)
    seen = look(source_at(str(tmp_path / "set")), choose=True)
    assert (seen.images, seen.labels, seen.rejected) == (COUNT, Counter(LABELS), {})
    assert set(seen.sizes) == {(8, 10)}
    assert not seen.splits


def test_a_record_file_of_such_a_set_is_one_and_of_others_is_named(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "tfrecord")
    [first, *_] = sorted((tmp_path / "set" / "data").iterdir())
    assert source_at(str(first)).kind == "tfrecord"
    with pytest.raises(UsageError, match=r"found TFRecord: write its images as files, or as Parquet"):
        source_at(str(first.rename(tmp_path / "a.tfrecord")))


def test_a_data_set_with_a_thumbnail_is_not_a_folder_of_one_image(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", 20)
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", 5)
    write_image(tmp_path / "thumbnail.png")
    seen = look(source_at(str(tmp_path)), choose=True)
    assert (seen.settings.kind, seen.images, seen.splits) == ("parquet", 25, {"train": 20, "test": 5})


@pytest.mark.parametrize("others", [(), ("thumbnail.png",)])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", r"something else \(Parquet file size is 0 bytes\)"),
        (b"PAR1 and no more", "something else"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a Git LFS pointer: run `git lfs pull`",
        ),
    ],
)
def test_a_broken_shard_among_whole_ones_is_named(
    tmp_path: Path, content: bytes, what: str, others: tuple[str, ...]
) -> None:
    write_parquet(tmp_path / "data" / "train-0.parquet", 20)
    (tmp_path / "data" / "train-1.parquet").write_bytes(content)
    for name in others:
        write_image(tmp_path / name)
    with pytest.raises(DataError, match=rf"data/train-1\.parquet: expected a whole Parquet file, found {what}"):
        source_at(str(tmp_path))
    (tmp_path / "data" / "train-0.parquet").unlink()
    if others:
        assert source_at(str(tmp_path)).kind == "folder"
    else:
        with pytest.raises(DataError, match=rf"train-1\.parquet: .* found {what}"):
            source_at(str(tmp_path))


def test_a_broken_table_beside_images_hides_none(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"{number}.png")
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1")
    assert source_at(str(tmp_path)).kind == "folder"


@pytest.mark.parametrize("name", ["train.parquet", "photos.zip", "photos.tar", "x.npy", "data"])
def test_a_pointer_of_git_lfs_is_no_source(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UsageError, match=r"found a Git LFS pointer: run `git lfs pull` where the files are from$"):
        source_at(str(tmp_path / name))


def test_arrays_with_a_preview_are_not_a_folder_of_one_image(tmp_path: Path) -> None:
    np.save(tmp_path / "x_train.npy", np.full((20, 8, 8), 200, np.uint8))
    np.save(tmp_path / "y_train.npy", np.arange(20) % 2)
    write_image(tmp_path / "preview.png")
    seen = look(source_at(str(tmp_path)), choose=True)
    assert (seen.settings.kind, seen.images, seen.labels) == ("array", 20, {"0": 10, "1": 10})


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: pq.write_table(pa.table({"url": ["u"] * 50, "caption": ["c"] * 50}), folder / "0.parquet"),
        lambda folder: pq.write_table(pa.table({"file_name": ["0.png"] * 50, "label": [1] * 50}), folder / "0.parquet"),
        lambda folder: np.save(folder / "features.npy", np.zeros((50, 16))),
        lambda folder: np.save(folder / "pixels.npy", np.zeros((3, 8, 8), np.uint8)),
        lambda folder: (folder / "0.parquet").write_bytes(b"no table"),
        lambda folder: (folder / "0.npz").write_bytes(b"no arrays"),
    ],
    ids=["captions", "labels", "features", "fewer images", "a broken table", "broken arrays"],
)
def test_images_with_tables_or_arrays_beside_them_are_a_folder(tmp_path: Path, write: Callable[[Path], object]) -> None:
    for number in range(6):
        write_image(tmp_path / f"{number}.png")
    write(tmp_path)
    seen = look(source_at(str(tmp_path)), choose=True)
    assert (seen.settings.kind, seen.images) == ("folder", 6)


def test_archives_of_one_kind_are_read_whatever_their_endings(tmp_path: Path) -> None:
    folder = tmp_path / "sets [1]"
    folder.mkdir()
    for name, mode in (("train.tar", "w"), ("test.tar.gz", "w:gz"), ("extra.TGZ", "w:gz")):
        with tarfile.open(folder / name, mode) as archive:  # type: ignore[call-overload]
            for number in range(3):
                info = tarfile.TarInfo(f"{number}.png")
                data = png(sum(map(ord, name)) + number)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    (folder / "labels.csv.gz").write_bytes(b"no archive")
    seen = look(source_at(str(folder)), choose=True)
    assert (seen.settings.kind, seen.images, dict(seen.splits)) == ("tar", 9, {"train": 6, "test": 3})


def test_what_a_folder_holds_besides_its_source_is_said(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(png(1))
    with zipfile.ZipFile(tmp_path / "photos" / "more.zip", "w") as archive:
        archive.writestr("2.png", png(2))
    with tarfile.open(tmp_path / "photos" / "samples.tar", "w") as tar:
        tar.add(tmp_path / "photos" / "1.png", "1.png")
    settings = source_at(str(tmp_path / "photos"))
    assert settings.kind == "folder"
    assert not_read(settings, str(tmp_path / "photos")) == [
        "Not read: 2 archives or arrays beside, the first more.zip; give it as SOURCE to use it."
    ]


def test_a_pattern_that_matches_one_folder_is_that_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(png(1))
    assert look(source_at(str(tmp_path / "pho*")), choose=True).images == 1


def test_the_array_of_images_can_be_named(tmp_path: Path) -> None:
    pixels = np.arange(5 * 8 * 8, dtype=np.uint16).reshape(5, 8, 8).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, masks=pixels, classes=np.arange(5))
    with pytest.raises(UsageError, match=r"sources\.images: expected the name of one"):
        look(source_at(str(tmp_path / "a.npz")), choose=True)
    seen = look(source_at(str(tmp_path / "a.npz"), image="images", label="classes"), choose=True)
    assert (seen.images, len(seen.labels)) == (5, 5)


def test_files_that_cannot_be_used_do_not_shape_the_layout(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        write_image(tmp_path / "pets" / label / f"{label}.png")
    (tmp_path / "logo").mkdir()
    (tmp_path / "logo" / "logo.svg").write_text("<svg/>")
    assert dict(look(source_at(str(tmp_path)), choose=True).labels) == {"cat": 1, "dog": 1}
