"""The whole stage: read the codes or draw them, filter, make the images, join their tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.generate.code_source import read_codes
from components.generate.derived_codes import DerivedCodes
from components.generate.disk_space import MANY, check_disk_space
from components.generate.labels import check_labels, describe_labels
from components.generate.plan import FileUnit, deal, folders_of, plan_files
from components.generate.read_images import read_images
from components.generate.render import Origin, RenderDoFn
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

LARGE = 2_000  # from this number of images on, several workers save more time than their start takes
ROW_GROUP = 8_192  # rows of metadata.parquet
CODES, SELECTED = "given.npz", "selected.json"  # files in the work folder, for an interrupted stage to resume


def run(
    generator: Generator, images: ImageSet, settings: GenerateSettings, *, examples: Examples | None = None
) -> dict[str, int]:
    """Run the stage: see `components.generate.component.generate`."""
    model = generator.manifest.inputs["Model"]
    if not (generator.saved_model_path / "saved_model.pb").is_file():
        raise DataError(
            f"{generator.saved_model_path}: expected a SavedModel, found none; to make it again, run export"
        )
    section, description = settings.generate, generator.describe()
    check_labels(section, description)
    if section.drop_near_copies and examples is None:
        raise DataError("generate.drop_near_copies: expected Examples to compare with, found none; run ingest")
    say(f"reads   {generator.saved_model_path}")
    derived = _read_codes(generator, section, work=images.work) if section.code_source else None
    indices = _indices(section, derived)
    folders = folders_of(description.labels) if section.label_folders else None
    target = Target(images.path.resolve(), len(indices), folders)
    say(f"makes   {counted(len(indices), 'image')}, seed {section.seed}, as {section.format}")
    if description.labels and derived is None:
        say(f"labels  {describe_labels(section, description)}")
    sampler = description.sampler if section.sampler == "auto" else section.sampler
    worker = RenderDoFn(
        Generator(generator.path.resolve()),
        origin=Origin(model, derived.kind if derived else sampler, section.seed),
        section=section,
        target=target,
        work=images.work.resolve(),
        codes=(images.work / CODES).resolve() if derived else None,
    )
    # Before the set is planned, because a plan grows with the set.
    missing_images = len(indices) - worker.finished_images()
    if missing_images >= MANY:
        needed = check_disk_space(worker, images=missing_images, shape=description.image_shape)
        say(f"needs   about {data_size(needed)} on the disk")
    selected, dropped = _select(
        indices, section, generator=generator, images=images, examples=examples, derived=derived
    )
    height, width, channels = description.image_shape
    files = plan_files(selected, image_bytes=height * width * channels)
    if section.format == "npy":
        ArrayFile.prepare(target, description.image_shape)
    missing = [file for file in files if not worker.rows_path(file).exists()]
    if len(missing) < len(files):
        say(f"resumes with {counted(missing_images, 'image')} to do")
    if missing:

        def finished() -> int:
            return sum(file.images for file in missing if worker.rows_path(file).exists())

        with watched("images", total=missing_images, count=finished):
            units = deal(missing, section.shards)
            run_units("generate", units, worker, settings=settings.beam, large=missing_images > LARGE, threads=True)
    _join_rows(images, files, worker)
    first_rows = pq.ParquetFile(images.metadata_path).iter_batches(batch_size=IMAGES)
    sheet = contact_sheet(read_images(images.path, next(first_rows).to_pylist(), shape=description.image_shape))
    with atomic.replacing(images.contact_sheet_path) as temporary:
        sheet.save(temporary, format="PNG")
    say(f"wrote   {counted(len(indices), 'image')} and {images.metadata_path.name}, a row per image")
    return {"images": len(indices), **dropped}


def _read_codes(generator: Generator, section: GenerateSection, *, work: Path) -> DerivedCodes:
    """Read the codes that the recipe names; a resumed stage reads what it has saved before."""
    path = work / CODES
    if not path.exists():
        from components.generate.loaded_generator import LoadedGenerator, calibration_of

        description = generator.describe()
        # Loaded when the first image is encoded: a table of codes needs no generator.
        loaded = cache(lambda: LoadedGenerator(generator, section, draws=False))
        calibration = calibration_of(generator, description.sampler) if section.around is not None else None
        codes = read_codes(
            section,
            description=description,
            latent_dim=description.latent_dim,
            preprocess=preprocess_of(generator),
            encode=lambda pixels, numbers: loaded().encode(pixels, numbers),
            deviations=calibration.deviations if calibration else None,
        )
        codes.save(path)
    return DerivedCodes.load(path, section)


def _indices(section: GenerateSection, derived: DerivedCodes | None) -> Sequence[int]:
    """Return the indices of the images that the recipe asks for.

    Raises:
        UsageError: It asks for an image beyond the last one.
    """
    available = derived.available if derived else None
    indices = section.indices_of(available)
    if available is not None and indices[-1] >= available:
        raise UsageError(f"generate.indices: expected numbers below {available:,}, found {indices[-1]:,}")
    return indices


def _select(
    indices: Sequence[int],
    section: GenerateSection,
    *,
    generator: Generator,
    images: ImageSet,
    examples: Examples | None,
    derived: DerivedCodes | None,
) -> tuple[Sequence[int], dict[str, int]]:
    """Return the indices of the set's images, and the numbers of dropped images for the manifest.

    Filters replace some of the images with these indices by later ones; the number of images stays.
    """
    if not section.has_filters:
        return indices, {}
    path = images.work / SELECTED
    if not path.exists():
        from components.generate.filters import select, write_dropped
        from components.generate.loaded_generator import LoadedGenerator

        loaded = LoadedGenerator(generator, section, derived=derived)
        with bar("filtered", total=len(indices)) as update:
            selection = select(
                loaded, section, generator=generator, examples=examples, count=len(indices), progress=update
            )
        write_dropped(selection, images.dropped_path, examples=examples)
        atomic.write_text(path, json.dumps({"kept": selection.indices, "counts": selection.counts}))
    saved = json.loads(path.read_bytes())
    selected: list[int] = saved["kept"]
    counts: dict[str, int] = saved["counts"]
    dropped = {"near copies": counts["near_copies_dropped"]} if section.drop_near_copies else {}
    dropped |= {"unlikely ones": counts["unlikely_dropped"]} if section.drop_unlikely else {}
    say(f"filters dropped {' and '.join(f'{count:,} {name}' for name, count in dropped.items())}")
    return selected, counts


def _join_rows(images: ImageSet, files: list[FileUnit], worker: RenderDoFn) -> None:
    """Join the files' tables to one in the images' order, with row groups of one size and one file in memory at a time."""
    pending = tables.GENERATED.empty_table()
    with atomic.replacing(images.metadata_path) as temporary, pq.ParquetWriter(temporary, tables.GENERATED) as writer:
        for file in files:
            pending = pa.concat_tables([pending, tables.read_table(worker.rows_path(file), tables.GENERATED)])
            whole = len(pending) // ROW_GROUP * ROW_GROUP if file is not files[-1] else len(pending)
            for start in range(0, whole, ROW_GROUP):
                writer.write_table(pending.slice(start, min(ROW_GROUP, whole - start)).combine_chunks())
            pending = pending.slice(whole)
