"""Several devices train as one does. Each test's devices are logical CPUs of a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.paths import ROOT

from schemas.artifacts.kinds import Examples, Model

DEVICES = """
import tensorflow as tf
from components.train import replicas
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * {count})
replicas.KIND = "CPU"
"""
# A batch of 13 has parts of 6 and 7; the last to validate has 3 images.
TRAIN = """
import sys
from pathlib import Path
from components.train import state
from components.train.component import train
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.model import BernoulliLoss, ConvModel
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TrainSettings

examples, folder, kill_after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
settings = TrainSettings(
    seed=3,
    model=ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm="before"),
    loss=BernoulliLoss(likelihood="bernoulli"),
    train=TrainSection(epochs=3, batch_size=13, learning_rate=0.01, deterministic=True, clip_norm=5.0, ema=0.9),
)
write = state.TrainingState.write

def deadly(self, path):
    write(self, path)
    if self.epochs == kill_after:
        sys.exit("killed")

state.TrainingState.write = deadly
model = Model(folder / "artifact", work=folder / "work")
model.path.mkdir(parents=True, exist_ok=True)
model.work.mkdir(parents=True, exist_ok=True)
train(Examples(examples), None, model, settings)
"""


def on_devices(count: int, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs code where there are so many devices."""
    command = [sys.executable, "-c", DEVICES.format(count=count) + code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def train_on(count: int, examples: Examples, folder: Path, *, kill_after: int = 0) -> Model:
    """Trains a network with batch normalisation, deterministically."""
    done = on_devices(count, TRAIN, str(examples.path), str(folder), str(kill_after))
    assert done.returncode == (1 if kill_after else 0), done.stderr
    assert (f"among {count} devices" in done.stdout) == (count > 1)
    return Model(folder / "artifact", work=folder / "work")


@pytest.fixture(scope="module")
def two(tiny_examples: Examples, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained on two devices."""
    return train_on(2, tiny_examples, tmp_path_factory.mktemp("two"))


def history(model: Model) -> list[dict[str, Any]]:
    """A row per epoch."""
    return pq.read_table(model.history_path).to_pylist()


def test_two_devices_have_the_loss_curve_of_one_with_noise_batch_normalisation_clipping_and_averaged_weights(
    two: Model, tiny_examples: Examples, tmp_path: Path
) -> None:
    one = train_on(1, tiny_examples, tmp_path)
    assert len(history(two)) == 3
    for found, expected in zip(history(two), history(one), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    with ZipFile(one.vae_path) as expected, ZipFile(two.vae_path) as found:
        assert found.read("config.json") == expected.read("config.json")


def test_a_training_on_two_devices_that_was_killed_goes_on_as_if_nothing_had_happened(
    two: Model, tiny_examples: Examples, tmp_path: Path
) -> None:
    train_on(2, tiny_examples, tmp_path, kill_after=1)
    resumed = train_on(2, tiny_examples, tmp_path)
    assert history(resumed) == history(two)
    assert resumed.vae_path.read_bytes() == two.vae_path.read_bytes()


def test_a_training_that_was_killed_on_two_devices_goes_on_on_one(
    two: Model, tiny_examples: Examples, tmp_path: Path
) -> None:
    train_on(2, tiny_examples, tmp_path, kill_after=1)
    resumed = train_on(1, tiny_examples, tmp_path)
    for found, expected in zip(history(resumed), history(two), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)


def test_a_batch_is_cut_in_order_and_no_device_goes_empty() -> None:
    code = """
import json
batches = tf.data.Dataset.range(13).batch(5).concatenate(tf.data.Dataset.range(13, 15).batch(2))
shared = replicas.Replicas().share(batches)
print(json.dumps([[part.numpy().tolist() for part in batch.values] for batch in shared]))
"""
    done = on_devices(3, code)
    assert json.loads(done.stdout) == [
        [[0], [1, 2], [3, 4]],
        [[5], [6, 7], [8, 9]],
        [[10], [11], [12]],
        [[13], [14], [13]],
    ], done.stderr


def test_on_one_device_nothing_is_done(make_vae: Callable[..., Any]) -> None:
    import tensorflow as tf

    from components.train.replicas import Replicas
    from models.batch import WholeBatch

    replicas, vae = Replicas(), make_vae()
    batches = tf.data.Dataset.from_tensor_slices(np.zeros((4, 1))).batch(2)
    assert replicas.count == 1
    assert replicas.share(batches) is batches
    assert replicas.validation(batches) == {"validation_data": batches}
    with replicas.scope(), replicas.sharing(vae):
        assert not tf.distribute.has_strategy()
        assert type(vae.batch) is WholeBatch
