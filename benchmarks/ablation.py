"""What each part of a recipe's training gains: the recipe is trained as it is, and then with one part changed at a time.

    .venv/bin/python -m benchmarks.ablation --source …/fashion-mnist --runs runs-ablation

The figure is the importance-weighted bound on images that the training has not seen. All variants get the same binarised images
and the same noise, so the difference from the first row has a standard error of its own. The data set's test images are not
read: a share of its training images takes their place. A model that is already in --runs is not trained again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.engine.device import prepare_device
from components.evaluate.reconstruction.importance import ImportanceBound
from components.examples.dataset import labelled_batches, readable
from components.latents.noise import binarised
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

RECIPE = "fashion_mnist_nll"
TRAINING_IMAGES = "train-images-idx3-ubyte.gz"
BATCH, CODES = 256, 1024
VARIANTS: dict[str, dict[str, str]] = {
    "as it is, without the next": {},
    "importance-weighted end": {"loss.importance_epochs": "2"},
    "no warm-up of the KL": {"loss.kl_warmup_epochs": "0"},
    "prior N(0, I)": {"model.prior_components": "0"},
    "N(0, I), free bits of 0.05": {"model.prior_components": "0", "loss.free_bits": "0.05"},
    "no moving average": {"train.ema": "null"},
    "constant learning rate": {"train.schedule": "constant", "train.warmup_epochs": "0"},
    "AdamW, decay 0.01": {"train.optimizer": "adamw", "train.weight_decay": "0.01"},
    "ReLU instead of gates": {"model.activation": "relu"},
}


def main() -> None:
    """Print a line per variant, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--runs", type=Path, required=True, help="where the variants' models go")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=100, help="codes per image of the bound")
    options = parser.parse_args()
    for name, changes in VARIANTS.items():
        _train(options.runs / _slug(name), changes, source=options.source / TRAINING_IMAGES, epochs=options.epochs)
    prepare_device()
    baseline: NDArray[np.float64] | None = None
    rows: dict[str, dict[str, float]] = {}
    for name in VARIANTS:
        run = options.runs / _slug(name) / RECIPE
        bounds = _bounds(run, samples=options.samples)
        baseline = bounds if baseline is None else baseline
        gain = bounds - baseline
        rows[name] = row = {
            "bound": float(bounds.mean()),
            "difference": float(gain.mean()),
            "standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
            "minutes": Model(run / "model").manifest.duration_seconds / 60,
        }
        print(
            f"{name:26} {row['bound']:9.2f} nats   {row['difference']:+6.2f} ± {row['standard_error']:.2f}   "
            f"{row['minutes']:5.1f} min",
            flush=True,
        )
    print(json.dumps({"epochs": options.epochs, "samples": options.samples, "images": len(bounds), "variants": rows}))


def _train(runs: Path, changes: dict[str, str], *, source: Path, epochs: int) -> None:
    """Ingest and train a variant of the recipe, each stage by the command."""
    settings = {
        "preprocess.test": "0.05",
        "train.epochs": str(epochs),
        "train.patience": str(epochs),
        "loss.kl_warmup_epochs": "2",
        "loss.importance_epochs": "0",  # importance-weighted epochs take six times as long
        **changes,
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    for stage in ("ingest", "train"):
        command = [sys.executable, "-m", "pipeline", stage, "--recipe", RECIPE, "--source", str(source)]
        subprocess.run([*command, "--runs", str(runs), *overrides], check=True, stdout=sys.stderr)


def _bounds(run: Path, *, samples: int) -> NDArray[np.float64]:
    """Return the bound of each image that the training has not seen: [N], nats."""
    vae: VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    bound, examples = ImportanceBound(vae, samples=samples, codes=CODES, seed=0), Examples(run / "examples")
    batches: list[NDArray[np.float64]] = []
    start = 0
    with readable(examples):
        for pixels, _labels in labelled_batches(examples, "test", batch_size=BATCH):
            batches.append(bound(tf.constant(binarised(pixels.numpy(), seed=0, start=start)), start=start))
            start += len(batches[-1])
    return np.concatenate(batches)


def _slug(name: str) -> str:
    """Return the name as a folder's name: words in small letters, joined by hyphens."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


if __name__ == "__main__":
    main()
