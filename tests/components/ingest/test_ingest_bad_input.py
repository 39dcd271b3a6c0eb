"""Ingest of images that cannot be used, of sources with too few images, and after a kill."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics, read_records
from schemas.artifacts.tables import IMAGES, REJECTED, Reason, read_table
from schemas.errors import DataError, UsageError
from schemas.hashing import sha256_of
from schemas.recipe.sources import IdxSource

Array = np.ndarray[Any, Any]
Ingest = Callable[..., tuple[Examples, dict[str, int]]]
WritePhotos = Callable[..., Path]
WriteIdx = Callable[[Path, Array], Path]


@pytest.fixture
def photos(tmp_path: Path, write_photos: WritePhotos) -> Path:
    """40 good images."""
    return write_photos(tmp_path / "photos", 40)


def spoil(folder: Path) -> dict[str, Reason]:
    """Add four files that cannot be used to a folder; returns why each cannot."""
    whole = (folder / "000.png").read_bytes()
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("remember the milk")  # beside the images, and no image that is rejected
    (folder / "words.png").write_text("remember the milk")
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "huge.ppm").write_bytes(b"P6 60000 60000 255\n" + bytes(9))
    return {
        "cut.png": Reason.TRUNCATED,
        "empty.png": Reason.EMPTY,
        "huge.ppm": Reason.TOO_LARGE,
        "words.png": Reason.UNKNOWN_FORMAT,
    }


def rejected(path: Path) -> dict[str, str]:
    """Reason of each image in a table of rejected ones."""
    return {row["key"]: row["reason"] for row in read_table(path, REJECTED).to_pylist()}


def markers(examples: Examples) -> list[Path]:
    """Return the files, beside the artifact, that say which shards are done."""
    return sorted((examples.work / "shards").glob("*.json"))


def moments_of_writing(examples: Examples) -> dict[Path, int]:
    """When each file of the listing and each shard was written."""
    files = [*examples.path.glob("Split-*/*"), *examples.work.glob("listing/*"), *examples.work.glob("shards/*")]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def test_an_image_that_cannot_be_used_is_a_row_with_a_reason(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    reasons = spoil(photos)
    examples, counts = ingest_into(tmp_path, photos)
    rows = read_table(examples.rejected_path, REJECTED).to_pylist()
    assert {row["key"]: row["reason"] for row in rows} == reasons
    assert all(row["detail"] for row in rows)
    assert counts["rejected"] == len(reasons)
    statistics = Statistics.model_validate_json(examples.statistics_path.read_text())
    assert statistics.rejected == dict.fromkeys(reasons.values(), 1)
    assert sum(statistics.images.values()) == 40
    assert read_table(examples.images_path, IMAGES).num_rows == 40


@pytest.mark.parametrize(("limit", "count"), [(0.05, 3), (0.08, 4)], ids=["by headers", "by what is in them"])
def test_too_many_rejected_images_stop_the_stage_and_the_message_names_their_table(
    tmp_path: Path, photos: Path, ingest_into: Ingest, limit: float, count: int
) -> None:
    reasons = spoil(photos)
    expected = rf"preprocess\.max_rejected: expected at most {limit:.0%} .*found {count} of 44 \(.*empty 1"
    with pytest.raises(DataError, match=expected) as caught:
        ingest_into(tmp_path, photos, max_rejected=limit)
    table = re.search(r"they are listed in (\S+)", str(caught.value))
    assert table
    listed = rejected(Path(table[1]))
    assert len(listed) == count
    assert listed.items() <= reasons.items()


def test_headers_that_are_bad_stop_the_stage_before_a_shard_is_written(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    spoil(photos)
    with pytest.raises(DataError, match="empty 1"):
        ingest_into(tmp_path, photos, max_rejected=0.0)
    assert not list((tmp_path / "examples").rglob("*tfrecord*"))


@pytest.mark.parametrize("limit", [4 / 44, 1.0])
def test_just_as_many_rejected_images_as_allowed_are_allowed(
    tmp_path: Path, photos: Path, ingest_into: Ingest, limit: float
) -> None:
    spoil(photos)
    assert ingest_into(tmp_path, photos, max_rejected=limit)[1]["rejected"] == 4


@pytest.mark.parametrize("hidden", [False, True], ids=["nothing", "only hidden files"])
def test_an_empty_folder_is_a_usage_error(tmp_path: Path, ingest_into: Ingest, hidden: bool) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    if hidden:
        (folder / ".DS_Store").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"expected at least one image, found none; is SOURCE the right folder\?"):
        ingest_into(tmp_path, folder)


def test_a_folder_of_other_files_says_what_they_are(tmp_path: Path, ingest_into: Ingest) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.csv"):
        (folder / name).write_text("words")
    with pytest.raises(UsageError, match=r"expected at least one image, found none but 2 \.txt, 1 \.csv; is SOURCE"):
        ingest_into(tmp_path, folder)


def test_files_beside_the_images_are_not_rejected(
    tmp_path: Path, photos: Path, ingest_into: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(40):
        (photos / f"{number:03d}.txt").write_text("a caption")
    examples, counts = ingest_into(tmp_path, photos, max_rejected=0.0)
    assert counts["rejected"] == 0
    assert read_table(examples.images_path, IMAGES).num_rows == 40
    assert "beside  40 .txt: not images" in capsys.readouterr().out


@pytest.mark.parametrize("limit", [0.1, 1.0], ids=["strict", "lenient"])
@pytest.mark.parametrize("cut", [0, -200], ids=["by headers", "by what is in them"])
def test_that_all_images_were_rejected_is_said_as_that(
    tmp_path: Path, photos: Path, ingest_into: Ingest, limit: float, cut: int
) -> None:
    for path in photos.glob("*.png"):
        path.write_bytes(path.read_bytes()[: cut or 100])
    expected = (
        r"^sources: expected images that can be used, found 40, and all were rejected \(truncated 40\), such as 000\.png "
        r"\(.+\); they are listed in \S+rejected\.parquet$"
    )
    with pytest.raises(DataError, match=expected) as caught:
        ingest_into(tmp_path, photos, max_rejected=limit)
    assert len(rejected(Path(str(caught.value).rpartition(" ")[2]))) == 40


def test_two_images_are_a_data_error_that_says_what_to_do(
    tmp_path: Path, write_photos: WritePhotos, ingest_into: Ingest
) -> None:
    folder = write_photos(tmp_path / "photos", 2)
    with pytest.raises(DataError, match=r"expected images .*found none"):
        ingest_into(tmp_path, folder)


@pytest.mark.parametrize("count", [3, 5, 30])
def test_no_split_is_left_empty_of_three_images_or_more(
    tmp_path: Path, write_photos: WritePhotos, ingest_into: Ingest, count: int
) -> None:
    folder = write_photos(tmp_path / "photos", count)
    _, counts = ingest_into(tmp_path, folder, validation=0.0001, test=0.0001)
    assert counts == {"train": count - 2, "validation": 1, "test": 1, "rejected": 0, "duplicates": 0}


@pytest.mark.parametrize("store", ["uint8", "float32"])
@pytest.mark.parametrize("broken", range(4))
def test_no_split_is_left_empty_where_one_of_four_images_cannot_be_decoded(
    tmp_path: Path, write_photos: WritePhotos, ingest_into: Ingest, broken: int, store: str
) -> None:
    folder = write_photos(tmp_path / "photos", 4)
    path = folder / f"{broken:03d}.png"
    path.write_bytes(path.read_bytes()[:-200])  # its header is whole, so only the second pass rejects it
    examples, counts = ingest_into(tmp_path, folder, max_rejected=0.5, store=store)
    assert counts == {"train": 1, "validation": 1, "test": 1, "rejected": 1, "duplicates": 0}
    rows = read_table(examples.images_path, IMAGES).to_pylist()
    assert len(list(examples.path.glob("Split-*/*"))) == 3
    for row in rows:
        assert len(list(read_records(examples.path / row["shard"]))) == 1
    assert rejected(examples.rejected_path) == {path.name: Reason.TRUNCATED}
    before = {path: sha256_of(path) for path in examples.path.rglob("*") if path.is_file()}
    assert ingest_into(tmp_path, folder, max_rejected=0.5, store=store)[1] == counts  # resumed
    assert {path: sha256_of(path) for path in examples.path.rglob("*") if path.is_file()} == before


def test_a_training_split_that_comes_without_a_test_split_is_divided(
    tmp_path: Path, ingest_into: Ingest, write_idx: WriteIdx
) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", np.random.default_rng(0).integers(0, 256, (60, 8, 8)))
    _, counts = ingest_into(tmp_path / "run", IdxSource(kind="idx", path=str(tmp_path)), channels=1)
    assert counts["train"] > counts["test"] > 0


@pytest.mark.parametrize("size", [(76, 28), (49, 491)], ids=str)
def test_an_image_of_any_size_can_be_used(
    tmp_path: Path, photos: Path, write_photos: WritePhotos, ingest_into: Ingest, size: tuple[int, int]
) -> None:
    write_photos(photos / "odd", 1, width=size[0], height=size[1])
    assert ingest_into(tmp_path, photos, width=128, height=651)[1]["rejected"] == 0


def test_a_file_whose_name_is_not_utf8_crashes_nothing(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    (photos / os.fsdecode(b"caf\xe9.png")).write_bytes((photos / "000.png").read_bytes())
    counts = ingest_into(tmp_path, photos)[1]
    assert sum(counts.values()) == 41


def test_a_resumed_run_writes_only_what_is_missing(tmp_path: Path, photos: Path, ingest_into: Ingest) -> None:
    examples, counts = ingest_into(tmp_path, photos)
    whole = {path: sha256_of(path) for path in examples.path.rglob("*") if path.is_file()}
    before = moments_of_writing(examples)
    (missing,) = examples.shards("validation")
    (marker,) = (path for path in markers(examples) if missing.name in path.name and "validation" in path.name)
    missing.unlink()
    marker.unlink()
    assert ingest_into(tmp_path, photos)[1] == counts
    assert {path: sha256_of(path) for path in whole} == whole
    rewritten = {path for path, moment in moments_of_writing(examples).items() if before.get(path) != moment}
    assert {missing, marker} <= rewritten
    assert all("validation" in str(path) for path in rewritten)


def test_a_resumed_run_to_float32_writes_only_what_is_missing(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    examples, _ = ingest_into(tmp_path, photos, store="float32")
    before = {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in examples.path.glob("Split-*/*")}
    (missing,) = examples.shards("train")
    missing.unlink()
    ingest_into(tmp_path, photos, store="float32")
    after = {path: (path.stat().st_mtime_ns, sha256_of(path)) for path in examples.path.glob("Split-*/*")}
    assert {path for path in after if after[path][0] != before[path][0]} == {missing}
    assert {path: digest for path, (_, digest) in after.items()} == {
        path: digest for path, (_, digest) in before.items()
    }


@pytest.mark.parametrize("change", [Reason.VANISHED, Reason.CHANGED])
def test_a_file_that_goes_or_changes_between_the_passes_is_rejected(
    tmp_path: Path, photos: Path, ingest_into: Ingest, change: Reason
) -> None:
    examples, counts = ingest_into(tmp_path, photos)
    for marker in markers(examples):  # as after a kill between the passes
        marker.unlink()
    for shard in examples.path.glob("Split-*/*"):
        shard.unlink()
    if change == Reason.VANISHED:
        (photos / "007.png").unlink()
    else:
        (photos / "007.png").write_bytes((photos / "008.png").read_bytes())
    examples, after = ingest_into(tmp_path, photos)
    assert rejected(examples.rejected_path) == {"007.png": change}
    assert sum(after.values()) == sum(counts.values())
    keys = read_table(examples.images_path, IMAGES)["key"].to_pylist()
    assert len(keys) == 39
    assert "007.png" not in keys


def test_the_contact_sheet_skips_an_empty_shard(
    tmp_path: Path, photos: Path, ingest_into: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.ingest.plan.SHARD_RECORDS", 1)
    for path in sorted(photos.glob("*.png"))[:20]:
        path.write_bytes(path.read_bytes()[:-200])  # with its header whole, so that only the second pass rejects it
    examples, counts = ingest_into(tmp_path, photos, max_rejected=1.0)
    assert counts["rejected"] == 20
    assert not list(read_records(examples.shards("train")[0]))
    with Image.open(examples.contact_sheet_path) as sheet:
        assert sheet.width > 8
