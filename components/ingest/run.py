"""Ingest from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from components.console import say
from components.ingest.catalogue import Catalogue
from components.ingest.listing import list_images
from components.ingest.normalise import constants, moments, store_float32
from components.ingest.plan import ShardUnit, decide, plan_shards
from components.ingest.shards import ShardFolders, Written, write_shards
from schemas import atomic, tables
from schemas.artifacts import Examples
from schemas.errors import DataError, UsageError
from schemas.records import SPLITS, Statistics, schema_text
from schemas.settings import IngestSettings


def run(examples: Examples, settings: IngestSettings) -> dict[str, int]:
    """See `components.ingest.component.ingest`."""
    preprocess = settings.preprocess
    for source in settings.sources:
        say(f"reads   {source.kind} {getattr(source, 'path', None) or ''}".rstrip())
    with Catalogue(examples.work / "catalogue.sqlite") as catalogue:
        list_images(settings, examples.work, catalogue)
        listed = catalogue.count()
        total = listed + sum(catalogue.reasons().values())
        if not total:
            raise UsageError("sources: expected at least one image, found none; is SOURCE the right folder?")
        _limit_rejected(catalogue, settings, examples.work, total=total)
        decide(catalogue, preprocess, seed=settings.seed)
        kept = catalogue.count()
        labels = _label_names(catalogue)
        units = plan_shards(catalogue, preprocess, folder=examples.work / "plan")
        # Normalised shards are made from pixel shards, which then are only scratch work.
        normalised = preprocess.store == "float32"
        folders = ShardFolders(examples.work / "pixels" if normalised else examples.path, examples.work)
        written = write_shards(units, settings, folders, labels=labels)

        for unit in units:
            catalogue.reject(folders.table(unit, "rejected"))
        _limit_rejected(catalogue, settings, examples.work, total=total)
        statistics = _statistics(written, settings, labels=labels, rejected=catalogue.reasons(), dropped=listed - kept)
        for split in SPLITS:
            if not statistics.images[split]:
                raise DataError(
                    f"preprocess: expected images in every split, found none in {split} of {kept:,} in all; "
                    f"add images, or raise preprocess.{'test' if split == 'test' else 'validation'}"
                )
        if normalised:
            store_float32(
                [(folders.shard(unit), examples.path / unit.name) for unit in units], statistics, settings.beam
            )
        tables.write_rows(examples.images_path, _images(units, folders), tables.IMAGES)
        tables.write_rows(examples.rejected_path, catalogue.rejected(), tables.REJECTED)
        tables.write_rows(examples.duplicates_path, catalogue.duplicates(), tables.DUPLICATES)
    atomic.write_text(examples.statistics_path, statistics.model_dump_json(indent=1) + "\n")
    atomic.write_text(examples.schema_path, schema_text(statistics))
    _tell(statistics)
    return {**statistics.images, "rejected": sum(statistics.rejected.values()), "duplicates": listed - kept}


def _label_names(catalogue: Catalogue) -> list[str]:
    """All labels: numbers in their order, words in the alphabet's."""
    return sorted(catalogue.labels(), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _limit_rejected(catalogue: Catalogue, settings: IngestSettings, work: Path, *, total: int) -> None:
    limit = settings.preprocess.max_rejected
    reasons = catalogue.reasons()
    rejected = sum(reasons.values())
    if rejected <= limit * total:
        return
    path = work / "rejected.parquet"
    tables.write_rows(path, catalogue.rejected(), tables.REJECTED)
    listed = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
    raise DataError(
        f"preprocess.max_rejected: expected at most {100 * limit:g}% of the images rejected, "
        f"found {rejected:,} of {total:,} ({listed}); they are listed in {path}"
    )


def _statistics(
    written: list[Written], settings: IngestSettings, *, labels: list[str], rejected: dict[str, int], dropped: int
) -> Statistics:
    preprocess = settings.preprocess
    by_split = {split: [shard for shard in written if shard.split == split] for split in SPLITS}
    if not sum(shard.pixels for shard in by_split["train"]):
        raise DataError("sources: expected images to train on, found none outside the test split")
    train_mean, train_deviation = moments(by_split["train"], channels=preprocess.channels)
    mean, deviation = constants(preprocess, mean=train_mean, deviation=train_deviation)
    return Statistics(
        height=preprocess.height,
        width=preprocess.width,
        channels=preprocess.channels,
        stored_height=preprocess.stored_height,
        stored_width=preprocess.stored_width,
        store=preprocess.store,
        normalise=preprocess.normalise,
        mean=mean,
        deviation=deviation,
        train_mean=train_mean,
        train_deviation=train_deviation,
        labels=labels,
        images={split: sum(shard.images for shard in shards) for split, shards in by_split.items()},
        records={split: sum(shard.records for shard in shards) for split, shards in by_split.items()},
        images_per_label={
            split: {label: sum(shard.labels.get(label, 0) for shard in shards) for label in labels}
            for split, shards in by_split.items()
        },
        rejected=dict(sorted(rejected.items())),
        duplicates=dropped,
    )


def _images(units: list[ShardUnit], folders: ShardFolders) -> Iterator[dict[str, Any]]:
    """Rows of `schemas.tables.IMAGES`, shard by shard."""
    for unit in units:
        yield from pq.read_table(folders.table(unit, "images")).to_pylist()


def _tell(statistics: Statistics) -> None:
    images = statistics.images
    shape = f"{statistics.height}×{statistics.width}×{statistics.channels}"
    labels = f", {len(statistics.labels)} labels" if statistics.labels else ""
    say(f"images  {images['train']:,} train, {images['validation']:,} validation, {images['test']:,} test{labels}")
    say(f"pixels  {shape} {statistics.store}, normalised: {statistics.normalise}")
    if statistics.duplicates:
        say(f"dropped {statistics.duplicates:,} duplicates (see duplicates.parquet)")
    if statistics.rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in statistics.rejected.items())
        say(f"left out {sum(statistics.rejected.values()):,} (see rejected.parquet): {reasons}")
