"""A folder of images: every file below it, by name; neither times of files nor the folder's place count."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources import NamedFiles, open_source
from schemas.errors import UsageError
from schemas.recipe.sources import FolderSource

Files = dict[str, bytes]
PHOTOS: Files = {"b.png": b"b", "a.png": b"a", "cats/2.png": b"c2", "cats/10.png": b"c10", "cats/far/below/x.jpg": b"x"}
names = st.sampled_from(["a.png", "b.png", "cats/1.png", "cats/far/2.jpg", "dogs/3", "é 図.gif"])


def folder(path: Path | str | None, *, label: Literal["none", "first_folder"] = "none") -> NamedFiles:
    """Return the source that a recipe's entry of kind folder opens."""
    source = open_source(FolderSource(kind="folder", path=None if path is None else str(path), label=label))
    assert isinstance(source, NamedFiles)
    return source


def write(root: Path, files: Files) -> Path:
    """Write some files below a folder."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def keys(root: Path) -> list[str]:
    """Return the names of a folder's images."""
    return list(folder(root).names())


def test_images_are_found_at_any_depth_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, PHOTOS)
    assert keys(tmp_path) == ["a.png", "b.png", "cats/10.png", "cats/2.png", "cats/far/below/x.jpg"]


def test_an_image_is_read_as_the_bytes_of_its_file(tmp_path: Path) -> None:
    source = folder(write(tmp_path, PHOTOS))
    assert {key: source.read(key) for key in source.names()} == PHOTOS


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": b"a", ".DS_Store": b"", ".git/b.png": b"", "cats/.thumb/c.png": b"", "cats/._d.png": b""})
    assert keys(tmp_path) == ["a.png"]


def test_links_to_files_are_followed_and_what_is_not_followed_is_named(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.png": b"s"})
    root = write(tmp_path / "photos", {"a.png": b"a"})
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "circle").symlink_to(root)
    (root / "broken.png").symlink_to(tmp_path / "nothing")
    (root / "itself.png").symlink_to(root / "itself.png")
    os.mkfifo(root / "pipe.png")
    source = folder(root)
    assert list(source.names()) == ["a.png", "file.png"]
    assert source.read("file.png") == b"s"
    assert {reason: [Path(path).name for path in paths] for reason, paths in source.left_out.items()} == {
        "a link to a folder": ["circle", "folder"],
        "a link that leads nowhere": ["broken.png", "itself.png"],
        "a pipe or a device": ["pipe.png"],
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_cannot_be_entered_is_named(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.png": b"a", "closed/b.png": b"b"})
    (root / "closed").chmod(0)
    source = folder(root)
    assert list(source.names()) == ["a.png"]
    (root / "closed").chmod(0o700)
    assert source.left_out == {"a folder that cannot be entered": [str(root / "closed")]}


def test_a_pipe_among_the_images_does_not_stop_the_reading(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": b"a"})
    os.mkfifo(tmp_path / "pipe.png")
    reader = threading.Thread(target=folder(tmp_path).digest, daemon=True)
    reader.start()
    reader.join(timeout=2)
    stuck = reader.is_alive()
    if stuck:  # a writer that comes and goes ends the wait
        os.close(os.open(tmp_path / "pipe.png", os.O_WRONLY | os.O_NONBLOCK))
        reader.join(timeout=2)
    assert not stuck


def test_a_name_that_is_not_utf8_can_be_hashed_and_read(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"photo")  # as an old archive unpacks it
    source = folder(tmp_path)
    assert [source.read(key) for key in source.names()] == [b"photo"]
    assert len(source.digest()) == 64


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(write(tmp_path / "photos", PHOTOS))
    assert keys(tmp_path / "link") == keys(tmp_path / "photos")


@pytest.mark.parametrize("change", ["renamed", "edited", "added", "removed", "moved to another folder"])
def test_the_digest_changes_when_a_file_is(tmp_path: Path, change: str) -> None:
    write(tmp_path, PHOTOS)
    before = folder(tmp_path).digest()
    if change == "renamed":
        (tmp_path / "a.png").rename(tmp_path / "z.png")
    elif change == "edited":
        (tmp_path / "a.png").write_bytes(b"A")
    elif change == "added":
        (tmp_path / "c.png").write_bytes(b"c")
    elif change == "removed":
        (tmp_path / "a.png").unlink()
    else:
        (tmp_path / "cats" / "2.png").rename(tmp_path / "2.png")
    assert folder(tmp_path).digest() != before


def test_two_files_that_swap_their_contents_change_the_digest(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"a.png": b"1", "b.png": b"2"})
    other = write(tmp_path / "other", {"a.png": b"2", "b.png": b"1"})
    assert folder(one).digest() != folder(other).digest()


def test_the_digest_does_not_change_with_the_clock_the_place_or_hidden_files(tmp_path: Path) -> None:
    write(tmp_path / "photos", PHOTOS)
    before = folder(tmp_path / "photos").digest()
    for path in (tmp_path / "photos").rglob("*"):
        os.utime(path, (1, 1))
    (tmp_path / "photos" / ".DS_Store").write_bytes(b"seen")
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    assert folder(tmp_path / "elsewhere").digest() == before


@given(one=st.dictionaries(names, st.binary(max_size=3)), other=st.dictionaries(names, st.binary(max_size=3)))
def test_two_folders_have_one_digest_just_when_they_hold_the_same_files(one: Files, other: Files) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        digests = [folder(write(Path(root), files)).digest() for root, files in ((first, one), (second, other))]
    assert (digests[0] == digests[1]) == (one == other)


def test_a_file_that_goes_while_we_look_is_not_found(tmp_path: Path) -> None:
    source = folder(write(tmp_path, PHOTOS))
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError):
        source.read("a.png")


def test_a_missing_path_is_a_usage_error_that_names_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"found nothing at {re.escape(str(tmp_path / 'nowhere'))}; check SOURCE="):
        folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"found none; set SOURCE="):
        folder(None)


def test_a_file_in_the_folders_place_is_a_usage_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": b"a"})
    with pytest.raises(UsageError, match=rf"expects a folder, found the file {re.escape(str(tmp_path / 'a.png'))}"):
        folder(tmp_path / "a.png")


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(write(tmp_path, {"photos/a.png": b"a"})))
    assert list(folder("~/photos").names()) == ["a.png"]
