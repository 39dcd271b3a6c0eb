"""New images per second, beside other ways to make them and beside the decoder alone, in one run.

    .venv/bin/python -m benchmarks.generate runs/fashion_bn --count 100000 [--pythae-python …/python]

- ours: `generate`, by format, each in its own process. `whole` counts the whole process, imports included; `work` begins
  when the imports are done;
- predict: the articles' way, `decoder.predict` on one code at a time, and Pillow's PNG of each image;
- compiled: the same with a compiled call per image, in the manner of stylegan's generator script;
- pythae: pythae's normal sampler writing its PNGs, with its own network for 28 × 28 (`--pythae-python` has pythae 0.1.2);
- limit: the decoder alone, nothing encoded or written, at the best of some batch sizes and thread settings.

Rates of the peers and of the limit leave their imports out. Rounds alternate. Rates are medians; a ratio is the median of the
rounds' ratios. The last line is JSON.
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
    start = time.perf_counter()
    NormalSampler(model=model).sample(num_samples=int(sys.argv[1]), batch_size=500, output_dir=folder, return_gen=False)
    print(int(sys.argv[1]) / (time.perf_counter() - start))
"""


def main() -> None:
    """Print a line per way, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a recipe's artifacts, with model/ and generator/")
    parser.add_argument("--count", type=int, default=100_000, help="images of each set of ours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--pythae-python", type=Path, help="a Python with pythae; without it that peer is left out")
    parser.add_argument("--way", help=argparse.SUPPRESS)  # set in the processes that this one starts
    options = parser.parse_args()
    if options.way:
        name, *arguments = options.way.split(",")
        print(json.dumps(WAYS[name](options.run, *arguments)))
        return
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=options.run) as sets:
        for _ in range(options.rounds):
            for name, rate in _measure_round(options, sets):
                rates.setdefault(name, []).append(rate)
    medians = {name: stats.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:18} {rate:10,.1f} images/s")

    def ratio(ours: str, peer: str) -> float:
        return stats.median(a / b for a, b in zip(rates[ours], rates[peer], strict=True))

    ratios = {
        f"{format} {part} / {peer}": ratio(f"{format} {part}", peer)
        for format in options.formats
        for part in ("whole", "work")
        for peer in ("predict", "compiled", "pythae", "limit")
        if peer in rates
    }
    print(
        json.dumps({"count": options.count, "rounds": options.rounds, "images_per_second": medians, "ratios": ratios})
    )


def _measure_round(options: argparse.Namespace, sets: str) -> list[tuple[str, float]]:
    """Return the images per second of every way, each measured once."""
    rates: list[tuple[str, float]] = []
    limits = [_in_own_process(options.run, f"limit,{calls},{threads},{batch}") for calls, threads, batch in LIMITS]
    rates.append(("limit", max(limits)))
    for format in options.formats:
        # Sets are removed at the very end: ext4 is slow to make a file in the place of one that was just removed.
        folder = tempfile.mkdtemp(dir=sets)
        start = time.perf_counter()
        seconds = _in_own_process(options.run, f"ours,{format},{options.count},{folder}")
        rates.append((f"{format} whole", options.count / (time.perf_counter() - start)))
        rates.append((f"{format} work", options.count / seconds))
    rates += [(name, _in_own_process(options.run, f"{name},{PEER_IMAGES[name]}")) for name in ("predict", "compiled")]
    if options.pythae_python:
        command = [options.pythae_python, "-c", PYTHAE, str(PEER_IMAGES["pythae"])]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        rates.append(("pythae", float(process.stdout.split()[-1])))
    return rates


def _in_own_process(run: Path, way: str) -> float:
    """Run one of WAYS in another process, and return its result."""
    command = [sys.executable, "-m", "benchmarks.generate", str(run), "--way", way]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return float(json.loads(process.stdout.splitlines()[-1]))


def _time_ours(run: Path, format: str, count: str, folder: str) -> float:
    """Generate a set; return the seconds, counted from when the imports are done."""
    import tensorflow as tf  # noqa: F401

    from components.generate.run import run as generate

    images = ImageSet(Path(folder, "set"), work=Path(folder, "work"))
    for path in (images.path, images.work):
        path.mkdir()
    section = GenerateSection.model_validate({"count": int(count), "format": format})
    start = time.perf_counter()
    generate(Generator(run / "generator"), images, GenerateSettings(generate=section, beam=BeamSection()))
    return time.perf_counter() - start


def _limit(run: Path, calls: str, threads: str, batch: str) -> float:
    """Return the images per second of the decoder alone.

    `calls` run at once (0: one per core), and each operation takes `threads` threads (0: all).
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    loaded = tf.saved_model.load(str(run / "generator" / "saved_model"))
    decode = loaded.signatures["decode"]
    signature = decode.structured_input_signature[1]
    codes = np.random.default_rng(0).standard_normal((int(batch), signature["codes"].shape[1])).astype(np.float32)
    inputs = {"codes": tf.constant(codes)}
    if "labels" in signature:
        inputs["labels"] = tf.zeros(int(batch), tf.int64)
    decode(**inputs)
    decoded = [0] * (int(calls) or os.cpu_count() or 1)  # images, per thread
    deadline = time.perf_counter() + SECONDS

    def work(thread: int) -> None:
        while time.perf_counter() < deadline:
            decode(**inputs)["images"].numpy()
            decoded[thread] += int(batch)

    start = time.perf_counter()
    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(len(decoded))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(decoded) / (time.perf_counter() - start)


def _one_by_one(run: Path, count: str, *, compiled: bool) -> float:
    """Return the images per second of a loop that decodes one code at a time and lets Pillow write its PNG."""
    import keras
    import tensorflow as tf

    import models.vae

    vae: models.vae.VAE = keras.models.load_model(Model(run / "model").vae_path, compile=False, safe_mode=True)
    call = tf.function(vae.decoder, reduce_retracing=True) if compiled else None

    def decode(code: Any) -> Any:
        labels = [tf.zeros(1, tf.int32)] if vae.conditional else []
        inputs = [tf.constant(code), *labels] if labels else tf.constant(code)
        outputs = call(inputs).numpy() if call else vae.decoder.predict(inputs, verbose=0)
        return vae.normalise.to_pixels(vae.likelihood.mean(outputs)).numpy()[0]

    codes = np.random.default_rng(0).standard_normal((int(count), 1, vae.latent_dim)).astype(np.float32)
    decode(codes[0])
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for number, code in enumerate(codes):
            pixels = decode(code)
            Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(f"{folder}/{number:06d}.png")
        return int(count) / (time.perf_counter() - start)


WAYS: dict[str, Callable[..., float]] = {
    "ours": _time_ours,
    "limit": _limit,
    "predict": lambda run, count: _one_by_one(run, count, compiled=False),
    "compiled": lambda run, count: _one_by_one(run, count, compiled=True),
}


if __name__ == "__main__":
    main()
