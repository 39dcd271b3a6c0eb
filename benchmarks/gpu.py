"""Training steps on one device: the recipes' networks under Keras's JAX back end beside the same layers in PyTorch, in one run.

    /path/to/a/python -m benchmarks.gpu [photos.npz …] [--sizes 28 128 256] [--batches 128 1024]

That Python has keras, jax, torch, pydantic and PyYAML; it does not need TensorFlow. Made for a GPU; it runs on a CPU too. An
`.npz` holds one array of uint8 images [N, H, W, C]; a size without a file gets random pixels. Images lie on the device as
uint8, and a step draws a batch, casts and normalises it there. Before anything is timed, both sides get the same weights,
images and noise, and must have the same loss.

Rounds alternate between the engines. Rates are medians without compilation, which is reported separately. FLOPs are those of a
training step per image, as XLA counts them before it compiles; their share of the device's bfloat16 peak is given where that
peak is known. In float32 both sides may use TF32 where the device has it. In bfloat16 the last layers of Keras's encoder and
decoder stay in float32, as in our models; PyTorch's do not. The last line is JSON.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch is on the same device

import jax
import keras
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.keras_jax import KerasJax, RunSteps
from benchmarks.peers.torch_training import Training, build
from benchmarks.peers.torch_vae import TorchVAE
from models.vae import VAE
from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

RECIPES = {28: "fashion_bn", 128: "fashion_products", 256: "cartoon_faces"}
IMAGES = {28: 16_384, 128: 4_096, 256: 1_024}  # random ones, where there is no file
BATCHES: dict[str, dict[int, tuple[int, ...]]] = {
    "gpu": {28: (128, 1024, 8192), 128: (128, 512, 1024), 256: (64, 128, 256)},
    "cpu": {28: (128,), 128: (32,), 256: (8,)},
}
SCANNED = 16  # steps that one call hands to a GPU
CHECKED = 8  # images on which both sides must agree
# Dense bfloat16 in TFLOP/s, from NVIDIA's data sheets. The first name that is part of the device's name counts.
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "A100": 312, "L40S": 362, "L4": 121}

SIDES = ("keras_jax", "torch")


@dataclass(frozen=True)
class Measured:
    """What was measured of several engines.

    Attributes:
        rates: Images per second, per engine and round.
        first_call_seconds: Of each engine's first call, which compiles.
        failed: Why an engine did not run.
    """

    rates: dict[str, list[float]] = field(default_factory=dict)
    first_call_seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def torch_engine(recipe: Recipe, images: Any, *, batch_size: int, bfloat16: bool, compiled: bool) -> RunSteps:
    """Return what trains the peer on random batches."""
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


def check_peer(ours: VAE, peer: TorchVAE, images: NDArray[np.uint8]) -> None:
    """Check that both sides have as many weights, and in float32 the same loss for the same images, weights and noise.

    Raises:
        AssertionError: They do not.
    """
    expected, weights = ours.encoder.count_params() + ours.decoder.count_params(), peer.count_weights()
    assert weights == expected, f"expected {expected:,} weights in PyTorch, found {weights:,}"
    noise = np.random.default_rng(0).standard_normal((len(images), ours.latent_dim)).astype(np.float32)
    with jax.default_matmul_precision("highest"):
        targets = ours.normalise(images)
        mean, log_variance = ours.encoder(targets, training=True)
        outputs = ours.decoder(ours.sampler(mean, log_variance, noise), training=True)
        predictions = {"targets": targets, "mean": mean, "log_variance": log_variance, "outputs": outputs}
        expected_loss = float(ours.compute_loss(y_pred=predictions))
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


def measure(engines: dict[str, Callable[[], RunSteps]], *, batch_size: int, rounds: int, seconds: float) -> Measured:
    """Time each engine for some seconds in each round; one that cannot run is reported and left out."""
    ready: dict[str, tuple[RunSteps, int]] = {}
    measured = Measured()
    for name, make in engines.items():
        try:
            run = make()
            start = time.perf_counter()
            run(1)
            measured.first_call_seconds[name] = round(time.perf_counter() - start, 1)
            run(2)  # some engines record their graphs at the second call
            start = time.perf_counter()
            steps = run(1)
            ready[name] = run, math.ceil(seconds * steps / (time.perf_counter() - start))
        except Exception as error:  # no memory, no compiler: the others still count
            measured.failed[name] = f"{type(error).__name__}: {error}"[:300]
    measured.rates.update({name: [] for name in ready})
    for _ in range(rounds):
        for name, (run, steps) in ready.items():
            start = time.perf_counter()
            done = run(steps)
            measured.rates[name].append(done * batch_size / (time.perf_counter() - start))
    return measured


def compare(measured: Measured) -> dict[str, Any]:
    """Return medians, each side's best, and our rate over PyTorch's, per round."""
    rates = measured.rates
    medians = {name: round(stats.median(values), 1) for name, values in rates.items()}
    best: dict[str, str | None] = {
        side: max((name for name in medians if name.startswith(side)), key=lambda name: medians[name], default=None)
        for side in SIDES
    }
    row: dict[str, Any] = {
        "images_per_second": medians,
        "first_call_seconds": measured.first_call_seconds,
        "failed": measured.failed,
        "best": {side: medians[name] if name else None for side, name in best.items()},
    }
    names = [name for name in best.values() if name]
    if len(names) == len(SIDES):
        ratios = [ours / peer for ours, peer in zip(*(rates[name] for name in names), strict=True)]
        row |= {"ratio_median": round(stats.median(ratios), 3), "ratios": [round(ratio, 3) for ratio in ratios]}
    return row


def read_images(path: Path) -> NDArray[np.uint8]:
    """Read the one array of an `.npz`: [N, H, W, C], uint8."""
    with np.load(path) as archive:
        images: NDArray[np.uint8] = archive[archive.files[0]]
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        sys.exit(f"{path}: expected uint8 images [N, H, W, C], found {images.dtype} {list(images.shape)}")
    if images.shape[1] != images.shape[2] or images.shape[1] not in RECIPES:
        sys.exit(f"{path}: expected squares of {', '.join(map(str, RECIPES))} pixels, found {list(images.shape[1:3])}")
    return images if images.ndim == 4 else images[..., None]


def make_images(size: int, folder: Path) -> Path:
    """Write an `.npz` of random pixels, and return its path."""
    shape = (IMAGES[size], size, size, load_recipe(RECIPES[size]).preprocess.channels)
    path = folder / f"{size}.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    return path


def examine(size: int, images: NDArray[np.uint8], options: argparse.Namespace, *, peak: float | None) -> dict[str, Any]:
    """Measure everything at one size of images."""
    recipe = load_recipe(RECIPES[size])
    pixels = torch.from_numpy(images).to("cuda" if torch.cuda.is_available() else "cpu").permute(0, 3, 1, 2)
    ours = KerasJax(recipe, images, bfloat16=False)
    check_peer(ours.vae, build(recipe, pixels).to(pixels.device), images[:CHECKED])
    flops, weights = ours.flops(), ours.vae.count_params()
    print(f"\n{size} × {size}, {recipe.name}: {weights:,} weights, {flops / 1e6:,.1f} MFLOP per image", flush=True)
    rows: list[dict[str, Any]] = []
    batch_sizes = options.batches or BATCHES[jax.default_backend()][size]
    for bfloat16, batch_size in itertools.product((False, True), batch_sizes):
        engines = engines_for(recipe, images, pixels, batch_size=batch_size, bfloat16=bfloat16)
        measured = measure(engines, batch_size=batch_size, rounds=options.rounds, seconds=options.seconds)
        row: dict[str, Any] = {
            "precision": "bfloat16" if bfloat16 else "float32",
            "batch_size": batch_size,
            **compare(measured),
        }
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
    recipe: Recipe, images: NDArray[np.uint8], pixels: Any, *, batch_size: int, bfloat16: bool
) -> dict[str, Callable[[], RunSteps]]:
    """Return makers of what is timed; an engine's name begins with its side's."""
    ours = KerasJax(recipe, images, bfloat16=bfloat16)

    def peer(*, compiled: bool) -> RunSteps:
        return torch_engine(recipe, pixels, batch_size=batch_size, bfloat16=bfloat16, compiled=compiled)

    engines: dict[str, Callable[[], RunSteps]] = {
        "keras_jax": lambda: ours.compiled(batch_size=batch_size),
        "torch": lambda: peer(compiled=False),
        "torch_compiled": lambda: peer(compiled=True),
    }
    if jax.default_backend() == "gpu":
        engines["keras_jax_scanned"] = lambda: ours.compiled(batch_size=batch_size, scanned=SCANNED)
    return engines


def free_memory() -> None:
    """Free the device's memory that both sides hold."""
    keras.utils.clear_session()
    jax.clear_caches()
    gc.collect()
    torch.cuda.empty_cache()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help=".npz files of uint8 images")
    parser.add_argument("--sizes", nargs="+", type=int, choices=tuple(RECIPES), default=list(RECIPES))
    parser.add_argument("--batches", nargs="+", type=int, help="images per step, at every size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of an engine in a round")
    options = parser.parse_args()
    device = jax.devices()[0].device_kind
    peak = next((peak for name, peak in PEAKS.items() if name in device), None)
    print(f"{device}; keras {keras.__version__}, jax {jax.__version__}, torch {torch.__version__}")
    files = {images.shape[1]: images for images in map(read_images, options.files)}
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            images = files[size] if size in files else read_images(make_images(size, Path(folder)))
            sizes[str(size)] = examine(size, images, options, peak=peak and peak * 1e12)
            free_memory()
    versions = {"keras": keras.__version__, "jax": jax.__version__, "torch": torch.__version__}
    result = {
        "benchmark": "gpu",
        "device": device,
        "cores": os.cpu_count(),
        "bf16_peak_tflops": peak,
        "rounds": options.rounds,
    }
    print(json.dumps(result | {"versions": versions, "sizes": sizes}))


if __name__ == "__main__":
    main()
