"""Sources elsewhere: what Beam's file systems reach is read as what is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem
from helpers.read_through import images_of, items_of
from pydantic import TypeAdapter

from components.sources import MissingError, Source, files, open_source
from schemas.recipe.sources import Source as SourceSettings

ROOT: list[Path] = []


class Elsewhere(LocalFileSystem):  # type: ignore[misc]
    """Files of a folder of the test, under `elsewhere://bucket/`; Beam finds it because it is a subclass."""

    @classmethod
    def scheme(cls) -> str:
        return "elsewhere"

    def _here(self, path: str) -> str:
        return path.replace("elsewhere://bucket", str(ROOT[-1]))

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        root = ROOT[-1]
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield FileMetadata(f"elsewhere://bucket/{path.relative_to(root)}", path.stat().st_size)

    def has_dirs(self) -> bool:
        return False

    def open(self, path: str, *args: Any, **settings: Any) -> Any:
        return super().open(self._here(path), *args, **settings)

    def exists(self, path: str) -> bool:
        return bool(super().exists(self._here(path)))

    def size(self, path: str) -> int:
        return int(super().size(self._here(path)))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path))

    def checksum(self, path: str) -> str:
        return str(super().checksum(self._here(path)))


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Path]:
    """Yield the folder behind the bucket."""
    ROOT.append(tmp_path)
    yield tmp_path
    ROOT.pop()


def source_at(kind: str, name: str) -> Source:
    """Return a source in the bucket."""
    settings: Any = TypeAdapter(SourceSettings).validate_python({"kind": kind, "path": f"elsewhere://bucket/{name}"})
    return open_source(settings)


def test_the_size_of_a_file_elsewhere_is_known(bucket: Path) -> None:
    (bucket / "a.png").write_bytes(b"abc")
    assert files.size_of("elsewhere://bucket/a.png") == 3


def test_parquet_files_are_read_where_they_are(bucket: Path) -> None:
    for split in ("train", "test"):
        path = bucket / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"image": [split.encode()] * 20}), path, row_group_size=3)
    source = source_at("parquet", "data")
    assert list(images_of(source).values()) == [b"test"] * 20 + [b"train"] * 20
    assert [item.split for item in items_of(source)] == ["test"] * 20 + ["train"] * 20
    assert images_of(source_at("parquet", "data/test*")) == dict(list(images_of(source).items())[:20])
    assert len(source.digest()) == 64


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_are_read_where_they_are(bucket: Path, ending: str) -> None:
    values = np.arange(6 * 5 * 7, dtype=np.uint8).reshape(6, 5, 7)
    if ending == ".npy":
        np.save(bucket / "x.npy", values)
        np.save(bucket / "y.npy", np.arange(6))
    else:
        np.savez_compressed(bucket / "x.npz", x=values, y=np.arange(6))
    source = source_at("array", f"x{ending}")
    np.testing.assert_array_equal(list(images_of(source).values()), values)
    assert [item.label for item in items_of(source)] == list("012345")
    for item in items_of(source):
        if item.place is not None:
            np.testing.assert_array_equal(source.read(item.place), images_of(source)[item.key])
    assert len(source.digest()) == 64


def test_a_table_names_files_beside_it_and_elsewhere(bucket: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (bucket / "a.png").write_bytes(b"a")
    rows = "path\na.png\nelsewhere://bucket/a.png\n"
    (bucket / "a.csv").write_text(rows)
    assert list(images_of(source_at("table", "a.csv")).values()) == [b"a", b"a"]
    here = tmp_path_factory.mktemp("here") / "a.csv"
    here.write_text(rows.replace("a.png\n", "gone.png\n", 1))
    source = open_source(TypeAdapter(SourceSettings).validate_python({"kind": "table", "path": str(here)}))
    raws = [raw for part in source.parts() for _, raw in source.images(part.names)]
    assert isinstance(raws[0], MissingError)
    assert raws[1] == b"a"
