"""Ingest from beginning to end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.console import say
from components.ingest.listing import list_images
from components.ingest.normalise import constants, moments, store_float32
from components.ingest.plan import ShardUnit, plan_shards
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
    listed, rejected = list_images(settings, examples.work)
    if not len(listed) and not len(rejected):
        raise UsageError("sources: expected at least one image, found none; is SOURCE the right folder?")
    _limit_rejected(rejected, settings, examples.work, total=len(listed) + len(rejected))
    labels = _label_names(listed)
    units = plan_shards(listed, preprocess, channels=preprocess.channels, seed=settings.seed)
    # Normalised shards are made from pixel shards, which then are only scratch work.
    normalised = preprocess.store == "float32"
    folders = ShardFolders(examples.work / "pixels" if normalised else examples.path, examples.work)
    written = write_shards(units, settings, folders, labels=labels)

    late = [pq.read_table(folders.table(unit, "rejected")) for unit in units]
    rejected = pa.concat_tables([rejected, *late]).sort_by("key")
    _limit_rejected(rejected, settings, examples.work, total=len(listed) + len(rejected) - sum(map(len, late)))
    statistics = _statistics(written, rejected, settings, labels=labels)
    for split in SPLITS:
        if not statistics.images[split]:
            raise DataError(
                f"preprocess: expected images in every split, found none in {split} of {len(listed):,} in all; "
                f"add images, or raise preprocess.{'test' if split == 'test' else 'validation'}"
            )
    if normalised:
        store_float32([(folders.shard(unit), examples.path / unit.name) for unit in units], statistics, settings.beam)
    _write_tables(examples, units, folders, rejected)
    atomic.write_text(examples.statistics_path, statistics.model_dump_json(indent=1) + "\n")
    atomic.write_text(examples.schema_path, schema_text(statistics))
    _tell(statistics)
    return {**statistics.images, "rejected": len(rejected)}


def _label_names(listed: pa.Table) -> list[str]:
    """All labels: numbers in their order, words in the alphabet's."""
    names = {name for name in listed["label"].to_pylist() if name is not None}
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _limit_rejected(rejected: pa.Table, settings: IngestSettings, work: Path, *, total: int) -> None:
    limit = settings.preprocess.max_rejected
    if len(rejected) <= limit * total:
        return
    path = work / "rejected.parquet"
    tables.write_table(path, rejected, tables.REJECTED)
    reasons = ", ".join(
        f"{reason} {count:,}" for reason, count in Counter(rejected["reason"].to_pylist()).most_common()
    )
    raise DataError(
        f"preprocess.max_rejected: expected at most {100 * limit:g}% of the images rejected, "
        f"found {len(rejected):,} of {total:,} ({reasons}); they are listed in {path}"
    )


def _statistics(
    written: list[Written], rejected: pa.Table, settings: IngestSettings, *, labels: list[str]
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
        rejected=dict(sorted(Counter(rejected["reason"].to_pylist()).items())),
    )


def _write_tables(examples: Examples, units: list[ShardUnit], folders: ShardFolders, rejected: pa.Table) -> None:
    images = pa.concat_tables([pq.read_table(folders.table(unit, "images")) for unit in units])
    tables.write_table(examples.images_path, images.cast(tables.IMAGES), tables.IMAGES)
    tables.write_table(examples.rejected_path, rejected.cast(tables.REJECTED), tables.REJECTED)


def _tell(statistics: Statistics) -> None:
    images = statistics.images
    shape = f"{statistics.height}×{statistics.width}×{statistics.channels}"
    labels = f", {len(statistics.labels)} labels" if statistics.labels else ""
    say(f"images  {images['train']:,} train, {images['validation']:,} validation, {images['test']:,} test{labels}")
    say(f"pixels  {shape} {statistics.store}, normalised: {statistics.normalise}")
    if statistics.rejected:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in statistics.rejected.items())
        say(f"left out {sum(statistics.rejected.values()):,} (see rejected.parquet): {reasons}")
