"""One peer of `ingest`, in two processes over the same images; prints the seconds from the moment when both are ready.

    python benchmarks/ingest_peers.py PEER LIST SIZE FOLDER

LIST is a file with a path per line; each image is brought to SIZE × SIZE pixels, RGB, as the peer does it by default: the
frame is covered, what stands over is cut. `bare` is our own decode and shards without anything else of ingest; it writes to
FOLDER, as ingest does. The others keep nothing.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROCESSES = 2


def pillow(size: int, folder: Path) -> Callable[[Path], None]:
    """Decoding in full, and LANCZOS."""
    from PIL import Image, ImageOps

    def one(path: Path) -> None:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.LANCZOS).tobytes()

    return one


def img2dataset(size: int, folder: Path) -> Callable[[Path], None]:
    """Its Resizer: OpenCV, area interpolation, encoded again as JPEG."""
    from img2dataset.resizer import Resizer

    resizer = Resizer(size, "center_crop", False)

    def one(path: Path) -> None:
        *_, error = resizer(io.BytesIO(path.read_bytes()))
        if error:
            raise RuntimeError(error)

    return one


def bare(size: int, folder: Path) -> Callable[[Path], None]:
    """Our decode, and our records in shards."""
    from components.images.decode import decode
    from components.images.geometry import framing
    from components.ingest.plan import SHARD_BYTES, SHARD_RECORDS
    from schemas.artifacts import records
    from schemas.recipe.preprocess import PreprocessSettings

    preprocess = PreprocessSettings(height=size, width=size, channels=3)
    geometry = framing(preprocess)
    per_shard = min(SHARD_RECORDS, SHARD_BYTES // (size * size * 3))
    count, file = 0, None

    def one(path: Path) -> None:
        nonlocal count, file
        if count % per_shard == 0:
            file = (folder / f"{multiprocessing.current_process().pid}-{count}").open("wb")
        count += 1
        pixels = decode(path.read_bytes(), preprocess, geometry=geometry)
        file.write(records.frame(records.encode_example(pixels, key=path.name, label=0)))

    return one


def tensorflow(paths: list[Path], size: int) -> float:
    """Its directory data set, whose own threads use both cores."""
    import keras

    root = paths[0].parents[1]
    data = keras.utils.image_dataset_from_directory(
        root, image_size=(size, size), crop_to_aspect_ratio=True, shuffle=False, verbose=False
    )
    began = time.perf_counter()
    for _ in data:
        pass
    return time.perf_counter() - began


PEERS = {"pillow": pillow, "img2dataset": img2dataset, "bare": bare}


def _work(peer: str, paths: list[Path], size: int, folder: Path, ready: object, ends: object) -> None:
    one = PEERS[peer](size, folder)
    one(paths[0])  # imports and first calls
    ready.wait()
    for path in paths:
        one(path)
    ends.put(time.perf_counter())


def main() -> None:
    """See the module."""
    peer, size, folder = sys.argv[1], int(sys.argv[3]), Path(sys.argv[4])
    paths = [Path(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    if peer == "tensorflow":
        print(tensorflow(paths, size))
        return
    context = multiprocessing.get_context("spawn")
    ready, ends = context.Barrier(PROCESSES + 1), context.Queue()
    parts = [paths[number::PROCESSES] for number in range(PROCESSES)]
    processes = [context.Process(target=_work, args=(peer, part, size, folder, ready, ends)) for part in parts]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()  # one clock for all processes of a machine
    last = max(ends.get() for _ in processes)
    for process in processes:
        process.join()
    print(last - began)


if __name__ == "__main__":
    main()
