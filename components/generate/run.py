"""Generation from beginning to end."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq

from components.console import counted, say, watched
from components.contact_sheet import IMAGES, contact_sheet
from components.generate.labels import check_labels
from components.generate.plan import FileUnit, deal, plan_files
from components.generate.reading import read_images
from components.generate.render import Origin, RenderDoFn
from components.generate.room import MANY, look_for_room, size
from components.generate.writers import ArrayFile, Target
from components.runner import run_units
from schemas import atomic, tables
from schemas.artifacts import Generator, ImageSet
from schemas.errors import DataError
from schemas.settings import GenerateSettings

LARGE = 2_000  # images from which on several workers pay for their start
ROW_GROUP = 8_192  # rows of metadata.parquet


def run(generator: Generator, images: ImageSet, settings: GenerateSettings) -> dict[str, int]:
    """See `components.generate.component.generate`."""
    model = generator.manifest.inputs["Model"]
    if not (generator.saved_model_path / "saved_model.pb").is_file():
        raise DataError(
            f"{generator.saved_model_path}: expected a SavedModel, found none; to make it again, run export"
        )
    wanted = settings.generate
    labels = read_labels(generator)
    check_labels(wanted, labels)
    parity = json.loads(generator.parity_path.read_bytes())
    height, width, channels = parity["image_shape"]
    files = plan_files(wanted.wanted, image_bytes=height * width * channels)
    count = sum(file.images for file in files)
    target = Target(images.path.resolve(), count, wanted.label_folders)
    if wanted.format == "npy":
        ArrayFile.prepare(target, (height, width, channels))
    say(f"reads   {generator.saved_model_path}")
    say(f"makes   {counted(count, 'image')}, seed {wanted.seed}, as {wanted.format}")
    if labels:
        say(f"labels  {wanted.label or wanted.labels or 'each by its share in training'}")
    worker = RenderDoFn(
        generator.saved_model_path.resolve(),
        origin=Origin(model, parity["sampler"], wanted.seed),
        wanted=wanted,
        labels=labels,
        target=target,
        work=images.work.resolve(),
    )
    todo = [file for file in files if not worker.rows_path(file).exists()]
    left = sum(file.images for file in todo)
    if len(todo) < len(files):
        say(f"resumes with {counted(left, 'image')} to do")
    if left >= MANY:
        needed = look_for_room(worker, images=left, shape=(height, width, channels))
        say(f"needs   about {size(needed)} on the disk")
    if todo:

        def done() -> int:
            return sum(file.images for file in todo if worker.rows_path(file).exists())

        with watched("images", total=left, count=done):
            units = deal(todo, wanted.shards)
            run_units("generate", units, worker, settings=settings.beam, large=left > LARGE, threads=True)
    _join_rows(images, files, worker)
    first = pq.ParquetFile(images.metadata_path).iter_batches(batch_size=IMAGES)
    sheet = contact_sheet(read_images(images.path, next(first).to_pylist(), shape=(height, width, channels)))
    with atomic.replacing(images.contact_sheet_path) as temporary:
        sheet.save(temporary, format="PNG")
    say(f"wrote   {counted(count, 'image')} and {images.metadata_path.name}, a row per image")
    return {"images": count}


def read_labels(generator: Generator) -> list[str]:
    """Names of the labels that the generator takes, none where it is not conditional."""
    path = generator.labels_path
    found: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def _join_rows(images: ImageSet, files: list[FileUnit], worker: RenderDoFn) -> None:
    """One table from the files' tables, in the images' order, a file's at a time in memory, in row groups of one size."""
    held = tables.GENERATED.empty_table()
    with atomic.replacing(images.metadata_path) as temporary, pq.ParquetWriter(temporary, tables.GENERATED) as writer:
        for file in files:
            held = pa.concat_tables([held, tables.read_table(worker.rows_path(file), tables.GENERATED)])
            whole = len(held) // ROW_GROUP * ROW_GROUP if file is not files[-1] else len(held)
            for start in range(0, whole, ROW_GROUP):
                writer.write_table(held.slice(start, min(ROW_GROUP, whole - start)).combine_chunks())
            held = held.slice(whole)
