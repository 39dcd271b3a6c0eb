"""What each part of a recipe's training gains: it is trained on the ELBO, and with one part changed at a time.

    python benchmarks/ablation.py --source …/fashion-mnist --runs runs-ablation

The figure is the importance-weighted bound on images that the training has not seen, each with the same binarisation and the same
noise for all variants, so that differences from the first row have errors of their own. The data set's test images are not
read: a share of its training images stands for them. A model that is in --runs is not trained again.
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
from models.noise import binarised
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
    """Prints a line per variant, and one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--source", type=Path, required=True, help="folder of Fashion-MNIST's IDX files")
    arguments.add_argument("--runs", type=Path, required=True, help="where the variants' models go")
    arguments.add_argument("--epochs", type=int, default=8)
    arguments.add_argument("--samples", type=int, default=100, help="codes per image of the bound")
    given = arguments.parse_args()
    for name, changes in VARIANTS.items():
        _train(given, given.runs / _slug(name), changes)
    prepare_device()
    base, rows = np.empty(0), {}
    for name in VARIANTS:
        run = given.runs / _slug(name) / RECIPE
        bounds = _bounds(run, samples=given.samples)
        base = base if len(base) else bounds
        gain = bounds - base
        rows[name] = {
            "bound": float(bounds.mean()),
            "difference": float(gain.mean()),
            "standard_error": float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(rows) else 0.0,
            "minutes": Model(run / "model").manifest.duration_seconds / 60,
        }
        row = rows[name]
        print(
            f"{name:26} {row['bound']:9.2f} nats   {row['difference']:+6.2f} ± {row['standard_error']:.2f}   "
            f"{row['minutes']:5.1f} min",
            flush=True,
        )
    print(json.dumps({"epochs": given.epochs, "samples": given.samples, "images": len(base), "variants": rows}))


def _train(given: argparse.Namespace, runs: Path, changes: dict[str, str]) -> None:
    settings = {
        "preprocess.test": "0.05",
        "train.epochs": str(given.epochs),
        "train.patience": str(given.epochs),
        "loss.kl_warmup_epochs": "2",
        "loss.importance_epochs": "0",  # which take six times as long
        **changes,
    }
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    source = str(given.source / TRAINING_IMAGES)
    for stage in ("ingest", "train"):
        command = [sys.executable, "-m", "pipeline", stage, "--recipe", RECIPE, "--source", source]
        subprocess.run([*command, "--runs", str(runs), *pairs], check=True, stdout=sys.stderr)


def _bounds(run: Path, *, samples: int) -> NDArray[np.float64]:
    """Of each image of the share that training has not seen: [N], nats."""
    vae: VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    bound, examples = ImportanceBound(vae, samples=samples, codes=CODES, seed=0), Examples(run / "examples")
    found: list[NDArray[np.float64]] = []
    done = 0
    with readable(examples):
        for pixels, _labels in labelled_batches(examples, "test", batch_size=BATCH):
            found.append(bound(tf.constant(binarised(pixels.numpy(), seed=0, start=done)), start=done))
            done += len(found[-1])
    return np.concatenate(found)


def _slug(name: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


if __name__ == "__main__":
    main()
