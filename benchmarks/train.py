"""Images per second of `make train` beside its peers: same networks, same images, one run.

    .venv/bin/python benchmarks/train.py [RECIPES…] [--torch-python /path/to/a/python/with/torch]

- ours: TFRecords to `fit`, with the engine that measuring picks;
- plain: a `tf.function` with a GradientTape over float32 images in memory, in float32, as the articles write it;
- bare: the same loop over our engine's model: what `fit` and the records cost;
- torch: PyTorch, channels last, float32 and bfloat16;
- input: the images alone, with nobody who trains: from memory, as train has those that fit; shards: from the records.

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
from plain_loop import PlainLoop, our_epoch

from components.engine.device import prepare_device
from components.engine.probe import choose_engine
from components.examples.dataset import training_batches
from components.examples.training_images import TrainingImages
from models.build import build_vae
from pipeline.recipes.load import load_recipe
from schemas.artifacts import records
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.recipe.recipe import EngineSection, Recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"fashion_bn": 12_800, "mnist_dense": 59_904, "fashion_products": 2_048}  # images of a round: some seconds
ROUNDS = 5
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16", "asimd")


def write_examples(folder: Path, pixels: np.ndarray, recipe: Recipe) -> Examples:
    """Examples of a training split alone."""
    count, stored_height, stored_width, channels = pixels.shape
    counts = {"train": count, "validation": 0, "test": 0}
    found = Examples(folder)
    found.split("train").mkdir()
    shard = found.split("train") / "data_tfrecord-00000-of-00001"
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
    found.statistics_path.write_text(statistics.model_dump_json())
    return found


def input_epoch(data: tf.data.Dataset) -> float:
    """Seconds of one epoch of images that nobody trains on."""
    began = time.perf_counter()
    for _ in data:
        pass
    return time.perf_counter() - began


def torch_rates(python: str, recipe: str, pixels: np.ndarray, folder: Path, *, weights: int) -> dict[str, float]:
    """Images per second of PyTorch, by precision."""
    paths = [folder / f"{name}.npy" for name in ("train", "validation")]
    for path, part in zip(paths, (pixels, pixels[:256]), strict=True):
        np.save(path, part)
    found = {}
    for precision in ("float32", "bfloat16"):
        command = [python, str(ROOT / "benchmarks/torch_peer.py"), recipe, *map(str, paths)]
        command += ["--weights", str(weights), "--precision", precision, "--epochs", "4"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        result = json.loads(done.stdout.splitlines()[-1])
        found[precision] = stats.median(result["images_per_second"])
    return found


def compare(name: str, *, torch_python: str | None) -> dict[str, Any]:
    """One recipe's figures."""
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
            kept=folder / "engine.json",
        )
        ours = engine.build(recipe.model, recipe.loss, statistics, seed=0)
        engine.compile(ours, keras.optimizers.Adam(recipe.train.learning_rate))
        cropped = np.asarray(ours.crop(pixels, random=False))
        images = TrainingImages(examples)
        order: dict[str, Any] = {"batch_size": batch_size, "seed": 0, "first_epoch": 0, "epochs": 1}

        def loop(vae: Any, **options: Any) -> Callable[[], float]:
            rate = recipe.train.learning_rate
            return PlainLoop(vae, cropped, batch_size=batch_size, learning_rate=rate, **options).epoch

        peers = {
            "ours": lambda: our_epoch(ours, images, batch_size=batch_size, count=count),
            "plain": loop(build_vae(recipe.model, recipe.loss, statistics, seed=0)),
            "bare": loop(engine.build(recipe.model, recipe.loss, statistics, seed=0), jit=engine.jit),
            "input": lambda: input_epoch(images.training(**order)),
            "shards": lambda: input_epoch(training_batches(examples, **order)),
        }
        for epoch in peers.values():
            epoch()  # compilation and warm-up
        rounds = [{peer: epoch() for peer, epoch in peers.items()} for _ in range(ROUNDS)]
        found: dict[str, Any] = {"recipe": name, "engine": str(engine), "batch_size": batch_size, "images": count}
        for peer in peers:
            found[f"{peer}_images_per_second"] = round(count / stats.median(seconds[peer] for seconds in rounds), 1)
            if peer != "ours":
                ratios = sorted(seconds[peer] / seconds["ours"] for seconds in rounds)
                found[f"over_{peer}"] = [round(value, 3) for value in (ratios[0], stats.median(ratios), ratios[-1])]
        if torch_python:
            rates = torch_rates(torch_python, name, cropped.astype(np.uint8), folder, weights=ours.count_params())
            found["torch_images_per_second"] = rates
    keras.utils.clear_session()
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--torch-python", help="a Python that has PyTorch; without it that peer is left out")
    given = parser.parse_args()
    if unknown := set(given.recipes) - set(RECIPES):
        parser.error(f"expected recipes of {', '.join(RECIPES)}, found {', '.join(sorted(unknown))}")
    device = prepare_device()
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    result: dict[str, Any] = {"device": device, "instructions": [name for name in INSTRUCTIONS if name in flags]}
    for name in given.recipes:
        result[name] = compare(name, torch_python=given.torch_python)
        print(f"{name}: {result[name]}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
