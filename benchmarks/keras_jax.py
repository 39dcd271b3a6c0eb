"""Our networks' training steps under Keras's JAX back end, for `benchmarks/gpu.py`, which selects that back end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
from numpy.typing import NDArray

from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.recipe import Recipe

# Takes a number of steps, does that many or a few more, waits until they are done, and returns how many they were.
RunSteps = Callable[[int], int]


class KerasJax:
    """Our network, and the training step that `fit` takes.

    Args:
        recipe: Its model, loss and learning rate are used.
        images: What is trained on: [N, H, W, C], uint8.
        bfloat16: Whether to train in mixed precision.
    """

    def __init__(self, recipe: Recipe, images: NDArray[np.uint8], *, bfloat16: bool) -> None:
        keras.config.set_dtype_policy("mixed_bfloat16" if bfloat16 else "float32")
        _, height, width, channels = images.shape
        statistics = Statistics.of_shape(height, width, channels)
        self.vae: VAE = build_vae(recipe.model, recipe.loss, statistics, seed=0)
        self.vae.compile(optimizer=keras.optimizers.Adam(recipe.train.learning_rate))
        self.vae.optimizer.build(self.vae.trainable_variables)
        self.images = images

    def state(self) -> tuple[list[Any], ...]:
        """Return a copy of what `train_step` takes and returns."""
        vae = self.vae
        groups = (
            vae.trainable_variables,
            vae.non_trainable_variables,
            vae.optimizer.variables,
            vae.metrics_variables,
        )
        return tuple([jax.numpy.copy(variable.value) for variable in group] for group in groups)

    def step(self, state: Any, batch: Any) -> tuple[Any, Any]:
        """Train on a batch; return the next state and the loss."""
        logs, state = self.vae.train_step(state, (batch,))
        return state, logs["loss"]

    def flops(self) -> float:
        """Return the floating-point operations of a training step, per image."""
        count = min(8, len(self.images))
        lowered = jax.jit(self.step).lower(self.state(), jax.numpy.asarray(self.images[:count]))
        return float(lowered.cost_analysis()["flops"]) / count

    def compiled(self, *, batch_size: int, scanned: int = 1) -> RunSteps:
        """Return what trains on random batches; one call to the device does `scanned` steps."""
        images = jax.device_put(self.images)
        state = self.state()

        def call(state: Any, images: Any, key: Any) -> tuple[Any, Any]:
            rows = jax.random.randint(key, (scanned, batch_size), 0, len(images))
            if scanned == 1:  # XLA's convolutions are slow inside a loop on CPUs
                return self.step(state, images[rows[0]])
            next_state, losses = jax.lax.scan(lambda state, row: self.step(state, images[row]), state, rows)
            return next_state, losses

        compiled = jax.jit(call, donate_argnums=0)

        def run(steps: int) -> int:
            nonlocal state
            calls = math.ceil(steps / scanned)
            for key in jax.random.split(jax.random.key(0), calls):
                state, loss = compiled(state, images, key)
            loss.block_until_ready()
            return calls * scanned

        return run
