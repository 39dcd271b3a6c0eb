"""Finds masks and small copies of other images by their names: `cat_mask.png` beside `cat.png`, `masks` beside `images`.

They are hardly ever wanted among the images that they are about, so `recipe` leaves them out, with patterns, and says so;
ingest says which a recipe does not leave out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from components.sources.folder_names import escaped, split_meant_by, words_in
from components.sources.layout import Folder

_MASKS = frozenset({
    "mask", "masks", "segmentation", "segmentations", "segmented", "seg", "segs", "annotation", "annotations", "annot", "annots",
    "gt", "truth", "groundtruth", "ground", "trimap", "trimaps", "label", "labels", "superpixels",
    "semantic", "matte", "mattes", "manual", "depth", "depths", "disparity", "normals",
})  # fmt: skip
_COPIES = frozenset(("thumb", "thumbs", "thumbnail", "thumbnails", "preview", "previews"))
_PICTURES = frozenset({
    "image", "images", "img", "imgs", "jpeg", "jpegs", "jpg", "jpgs", "picture", "pictures", "pic", "pics", "photo", "photos",
    "input", "inputs", "original", "originals", "rgb",
})  # fmt: skip
_WITHOUT = frozenset(("no", "not", "without", "with", "non", "un"))  # `with_mask` is a class
_ENDS = (
    r"masks?|segmentations?|segm?|ground[ _-]?truth|gt|labels?|label_?ids|annotations?|trimap|superpixels|matte"
    "|thumb|thumbnail"
)
_SUFFIX = re.compile(rf"(.+?)((?:[ _.-]+(?:{_ENDS}))+)([ _.-]*)(\d*)", re.IGNORECASE)  # `cat_mask`, `cat_mask_2`
_PREFIX = re.compile(r"((?:masks?|seg|gt|label|labels|thumb)[ _.-]+)(.+)", re.IGNORECASE)  # `mask_cat`
_HINT = re.compile("mask|seg|gt|label|truth|trimap|pixels|matte|annot|thumb", re.IGNORECASE)  # in all of these
_PICTURE = re.compile(
    r"(?:(?:image|img)[ _.-]+)?(.+?)(?:[ _.-]+(?:image|img|sat|rgb|photo|input|orig|original))?", re.I
)
_LONGEST = 255  # characters of a name that is looked at; those in archives may be longer
PAIRED = 0.9  # of the files of a name that is a mask's: as many stand beside their image, if they are masks
_MOST_PATTERNS = 20  # folders that are named one by one


@dataclass(frozen=True)
class Masks:
    """Files that are about other images.

    Attributes:
        patterns: Patterns that match their names, for the setting `leave_out`.
        count: Number of them.
        first: The first one's name.
        beside: What the first stands beside: an image, or a folder.
        copies: Whether these are small copies rather than masks.
    """

    patterns: tuple[str, ...]
    count: int
    first: str
    beside: str
    copies: bool


@dataclass
class _Group:
    """Files whose names are alike, as `cat_mask.png` and `dog_mask.png` are.

    Attributes:
        pattern: Pattern that matches their names.
        count: Number of them.
        paired: Those that stand beside an image of the same name.
        first: The first of these, and its image.
    """

    pattern: str
    count: int = 0
    paired: int = 0
    first: tuple[str, str] | None = None

    @property
    def are_masks(self) -> bool:
        return self.paired > 0 and self.paired >= PAIRED * self.count


@dataclass
class _Names:
    """The names that are a mask's, by their folder and by the name of the image that they would be about."""

    groups: dict[str, _Group] = field(default_factory=dict)
    pictures: dict[tuple[str, str], list[tuple[str, _Group]]] = field(default_factory=dict)

    def see(self, name: str) -> None:
        folder, _, stem, ending = _divided(name)
        if not (match := _mask_of(folder, stem, ending)):
            return
        pattern, picture = match
        group = self.groups.setdefault(pattern, _Group(pattern))
        group.count += 1
        self.pictures.setdefault((folder, picture.casefold()), []).append((name, group))

    def pair(self, name: str) -> None:
        folder, _, stem, ending = _divided(name)
        if _mask_of(folder, stem, ending):
            return
        for picture in {stem.casefold(), _plain(stem)}:
            for mask, group in self.pictures.pop((folder, picture), ()):
                group.paired += 1
                group.first = group.first or (mask, name)


@dataclass(frozen=True)
class _Uncertain:
    """A folder of masks, if the names in it are those of images beside.

    Attributes:
        beside: Folders of these images.
        by_suffix: Whether the names have to say that they are masks, too, as `cat_mask.png` does: `mask` may be a class.
    """

    beside: list[Folder]
    by_suffix: bool = False


def find_masks(names: Callable[[], Iterable[str]], folders: Mapping[Folder, int]) -> list[Masks]:
    """Find the masks, and the small copies, among the images of a source.

    Args:
        names: Returns the names of all images, twice or three times. Only the names of masks are held in memory.
        folders: Number of images in each folder.
    """
    found = list(_of_folders(names, folders))
    patterns = [pattern for masks in found for pattern in masks.patterns]
    seen = _Names()
    for name in names():
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            seen.see(name)
    if not seen.groups:
        return found
    for name in names():
        seen.pair(name)
    groups = [group for group in seen.groups.values() if group.are_masks]
    for copies in (False, True):
        chosen = [group for group in groups if ("thumb" in group.pattern.lower()) is copies]
        if not chosen:
            continue
        chosen.sort(key=lambda group: (-group.count, group.pattern))
        first, beside = chosen[0].first or ("", "")
        count = sum(group.count for group in chosen)
        found.append(Masks(tuple(group.pattern for group in chosen), count, first, beside, copies))
    return found


def _divided(name: str) -> tuple[str, str, str, str]:
    """Return a name's folder, its last part, and that without its ending, and the ending with its point."""
    folder, _, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    return (folder, last, stem, f".{ending}") if dot and stem else (folder, last, last, "")


def _mask_of(folder: str, stem: str, ending: str) -> tuple[str, str] | None:
    """Return a pattern for the names of such masks, and the name of the image that one would be about; None: it is no mask."""
    if len(stem) > _LONGEST or not _HINT.search(stem):
        return None
    if match := _SUFFIX.fullmatch(stem):
        picture, suffix, between, number = match.groups()
        if between and not number:
            return None
        digits = "[0-9]*" if number else ""
        return f"*{escaped(suffix + between)}{digits}{escaped(ending)}", picture
    if match := _PREFIX.fullmatch(stem):
        place = f"{escaped(folder)}/" if folder else ""
        return f"{place}{escaped(match[1])}*", match[2]
    return None


def _plain(stem: str) -> str:
    """Return an image's name without the word for what it is: ``001`` for ``img_001`` and ``001_sat``."""
    match = _PICTURE.fullmatch(stem) if len(stem) <= _LONGEST else None
    return (match[1] if match else stem).casefold()


def _of_folders(names: Callable[[], Iterable[str]], folders: Mapping[Folder, int]) -> Iterator[Masks]:
    """Yield the folders that hold masks, or small copies, of the images in a folder beside them."""
    children: dict[Folder, Counter[str]] = {}
    for folder, count in folders.items():
        for level, name in enumerate(folder):
            children.setdefault(folder[:level], Counter())[name] += count
    for words, copies in ((_MASKS, False), (_COPIES, True)):
        masks: dict[Folder, str] = {}
        uncertain: dict[Folder, _Uncertain] = {}
        for parent, siblings in children.items():
            for name in siblings:
                others = [other for other in siblings if other != name and not _says(other, _MASKS | _COPIES)]
                pictures = [other for other in others if words_in(other) & _PICTURES]
                if pictures and _says(name, words):
                    masks[(*parent, name)] = pictures[0]
                elif same := [other for other in others if _is_for(name, other, words)]:
                    uncertain[(*parent, name)] = _Uncertain([(*parent, other) for other in same])
                elif others and _says(name, words):
                    splits = [other for other in others if split_meant_by(other)]
                    beside = [(*parent, other) for other in splits or others]
                    uncertain[(*parent, name)] = _Uncertain(beside, by_suffix=not splits)
        for mask, picture in _confirmed(names, uncertain).items():
            masks[mask] = picture[-1]
        outer = {folder: beside for folder, beside in masks.items() if not _below_one(folder, masks)}
        if outer:
            yield _masks_in(outer, names, folders, copies=copies)


def _says(name: str, words: frozenset[str]) -> bool:
    """Return whether a folder's name has one of these words, and none that turns them round."""
    own = words_in(name)
    return bool(own & words) and not own & _WITHOUT


def _is_for(name: str, other: str, words: frozenset[str]) -> bool:
    """Return whether a folder is named after another, as `train_masks` and `trainannot` after `train`."""
    name, other = name.lower(), other.lower()
    return name.startswith(other) and name[len(other) :].strip(" _-.") in words


def _below_one(folder: Folder, folders: Mapping[Folder, str]) -> bool:
    return any(folder[:level] in folders for level in range(1, len(folder)))


def _confirmed(names: Callable[[], Iterable[str]], uncertain: Mapping[Folder, _Uncertain]) -> dict[Folder, Folder]:
    """Return the folders of which nearly all files are named like images of a folder beside, and that folder."""
    if not uncertain:
        return {}
    stems: dict[Folder, Counter[str]] = {folder: Counter() for folder in uncertain}
    stems |= {folder: Counter() for each in uncertain.values() for folder in each.beside}
    suffixes: Counter[Folder] = Counter()  # files that say by their own names, too, that they are masks
    for name in names():
        parts = tuple(name.split("/")[:-1])
        for folder in (parts[:level] for level in range(1, len(parts) + 1) if parts[:level] in stems):
            _, _, stem, ending = _divided(name)
            match = _mask_of("", stem, ending)
            stems[folder][match[1].casefold() if match else _plain(stem)] += 1
            suffixes[folder] += match is not None
    confirmed = {}
    for mask, each in uncertain.items():
        pictures = set().union(*(stems[folder] for folder in each.beside))
        total = stems[mask].total()
        known = sum(count for stem, count in stems[mask].items() if stem in pictures)
        if known >= PAIRED * total > 0 and (not each.by_suffix or suffixes[mask] >= PAIRED * total):
            confirmed[mask] = max(each.beside, key=lambda folder: len(stems[mask].keys() & stems[folder].keys()))
    return confirmed


def _masks_in(
    masks: Mapping[Folder, str], names: Callable[[], Iterable[str]], folders: Mapping[Folder, int], *, copies: bool
) -> Masks:
    inside = {folder: count for folder, count in folders.items() if folder in masks or _below_one((*folder, ""), masks)}
    patterns = sorted(f"{'/'.join(map(escaped, folder))}/*" for folder in masks)
    if len(patterns) > _MOST_PATTERNS:
        short = sorted({f"*/{escaped(folder[-1])}/*" for folder in masks})
        if all(_matches(folder, short) == (folder in inside) for folder in folders):
            patterns = short
    first = next((name for name in names() if any(fnmatchcase(name, pattern) for pattern in patterns)), "")
    top = tuple(first.split("/")[:-1])
    beside = next((masks[top[:level]] for level in range(1, len(top) + 1) if top[:level] in masks), "")
    return Masks(tuple(patterns), sum(inside.values()), first, f"{beside}/", copies)


def _matches(folder: Folder, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase("/".join((*folder, "x")), pattern) for pattern in patterns)


def left_out_masks(masks: Iterable[Masks]) -> list[str]:
    """Return a sentence on each kind of masks that a new recipe leaves out."""
    return [
        f"Left out by their names: {_counted(each)}, the first {each.first} beside {each.beside}. To take "
        f"{'it' if each.count == 1 else 'them'}, remove "
        f"{_named(each.patterns)} from sources.leave_out."
        for each in masks
    ]


def trained_on_masks(masks: Iterable[Masks]) -> list[str]:
    """Return a sentence on each kind of masks that a recipe does not leave out."""
    sentences = []
    for each in masks:
        is_, them = ("is", "it") if each.count == 1 else ("are", "them")
        sentences.append(
            f"By their names, {_counted(each)} {is_} among the images, the first {each.first} beside {each.beside}; "
            f"sources.leave_out=[{', '.join(_quoted(each.patterns))}] leaves {them} out."
        )
    return sentences


def _counted(masks: Masks) -> str:
    what = ("small copy", "small copies") if masks.copies else ("mask", "masks")
    return f"{masks.count:,} {what[0] if masks.count == 1 else what[1]} of other images"


def _named(patterns: Iterable[str]) -> str:
    return " and ".join(_quoted(patterns))


def _quoted(patterns: Iterable[str]) -> list[str]:
    return [f'"{pattern}"' for pattern in patterns]
