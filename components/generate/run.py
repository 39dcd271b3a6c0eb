"""Generation from beginning to end."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq

from components.console import say, watched
from components.contact_sheet import IMAGES, contact_sheet
from components.generate.plan import ShardUnit, plan_shards
from components.generate.render import RenderDoFn, read_images
from components.runner import run_units
from schemas import atomic, tables
from schemas.artifacts import Generator, ImageSet
from schemas.errors import DataError, UsageError
from schemas.settings import GenerateSettings

LARGE = 20_000  # images from which on worker processes pay for their start
SHOWN = 20  # labels in an error
ROW_GROUP = 8_192  # rows of metadata.parquet


def run(generator: Generator, images: ImageSet, settings: GenerateSettings) -> dict[str, int]:
    """See `components.generate.component.generate`."""
    model = generator.manifest.inputs["Model"]
    if not (generator.saved_model_path / "saved_model.pb").is_file():
        raise DataError(
            f"{generator.saved_model_path}: expected a SavedModel, found none; to make it again, run export"
        )
    wanted = settings.generate
    labels = read_labels(generator, wanted=wanted.label)
    units = plan_shards(wanted.count, wanted.shards)
    say(f"reads   {generator.saved_model_path}")
    say(f"makes   {wanted.count:,} images, seed {wanted.seed}, as {wanted.format}, in {_shards(len(units))}")
    if labels:
        say(f"labels  {wanted.label or 'each by its share in training'}")
    worker = RenderDoFn(
        generator.saved_model_path.resolve(),
        model=model,
        seed=wanted.seed,
        format=wanted.format,
        labels=labels,
        label=wanted.label,
        temperature=wanted.temperature,
        artifact=images.path.resolve(),
        work=images.work.resolve(),
    )
    todo = [unit for unit in units if not worker.rows_path(unit).exists()]
    if len(todo) < len(units):
        say(f"resumes with {_shards(len(todo))} to do")
    if todo:
        total = sum(unit.stop - unit.start for unit in todo)

        def done() -> int:
            return sum(unit.stop - unit.start for unit in todo if worker.rows_path(unit).exists())

        with watched("images", total=total, count=done):
            run_units("generate", todo, worker, settings=settings.beam, large=total > LARGE)
    _join_rows(images, units, worker)
    first = pq.ParquetFile(images.metadata_path).iter_batches(batch_size=IMAGES)
    sheet = contact_sheet(read_images(images.path, next(first).to_pylist()))
    with atomic.replacing(images.contact_sheet_path) as temporary:
        sheet.save(temporary, format="PNG")
    say(f"wrote   {wanted.count:,} images and {images.metadata_path.name}, a row per image")
    return {"images": wanted.count}


def read_labels(generator: Generator, *, wanted: str | None) -> list[str]:
    """Names of the labels that the generator takes, none where it is not conditional.

    Raises:
        UsageError: The label that is wanted is none of them.
    """
    path = generator.labels_path
    labels: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if wanted is not None and not labels:
        raise UsageError(f"generate.label: expected none, as model.conditional is off, found {wanted}")
    if wanted is not None and wanted not in labels:
        shown = ", ".join(labels[:SHOWN]) + (f" and {len(labels) - SHOWN:,} more" if len(labels) > SHOWN else "")
        raise UsageError(f"generate.label: expected one of {shown}, found {wanted}")
    return labels


def _join_rows(images: ImageSet, units: list[ShardUnit], worker: RenderDoFn) -> None:
    """One table from the shards' tables, in the images' order, a shard at a time in memory.

    Its row groups are of one size, so that the file does not tell how many shards there were.
    """
    held = tables.GENERATED.empty_table()
    with atomic.replacing(images.metadata_path) as temporary, pq.ParquetWriter(temporary, tables.GENERATED) as writer:
        for unit in units:
            held = pa.concat_tables([held, tables.read_table(worker.rows_path(unit), tables.GENERATED)])
            whole = len(held) // ROW_GROUP * ROW_GROUP if unit is not units[-1] else len(held)
            for start in range(0, whole, ROW_GROUP):
                writer.write_table(held.slice(start, min(ROW_GROUP, whole - start)).combine_chunks())
            held = held.slice(whole)


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
