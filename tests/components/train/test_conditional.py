"""A conditional model is told the label, and makes images of the label that it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.train import fit
from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, ModelSettings
from schemas.recipe.settings import TrainSettings

Array = np.ndarray[Any, Any]
MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
LEFT, RIGHT = 0, 1
NETWORKS: dict[str, ModelSettings] = {
    "dense": DenseModel(network="dense", latent_dim=2, hidden=(32,), conditional=True),
    "conv": ConvModel(
        network="conv",
        latent_dim=2,
        encoder=((8, 2),),
        decoder=((8, 2),),
        base_filters=8,
        batch_norm="before",
        conditional=True,
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def trained(
    request: pytest.FixtureRequest,
    labelled_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Each network after 400 steps on bright halves, loaded as anybody loads it."""
    model = open_model(tmp_path_factory.mktemp("conditional"))
    settings = make_settings(epochs=100, patience=100, learning_rate=0.02, model=NETWORKS[request.param])
    train(labelled_examples, None, model, settings)
    return keras.models.load_model(model.vae_path, safe_mode=True)


def halves(images: Array) -> tuple[Array, Array]:
    """Mean brightness of each image's left and right half: [n] each."""
    middle = images.shape[2] // 2
    return images[:, :, :middle].mean(axis=(1, 2, 3)), images[:, :, middle:].mean(axis=(1, 2, 3))


def codes(count: int) -> Array:
    """Codes from N(0, I): [count, 2]."""
    return np.random.default_rng(0).standard_normal((count, 2)).astype(np.float32)


def test_the_image_follows_the_label_whatever_the_code(trained: Any) -> None:
    for label, bright_is_left in ((LEFT, True), (RIGHT, False)):
        images = np.asarray(trained.decode(codes(100), np.full(100, label)))
        left, right = halves(images)
        bright, dark = (left, right) if bright_is_left else (right, left)
        assert (bright - dark).min() > 0.5


def test_one_code_with_two_labels_is_two_images(trained: Any) -> None:
    code = np.repeat(codes(1), 2, axis=0)
    left, right = np.asarray(trained.decode(code, np.array([LEFT, RIGHT])))
    assert np.abs(left - right).mean() > 0.5


def test_the_model_knows_its_labels_and_their_shares(trained: Any) -> None:
    assert trained.conditional
    assert trained.labels == ("left", "right")
    assert trained.label_shares == (0.5, 0.5)


def test_the_code_need_not_say_what_the_label_does(
    labelled_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    kl = {}
    for conditional in (False, True):
        model = open_model(tmp_path / str(conditional))
        network = NETWORKS["dense"].model_copy(update={"conditional": conditional})
        train(labelled_examples, None, model, make_settings(epochs=25, model=network))
        state = TrainingState.read(model.work / "state.npz")
        kl[conditional] = state.history[state.best_epoch]["val_kl"]
    assert kl[True] < kl[False] - 0.3  # one bit is 0.69 nats


def test_images_of_a_learned_prior_follow_the_label(
    labelled_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    network = NETWORKS["dense"].model_copy(update={"prior_components": 3})
    train(labelled_examples, None, model, make_settings(epochs=100, patience=100, learning_rate=0.02, model=network))
    vae = keras.models.load_model(model.vae_path, safe_mode=True)
    uniform = np.random.default_rng(1).random(100, np.float32)
    for label, sign in ((LEFT, 1), (RIGHT, -1)):
        labels = np.full(100, label)
        left, right = halves(np.asarray(vae.decode(vae.prior_sampler().codes(codes(100), uniform, labels), labels)))
        # A component that this label has a share of some hundredths of has not learned to be it.
        assert (sign * (left - right) > 0.5).mean() >= 0.95


def test_a_conditional_training_that_was_killed_goes_on_as_if_nothing_had_happened(
    labelled_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(epochs=2, model=NETWORKS["conv"])
    whole, killed = open_model(tmp_path / "whole"), open_model(tmp_path / "killed")
    train(labelled_examples, None, whole, settings)
    original = fit.EpochProgress.on_epoch_begin

    def deadly(self: Any, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        original(self, epoch, logs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fit.EpochProgress, "on_epoch_begin", deadly)
        train(labelled_examples, None, killed, settings)
    train(labelled_examples, None, killed, settings)
    assert killed.vae_path.read_bytes() == whole.vae_path.read_bytes()


@pytest.mark.parametrize("network", NETWORKS)
def test_without_labels_a_conditional_training_does_not_begin(
    network: str, tiny_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    expected = r"^model\.conditional: expected a label for every image, found 96 of 96 without; .*conditional=false$"
    with pytest.raises(DataError, match=expected):
        train(tiny_examples, None, open_model(tmp_path), make_settings(model=NETWORKS[network]))


def test_one_image_without_a_label_is_one_too_many(
    make_examples: Callable[..., Examples], make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    examples = make_examples(tmp_path / "examples", halves=True)
    statistics = examples.statistics_path.read_text()
    examples.statistics_path.write_text(statistics.replace('"left":32', '"left":31'))
    with pytest.raises(DataError, match="found 1 of 96 without"):
        train(examples, None, open_model(tmp_path / "model"), make_settings(model=NETWORKS["dense"]))


def test_an_unconditional_model_takes_labelled_examples_without_their_labels(
    labelled_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    train(labelled_examples, None, model, make_settings(epochs=1, loss=BernoulliLoss(likelihood="bernoulli")))
    vae = keras.models.load_model(model.vae_path, safe_mode=True)
    assert not vae.conditional
    assert "labels" not in vae.get_config()
