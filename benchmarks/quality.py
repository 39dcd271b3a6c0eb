"""How good recipes' new images are, beside each other's and those of pythae's VAE, trained for the same time on the same machine.

    python benchmarks/quality.py runs/fashion_mnist_best --pythae-python …/python
    python benchmarks/quality.py runs/clothes_best runs/fashion_products

The recipes' models must have been trained (`make train`); all are set beside the images of the first one. pythae
(`benchmarks/pythae_peer.py`, in an environment of its own) is given the time that the first model's manifest says it took.
Fréchet and kernel distance are from the test images, in the features of one network, the same for all rows: a classifier of the
real training images; where these have no labels, the network of random weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.engine.device import prepare_device
from components.evaluate.samples.classifier import feature_network, unlabelled
from components.evaluate.samples.features import FeatureSpace, classifier_space, features_of, random_space
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.judge import SCALED, classifier_of, real_images
from components.evaluate.samples.kid import kernel_distance
from components.evaluate.samples.new_images import new_images, shared_labels
from components.evaluate.samples.sampler_choice import samplers_of
from components.examples.dataset import readable
from components.examples.training_images import TrainingImages
from components.reporting.console import bar
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

SEED = 0


def main() -> None:
    """Prints a line per sampler, and one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument(
        "runs", type=Path, nargs="+", help="folders of recipes' artifacts, such as runs/fashion_mnist_best"
    )
    arguments.add_argument("--count", type=int, default=10_000, help="images of each set")
    arguments.add_argument("--pythae-python", type=Path, help="a Python with pythae; none: without it")
    arguments.add_argument(
        "--minutes", type=float, help="that pythae trains; as long as the recipe's model took, if not given"
    )
    given = arguments.parse_args()
    prepare_device()
    trained = [_trained(run) for run in given.runs]
    vae, images = trained[0]
    count = min(given.count, images.statistics.records["test"], images.count)
    minutes = given.minutes or Model(given.runs[0] / "model").manifest.duration_seconds / 60
    with tempfile.TemporaryDirectory() as folder:
        peers = {}
        if given.pythae_python:
            peers = _pythae(vae, images, folder=Path(folder), python=given.pythae_python, minutes=minutes, count=count)
        space = _space(vae, images)
        found = _distances(dict(zip(given.runs, trained, strict=True)), space=space, peers=peers, count=count)
    for name, row in found.items():
        low, high = row["kernel_interval"]
        interval = "" if low is None else f" ({low:.5f} to {high:.5f})"  # none of so few images
        print(f"{name:34} Fréchet {row['frechet']:9.4f}   kernel {row['kernel']:9.5f}{interval}")
    print(json.dumps({"minutes": minutes, "images": count, "space": space.name, "sets": found}))


def _space(vae: VAE, images: TrainingImages) -> FeatureSpace:
    """The network that knows most of such images."""
    if unlabelled(images) is not None:
        return random_space(vae.image_shape)
    some = next(iter(real_images(vae, images.examples, split="train", count=SCALED)))
    return classifier_space(feature_network(classifier_of(vae, images, seed=SEED, bar=bar), some))


def _pythae(
    vae: VAE, images: TrainingImages, *, folder: Path, python: Path, minutes: float, count: int
) -> dict[str, NDArray[np.float32]]:
    """Images of pythae's VAE, from its own samplers: [count, H, W, C] each, scale 0 to 1."""
    pixels = np.concatenate(list(real_images(vae, images.examples, split="train", count=images.count)))
    np.save(folder / "train.npy", np.rint(pixels * 255.0).astype(np.uint8))
    script, made = Path(__file__).with_name("pythae_peer.py"), folder / "made.npz"
    command = [python, script, folder / "train.npy", made, "--minutes", str(minutes), "--count", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout.strip().splitlines()[-1])
    with np.load(made, allow_pickle=False) as sets:
        return {f"pythae, {name}": sets[name].astype(np.float32) / 255.0 for name in sets.files}


def _distances(
    trained: dict[Path, tuple[VAE, TrainingImages]],
    *,
    space: FeatureSpace,
    peers: dict[str, NDArray[np.float32]],
    count: int,
) -> dict[str, dict[str, Any]]:
    """Of every set of images from the first run's test images, the floor's among them."""
    first, (vae, images) = next(iter(trained.items()))
    examples = images.examples
    test = _features(space, real_images(vae, examples, split="test", count=count))
    sets = {"floor: training images": _features(space, real_images(vae, examples, split="train", count=count))}
    for run, (own, seen) in trained.items():
        if own.image_shape != vae.image_shape:
            raise SystemExit(f"{run}: expected images of {vae.image_shape}, as in {first}, found {own.image_shape}")
        labels = shared_labels(own, count=count)
        with readable(seen.examples), bar("samplers", total=seen.count) as update:
            samplers = samplers_of(own, seen, seed=SEED, progress=update)
        for sampler in samplers:
            drawn = new_images(own, count=count, seed=SEED, labels=labels, sampler=sampler)
            sets[f"{run.name}, {sampler.kind}"] = _features(space, drawn)
    for name, made in peers.items():
        sets[name] = _features(space, iter(np.array_split(made[:count], max(1, count // 256))))
    found = {}
    for name, features in sets.items():
        kernel = kernel_distance(test, features, seed=SEED)
        found[name] = {
            "frechet": frechet_distance(test, features),
            "kernel": kernel.value,
            "kernel_interval": [kernel.low, kernel.high],
        }
    return found


def _trained(run: Path) -> tuple[VAE, TrainingImages]:
    vae: VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    return vae, TrainingImages(Examples(run / "examples"))


def _features(space: FeatureSpace, batches: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    return features_of([space], batches)[0]


if __name__ == "__main__":
    main()
