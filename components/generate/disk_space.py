"""Check that the disk has space for a set, before hours are spent on it."""

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

MANY = 20_000  # from this number of images on, the check is worth its time
PROBED = 256  # images that are made for the check


def check_disk_space(worker: RenderDoFn, *, images: int, shape: tuple[int, int, int]) -> int:
    """Return the bytes on the disk that the images are going to take, estimated from the first ones.

    Raises:
        DataError: The disk has less space.
    """
    height, width, channels = shape
    (unit,) = plan_files(range(PROBED), image_bytes=height * width * channels)[:1]
    with tempfile.TemporaryDirectory(dir=worker.work) as folder:
        probe = copy.copy(worker)
        probe.work = Path(folder, "work")
        probe.target = Target(Path(folder, "artifact"), unit.images, worker.target.label_folders)
        if worker.section.format == "npy":
            ArrayFile.prepare(probe.target, shape)
        probe.setup()
        probe.write_file(unit)
        # The disk's blocks are counted, because a small file takes a whole one.
        used = sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("*") if path.is_file())
    needed, free = used * images // unit.images, shutil.disk_usage(worker.target.artifact).free
    if needed > free:
        raise DataError(
            f"{worker.target.artifact}: expected {data_size(needed)} on the disk for {images:,} images as "
            f"{worker.section.format}, found {data_size(free)}; try fewer images (N), another format (FORMAT) or another "
            "disk (RUNS)"
        )
    return needed
