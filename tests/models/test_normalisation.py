"""Normalisation can be undone exactly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from helpers.tensors import to_numpy

from models.normalisation import Normalise

CONSTANTS: dict[str, tuple[list[float], list[float]]] = {
    "unit": ([0.0], [1.0]),
    "symmetric": ([0.5], [0.5]),
    "standardise": ([0.2860], [0.3530]),
    "standardise_dark": ([0.004], [0.0021]),
}
ALL_PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
each_normalisation = pytest.mark.parametrize("name", CONSTANTS)


@each_normalisation
def test_every_pixel_value_is_restored(name: str) -> None:
    normalise = Normalise(*CONSTANTS[name])
    pixels = to_numpy(normalise.to_pixels(normalise(ALL_PIXELS)))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, ALL_PIXELS)


@each_normalisation
def test_every_pixel_value_is_restored_in_mixed_precision(name: str) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        normalise = Normalise(*CONSTANTS[name])
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(to_numpy(normalise.to_pixels(normalise(ALL_PIXELS))), ALL_PIXELS)


@each_normalisation
def test_values_follow_the_formula(name: str) -> None:
    [mean], [deviation] = CONSTANTS[name]
    values = to_numpy(Normalise([mean], [deviation])(ALL_PIXELS))
    np.testing.assert_allclose(values, (ALL_PIXELS / 255 - mean) / deviation, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_black_and_white_are_the_ends_of_the_range(name: str, low: float, high: float) -> None:
    values = to_numpy(Normalise(*CONSTANTS[name])(ALL_PIXELS))
    assert (values.min(), values.max()) == (low, high)


def test_each_channel_has_its_own_constants() -> None:
    normalise = Normalise([0.0, 0.5, 0.25], [1.0, 0.5, 0.125])
    grey = np.full((1, 1, 1, 3), 255, np.uint8)
    np.testing.assert_allclose(to_numpy(normalise(grey))[0, 0, 0], [1.0, 1.0, 6.0])
    colours = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_numpy(normalise.to_pixels(normalise(colours))), colours)


def test_standardised_pixels_have_mean_0_and_deviation_1() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), dtype=np.uint8)
    values = to_numpy(Normalise([float(np.mean(pixels / 255))], [float(np.std(pixels / 255))])(pixels))
    assert values.mean() == pytest.approx(0, abs=1e-5)
    assert values.std() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_pixels_of_any_type_give_the_same_values(dtype: type) -> None:
    normalise = Normalise([0.5], [0.5])
    np.testing.assert_array_equal(to_numpy(normalise(ALL_PIXELS.astype(dtype))), to_numpy(normalise(ALL_PIXELS)))


def test_values_out_of_range_become_black_or_white() -> None:
    normalise = Normalise([0.5], [0.5])
    values = np.array([-7.0, -1.0, 0.0, 1.0, 7.0], np.float32).reshape(1, 1, 5, 1)
    assert to_numpy(normalise.to_unit(values)).ravel().tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert to_numpy(normalise.to_pixels(values)).ravel().tolist() == [0, 0, 128, 255, 255]


@each_normalisation
def test_the_layer_can_be_rebuilt_from_its_configuration(name: str) -> None:
    normalise = Normalise(*CONSTANTS[name], name="normalise")
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(normalise))
    assert rebuilt.get_config() == normalise.get_config()
    np.testing.assert_array_equal(to_numpy(rebuilt(ALL_PIXELS)), to_numpy(normalise(ALL_PIXELS)))
