"""Which test images every generator is shown, as it sees them; and what the process of TensorFlow makes of them."""

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
from schemas.artifacts.records import Statistics, decode_example, read_records
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

Images = NDArray[np.uint8]  # [n, H, W, C]


@dataclass(frozen=True)
class Chosen:
    """Test images that all are shown.

    Attributes:
        run: Whose test images they are.
        images: As that run's network sees them.
        sha256: Of the files that they were made from.
        labels: Their names; None: it has none.
        passed: Why others before them were not taken, as a clause to come after them; "": all were.
    """

    run: Run
    images: Images
    sha256: list[str]
    labels: list[str | None]
    passed: str = ""


@dataclass(frozen=True)
class Made:
    """What a run's generator makes.

    Attributes:
        run: Which.
        latent_dim: D of its codes.
        saw: Test images as it sees them; None: it is shown none.
        note: How they got to be so, in sentences; or why it is shown none, as a clause.
        reconstructed: Of `saw`, as many.
        decoded: Of the codes that all with as many dimensions get.
        sampled: The first images of its own sampler.
    """

    run: Run
    latent_dim: int
    saw: Images | None
    note: str
    reconstructed: Images
    decoded: Images
    sampled: Images


def choose(runs: Sequence[Run]) -> Chosen | None:
    """The first test images, in their stored order, of the first run whose Examples are there; None: no run's are.

    Images that another run was trained on are passed over, unless there are no others.

    Raises:
        DataError: A shard or a table is broken.
    """
    base = next((run for run in runs if run.examples is not None), None)
    if base is None or base.examples is None:
        return None
    own = {key: sha for sha, (key, _) in _listed(base.examples, "test").items()}
    trained: set[str] = set()
    for run in runs:
        if run.examples is not None and run.examples.digest != base.examples.digest:
            trained |= _trained(run.examples)
    fresh = {key for key, sha in own.items() if sha not in trained}
    passed = " that no other run was trained on" if fresh and len(fresh) < len(own) else ""
    found = list(stored_images(base.examples, fresh or own.keys(), shards=base.examples.shards("test")))
    if not found:
        return None
    images = np.stack([pixels for _, pixels, _ in found])
    return Chosen(base, images, [own[key] for key, _, _ in found], [label for _, _, label in found], passed)


def make(runs: Sequence[Run], chosen: Chosen | None) -> list[Made]:
    """Asks every generator there is, in a process of its own.

    Raises:
        DataError: A manifest or a shard is broken.
        StageFailed: The process ended without images.
    """
    asked = [(run, run.generator) for run in runs if run.generator is not None]
    if not asked:
        return []
    with tempfile.TemporaryDirectory() as name:
        folder, shown = Path(name), []
        for number, (run, generator) in enumerate(asked):
            saw, numbers, note = shown_to(run, generator, chosen)
            shape = preprocess_of(generator)
            none = np.zeros((0, shape.height, shape.width, shape.channels), np.uint8)
            np.savez(folder / f"{number}.npz", images=none if saw is None else saw, numbers=numbers)
            shown.append((saw, note))
        saved = [generator.saved_model_path for _, generator in asked]
        run_module("pipeline.tools.compare.process", [folder, *saved], name="compare")
        return [_made(run, folder / f"{number}-out.npz", *shown[number]) for number, (run, _) in enumerate(asked)]


def _made(run: Run, path: Path, saw: Images | None, note: str) -> Made:
    with np.load(path, allow_pickle=False) as found:
        pictures = {name: found[name] for name in ("reconstructed", "decoded", "sampled")}
        return Made(run=run, latent_dim=int(found["latent_dim"]), saw=saw, note=note, **pictures)


def shown_to(run: Run, generator: Generator, chosen: Chosen | None) -> tuple[Images | None, NDArray[np.int64], str]:
    """Test images as a generator sees them, numbers of their labels, and how they got to be so or why there are none."""
    none = np.zeros(0, np.int64)
    if chosen is None or chosen.run.examples is None:
        return None, none, "no run has its Examples any more"
    numbers: NDArray[np.int64] = np.full(len(chosen.images), -1, np.int64)
    if generator.labels_path.exists():
        names = json.loads(generator.labels_path.read_bytes())
        strange = sorted({str(label) for label in chosen.labels if label not in names})
        if strange:
            return None, none, f"it takes labels, and knows none called {', '.join(strange[:5])}"
        numbers = np.array([names.index(label) for label in chosen.labels], np.int64)
    if run.evaluation.inputs[Examples.TYPE] == chosen.run.examples.digest:
        return chosen.images, numbers, ""
    preprocess = preprocess_of(generator)
    own = {} if run.examples is None else _own_pixels(run.examples, chosen.sha256)
    try:
        images = np.stack(
            [
                own[sha] if sha in own else prepare_image(image, preprocess)
                for sha, image in zip(chosen.sha256, chosen.images, strict=True)
            ]
        )
    except Rejected as error:
        return None, none, f"an image cannot be brought into its shape ({error})"
    return images, numbers, _how(run, chosen, preprocess, own)


def _how(run: Run, chosen: Chosen, preprocess: PreprocessSettings, own: Collection[str]) -> str:
    """How the images of another run's test split became what this run's network sees, in sentences."""
    height, width, channels = chosen.images.shape[1:]
    before, after = (
        f"{w} × {h} {'grey' if c == 1 else 'RGB'}"
        for h, w, c in ((height, width, channels), (preprocess.height, preprocess.width, preprocess.channels))
    )
    brought = f"brought from {before} to {after} as its recipe says" if before != after else "as they are there"
    origin = f"of {chosen.run.name}’s test split, {brought}"
    if len(own) == len(chosen.images):
        sentences = ["All are in its own test split, too: as its own Examples have them."]
    elif own:
        sentences = [f"{counted(len(own), 'image')} as its own Examples have them; the others are {origin}."]
    else:
        sentences = [f"None is in its own test split: they are {origin}."]
    if run.examples is not None and (seen := len(_trained(run.examples) & set(chosen.sha256))):
        sentences.append(f"It was trained on {seen} of them.")
    return " ".join(sentences)


def _own_pixels(examples: Examples, wanted: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """Pixels by sha256 of those images that are in these Examples' test split."""
    there = {sha: place for sha, place in _listed(examples, "test").items() if sha in wanted}
    keys = {key: sha for sha, (key, _) in there.items()}
    shards = [examples.path / shard for shard in sorted({shard for _, shard in there.values()})]
    return {keys[key]: pixels for key, pixels, _ in stored_images(examples, keys, shards=shards)}


def _listed(examples: Examples, *splits: str) -> dict[str, tuple[str, str]]:
    """By sha256 of images in some splits, their key and their shard."""
    columns = ["key", "sha256", "shard"]
    try:
        table = pq.read_table(examples.images_path, columns=columns, filters=[("split", "in", list(splits))])
    except (OSError, ValueError) as error:
        raise _broken(examples, str(error).splitlines()[0]) from None
    return {row["sha256"]: (row["key"], row["shard"]) for row in table.to_pylist()}


def _trained(examples: Examples) -> set[str]:
    return set(_listed(examples, "train", "validation"))


def stored_images(
    examples: Examples, wanted: Collection[str], *, shards: Sequence[Path]
) -> Iterator[tuple[str, NDArray[np.uint8], str | None]]:
    """Key, pixels [H, W, C] as the network sees them, and label of the first `COUNT` images with such a key."""
    found = Statistics.model_validate_json(examples.statistics_path.read_bytes())
    shape, crop = (found.stored_height, found.stored_width, found.channels), Crop(found.height, found.width)
    left = COUNT
    for path in shards:
        try:
            for record in read_records(path):
                stored, key, label = decode_example(record)
                if key not in wanted:
                    continue
                if isinstance(stored, bytes):
                    pixels = np.frombuffer(stored, np.uint8).reshape(shape)
                else:
                    values = np.asarray(stored).reshape(shape) * np.asarray(found.deviation) + np.asarray(found.mean)
                    pixels = np.clip(np.rint(values * 255.0), 0, 255).astype(np.uint8)
                yield key, crop.map(pixels), found.labels[label] if label >= 0 else None
                left -= 1
                if not left:
                    return
        except (OSError, ValueError) as error:
            raise _broken(examples, f"{path.name}: {str(error).splitlines()[0]}") from None


def _broken(examples: Examples, detail: str) -> DataError:
    return DataError(
        f"{examples.path}: expected whole Examples, found something else ({detail}); to make them again, "
        f"remove {examples.path}"
    )
