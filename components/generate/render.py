"""A worker of Beam: it makes, encodes and writes the images of one shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.metrics.metric import Metrics
from apache_beam.utils.shared import Shared

from components.generate.derived_codes import DerivedCodes
from components.generate.plan import FileUnit, ShardUnit
from components.generate.writers import Block, Target, make_writer
from components.workers.runner import UnitDoFn
from schemas.artifacts import tables
from schemas.artifacts.kinds import Generator
from schemas.recipe.generate import GenerateSection

if TYPE_CHECKING:
    from components.generate.loaded_generator import LoadedGenerator


@dataclass(frozen=True)
class Origin:
    """Columns of the table that are the same for all images of a set.

    Attributes:
        model: Digest of the model.
        sampler: Source of the codes: a sampler's kind, or one of `schemas.recipe.generate.CODE_SOURCES`.
        seed: Seed of the set.
    """

    model: str
    sampler: str
    seed: int


class RenderDoFn(UnitDoFn):
    """Writes a shard's files.

    Args:
        generator: Generator of the images.
        origin: Columns that are the same for all images.
        section: The recipe's `generate` section.
        target: Folder of the images.
        work: Folder of the files' rows.
        codes: File of `DerivedCodes`; None where codes are drawn.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        origin: Origin,
        section: GenerateSection,
        target: Target,
        work: Path,
        codes: Path | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.origin = origin
        self.section = section
        self.target = target
        self.work = work
        self.codes = codes
        self.shared = Shared()
        self.images = Metrics.counter("generate", "images")

    def rows_path(self, unit: FileUnit) -> Path:
        """Return the path of a file's rows of `schemas.artifacts.tables.GENERATED`.

        They are written last: where they exist, the file is finished.
        """
        return self.work / f"rows-{unit.number:05d}-of-{unit.of:05d}.parquet"

    def finished_images(self) -> int:
        """Return the number of images in the files that are finished."""
        return sum(pq.read_metadata(path).num_rows for path in self.work.glob("rows-*-of-*.parquet"))

    def setup(self) -> None:
        """Load the generator, once for all workers of a process."""
        super().setup()
        self.loaded = self.shared.acquire(self._load)

    def _load(self) -> LoadedGenerator:
        from components.generate.loaded_generator import LoadedGenerator

        derived = DerivedCodes.load(self.codes, self.section) if self.codes else None
        return LoadedGenerator(self.generator, self.section, derived=derived)

    def process(self, unit: ShardUnit) -> None:
        """Write the files of a shard that are not finished yet."""
        for file in unit.files:
            if not self.rows_path(file).exists():
                self.write_file(file)
                self.images.inc(file.images)

    def write_file(self, unit: FileUnit) -> None:
        """Write a file's images, then its rows.

        While one block is encoded and written, the generator already makes the next one.
        """
        writer = make_writer(self.section.format, self.target, unit)
        rows: list[pa.Table] = []

        def write(block: Block) -> None:
            rows.append(self._rows(block, *writer.add(block)))

        with ThreadPoolExecutor(1) as executor:
            previous = None
            for block in self._blocks(unit):
                if previous:
                    previous.result()
                previous = executor.submit(write, block)
            if previous:
                previous.result()
        writer.close()
        tables.write_table(self.rows_path(unit), pa.concat_tables(rows), tables.GENERATED)

    def _rows(self, block: Block, names: list[str], digests: list[str]) -> pa.Table:
        derived, (count, dims) = self.loaded.derived, block.codes.shape
        offsets = np.arange(0, count * dims + 1, dims, dtype=np.int32) if dims else np.zeros(count + 1, np.int32)
        columns = {
            "file_name": pa.array(names),
            "index": pa.array(block.indices, pa.int64()),
            "seed": pa.array([self.origin.seed] * count, pa.int64()),
            "sampler": pa.array([self.origin.sampler] * count),
            "source": pa.array([derived.source(index) if derived else None for index in block.indices], pa.string()),
            "label": pa.array(block.labels, pa.string()),
            "code": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(block.codes).ravel()),
            "model": pa.array([self.origin.model] * count),
            "sha256": pa.array(digests),
        }
        return pa.table(columns).cast(tables.GENERATED)

    def _blocks(self, unit: FileUnit) -> Iterator[Block]:
        names = self.loaded.description.labels
        for part in unit.parts:
            block, rows = self.loaded.make(part.start), _as_slice(part.rows)
            numbers = block.numbers[rows].tolist()
            labels = [names[number] if number >= 0 else None for number in numbers]
            yield Block(part.indices, block.images[rows], block.codes[rows], labels, numbers)


def _as_slice(rows: Sequence[int]) -> slice | list[int]:
    """Return places within a block; the first ones as a slice, which copies nothing."""
    return slice(len(rows)) if isinstance(rows, range) and rows.start == 0 else list(rows)
