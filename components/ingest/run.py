"""Ingest from beginning to end: list, split, write, summarise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from components.images.contact_sheet import contact_sheet, pillow_images
from components.images.geometry import Crop
from components.ingest.catalogue import Catalogue
from components.ingest.findings import findings_of, modern_files
from components.ingest.listing import list_images
from components.ingest.normalise import store_float32
from components.ingest.plan import ShardUnit, assign_splits, fill_empty_splits, plan_shards
from components.ingest.shards import ShardFolders, ShardResult, write_shards
from components.ingest.statistics import statistics_of
from components.reporting.console import counted, say
from components.sources.patterns import check_patterns
from schemas import atomic
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import SPLITS, Statistics, decode_example, read_records, schema_text
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import IngestSettings

SHEET = 100  # images on the contact sheet
_SCALES = {
    "unit": "numbers from 0 to 1",
    "symmetric": "numbers from −1 to 1",
    "standardise": "numbers with mean 0 and deviation 1",
}


def run(examples: Examples, settings: IngestSettings) -> dict[str, int]:
    """Run the stage; see `components.ingest.component.ingest`."""
    preprocess = settings.preprocess
    for source in settings.sources:
        say(f"reads   {source.kind} {getattr(source, 'path', None) or ''}".rstrip())
    with Catalogue(examples.work / "catalogue.sqlite") as catalogue:
        listing = list_images(settings, examples.work, catalogue)
        total = catalogue.count() + sum(catalogue.reasons().values())
        if not total:
            beside = f" but {_counts(catalogue.beside())}" if catalogue.beside() else ""
            raise UsageError(f"sources: expected at least one image, found none{beside}; is SOURCE the right folder?")
        _check_rejected(catalogue, settings, examples.work, total=total)
        _check_patterns(catalogue, settings)
        if counts := catalogue.beside():
            say(f"beside  {_counts(counts)}: not images")
        early_notes = [*listing.remarks, *listing.unused]  # before the work: a person may want to stop here
        for note in early_notes:
            say(f"note    {note}")
        assign_splits(catalogue, preprocess, seed=settings.seed)
        written = _write_splits(examples, settings, catalogue, total=total)
        labels, units, folders = written.labels, written.units, written.folders
        findings = findings_of(catalogue, listing, refilled=written.refilled)
        statistics = statistics_of(written.shards, catalogue, preprocess, labels=labels, findings=findings)
        for anomaly in statistics.anomalies:
            if anomaly not in early_notes:
                say(f"note    {anomaly}")
        for split in SPLITS:
            if not statistics.images[split]:
                raise DataError(
                    f"preprocess: expected images in every split, found none in {split} of {catalogue.count():,} in all; "
                    f"add images, or raise preprocess.{'test' if split == 'test' else 'validation'}"
                )
        if preprocess.store == "float32":
            store_float32(
                [(folders.shard(unit), examples.path / unit.name) for unit in units], statistics, settings.beam
            )
        tables.write_rows(examples.images_path, _images(units, folders), tables.IMAGES)
        tables.write_rows(examples.rejected_path, catalogue.rejected(), tables.REJECTED)
        columns = tables.DUPLICATES_LABELLED if statistics.two_labels and catalogue.dropped() else tables.DUPLICATES
        tables.write_rows(examples.duplicates_path, catalogue.duplicates(), columns)
        _write_contact_sheet(examples, [folders.shard(unit) for unit in units if unit.split == "train"], statistics)
    atomic.write_text(examples.statistics_path, statistics.model_dump_json(indent=1) + "\n")
    atomic.write_text(examples.schema_path, schema_text(statistics))
    _print_summary(statistics)
    return {**statistics.images, "rejected": sum(statistics.rejected.values()), "duplicates": statistics.duplicates}


@dataclass(frozen=True)
class _Written:
    """The shards of all splits.

    Attributes:
        labels: All labels, in their order.
        units: The shards.
        folders: Where they are.
        shards: The workers' numbers of them.
        refilled: Number of images in each split of a source's own that had no usable image.
    """

    labels: list[str]
    units: list[ShardUnit]
    folders: ShardFolders
    shards: list[ShardResult]
    refilled: dict[str, int]


def _write_splits(examples: Examples, settings: IngestSettings, catalogue: Catalogue, *, total: int) -> _Written:
    """Write the shards of all splits; once more, if all images of one could not be decoded, with images of the others.

    Raises:
        DataError: Too many of the `total` images are rejected.
    """
    preprocess = settings.preprocess
    own_splits = set().union(*catalogue.own_splits().values())
    # Normalised shards are made from shards of pixels, which then belong into the work folder.
    artifact = examples.work / "pixels" if preprocess.store == "float32" else examples.path
    filled = fill_empty_splits(catalogue, preprocess)
    for attempt in count():
        labels = _label_names(catalogue)
        units = plan_shards(catalogue, preprocess, folder=examples.work / "plan")
        folders = ShardFolders(artifact, examples.work, attempt=attempt)
        shards = write_shards(units, settings, folders, labels=labels)
        for unit in units:
            catalogue.reject(folders.table(unit, "rejected"))
        _check_rejected(catalogue, settings, examples.work, total=total)
        usable = {shard.split for shard in shards if shard.images}
        if len(usable) == len(SPLITS):
            break
        catalogue.discard_rejected()
        again = fill_empty_splits(catalogue, preprocess)
        if not again:
            break
        filled |= again
    names = {unit.name for unit in units}
    for path in artifact.glob("Split-*/*") if attempt else ():
        if path.relative_to(artifact).as_posix() not in names:
            path.unlink()  # of an attempt before
    refilled = {split: number for split, number in filled.items() if split in own_splits}
    return _Written(labels, units, folders, shards, refilled)


def _check_patterns(catalogue: Catalogue, settings: IngestSettings) -> None:
    own_splits = catalogue.own_splits()
    for number, source in enumerate(settings.sources):
        start = f"{number}/" if len(settings.sources) > 1 else ""
        check_patterns(
            source,
            own_splits.get(number, set()),
            number=number,
            unusable=lambda start=start: (row["key"].removeprefix(start) for row in catalogue.rejected()),  # type: ignore[misc]
        )


def _counts(beside: dict[str, int]) -> str:
    """Return the files beside the images: ``40 .txt, 1 without ending``."""
    return ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in beside.items())


def _label_names(catalogue: Catalogue) -> list[str]:
    """Return all labels: numbers in their order, words by the alphabet."""
    return sorted(catalogue.labels(), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _check_rejected(catalogue: Catalogue, settings: IngestSettings, work: Path, *, total: int) -> None:
    limit = settings.preprocess.max_rejected
    reasons = catalogue.reasons()
    rejected = sum(reasons.values())
    if rejected <= limit * total and rejected < total:
        return
    path = work / "rejected.parquet"
    tables.write_rows(path, catalogue.rejected(), tables.REJECTED)
    listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
    if rejected == total:
        first = next(catalogue.rejected())
        raise DataError(
            f"sources: expected images that can be used, found {total:,}, and all were rejected ({listed}), such as "
            f"{first['key']} ({first['detail']}); they are listed in {path}"
        )
    raise DataError(
        f"preprocess.max_rejected: expected at most {100 * limit:g}% of the images rejected, "
        f"found {rejected:,} of {total:,} ({listed}){_modern(catalogue)}; they are listed in {path}"
    )


def _modern(catalogue: Catalogue) -> str:
    """Return what to do about rejected files of formats such as HEIC, as a part of an error."""
    return "".join(
        f", {count:,} of them {'' if count == 1 else 'each '}{detail}"
        for detail, count in modern_files(catalogue).items()
    )


def _images(units: list[ShardUnit], folders: ShardFolders) -> Iterator[dict[str, Any]]:
    """Yield rows of `schemas.artifacts.tables.IMAGES`, shard by shard."""
    for unit in units:
        yield from pq.read_table(folders.table(unit, "images")).to_pylist()


def _write_contact_sheet(examples: Examples, shards: list[Path], statistics: Statistics) -> None:
    """Draw the first images of these shards with their labels, cut to the centre if training crops them.

    The order of images in shards is random, so the first ones are a random choice.
    """
    crop = Crop(statistics.height, statistics.width)
    stored = (statistics.stored_height, statistics.stored_width, statistics.channels)
    pixels, labels = [], []
    for record in islice(chain.from_iterable(map(read_records, shards)), SHEET):
        image, _, label = decode_example(record)
        pixels.append(crop.map(np.frombuffer(image, np.uint8).reshape(stored)))  # type: ignore[arg-type]
        labels.append(statistics.labels[label] if label >= 0 else None)
    with atomic.replacing(examples.contact_sheet_path) as temporary:
        contact_sheet(pillow_images(np.stack(pixels)), labels=labels).save(temporary, format="PNG")


def _print_summary(statistics: Statistics) -> None:
    images = statistics.images
    labels = f"; {counted(len(statistics.labels), 'label')}" if statistics.labels else ""
    say(f"images  {images['train']:,} train, {images['validation']:,} validation, {images['test']:,} test{labels}")
    grey = "grey" if statistics.channels == 1 else "colour"
    stored = ", which the records hold" if statistics.store == "float32" else ""
    say(
        f"pixels  {statistics.width} × {statistics.height}, {grey}; the network gets {_SCALES[statistics.normalise]} "
        f"(normalise: {statistics.normalise}){stored}"
    )
    if statistics.duplicates:
        say(f"dropped {counted(statistics.duplicates, 'duplicate')} (see duplicates.parquet)")
    if statistics.rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in statistics.rejected.items())
        say(f"rejected {sum(statistics.rejected.values()):,} (see rejected.parquet): {reasons}")
