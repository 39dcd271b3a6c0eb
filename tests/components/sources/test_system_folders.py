"""Folders that a system keeps for itself are left out and counted, in folders, zips and tars alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.small_images import png, put

from components.images.rejected import Rejected, is_beside, require_image
from components.sources import LeftOutError, NamedFiles, open_source
from components.sources.system_folders import REASON, in_system_folder, is_system_folder
from schemas.recipe.sources import FolderSource, TarSource, ZipSource

OTHERS = [
    "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg",
    "cat/@eaDir/2.png/SYNOPHOTO_THUMB_M.jpg",
    "$RECYCLE.BIN/S-1-5/$R1.png",
    ".Trashes/501/3.png",
    ".Trash-1000/files/4.png",
    "__MACOSX/cat/._1.png",
    "more/__MACOSX/._1.png",
    ".AppleDouble/1.png",
    ".thumbnails/large/5.png",
    "lost+found/#123.png",
    ".ipynb_checkpoints/6-checkpoint.png",
]


def test_names_of_system_folders_are_known_in_any_case() -> None:
    assert all(map(in_system_folder, OTHERS))
    assert is_system_folder("$Recycle.Bin")
    assert not any(map(in_system_folder, ["cat/1.png", "trashes/1.png", "cat/lost+found", "eaDir/1.png", ".git/1.png"]))


@pytest.fixture(params=["folder", "zip", "tar", "tar.gz"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> NamedFiles:
    """Return two images, beside what systems write, in each container."""
    root = tmp_path / "photos"
    for number, name in enumerate(["cat/1.png", "dog/2.png", ".hidden.png", ".git/x.png", *OTHERS]):
        put(root / name, png(number))
    if request.param == "folder":
        settings: FolderSource | ZipSource | TarSource = FolderSource(kind="folder", path=str(root))
    elif request.param == "zip":
        settings = ZipSource(kind="zip", path=shutil.make_archive(str(tmp_path / "a"), "zip", root))
    else:
        format = {"tar": "tar", "tar.gz": "gztar"}[request.param]
        settings = TarSource(kind="tar", path=shutil.make_archive(str(tmp_path / "a"), format, root))
    opened = open_source(settings)
    assert isinstance(opened, NamedFiles)
    return opened


def test_they_are_left_out_and_counted_in_every_container(source: NamedFiles) -> None:
    assert sorted(source.names()) == ["cat/1.png", "dog/2.png"]
    assert {reason: len(paths) for reason, paths in source.left_out.items()} == {REASON: len(OTHERS)}
    assert list(source.tables("._1.png")) == []


def test_whoever_reads_an_archive_through_gets_the_reason_and_no_image(source: NamedFiles) -> None:
    read = {item.key: raw for part in source.parts() for item, raw in source.images(part.names)}
    assert {key for key, raw in read.items() if isinstance(raw, bytes)} == {"cat/1.png", "dog/2.png"}
    for key, raw in read.items():
        if not isinstance(raw, bytes):
            assert isinstance(raw, LeftOutError)
            with pytest.raises(Rejected) as error:
                require_image(raw)
            assert is_beside(key, error.value)


def test_the_digest_does_not_change_with_what_the_system_writes(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "1.png", png(1))
    source = open_source(FolderSource(kind="folder", path=str(tmp_path)))
    before = source.digest()
    put(tmp_path / "cat" / "@eaDir" / "1.png" / "THUMB.jpg", png(2))
    assert source.digest() == before


def test_a_folder_that_is_given_itself_is_read(tmp_path: Path) -> None:
    put(tmp_path / "lost+found" / "1.png", png(1))
    source = open_source(FolderSource(kind="folder", path=str(tmp_path / "lost+found")))
    assert isinstance(source, NamedFiles)
    assert list(source.names()) == ["1.png"]


@pytest.mark.parametrize("container", ["folder", "zip", "tar", "gztar"])
def test_names_that_the_recipe_leaves_out_are_counted_apart(tmp_path: Path, container: str) -> None:
    root = tmp_path / "photos"
    for name in ("1.png", "1_mask.png", "masks/2.png"):
        put(root / name, png(1))
    path = str(root) if container == "folder" else shutil.make_archive(str(tmp_path / "a"), container, root)
    kind = container.removeprefix("gz")
    classes = {"folder": FolderSource, "zip": ZipSource, "tar": TarSource}
    settings = classes[kind].model_validate({"kind": kind, "path": path, "leave_out": ["*_mask.png", "masks/*"]})
    source = open_source(settings)
    assert isinstance(source, NamedFiles)
    assert list(source.names()) == ["1.png"]
    assert [len(paths) for paths in source.left_out.values()] == [2]
