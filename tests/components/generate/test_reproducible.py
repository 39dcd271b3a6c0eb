"""Image i of a seed is one image: for any set, shards, format, worker, and after any interruption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.artifacts.kinds import ImageSet

MakeImages = Callable[..., ImageSet]
COUNT = 420  # seven blocks, the last one not full


def hashes(images: ImageSet) -> list[str]:
    """Return the sha256 of each image, in order."""
    digests: list[str] = pq.read_table(images.metadata_path)["sha256"].to_pylist()
    return digests


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file by its name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected(make_images: MakeImages, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Sha256 of each image of a set of PNG files that is made in one shard."""
    digests = hashes(make_images(tmp_path_factory.mktemp("expected"), count=COUNT, shards=1))
    assert len(set(digests)) > COUNT * 0.95  # images differ, so that comparing them means something
    return digests


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize(("format", "shards"), [("png", 2), ("parquet", 1), ("parquet", 3), ("webdataset", None)])
def test_an_image_is_the_same_in_any_format_and_for_any_number_of_shards(
    format: str, shards: int | None, expected: list[str], make_images: MakeImages, tmp_path: Path
) -> None:
    assert hashes(make_images(tmp_path, count=COUNT, format=format, shards=shards)) == expected


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("format", ["parquet", "webdataset", "tfrecord", "npy"])
def test_a_set_is_the_same_to_the_last_byte_for_any_number_of_shards_and_workers(
    format: str, make_images: MakeImages, tmp_path: Path
) -> None:
    one = make_images(tmp_path / "one", count=COUNT, format=format, shards=1)
    other = make_images(tmp_path / "other", count=COUNT, format=format, shards=3, workers=2)
    alone = make_images(tmp_path / "alone", count=COUNT, format=format)
    assert files(one.path) == files(other.path) == files(alone.path)


@pytest.mark.usefixtures("small_files")
def test_any_image_can_be_made_again_alone(expected: list[str], make_images: MakeImages, tmp_path: Path) -> None:
    some = make_images(tmp_path, indices="5,127-129,0,419", format="parquet")
    rows = pq.read_table(some.metadata_path)
    assert rows["index"].to_pylist() == [0, 5, 127, 128, 129, 419]
    assert rows["sha256"].to_pylist() == [expected[index] for index in rows["index"].to_pylist()]


@pytest.mark.parametrize("count", [1, 128, 300])
def test_a_smaller_set_is_the_beginning_of_a_larger_one(
    count: int, expected: list[str], make_images: MakeImages, tmp_path: Path
) -> None:
    assert hashes(make_images(tmp_path, count=count)) == expected[:count]


@pytest.mark.parametrize("seed", [0, 8, 2**63 - 1])
def test_another_seed_gives_other_images(
    seed: int, expected: list[str], make_images: MakeImages, tmp_path: Path
) -> None:
    images = make_images(tmp_path, count=300, seed=seed)
    assert set(pq.read_table(images.metadata_path)["seed"].to_pylist()) == {seed}
    common = set(hashes(images)) & set(expected)
    assert len(common) < 300 * 0.1


# --- after an interruption -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("format", ["png", "parquet", "npy"])
def test_an_unfinished_file_and_no_other_is_made_again(format: str, make_images: MakeImages, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"count": 300, "format": format}
    images = make_images(tmp_path, **changes)
    before = files(images.path)
    rows = sorted(images.work.glob("*.parquet"))
    assert len(rows) == 3
    rows[1].unlink()  # a file without rows is not finished
    contents = sorted(path for path in images.path.rglob("*") if path.is_file() and path.parent != images.path)
    unfinished = {"png": contents[128:256], "parquet": contents[1:2], "npy": []}[format]
    if unfinished:
        unfinished[0].unlink()
    if len(unfinished) > 1:
        unfinished[1].write_bytes(b"half an image")
    if format == "npy":
        np.load(images.path / "images.npy", mmap_mode="r+")[128:256] = 0
    others = {path: path.stat().st_mtime_ns for path in contents if path not in unfinished}

    make_images(tmp_path, **changes)
    assert files(images.path) == before
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_a_set_whose_files_are_finished_is_only_joined(
    make_images: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_images(tmp_path, count=300)
    before = files(images.path)
    images.metadata_path.unlink()
    images.contact_sheet_path.unlink()
    monkeypatch.delattr("components.generate.run.run_units")
    make_images(tmp_path, count=300)
    assert files(images.path) == before
