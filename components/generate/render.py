"""One element is one shard: a worker draws, decodes, encodes and writes its images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from PIL import Image

from components.generate.plan import BLOCK, ShardUnit, png_name
from components.runner import UnitDoFn
from schemas import atomic, tables

DRAWN = -1  # what the generator takes for a label that each image draws for itself

# The image column of Hugging Face data sets.
SHARD = pa.schema(
    [
        pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())]), nullable=False),
        pa.field("index", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
    ]
)


class RenderDoFn(UnitDoFn):
    """Writes one shard.

    Args:
        saved_model: The generator.
        model: Digest of the model, for the rows.
        seed: Of the set.
        format: png or parquet.
        labels: Names of the labels, where the generator takes them.
        label: Of every image; None: each image's own.
        temperature: How wide codes spread.
        artifact: Where images go.
        work: Where the shards' rows go.
    """

    def __init__(
        self,
        saved_model: Path,
        *,
        model: str,
        seed: int,
        format: str,
        artifact: Path,
        work: Path,
        labels: Sequence[str] = (),
        label: str | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.saved_model = saved_model
        self.model = model
        self.seed = seed
        self.format = format
        self.labels = labels
        self.label = label
        self.temperature = temperature
        self.artifact = artifact
        self.work = work
        self.images = beam.metrics.Metrics.counter("generate", "images")

    def rows_path(self, unit: ShardUnit) -> Path:
        """The shard's rows of `schemas.tables.GENERATED`; written last, so its presence says that the shard is done."""
        return self.work / f"shard-{unit.number:05d}-of-{unit.of:05d}.parquet"

    def setup(self) -> None:
        """Loads the generator once per worker."""
        super().setup()
        import tensorflow as tf

        from components.device import prepare_device

        try:
            prepare_device()
            # One thread a worker: sums are then added in one order, whatever the number of workers or cores.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            pass  # TensorFlow is already at work in this process, as in tests
        self.loaded = tf.saved_model.load(str(self.saved_model))
        self.generate = self.loaded.signatures["generate"]
        self.tf = tf

    def process(self, unit: ShardUnit) -> None:
        """Writes one shard."""
        rows: list[dict[str, Any]] = []
        shard = []
        for index, pixels, code, label in self._images(unit):
            data = encode_png(pixels)
            path = png_name(index)
            if self.format == "png":
                target = self.artifact / path
                target.parent.mkdir(parents=True, exist_ok=True)
                # In place: until the shard's rows are there, nobody takes it for finished.
                target.write_bytes(data)
            else:
                shard.append({"image": {"bytes": data, "path": Path(path).name}, "index": index, "label": label})
            rows.append(
                {
                    "file": path if self.format == "png" else unit.parquet_name,
                    "index": index,
                    "seed": self.seed,
                    "label": label,
                    "code": code,
                    "model": self.model,
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            )
        if self.format == "parquet":
            tables.write_table(self.artifact / unit.parquet_name, shard, SHARD)
        else:
            # On the disk before the rows say so, in case the power fails.
            atomic.fsync_all([self.artifact / row["file"] for row in rows], below=self.artifact)
        tables.write_table(self.rows_path(unit), rows, tables.GENERATED)
        self.images.inc(len(rows))

    def _images(self, unit: ShardUnit) -> Iterator[tuple[int, np.ndarray, np.ndarray, str | None]]:
        """Index, pixels [H, W, C], code [D] and label of each image."""
        constant, int64 = self.tf.constant, self.tf.int64
        asked = {"temperature": constant(self.temperature, self.tf.float32)}
        if self.labels:
            number = DRAWN if self.label is None else self.labels.index(self.label)
            asked["label"] = constant(number, int64)
        for start in range(unit.start, unit.stop, BLOCK):
            found = self.generate(
                seed=constant(self.seed, int64),
                start=constant(start, int64),
                count=constant(BLOCK, self.tf.int32),
                **asked,
            )
            images, codes = found["images"].numpy(), found["codes"].numpy()
            for offset in range(min(BLOCK, unit.stop - start)):
                label = self.labels[int(found["labels"][offset])] if self.labels else None
                yield start + offset, images[offset], codes[offset], label


def encode_png(pixels: np.ndarray) -> bytes:
    """Pixels [H, W, 1 or 3], uint8, as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def read_images(artifact: Path, rows: list[dict[str, Any]]) -> list[Image.Image]:
    """The images of some rows of `schemas.tables.GENERATED`, from whichever format they are in."""
    import pyarrow.parquet as pq

    shards: dict[str, dict[int, bytes]] = {}
    found = []
    for row in rows:
        if row["file"].endswith(".png"):
            data = (artifact / row["file"]).read_bytes()
        else:
            if row["file"] not in shards:
                table = pq.read_table(artifact / row["file"], columns=["image", "index"])
                shards[row["file"]] = {item["index"]: item["image"]["bytes"] for item in table.to_pylist()}
            data = shards[row["file"]][row["index"]]
        found.append(Image.open(io.BytesIO(data)))
    return found
