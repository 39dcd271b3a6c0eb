"""What the tests of stages share: tiny Examples, a tiny model, a seal, small image files.

TensorFlow is imported by the fixtures that need it, not here.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import describe
from PIL import Image

from schemas.artifacts.kinds import Examples
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.records import SPLITS, encode_example, frame
from schemas.recipe.model import BernoulliLoss, DenseModel, LossSettings
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.recipe import BeamSection
from schemas.recipe.settings import IngestSettings
from schemas.recipe.sources import FolderSource

Array = np.ndarray[Any, Any]
SIZE = 8  # pixels, in height and width
COUNTS = {"train": 64, "validation": 16, "test": 16}
SHARDS = 2  # per split


def bar(number: int, *, channels: int) -> np.ndarray[Any, Any]:
    """Return a bright bar on black, lying or standing, whose place and brightness follow from the number: [8, 8, C], uint8."""
    pixels = np.zeros((SIZE, SIZE, channels), np.uint8)
    place, brightness = number // 2 % SIZE, 255 - 40 * (number // 16 % 4)
    if number % 2:
        pixels[place, :, number % channels] = brightness
    else:
        pixels[:, place, number % channels] = brightness
    return pixels


def half(number: int, *, channels: int) -> np.ndarray[Any, Any]:
    """Left half bright where the number is even, right half where it is odd, more or less so: [8, 8, C], uint8."""
    pixels = np.zeros((SIZE, SIZE, channels), np.uint8)
    pixels[:, SIZE // 2 * (number % 2) :][:, : SIZE // 2] = 255 - 20 * (number // 2 % 6)
    return pixels


HALVES = ("left", "right")  # labels of these, by number


@pytest.fixture(scope="session")
def write_idx() -> Callable[[Path, Array], Path]:
    """Write unsigned bytes of any shape as an IDX file, gzipped where its name says so."""

    def write(path: Path, values: Array) -> Path:
        header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
        data = header + values.astype(np.uint8).tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture(scope="session")
def write_photos() -> Callable[..., Path]:
    """Make a folder of RGB images of noise, as PNG: ``write_photos(folder, 30)`` writes 000.png to 029.png."""

    def write(folder: Path, count: int, *, height: int = 12, width: int = 16, seed: int = 0) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for number in range(count):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def ingest_into() -> Callable[..., tuple[Examples, dict[str, int]]]:
    """Run ingest in this process: ``ingest_into(folder, photos, crop="fresh")`` gives the Examples and the counts.

    A second call on the same folder resumes the first, as after a kill.
    """

    def run(folder: Path, *sources: Any, seed: int = 0, **preprocess: Any) -> tuple[Examples, dict[str, int]]:
        from components.ingest.component import ingest as ingest_stage

        beam = {name: preprocess.pop(name) for name in ("workers", "options") if name in preprocess}
        small = {"height": 8, "width": 8, "channels": 3, "validation": 0.2, "test": 0.2}
        settings = IngestSettings(
            seed=seed,
            sources=tuple(
                FolderSource(kind="folder", path=str(source)) if isinstance(source, Path) else source
                for source in sources
            ),
            preprocess=PreprocessSettings(**{**small, **preprocess}),
            beam=BeamSection(**beam),
        )
        examples = Examples(folder / "examples", work=folder / "work")
        examples.path.mkdir(parents=True, exist_ok=True)
        examples.work.mkdir(parents=True, exist_ok=True)
        return examples, ingest_stage(examples, settings)

    return run


@pytest.fixture(scope="session")
def make_examples() -> Callable[..., Examples]:
    """Write Examples of bars: ``make_examples(folder, channels=3)``, 64 to train, 16 to validate, 16 to test.

    With ``halves=True`` they are of bright halves instead, whose label says which one.
    """

    def make(folder: Path, *, channels: int = 1, halves: bool = False) -> Examples:
        draw, labels = (half, HALVES) if halves else (bar, ())
        examples = Examples(folder)
        numbers = iter(range(sum(COUNTS.values())))
        for split in SPLITS:
            for shard in range(SHARDS):
                drawn = [next(numbers) for _ in range(COUNTS[split] // SHARDS)]
                framed = [
                    frame(
                        encode_example(
                            draw(number, channels=channels),
                            key=f"{number}.png",
                            label=number % len(labels) if labels else -1,
                        )
                    )
                    for number in drawn
                ]
                path = examples.split(split) / f"data_tfrecord-{shard:05d}-of-{SHARDS:05d}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"".join(framed))
        per_label = {split: {label: COUNTS[split] // len(labels) for label in labels} for split in SPLITS}
        statistics = describe(SIZE, SIZE, channels, images=COUNTS, labels=list(labels), images_per_label=per_label)
        examples.statistics_path.write_text(statistics.model_dump_json())
        return examples

    return make


@pytest.fixture(scope="session")
def tiny_examples(make_examples: Callable[..., Examples], tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Examples of grey bars; no test changes them."""
    return make_examples(tmp_path_factory.mktemp("tiny-examples"))


@pytest.fixture(scope="session")
def labelled_examples(make_examples: Callable[..., Examples], tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Examples of bright halves, labelled `left` and `right`; no test changes them."""
    return make_examples(tmp_path_factory.mktemp("labelled-examples"), halves=True)


@pytest.fixture(scope="session")
def tiny_model() -> DenseModel:
    """One hidden layer of 16 units."""
    return DenseModel(network="dense", latent_dim=2, hidden=(16,))


@pytest.fixture(scope="session")
def make_vae(tiny_model: DenseModel) -> Callable[..., Any]:
    """Build an untrained VAE, with weights large enough that its images differ: ``make_vae(channels=3)``.

    Conditional with labels and how many training images each has: ``make_vae(labels={"left": 3, "right": 1})``.
    """

    def make(
        *,
        channels: int = 1,
        latent_dim: int = 3,
        seed: int = 1,
        loss: LossSettings | None = None,
        labels: dict[str, int] | None = None,
    ) -> Any:
        from models.build import build_vae

        counts = labels or {}
        vae = build_vae(
            tiny_model.model_copy(update={"latent_dim": latent_dim, "conditional": bool(counts)}),
            loss or BernoulliLoss(likelihood="bernoulli"),
            describe(
                SIZE,
                SIZE,
                channels,
                images={"train": sum(counts.values()), "validation": 0, "test": 0},
                labels=list(counts),
                images_per_label={"train": counts},
            ),
            seed=seed,
        )
        vae.set_weights([weight * 2 for weight in vae.get_weights()])
        return vae

    return make


@pytest.fixture(scope="session")
def seal() -> Callable[..., None]:
    """Seals an artifact as the pipeline does after its stage: ``seal(generator, Model="12ab…")``.

    `manifest` holds further fields of its manifest.
    """

    def do(artifact: Artifact, *, manifest: Mapping[str, Any] = MappingProxyType({}), **inputs: str) -> None:
        fields = {"settings": {}, "counts": {}, "recipe": {}, "versions": {}, **manifest}
        artifact.seal(inputs=inputs, **fields, duration_seconds=0.0, created="today")

    return do
