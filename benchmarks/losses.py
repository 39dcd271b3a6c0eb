"""Validation loss after the same epochs, and images per second on the way: our precisions beside the plain loop.

    .venv/bin/python benchmarks/losses.py --data ../shared/data/fashion-mnist --recipe fashion_bn --epochs 3

Each trains on the whole training split of real images, from the same initial weights, an epoch each in turn. Ours is `train`'s
loop (`fit`, images in memory) in float32 and in bfloat16; plain is a `tf.function` with a GradientTape in float32, as the
articles write it. Before each validation batch normalisation's statistics are measured, for all alike. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics as stats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from plain_loop import PlainLoop
from real_examples import examples_of

from components.engine.batch_norm import IMAGES, PreciseBatchNorm
from components.engine.device import prepare_device
from components.engine.probe import Engine
from components.examples.training_images import TrainingImages
from models.build import build_vae
from models.vae import VAE
from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe


def ours(recipe: Recipe, images: TrainingImages, engine: Engine) -> tuple[VAE, Callable[[int], float]]:
    """A model, and what trains it for the epoch with a number, in seconds."""
    vae = engine.build(recipe.model, recipe.loss, images.statistics, seed=0)
    engine.compile(vae, keras.optimizers.Adam(recipe.train.learning_rate))
    batch_size = recipe.train.batch_size

    def epoch(number: int) -> float:
        data = images.training(batch_size=batch_size, seed=0, first_epoch=number, epochs=number + 1)
        began = time.perf_counter()
        vae.fit(data, steps_per_epoch=math.ceil(images.count / batch_size), epochs=1, shuffle=False, verbose=0)
        return time.perf_counter() - began

    return vae, epoch


def plain(recipe: Recipe, images: TrainingImages) -> tuple[VAE, Callable[[int], float]]:
    """The peer, likewise."""
    vae = build_vae(recipe.model, recipe.loss, images.statistics, seed=0)
    vae.compile(jit_compile=False)  # for evaluate alone
    stored = np.concatenate(list(images.measured(count=images.count, batch_size=512).as_numpy_iterator()))
    batch_size, rate = recipe.train.batch_size, recipe.train.learning_rate
    loop = PlainLoop(vae, np.asarray(vae.crop(stored, random=False)), batch_size=batch_size, learning_rate=rate)
    return vae, lambda _: loop.epoch()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Examples, or images for the recipe's source")
    parser.add_argument("--recipe", default="fashion_bn")
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    device = prepare_device()
    recipe = load_recipe(given.recipe)
    with tempfile.TemporaryDirectory() as folder:
        images = TrainingImages(examples_of(given.data, given.recipe, Path(folder)))
        peers = {
            "bfloat16": ours(recipe, images, Engine("bfloat16")),
            "float32": ours(recipe, images, Engine("float32")),
            "plain": plain(recipe, images),
        }
        batch_size = recipe.train.batch_size
        norms = {name: PreciseBatchNorm(images.measured(count=IMAGES, batch_size=batch_size)) for name in peers}
        seconds: dict[str, list[float]] = {name: [] for name in peers}
        losses: dict[str, list[float]] = {name: [] for name in peers}
        for number in range(given.epochs):
            for name, (vae, epoch) in peers.items():
                seconds[name].append(epoch(number))
                norms[name].measure(vae)
                judged = vae.evaluate(images.validation(batch_size=batch_size), verbose=0, return_dict=True)
                losses[name].append(round(judged["loss"], 4))
                rate = images.count / seconds[name][-1]
                print(f"epoch {number + 1}  {name:<8}  {rate:9,.1f} images/s  validation loss {losses[name][-1]:10.4f}")
    found = {
        "benchmark": "losses",
        "recipe": given.recipe,
        "device": device,
        "images": images.count,
        "validation_loss": losses,
        "images_per_second": {name: [round(images.count / one, 1) for one in took] for name, took in seconds.items()},
        "over_plain": {
            name: round(stats.median(peer / mine for mine, peer in zip(took, seconds["plain"], strict=True)), 3)
            for name, took in seconds.items()
        },
        "loss_over_plain": {name: round(values[-1] / losses["plain"][-1], 4) for name, values in losses.items()},
        "loss_over_float32": {name: round(values[-1] / losses["float32"][-1], 4) for name, values in losses.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
