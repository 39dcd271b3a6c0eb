"""A flow is taken where it gains enough for its work; what an image costs is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from helpers.flows import small_flow
from helpers.ring import SHAPE, ring_vae

from components.evaluate.samples.flow_trade import Lost, Stopwatch, Trade, document, multiplications
from models.code_samplers import Normal


@pytest.mark.parametrize(
    ("lost", "flow", "other", "work", "pays"),
    [
        ("excess", 0.10, 0.20, 2.0, True),
        ("excess", 0.19, 0.20, 2.0, False),
        ("excess", 0.10, 0.20, 64.0, False),  # six doublings
        ("excess", -0.10, 0.0, 4.0, True),
        ("held_out", 0.40, 0.80, 2.0, True),
        ("held_out", 0.79, 0.80, 2.0, False),
        ("held_out", 0.79, 0.80, 1.0, True),
        ("held_out", 0.0, 0.0, 2.0, False),
    ],
)
def test_a_flow_has_to_gain_for_each_doubling_of_the_work(
    lost: Lost, flow: float, other: float, work: float, pays: bool
) -> None:
    trade = Trade(lost, flow, other, "mixture", work)
    assert trade.pays is pays
    assert document(trade)["pays"] is pays


def test_multiplications_are_counted_in_sampler_and_decoder() -> None:
    vae = ring_vae()
    assert multiplications(vae, Normal(2)) == 2 * np.prod(SHAPE)  # one dense layer
    flow = small_flow(steps=3)
    assert multiplications(vae, flow) == flow.multiplications + multiplications(vae, Normal(2))


def test_convolutions_count_at_each_place() -> None:
    codes = keras.Input((6,))
    x = keras.layers.Reshape((2, 3, 1))(codes)
    x = keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)  # at 2 × 3 places
    x = keras.layers.Conv2D(1, 3, padding="same")(x)  # at 4 × 6

    class Decoder:
        decoder = keras.Model(codes, x)

    decoder: Any = Decoder()
    assert multiplications(decoder, Normal(6)) == 2 * 3 * 9 * 4 + 4 * 6 * 9 * 4


def test_the_first_batch_does_not_count_for_the_speed() -> None:
    watch, seen = Stopwatch(), []

    def batches(count: int) -> Iterator[Any]:
        for _ in range(count):
            yield np.zeros((7, 1, 1, 1), np.float32)

    seen += list(watch.timed(batches(1)))
    assert watch.speed is None
    seen += list(watch.timed(batches(3)))
    assert (len(seen), watch.images) == (4, 14)
    assert watch.speed is not None and watch.speed > 0
