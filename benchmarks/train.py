"""Images per second of `train`'s loop beside a plain loop as the article writes it: same network, same images, one run.

    .venv/bin/python benchmarks/train.py

Ours reads TFRecords, keeps the metrics, and runs the callbacks; the peer is a `tf.function` with a GradientTape over float32
images in memory. Rounds alternate, so that a machine that slows down slows both; ratios are per round. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import statistics as stats
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from plain_loop import PlainLoop, our_epoch

from components.device import jit_compile, prepare_device
from models.build import build_vae
from pipeline.recipes import load_recipe
from schemas import records
from schemas.artifacts import Examples
from schemas.records import Statistics

IMAGES = 6_400
ROUNDS = 5
BATCH = 128


def write_examples(folder: Path, pixels: np.ndarray) -> Examples:
    """Examples of a training split alone."""
    count, height, width, channels = pixels.shape
    counts = {"train": count, "validation": 0, "test": 0}
    found = Examples(folder)
    found.split("train").mkdir()
    shard = found.split("train") / "data_tfrecord-00000-of-00001"
    encoded = (records.encode_example(image, key=str(i), label=-1) for i, image in enumerate(pixels))
    shard.write_bytes(b"".join(map(records.frame, encoded)))
    statistics = Statistics(
        height=height,
        width=width,
        channels=channels,
        stored_height=height,
        stored_width=width,
        store="uint8",
        normalise="unit",
        mean=[0.0],
        deviation=[1.0],
        train_mean=[0.5],
        train_deviation=[0.3],
        labels=[],
        images=counts,
        records=counts,
        images_per_label={},
        rejected={},
    )
    found.statistics_path.write_text(statistics.model_dump_json())
    return found


def main() -> None:
    device = prepare_device()
    recipe = load_recipe("fashion_bn")
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28, 1), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        examples = write_examples(Path(folder), pixels)
        statistics = Statistics.model_validate_json(examples.statistics_path.read_bytes())
        vae = build_vae(recipe.model, recipe.loss, statistics, seed=0)
        vae.compile(optimizer=keras.optimizers.Adam(5e-4), jit_compile=jit_compile())
        peer_vae = build_vae(recipe.model, recipe.loss, statistics, seed=0)
        plain = PlainLoop(peer_vae, pixels, batch_size=BATCH, learning_rate=5e-4)

        def round_of_both() -> tuple[float, float]:
            return our_epoch(vae, examples, batch_size=BATCH, images=IMAGES), plain.epoch()

        round_of_both()  # compilation and warm-up
        rounds = [round_of_both() for _ in range(ROUNDS)]
    figures = {
        "benchmark": "train",
        "recipe": "fashion_bn",
        "device": device,
        "rounds": ROUNDS,
        "images_per_round": IMAGES,
        "ours_images_per_second": round(IMAGES / stats.median(mine for mine, _ in rounds), 1),
        "plain_loop_images_per_second": round(IMAGES / stats.median(peer for _, peer in rounds), 1),
        "ratio_median": round(stats.median(peer / mine for mine, peer in rounds), 3),
        "ratio_min": round(min(peer / mine for mine, peer in rounds), 3),
        "ratio_max": round(max(peer / mine for mine, peer in rounds), 3),
    }
    print(f"{device}; {ROUNDS} rounds of {IMAGES:,} images, ours and the plain loop in turn")
    print(f"ours       {figures['ours_images_per_second']:>9,.1f} images/s (median)")
    print(f"plain loop {figures['plain_loop_images_per_second']:>9,.1f} images/s (median)")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
