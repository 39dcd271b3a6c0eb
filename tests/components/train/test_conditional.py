"""A conditional model takes the label, and makes images of the label that it gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.train.component import train
from components.train.state import TrainingState
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import DataError
from schemas.recipe.model import ConvModel, DenseModel, ModelSettings
from schemas.recipe.settings import TrainSettings

Array = np.ndarray[Any, Any]
MakeSettings = Callable[..., TrainSettings]
OpenModel = Callable[[Path], Model]
LEFT, RIGHT = 0, 1
DENSE = DenseModel(network="dense", latent_dim=2, hidden=(32,), conditional=True)
NETWORKS: dict[str, ModelSettings] = {
    "dense": DENSE,
    "conv_with_a_learned_prior": ConvModel(
        network="conv",
        latent_dim=2,
        encoder=((8, 2),),
        decoder=((8, 2),),
        base_filters=8,
        batch_norm="before",
        conditional=True,
        prior_components=3,
    ),
}
LONG = {"epochs": 40, "patience": 40, "learning_rate": 0.03}


@pytest.fixture(scope="module")
def dense(
    labelled_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Model:
    """Return the dense network after 160 steps on bright halves."""
    model = open_model(tmp_path_factory.mktemp("dense"))
    train(labelled_examples, None, model, make_settings(**LONG, model=DENSE))
    return model


@pytest.fixture(scope="module")
def conv(
    labelled_examples: Examples,
    make_settings: MakeSettings,
    open_model: OpenModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Model:
    """Return the convolutional network after at most 280 steps on bright halves."""
    model = open_model(tmp_path_factory.mktemp("conv"))
    settings = make_settings(**{**LONG, "epochs": 70}, model=NETWORKS["conv_with_a_learned_prior"])
    train(labelled_examples, None, model, settings)
    return model


@pytest.fixture(params=["dense", "conv"])
def trained(request: pytest.FixtureRequest) -> Any:
    """Each network, loaded as anybody loads it."""
    return load(request.getfixturevalue(request.param))


def load(model: Model) -> Any:
    """Load the model without trust in the file."""
    return keras.models.load_model(model.vae_path, safe_mode=True)


def halves(images: Array) -> tuple[Array, Array]:
    """Return the mean brightness of each image's left and right half: [n] each."""
    middle = images.shape[2] // 2
    return images[:, :, :middle].mean(axis=(1, 2, 3)), images[:, :, middle:].mean(axis=(1, 2, 3))


def codes(count: int) -> Array:
    """Return codes from N(0, I): [count, 2]."""
    return np.random.default_rng(0).standard_normal((count, 2)).astype(np.float32)


def test_the_image_follows_the_label_for_any_code(dense: Model) -> None:
    vae = load(dense)
    for label, bright_is_left in ((LEFT, True), (RIGHT, False)):
        images = np.asarray(vae.decode(codes(100), np.full(100, label)))
        left, right = halves(images)
        bright, dark = (left, right) if bright_is_left else (right, left)
        assert (bright - dark).min() > 0.5
    code = np.repeat(codes(1), 2, axis=0)
    left, right = np.asarray(vae.decode(code, np.array([LEFT, RIGHT])))
    assert np.abs(left - right).mean() > 0.5


def test_the_model_knows_its_labels_and_their_shares(trained: Any) -> None:
    assert trained.conditional
    assert trained.labels == ("left", "right")
    assert trained.label_shares == (0.5, 0.5)


def test_images_of_a_learned_prior_follow_the_label(conv: Model) -> None:
    vae = load(conv)
    uniform = np.random.default_rng(1).random(100, np.float32)
    for label, sign in ((LEFT, 1), (RIGHT, -1)):
        labels = np.full(100, label)
        left, right = halves(np.asarray(vae.decode(vae.prior_sampler().codes(codes(100), uniform, labels), labels)))
        # A component that this label has a share of some hundredths of has not learned to be it.
        assert (sign * (left - right) > 0.5).mean() >= 0.95


def test_without_conditioning_labels_are_ignored_and_the_code_has_to_say_what_the_label_does(
    dense: Model, labelled_examples: Examples, make_settings: MakeSettings, open_model: OpenModel, tmp_path: Path
) -> None:
    model = open_model(tmp_path)
    network = DENSE.model_copy(update={"conditional": False})
    train(labelled_examples, None, model, make_settings(**LONG, model=network))
    vae = load(model)
    assert not vae.conditional
    assert "labels" not in vae.get_config()
    states = [TrainingState.read(trained.work / "state.npz") for trained in (dense, model)]
    with_labels, without = (state.history[state.best_epoch]["val_kl"] for state in states)
    assert with_labels < without - 0.3  # one bit is 0.69 nats


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
        train(examples, None, open_model(tmp_path / "model"), make_settings(model=DENSE))
