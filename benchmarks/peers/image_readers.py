"""One peer of `ingest`, in two processes over the same images; prints the seconds, counted from when both processes are ready.

    python -m benchmarks.peers.image_readers PEER LIST SIZE FOLDER

LIST is a file with a path per line. Each image becomes SIZE × SIZE pixels, RGB, as the peer does it by default: the image covers
the frame, and what is outside of it is cut. `bare` is our own decoding and writing of shards without anything else of ingest; it
writes to FOLDER, as ingest does. The others keep nothing.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

PROCESSES = 2

ReadImage = Callable[[Path], None]


def pillow(size: int, folder: Path) -> ReadImage:
    """Decode in full, and resize with LANCZOS."""
    from PIL import Image, ImageOps

    def read(path: Path) -> None:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS).tobytes()

    return read


def img2dataset(size: int, folder: Path) -> ReadImage:
    """Call img2dataset's Resizer: OpenCV, area interpolation, encoded again as JPEG."""
    from img2dataset.resizer import Resizer

    resizer = Resizer(size, "center_crop", False)

    def read(path: Path) -> None:
        *_, error = resizer(io.BytesIO(path.read_bytes()))
        if error:
            raise RuntimeError(error)

    return read


def bare(size: int, folder: Path) -> ReadImage:
    """Decode as ingest does, and write records to shards as ingest does."""
    from components.images.decode import decode
    from components.images.geometry import framing
    from components.ingest.plan import SHARD_BYTES, SHARD_RECORDS
    from schemas.artifacts import records
    from schemas.recipe.preprocess import PreprocessSettings

    preprocess = PreprocessSettings(height=size, width=size, channels=3)
    geometry = framing(preprocess)
    per_shard = min(SHARD_RECORDS, SHARD_BYTES // (size * size * 3))
    count = 0
    shard: BinaryIO

    def read(path: Path) -> None:
        nonlocal count, shard
        if count % per_shard == 0:
            shard = (folder / f"{multiprocessing.current_process().pid}-{count}").open("wb")
        count += 1
        pixels = decode(path.read_bytes(), preprocess, geometry=geometry)
        shard.write(records.frame(records.encode_example(pixels, key=path.name, label=0)))

    return read


def tensorflow_seconds(paths: list[Path], size: int) -> float:
    """Read with Keras's directory data set, whose own threads use both cores."""
    import keras

    root = paths[0].parents[1]
    data = keras.utils.image_dataset_from_directory(
        root, image_size=(size, size), crop_to_aspect_ratio=True, shuffle=False, verbose=False
    )
    start = time.perf_counter()
    for _ in data:
        pass
    return time.perf_counter() - start


PEERS = {"pillow": pillow, "img2dataset": img2dataset, "bare": bare}


def _work(peer: str, paths: list[Path], size: int, folder: Path, ready: Any, ends: Any) -> None:
    """Read the images once all processes are ready; put the time of the end into `ends`."""
    read = PEERS[peer](size, folder)
    read(paths[0])  # imports and first calls
    ready.wait()
    for path in paths:
        read(path)
    ends.put(time.perf_counter())


def main() -> None:
    """Time one peer."""
    peer, size, folder = sys.argv[1], int(sys.argv[3]), Path(sys.argv[4])
    paths = [Path(line) for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()]
    if peer == "tensorflow":
        print(tensorflow_seconds(paths, size))
        return
    context = multiprocessing.get_context("spawn")
    ready, ends = context.Barrier(PROCESSES + 1), context.Queue()
    parts = [paths[number::PROCESSES] for number in range(PROCESSES)]
    processes = [context.Process(target=_work, args=(peer, part, size, folder, ready, ends)) for part in parts]
    for process in processes:
        process.start()
    ready.wait()
    start = time.perf_counter()  # one clock for all processes of a machine
    end = max(ends.get() for _ in processes)
    for process in processes:
        process.join()
    print(end - start)


if __name__ == "__main__":
    main()
