"""Images per second of `make train` beside its peers: same networks, same images, one run.

    .venv/bin/python -m benchmarks.train [RECIPES…] [--torch-python /path/to/a/python/with/torch]

- ours: TFRecords to `fit`, with the engine that the probe selects;
- plain: a `tf.function` with a GradientTape over float32 images in memory, in float32, as the articles write it;
- bare: the same loop over our engine's model; the difference to ours is what `fit` and the records cost;
- torch: PyTorch, channels last, float32 and bfloat16;
- input: reading images without training, from memory, as train does with images that fit;
- shards: the same from the records.

Rounds alternate, so that a machine that slows down slows all; ratios are per round. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics as stats
import subprocess
import tempfile
import time
from collections.abc import Callable
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
from components.engine.probe import choose_engine
from components.examples.dataset import training_batches
from components.examples.training_images import TrainingImages
from models.build import build_vae
from models.vae import VAE
from pipeline.recipes.load import load_recipe
from schemas.artifacts import records
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.recipe.recipe import EngineSection, Recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"fashion_bn": 12_800, "mnist_dense": 59_904, "fashion_products": 2_048}  # images of a round: some seconds
ROUNDS = 5
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16", "asimd")


def write_examples(folder: Path, pixels: NDArray[np.uint8], recipe: Recipe) -> Examples:
    """Write Examples that have a training split alone."""
    count, stored_height, stored_width, channels = pixels.shape
    counts = {"train": count, "validation": 0, "test": 0}
    examples = Examples(folder)
    examples.split("train").mkdir()
    shard = examples.split("train") / "data_tfrecord-00000-of-00001"
    encoded = (records.encode_example(image, key=str(i), label=-1) for i, image in enumerate(pixels))
    shard.write_bytes(b"".join(map(records.frame, encoded)))
    centre = {"unit": 0.0, "symmetric": 0.5, "standardise": 0.5}[recipe.preprocess.normalise]
    statistics = Statistics(
        height=recipe.preprocess.height,
        width=recipe.preprocess.width,
        channels=channels,
        stored_height=stored_height,
        stored_width=stored_width,
        store="uint8",
        normalise=recipe.preprocess.normalise,
        mean=[centre] * channels,
        deviation=[centre or 1.0] * channels,
        train_mean=[0.5] * channels,
        train_deviation=[0.3] * channels,
        labels=[],
        images=counts,
        records=counts,
        images_per_label={},
        rejected={},
    )
    examples.statistics_path.write_text(statistics.model_dump_json(), encoding="utf-8")
    return examples


def time_input(data: tf.data.Dataset) -> float:
    """Read one epoch of images without training; return the seconds."""
    start = time.perf_counter()
    for _ in data:
        pass
    return time.perf_counter() - start


def torch_rates(python: str, recipe: str, pixels: NDArray[np.uint8], folder: Path, *, weights: int) -> dict[str, float]:
    """Return the images per second of PyTorch, by precision."""
    paths = [folder / f"{name}.npy" for name in ("train", "validation")]
    for path, part in zip(paths, (pixels, pixels[:256]), strict=True):
        np.save(path, part)
    rates = {}
    for precision in ("float32", "bfloat16"):
        command = [python, "-m", "benchmarks.peers.torch_training", recipe, *map(str, paths)]
        command += ["--weights", str(weights), "--precision", precision, "--epochs", "4"]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        result = json.loads(process.stdout.splitlines()[-1])
        rates[precision] = stats.median(result["images_per_second"])
    return rates


def compare(name: str, *, torch_python: str | None) -> dict[str, Any]:
    """Measure one recipe; return its figures."""
    recipe = load_recipe(name)
    preprocess, batch_size = recipe.preprocess, recipe.train.batch_size
    size = (preprocess.stored_height, preprocess.stored_width, preprocess.channels)
    count = RECIPES[name]
    pixels = np.random.default_rng(0).integers(0, 256, (count, *size), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["XDG_CACHE_HOME"] = scratch  # the engine is measured anew
        (folder / "examples").mkdir()
        examples = write_examples(folder / "examples", pixels, recipe)
        statistics = Statistics.model_validate_json(examples.statistics_path.read_bytes())
        engine = choose_engine(
            EngineSection(),
            recipe.model,
            recipe.loss,
            statistics,
            batch_size=batch_size,
            images=10**9,
            deterministic=False,
            path=folder / "engine.json",
        )
        ours = engine.build(recipe.model, recipe.loss, statistics, seed=0)
        engine.compile(ours, keras.optimizers.Adam(recipe.train.learning_rate))
        cropped = np.asarray(ours.crop(pixels, random=False))
        images = TrainingImages(examples)
        order: dict[str, Any] = {"batch_size": batch_size, "seed": 0, "first_epoch": 0, "epochs": 1}

        def plain_epoch(vae: VAE, *, jit: bool = False) -> Callable[[], float]:
            rate = recipe.train.learning_rate
            return PlainLoop(vae, cropped, batch_size=batch_size, learning_rate=rate, jit=jit).epoch

        peers: dict[str, Callable[[], float]] = {
            "ours": lambda: time_epoch(ours, images, batch_size=batch_size, limit=count),
            "plain": plain_epoch(build_vae(recipe.model, recipe.loss, statistics, seed=0)),
            "bare": plain_epoch(engine.build(recipe.model, recipe.loss, statistics, seed=0), jit=engine.jit),
            "input": lambda: time_input(images.training(**order)),
            "shards": lambda: time_input(training_batches(examples, **order)),
        }
        for epoch in peers.values():
            epoch()  # compilation and warm-up
        rounds = [{peer: epoch() for peer, epoch in peers.items()} for _ in range(ROUNDS)]
        figures: dict[str, Any] = {"recipe": name, "engine": str(engine), "batch_size": batch_size, "images": count}
        for peer in peers:
            figures[f"{peer}_images_per_second"] = round(count / stats.median(seconds[peer] for seconds in rounds), 1)
            if peer != "ours":
                ratios = sorted(seconds[peer] / seconds["ours"] for seconds in rounds)
                figures[f"over_{peer}"] = [round(value, 3) for value in (ratios[0], stats.median(ratios), ratios[-1])]
        if torch_python:
            rates = torch_rates(torch_python, name, cropped.astype(np.uint8), folder, weights=ours.count_params())
            figures["torch_images_per_second"] = rates
    keras.utils.clear_session()
    return figures


def main() -> None:
    """Print a line per recipe, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--torch-python", help="a Python that has PyTorch; without it that peer is left out")
    options = parser.parse_args()
    if unknown := set(options.recipes) - set(RECIPES):
        parser.error(f"expected recipes of {', '.join(RECIPES)}, found {', '.join(sorted(unknown))}")
    device = prepare_device()
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split() if Path("/proc/cpuinfo").exists() else []
    result: dict[str, Any] = {"device": device, "instructions": [name for name in INSTRUCTIONS if name in flags]}
    for name in options.recipes:
        result[name] = compare(name, torch_python=options.torch_python)
        print(f"{name}: {result[name]}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
