"""How good recipes' new images are, beside each other's and those of pythae's VAE, trained for the same time on the same machine.

    .venv/bin/python -m benchmarks.quality runs/fashion_mnist_best --pythae-python …/python
    .venv/bin/python -m benchmarks.quality runs/clothes_best runs/fashion_products

The recipes' models must have been trained (`make train`); all are compared with the images of the first one. pythae
(`benchmarks/peers/pythae_vae.py`, in an environment of its own) trains for as long as the first model did, by its manifest.
Fréchet and kernel distance are from the test images, in the features of one network, the same for all rows: a classifier of the
real training images; where these have no labels, a network of random weights. The last line is JSON.
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
from components.evaluate.samples.fitted_flow import fit_flow_to_images
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.image_sets import real_images
from components.evaluate.samples.judge import SCALE_IMAGES, train_real_classifier
from components.evaluate.samples.kid import kernel_distance
from components.evaluate.samples.new_images import new_images, shared_labels
from components.examples.dataset import readable
from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import fit_to_training
from components.reporting.console import bar
from models.code_samplers import Mixture
from models.flow import Flow
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

SEED = 0


def main() -> None:
    """Print a line per set of images, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders of recipes' artifacts, such as runs/fashion_mnist_best"
    )
    parser.add_argument("--count", type=int, default=10_000, help="images of each set")
    parser.add_argument("--pythae-python", type=Path, help="a Python with pythae; without it that peer is left out")
    parser.add_argument(
        "--minutes", type=float, help="of pythae's training; by default as long as the first model's training took"
    )
    parser.add_argument("--flow-steps", type=int, default=0, help="steps of a flow (evaluate.flow_steps); 0: none")
    options = parser.parse_args()
    prepare_device()
    trained = [_load(run) for run in options.runs]
    vae, images = trained[0]
    count = min(options.count, images.statistics.records["test"], images.count)
    minutes = options.minutes or Model(options.runs[0] / "model").manifest.duration_seconds / 60
    with tempfile.TemporaryDirectory() as folder:
        peers = {}
        if options.pythae_python:
            peers = _pythae(
                vae, images, folder=Path(folder), python=options.pythae_python, minutes=minutes, count=count
            )
        space = _space(vae, images)
        rows = _distances(
            dict(zip(options.runs, trained, strict=True)),
            space=space,
            peers=peers,
            count=count,
            flow_steps=options.flow_steps,
        )
    for name, row in rows.items():
        low, high = row["kernel_interval"]
        interval = "" if low is None else f" ({low:.5f} to {high:.5f})"  # too few images have no interval
        print(f"{name:34} Fréchet {row['frechet']:9.4f}   kernel {row['kernel']:9.5f}{interval}")
    print(json.dumps({"minutes": minutes, "images": count, "space": space.name, "sets": rows}))


def _space(vae: VAE, images: TrainingImages) -> FeatureSpace:
    """Return the feature network that knows most about such images."""
    if unlabelled(images.statistics) is not None:
        return random_space(vae.image_shape)
    batch = next(iter(real_images(vae, images.examples, split="train", count=SCALE_IMAGES)))
    return classifier_space(feature_network(train_real_classifier(vae, images, seed=SEED, bar=bar), batch))


def _pythae(
    vae: VAE, images: TrainingImages, *, folder: Path, python: Path, minutes: float, count: int
) -> dict[str, NDArray[np.float32]]:
    """Train pythae's VAE; return images from its own samplers: [count, H, W, C] each, scale 0 to 1."""
    pixels = np.concatenate(list(real_images(vae, images.examples, split="train", count=images.count)))
    np.save(folder / "train.npy", np.rint(pixels * 255.0).astype(np.uint8))
    saved = folder / "drawn.npz"
    command = [str(python), "-m", "benchmarks.peers.pythae_vae", str(folder / "train.npy"), str(saved)]
    command += ["--minutes", str(minutes), "--count", str(count)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(process.stdout.strip().splitlines()[-1])
    with np.load(saved, allow_pickle=False) as sets:
        return {f"pythae, {name}": sets[name].astype(np.float32) / 255.0 for name in sets.files}


def _distances(
    trained: dict[Path, tuple[VAE, TrainingImages]],
    *,
    space: FeatureSpace,
    peers: dict[str, NDArray[np.float32]],
    count: int,
    flow_steps: int,
) -> dict[str, dict[str, Any]]:
    """Return the distances of every set of images from the first run's test images; training images are the floor."""
    first, (vae, images) = next(iter(trained.items()))
    examples = images.examples
    test = _features(space, real_images(vae, examples, split="test", count=count))
    sets = {"floor: training images": _features(space, real_images(vae, examples, split="train", count=count))}
    for run, (own, own_images) in trained.items():
        if own.image_shape != vae.image_shape:
            raise SystemExit(f"{run}: expected images of {vae.image_shape}, as in {first}, found {own.image_shape}")
        labels = shared_labels(own, count=count)
        with readable(own_images.examples), bar("samplers", total=own_images.count) as update:
            samplers = fit_to_training(own, own_images, seed=SEED, progress=update)
        if flow_steps:
            mixture = next(sampler for sampler in samplers if isinstance(sampler, Mixture))
            flow = fit_flow_to_images(own, own_images, mixture=mixture, steps=flow_steps, seed=SEED, bar=bar)
            samplers += [flow] if isinstance(flow, Flow) else []
        for sampler in samplers:
            drawn = new_images(own, count=count, seed=SEED, labels=labels, sampler=sampler)
            sets[f"{run.name}, {sampler.kind}"] = _features(space, drawn)
    for name, peer_images in peers.items():
        sets[name] = _features(space, iter(np.array_split(peer_images[:count], max(1, count // 256))))
    rows = {}
    for name, features in sets.items():
        kernel = kernel_distance(test, features, seed=SEED)
        rows[name] = {
            "frechet": frechet_distance(test, features),
            "kernel": kernel.value,
            "kernel_interval": [kernel.low, kernel.high],
        }
    return rows


def _load(run: Path) -> tuple[VAE, TrainingImages]:
    """Return a run's model and its Examples."""
    vae: VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    return vae, TrainingImages(Examples(run / "examples"))


def _features(space: FeatureSpace, batches: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the features of the images: [N, F]."""
    return features_of([space], batches)[0]


if __name__ == "__main__":
    main()
