"""First pass: every item of every source is hashed and its header looked at. No image is decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.console import watched
from components.ingest.decode import Rejected, read_header
from components.ingest.sources import Item, RawImage, ReadError, Source, open_source
from components.runner import UnitDoFn, run_units
from schemas import sources, tables
from schemas.settings import IngestSettings
from schemas.tables import Reason

ITEMS_PER_UNIT = 5_000

# Work files of this pass; what becomes part of the artifact has its schema in schemas/tables.py.
LISTED = pa.schema(
    [
        ("source", pa.int32()),
        ("item", pa.string()),  # its key within the source
        ("key", pa.string()),  # within all sources
        ("label", pa.string()),
        ("own_split", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


@dataclass(frozen=True)
class ListingUnit:
    """Some items of one source, and the file that their rows go to."""

    number: int
    source: int
    items: tuple[Item, ...]
    folder: str

    @property
    def listed_path(self) -> Path:
        """Rows of usable items; written last, so its presence says that the unit is done."""
        return Path(self.folder) / f"listed-{self.number:06d}.parquet"

    @property
    def rejected_path(self) -> Path:
        """Rows of the others."""
        return Path(self.folder) / f"rejected-{self.number:06d}.parquet"


def list_images(settings: IngestSettings, work: Path) -> tuple[pa.Table, pa.Table]:
    """Lists all sources; units that an earlier, interrupted run finished are not done again.

    Returns:
        Usable images (LISTED) and rejected ones (`schemas.tables.REJECTED`), in the sources' order.
    """
    units = list(_units(settings, work / "listing"))
    todo = [unit for unit in units if not unit.listed_path.exists()]
    if todo:
        total = sum(len(unit.items) for unit in todo)

        def done() -> int:
            return sum(len(unit.items) for unit in todo if unit.listed_path.exists())

        files = any(isinstance(source, sources.ImageFiles) for source in settings.sources)
        with watched("listing", total=total, count=done):
            # Pixels that are in memory already are hashed faster than worker processes start.
            run_units("list", todo, ListDoFn(settings), settings=settings.beam, large=files and total > 20_000)
    listed = pa.concat_tables([pq.read_table(unit.listed_path) for unit in units] or [LISTED.empty_table()])
    rejected = [pq.read_table(unit.rejected_path) for unit in units]
    return listed, pa.concat_tables(rejected or [tables.REJECTED.empty_table()])


def _units(settings: IngestSettings, folder: Path) -> Iterator[ListingUnit]:
    number = 0
    for index, source in enumerate(settings.sources):
        for items in _chunks(open_source(source).items(), ITEMS_PER_UNIT):
            yield ListingUnit(number, index, items, str(folder))
            number += 1


def _chunks(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk


class ListDoFn(UnitDoFn):
    """Writes the rows of one ListingUnit."""

    def __init__(self, settings: IngestSettings) -> None:
        super().__init__()
        self.settings = settings
        self.listed = beam.metrics.Metrics.counter("ingest", "listed")
        self.rejected = beam.metrics.Metrics.counter("ingest", "rejected_headers")

    def setup(self) -> None:
        """Opens the sources once per worker."""
        super().setup()
        self.sources = [open_source(source) for source in self.settings.sources]

    def process(self, unit: ListingUnit) -> None:
        """Lists one unit."""
        listed, rejected = [], []
        for item in unit.items:
            key = item.key if len(self.sources) == 1 else f"{unit.source}/{item.key}"
            try:
                raw = read_item(self.sources[unit.source], item.key)
                header = read_header(raw, max_pixels=self.settings.preprocess.max_pixels)
            except Rejected as error:
                rejected.append({"key": key, "reason": error.reason, "detail": error.detail})
                continue
            listed.append(
                {
                    "source": unit.source,
                    "item": item.key,
                    "key": key,
                    "label": item.label,
                    "own_split": item.split,
                    "sha256": sha256_of_image(raw),
                    "bytes": len(raw) if isinstance(raw, bytes) else raw.nbytes,
                    "format": header.format,
                    "width": header.width,
                    "height": header.height,
                }
            )
        tables.write_table(unit.rejected_path, rejected, tables.REJECTED)
        tables.write_table(unit.listed_path, listed, LISTED)
        self.listed.inc(len(listed))
        self.rejected.inc(len(rejected))


def sha256_of_image(raw: RawImage) -> str:
    """Sha256 (hex) of a file's bytes, or of pixels."""
    return hashlib.sha256(np.ascontiguousarray(raw).data if isinstance(raw, np.ndarray) else raw).hexdigest()


def read_item(source: Source, key: str) -> RawImage:
    """Reads one item.

    Raises:
        Rejected: It cannot be read.
    """
    try:
        return source.read(key)
    except FileNotFoundError:
        raise Rejected(Reason.VANISHED, "listed, then gone") from None
    except ReadError as error:
        raise Rejected(Reason.UNREADABLE, str(error)[:200]) from None
