"""How a network is trained on this machine: in which precision, with XLA or without, how many steps per call.

What is fastest depends on the processor and on the network: bfloat16 is a gain where there are instructions for it, XLA makes
transposed convolutions slower on CPUs and small networks faster on GPUs. So it is measured. Importing this loads TensorFlow.
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
from components.examples.dataset import ahead
from components.reporting.console import say
from models.build import build_vae
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.model import LossSettings, ModelSettings
from schemas.recipe.recipe import EngineSection

WORTH = 90.0  # seconds of training from which on measuring is worth its time
PROBE_SECONDS = 1.0  # per candidate, beside its compilation
STEPS_PER_CALL = 8
# An engine that is not clearly faster is not worth other rounding.
CLEARLY = 1.05
SLOW_STEP = 0.2  # seconds from which on the time between two calls is nothing beside the step
BFLOAT16 = {
    "avx512_bf16",
    "amx_bf16",
    "bf16",
}  # flags of processors that have instructions for it: Intel's and AMD's, ARM's

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@dataclass(frozen=True)
class Engine:
    """One way to train.

    Attributes:
        precision: float32; or bfloat16, float16: of activations, where weights, losses and moments stay float32.
        jit: Whether XLA compiles the step.
        steps: Steps per call of it.
        parts: In which a step takes its batch, where memory is short.
    """

    precision: str = "float32"
    jit: bool = False
    steps: int = 1
    parts: int = 1

    def __str__(self) -> str:
        several = f", {self.steps} steps per call" if self.steps > 1 else ""
        return f"{self.precision}{', XLA' if self.jit else ''}{several}"

    def build(self, network: ModelSettings, loss: LossSettings, statistics: Statistics, *, seed: int) -> VAE:
        """A model to be trained this way. It is not what is saved: that is float32, and of Keras's own layers."""
        with _policy(_POLICIES[self.precision]):
            vae = build_vae(network, loss, statistics, seed=seed)
        fuse_batch_norm(vae)
        return vae

    def compile(self, vae: VAE, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes a model that `build` built ready for `fit`."""
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
    kept: Path,
) -> Engine:
    """The engine that the settings name; what they leave open is what is fastest here.

    It is measured once per machine and network, and for a training at once where the training is long enough.

    Args:
        section: The settings; what they name is not tried otherwise.
        network: Of the recipe.
        loss: Of the recipe.
        statistics: Of the images.
        batch_size: Images per step.
        images: How many the training will see, all epochs together.
        deterministic: Nothing is measured: what is open is float32, without XLA, a step at a time.
        kept: This training's own file, so that it goes on after a kill as it began.
    """
    if kept.exists():
        return Engine(**json.loads(kept.read_bytes()))
    plain = plain_engine(section)
    candidates = _candidates(section, plain)
    if deterministic or len(candidates) == 1:
        return _keep(plain, kept)
    key = _key(network, loss, statistics, batch_size, candidates)
    cache = _cache_folder() / f"engine-{key}.json"
    if cache.exists():
        found = Engine(**json.loads(cache.read_bytes()))
        say(f"engine  {found} (as measured before on this machine)")
        return _keep(found, kept)

    def rate_of(engine: Engine, *, beside: float = 0.0) -> float:
        return measure(engine, network, loss, statistics, batch_size=batch_size, beside=beside)

    rates = {plain: rate_of(plain)}
    if images < WORTH * rates[plain]:
        return _keep(plain, kept)
    rates |= {engine: rate_of(engine, beside=rates[plain]) for engine in candidates if engine not in rates}
    best = max(rates, key=lambda engine: rates[engine])
    if section.steps_per_call == "auto" and rates[best] * SLOW_STEP > batch_size:
        several = replace(best, steps=STEPS_PER_CALL)
        rates[several] = rate_of(several)
        best = max(rates, key=lambda engine: rates[engine])
    if not rates[best]:
        return _keep(plain, kept)  # memory is too short for any: train itself takes smaller parts
    if rates[best] < CLEARLY * rates[plain]:
        best = plain
    others = "; ".join(f"{engine}: {rate:,.0f}" for engine, rate in rates.items() if engine != best)
    say(f"engine  {best}: {rates[best]:,.0f} images/s measured ({others})")
    cache.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(cache, json.dumps(asdict(best)))
    return _keep(best, kept)


def measure(
    engine: Engine,
    network: ModelSettings,
    loss: LossSettings,
    statistics: Statistics,
    *,
    batch_size: int,
    beside: float = 0.0,
) -> float:
    """Images per second of training steps on random pixels; 0 where they fail, as when memory runs out.

    With one call that takes long, or that shows less than half of `beside`, images per second, it is done.
    """
    keras.utils.clear_session()
    try:
        vae = engine.build(network, loss, statistics, seed=0)
        engine.compile(vae, keras.optimizers.Adam())
        shape = (batch_size, statistics.stored_height, statistics.stored_width, statistics.channels)
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        labels = np.arange(batch_size) % max(len(vae.labels), 1)
        inputs = {"pixels": pixels, "labels": labels} if vae.conditional else pixels
        data = ahead(tf.data.Dataset.from_tensors(inputs).repeat())

        def run(calls: int) -> float:
            began = time.perf_counter()
            vae.fit(data, steps_per_epoch=calls * engine.steps, epochs=1, shuffle=False, verbose=0)
            return time.perf_counter() - began

        run(1)  # compilation
        once = run(1)
        rate = batch_size * engine.steps / once
        if once > PROBE_SECONDS or rate < beside / 2:
            return rate
        calls = max(1, round(PROBE_SECONDS / 3 / once))
        return batch_size * engine.steps * calls / stats.median(run(calls) for _ in range(3))
    except tf.errors.OpError:
        return 0.0
    finally:
        keras.utils.clear_session()


def halved(engine: Engine, *, batch_size: int, devices: int, kept: Path) -> Engine:
    """The engine for a training that ran out of memory: it takes its batches in twice as many parts.

    Raises:
        DataError: There is an image in each part already, or several devices share a batch, whose parts they are.
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
    return _keep(replace(engine, parts=parts), kept)


def plain_engine(section: EngineSection) -> Engine:
    """What is taken where nothing is measured."""
    return Engine(
        precision="float32" if section.precision == "auto" else section.precision,
        # Keras's own choice would be XLA everywhere; on CPUs it makes transposed convolutions slower.
        jit=bool(tf.config.list_physical_devices("GPU")) if section.jit == "auto" else section.jit,
        steps=1 if section.steps_per_call == "auto" else section.steps_per_call,
    )


def _candidates(section: EngineSection, plain: Engine) -> list[Engine]:
    precisions = ["float32", *_half()] if section.precision == "auto" else [plain.precision]
    jits = [False, True] if section.jit == "auto" else [plain.jit]
    return [replace(plain, precision=precision, jit=jit) for precision in precisions for jit in jits]


def _half() -> list[str]:
    """bfloat16; on GPUs before compute capability 8.0, which have no units for it, float16; neither where it is emulated.

    A processor without instructions for it takes ten times as long, and minutes for a single step of a large network.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        if tf.config.experimental.get_device_details(gpu).get("compute_capability", (8, 0)) < (8, 0):
            return ["float16"]
    return ["bfloat16"] if gpus or not (flags := processor_flags()) or flags & BFLOAT16 else []


def processor_flags() -> set[str]:
    """What Linux says the processor can do; nothing elsewhere."""
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


def _keep(engine: Engine, kept: Path) -> Engine:
    atomic.write_text(kept, json.dumps(asdict(engine)))
    return engine


def _key(
    network: ModelSettings, loss: LossSettings, statistics: Statistics, batch_size: int, candidates: list[Engine]
) -> str:
    """What a measurement holds for: a machine, its libraries, a network, its images, and what was open."""
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
