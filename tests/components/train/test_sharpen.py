"""The second phase of a training: a sharp decoder beside the model's own, which keeps all likelihoods."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.recorded_training import Record, files

from components.examples.training_images import TrainingImages
from components.train.component import train
from components.train.sharpen import Sharpening, check_sharpening, sampler_of_new_codes
from components.train.state import TrainingState
from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError
from schemas.recipe.recipe import SharpenSection
from schemas.recipe.settings import TrainSettings

pytestmark = pytest.mark.xdist_group("train")

SHARPEN = SharpenSection(epochs=2)
SCRIPT = """
import json, sys
from pathlib import Path
from components.train.component import train
from schemas.artifacts.kinds import Examples, Model
from schemas.recipe.settings import TrainSettings

examples, folder, settings = Examples(Path(sys.argv[1])), Path(sys.argv[2]), json.loads(sys.argv[3])
train(examples, None, Model(folder / "artifact", work=folder / "work"), TrainSettings.from_json(settings))
"""
MakeSettings = Callable[..., TrainSettings]


@pytest.fixture(scope="module")
def settings(everything: MakeSettings) -> TrainSettings:
    """Return settings of the reference training, and of two epochs of sharpening."""
    return everything(sharpen=SHARPEN)


@pytest.fixture(scope="module")
def trained(
    reference: Record, labelled_examples: Examples, settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, dict[str, int]]:
    """Return what train makes of the reference training, whose model is trained, and its counts."""
    model = copied(reference.model, tmp_path_factory.mktemp("sharpened"))
    return model, train(labelled_examples, None, model, settings)


@pytest.fixture(scope="module")
def vae(trained: tuple[Model, dict[str, int]]) -> Any:
    return keras.models.load_model(trained[0].vae_path, safe_mode=True)


def copied(model: Model, folder: Path) -> Model:
    """Return a copy of a model and of its work."""
    shutil.copytree(model.path.parent, folder, dirs_exist_ok=True)
    return Model(folder / "artifact", work=folder / "work")


def test_images_come_from_the_sharp_decoder_and_likelihoods_from_the_models_own(vae: VAE) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
    inputs, labels = {"pixels": pixels, "labels": np.zeros(4, np.int32)}, np.zeros(4, np.int32)
    terms = vae.terms(inputs, np.zeros((4, 2), np.float32))
    plain = VAE.from_config({name: value for name, value in vae.get_config().items() if name != "sharp_decoder"})
    plain.encoder.set_weights(vae.encoder.get_weights())
    plain.decoder.set_weights(vae.decoder.get_weights())
    of_plain = plain.terms(inputs, np.zeros((4, 2), np.float32))
    np.testing.assert_allclose(terms["log_prob"], of_plain["log_prob"], rtol=1e-5)
    assert not np.allclose(terms["reconstructions"], of_plain["reconstructions"], atol=1e-5)
    decoded = vae.normalise.to_unit(vae.decode(terms["mean"], labels))
    np.testing.assert_allclose(decoded, terms["reconstructions"], atol=1e-6)


def test_the_figures_of_each_epoch_are_kept_and_its_pictures_go_on(trained: tuple[Model, dict[str, int]]) -> None:
    model, counts = trained
    rows = json.loads(model.sharpening_path.read_bytes())
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert counts["epochs"] == 4  # of the model itself
    names = sorted(path.name for path in model.progress_path.glob("samples-*.png"))
    assert names == [f"samples-{number:05d}.png" for number in range(1, 7)]


@pytest.mark.process
def test_sharpening_killed_after_its_steps_resumes_and_ends_the_same(
    reference: Record,
    trained: tuple[Model, dict[str, int]],
    labelled_examples: Examples,
    settings: TrainSettings,
    tmp_path: Path,
) -> None:
    """The process ends by SIGKILL in its second epoch, whose steps are done and not written."""
    model = copied(reference.model, tmp_path)
    hooked = os.pathsep.join(map(str, (ROOT, ROOT / "tests" / "helpers" / "kill_at")))
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(labelled_examples.path), str(tmp_path), json.dumps(settings.to_json())],
        env={**os.environ, "PYTHONPATH": hooked, "KILL_AT": "sharpen.npz", "KILL_AT_TIME": "2"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert TrainingState.read(model.work / "sharpen.npz").epochs == 1
    assert train(labelled_examples, None, model, settings) == trained[1]
    assert files(model) == files(trained[0])


def test_a_loss_that_is_no_number_ends_the_phase_with_the_last_good_decoder(
    trained: tuple[Model, dict[str, int]],
    labelled_examples: Examples,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = copied(trained[0], tmp_path)
    state = TrainingState.read(model.work / "sharpen.npz")
    state.epochs, state.history = 1, state.history[:1]  # its second epoch is still to come
    state.write(model.work / "sharpen.npz")
    monkeypatch.setattr(Sharpening, "_step", lambda phase, inputs: np.array([np.nan, 0.0, 0.0], np.float32))
    train(labelled_examples, None, model, settings)
    assert "ended in epoch 2: the loss is no longer a number at step 1" in capsys.readouterr().out
    assert "ended" in json.loads(model.sharpening_path.read_bytes())[-1]
    vae: Any = keras.models.load_model(model.vae_path, safe_mode=True)
    for weight, expected in zip(vae.sharp_decoder.get_weights(), state.best_weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_images_of_one_colour_are_refused_before_the_training(
    tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    statistics = TrainingImages(tiny_examples).statistics.model_copy(update={"train_deviation": [0.0]})
    with pytest.raises(DataError, match=r"train\.sharpen: expected training images that differ, found one colour"):
        check_sharpening(make_settings(sharpen=SHARPEN), statistics)
    check_sharpening(make_settings(), statistics)


@pytest.mark.parametrize(("section", "change"), [("loss", {"kl": "none"}), ("model", {"prior_components": 3})])
def test_codes_of_new_images_come_from_a_mixture_whatever_the_prior(
    section: str, change: dict[str, Any], tiny_examples: Examples, make_settings: MakeSettings
) -> None:
    """Also of a plain autoencoder, which has none, and of a learned prior, whose weights no graph can read."""
    images = TrainingImages(tiny_examples)
    settings = make_settings(sharpen=SHARPEN)
    parts = {"model": settings.model, "loss": settings.loss}
    parts[section] = parts[section].model_copy(update=change)
    vae = build_vae(parts["model"], parts["loss"], images.statistics, seed=0)
    phase = Sharpening(vae, settings, sampler=sampler_of_new_codes(vae, images, seed=0), steps=4)
    batch = next(iter(images.training(batch_size=16, seed=0, epochs=1)))
    _, codes, _ = phase._batch(batch)
    assert len(codes) == 16 + 8
    assert np.isfinite(phase.step(batch)).all()
