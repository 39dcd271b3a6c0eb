"""One element is one shard: a worker draws, decodes, encodes and writes its images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from components.generate.labels import DRAWN, labels_of_block
from components.generate.plan import BLOCK, FileUnit, ShardUnit
from components.generate.writers import Block, Target, make_writer
from components.runner import UnitDoFn
from schemas import tables
from schemas.generate import GenerateSection


@dataclass(frozen=True)
class Origin:
    """What all images of a set have in common, and its rows say.

    Attributes:
        model: Digest of the model.
        sampler: Where codes come from.
        seed: Of the set.
    """

    model: str
    sampler: str
    seed: int


class RenderDoFn(UnitDoFn):
    """Writes a shard's files.

    Args:
        saved_model: The generator.
        origin: Of all images.
        wanted: The recipe's `generate` section.
        labels: Names of the labels, where the generator takes them.
        target: Where images go.
        work: Where the files' rows go.
    """

    def __init__(
        self,
        saved_model: Path,
        *,
        origin: Origin,
        wanted: GenerateSection,
        target: Target,
        work: Path,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.saved_model = saved_model
        self.origin = origin
        self.wanted = wanted
        self.labels = labels
        self.target = target
        self.work = work
        self.images = beam.metrics.Metrics.counter("generate", "images")

    def rows_path(self, unit: FileUnit) -> Path:
        """A file's rows of `schemas.tables.GENERATED`; written last, so its presence says that the file is done."""
        return self.work / f"rows-{unit.number:05d}-of-{unit.of:05d}.parquet"

    def setup(self) -> None:
        """Loads the generator once per worker."""
        super().setup()
        import tensorflow as tf

        from components.device import prepare_device

        try:
            prepare_device()
            # One thread an operation: sums are then added in one order, whatever the number of workers or cores.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count() or 1)
        except RuntimeError:
            pass  # TensorFlow is already at work in this process: another worker has done this
        self.loaded = tf.saved_model.load(str(self.saved_model))
        self.generate = self.loaded.signatures["generate"]
        self.tf = tf

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
        count, dims = block.codes.shape
        offsets = np.arange(0, count * dims + 1, dims, dtype=np.int32) if dims else np.zeros(count + 1, np.int32)
        columns = {
            "file_name": pa.array(names),
            "index": pa.array(block.indices, pa.int64()),
            "seed": pa.array([self.origin.seed] * count, pa.int64()),
            "sampler": pa.array([self.origin.sampler] * count),
            "label": pa.array(block.labels, pa.string()),
            "code": pa.ListArray.from_arrays(offsets, np.ascontiguousarray(block.codes).ravel()),
            "model": pa.array([self.origin.model] * count),
            "sha256": pa.array(digests),
        }
        return pa.table(columns).cast(tables.GENERATED)

    def _blocks(self, unit: FileUnit) -> Iterator[Block]:
        constant, int64 = self.tf.constant, self.tf.int64
        asked: dict[str, Any] = {"temperature": constant(self.wanted.temperature, self.tf.float32)}
        for part in unit.parts:
            if self.labels:
                asked["label"] = constant(labels_of_block(self.wanted, self.labels, start=part.start))
            found = self.generate(
                seed=constant(self.origin.seed, int64),
                start=constant(part.start, int64),
                count=constant(BLOCK, self.tf.int32),
                **asked,
            )
            rows = list(part.rows)
            numbers = found["labels"].numpy()[rows].tolist() if self.labels else [DRAWN] * len(rows)
            labels = [self.labels[number] if self.labels else None for number in numbers]
            yield Block(part.indices, found["images"].numpy()[rows], found["codes"].numpy()[rows], labels, numbers)
