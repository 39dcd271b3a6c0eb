"""Training steps on one device: the recipes' networks under Keras's JAX back end beside the same layers in PyTorch, in one run.

    PYTHONPATH=. /path/to/a/python benchmarks/gpu.py [photos.npz …] [--sizes 28 128 256] [--batches 128 1024]

That Python has keras, jax, torch, pydantic and PyYAML; TensorFlow is not needed. Made for a GPU; runs on a CPU, too. An `.npz`
holds one array of uint8 images [N, H, W, C]; for a size without a file one is made, of random pixels. Images lie on the device
as uint8, and a step draws a batch, casts and normalises it there. Before anything is timed, both sides get the same weights,
images and noise, and must have the same loss.

Rounds alternate between the engines. Rates are medians, without compilation, which is named apart. FLOPs are a training step's
per image, as XLA counts them before it compiles; their share of the device's bfloat16 peak is given where that peak is known.
In float32 both sides may use TF32 where the device has it; in bfloat16 the last layers of Keras's encoder and decoder stay in
float32, as our models have it, and PyTorch's do not. The last line is JSON.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import os
import statistics as stats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch is on the same device

import jax
import keras
import numpy as np
import torch
from jax_steps import Engine, KerasJax
from torch_peer import Training, build
from torch_vae import TorchVAE

from models.vae import VAE
from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

RECIPES = {28: "fashion_bn", 128: "fashion_products", 256: "cartoon_faces"}
IMAGES = {28: 16_384, 128: 4_096, 256: 1_024}  # made where there is no file
BATCHES = {
    "gpu": {28: (128, 1024, 8192), 128: (128, 512, 1024), 256: (64, 128, 256)},
    "cpu": {28: (128,), 128: (32,), 256: (8,)},
}
SCANNED = 16  # steps that one call hands to a GPU
CHECKED = 8  # images on which both sides must agree
# Dense bfloat16 in TFLOP/s, from NVIDIA's data sheets. The first name that the device's holds counts.
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "A100": 312, "L40S": 362, "L4": 121}

SIDES = ("keras_jax", "torch")


def torch_engine(recipe: Recipe, images: torch.Tensor, *, batch_size: int, bfloat16: bool, compiled: bool) -> Engine:
    """The peer's steps on random batches."""
    torch._dynamo.reset()
    vae = build(recipe, images).to(images.device)
    # CUDA's graphs spare the host a launch per kernel.
    mode = "reduce-overhead" if images.device.type == "cuda" else "default"
    training = Training(
        vae, learning_rate=recipe.train.learning_rate, bfloat16=bfloat16, compiled=mode if compiled else None
    )

    def run(steps: int) -> int:
        for _ in range(steps):
            loss = training.step(images[torch.randint(len(images), (batch_size,), device=images.device)])
        loss.item()
        return steps

    return run


def check_peer(ours: VAE, peer: TorchVAE, images: np.ndarray) -> None:
    """Holds that both sides have as many weights, and in float32 the same loss of the same images, weights and noise.

    Raises:
        AssertionError: They do not.
    """
    expected, found = ours.encoder.count_params() + ours.decoder.count_params(), peer.count_weights()
    assert found == expected, f"expected {expected:,} weights in PyTorch, found {found:,}"
    noise = np.random.default_rng(0).standard_normal((len(images), ours.latent_dim)).astype(np.float32)
    with jax.default_matmul_precision("highest"):
        targets = ours.normalise(images)
        mean, log_variance = ours.encoder(targets, training=True)
        outputs = ours.decoder(ours.sampler(mean, log_variance, noise), training=True)
        made = {"targets": targets, "mean": mean, "log_variance": log_variance, "outputs": outputs}
        expected_loss = float(ours.compute_loss(y_pred=made))
    peer.take_weights([*ours.encoder.get_weights(), *ours.decoder.get_weights()])
    device = peer.pixel_mean.device
    mirrored = torch.from_numpy(images[:, ::-1, ::-1].copy()).to(device).permute(0, 3, 1, 2)
    torch.set_float32_matmul_precision("highest")
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        loss = float(peer(mirrored, torch.from_numpy(noise).to(device)))
    torch.set_float32_matmul_precision("high")  # TF32 from here on, as XLA takes it by default
    assert math.isclose(loss, expected_loss, rel_tol=1e-4), (
        f"expected a loss of {expected_loss} in PyTorch, found {loss}"
    )


def measure(
    engines: dict[str, Callable[[], Engine]], *, batch_size: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Images per second of each engine in each round; the seconds of its first call; and which did not run, and why."""
    ready: dict[str, tuple[Engine, int]] = {}
    found: dict[str, Any] = {"images_per_second": {}, "first_call_seconds": {}, "failed": {}}
    for name, make in engines.items():
        try:
            engine = make()
            began = time.perf_counter()
            engine(1)
            found["first_call_seconds"][name] = round(time.perf_counter() - began, 1)
            engine(2)  # what records its graphs at the second call
            began = time.perf_counter()
            steps = engine(1)
            ready[name] = engine, math.ceil(seconds * steps / (time.perf_counter() - began))
        except Exception as error:  # no memory, no compiler: the others still count
            found["failed"][name] = f"{type(error).__name__}: {error}"[:300]
    rates: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(rounds):
        for name, (engine, steps) in ready.items():
            began = time.perf_counter()
            done = engine(steps)
            rates[name].append(done * batch_size / (time.perf_counter() - began))
    return found | {"images_per_second": rates}


def compare(found: dict[str, Any]) -> dict[str, Any]:
    """Medians, each side's best, and ours over PyTorch's, per round."""
    rates = found["images_per_second"]
    medians = {name: round(stats.median(values), 1) for name, values in rates.items()}
    engine = {
        side: max((name for name in medians if name.startswith(side)), key=medians.get, default=None) for side in SIDES
    }
    row = {**found, "images_per_second": medians, "best": {side: medians.get(engine[side]) for side in SIDES}}
    if all(engine.values()):
        ratios = [ours / peer for ours, peer in zip(*(rates[engine[side]] for side in SIDES), strict=True)]
        row |= {"ratio_median": round(stats.median(ratios), 3), "ratios": [round(ratio, 3) for ratio in ratios]}
    return row


def read_images(path: Path) -> np.ndarray:
    """The one array of an `.npz`: [N, H, W, C], uint8."""
    with np.load(path) as archive:
        images = archive[archive.files[0]]
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        sys.exit(f"{path}: expected uint8 images [N, H, W, C], found {images.dtype} {list(images.shape)}")
    if images.shape[1] != images.shape[2] or images.shape[1] not in RECIPES:
        sys.exit(f"{path}: expected squares of {', '.join(map(str, RECIPES))} pixels, found {list(images.shape[1:3])}")
    return images if images.ndim == 4 else images[..., None]


def make_images(size: int, folder: Path) -> Path:
    """An `.npz` of random pixels."""
    shape = (IMAGES[size], size, size, load_recipe(RECIPES[size]).preprocess.channels)
    path = folder / f"{size}.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    return path


def examine(size: int, images: np.ndarray, given: argparse.Namespace, *, peak: float | None) -> dict[str, Any]:
    """All that is measured at a size."""
    recipe = load_recipe(RECIPES[size])
    pixels = torch.from_numpy(images).to("cuda" if torch.cuda.is_available() else "cpu").permute(0, 3, 1, 2)
    ours = KerasJax(recipe, images, bfloat16=False)
    check_peer(ours.vae, build(recipe, pixels).to(pixels.device), images[:CHECKED])
    flops, weights = ours.flops(), ours.vae.count_params()
    print(f"\n{size} × {size}, {recipe.name}: {weights:,} weights, {flops / 1e6:,.1f} MFLOP per image", flush=True)
    rows = []
    batch_sizes = given.batches or BATCHES[jax.default_backend()][size]
    for bfloat16, batch_size in itertools.product((False, True), batch_sizes):
        engines = engines_for(recipe, images, pixels, batch_size=batch_size, bfloat16=bfloat16)
        found = measure(engines, batch_size=batch_size, rounds=given.rounds, seconds=given.seconds)
        row = {"precision": "bfloat16" if bfloat16 else "float32", "batch_size": batch_size, **compare(found)}
        rows.append(row)
        rates = "  ".join(f"{name} {rate:,.1f}" for name, rate in row["images_per_second"].items())
        print(f"{row['precision']:<8} {batch_size:>5} per step  {rates} images/s  {row['failed'] or ''}", flush=True)
        del engines
        free_memory()
    best = {side: max(row["best"][side] or 0 for row in rows) for side in SIDES}
    return {
        "recipe": recipe.name,
        "weights": weights,
        "flops_per_image": flops,
        "images": len(images),
        "best_images_per_second": best,
        "share_of_bf16_peak": {side: rate * flops / peak if peak else None for side, rate in best.items()},
        "rows": rows,
    }


def engines_for(
    recipe: Recipe, images: np.ndarray, pixels: torch.Tensor, *, batch_size: int, bfloat16: bool
) -> dict[str, Callable[[], Engine]]:
    """What is timed; an engine's name begins with its side's."""
    ours = KerasJax(recipe, images, bfloat16=bfloat16)

    def peer(*, compiled: bool) -> Engine:
        return torch_engine(recipe, pixels, batch_size=batch_size, bfloat16=bfloat16, compiled=compiled)

    engines: dict[str, Callable[[], Engine]] = {
        "keras_jax": lambda: ours.engine(batch_size=batch_size),
        "torch": lambda: peer(compiled=False),
        "torch_compiled": lambda: peer(compiled=True),
    }
    if jax.default_backend() == "gpu":
        engines["keras_jax_scanned"] = lambda: ours.engine(batch_size=batch_size, scanned=SCANNED)
    return engines


def free_memory() -> None:
    """Gives the device's memory back, both sides'."""
    keras.utils.clear_session()
    jax.clear_caches()
    gc.collect()
    torch.cuda.empty_cache()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help=".npz files of uint8 images")
    parser.add_argument("--sizes", nargs="+", type=int, choices=tuple(RECIPES), default=list(RECIPES))
    parser.add_argument("--batches", nargs="+", type=int, help="images per step, at every size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of an engine in a round")
    given = parser.parse_args()
    device = jax.devices()[0].device_kind
    peak = next((peak for name, peak in PEAKS.items() if name in device), None)
    print(f"{device}; keras {keras.__version__}, jax {jax.__version__}, torch {torch.__version__}")
    files = {images.shape[1]: images for images in map(read_images, given.files)}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            images = files[size] if size in files else read_images(make_images(size, Path(folder)))
            found[str(size)] = examine(size, images, given, peak=peak and peak * 1e12)
            free_memory()
    versions = {"keras": keras.__version__, "jax": jax.__version__, "torch": torch.__version__}
    result = {
        "benchmark": "gpu",
        "device": device,
        "cores": os.cpu_count(),
        "bf16_peak_tflops": peak,
        "rounds": given.rounds,
    }
    print(json.dumps(result | {"versions": versions, "sizes": found}))


if __name__ == "__main__":
    main()
