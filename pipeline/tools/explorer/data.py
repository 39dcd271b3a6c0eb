"""Writes the data of the explorer's page: encoded test images, their places on its maps, the generator's ONNX files.

It runs in a child process, because it loads TensorFlow: ``python -m pipeline.tools.explorer.data GENERATOR EXAMPLES
FOLDER FD``, with digests of everything that the page is made from as JSON on standard input.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from components.images.contact_sheet import pillow_images
from components.images.geometry import Crop
from components.images.prepare import preprocess_of
from components.images.sheets import Layout, lay_out
from components.workers.child import run_as_child
from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Examples, Generator
from schemas.hashing import sha256_of_each

FORMAT = 1  # of explorer.json; the page reads no other
POINTS = 1000  # test images, at most
DIRECTIONS = 8  # principal ones, at most
SHEET_COLUMNS, SHEET_SIDE = 32, 48  # small images per row; pixels of the longer side, at most
PERPLEXITY = 30.0  # of t-SNE, where there are images enough
SIGNATURES = ("decode", "encode", "sample")
BATCH = 64


def write_data(generator: Generator, examples: Examples, folder: Path, *, made_from: dict[str, str]) -> None:
    """Write the folder ``data`` of an explorer.

    Args:
        generator: A generator with ONNX files.
        examples: The Examples whose test images are encoded.
        folder: The folder, which does not exist yet.
        made_from: Digests that identify this explorer.
    """
    folder.mkdir()
    about = Description.model_validate_json(generator.description_path.read_bytes())
    recipe = generator.manifest.recipe
    images, labels, names = read_images(examples)
    for signature in SIGNATURES:
        shutil.copy(generator.path / "onnx" / f"{signature}.onnx", folder)
    codes = encode(folder / "encode.onnx", images, labels if about.labels else None)
    principal = principal_directions(codes)
    maps = maps_of(codes, principal)
    codes.astype("<f4").tofile(folder / "codes.f32")
    labels.astype("<i4").tofile(folder / "labels.i32")
    for kind, places in maps.items():
        places.astype("<f4").tofile(folder / f"{kind}.f32")
    sheet(images).save(folder / "sheet.webp", quality=90, method=6)
    preprocess = preprocess_of(generator)
    height, width, channels = about.image_shape
    files = sorted(path for path in folder.iterdir())
    description = {
        "format": FORMAT,
        "recipe": recipe["name"],
        "title": recipe["title"] or recipe["name"],
        "generator": generator.digest,
        "made_from": made_from,
        "sampler": about.sampler,
        "height": height,
        "width": width,
        "channels": channels,
        "latent_dim": about.latent_dim,
        "conditional": bool(about.labels),
        "labels": list(about.labels) or names,
        "geometry": preprocess.geometry,
        "background": list(preprocess.background),
        "points": len(codes),
        "principal": {name: np.round(values, 6).tolist() for name, values in asdict(principal).items()},
        "maps": list(maps),
        "sheet": {"columns": SHEET_COLUMNS, "side": min(SHEET_SIDE, max(height, width))},
        "files": {
            path.name: {"size": path.stat().st_size, "sha256": sha256}
            for path, sha256 in zip(files, sha256_of_each(files), strict=True)
        },
    }
    (folder / "explorer.json").write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")


def read_images(examples: Examples) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Return the first test images, prepared for the network [n, H, W, C], their labels [n] (−1: none), and the labels' names."""
    from components.examples.dataset import labelled_batches, readable
    from schemas.artifacts.records import read_statistics

    statistics = read_statistics(examples)
    centre = Crop(statistics.height, statistics.width)
    with readable(examples):
        batches = list(labelled_batches(examples, "test", batch_size=BATCH, limit=POINTS).as_numpy_iterator())
    images = np.stack([centre.map(image) for pixels, _ in batches for image in pixels])
    return images, np.concatenate([labels for _, labels in batches]), list(statistics.labels)


def encode(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """Return the means of the images' posteriors, [n, D], computed with the same file that the page runs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parts = []
    for first in range(0, len(images), BATCH):
        feeds: dict[str, Any] = {"images": images[first : first + BATCH]}
        if labels is not None:
            feeds["labels"] = np.maximum(labels[first : first + BATCH], 0)
        parts.append(session.run(["mean"], feeds)[0])
    return np.concatenate(parts)


@dataclass(frozen=True)
class Principal:
    """The directions in which codes vary most.

    Attributes:
        mean: Of the codes: [D].
        components: The directions, each of length 1: [K, D].
        deviations: Standard deviations along them: [K].
        explained: Their shares of the variance: [K].
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    deviations: NDArray[np.float64]
    explained: NDArray[np.float64]


def principal_directions(codes: NDArray[np.float32]) -> Principal:
    """Return the principal components of codes [n, D], from the singular values of the centred codes."""
    mean = codes.mean(axis=0, dtype=np.float64)
    _, singular, rows = np.linalg.svd(codes - mean, full_matrices=False)
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[
        :, None
    ]  # of two equal choices always the same one
    count = min(DIRECTIONS, len(rows))
    variances = singular**2
    return Principal(
        mean=mean,
        components=rows[:count],
        deviations=np.sqrt(variances[:count] / max(1, len(codes) - 1)),
        explained=variances[:count] / max(variances.sum(), 1e-12),
    )


def maps_of(codes: NDArray[np.float32], principal: Principal) -> dict[str, NDArray[np.float64]]:
    """Return each code's place on each map, [n, 2]: the latent space itself up to two dimensions, otherwise two views of it."""
    if codes.shape[1] <= 2:
        return {"latent": np.pad(codes.astype(np.float64), ((0, 0), (0, 2 - codes.shape[1])))}
    places = (codes - principal.mean) @ principal.components.T
    maps = {"principal": np.pad(places[:, :2], ((0, 0), (0, max(0, 2 - places.shape[1]))))}
    if len(codes) > 3 * 5:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):  # always sums in the same order
            perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
            maps["tsne"] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(codes)
    return maps


def sheet(images: NDArray[np.uint8]) -> Image.Image:
    """Return all images on one sheet, small, in rows of `SHEET_COLUMNS` square cells."""
    side = min(SHEET_SIDE, max(images.shape[1:3]))
    small = [ImageOps.pad(image.convert("RGB"), (side, side), color="white") for image in pillow_images(images)]
    layout = Layout(len(images), SHEET_COLUMNS, height=side, width=side)
    return Image.fromarray(lay_out(np.stack([np.asarray(image) for image in small]), layout, background=255))


def main(generator: str, examples: str, folder: str) -> None:
    """Write FOLDER from a generator and Examples."""
    from components.engine.device import prepare_device

    prepare_device()
    made_from = json.loads(sys.stdin.buffer.read())
    write_data(Generator(Path(generator)), Examples(Path(examples)), Path(folder), made_from=made_from)


if __name__ == "__main__":
    sys.exit(run_as_child(main))
