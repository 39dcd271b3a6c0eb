"""The engine that trains a network on this machine: its precision, with or without XLA, and the number of steps per call.

Which is fastest depends on the processor and on the network: bfloat16 is faster where the processor has instructions for it;
XLA makes transposed convolutions slower on CPUs, and small networks faster on GPUs. So it is measured. Importing this module
loads TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics as stats
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.engine.accumulation import train_in_parts
from components.engine.fused_batch_norm import fuse_batch_norm
from components.examples.dataset import prefetched
from components.reporting.console import say
from models.build import build_vae
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.model import LossSettings, ModelSettings
from schemas.recipe.recipe import EngineSection

WORTH_MEASURING_SECONDS = 90.0  # a shorter training is not measured
PROBE_SECONDS = 1.0  # per candidate, beside its compilation
STEPS_PER_CALL = 8
CLEARLY_FASTER = 1.05  # an engine that is not clearly faster is not worth the different rounding
SLOW_STEP = 0.2  # seconds; with slower steps the time between two calls does not matter
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # flags of processors with instructions for it: Intel, AMD, ARM

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@dataclass(frozen=True)
class Engine:
    """One way to train.

    Attributes:
        precision: Of activations: float32, bfloat16 or float16. Weights, losses and moments are always float32.
        jit: Whether XLA compiles the step.
        steps: Steps per call.
        parts: The number of parts in which a step takes its batch, where memory is short.
    """

    precision: str = "float32"
    jit: bool = False
    steps: int = 1
    parts: int = 1

    def __str__(self) -> str:
        steps = f", {self.steps} steps per call" if self.steps > 1 else ""
        return f"{self.precision}{', XLA' if self.jit else ''}{steps}"

    def build(self, network: ModelSettings, loss: LossSettings, statistics: Statistics, *, seed: int) -> VAE:
        """Build a model for training; the saved one is built anew: float32, of Keras's own layers."""
        with _policy(_POLICIES[self.precision]):
            vae = build_vae(network, loss, statistics, seed=seed)
        fuse_batch_norm(vae)
        return vae

    def compile(self, vae: VAE, optimizer: keras.optimizers.Optimizer) -> None:
        """Prepare a model from `build` for `fit`."""
        vae.compile(optimizer=optimizer, jit_compile=self.jit, steps_per_execution=self.steps)
        if self.parts > 1:
            train_in_parts(vae, parts=self.parts)


def choose_engine(
    section: EngineSection,
    network: ModelSettings,
    loss: LossSettings,
    statistics: Statistics,
    *,
    batch_size: int,
    images: int,
    deterministic: bool,
    path: Path,
) -> Engine:
    """Choose the engine of a training: what the settings say; for `auto`, the fastest on this machine.

    The measurement is made once per machine and network, and only for a training that is long enough.

    Args:
        section: The settings.
        network: The recipe's.
        loss: The recipe's.
        statistics: The images'.
        batch_size: Images per step.
        images: The number of images in all epochs together.
        deterministic: Whether to measure nothing; `auto` then means float32, without XLA, a step per call.
        path: The file of this training's engine, so that it resumes with the same one.
    """
    if path.exists():
        return Engine(**json.loads(path.read_bytes()))
    plain = plain_engine(section)
    candidates = _candidates(section, plain)
    if deterministic or len(candidates) == 1:
        return _write(plain, path)
    key = _key(network, loss, statistics, batch_size, candidates)
    cache = _cache_folder() / f"engine-{key}.json"
    if cache.exists():
        engine = Engine(**json.loads(cache.read_bytes()))
        say(f"engine  {engine} (as measured before on this machine)")
        return _write(engine, path)

    def rate_of(engine: Engine, *, beside: float = 0.0) -> float:
        return measure(engine, network, loss, statistics, batch_size=batch_size, beside=beside)

    rates = {plain: rate_of(plain)}
    if images < WORTH_MEASURING_SECONDS * rates[plain]:
        return _write(plain, path)
    rates |= {engine: rate_of(engine, beside=rates[plain]) for engine in candidates if engine not in rates}
    best = max(rates, key=lambda engine: rates[engine])
    if section.steps_per_call == "auto" and rates[best] * SLOW_STEP > batch_size:
        with_several_steps = replace(best, steps=STEPS_PER_CALL)
        rates[with_several_steps] = rate_of(with_several_steps)
        best = max(rates, key=lambda engine: rates[engine])
    if not rates[best]:
        return _write(plain, path)  # no engine has enough memory; train itself takes smaller parts
    if rates[best] < CLEARLY_FASTER * rates[plain]:
        best = plain
    other_rates = "; ".join(f"{engine}: {rate:,.0f}" for engine, rate in rates.items() if engine != best)
    say(f"engine  {best}: {rates[best]:,.0f} images/s measured ({other_rates})")
    cache.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(cache, json.dumps(asdict(best)))
    return _write(best, path)


def measure(
    engine: Engine,
    network: ModelSettings,
    loss: LossSettings,
    statistics: Statistics,
    *,
    batch_size: int,
    beside: float = 0.0,
) -> float:
    """Measure the images per second of training steps on random pixels; return 0 if they fail, as when memory runs out.

    One call is enough if it takes long, or if it reaches less than half of the rate `beside`.
    """
    keras.utils.clear_session()
    try:
        vae = engine.build(network, loss, statistics, seed=0)
        engine.compile(vae, keras.optimizers.Adam())
        shape = (batch_size, statistics.stored_height, statistics.stored_width, statistics.channels)
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        labels = np.arange(batch_size) % max(len(vae.labels), 1)
        inputs = {"pixels": pixels, "labels": labels} if vae.conditional else pixels
        data = prefetched(tf.data.Dataset.from_tensors(inputs).repeat())

        def run(calls: int) -> float:
            began = time.perf_counter()
            vae.fit(data, steps_per_epoch=calls * engine.steps, epochs=1, shuffle=False, verbose=0)
            return time.perf_counter() - began

        run(1)  # compilation
        seconds = run(1)
        rate = batch_size * engine.steps / seconds
        if seconds > PROBE_SECONDS or rate < beside / 2:
            return rate
        calls = max(1, round(PROBE_SECONDS / 3 / seconds))
        return batch_size * engine.steps * calls / stats.median(run(calls) for _ in range(3))
    except tf.errors.OpError:
        return 0.0
    finally:
        keras.utils.clear_session()


def halve_batches(engine: Engine, *, batch_size: int, devices: int, path: Path) -> Engine:
    """Return the engine for a training that ran out of memory: it takes its batches in twice as many parts.

    Raises:
        DataError: Each part has one image already, or several devices share each batch.
    """
    parts = 2 * engine.parts
    if devices > 1:
        raise DataError(
            f"train.batch_size: expected memory for {batch_size} images on {devices} devices, found too little; "
            f"try {batch_size // 2}"
        )
    if parts > batch_size:
        raise DataError(
            "train.batch_size: expected memory for at least one image at a time, found too little; "
            "smaller images (preprocess.height, width) or a smaller network (model) take less"
        )
    say(f"memory  ran out: from here on each batch of {batch_size} is taken in {parts} parts, their gradients added up")
    return _write(replace(engine, parts=parts), path)


def plain_engine(section: EngineSection) -> Engine:
    """Return the engine where nothing is measured."""
    return Engine(
        precision="float32" if section.precision == "auto" else section.precision,
        # Keras's own choice would be XLA everywhere; on CPUs it makes transposed convolutions slower.
        jit=bool(tf.config.list_physical_devices("GPU")) if section.jit == "auto" else section.jit,
        steps=1 if section.steps_per_call == "auto" else section.steps_per_call,
    )


def _candidates(section: EngineSection, plain: Engine) -> list[Engine]:
    precisions = ["float32", *_low_precisions()] if section.precision == "auto" else [plain.precision]
    jits = [False, True] if section.jit == "auto" else [plain.jit]
    return [replace(plain, precision=precision, jit=jit) for precision in precisions for jit in jits]


def _low_precisions() -> list[str]:
    """Return float16 for GPUs before compute capability 8.0, else bfloat16; nothing for CPUs that would emulate bfloat16.

    Without instructions for it a step takes ten times as long: minutes for a large network.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        if tf.config.experimental.get_device_details(gpu).get("compute_capability", (8, 0)) < (8, 0):
            return ["float16"]
    return ["bfloat16"] if gpus or not (flags := processor_flags()) or flags & BFLOAT16 else []


def processor_flags() -> set[str]:
    """Return the processor's flags, as Linux lists them; nothing on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    words = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return set(next(words, []))


@contextmanager
def _policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _write(engine: Engine, path: Path) -> Engine:
    atomic.write_text(path, json.dumps(asdict(engine)))
    return engine


def _key(
    network: ModelSettings, loss: LossSettings, statistics: Statistics, batch_size: int, candidates: list[Engine]
) -> str:
    """Return a digest of all that a measurement depends on: machine, libraries, network, images and candidates."""
    details = tf.config.experimental.get_device_details
    content: dict[str, Any] = {
        "machine": [platform.node(), platform.machine(), os.cpu_count()],
        "gpus": [str(details(gpu)) for gpu in tf.config.list_physical_devices("GPU")],
        "libraries": [tf.__version__, keras.__version__],
        "network": network.model_dump(mode="json"),
        "loss": loss.model_dump(mode="json"),
        "images": [statistics.stored_height, statistics.stored_width, statistics.height, statistics.width],
        "channels": statistics.channels,
        "batch_size": batch_size,
        "candidates": [asdict(engine) for engine in candidates],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latent-mill"
