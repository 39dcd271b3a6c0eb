"""A Keras model of the user's own, in whose features a recipe can compare image sets too; and what a wrong one gets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.flat_images import Array, features, flat
from helpers.ring import Bars, Judged, distances_by_space, judge_small
from helpers.small_evaluation import evaluate_small

from components.evaluate.samples import own_features
from components.evaluate.samples.features import FeatureSpace
from components.evaluate.samples.judgement import document
from components.evaluate.samples.own_features import extra_spaces, own_space
from schemas.artifacts.kinds import Examples, Model
from schemas.errors import UsageError
from schemas.recipe.evaluate import EvaluateSection

GREY, RGB = (8, 8, 1), (8, 8, 3)
layers = keras.layers


def averages(*input_shape: int | None) -> keras.Model:
    """Return a model whose features are the mean pixel of each channel."""
    return keras.Sequential([keras.Input(input_shape), layers.GlobalAveragePooling2D()])


def brightest(*input_shape: int | None) -> keras.Model:
    """Return a model whose features are the brightest pixel of each channel."""
    return keras.Sequential([keras.Input(input_shape), layers.GlobalMaxPooling2D()])


@pytest.fixture
def path_of(tmp_path: Path) -> Callable[[keras.Model], str]:
    """Return a function that saves a model as a file, and returns its path."""

    def save(network: keras.Model) -> str:
        path = tmp_path / "mine.keras"
        network.save(path)
        return str(path)

    return save


def test_a_model_gets_pixels_0_to_255_in_its_own_size(path_of: Callable[..., str]) -> None:
    space = own_space(path_of(averages(4, 6, 1)), image_shape=GREY)
    np.testing.assert_allclose(features(space, flat((0,), (7,), (255,))), [[0], [7], [255]], atol=1e-3)


def test_grey_images_are_repeated_for_a_model_of_rgb(path_of: Callable[..., str]) -> None:
    space = own_space(path_of(averages(4, 6, 3)), image_shape=GREY)
    np.testing.assert_allclose(features(space, flat((7,), (200,))), [[7, 7, 7], [200, 200, 200]], atol=1e-3)


def test_a_model_of_grey_images_gets_the_mean_of_rgb(path_of: Callable[..., str]) -> None:
    space = own_space(path_of(averages(8, 8, 1)), image_shape=RGB)
    np.testing.assert_allclose(features(space, flat((10, 20, 60))), [[30]], atol=1e-3)


def test_a_model_of_any_size_and_channels_gets_images_as_they_are(path_of: Callable[..., str]) -> None:
    lines = flat((0, 0, 0)).copy()
    lines[:, :, ::4, 1] = 1.0
    space = own_space(path_of(brightest(None, None, None)), image_shape=RGB)
    np.testing.assert_allclose(features(space, lines), [[0, 255, 0]], atol=1e-3)


def test_no_line_is_lost_where_an_image_is_made_smaller(path_of: Callable[..., str]) -> None:
    lines = flat((0,)).copy()
    lines[:, :, ::4] = 1.0  # none of them lies where a pixel of a quarter of the size has its centre
    assert features(own_space(path_of(brightest(2, 2, 1)), image_shape=GREY), lines) > 30


def test_maps_are_averaged_over_places(path_of: Callable[..., str]) -> None:
    network = keras.Sequential([keras.Input(RGB), layers.Rescaling(2.0)])
    space = own_space(path_of(network), image_shape=RGB)
    np.testing.assert_allclose(features(space, flat((10, 20, 60), (0, 1, 2))), [[20, 40, 120], [0, 2, 4]], atol=1e-3)


def test_a_model_may_name_its_input_and_its_output(path_of: Callable[..., str]) -> None:
    images = keras.Input(GREY, name="images")
    network = keras.Model({"images": images}, {"features": layers.GlobalAveragePooling2D()(images)})
    np.testing.assert_allclose(features(own_space(path_of(network), image_shape=GREY), flat((7,))), [[7]], atol=1e-3)


def test_the_size_of_batches_changes_nothing(
    path_of: Callable[..., str], noise_images: Callable[..., Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    space, images = own_space(path_of(averages(5, 5, 3)), image_shape=GREY), noise_images(7) / np.float32(255)
    together = features(space, images)
    monkeypatch.setattr(own_features, "BATCH", 2)
    assert together.shape == (7, 3)
    np.testing.assert_allclose(features(space, images), together, rtol=1e-5)


def test_an_image_of_nan_has_features_of_nan(path_of: Callable[..., str]) -> None:
    images = flat((7,), (8,), (9,)).copy()
    images[1, 3, 3] = np.nan
    values = features(own_space(path_of(brightest(4, 4, 1)), image_shape=GREY), images)
    assert np.isnan(values).ravel().tolist() == [False, True, False]


def test_the_space_is_named_after_its_file_and_the_files_sha256(
    path_of: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(path_of(averages(*GREY)))
    monkeypatch.chdir(tmp_path)
    space = own_space("mine.keras", image_shape=GREY)
    assert (space.name, space.doc) == ("own", "your own model mine.keras")
    assert space.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def two_inputs() -> keras.Model:
    inputs = [keras.Input(GREY), keras.Input(GREY)]
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Add()(inputs)))


def two_outputs() -> keras.Model:
    images = keras.Input(GREY)
    return keras.Model(images, [layers.GlobalAveragePooling2D()(images), layers.GlobalMaxPooling2D()(images)])


def with_a_lambda() -> keras.Model:
    images = keras.Input(GREY)
    return keras.Model(images, layers.GlobalAveragePooling2D()(layers.Lambda(lambda images: -images)(images)))


SHAPES = "expected images [B, H, W, 1 or 3] in and features [B, D] or maps [B, h, w, D] out, found"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_inputs, "expected a functional or sequential model of 1 input and 1 output, found 2 and 1 in"),
        (two_outputs, "expected a functional or sequential model of 1 input and 1 output, found 1 and 2 in"),
        (lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3)]), f"{SHAPES} (None, 4) and (None, 3) in"),
        (lambda: averages(8, 8, 4), f"{SHAPES} (None, 8, 8, 4) and (None, 4) in"),
        (
            lambda: keras.Sequential([keras.Input(GREY), layers.Reshape((4, 16))]),
            f"{SHAPES} (None, 8, 8, 1) and (None, 4, 16) in",
        ),
        (
            lambda: keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(1, 16)]),
            "expected a model that takes images of shape (8, 8, 1), found",
        ),
        (with_a_lambda, "expected a model that is safe to open, found"),
    ],
)
def test_a_model_that_cannot_be_used_is_an_error_of_one_line(
    make: Callable[[], keras.Model], message: str, path_of: Callable[..., str]
) -> None:
    path = path_of(make())
    with pytest.raises(UsageError) as caught:
        own_space(path, image_shape=GREY)
    line = str(caught.value)
    assert line.startswith(f"evaluate.feature_model: {message}")
    assert path in line
    assert "\n" not in line


def test_a_file_that_is_no_model_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    missing = f"evaluate.feature_model: expected a Keras model (.keras), found no file {path}"
    with pytest.raises(UsageError) as caught:
        own_space(str(path), image_shape=GREY)
    assert str(caught.value) == missing
    path.write_bytes(b"no model")
    with pytest.raises(UsageError) as caught:
        own_space(str(path), image_shape=GREY)
    line = str(caught.value)
    assert line.startswith(
        f"evaluate.feature_model: expected a Keras model (.keras), found {path}, which Keras cannot read"
    )
    assert "\n" not in line


def test_a_recipe_adds_no_space_by_default() -> None:
    assert extra_spaces(EvaluateSection(), image_shape=GREY) == []


@pytest.mark.xdist_group("judge")
def test_a_space_that_is_added_changes_no_choice(ring: Judged) -> None:
    bars = Bars()
    darkness = FeatureSpace("own", "how dark an image is", "12ab" * 16, lambda images: 1 - images.mean(axis=(1, 2)))
    judgement = judge_small(ring.vae, ring.examples, extra_spaces=[darkness], bar=bars)
    before, after = (distances_by_space(result) for result in (ring.judgement, judgement))
    assert list(after) == ["random", "own"]
    assert after["own"].images == 100
    assert after["random"].synthetic == before["random"].synthetic
    assert judgement.space == "random"
    assert document(judgement)["samplers"] == document(ring.judgement)["samplers"]
    total, counts = bars.updates["further features"]
    assert (total, counts[-1]) == (300, 300)


def test_an_evaluation_has_the_space_of_the_users_model(
    path_of: Callable[..., str],
    make_examples: Callable[..., Examples],
    make_model: Callable[..., Model],
    tmp_path: Path,
) -> None:
    examples, path = make_examples(training=20), path_of(averages(4, 4, 3))
    evaluation = evaluate_small(examples, make_model(examples), tmp_path / "evaluation", feature_model=path)
    distances = evaluation.metrics["distances"]
    assert list(distances) == ["random", "own", "classifier"]
    assert distances["own"]["network_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert distances["own"]["synthetic"]["frechet"] > 0
    assert evaluation.metrics["samplers"]["space"] == "random"
    assert "In the features of your own model mine.keras" in evaluation.report
