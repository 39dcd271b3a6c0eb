"""Generation from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.generate.given import Given
from components.generate.labels import check_labels
from components.generate.own_codes import read_codes
from components.generate.plan import FileUnit, deal, plan_files
from components.generate.reading import read_images
from components.generate.render import Origin, RenderDoFn
from components.generate.room import MANY, look_for_room
from components.generate.writers import ArrayFile, Target
from components.images.contact_sheet import IMAGES, contact_sheet
from components.images.prepare import preprocess_of
from components.reporting.console import bar, counted, say, watched
from components.reporting.numbers import data_size
from components.workers.runner import run_units
from schemas import atomic
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import GenerateSection
from schemas.recipe.settings import GenerateSettings

LARGE = 2_000  # images from which on several workers pay for their start
ROW_GROUP = 8_192  # rows of metadata.parquet
GIVEN, SELECTED = "given.npz", "selected.json"  # kept through a kill


def run(
    generator: Generator, images: ImageSet, settings: GenerateSettings, *, examples: Examples | None = None
) -> dict[str, int]:
    """See `components.generate.component.generate`."""
    model = generator.manifest.inputs["Model"]
    if not (generator.saved_model_path / "saved_model.pb").is_file():
        raise DataError(
            f"{generator.saved_model_path}: expected a SavedModel, found none; to make it again, run export"
        )
    wanted, about = settings.generate, generator.describe()
    check_labels(wanted, about.labels)
    if wanted.drop_near_copies and examples is None:
        raise DataError("generate.drop_near_copies: expected Examples to compare with, found none; run ingest")
    say(f"reads   {generator.saved_model_path}")
    given = _read_given(generator, wanted, work=images.work) if wanted.code_source else None
    indices, dropped = _indices(wanted, generator=generator, images=images, examples=examples, given=given)
    height, width, channels = about.image_shape
    files = plan_files(indices, image_bytes=height * width * channels)
    count = sum(file.images for file in files)
    target = Target(images.path.resolve(), count, wanted.label_folders)
    if wanted.format == "npy":
        ArrayFile.prepare(target, about.image_shape)
    say(f"makes   {counted(count, 'image')}, seed {wanted.seed}, as {wanted.format}")
    if about.labels and given is None:
        say(f"labels  {wanted.label or wanted.labels or 'each by its share in training'}")
    sampler = about.sampler if wanted.sampler == "auto" else wanted.sampler
    worker = RenderDoFn(
        Generator(generator.path.resolve()),
        origin=Origin(model, given.kind if given else sampler, wanted.seed),
        wanted=wanted,
        target=target,
        work=images.work.resolve(),
        given=given and (images.work / GIVEN).resolve(),
    )
    todo = [file for file in files if not worker.rows_path(file).exists()]
    left = sum(file.images for file in todo)
    if len(todo) < len(files):
        say(f"resumes with {counted(left, 'image')} to do")
    if left >= MANY:
        needed = look_for_room(worker, images=left, shape=about.image_shape)
        say(f"needs   about {data_size(needed)} on the disk")
    if todo:

        def done() -> int:
            return sum(file.images for file in todo if worker.rows_path(file).exists())

        with watched("images", total=left, count=done):
            units = deal(todo, wanted.shards)
            run_units("generate", units, worker, settings=settings.beam, large=left > LARGE, threads=True)
    _join_rows(images, files, worker)
    first = pq.ParquetFile(images.metadata_path).iter_batches(batch_size=IMAGES)
    sheet = contact_sheet(read_images(images.path, next(first).to_pylist(), shape=about.image_shape))
    with atomic.replacing(images.contact_sheet_path) as temporary:
        sheet.save(temporary, format="PNG")
    say(f"wrote   {counted(count, 'image')} and {images.metadata_path.name}, a row per image")
    return {"images": count, **dropped}


def _read_given(generator: Generator, wanted: GenerateSection, *, work: Path) -> Given:
    """The codes that the recipe gives, read once."""
    path = work / GIVEN
    if not path.exists():
        from components.generate.loaded import LoadedGenerator, calibration_of

        about = generator.describe()
        encode = cache(lambda: LoadedGenerator(generator, wanted, drawn=False).encode)  # a table of codes needs none
        spread = calibration_of(generator, about.sampler) if wanted.around is not None else None
        found = read_codes(
            wanted,
            labels=about.labels,
            latent_dim=about.latent_dim,
            preprocess=preprocess_of(generator),
            encode=lambda *images: encode()(*images),
            deviations=spread and spread.deviations,
        )
        found.save(path)
    return Given.load(path, wanted)


def _indices(
    wanted: GenerateSection, *, generator: Generator, images: ImageSet, examples: Examples | None, given: Given | None
) -> tuple[Sequence[int], dict[str, int]]:
    """Which images the set has; and how many were left out, for the manifest.

    Raises:
        UsageError: One is asked for that there is not.
    """
    available = given.available if given else None
    indices = wanted.indices_of(available)
    if available is not None and indices[-1] >= available:
        raise UsageError(f"generate.indices: expected numbers below {available:,}, found {indices[-1]:,}")
    if not wanted.has_filters:
        return indices, {}
    path = images.work / SELECTED
    if not path.exists():
        from components.generate.filters import save, select
        from components.generate.loaded import LoadedGenerator

        loaded = LoadedGenerator(generator, wanted, given=given)
        with bar("looked at", total=len(indices)) as update:
            found = select(loaded, wanted, generator=generator, examples=examples, count=len(indices), progress=update)
        save(found, images.dropped_path)
        atomic.write_text(path, json.dumps({"kept": found.kept, "counts": found.counts}))
    found = json.loads(path.read_bytes())
    said = [f"{count:,} {name.replace('_', ' ')}" for name, count in found["counts"].items()]
    say(f"filters {', '.join(said)}")
    return found["kept"], found["counts"]


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
