"""Second pass: workers write shards, one unit of work each: they read, decode, resize and write its images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from apache_beam.metrics.metric import Metrics
from numpy.typing import NDArray

from components.images.colour import is_grey
from components.images.decode import Decoded, Decoder
from components.images.geometry import Crop, framing
from components.images.rejected import Rejected, require_image
from components.ingest.catalogue import ListedRow
from components.ingest.listing import sha256_of_image
from components.ingest.plan import ShardUnit
from components.ingest.unpacked import read_unpacked
from components.reporting.console import watched
from components.sources import RawImage, ReadError, open_source
from components.workers.attempts import attempt
from components.workers.isolated import open_decoder
from components.workers.runner import UnitDoFn, run_units
from components.workers.tally import Tally, TotalTally
from schemas import atomic
from schemas.artifacts import records, tables
from schemas.artifacts.tables import Reason
from schemas.recipe.settings import IngestSettings

LARGE = 20_000  # images; from here on, worker processes save more time than they take to start
LARGE_PIXELS = 500_000_000  # to be decoded, which takes about ten seconds


@dataclass(frozen=True)
class ShardResult:
    """A worker's numbers of a finished shard.

    Sums over stored pixels are exact integers, so that they do not depend on the order in which shards are added.
    """

    split: str
    images: int
    records: int
    labels: dict[str, int]
    pixels: int  # per channel
    total: list[int]  # per channel: sum of pixels
    squares: list[int]  # per channel: sum of squared pixels
    grey: int  # images without colour
    profiles_ignored: int = 0  # images with a colour profile that could not be applied
    animated: int = 0  # images of files with several frames or pages
    frames_unused: int = 0  # of these files: all but the first


class ShardFolders:
    """The folders of the second pass: shards go into the artifact, tables into its work folder.

    Args:
        artifact: Path of the artifact.
        work: Path of its work folder.
        attempt: How often shards were written before, of other images: each attempt has its own tables.
    """

    def __init__(self, artifact: Path, work: Path, *, attempt: int = 0) -> None:
        self.artifact = artifact
        self.root = work
        self.listing = work / "listing"
        self.work = work / (f"shards-{attempt}" if attempt else "shards")
        self.tally = work / "shards-tally"

    def shard(self, unit: ShardUnit) -> Path:
        """Return the path of a shard's TFRecord file."""
        return self.artifact / unit.name

    def table(self, unit: ShardUnit, name: str) -> Path:
        """Return the path of a shard's table `images` or `rejected`."""
        return self.work / f"{unit.stem}.{name}.parquet"

    def result(self, unit: ShardUnit) -> Path:
        """Return the path of a shard's result, which is written last: the shard is done if it exists."""
        return self.work / f"{unit.stem}.json"


def write_shards(
    units: list[ShardUnit], settings: IngestSettings, folders: ShardFolders, *, labels: list[str]
) -> list[ShardResult]:
    """Write every shard of uint8 pixels that an earlier, interrupted run has not finished."""
    missing = [unit for unit in units if not folders.result(unit).exists()]
    if missing:
        total = sum(unit.images for unit in missing)
        tally = TotalTally(folders.tally)
        with watched("writing", total=total, count=tally.done, note=tally.note):
            worker = WriteShardDoFn(settings, folders, labels)
            large = total > LARGE or sum(unit.pixels for unit in missing) > LARGE_PIXELS
            run_units("write", missing, worker, settings=settings.beam, large=large)
    return [ShardResult(**json.loads(folders.result(unit).read_text(encoding="utf-8"))) for unit in units]


class WriteShardDoFn(UnitDoFn):
    """A worker that writes shards, their tables, and their results."""

    def __init__(self, settings: IngestSettings, folders: ShardFolders, labels: list[str]) -> None:
        super().__init__()
        self.settings = settings
        self.folders = folders
        self.label_index = {label: index for index, label in enumerate(labels)}
        self.images = Metrics.counter("ingest", "images")
        self.rejected = Metrics.counter("ingest", "rejected_images")

    def setup(self) -> None:
        """Open the sources, once per worker."""
        super().setup()
        self.sources = [open_source(source, self.settings.preprocess) for source in self.settings.sources]
        self.tally = Tally(self.folders.tally)

    def process(self, unit: ShardUnit) -> None:
        """Write one shard; in isolation, if an earlier attempt ended with its process."""
        preprocess = self.settings.preprocess
        with (
            attempt(self.folders.root, unit.stem) as interrupted,
            open_decoder(preprocess, isolated=interrupted) as decoder,
        ):
            self._write(unit, decoder)

    def _write(self, unit: ShardUnit, decoder: Decoder) -> None:
        preprocess = self.settings.preprocess
        images: list[dict[str, Any]] = []
        rejected: list[dict[str, Any]] = []
        labels: Counter[str] = Counter()
        count = grey = profiles_ignored = animated = frames_unused = 0
        total = np.zeros(preprocess.channels, np.int64)
        squares = np.zeros(preprocess.channels, np.int64)
        with atomic.replacing(self.folders.shard(unit)) as temporary, temporary.open("wb") as file:
            for row in unit.rows():
                try:
                    pixels, profile_ignored, frames = self._decode(row, decoder)
                except Rejected as error:
                    rejected.append({"key": row["key"], "reason": error.reason, "detail": error.detail})
                    self.tally.add(rejected=1)
                    continue
                windows = list(self._windows(pixels, row, split=unit.split))
                for window in windows:
                    label = -1 if row["label"] is None else self.label_index[row["label"]]
                    file.write(records.frame(records.encode_example(window, key=row["key"], label=label)))
                    sums, sums_of_squares = _sums(window)
                    total += sums
                    squares += sums_of_squares
                    count += 1
                grey += is_grey(windows[0])
                profiles_ignored += profile_ignored
                animated += frames > 1
                frames_unused += max(0, frames - 1)
                self.tally.add(done=1)
                images.append({**row, "split": unit.split, "shard": unit.name})
                if row["label"] is not None:
                    labels[row["label"]] += 1
        fields = tables.IMAGES.names
        tables.write_table(
            self.folders.table(unit, "images"), [{name: row[name] for name in fields} for row in images], tables.IMAGES
        )
        tables.write_table(self.folders.table(unit, "rejected"), rejected, tables.REJECTED)
        area = preprocess.stored_height * preprocess.stored_width
        result = ShardResult(
            split=unit.split,
            images=len(images),
            records=count,
            labels=dict(labels),
            pixels=count * area,
            total=total.tolist(),
            squares=squares.tolist(),
            grey=grey,
            profiles_ignored=profiles_ignored,
            animated=animated,
            frames_unused=frames_unused,
        )
        atomic.write_text(self.folders.result(unit), json.dumps(result.__dict__))
        self.tally.flush()
        self.images.inc(len(images))
        self.rejected.inc(len(rejected))

    def _read(self, row: ListedRow) -> RawImage:
        try:
            if row["unpacked"] is not None:
                return read_unpacked(self.folders.listing / row["unpacked"], row["place"])
            raw: RawImage = self.sources[row["source"]].read(row["place"])
            return raw
        except (OSError, ReadError) as error:
            return require_image(error)

    def _decode(self, row: ListedRow, decoder: Decoder) -> Decoded:
        raw = self._read(row)
        if sha256_of_image(raw) != row["sha256"]:
            raise Rejected(Reason.CHANGED, "listed, then other bytes: whoever writes there has not finished")
        return decoder.decode(raw, geometry=framing(self.settings.preprocess))

    def _windows(self, pixels: NDArray[np.uint8], row: ListedRow, *, split: str) -> Iterator[NDArray[np.uint8]]:
        """Yield the pixels that are stored of one image: once, or once per baked crop. [H', W', C]."""
        preprocess = self.settings.preprocess
        if preprocess.crop != "baked":
            yield pixels
            return
        crop = Crop(preprocess.height, preprocess.width)
        if split != "train":
            yield crop.map(pixels)
            return
        for copy in range(preprocess.crops_per_image):
            # The key is the image's and the copy's, so that the crop is the same in any shard and on any worker.
            key = (self.settings.seed << 64 | int(row["sha256"][:16], 16)) & (2**128 - 1)
            yield crop.random_map(pixels, np.random.Generator(np.random.Philox(key=key, counter=copy << 64)))


def _sums(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the exact sums of pixels and of their squares, per channel: [H, W, C] → [C] and [C].

    Rows are added first, in narrow integers: 14 times faster than over int64 pixels. 66,000 rows would overflow.
    """
    rows = pixels.reshape(pixels.shape[0], -1)

    def per_channel(values: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.int64]:
        columns = values.sum(axis=0, dtype=np.uint32).reshape(-1, pixels.shape[2])
        total: NDArray[np.int64] = columns.sum(axis=0, dtype=np.int64)
        return total

    return per_channel(rows), per_channel(np.square(rows, dtype=np.uint16))
