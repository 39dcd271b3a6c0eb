"""First pass: hashes every image of every source and reads its header.

Images are only decoded to find near-duplicates.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from apache_beam.metrics.metric import Metrics

from components.images.contact_sheet import pillow_images
from components.images.decode import Decoder
from components.images.rejected import NotLookedAt, Rejected, is_beside, require_image
from components.ingest.catalogue import BESIDE, LISTED, Catalogue
from components.ingest.findings import Listing
from components.ingest.naming import name_images
from components.ingest.perceptual import perceptual_hash
from components.ingest.unpacked import UnpackedWriter
from components.reporting.console import watched
from components.sources import RawImage, Source, files, open_source
from components.workers.attempts import attempt
from components.workers.isolated import open_decoder
from components.workers.runner import UnitDoFn, run_units
from components.workers.tally import Tally, TotalTally
from schemas import atomic
from schemas.artifacts import tables
from schemas.errors import DataError
from schemas.recipe.settings import IngestSettings

LARGE = 20_000  # images to be opened; from here on, worker processes save more time than they take to start


@dataclass(frozen=True)
class ListingUnit:
    """A part of a source (`components.sources.Part`), and the files for its rows."""

    number: int
    source: int
    folder: str

    def _path(self, name: str) -> Path:
        return Path(self.folder) / name.format(self.number)

    @property
    def names_path(self) -> Path:
        """The part's names; they are in a file, because the names of all parts may be too many for memory."""
        return self._path("names-{:06d}.json")

    @property
    def listed_path(self) -> Path:
        """Rows of usable images; written last, so the unit is done if it exists."""
        return self._path("listed-{:06d}.parquet")

    @property
    def rejected_path(self) -> Path:
        """Rows of rejected images."""
        return self._path("rejected-{:06d}.parquet")

    @property
    def beside_path(self) -> Path:
        """Rows of files that are no images."""
        return self._path("beside-{:06d}.parquet")

    @property
    def broken_path(self) -> Path:
        """The reason, in one line, why the part itself cannot be read; absent if it can."""
        return self._path("broken-{:06d}")

    @property
    def unpacked_path(self) -> Path:
        """Images without a place in their source."""
        return self._path("unpacked-{:06d}")


def list_images(settings: IngestSettings, work: Path, catalogue: Catalogue) -> Listing:
    """List all sources into a catalogue; units that an earlier, interrupted run finished are not done again.

    Returns:
        What is known of the sources beside their images.

    Raises:
        DataError: A part of a source is broken. The others are listed all the same.
    """
    folder = work / "listing"
    folder.mkdir(parents=True, exist_ok=True)
    units: list[ListingUnit] = []
    images = encoded_images = 0
    sources = [open_source(source, settings.preprocess) for source in settings.sources]
    for index, opened in enumerate(sources):
        for part in opened.parts():
            unit = ListingUnit(len(units), index, str(folder))
            units.append(unit)
            images += part.images
            # Images without encoding are hashed faster than worker processes start.
            encoded_images += part.images if opened.encoded else 0
            if not unit.listed_path.exists():
                atomic.write_text(unit.names_path, json.dumps(part.names))
    missing = [unit for unit in units if not unit.listed_path.exists()]
    if missing:
        for unit in missing:
            unit.broken_path.unlink(missing_ok=True)
        tally = TotalTally(work / "listing-tally")
        with watched("listing", total=images, count=tally.done, note=tally.note):
            run_units("list", missing, ListDoFn(settings, work), settings=settings.beam, large=encoded_images > LARGE)
    for unit in missing:
        if unit.broken_path.exists():
            raise DataError(unit.broken_path.read_text(encoding="utf-8"))
    for unit in units:
        catalogue.add(unit.listed_path)
        catalogue.reject(unit.rejected_path)
        catalogue.add_beside(unit.beside_path)
    remarks = [remark for source in sources for remark in source.remarks()]
    return Listing(remarks, unused=name_images(catalogue, sources), left_out=_left_out(sources, catalogue))


def _left_out(sources: Sequence[Source], catalogue: Catalogue) -> dict[str, tuple[int, str]]:
    """Return what was not followed, by reason: the number of paths, and the name of the first within its source."""
    left_out = catalogue.left_out()
    for source in sources:
        for reason, paths in source.left_out.items():
            root = getattr(source, "root", None)
            name = files.quote(paths[0] if root is None else os.path.relpath(paths[0], root))
            count, first = left_out.get(reason, (0, name))
            left_out[reason] = (count + len(paths), first)
    return left_out


class ListDoFn(UnitDoFn):
    """A worker that writes the rows of ListingUnits."""

    def __init__(self, settings: IngestSettings, work: Path) -> None:
        super().__init__()
        self.settings = settings
        self.work = work
        self.listed = Metrics.counter("ingest", "listed")
        self.rejected = Metrics.counter("ingest", "rejected_headers")

    def setup(self) -> None:
        """Open the sources, once per worker."""
        super().setup()
        self.sources = [open_source(source, self.settings.preprocess) for source in self.settings.sources]
        self.tally = Tally(self.work / "listing-tally")

    def process(self, unit: ListingUnit) -> None:
        """List one unit; write the error of a broken one to a file, because Beam would change its words."""
        try:
            with (
                attempt(self.work, f"listing-{unit.number:06d}") as interrupted,
                open_decoder(self.settings.preprocess, isolated=interrupted) as decoder,
            ):
                self._list(unit, decoder)
        except DataError as error:
            atomic.write_text(unit.broken_path, str(error))

    def _list(self, unit: ListingUnit, decoder: Decoder) -> None:
        names = json.loads(unit.names_path.read_text(encoding="utf-8"))
        with (
            tables.writing_table(unit.listed_path, LISTED) as add,  # closed last, so it is written last
            tables.writing_table(unit.rejected_path, tables.REJECTED) as reject,
            tables.writing_table(unit.beside_path, BESIDE) as set_beside,
            UnpackedWriter(unit.unpacked_path) as unpacked,
        ):
            for item, raw in self.sources[unit.source].images(names):
                key = item.key if len(self.sources) == 1 else f"{unit.source}/{item.key}"
                try:
                    image = require_image(raw, key=item.key)
                    header = decoder.read_header(image)
                    perceptual = None if decoder.preprocess.near_duplicates is None else _signed_hash(image, decoder)
                except Rejected as error:
                    if is_beside(item.key, error):
                        set_beside({"key": key, "reason": error.detail if isinstance(error, NotLookedAt) else None})
                        continue
                    reject({"key": key, "reason": error.reason, "detail": error.detail})
                    self.rejected.inc()
                    self.tally.add(rejected=1)
                    continue
                placeless = item.place is None
                add(
                    {
                        "source": unit.source,
                        "place": unpacked.put(image) if placeless else item.place,
                        "unpacked": unit.unpacked_path.name if placeless else None,
                        "key": key,
                        "label": item.label,
                        "own_split": item.split,
                        "sha256": sha256_of_image(image),
                        "bytes": len(image) if isinstance(image, bytes) else image.nbytes,
                        "format": header.format,
                        "width": header.width,
                        "height": header.height,
                        "perceptual": perceptual,
                    }
                )
                self.listed.inc()
                self.tally.add(done=1)
        self.tally.flush()


def _signed_hash(raw: RawImage, decoder: Decoder) -> int:
    """Return the perceptual hash of an image as a signed integer, which tables can hold.

    Raises:
        Rejected: It cannot be decoded.
    """
    value = perceptual_hash(pillow_images(decoder.decode(raw).pixels[None])[0])
    return value - (1 << 64) if value >> 63 else value


def sha256_of_image(raw: RawImage) -> str:
    """Return the sha256 (hex) of a file's bytes, or of pixels."""
    return hashlib.sha256(np.ascontiguousarray(raw).data if isinstance(raw, np.ndarray) else raw).hexdigest()
