"""Tar archives as a source: read in place or read through, to the end, and trusted in nothing."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest
from helpers.read_through import images_of, items_of, read_all
from helpers.tars import COMPRESSIONS, add, pack
from hypothesis import given
from hypothesis import strategies as st

from components.sources import Source, open_source
from components.sources.system_folders import is_system_folder
from schemas.errors import DataError, UsageError
from schemas.hashing import sha256_of
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import FolderSource, TarSource, ZipSource

FILES = {"b.png": b"b", "cats/2.png": b"two", "cats/far/1.png": b"one" * 1000, "dogs/3.png": b"three"}
COMPRESSED = [suffix for suffix in COMPRESSIONS if suffix != ".tar"]
parts_of_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
kept_parts = parts_of_names.filter(lambda part: not part.startswith(".") and not is_system_folder(part))
names = st.lists(kept_parts, min_size=1, max_size=6).map("/".join)


def source_at(path: Path, **settings: object) -> Source:
    """Return the archive as a source."""
    return open_source(TarSource.model_validate({"kind": "tar", "path": str(path), **settings}))


def limited(path: Path, **limits: int) -> Source:
    """Return the archive under other limits."""
    return open_source(TarSource(kind="tar", path=str(path)), PreprocessSettings(**limits))


def outcomes(source: Source) -> dict[str, str]:
    """Return for every member its bytes as text, or why it cannot be read."""
    return {item.key: raw.decode() if isinstance(raw, bytes) else str(raw) for item, raw in read_all(source)}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@given(
    files=st.dictionaries(names, st.binary(max_size=2000), max_size=5),
    format=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_what_was_packed_comes_back(suffix: str, files: dict[str, bytes], format: int) -> None:
    files = {name: data for name, data in files.items() if not name.startswith("__MACOSX")}
    with TemporaryDirectory() as folder:
        source = source_at(pack(Path(folder) / f"photos{suffix}", files, format=format))
        assert images_of(source) == {name.replace("%", "%25"): data for name, data in files.items()}


@given(files=st.dictionaries(names, st.binary(max_size=2000), max_size=5))
def test_every_image_of_a_plain_archive_is_read_again_in_place(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        source = source_at(pack(Path(folder) / "photos.tar", files))
        for item, raw in read_all(source):
            assert item.place is not None
            assert source.read(item.place) == raw


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_an_image_of_a_compressed_archive_has_no_place(tmp_path: Path, suffix: str) -> None:
    assert {item.place for item in items_of(source_at(pack(tmp_path / f"photos{suffix}", FILES)))} == {None}


@pytest.mark.parametrize("name", ["photos.tgz", "photos.TAR", "photos"])
def test_the_content_says_how_it_is_compressed_and_not_the_name(tmp_path: Path, name: str) -> None:
    assert images_of(source_at(pack(tmp_path / "photos.tar.gz", FILES).rename(tmp_path / name))) == FILES


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_folders_hidden_files_and_what_macos_adds_are_passed_over(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / "photos.tar", FILES | {".DS_Store": b"x", "cats/._2.png": b"x", "__MACOSX/2.png": b"x"})
    with tarfile.open(path, "a") as archive:
        add(archive, "cats", type=tarfile.DIRTYPE)
    if suffix == ".tar.gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert images_of(source_at(path)) == FILES


def test_a_dot_before_every_name_as_tar_puts_it_there_is_not_part_of_it(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", {f"./{name}": data for name, data in FILES.items()})
    assert images_of(source_at(path)) == FILES


def test_names_that_match_are_the_sources_own_splits(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "photos.tar.gz", FILES), test=["cats/*"], validation=["dogs/*"])
    assert [item.split for item in items_of(source)] == ["train", "test", "test", "validation"]


def test_a_name_that_is_not_utf8_stands_in_the_key_as_in_a_url(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", {"caf\udce9.png": b"x", "100%.png": b"y"}, format=tarfile.GNU_FORMAT)
    assert images_of(source_at(path)) == {"caf%E9.png": b"x", "100%25.png": b"y"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_what_leads_elsewhere_is_rejected_one_by_one(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "secret").write_text("secret")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        add(archive, "../secret", b"up")
        add(archive, "/root.png", b"root")
        add(archive, "link.png", type=tarfile.SYMTYPE, linkname=str(tmp_path / "secret"))
        add(archive, "hard.png", type=tarfile.LNKTYPE, linkname="good.png")
        add(archive, "pipe.png", type=tarfile.FIFOTYPE)
        add(archive, "device.png", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
        add(archive, "good.png", b"good")
    path = tmp_path / f"photos{suffix}"
    path.write_bytes(gzip.compress(buffer.getvalue()) if suffix == ".tar.gz" else buffer.getvalue())
    leads_out, link = "a name that leads out of the archive", "a link or a device"
    assert outcomes(source_at(path)) == {
        "../secret": leads_out,
        "/root.png": leads_out,
        "link.png": link,
        "hard.png": link,
        "pipe.png": link,
        "device.png": link,
        "good.png": "good",
    }


def test_a_sparse_file_is_rejected_and_what_follows_is_not(tmp_path: Path) -> None:
    # PAX 0.1: the map of the data is in the header, here 3 bytes at 0 of a file of a terabyte.
    sparse = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,3"}
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        add(archive, "holes.bmp", b"abc", pax_headers=sparse)
        add(archive, "good.png", b"good")
    assert outcomes(source_at(tmp_path / "photos.tar")) == {
        "holes.bmp": "a sparse file: pack it anew, without tar's --sparse",
        "good.png": "good",
    }


def test_of_two_files_with_one_name_the_last_counts(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", [("a.png", b"old"), ("b.png", b"b"), ("./a.png", b"new")])
    assert images_of(source_at(path)) == {"a.png": b"new", "b.png": b"b"}


def test_of_two_files_with_one_name_the_first_counts_in_a_compressed_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar.gz", [("a.png", b"first"), ("b.png", b"b"), ("a.png", b"again")])
    assert [(item.key, str(raw)) for item, raw in read_all(source_at(path))] == [
        ("a.png", "b'first'"),
        ("b.png", "b'b'"),
        ("a.png", "a second file of this name, and in a compressed archive the first one counts"),
    ]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_an_archive_that_was_cut_off_anywhere_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"photos{suffix}", FILES)
    data = path.read_bytes()
    end = len(data.rstrip(b"\0")) if suffix == ".tar" else len(data)  # of many zeros at the end, some may go
    for length in {0, 1, 511, 512, 1024, *range(1536, end, 700), end - 1, end // 512 * 512} & set(range(end)):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: expected a whole tar archive, found one that"):
            read_all(source_at(path))


def test_an_archive_that_lost_its_last_members_at_their_very_border_is_an_error(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", {"a.png": b"a", "b.png": b"b"})
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(DataError, match="no mark of its end where it ends"):
        read_all(source_at(path))


def test_a_header_that_is_damaged_is_not_the_end_of_the_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", {"a.png": b"a", "b.png": b"b"})
    path.write_bytes(path.read_bytes().replace(b"b.png", b"c.png"))
    with pytest.raises(DataError, match="broken or cut off"):
        read_all(source_at(path))


def test_two_archives_in_one_file_are_an_error_and_not_the_first_of_them(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar", FILES)
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(DataError, match="more after the mark of its end"):
        read_all(source_at(path))


def test_a_checksum_that_is_wrong_is_an_error(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar.gz", FILES)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="CRC check failed"):
        read_all(source_at(path))


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@given(data=st.data())
def test_damage_is_an_error_or_other_bytes_and_never_a_crash(suffix: str, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = pack(Path(folder) / "photos.tar", {"long" * 40: b"a" * 600, "caf\u00e9.png": b"b"})
        packed = bytearray(path.read_bytes()[:6144])
        for _ in range(data.draw(st.integers(1, 4))):
            packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(gzip.compress(packed) if suffix == ".tar.gz" else packed)
        try:
            read_all(source_at(path))
        except DataError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("size", [-512, -1024, -(1 << 40), 1 << 40])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_with_a_false_size_ends_soon(tmp_path: Path, size: int, kind: bytes) -> None:
    info = tarfile.TarInfo("a.png")
    info.size, info.type = size, kind
    header = info.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "photos.tar").write_bytes(header + bytes(2048))
    with pytest.raises(DataError, match="broken or cut off"):
        read_all(source_at(tmp_path / "photos.tar"))


def test_a_long_name_of_megabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.size, info.type = 100 << 20, tarfile.GNUTYPE_LONGNAME
    with gzip.open(tmp_path / "photos.tar.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(100):
            file.write(b"a" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match="headers without an end"):
        read_all(source_at(tmp_path / "photos.tar.gz"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_bomb_is_refused_long_before_its_end(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"photos{suffix}", {"bomb.png": bytes(30 << 20), "good.png": b"good"})
    expected = rf"^{re.escape(str(path))}: expected a byte to unpack to at most 20, found .*; raise preprocess\.max_exp"
    tracemalloc.start()
    with pytest.raises(DataError, match=expected):
        read_all(limited(path, max_expansion=20, max_bytes=1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20  # xz keeps 8 MiB of what came before
    assert len(outcomes(limited(path, max_expansion=1_000_000, max_bytes=1000))["bomb.png"]) == 1001


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_of_a_member_that_is_too_large_no_more_is_read_than_shows_that_it_is(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"photos{suffix}", {"a.png": b"a" * 1000, "b.png": b"b"})
    source = limited(path, max_bytes=99)
    assert images_of(source) == {"a.png": b"a" * 100, "b.png": b"b"}
    assert all(source.read(item.place) == raw for item, raw in read_all(source) if item.place)


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.tar.gz", FILES)
    with pytest.raises(DataError, match=r"expected at most 3 members, found more; raise preprocess\.max_members"):
        read_all(limited(path, max_members=3))


def test_several_archives_are_one_source_a_part_each_and_names_begin_with_theirs(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", {"x.png": b"ax"})
    pack(tmp_path / "b.tar.gz", {"x.png": b"bx", "dogs/y.png": b"by"})
    source = source_at(tmp_path / "*.tar*")
    assert images_of(source) == {"a.tar/x.png": b"ax", "b.tar.gz/x.png": b"bx", "b.tar.gz/dogs/y.png": b"by"}
    assert [part.names for part in source.parts()] == [["a.tar"], ["b.tar.gz"]]
    assert [source.read(item.place) for item in items_of(source) if item.place] == [b"ax"]
    assert source.digest() not in {source_at(tmp_path / "a.tar").digest(), source_at(tmp_path / "b.tar.gz").digest()}


def test_a_file_that_is_not_an_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(b"not a tar, but words " * 100)
    with pytest.raises(DataError, match=rf"^{tmp_path}/photos\.tar: expected a whole tar archive"):
        read_all(source_at(tmp_path / "photos.tar"))
    with pytest.raises(UsageError, match=rf"kind tar expects an archive, found the folder {tmp_path}"):
        source_at(tmp_path)


def test_a_broken_archive_among_others_stops_ingest_in_one_line(
    tmp_path: Path, ingest_into: Callable[..., object]
) -> None:
    for name in ("a", "b"):
        pack(tmp_path / f"{name}.tar", FILES)
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:2000])
    with pytest.raises(DataError) as error:
        ingest_into(tmp_path / "run", TarSource(kind="tar", path=str(tmp_path / "*.tar")))
    assert str(error.value) == (
        f"{tmp_path}/a.tar: expected a whole tar archive, found one that is broken or cut off (unexpected end of data)"
    )


def test_a_folder_a_zip_and_tars_of_the_same_images_give_the_same_shards(
    tmp_path: Path, write_photos: Callable[..., Path], ingest_into: Callable[..., object]
) -> None:
    photos = tmp_path / "photos"
    write_photos(photos / "cats", 15, seed=1)
    write_photos(photos / "dogs", 15, seed=2)
    images = {path.relative_to(photos).as_posix(): path.read_bytes() for path in sorted(photos.rglob("*.png"))}
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name, data in images.items():
            archive.writestr(name, data)
    backwards = dict(reversed(images.items()))
    sources = [
        FolderSource(kind="folder", path=str(photos), label="first_folder"),
        ZipSource(kind="zip", path=str(tmp_path / "photos.zip"), label="first_folder"),
        TarSource(kind="tar", path=str(pack(tmp_path / "photos.tar", images)), label="first_folder"),
        TarSource(kind="tar", path=str(pack(tmp_path / "photos.tar.gz", backwards)), label="first_folder"),
    ]
    digests = []
    for number, source in enumerate(sources):
        run = tmp_path / f"run{number}"
        ingest_into(run, source)
        files = sorted((run / "examples").rglob("*"))
        digests.append({path.relative_to(run): sha256_of(path) for path in files if path.is_file()})
    assert len(digests[0]) > 5
    assert digests[0] == digests[1] == digests[2] == digests[3]
