"""Whether a set has room on the disk, before hours are spent on it."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path

from components.generate.plan import plan_files
from components.generate.render import RenderDoFn
from components.generate.writers import ArrayFile, Target
from components.reporting.numbers import data_size
from schemas.errors import DataError

MANY = 20_000  # images from which on a look pays
LOOKED_AT = 256  # images that are made for it


def look_for_room(worker: RenderDoFn, *, images: int, shape: tuple[int, int, int]) -> int:
    """Bytes on the disk that so many images are going to take, by what the first ones take.

    Raises:
        DataError: There is less room.
    """
    height, width, channels = shape
    (unit,) = plan_files(range(LOOKED_AT), image_bytes=height * width * channels)[:1]
    with tempfile.TemporaryDirectory(dir=worker.work) as folder:
        probe = copy.copy(worker)
        probe.work = Path(folder, "work")
        probe.target = Target(Path(folder, "artifact"), unit.images, worker.target.label_folders)
        if worker.wanted.format == "npy":
            ArrayFile.prepare(probe.target, shape)
        probe.setup()
        probe.write_file(unit)
        # Blocks, because a small file takes a whole one.
        taken = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*") if path.is_file())
    needed, free = taken * images // unit.images, shutil.disk_usage(worker.target.artifact).free
    if needed > free:
        raise DataError(
            f"{worker.target.artifact}: expected {data_size(needed)} on the disk for {images:,} images as "
            f"{worker.wanted.format}, found {data_size(free)}; fewer images (N), another format (FORMAT) or another disk (RUNS)"
        )
    return needed
