"""Several devices train as one does. The devices are two logical CPUs of another process."""

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
import pytest
from helpers.paths import ROOT
from helpers.table_rows import table_rows

from schemas.artifacts.kinds import Examples, Model

# A batch of 13 has parts of 6 and 7; the last to validate has 3 images.
SCRIPT = """
import json, sys
from pathlib import Path
import tensorflow as tf
from components.train import replicas
from components.train.component import train
from helpers.recorded_training import open_model, record_training
from schemas.artifacts.kinds import Examples
from schemas.recipe.model import BernoulliLoss, ConvModel
from schemas.recipe.recipe import TrainSection
from schemas.recipe.settings import TrainSettings

examples, folder = Examples(Path(sys.argv[1])), Path(sys.argv[2])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
settings = TrainSettings(
    seed=3,
    model=ConvModel(network="conv", encoder=((4, 2),), decoder=((4, 2),), base_filters=4, batch_norm="before"),
    loss=BernoulliLoss(likelihood="bernoulli"),
    train=TrainSection(epochs=2, batch_size=13, learning_rate=0.01, deterministic=True, clip_norm=5.0, ema=0.9),
)

replicas.KIND = "CPU"
batches = tf.data.Dataset.range(13).batch(5).concatenate(tf.data.Dataset.range(13, 14).batch(1))
parts = [[part.numpy().tolist() for part in batch.values] for batch in replicas.Replicas().share(batches)]
(folder / "parts.json").write_text(json.dumps(parts))
two = record_training(examples, folder / "two", settings)
if sys.argv[3] == "resume on two":
    train(examples, None, two.restore("epoch 1", folder / "resumed_on_two"), settings)
    sys.exit()
replicas.KIND = "GPU"  # there is none, so one device trains
print("one device")
train(examples, None, two.restore("epoch 1", folder / "resumed_on_one"), settings)
train(examples, None, open_model(folder / "one"), settings)
"""

pytestmark = pytest.mark.process


def run_script(examples: Examples, folder: Path, mode: str) -> str:
    """Run the script, and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(examples.path), str(folder), mode],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def model_in(folder: Path, name: str) -> Model:
    """Return a model of the script."""
    place = folder / name / "training" if name == "two" else folder / name
    return Model(place / "artifact", work=place / "work")


@pytest.fixture(scope="module")
def trained(tiny_examples: Examples, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """Return the models of the script, by name."""
    folder = tmp_path_factory.mktemp("replicas")
    on_two, _, on_one = run_script(tiny_examples, folder, "resume on one").partition("one device")
    assert on_two.count("among 2 devices") == 1
    assert "devices" not in on_one
    return lambda name: model_in(folder, name)


def test_two_devices_have_the_loss_curve_of_one_with_noise_batch_normalisation_clipping_and_averaged_weights(
    trained: Callable[[str], Model],
) -> None:
    one, two = trained("one"), trained("two")
    assert len(table_rows(two.history_path)) == 2
    for row, expected in zip(table_rows(two.history_path), table_rows(one.history_path), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    with ZipFile(one.vae_path) as file_of_one, ZipFile(two.vae_path) as file_of_two:
        assert file_of_two.read("config.json") == file_of_one.read("config.json")


@pytest.mark.kills
def test_a_training_killed_on_two_devices_resumes_there_and_ends_the_same(
    tiny_examples: Examples, tmp_path: Path
) -> None:
    assert run_script(tiny_examples, tmp_path, "resume on two").count("among 2 devices") == 2
    resumed, two = model_in(tmp_path, "resumed_on_two"), model_in(tmp_path, "two")
    assert table_rows(resumed.history_path) == table_rows(two.history_path)
    assert resumed.vae_path.read_bytes() == two.vae_path.read_bytes()


def test_a_training_killed_on_two_devices_can_resume_on_one(trained: Callable[[str], Model]) -> None:
    resumed, two = (table_rows(trained(name).history_path) for name in ("resumed_on_one", "two"))
    for row, expected in zip(resumed, two, strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


def test_a_batch_is_cut_in_order_and_no_device_goes_empty(trained: Callable[[str], Model]) -> None:
    folder = trained("one").path.parents[1]
    assert json.loads((folder / "parts.json").read_bytes()) == [
        [[0, 1], [2, 3, 4]],
        [[5, 6], [7, 8, 9]],
        [[10], [11, 12]],
        [[13], [13]],
    ]


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
