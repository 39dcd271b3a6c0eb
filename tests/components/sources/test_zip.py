"""A zip archive as a source: read in place, in an order that depends on names alone, and trusted in nothing."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from components.sources import NamedFiles, ReadError, Source, open_source
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


def source_at(path: Path, **settings: object) -> NamedFiles:
    """Return the archive as a source."""
    source = open_source(ZipSource.model_validate({"kind": "zip", "path": str(path), **settings}))
    assert isinstance(source, NamedFiles)
    return source


def limited(path: Path, **limits: int) -> Source:
    """Return the archive under other limits."""
    return open_source(ZipSource(kind="zip", path=str(path)), PreprocessSettings(**limits))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_files_come_by_name_with_their_bytes(tmp_path: Path, compression: int) -> None:
    backwards = dict(reversed(FILES.items()))
    source = source_at(pack(tmp_path / "photos.zip", backwards, compression=compression))
    assert {key: source.read(key) for key in source.names()} == FILES
    assert list(source.names()) == sorted(FILES)


def test_folders_hidden_files_and_what_macos_adds_are_passed_over(tmp_path: Path) -> None:
    noise = {"cats/": b"", ".DS_Store": b"x", "cats/.hidden.png": b"x", "__MACOSX/cats/._2.png": b"x"}
    source = source_at(pack(tmp_path / "photos.zip", FILES | noise))
    assert list(source.names()) == sorted(FILES)


def test_names_without_the_flag_for_utf8_are_utf8_if_they_can_be(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"猫/é.png": b"x"})
    data = path.read_bytes()
    for header, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # take the flag away, as old tools do
        start = data.index(header) + place
        data = data[:start] + bytes(2) + data[start + 2 :]
    path.write_bytes(data)
    source = source_at(path)
    assert {key: source.read(key) for key in source.names()} == {"猫/é.png": b"x"}


def test_backslashes_between_folders_as_windows_writes_them(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.zip", {"cats\\1.png": b"x", "dogs\\2.png": b"y"}))
    assert {key: source.read(key) for key in source.names()} == {"cats/1.png": b"x", "dogs/2.png": b"y"}


def test_an_encrypted_archive_is_named(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"a.png": b"a"})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02") + 8
    path.write_bytes(data[:start] + b"\1" + data[start + 1 :])
    with pytest.raises(
        DataError, match=r"photos\.zip: expected a zip archive without a password, found an encrypted one"
    ):
        source_at(path)


def test_names_that_match_are_the_sources_own_test_split(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.zip", FILES), test=["cats/*", "?.png"])
    assert {key: source.item(key, place=key).split for key in source.names()} == {
        "b.png": "test",
        "cats/2.png": "test",
        "cats/far/1.png": "test",
        "dogs/3.png": "train",
    }


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.zip", FILES))
    for key in source.names():
        source.read(key)
    assert [path.name for path in tmp_path.iterdir()] == ["photos.zip"]


def test_what_leads_elsewhere_is_listed_and_cannot_be_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", {"../up.png": b"x", "/root.png": b"x", "good.png": b"x"})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "good.png")
    source = source_at(path)
    outcomes = {}
    for key in source.names():
        try:
            outcomes[key] = str(source.read(key))
        except ReadError as error:
            outcomes[key] = str(error)
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
    read = {key: source.read(key) for key in source.names()}
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
