"""A flow carries noise to codes: the same map in any graph and after saving, with the groups' shares."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.flows import small_flow

from models.flow import Flow, Modulation
from models.sampler_arrays import from_arrays

Array = np.ndarray[Any, Any]


def noise(count: int, dims: int = 4) -> tuple[Array, Array]:
    """Return normal draws [count, dims], and labels."""
    random = np.random.default_rng(1)
    return random.standard_normal((count, dims)).astype(np.float32), random.integers(0, 3, count)


def carry(flow: Flow, normal: Array, labels: Array | None = None, *, temperature: float = 1.0) -> Array:
    """Return the codes of normal draws."""
    return np.asarray(flow.codes(normal, np.zeros(len(normal)), labels, temperature=temperature))


def test_a_code_hardly_depends_on_its_batch() -> None:
    """Not at all within blocks of one size, as the generator makes them."""
    normal, labels = noise(64)
    whole = carry(small_flow(labels=3), normal, labels)
    assert (whole.shape, whole.dtype) == ((64, 4), np.float32)
    np.testing.assert_allclose(carry(small_flow(labels=3), normal[7:9], labels[7:9]), whole[7:9], atol=1e-5)
    again = carry(small_flow(labels=3), normal[::-1], labels[::-1])
    np.testing.assert_array_equal(again[::-1], whole)


def test_a_graph_carries_noise_to_the_same_codes() -> None:
    flow = small_flow(labels=3)

    @tf.function
    def codes(normal: Any, labels: Any, temperature: Any) -> Any:
        return flow.codes(normal, tf.zeros(50), labels, temperature=temperature)

    normal, labels = noise(50)
    drawn = codes(tf.constant(normal), tf.constant(labels), tf.constant(0.7))
    np.testing.assert_allclose(drawn, carry(flow, normal, labels, temperature=0.7), rtol=1e-5, atol=1e-5)


def test_a_flow_can_be_rebuilt_from_its_arrays() -> None:
    flow, stream = small_flow(), BytesIO()
    np.savez(stream, **flow.arrays())
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        rebuilt = from_arrays("flow", arrays)
    assert isinstance(rebuilt, Flow)
    for name, values in flow.arrays().items():
        np.testing.assert_array_equal(rebuilt.arrays()[name], values)
    normal, _ = noise(20)
    np.testing.assert_array_equal(carry(rebuilt, normal), carry(flow, normal))


def test_dimensions_that_are_not_in_use_stay_normal() -> None:
    normal, _ = noise(30)
    codes = carry(small_flow(), normal, temperature=0.5)
    np.testing.assert_array_equal(codes[:, 1], np.float32(0.5) * normal[:, 1])
    assert np.abs(codes[:, [0, 2, 3]] - normal[:, [0, 2, 3]]).min() > 0


def test_without_temperature_every_code_is_the_same() -> None:
    codes = carry(small_flow(), noise(10)[0], temperature=0.0)
    np.testing.assert_allclose(codes, np.tile(codes[:1], (10, 1)), atol=1e-6)


def test_the_labels_decide_where_noise_is_carried() -> None:
    flow, (normal, _) = small_flow(labels=3), noise(10)
    first, second = (carry(flow, normal, np.full(10, label)) for label in (0, 1))
    assert np.abs(first - second).max() > 0.01
    with pytest.raises(ValueError, match="labels: expected the label of each code, one of 3, found none"):
        carry(flow, normal)


def test_the_uniform_draw_selects_a_group_by_its_share() -> None:
    flow = small_flow(groups=2)
    normal = np.zeros((9, 4), np.float32)
    codes = np.asarray(flow.codes(normal, np.linspace(0.0, 0.999, 9)))
    first = float(flow.shares[0, 0])
    assert first == pytest.approx(1 / 3)
    same = np.isclose(codes, codes[0], atol=1e-6).all(axis=1)
    np.testing.assert_array_equal(same, np.linspace(0.0, 0.999, 9) < first)


def test_a_flow_of_no_velocity_only_scales_the_noise() -> None:
    flow = small_flow()
    still = Modulation(**{name: np.zeros_like(values) for name, values in vars(flow.modulation).items()})
    codes = carry(replace(flow, modulation=still), noise(5)[0])
    expected = flow.means + flow.deviations * noise(5)[0][:, flow.used]
    np.testing.assert_allclose(codes[:, flow.used], expected, atol=1e-6)


def test_a_linear_velocity_is_followed_as_heun_does() -> None:
    """dx/dt = g x: a step of length h multiplies x by 1 + g h + (g h)² / 2."""
    flow = small_flow(steps=4)
    only_gain = {name: np.zeros_like(values) for name, values in vars(flow.modulation).items()}
    only_gain["gain"] = np.full_like(only_gain["gain"], 0.8)
    codes = carry(replace(flow, modulation=Modulation(**only_gain)), noise(5)[0])
    factor = (1 + 0.2 + 0.2**2 / 2) ** 4
    np.testing.assert_allclose(
        codes[:, flow.used], flow.means + flow.deviations * factor * noise(5)[0][:, flow.used], rtol=1e-5, atol=1e-6
    )


def test_more_steps_take_more_multiplications() -> None:
    assert small_flow(steps=8).multiplications == 4 * small_flow(steps=2).multiplications > 0
