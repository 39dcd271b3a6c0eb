"""Tar archives of image files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import suppress

from components.sources import files
from components.sources.base import LeftOutError, NamedFiles, Part, ReadError, Source, SourceImage
from components.sources.tar_file import Archive, Member, open_archive, read_stretch
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TarSource, WebDatasetSource

_TYPICAL_IMAGE_BYTES = 1 << 16  # to guess how many images an archive holds


class TarArchives(Source):
    """Tar archives, plain or compressed by gzip, bzip2 or xz, each of them one part.

    Nothing is ever extracted, so a name cannot lead out of the archive. Images of a plain archive are read in place; a
    compressed one is read once, from front to back. With several archives, keys begin with the archive's name.
    """

    def __init__(self, settings: TarSource | WebDatasetSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        root, paths = files.find(settings)
        self.archives = {files.quote(files.name_in(root, path)): path for path in self._archive_paths(paths)}

    def _archive_paths(self, paths: list[str]) -> list[str]:
        if len(paths) == 1 and files.is_folder(paths[0]):
            raise UsageError(f"sources.path: kind {self.settings.kind} expects an archive, found the folder {paths[0]}")
        return paths

    def digest(self) -> str:
        """Return the sha256 of the archive, or over the names and contents of several."""
        return files.digest_of_all(self.archives)

    def parts(self) -> Iterator[Part]:
        """Yield a part for each archive, with a number of images guessed from its size."""
        for name, path in self.archives.items():
            yield Part([name], files.size_of(path) // _TYPICAL_IMAGE_BYTES)

    def images(self, names: list[str]) -> Iterator[SourceImage]:
        """Yield every image of an archive; those of a compressed one have no place."""
        (name,) = names
        prefix = self._prefix(name)
        with open_archive(self.archives[name], self.preprocess) as archive:
            yield from self._images(name, prefix, archive)

    def _prefix(self, name: str) -> str:
        return f"{name}/" if len(self.archives) > 1 else ""

    @abstractmethod
    def _images(self, name: str, prefix: str, archive: Archive) -> Iterator[SourceImage]:
        """Yield every image of the archive with this name; keys begin with the prefix."""

    def place(self, name: str, archive: Archive, member: Member) -> str | None:
        """Return the place where `read` finds a member again, if the archive is plain."""
        return None if archive.compressed else f"{name}#{member.stretch}"

    def read(self, place: str) -> bytes:
        """Return the bytes of a member of a plain archive."""
        name, stretch = place.rsplit("#", 1)
        return read_stretch(self.archives[name], stretch, max_bytes=self.preprocess.max_bytes)


class Tar(TarArchives, NamedFiles):
    """All files of an archive, by name; hidden files, and folders that a system keeps for itself, are skipped.

    Of several files with one name, the last counts, as in other tar tools. In a compressed archive, where later files are
    not known yet, the first counts and the others are rejected.
    """

    settings: TarSource
    left_out: files.LeftOut

    def __init__(self, settings: TarSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        self.left_out = files.LeftOut()

    def names(self) -> Iterator[str]:
        """Yield every file's name; `left_out` then says what was skipped. Of a compressed archive, all of it is read."""
        self.left_out.clear()
        for key, _, _ in self._members():
            if reason := self.why_left_out(key):
                self.left_out.add(reason, key)
            else:
                yield key

    def starts(self, keys: Collection[str], *, size: int) -> Iterator[tuple[str, bytes]]:
        """Yield key and first bytes of these files; nothing for one that cannot be read."""
        wanted = set(keys)
        for key, member, archive in self._members() if wanted else ():
            if key in wanted:
                with suppress(ReadError):
                    yield key, archive.read(member, size=size)

    def tables(self, name: str) -> Iterator[tuple[str, bytes]]:
        """Yield key and bytes of every file with this last name."""
        for key, member, archive in self._members():
            if key.rpartition("/")[2] == name and not self.why_left_out(key):
                try:
                    yield key, archive.read(member)
                except ReadError as error:
                    raise DataError(f"{key}: expected a table beside the images, found {error}") from None

    def _members(self) -> Iterator[tuple[str, Member, Archive]]:
        for name, path in self.archives.items():
            prefix = self._prefix(name)
            with open_archive(path, self.preprocess) as archive:
                for member in archive.members(system=True):
                    yield prefix + member.name, member, archive

    def _images(self, name: str, prefix: str, archive: Archive) -> Iterator[SourceImage]:
        """Yield every image; a file that is not looked at is yielded as the error that says why, to be counted."""
        members: Iterator[Member] = archive.members(system=True)
        if not archive.compressed:
            members = iter({member.name: member for member in members}.values())
        earlier_names: set[str] = set()
        for member in members:
            place = None if member.problem else self.place(name, archive, member)
            item = self.item(prefix + member.name, place=place)
            if reason := self.why_left_out(item.key):
                yield item, LeftOutError(reason)
                continue
            try:
                if archive.compressed and member.name in earlier_names:
                    raise ReadError("a second file of this name, and in a compressed archive the first one counts")
                yield item, archive.read(member)
            except ReadError as error:
                yield item, error
            earlier_names.add(member.name)
