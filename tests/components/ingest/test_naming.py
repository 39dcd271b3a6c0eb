"""Ingest says what names mean and a recipe does not use: masks, splits in names of files, sources that are a split as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from helpers.small_images import png, put

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import read_statistics
from schemas.errors import DataError
from schemas.recipe.sources import FolderSource, ParquetSource, TarSource, ZipSource

Ingest = Callable[..., tuple[Examples, dict[str, int]]]


def anomalies(examples: Examples, words: str) -> list[str]:
    """Return the anomalies with these words."""
    return [text for text in read_statistics(examples).anomalies if words in text]


def images(root: Path, *names: str, count: int = 10) -> Path:
    """Write images of each name, with a number in it."""
    for name in names:
        for number in range(count):
            put(root / name.format(number), png(1000 * crc32(f"{root.name}/{name}".encode()) + number))
    return root


def test_masks_that_a_recipe_does_not_leave_out_are_said_with_the_key(tmp_path: Path, ingest_into: Ingest) -> None:
    root = images(tmp_path / "photos", "cat/{}.png", "cat/{}_mask.png")
    examples, counts = ingest_into(tmp_path / "all", root)
    [sentence] = anomalies(examples, "By their names")
    assert sentence == (
        "By their names, 10 masks of other images are among the images, the first cat/0_mask.png beside cat/0.png; "
        'sources.leave_out=["*_mask.png"] leaves them out.'
    )
    assert sum(counts[split] for split in ("train", "validation", "test")) == 20


@pytest.mark.parametrize("container", ["folder", "zip", "tar", "gztar"])
def test_files_that_a_recipe_leaves_out_are_counted_and_never_read(
    tmp_path: Path, ingest_into: Ingest, container: str
) -> None:
    root = images(tmp_path / "photos", "cat/{}.png", "masks/{}.png")
    put(root / "masks" / "broken.png", b"no image")
    path = str(root) if container == "folder" else shutil.make_archive(str(tmp_path / "a"), container, root)
    kind = container.removeprefix("gz")
    classes = {"folder": FolderSource, "zip": ZipSource, "tar": TarSource}
    source = classes[kind].model_validate({"kind": kind, "path": path, "leave_out": ["masks/*"]})
    examples, counts = ingest_into(tmp_path / "run", source)
    assert sum(counts[split] for split in ("train", "validation", "test")) == 10
    assert counts["rejected"] == 0
    assert read_statistics(examples).left_out == {"by sources.leave_out": 11}
    assert len(anomalies(examples, "Not looked at, by sources.leave_out: 11, the first is masks/0.png.")) == 1


@pytest.mark.parametrize("container", ["folder", "zip", "tar", "gztar"])
def test_folders_of_the_system_are_counted_alike(tmp_path: Path, ingest_into: Ingest, container: str) -> None:
    root = images(tmp_path / "photos", "cat/{}.png", "cat/@eaDir/{}.png/SYNOPHOTO_THUMB_M.jpg", ".Trashes/501/{}.png")
    path = str(root) if container == "folder" else shutil.make_archive(str(tmp_path / "a"), container, root)
    kind = container.removeprefix("gz")
    classes = {"folder": FolderSource, "zip": ZipSource, "tar": TarSource}
    examples, counts = ingest_into(tmp_path / "run", classes[kind].model_validate({"kind": kind, "path": path}))
    assert sum(counts[split] for split in ("train", "validation", "test")) == 10
    assert counts["rejected"] == 0
    assert read_statistics(examples).left_out == {"in a folder that the system keeps for itself": 20}


def test_of_several_sources_one_that_is_named_for_a_split_is_said(tmp_path: Path, ingest_into: Ingest) -> None:
    train, test = (images(tmp_path / split, f"{split}{{}}.png") for split in ("train", "test"))
    archive = shutil.make_archive(str(tmp_path / "b"), "zip", images(tmp_path / "c", "validation/x/{}.png"))
    sources = [FolderSource(kind="folder", path=str(path)) for path in (train, test)]
    examples, _ = ingest_into(tmp_path / "run", *sources, ZipSource(kind="zip", path=archive))
    assert anomalies(examples, "is named for") == [
        "sources.1 is named for the test split (`test`), which the recipe does not use: its images are divided among all splits; "
        'sources.1.test=["*"] would keep them apart.',
        "sources.2 is named for the validation split (`validation`), which the recipe does not use: its images are divided among "
        'all splits; sources.2.validation=["*"] would keep them apart.',
    ]
    apart = [sources[0], FolderSource(kind="folder", path=str(test), test=("*",))]
    examples, _ = ingest_into(tmp_path / "apart", *apart)
    assert not anomalies(examples, "is named for")
    assert read_statistics(examples).images["test"] == 10


def test_a_source_alone_may_have_any_name(tmp_path: Path, ingest_into: Ingest) -> None:
    examples, _ = ingest_into(tmp_path / "run", images(tmp_path / "test", "{}.png"))
    assert not anomalies(examples, "is named for")


def test_a_manifest_names_leave_out_only_where_it_is_set() -> None:
    for kind in (FolderSource, ZipSource, TarSource):
        name = kind.__name__.removesuffix("Source").lower()
        assert "leave_out" not in kind.model_validate({"kind": name}).model_dump()
        assert kind.model_validate({"kind": name, "leave_out": ["a*"]}).model_dump()["leave_out"] == ("a*",)
    assert "leave_out" not in ParquetSource(kind="parquet").model_dump()


def test_where_all_images_are_held_out_ingest_ends_with_a_line(tmp_path: Path, ingest_into: Ingest) -> None:
    train, test = (images(tmp_path / split / "same", "{}.png") for split in ("train", "test"))
    sources = [FolderSource(kind="folder", path=str(train)), FolderSource(kind="folder", path=str(test), test=("*",))]
    with pytest.raises(DataError, match="expected images to train on, found none outside the test split"):
        ingest_into(tmp_path / "run", *sources)
