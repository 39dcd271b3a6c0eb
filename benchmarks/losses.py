"""Validation loss after the same epochs, and images per second on the way: our precisions beside the plain loop.

    .venv/bin/python -m benchmarks.losses --data ../shared/data/fashion-mnist --recipe fashion_bn --epochs 3

Each model trains on the whole training split of real images, from the same initial weights; the models take turns, one epoch
each. Ours is `train`'s loop (`fit`, images in memory) in float32 and in bfloat16; plain is a `tf.function` with a GradientTape
in float32, as the articles write it. Before each validation, the statistics of batch normalisation are measured, for all models
alike. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics as stats
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.ours import load_examples, time_epoch
from benchmarks.peers.plain_loop import PlainLoop
from components.engine.batch_norm import IMAGES, PreciseBatchNorm
from components.engine.device import prepare_device
from components.engine.probe import Engine
from components.examples.training_images import TrainingImages
from models.build import build_vae
from models.vae import VAE
from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

Epoch = Callable[[int], float]  # trains for the epoch with this number, returns the seconds


def build_ours(recipe: Recipe, images: TrainingImages, engine: Engine) -> tuple[VAE, Epoch]:
    """Return our model, and what trains it."""
    vae = engine.build(recipe.model, recipe.loss, images.statistics, seed=0)
    engine.compile(vae, keras.optimizers.Adam(recipe.train.learning_rate))
    return vae, lambda epoch: time_epoch(vae, images, batch_size=recipe.train.batch_size, epoch=epoch)


def build_plain(recipe: Recipe, images: TrainingImages) -> tuple[VAE, Epoch]:
    """Return the plain loop's model, and what trains it."""
    vae = build_vae(recipe.model, recipe.loss, images.statistics, seed=0)
    vae.compile(jit_compile=False)  # for evaluate alone
    stored = np.concatenate(list(images.measured(count=images.count, batch_size=512).as_numpy_iterator()))
    batch_size, rate = recipe.train.batch_size, recipe.train.learning_rate
    loop = PlainLoop(vae, np.asarray(vae.crop(stored, random=False)), batch_size=batch_size, learning_rate=rate)
    return vae, lambda _epoch: loop.epoch()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Examples, or images for the recipe's source")
    parser.add_argument("--recipe", default="fashion_bn")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    device = prepare_device()
    recipe = load_recipe(options.recipe)
    with tempfile.TemporaryDirectory() as folder:
        images = TrainingImages(load_examples(options.data, options.recipe, Path(folder)))
        models = {
            "bfloat16": build_ours(recipe, images, Engine("bfloat16")),
            "float32": build_ours(recipe, images, Engine("float32")),
            "plain": build_plain(recipe, images),
        }
        batch_size = recipe.train.batch_size
        norms = {name: PreciseBatchNorm(images.measured(count=IMAGES, batch_size=batch_size)) for name in models}
        seconds: dict[str, list[float]] = {name: [] for name in models}
        losses: dict[str, list[float]] = {name: [] for name in models}
        for number in range(options.epochs):
            for name, (vae, train_epoch) in models.items():
                seconds[name].append(train_epoch(number))
                norms[name].measure(vae)
                metrics = vae.evaluate(images.validation(batch_size=batch_size), verbose=0, return_dict=True)
                losses[name].append(round(metrics["loss"], 4))
                rate = images.count / seconds[name][-1]
                print(f"epoch {number + 1}  {name:<8}  {rate:9,.1f} images/s  validation loss {losses[name][-1]:10.4f}")
    result = {
        "benchmark": "losses",
        "recipe": options.recipe,
        "device": device,
        "images": images.count,
        "validation_loss": losses,
        "images_per_second": {
            name: [round(images.count / value, 1) for value in values] for name, values in seconds.items()
        },
        "over_plain": {
            name: round(stats.median(plain / ours for ours, plain in zip(values, seconds["plain"], strict=True)), 3)
            for name, values in seconds.items()
        },
        "loss_over_plain": {name: round(values[-1] / losses["plain"][-1], 4) for name, values in losses.items()},
        "loss_over_float32": {name: round(values[-1] / losses["float32"][-1], 4) for name, values in losses.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
