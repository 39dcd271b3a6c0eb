"""A new image depends on the seed, its number and its label alone; its code comes from the sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from components.evaluate.samples import new_images as module
from components.evaluate.samples.new_images import new_images, shared_labels, spread_labels
from components.examples import dataset
from components.latents.noise import standard_normal
from models.code_samplers import Mixture, UniformBox
from models.vae import VAE
from schemas.artifacts.kinds import Examples, Model

Array = np.ndarray[Any, Any]
LABELS = [0] * 15 + [1] * 5 + [2] * 10


@pytest.fixture(scope="module")
def plain(make_examples: Callable[..., Examples], make_model: Callable[..., Model]) -> VAE:
    """Return an untrained model without labels."""
    return load(make_model(make_examples()))


@pytest.fixture(scope="module")
def conditional(make_examples: Callable[..., Examples], make_model: Callable[..., Model]) -> VAE:
    """Return a conditional model with large weights, whose labels have shares of a half, a sixth and a third in training."""
    examples = make_examples(labels=LABELS, names=("hat", "shoe", "bag"), training=30)
    vae = load(make_model(examples, conditional=True))
    vae.set_weights([weight * 3 for weight in vae.get_weights()])
    return vae


def load(model: Model) -> VAE:
    return keras.models.load_model(model.vae_path, compile=False, safe_mode=True)


def draw(vae: VAE, *, count: int, seed: int = 0, labels: Array | None = None, **options: Any) -> Array:
    """Return new images in one array: [N, H, W, C]."""
    labels = np.zeros(count, np.int64) if labels is None else labels
    return np.concatenate(list(new_images(vae, count=count, seed=seed, labels=labels, **options)))


def test_without_a_sampler_codes_come_from_the_prior(plain: VAE) -> None:
    images = draw(plain, count=5, seed=3)
    assert images.shape == (5, 8, 8, 1)
    codes = standard_normal(3, start=0, count=5, size=2)
    np.testing.assert_allclose(images, np.asarray(plain.normalise.to_unit(plain.decode(codes))), atol=1e-6)


def test_codes_of_a_sampler_are_decoded(plain: VAE) -> None:
    code = np.array([0.5, -2.0], np.float32)
    images = draw(plain, count=3, sampler=UniformBox(code, code))
    expected = np.asarray(plain.normalise.to_unit(plain.decode(code[None])))
    np.testing.assert_allclose(images, expected.repeat(3, axis=0), atol=1e-6)


def test_the_seed_decides(plain: VAE) -> None:
    np.testing.assert_array_equal(draw(plain, count=4), draw(plain, count=4))
    assert not np.allclose(draw(plain, count=4), draw(plain, count=4, seed=1))


def test_neither_their_number_nor_batches_change_an_image(plain: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(plain, count=10)
    np.testing.assert_allclose(draw(plain, count=4), whole[:4], atol=1e-6)
    monkeypatch.setattr(dataset, "MOST_AT_ONCE", 3)
    np.testing.assert_allclose(draw(plain, count=10), whole, atol=1e-6)


def test_a_mixture_of_many_dimensions_is_drawn_in_parts(plain: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.ones((1, 1), np.float32)
    mixture = Mixture(one, np.zeros((1, 1, 2), np.float32), np.eye(2, dtype=np.float32)[None, None])
    whole = draw(plain, count=10, sampler=mixture)
    monkeypatch.setattr(module, "FACTORS", 3 * 4 * 2**2)  # of three codes
    parts = list(new_images(plain, count=10, seed=0, labels=np.zeros(10, np.int64), sampler=mixture))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


def test_a_conditional_models_images_are_of_their_labels(conditional: VAE) -> None:
    labels = np.array([0, 1, 2, 0])
    images = draw(conditional, count=4, labels=labels)
    assert images.shape == (4, 8, 8, 1)
    other = draw(conditional, count=4, labels=np.array([0, 2, 2, 1]))
    np.testing.assert_allclose(images[[0, 2]], other[[0, 2]], atol=1e-6)
    assert not np.allclose(images[1], other[1]) and not np.allclose(images[3], other[3])


def test_labels_are_spread_evenly_and_in_order(conditional: VAE) -> None:
    assert spread_labels(conditional, count=6).tolist() == [0, 0, 1, 1, 2, 2]
    assert spread_labels(conditional, count=2).tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, 6, 30, 1000])
def test_shared_labels_are_as_frequent_as_in_training(count: int, conditional: VAE) -> None:
    labels = shared_labels(conditional, count=count)
    assert labels.tolist() == sorted(labels)
    np.testing.assert_allclose(np.bincount(labels, minlength=3), np.array([3, 1, 2]) * count / 6, atol=1.0)


def test_a_model_without_labels_has_label_0(plain: VAE) -> None:
    assert spread_labels(plain, count=3).tolist() == shared_labels(plain, count=3).tolist() == [0, 0, 0]
