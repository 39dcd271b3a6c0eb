"""New images per second, beside other ways to make them and beside the decoder alone, in one run.

    .venv/bin/python benchmarks/generate.py runs/fashion_bn --count 100000 [--pythae-python …/python]

- ours: `generate`, by format, each in a process of its own: `whole` with the process's start, imports included; `work` from when
  these are done;
- predict: the articles' way, `decoder.predict` on one code at a time, and Pillow's PNG of each;
- compiled: the same with a compiled call per image, in the manner of stylegan's generator script;
- pythae: pythae's normal sampler writing its PNGs, of its own network for 28 × 28 (`--pythae-python` has pythae 0.1.2);
- limit: the decoder alone, nothing encoded or written, at the best of some batch sizes and thread settings.

Rates of peers and the limit are without their imports. Rounds alternate; medians, and ratios per round. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics as stats
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from schemas.artifacts.kinds import Generator, ImageSet, Model
from schemas.recipe.generate import GenerateSection
from schemas.recipe.recipe import BeamSection
from schemas.recipe.settings import GenerateSettings

FORMATS = ("png", "parquet", "tfrecord", "webdataset", "npy")
LIMITS = [(calls, threads, batch) for calls, threads in ((1, 0), (0, 1)) for batch in (32, 64, 256)]
SECONDS = 4.0  # of the decoder alone, per setting
PEER_IMAGES = {"predict": 100, "compiled": 1000, "pythae": 2000}
PYTHAE = """
import sys, tempfile, time, torch
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
from pythae.samplers import NormalSampler
settings = VAEConfig(input_dim=(1, 28, 28), latent_dim=16)
model = VAE(settings, encoder=Encoder_Conv_VAE_MNIST(settings), decoder=Decoder_Conv_AE_MNIST(settings))
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    began = time.perf_counter()
    NormalSampler(model=model).sample(num_samples=int(sys.argv[1]), batch_size=500, output_dir=folder, return_gen=False)
    print(int(sys.argv[1]) / (time.perf_counter() - began))
"""


def main() -> None:
    """Prints a line per way, and one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("run", type=Path, help="a recipe's artifacts, with model/ and generator/")
    arguments.add_argument("--count", type=int, default=100_000, help="images of each set of ours")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    arguments.add_argument("--pythae-python", type=Path, help="a Python with pythae; none: without it")
    arguments.add_argument("--way", help=argparse.SUPPRESS)  # what a process of its own does
    given = arguments.parse_args()
    if given.way:
        name, *rest = given.way.split(",")
        print(json.dumps(WAYS[name](given.run, *rest)))
        return
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=given.run) as sets:
        for _ in range(given.rounds):
            for name, rate in _round(given, sets):
                rates.setdefault(name, []).append(rate)
    found = {name: stats.median(values) for name, values in rates.items()}
    for name, rate in found.items():
        print(f"{name:18} {rate:10,.1f} images/s")

    def ratio(ours: str, other: str) -> float:
        return stats.median(a / b for a, b in zip(rates[ours], rates[other], strict=True))

    ratios = {
        f"{kind} {place} / {peer}": ratio(f"{kind} {place}", peer)
        for kind in given.formats
        for place in ("whole", "work")
        for peer in ("predict", "compiled", "pythae", "limit")
        if peer in rates
    }
    print(json.dumps({"count": given.count, "rounds": given.rounds, "images_per_second": found, "ratios": ratios}))


def _round(given: argparse.Namespace, sets: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    limits = [_alone(given.run, f"limit,{calls},{threads},{batch}") for calls, threads, batch in LIMITS]
    found.append(("limit", max(limits)))
    for format in given.formats:
        # Sets stay until all is done: ext4 looks at each file that was just removed before it makes one in its place.
        folder = tempfile.mkdtemp(dir=sets)
        began = time.perf_counter()
        seconds = _alone(given.run, f"ours,{format},{given.count},{folder}")
        found.append((f"{format} whole", given.count / (time.perf_counter() - began)))
        found.append((f"{format} work", given.count / seconds))
    found += [(name, _alone(given.run, f"{name},{PEER_IMAGES[name]}")) for name in ("predict", "compiled")]
    if given.pythae_python:
        command = [given.pythae_python, "-c", PYTHAE, str(PEER_IMAGES["pythae"])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(("pythae", float(done.stdout.split()[-1])))
    return found


def _alone(run: Path, way: str) -> float:
    """What a way finds in a process of its own."""
    command = [sys.executable, __file__, str(run), "--way", way]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _ours(run: Path, format: str, count: str, folder: str) -> float:
    """Seconds of a set, from when what it needs is imported."""
    import tensorflow as tf  # noqa: F401

    from components.generate.run import run as generate

    images = ImageSet(Path(folder, "set"), work=Path(folder, "work"))
    for path in (images.path, images.work):
        path.mkdir()
    wanted = GenerateSection.model_validate({"count": int(count), "format": format})
    began = time.perf_counter()
    generate(Generator(run / "generator"), images, GenerateSettings(generate=wanted, beam=BeamSection()))
    return time.perf_counter() - began


def _limit(run: Path, calls: str, threads: str, batch: str) -> float:
    """Images per second of the decoder alone: so many calls at once (0: one per core), so many threads per operation (0: all)."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    loaded = tf.saved_model.load(str(run / "generator" / "saved_model"))
    decode = loaded.signatures["decode"]
    taken = decode.structured_input_signature[1]
    codes = np.random.default_rng(0).standard_normal((int(batch), taken["codes"].shape[1])).astype(np.float32)
    inputs = {"codes": tf.constant(codes)}
    if "labels" in taken:
        inputs["labels"] = tf.zeros(int(batch), tf.int64)
    decode(**inputs)
    done = [0] * (int(calls) or os.cpu_count() or 1)
    until = time.perf_counter() + SECONDS

    def work(place: int) -> None:
        while time.perf_counter() < until:
            decode(**inputs)["images"].numpy()
            done[place] += int(batch)

    began = time.perf_counter()
    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(done))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - began)


def _one_by_one(run: Path, count: str, *, compiled: bool) -> float:
    """Images per second of a loop that decodes a code and has Pillow write its PNG."""
    import keras
    import tensorflow as tf

    import models.vae

    vae: models.vae.VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    call = tf.function(vae.decoder, reduce_retracing=True) if compiled else None

    def made(code: Any) -> Any:
        labels = [tf.zeros(1, tf.int32)] if vae.conditional else []
        inputs = [tf.constant(code), *labels] if labels else tf.constant(code)
        outputs = call(inputs).numpy() if call else vae.decoder.predict(inputs, verbose=0)
        return vae.normalise.to_pixels(vae.likelihood.mean(outputs)).numpy()[0]

    codes = np.random.default_rng(0).standard_normal((int(count), 1, vae.latent_dim)).astype(np.float32)
    made(codes[0])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for number, code in enumerate(codes):
            pixels = made(code)
            Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(f"{folder}/{number:06d}.png")
        return int(count) / (time.perf_counter() - began)


WAYS: dict[str, Callable[..., float]] = {
    "ours": _ours,
    "limit": _limit,
    "predict": lambda run, count: _one_by_one(run, count, compiled=False),
    "compiled": lambda run, count: _one_by_one(run, count, compiled=True),
}


if __name__ == "__main__":
    main()
