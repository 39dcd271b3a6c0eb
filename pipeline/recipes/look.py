"""A look at a person's own images: what a source holds and how it is understood, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Literal

from components.images.colour import is_grey
from components.images.decode import Decoder, read_header
from components.images.geometry import Cover
from components.images.opening import begins_like_image
from components.images.rejected import Rejected, require_image
from components.sources import FileNames, Item, NamedFiles, RawImage, ReadError, Source, files, open_source
from components.sources.base import own_split
from components.sources.beside import find_table, read_tables
from components.sources.endings import ending_of, is_image, is_other, may_be_used
from components.sources.file_splits import FileSplits
from components.sources.layout import Layout, folders_of
from components.sources.layout_remarks import remarks_on
from components.sources.lists import labels_in_names, lists_beside
from components.sources.masks import find_masks, left_out_masks
from components.sources.naming import NamedBy, Naming, TableRows
from components.workers.isolated import IsolatedDecoder
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import ImageFiles
from schemas.recipe.sources import Source as SourceSettings

SAMPLE = 64  # images that are opened, evenly over the source
LISTED = 20_000  # images whose labels are counted, of sources that can only be read from front to back
LISTED_BYTES = 1 << 28  # of them
PARTS = 200  # of such a source that are begun
PROBED = 32  # files of each ending that may be an image's, where there are more than these
MOST_PROBED = 20_000  # files that are no images by their endings
BEGINNING = 512  # bytes that tell an image from another file
SIDE = 64  # pixels of an opened image's smaller side: enough to tell grey from colour
SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")

PREPROCESS = PreprocessSettings(channels=3)

Read = RawImage | OSError | ReadError


@dataclass
class Look:
    """What a source holds.

    Attributes:
        settings: The recipe's entry, with the reading that was taken.
        images: Number of images, or of files that may be images.
        listed: Number of those that were listed, whose labels are counted.
        exact: Whether all images were listed, so that counts are not those of the first ones.
        sizes: Height and width of opened images that are usable, in pixels.
        grey: Whether none of them has colour.
        animated: Number of opened images that are the first of several frames or pages.
        labels: Number of images by label.
        splits: Number of images by the split that the source itself puts them in; about, where not all were listed.
        beside: Number of files beside the images, by ending.
        rejected: Opened files that are not usable, by reason: how many, and the first with its detail.
        left_out: Paths that were not followed, by reason.
        remarks: How the source was understood where another reading is plausible.
    """

    settings: SourceSettings
    images: int = 0
    listed: int = 0
    exact: bool = True
    sizes: list[tuple[int, int]] = field(default_factory=list)
    grey: bool = True
    animated: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, tuple[int, str]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def opened(self) -> int:
        """Number of files that were opened."""
        return len(self.sizes) + sum(count for count, _ in self.rejected.values())


def look(settings: SourceSettings, *, choose: bool) -> Look:
    """Look at a source.

    Args:
        settings: The recipe's entry.
        choose: Choose labels and splits for a source of image files; otherwise its settings say them.

    Raises:
        UsageError: The source is not there, or not of its kind.
        DataError: It is broken.
    """
    source = open_source(settings)
    seen = Look(settings)
    with _decoder(source) as decoder:
        if isinstance(source, NamedFiles):
            _look_at_files(source, seen, decoder, choose=choose)
        else:
            _look_at_items(source, seen, decoder)
    seen.remarks += source.remarks()
    if seen.animated:
        seen.remarks.append(
            f"{seen.animated:,} of {seen.opened:,} opened files have several frames or pages: only the first of each is taken, "
            "unless preprocess.animated=reject leaves such files out. To use all, write each as a file."
        )
    return seen


@contextmanager
def _decoder(source: Source) -> Iterator[Decoder]:
    """Yield what decodes a source's images: files in processes of their own, because a file can crash its decoder."""
    if not source.encoded:
        yield Decoder(PREPROCESS)
        return
    with IsolatedDecoder(PREPROCESS) as decoder:
        yield decoder


def _look_at_files(source: NamedFiles, seen: Look, decoder: Decoder, *, choose: bool) -> None:
    keys = list(source.names())
    images, beside = _divided(source, keys)
    seen.left_out = dict(source.left_out)
    seen.beside = Counter(map(ending_of, beside))
    table: TableRows | None
    if choose:
        masks = find_masks(lambda: images, folders_of(images))
        leave_out = tuple(pattern for each in masks for pattern in each.patterns)
        images = [key for key in images if not any(fnmatchcase(key, pattern) for pattern in leave_out)]
        seen.remarks += left_out_masks(masks)
        chosen, table = _choose(source, seen, images, beside, leave_out=leave_out)
        seen.settings = chosen  # type: ignore[assignment]
    else:
        chosen, table = source.settings, read_tables(source)
        if table is not None:
            table.match(images)
    seen.images = seen.listed = len(images)
    _open_sample(seen, _sample(source, images), decoder)
    naming = Naming(chosen, folders_of(filter(may_be_used, images)), table)
    for key in images:
        _count(seen, naming.label(key), naming.split(key))
    seen.remarks += naming.unused(lambda: filter(may_be_used, images))


def _choose(
    source: NamedFiles, seen: Look, images: list[str], beside: list[str], *, leave_out: tuple[str, ...]
) -> tuple[ImageFiles, TableRows | None]:
    """Choose labels and splits from folders, from a table beside the images, or from the names of files.

    Returns:
        The source's settings, and what the table says.
    """
    usable = list(filter(may_be_used, images))
    layout = Layout(folders_of(usable))
    patterns: dict[str, tuple[str, ...]] = {split: layout.patterns(split) for split in SPLITS}
    table = find_table(source, images, others=beside)
    if not layout.split_folders and not table.says_splits:
        by_name = FileSplits.of(usable)
        if by_name.divide and by_name.agree(usable):
            patterns = {split: by_name.patterns(split) for split in SPLITS}
            seen.remarks.append(by_name.taken())
    seen.remarks += [] if table.name else remarks_on(layout)
    seen.remarks += table.remarks()
    seen.remarks += lists_beside(source, images, beside)
    if table.name is None and layout.rule == "none":
        trained = (
            name for name in usable if own_split(name, patterns["test"], patterns["validation"]) in (None, "train")
        )
        seen.remarks += labels_in_names(trained)
    elif (
        table.name
        and table.rows
        and layout.rule != "none"
        and layout.labels(layout.rule) != _labels(table.rows, images)
    ):
        seen.remarks.append(
            f"The labels are those of {table.name}. The folders could be labels too: sources.table=null and "
            f"sources.label={layout.rule} take them."
        )
    label = "none" if table.name else layout.rule
    update: dict[str, Any] = {"label": label, "table": table.name, "leave_out": leave_out, **patterns}
    return source.settings.model_copy(update=update), table.rows


def _look_at_items(source: Source, seen: Look, decoder: Decoder) -> None:
    """Read a source from front to back, but not all of a large one."""
    parts = list(source.parts())
    chosen = parts[:: max(1, -(-len(parts) // PARTS))]
    share = max(SAMPLE, LISTED // max(1, len(chosen)))
    total = sum(part.images for part in parts)
    begun = total / max(1, sum(part.images for part in chosen))
    step = max(1, min(total, share * len(chosen)) // SAMPLE)
    size = 0

    def items() -> Iterator[tuple[Item, Read]]:
        nonlocal size
        for part in chosen:
            yielded, splits = 0, Counter[str]()
            for item, raw in islice(source.images(part.names), share):
                yield item, raw
                yielded += 1
                if item.split is not None:
                    splits[item.split] += 1
                size += len(raw) if isinstance(raw, bytes) else getattr(raw, "nbytes", 0)
                if size > LISTED_BYTES:
                    break
            whole = yielded < share and size <= LISTED_BYTES
            seen.exact &= whole
            # The rest of a part is taken to be split as its first images are, and parts that are left out as the others.
            times = begun * (1.0 if whole else max(1.0, part.images / yielded))
            seen.splits.update({split: round(count * times) for split, count in splits.items()})
            if size > LISTED_BYTES:
                return

    opened = 0
    for number, (item, raw) in enumerate(items()):
        seen.images += 1
        _count(seen, item.label, None)
        if number % step == 0 and opened < SAMPLE:
            opened += 1
            _open_sample(seen, [(item.key, raw)], decoder)
    seen.listed = seen.images
    seen.exact &= len(chosen) == len(parts)
    if not seen.exact:
        seen.images = max(seen.images, total)


def _labels(table: Mapping[str, NamedBy], keys: Iterable[str]) -> Counter[str]:
    return Counter(row.label for key in keys if (row := table.get(key)) and row.label is not None)


def _divided(source: NamedFiles, keys: list[str]) -> tuple[list[str], list[str]]:
    """Divide names into those of images and of files beside them, as ingest will: by their endings, or else by first bytes."""
    unsure = [key for key in keys if not is_image(key)]
    endings: dict[str, list[str]] = {}
    for key in unsure:
        endings.setdefault(ending_of(key), []).append(key)
    probed = unsure
    if len(unsure) > MOST_PROBED or files.is_remote(getattr(source.settings, "path", None) or ""):
        probed = [key for names in endings.values() for key in names[:: max(1, len(names) // PROBED)]]
    starts = dict(source.starts(probed, size=BEGINNING))
    similar = [key for key, start in starts.items() if begins_like_image(start, PREPROCESS)]
    doubtful = {key for key in similar if is_other(key)}  # `Py, my dog` in a text begins like an image of Netpbm
    images = {key for key, raw in source.starts(doubtful, size=PREPROCESS.max_bytes + 1) if _has_header(raw)}
    images.update(key for key in similar if key not in doubtful)
    images.update(
        key for key in probed if key not in starts and not is_other(key)
    )  # it cannot be read, and ingest will say so
    if len(probed) < len(unsure):
        images.update(key for names in endings.values() if images.intersection(names) for key in names)
    return [key for key in keys if is_image(key) or key in images], [key for key in unsure if key not in images]


def _has_header(raw: bytes) -> bool:
    try:
        read_header(raw, PREPROCESS)
    except Rejected:
        return False
    return True


def _sample(source: NamedFiles, keys: list[str]) -> Iterator[tuple[str, Read]]:
    """Yield some of these files, evenly over all of them if each can be read by itself."""
    count = min(SAMPLE, len(keys))
    chosen = [keys[number * len(keys) // count] for number in range(count)]
    if isinstance(source, FileNames):
        for item, raw in source.images(chosen):
            yield item.key, raw
        return
    wanted, allowed = set(keys), 20 * SAMPLE  # an archive is not read to its end
    step = max(1, min(len(keys), allowed) // SAMPLE)
    pairs = (pair for part in source.parts() for pair in source.images(part.names) if pair[0].key in wanted)
    for item, raw in islice(pairs, 0, allowed, step):
        yield item.key, raw


def _open_sample(seen: Look, sample: Iterable[tuple[str, Read]], decoder: Decoder) -> None:
    """Open images one after another, each small, so that photographs need little memory."""
    for key, raw in sample:
        try:
            image = require_image(raw, key=key)
            header = read_header(image, PREPROCESS)
            scale = min(1.0, SIDE / min(header.height, header.width))
            frame = Cover(max(1, round(scale * header.height)), max(1, round(scale * header.width)))
            pixels, _, frames = decoder.decode(image, geometry=frame)
        except Rejected as error:
            count, first = seen.rejected.get(error.reason, (0, f"{key}: {error.detail}"))
            seen.rejected[error.reason] = (count + 1, first)
            continue
        seen.sizes.append((header.height, header.width))
        seen.grey &= is_grey(pixels)
        seen.animated += frames > 1


def span(lengths: Sequence[int]) -> str:
    """Return the smallest and the largest of some lengths, as text."""
    least, most = min(lengths), max(lengths)
    return f"{least}" if least == most else f"{least}–{most}"


def _count(seen: Look, label: str | None, split: str | None) -> None:
    if label is not None:
        seen.labels[label] += 1
    if split is not None:
        seen.splits[split] += 1
