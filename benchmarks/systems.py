"""The published systems after training, beside what the articles' own loops reach: on the same test images, in one run.

    .venv/bin/python -m benchmarks.systems --runs runs --data data --reference articles.jsonl

Reads each recipe's model from `runs`. Test images are the source's own test split, as the articles prepare them: the centre,
resized to the network's size. MSE per pixel; BCE and KL in nats per image, from one sampled code. The objective is what the
recipe minimises. Speeds: `train`'s loop and a plain loop take turns on the same images and the same network. The reference
(optional) is a file of JSON lines with recipe, epochs, test_mse, test_bce and test_kl. The last line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics as stats
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.ours import time_epoch
from benchmarks.peers.plain_loop import PlainLoop
from components.engine.device import prepare_device
from components.engine.probe import plain_engine
from components.examples.dataset import batches
from components.examples.training_images import TrainingImages
from components.images.contact_sheet import pillow_images
from components.images.decode import decode
from components.images.geometry import Cover
from components.latents.noise import standard_normal
from components.sources import open_source
from models.build import build_vae
from models.likelihoods import Bernoulli, WeightedMse
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model
from schemas.artifacts.records import read_statistics
from schemas.recipe.recipe import Recipe

# The images of each recipe, below the folder of all data; `make systems` trains on the same.
IMAGES = {
    "mnist_dense": "mnist",
    "mnist_conv": "mnist",
    "mnist_conv_sum": "mnist",
    "fashion_conv": "fashion-mnist",
    "fashion_ae": "fashion-mnist",
    "fashion_bn": "fashion-mnist",
    "fashion_products": "clothing",
    "cartoon_faces": "avatars.zip",
}
ROUNDS = 3
PIXELS = 5_000_000  # trained on per round and loop
BATCH_PIXELS = 256 * 64 * 64


def with_images(recipe: Recipe, data: Path | None) -> Recipe:
    """Return a recipe whose source has a path: a manifest holds none."""
    if data is None or recipe.name not in IMAGES:
        return recipe
    [source] = recipe.sources
    return recipe.model_copy(update={"sources": (source.model_copy(update={"path": str(data / IMAGES[recipe.name])}),)})


def read_test_images(recipe: Recipe) -> NDArray[np.uint8] | None:
    """Read the sources' own test images, as the articles prepare them: [N, H, W, C]; None: there are none."""
    preprocess = recipe.preprocess
    cover = Cover(preprocess.height, preprocess.width)
    images = []
    for settings in recipe.sources:
        source = open_source(settings, preprocess)
        for item, raw in itertools.chain.from_iterable(source.images(part.names) for part in source.parts()):
            if item.split != "test":
                continue
            if isinstance(raw, Exception):
                raise raw
            # Decoded in full, as the articles do; ingest decodes large JPEGs at a fraction.
            images.append(cover.map(pillow_images(decode(raw, preprocess)[None])[0]))
    return np.stack(images) if images else None


def measure(vae: VAE, images: NDArray[np.uint8]) -> dict[str, float]:
    """Return MSE per pixel, and BCE and KL in nats per image."""
    compute_terms = tf.function(vae.terms, reduce_retracing=True)
    size = max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    rows: list[NDArray[np.float64]] = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        noise = standard_normal(0, start=start, count=len(batch), size=vae.latent_dim)
        terms = compute_terms(tf.constant(batch), tf.constant(noise))
        x = terms["targets"].numpy().astype(np.float64)
        y = terms["reconstructions"].numpy().astype(np.float64).clip(1e-7, 1 - 1e-7)
        mse = np.square(x - y).mean(axis=(1, 2, 3))
        bce = -(x * np.log(y) + (1 - x) * np.log1p(-y)).sum(axis=(1, 2, 3))
        rows.append(np.stack([mse, bce, terms["kl"].numpy()]))
    mse, bce, kl = (float(value) for value in np.concatenate(rows, axis=1).mean(axis=1))
    return {"test_mse": mse, "test_bce": bce, "test_kl": kl}


def objective(vae: VAE, figures: dict[str, Any]) -> float:
    """Return what the recipe minimises, from its terms.

    Raises:
        SystemExit: The likelihood is none that the articles have.
    """
    kl = {"sum": 1.0, "mean": 1.0 / vae.latent_dim, "none": 0.0}[vae.kl] * figures["test_kl"]
    if isinstance(vae.likelihood, Bernoulli):
        pixels = np.prod(vae.image_shape) if vae.likelihood.reduction == "mean" else 1
        return float(figures["test_bce"] / pixels + kl)
    if not isinstance(vae.likelihood, WeightedMse):
        raise SystemExit(
            f"expected a likelihood of {Bernoulli.__name__} or {WeightedMse.__name__}, found {vae.likelihood}"
        )
    return float(vae.likelihood.weight * figures["test_mse"] + kl)


def speeds(recipe: Recipe, examples: Examples) -> dict[str, float]:
    """Return the images per second of `train`'s loop and of a plain loop, and the median of the rounds' ratios."""
    statistics = read_statistics(examples)
    batch_size = recipe.train.batch_size
    pixels_each = statistics.height * statistics.width
    count = min(statistics.records["train"], max(2, PIXELS // pixels_each // batch_size) * batch_size)
    images = TrainingImages(examples, limit=count)
    engine = plain_engine(recipe.train.engine)
    vae = engine.build(recipe.model, recipe.loss, statistics, seed=0)
    engine.compile(vae, keras.optimizers.Adam(recipe.train.learning_rate))
    peer = build_vae(recipe.model, recipe.loss, statistics, seed=0)
    stored = np.concatenate([np.asarray(part) for part in batches(examples, "train", batch_size=512, limit=count)])
    cropped = np.asarray(vae.crop(stored, random=False))
    plain = PlainLoop(peer, cropped, batch_size=batch_size, learning_rate=recipe.train.learning_rate)

    def both() -> tuple[float, float]:
        return time_epoch(vae, images, batch_size=batch_size, limit=count), plain.epoch()

    both()  # compilation and warm-up
    rounds = [both() for _ in range(ROUNDS)]
    return {
        "images_per_second": round(count / stats.median(ours for ours, _ in rounds), 1),
        "plain_loop_images_per_second": round(count / stats.median(peer for _, peer in rounds), 1),
        "speed_ratio": round(stats.median(peer / ours for ours, peer in rounds), 3),
    }


def examine(runs: Path, name: str, reference: dict[str, Any] | None, *, data: Path | None) -> dict[str, Any] | None:
    """Measure one system; return its row, or None if its sources have no test images of their own."""
    model, examples = Model(runs / name / "model"), Examples(runs / name / "examples")
    recipe = Recipe.model_validate(model.manifest.recipe)
    images = read_test_images(with_images(Recipe.model_validate(examples.manifest.recipe), data))
    if images is None:
        return None
    vae = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    figures = measure(vae, images)
    row: dict[str, Any] = {"recipe": name, "epochs": model.manifest.counts["epochs"], "test_images": len(images)}
    row |= figures | {"objective": objective(vae, figures)}
    if reference is not None:
        row |= {f"reference_{key}": reference[key] for key in ("epochs", "test_mse", "test_bce", "test_kl")}
        row["reference_objective"] = objective(vae, reference)
        row["objective_ratio"] = row["objective"] / row["reference_objective"]
    keras.utils.clear_session()
    return row | speeds(recipe, examples)


def main() -> None:
    """Print a line per system, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help="default: every recipe that has a model")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--data", type=Path, help="folder with mnist/, fashion-mnist/, clothing/ and avatars.zip")
    parser.add_argument("--reference", type=Path, help="what the articles' loops reach, as JSON lines")
    options = parser.parse_args()
    device = prepare_device()
    references = {}
    if options.reference:
        references = {
            row["recipe"]: row for row in map(json.loads, options.reference.read_text(encoding="utf-8").splitlines())
        }
    names = options.recipes or sorted(path.parent.parent.name for path in options.runs.glob("*/model/manifest.json"))
    rows = []
    print(f"{device}; ours / the article's loop\n")
    for name in names:
        row = examine(options.runs, name, references.get(name), data=options.data)
        if row is None:
            print(f"{name:<17}   left out: its sources have no test images of their own", flush=True)
            continue
        rows.append(row)
        parts = [f"{name:<17}", f"{row['epochs']:>3} epochs"]
        for key, digits in (("test_mse", 5), ("test_bce", 2), ("test_kl", 3), ("objective", 4)):
            reference = f" / {row[f'reference_{key}']:.{digits}f}" if f"reference_{key}" in row else ""
            parts.append(f"{key.removeprefix('test_')} {row[key]:.{digits}f}{reference}")
        parts.append(f"{row['images_per_second']:,.0f} / {row['plain_loop_images_per_second']:,.0f} images/s")
        print("   ".join(parts), flush=True)
    print(json.dumps({"benchmark": "systems", "device": device, "rounds": ROUNDS, "systems": rows}))


if __name__ == "__main__":
    main()
