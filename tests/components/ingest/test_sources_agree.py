"""The same images from different kinds of source become the same records, and keep the splits that a source names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import SPLITS, decode_example, read_records
from schemas.artifacts.tables import IMAGES, REJECTED, read_table
from schemas.errors import UsageError
from schemas.recipe.sources import ArraySource, FolderSource, ParquetSource, TableSource

Ingest = Callable[..., tuple[Examples, dict[str, int]]]


def stored(examples: Examples) -> dict[str, tuple[str, bytes, int]]:
    """Split, pixels and label of every image, by what names it everywhere: the sha256 of its bytes."""
    rows = {row["key"]: row["sha256"] for row in read_table(examples.images_path, IMAGES).to_pylist()}
    records = {}
    for split in SPLITS:
        for shard in examples.shards(split):
            for record in read_records(shard):
                pixels, key, label = decode_example(record)
                assert isinstance(pixels, bytes)
                records[rows[key]] = split, pixels, label
    return records


@pytest.fixture
def photos(tmp_path: Path, write_photos: Callable[..., Path]) -> Path:
    """40 cats and 20 dogs."""
    write_photos(tmp_path / "photos" / "cats", 40, seed=1)
    write_photos(tmp_path / "photos" / "dogs", 20, seed=2)
    return tmp_path / "photos"


def test_a_folder_a_parquet_file_and_a_table_of_the_same_images_give_the_same_records(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    paths = sorted(photos.rglob("*.png"))
    columns = {
        "image": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        "label": [path.parent.name for path in paths],
    }
    pq.write_table(pa.table(columns), tmp_path / "photos.parquet", row_group_size=7)
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name}\n" for path in paths]
    (tmp_path / "photos.csv").write_text("path,label\n" + "".join(lines))
    folder, parquet, table = (
        stored(ingest_into(tmp_path / source.kind, source)[0])
        for source in (
            FolderSource(kind="folder", path=str(photos), label="first_folder"),
            ParquetSource(kind="parquet", path=str(tmp_path / "photos.parquet")),
            TableSource(kind="table", path=str(tmp_path / "photos.csv")),
        )
    )
    assert len(folder) == 60
    assert folder == parquet == table


def test_an_npy_and_an_npz_of_the_same_images_give_the_same_records(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted(photos.rglob("*.png"))])
    np.save(tmp_path / "x.npy", pixels)
    np.savez_compressed(tmp_path / "all.npz", x=pixels)
    plain, packed = (
        stored(ingest_into(tmp_path / f"run{name}", ArraySource(kind="array", path=str(tmp_path / name)))[0])
        for name in ("x.npy", "all.npz")
    )
    assert len(plain) == 60
    assert plain == packed
    files = stored(ingest_into(tmp_path / "files", photos)[0])
    assert {record[1] for record in plain.values()} == {record[1] for record in files.values()}


def test_a_tables_validation_images_are_the_validation_split_and_none_is_added(
    tmp_path: Path, photos: Path, ingest_into: Ingest
) -> None:
    splits = ["train"] * 40 + ["val"] * 9 + ["test"] * 11
    paths = sorted(photos.rglob("*.png"))
    lines = [f"{path.relative_to(tmp_path)},{split}\n" for path, split in zip(paths, splits, strict=True)]
    (tmp_path / "photos.csv").write_text("path,split\n" + "".join(lines) + "gone.png,train\n")
    source = TableSource(kind="table", path=str(tmp_path / "photos.csv"))
    examples, counts = ingest_into(tmp_path / "run", source)
    assert counts == {"train": 40, "validation": 9, "test": 11, "rejected": 1, "duplicates": 0}
    rejected = read_table(examples.rejected_path, REJECTED).to_pylist()
    assert [(row["key"], row["reason"]) for row in rejected] == [("gone.png", "missing")]


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_patterns_of_test_images_that_match_none_are_a_usage_error(
    tmp_path: Path, photos: Path, ingest_into: Ingest, kind: str
) -> None:
    if kind == "folder":
        source: Any = FolderSource(kind="folder", path=str(photos), test=("cast/*", "dog/*"))
    else:
        images = [path.read_bytes() for path in photos.rglob("*.png")]
        pq.write_table(pa.table({"image": images}), tmp_path / "a.parquet")
        source = ParquetSource(kind="parquet", path=str(tmp_path / "a.parquet"), test=("cast/*", "dog/*"))
    expected = "sources.0.test: expected names that match images, found none that match cast/*, dog/*"
    with pytest.raises(UsageError, match=re.escape(expected)):
        ingest_into(tmp_path / "run", source)
