"""A zip archive as a source: read in place, in an order that depends on names alone, and trusted in nothing."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from components.sources import ReadError, Source, open_source
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ZipSource

FILES = {"b.png": b"b", "cats/2.png": b"two", "cats/far/1.png": b"one", "dogs/3.png": b"three"}


def pack(path: Path, files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive, in the order given."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def source_at(path: Path, **settings: object) -> Source:
    """Return the archive as a source."""
    return open_source(ZipSource.model_validate({"kind": "zip", "path": str(path), **settings}))


def limited(path: Path, **limits: int) -> Source:
    """Return the archive under other limits."""
    return open_source(ZipSource(kind="zip", path=str(path)), PreprocessSettings(**limits))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_files_come_by_name_with_their_bytes(tmp_path: Path, compression: int) -> None:
    backwards = dict(reversed(FILES.items()))
    source = source_at(pack(tmp_path / "photos.zip", backwards, compression=compression))
    assert {item.key: source.read(item.key) for item in source.items()} == FILES
    assert [item.key for item in source.items()] == sorted(FILES)


def test_folders_hidden_files_and_what_macos_adds_are_passed_over(tmp_path: Path) -> None:
    noise = {"cats/": b"", ".DS_Store": b"x", "cats/.hidden.png": b"x", "__MACOSX/cats/._2.png": b"x"}
    source = source_at(pack(tmp_path / "photos.zip", FILES | noise))
    assert [item.key for item in source.items()] == sorted(FILES)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("none", {None}),
        ("first_folder", {"b.png": None, "cats/2.png": "cats", "cats/far/1.png": "cats", "dogs/3.png": "dogs"}),
        ("last_folder", {"b.png": None, "cats/2.png": "cats", "cats/far/1.png": "far", "dogs/3.png": "dogs"}),
    ],
)
def test_a_folder_of_the_name_is_the_label(tmp_path: Path, label: str, expected: object) -> None:
    outcomes = {item.key: item.label for item in source_at(pack(tmp_path / "photos.zip", FILES), label=label).items()}
    assert outcomes == expected or set(outcomes.values()) == expected


def test_names_that_match_are_the_sources_own_test_split(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.zip", FILES), test=["cats/*", "?.png"])
    assert {item.key: item.split for item in source.items()} == {
        "b.png": "test",
        "cats/2.png": "test",
        "cats/far/1.png": "test",
        "dogs/3.png": "train",
    }


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.zip", FILES))
    for item in source.items():
        source.read(item.key)
    assert [path.name for path in tmp_path.iterdir()] == ["photos.zip"]


def test_what_leads_elsewhere_is_listed_and_cannot_be_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"../up.png": b"x", "/root.png": b"x", "good.png": b"x"})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "good.png")
    source = source_at(path)
    outcomes = {}
    for item in source.items():
        try:
            outcomes[item.key] = str(source.read(item.key))
        except ReadError as error:
            outcomes[item.key] = str(error)
    leads_out = "a name that leads out of the archive"
    assert outcomes == {
        "../up.png": leads_out,
        "/root.png": leads_out,
        "good.png": "b'x'",
        "link.png": "a link or a device",
    }


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_with_a_wrong_byte_is_read_whole_or_not_at_all(tmp_path: Path, compression: int) -> None:
    content = bytes(range(256)) * 4
    path = pack(tmp_path / "photos.zip", {"a.png": content}, compression=compression)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        packed = archive.getinfo("a.png").compress_size
    start, refused = 30 + len("a.png"), 0  # after the member's header
    for place in range(start, start + packed, 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert source_at(path).read("a.png") == content  # some bits of padding count for nothing
        except ReadError:
            refused += 1
    assert refused > packed // 10


def test_a_member_that_is_damaged_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"a.png": b"a" * 100, "b.png": b"b" * 5}, compression=zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"bbbbb", b"bbabb"))
    source = source_at(path)
    with pytest.raises(ReadError, match="Bad CRC-32"):
        source.read("b.png")
    assert source.read("a.png") == b"a" * 100


def test_of_a_member_that_is_too_large_no_more_is_read_than_shows_that_it_is(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"a.png": b"a" * 1000})
    assert len(limited(path, max_bytes=99).read("a.png")) == 100


def test_a_bomb_is_one_image_that_cannot_be_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"bomb.png": bytes(5 << 20), "good.png": b"good"})
    source = limited(path, max_expansion=100)
    with pytest.raises(ReadError, match=r"bytes that unpack to 5,242,880, more than 100 times as many"):
        source.read("bomb.png")
    assert source.read("good.png") == b"good"


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", FILES)
    with pytest.raises(DataError, match=r"expected at most 3 members, found 4; raise preprocess\.max_members"):
        limited(path, max_members=3)


def test_several_archives_are_one_source_and_names_begin_with_theirs(tmp_path: Path) -> None:
    pack(tmp_path / "a.zip", {"x.png": b"ax"})
    pack(tmp_path / "b.zip", {"x.png": b"bx", "dogs/y.png": b"by"})
    source = source_at(tmp_path / "*.zip", label="last_folder")
    read = {item.key: source.read(item.place or "") for item in source.items()}
    assert read == {"a.zip/x.png": b"ax", "b.zip/x.png": b"bx", "b.zip/dogs/y.png": b"by"}
    assert source.digest() not in {source_at(tmp_path / "a.zip").digest(), source_at(tmp_path / "b.zip").digest()}


def test_a_file_that_is_not_an_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK, but no more than that")
    with pytest.raises(DataError, match=rf"^{tmp_path}/photos\.zip: expected a zip archive, found something else"):
        source_at(tmp_path / "photos.zip")
    with pytest.raises(UsageError, match=rf"kind zip expects an archive, found the folder {tmp_path}"):
        source_at(tmp_path)


def test_the_digest_is_that_of_the_archive(tmp_path: Path) -> None:
    one, same = pack(tmp_path / "one.zip", {"a.png": b"a"}), tmp_path / "same.zip"
    same.write_bytes(one.read_bytes())
    other = pack(tmp_path / "other.zip", {"a.png": b"b"})
    assert source_at(one).digest() == source_at(same).digest() != source_at(other).digest()
