"""Chooses the test images that every generator is shown, and runs the generators in a process of their own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.images.geometry import Crop
from components.images.prepare import prepare_image, preprocess_of
from components.images.rejected import Rejected
from components.reporting.console import counted
from pipeline.core.child_process import run_module
from pipeline.tools.compare.process import COUNT
from pipeline.tools.compare.runs import Run
from schemas.artifacts.kinds import Examples, Generator
from schemas.artifacts.records import decode_example, read_records, read_statistics
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

Images = NDArray[np.uint8]  # [n, H, W, C]

SCATTER_COUNT = 2000  # images whose codes are drawn
SCATTER_BYTES = 1 << 27  # of their pixels: of large images there are fewer


@dataclass(frozen=True)
class SharedImages:
    """Test images that all generators are shown.

    Attributes:
        run: The run whose test images they are.
        images: As that run's network sees them.
        sha256: Of the files that they were made from.
        labels: Their names; None: an image without a label.
        label_names: All labels of the run's images.
        skipped: Why others before them were skipped, as a clause to follow them; "": none were.
    """

    run: Run
    images: Images
    sha256: list[str]
    labels: list[str | None]
    label_names: tuple[str, ...] = ()
    skipped: str = ""

    def first(self, count: int) -> SharedImages:
        """Return the first of them."""
        return SharedImages(
            self.run, self.images[:count], self.sha256[:count], self.labels[:count], self.label_names, self.skipped
        )


@dataclass(frozen=True)
class Inputs:
    """Test images as one generator sees them.

    Attributes:
        images: Their pixels; None: this generator cannot be shown the images.
        labels: Numbers of their labels.
        note: How the pixels were made, in sentences; or why there are none, as a clause.
    """

    images: Images | None
    labels: NDArray[np.int64]
    note: str


@dataclass(frozen=True)
class Outputs:
    """The images and codes that a run's generator makes.

    Attributes:
        run: Which run.
        latent_dim: D of its codes.
        inputs: The test images as it sees them.
        reconstructed: Its reconstructions of them.
        decoded: Of the codes that all generators with as many dimensions get.
        sampled: The first images of its own sampler.
        codes: Of many test images, for the scatter plot: [m, D].
    """

    run: Run
    latent_dim: int
    inputs: Inputs
    reconstructed: Images
    decoded: Images
    sampled: Images
    codes: NDArray[np.float32]


def choose_test_images(runs: Sequence[Run]) -> SharedImages | None:
    """Return the first test images, in their stored order, of the first run whose Examples still exist; None: no run's do.

    Images that another run was trained on are skipped, unless there are no others. At most `SCATTER_COUNT` are returned.

    Raises:
        DataError: A shard or a table is broken.
    """
    base = next((run for run in runs if run.examples is not None), None)
    if base is None or base.examples is None:
        return None
    sha256_of = {key: sha256 for sha256, (key, _) in _listed(base.examples, "test").items()}
    trained: set[str] = set()
    for run in runs:
        if run.examples is not None and run.examples.digest != base.examples.digest:
            trained |= _trained(run.examples)
    unseen = {key for key, sha256 in sha256_of.items() if sha256 not in trained}
    skipped = " that no other run was trained on" if unseen and len(unseen) < len(sha256_of) else ""
    stored = list(
        stored_images(
            base.examples,
            unseen or sha256_of.keys(),
            shards=base.examples.shards("test"),
            most=_scatter_count(runs, base.examples),
        )
    )
    if not stored:
        return None
    return SharedImages(
        base,
        images=np.stack([pixels for _, pixels, _ in stored]),
        sha256=[sha256_of[key] for key, _, _ in stored],
        labels=[label for _, _, label in stored],
        label_names=tuple(read_statistics(base.examples).labels),
        skipped=skipped,
    )


def _scatter_count(runs: Sequence[Run], examples: Examples) -> int:
    statistics = read_statistics(examples)
    shapes = [preprocess_of(run.generator) for run in runs if run.generator is not None]
    sizes = [shape.height * shape.width * shape.channels for shape in shapes]
    largest = max([statistics.height * statistics.width * statistics.channels, *sizes])
    return min(SCATTER_COUNT, max(COUNT, SCATTER_BYTES // largest))


def run_generators(runs: Sequence[Run], test_images: SharedImages | None) -> list[Outputs]:
    """Run every generator there is, in a process of its own.

    Raises:
        DataError: A manifest or a shard is broken.
        StageFailed: The process ended without images.
    """
    generators = [(run, run.generator) for run in runs if run.generator is not None]
    if not generators:
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        all_inputs = []
        for number, (run, generator) in enumerate(generators):
            of_row = inputs_of(run, generator, test_images and test_images.first(COUNT))
            of_scatter = inputs_of(run, generator, test_images)
            shape = preprocess_of(generator)
            none = np.zeros((0, shape.height, shape.width, shape.channels), np.uint8)
            np.savez(
                folder / f"{number}.npz",
                images=none if of_row.images is None else of_row.images,
                labels=of_row.labels,
                scatter_images=none if of_scatter.images is None else of_scatter.images,
                scatter_labels=of_scatter.labels,
            )
            all_inputs.append(of_row)
        saved_models = [generator.saved_model_path for _, generator in generators]
        run_module("pipeline.tools.compare.process", [folder, *saved_models], name="compare")
        return [
            _outputs(run, folder / f"{number}-out.npz", all_inputs[number])
            for number, (run, _) in enumerate(generators)
        ]


def _outputs(run: Run, path: Path, inputs: Inputs) -> Outputs:
    names = ("reconstructed", "decoded", "sampled", "codes")
    with np.load(path, allow_pickle=False) as arrays:
        return Outputs(
            run=run, latent_dim=int(arrays["latent_dim"]), inputs=inputs, **{name: arrays[name] for name in names}
        )


def inputs_of(run: Run, generator: Generator, test_images: SharedImages | None) -> Inputs:
    """Return test images as a run's generator sees them."""
    if test_images is None or test_images.run.examples is None:
        return Inputs(None, np.zeros(0, np.int64), "no run has its Examples any more")
    labels: NDArray[np.int64] = np.full(len(test_images.images), -1, np.int64)
    if generator.labels_path.exists():
        names = json.loads(generator.labels_path.read_bytes())
        unknown = sorted({str(label) for label in test_images.labels if label not in names})
        if unknown:
            return Inputs(None, labels[:0], f"it takes labels, and knows none called {', '.join(unknown[:5])}")
        labels = np.array([names.index(label) for label in test_images.labels], np.int64)
    if run.evaluation.inputs[Examples.TYPE] == test_images.run.examples.digest:
        return Inputs(test_images.images, labels, "")
    preprocess = preprocess_of(generator)
    own = {} if run.examples is None else _own_pixels(run.examples, test_images.sha256)
    try:
        images = np.stack(
            [
                own[sha256] if sha256 in own else prepare_image(image, preprocess)
                for sha256, image in zip(test_images.sha256, test_images.images, strict=True)
            ]
        )
    except Rejected as error:
        return Inputs(None, labels[:0], f"an image cannot be brought into its shape ({error})")
    return Inputs(images, labels, _origin(run, test_images, preprocess, own))


def _origin(run: Run, test_images: SharedImages, preprocess: PreprocessSettings, own: Collection[str]) -> str:
    """Say how the images of another run's test split became the pixels that this run's network sees, in sentences."""
    height, width, channels = test_images.images.shape[1:]
    before, after = (
        f"{w} × {h} {'grey' if c == 1 else 'RGB'}"
        for h, w, c in ((height, width, channels), (preprocess.height, preprocess.width, preprocess.channels))
    )
    change = f"brought from {before} to {after} as its recipe says" if before != after else "as they are there"
    origin = f"of {test_images.run.name}’s test split, {change}"
    if len(own) == len(test_images.images):
        sentences = ["All are in its own test split, too: as its own Examples have them."]
    elif own:
        sentences = [f"{counted(len(own), 'image')} as its own Examples have them; the others are {origin}."]
    else:
        sentences = [f"None is in its own test split: they are {origin}."]
    if run.examples is not None and (trained := len(_trained(run.examples) & set(test_images.sha256))):
        sentences.append(f"It was trained on {trained} of them.")
    return " ".join(sentences)


def _own_pixels(examples: Examples, sha256: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """Return pixels by sha256 of those images that are in these Examples' test split."""
    requested = set(sha256)
    places = {sha: place for sha, place in _listed(examples, "test").items() if sha in requested}
    sha256_of = {key: sha for sha, (key, _) in places.items()}
    shards = [examples.path / shard for shard in sorted({shard for _, shard in places.values()})]
    stored = stored_images(examples, sha256_of, shards=shards, most=len(sha256_of))
    return {sha256_of[key]: pixels for key, pixels, _ in stored}


def _listed(examples: Examples, *splits: str) -> dict[str, tuple[str, str]]:
    """Return key and shard of the images in some splits, by the sha256 of their files."""
    columns = ["key", "sha256", "shard"]
    try:
        table = pq.read_table(examples.images_path, columns=columns, filters=[("split", "in", list(splits))])
    except (OSError, ValueError) as error:
        raise _broken(examples, str(error).splitlines()[0]) from None
    return {row["sha256"]: (row["key"], row["shard"]) for row in table.to_pylist()}


def _trained(examples: Examples) -> set[str]:
    return set(_listed(examples, "train", "validation"))


def stored_images(
    examples: Examples, keys: Collection[str], *, shards: Sequence[Path], most: int
) -> Iterator[tuple[str, NDArray[np.uint8], str | None]]:
    """Yield key, pixels [H, W, C] as the network sees them, and label of the first `most` images with such a key."""
    statistics = read_statistics(examples)
    shape = (statistics.stored_height, statistics.stored_width, statistics.channels)
    crop = Crop(statistics.height, statistics.width)
    deviation, mean = np.asarray(statistics.deviation), np.asarray(statistics.mean)
    count = 0
    for path in shards:
        try:
            for record in read_records(path):
                if count >= most:
                    return
                stored, key, label = decode_example(record)
                if key not in keys:
                    continue
                if isinstance(stored, bytes):
                    pixels = np.frombuffer(stored, np.uint8).reshape(shape)
                else:
                    values = np.asarray(stored).reshape(shape) * deviation + mean
                    pixels = np.clip(np.rint(values * 255.0), 0, 255).astype(np.uint8)
                yield key, crop.map(pixels), statistics.labels[label] if label >= 0 else None
                count += 1
        except (OSError, ValueError) as error:
            raise _broken(examples, f"{path.name}: {str(error).splitlines()[0]}") from None


def _broken(examples: Examples, detail: str) -> DataError:
    return DataError(
        f"{examples.path}: expected whole Examples, found something else ({detail}); to make them again, "
        f"remove {examples.path}"
    )
