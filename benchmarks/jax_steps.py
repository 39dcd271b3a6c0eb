"""Our networks' training steps under Keras's JAX back end, for `benchmarks/gpu.py`, which chooses the back end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np

from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.recipe import Recipe

Engine = Callable[[int], int]  # does so many steps or some more, waits for them, returns how many they were


class KerasJax:
    """Our network and `fit`'s own training step."""

    def __init__(self, recipe: Recipe, images: np.ndarray, *, bfloat16: bool) -> None:
        keras.config.set_dtype_policy("mixed_bfloat16" if bfloat16 else "float32")
        _, height, width, channels = images.shape
        statistics = Statistics(
            height=height,
            width=width,
            channels=channels,
            stored_height=height,
            stored_width=width,
            store="uint8",
            normalise="unit",
            mean=[0.0] * channels,
            deviation=[1.0] * channels,
            train_mean=[0.5] * channels,
            train_deviation=[0.3] * channels,
            labels=[],
            images={},
            records={},
            images_per_label={},
            rejected={},
        )
        self.vae: VAE = build_vae(recipe.model, recipe.loss, statistics, seed=0)
        self.vae.compile(optimizer=keras.optimizers.Adam(recipe.train.learning_rate))
        self.vae.optimizer.build(self.vae.trainable_variables)
        self.images = images

    def state(self) -> tuple[list[jax.Array], ...]:
        """A copy of what `train_step` takes and returns."""
        vae = self.vae
        groups = (
            vae.trainable_variables,
            vae.non_trainable_variables,
            vae.optimizer.variables,
            vae.metrics_variables,
        )
        return tuple([jax.numpy.copy(variable.value) for variable in group] for group in groups)

    def step(self, state: Any, batch: jax.Array) -> tuple[Any, jax.Array]:
        """The next state, and the loss."""
        logs, state = self.vae.train_step(state, (batch,))
        return state, logs["loss"]

    def flops(self) -> float:
        """Floating-point operations of a step per image."""
        count = min(8, len(self.images))
        lowered = jax.jit(self.step).lower(self.state(), jax.numpy.asarray(self.images[:count]))
        return lowered.cost_analysis()["flops"] / count

    def engine(self, *, batch_size: int, scanned: int = 1) -> Engine:
        """Steps on random batches; a call hands the device so many at once."""
        images = jax.device_put(self.images)
        state = self.state()

        def call(state: Any, images: jax.Array, key: jax.Array) -> tuple[Any, jax.Array]:
            rows = jax.random.randint(key, (scanned, batch_size), 0, len(images))
            if scanned == 1:  # XLA's convolutions are slow inside a loop on CPUs
                return self.step(state, images[rows[0]])
            return jax.lax.scan(lambda state, some: self.step(state, images[some]), state, rows)

        compiled = jax.jit(call, donate_argnums=0)

        def run(steps: int) -> int:
            nonlocal state
            calls = math.ceil(steps / scanned)
            for key in jax.random.split(jax.random.key(0), calls):
                state, loss = compiled(state, images, key)
            loss.block_until_ready()
            return calls * scanned

        return run
