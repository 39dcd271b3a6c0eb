"""A training whose batches do not fit into memory takes them in parts.

On a CPU the kernel ends a process that takes too much; TensorFlow notices only an allocation that can never be. So that is
what the network asks for here, as long as it is called with more images than a test lets fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.train.component import train
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.settings import TrainSettings

MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
NEVER = 1 << 46  # float32 numbers: more than a process has addresses for
STEPS = 4  # per epoch


def let_fit(monkeypatch: pytest.MonkeyPatch, *, images: int, from_step: int = 0) -> None:
    """From a step on, let memory hold a limited number of images at once."""
    call = VAE.call

    def hungry(vae: VAE, inputs: Any, training: bool | None = None) -> Any:
        results = call(vae, inputs, training=training)
        if training:
            count = tf.shape(inputs, tf.int64)[0]
            too_many = tf.logical_and(count > images, vae.optimizer.iterations >= from_step)
            rows = tf.where(too_many, count, tf.zeros_like(count))
            results["outputs"] += tf.reduce_sum(
                tf.random.stateless_uniform((rows, tf.constant(NEVER, tf.int64)), seed=(0, 0))
            )
        return results

    monkeypatch.setattr(VAE, "call", hungry)


def test_a_training_that_runs_out_of_memory_resumes_with_smaller_parts(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model, settings = open_model(tmp_path), make_settings(epochs=4)
    with monkeypatch.context() as patch:
        let_fit(patch, images=8, from_step=2 * STEPS + 1)
        counts = train(tiny_examples, None, model, settings)
    output = capfd.readouterr().out
    assert "memory  ran out: from here on each batch of 16 is taken in 2 parts, their gradients added up" in output
    assert "resumes after epoch 2" in output
    assert counts["epochs"] == 4
    history = pq.read_table(model.history_path).to_pydict()
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert json.loads((model.work / "engine.json").read_bytes())["parts"] == 2  # a kill does not bring it back
