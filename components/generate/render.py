"""One element is one shard: a worker draws, decodes, encodes and writes its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.utils.shared import Shared

from components.generate.given import Given
from components.generate.plan import FileUnit, ShardUnit
from components.generate.writers import Block, Target, make_writer
from components.workers.runner import UnitDoFn
from schemas.artifacts import tables
from schemas.artifacts.kinds import Generator
from schemas.recipe.generate import GenerateSection

if TYPE_CHECKING:
    from components.generate.loaded import LoadedGenerator


@dataclass(frozen=True)
class Origin:
    """What all images of a set have in common, and its rows say.

    Attributes:
        model: Digest of the model.
        sampler: Where codes come from: a sampler's kind, or one of `schemas.recipe.generate.CODE_SOURCES`.
        seed: Of the set.
    """

    model: str
    sampler: str
    seed: int


class RenderDoFn(UnitDoFn):
    """Writes a shard's files.

    Args:
        generator: The generator.
        origin: Of all images.
        wanted: The recipe's `generate` section.
        target: Where images go.
        work: Where the files' rows go.
        given: File of the codes, where they are given.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        origin: Origin,
        wanted: GenerateSection,
        target: Target,
        work: Path,
        given: Path | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.origin = origin
        self.wanted = wanted
        self.target = target
        self.work = work
        self.given = given
        self.shared = Shared()
        self.images = beam.metrics.Metrics.counter("generate", "images")

    def rows_path(self, unit: FileUnit) -> Path:
        """A file's rows of `schemas.artifacts.tables.GENERATED`; written last, so its presence says that the file is done."""
        return self.work / f"rows-{unit.number:05d}-of-{unit.of:05d}.parquet"

    def setup(self) -> None:
        """Loads the generator, once for all workers of a process."""
        super().setup()
        self.loaded = self.shared.acquire(self._load)

    def _load(self) -> LoadedGenerator:
        from components.generate.loaded import LoadedGenerator

        given = Given.load(self.given, self.wanted) if self.given else None
        return LoadedGenerator(self.generator, self.wanted, given=given)

    def process(self, unit: ShardUnit) -> None:
        """Writes the files that are not there yet."""
        for file in unit.files:
            if not self.rows_path(file).exists():
                self.write_file(file)
                self.images.inc(file.images)

    def write_file(self, unit: FileUnit) -> None:
        """Writes its images, then its rows; while one block is encoded and written, the next one is decoded."""
        writer = make_writer(self.wanted.format, self.target, unit)
        rows = []

        def write(block: Block) -> None:
            rows.append(self._rows(block, *writer.add(block)))

        with ThreadPoolExecutor(1) as beside:
            earlier = None
            for block in self._blocks(unit):
                if earlier:
                    earlier.result()
                earlier = beside.submit(write, block)
            if earlier:
                earlier.result()
        writer.close()
        tables.write_table(self.rows_path(unit), pa.concat_tables(rows), tables.GENERATED)

    def _rows(self, block: Block, names: list[str], digests: list[str]) -> pa.Table:
        given, (count, dims) = self.loaded.given, block.codes.shape
        offsets = np.arange(0, count * dims + 1, dims, dtype=np.int32) if dims else np.zeros(count + 1, np.int32)
        columns = {
            "file_name": pa.array(names),
            "index": pa.array(block.indices, pa.int64()),
            "seed": pa.array([self.origin.seed] * count, pa.int64()),
            "sampler": pa.array([self.origin.sampler] * count),
            "source": pa.array([given and given.source(index) for index in block.indices], pa.string()),
            "label": pa.array(block.labels, pa.string()),
            "code": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(block.codes).ravel()),
            "model": pa.array([self.origin.model] * count),
            "sha256": pa.array(digests),
        }
        return pa.table(columns).cast(tables.GENERATED)

    def _blocks(self, unit: FileUnit) -> Iterator[Block]:
        names = self.loaded.about.labels
        for part in unit.parts:
            made, rows = self.loaded.make(part.start), _as_slice(part.rows)
            numbers = made.numbers[rows].tolist()
            labels = [names[number] if number >= 0 else None for number in numbers]
            yield Block(part.indices, made.images[rows], made.codes[rows], labels, numbers)


def _as_slice(rows: Sequence[int]) -> slice | list[int]:
    """Places within a block; as a slice, which copies nothing, where all of them are wanted or the first so many."""
    return slice(len(rows)) if isinstance(rows, range) and rows.start == 0 else list(rows)
