"""Tar archives of image files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from components.sources import files
from components.sources.base import Found, Part, ReadError, Source, named_item
from components.sources.tar_file import Archive, Member, opened, read_stretch
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import TarSource, WebDatasetSource

_TYPICAL = 1 << 16  # bytes of an image, to guess how many an archive holds


class TarArchives(Source):
    """Tar archives, plain or compressed by gzip, bzip2 or xz, each of them one part.

    Nothing is ever extracted, so no name can lead anywhere. In a plain archive images are read in place; a compressed one
    is read through once. Where there are several archives, keys begin with the archive's name.
    """

    def __init__(self, settings: TarSource | WebDatasetSource, preprocess: PreprocessSettings) -> None:
        super().__init__(settings, preprocess)
        root, found = files.find(settings)
        self.archives = {files.quoted(files.name_in(root, path)): path for path in self._archives(found)}

    def _archives(self, found: list[str]) -> list[str]:
        if len(found) == 1 and files.is_folder(found[0]):
            raise UsageError(f"sources.path: kind {self.settings.kind} expects an archive, found the folder {found[0]}")
        return found

    def digest(self) -> str:
        """Sha256 of the archive, or over the archives' names and contents."""
        return files.digest_of_all(self.archives)

    def parts(self) -> Iterator[Part]:
        """Archives by name, and how many images they may hold, by their size."""
        for name, path in self.archives.items():
            yield Part([name], files.size_of(path) // _TYPICAL)

    def images(self, names: list[str]) -> Iterator[Found]:
        """Every image of an archive; those of a compressed one have no place."""
        (name,) = names
        prefix = f"{name}/" if len(self.archives) > 1 else ""
        with opened(self.archives[name], self.preprocess) as archive:
            yield from self._images(name, prefix, archive)

    @abstractmethod
    def _images(self, name: str, prefix: str, archive: Archive) -> Iterator[Found]:
        """Every image of the archive of a name, with keys that begin with a prefix."""

    def place(self, name: str, archive: Archive, member: Member) -> str | None:
        """Where `read` finds a member again."""
        return None if archive.compressed else f"{name}#{member.stretch}"

    def read(self, place: str) -> bytes:
        """A member of a plain archive."""
        name, stretch = place.rsplit("#", 1)
        return read_stretch(self.archives[name], stretch, max_bytes=self.preprocess.max_bytes)


class Tar(TarArchives):
    """Every file in an archive is an image, by name. Hidden files are passed over, and so is what macOS adds.

    Of several files with one name the last counts, as everywhere; in a compressed archive, where nobody knows what is to
    come, the first does, and the others are rejected.
    """

    settings: TarSource

    def _images(self, name: str, prefix: str, archive: Archive) -> Iterator[Found]:
        members: Iterator[Member] = archive.members()
        if not archive.compressed:
            members = iter({member.name: member for member in members}.values())
        seen: set[str] = set()
        for member in members:
            place = None if member.problem else self.place(name, archive, member)
            item = named_item(prefix + member.name, self.settings, place=place)
            try:
                if archive.compressed and member.name in seen:
                    raise ReadError("a second file of this name, and in a compressed archive the first one counts")
                yield item, archive.read(member)
            except ReadError as error:
                yield item, error
            seen.add(member.name)
