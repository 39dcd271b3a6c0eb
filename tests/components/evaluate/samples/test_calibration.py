"""A measure is calibrated by real images that are made worse by known steps, and says which blur other images are worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from components.evaluate.samples.calibration import Scale, blurs, calibrate, excess
from components.evaluate.samples.degradations import BLUR, OF_IMAGES, OF_SETS
from components.evaluate.samples.measures import PATCHES, SPECTRUM, Measure, describe

Array = np.ndarray[Any, Any]
MEAN = Measure(  # sees brightness alone
    "mean",
    "mean brightness",
    lambda images, _: (images.mean(axis=(1, 2, 3)),),
    lambda real, other: (float(abs(real[0].mean() - other[0].mean())),),
)


def shapes(seed: int, count: int = 120) -> Array:
    """Return images of a bright square each, somewhere on black, with 8 bits per value: [count, 28, 28, 1]."""
    random = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28, 1), np.float32)
    for image in images:
        top, left, side = *random.integers(2, 16, 2), random.integers(4, 11)
        image[top : top + side, left : left + side] = 1.0
    return images


def batches(images: Array) -> Iterator[Array]:
    """Yield the images in two batches."""
    yield images[:50]
    yield images[50:]


@pytest.fixture(scope="module")
def scales() -> list[Scale]:
    """Return the scales of patches, spectra and brightness."""
    return calibrate(
        [PATCHES, SPECTRUM, MEAN],
        real=batches(shapes(0)),
        held_out=lambda: batches(shapes(1)),
        order=lambda kind: np.arange(120),
    )


@pytest.mark.parametrize("blur", [0.6, 0.8, 1.4])
def test_blurred_images_are_worth_their_blur(scales: list[Scale], blur: float) -> None:
    blurred = gaussian_filter(shapes(2), (0, blur, blur, 0))
    worth = blurs(scales, describe([PATCHES, SPECTRUM, MEAN], [blurred]))
    assert worth["patches"] == pytest.approx(blur, abs=0.15)
    assert worth["spectrum"] == pytest.approx(blur, abs=0.2)


def test_real_images_are_worth_next_to_no_blur(scales: list[Scale]) -> None:
    worth = blurs(scales, describe([PATCHES, SPECTRUM, MEAN], [shapes(3)]))
    assert max(worth.values()) < 0.2


def test_beyond_the_last_step_the_blur_is_extrapolated(scales: list[Scale]) -> None:
    strongest = blurs(scales, describe([PATCHES, SPECTRUM, MEAN], [gaussian_filter(shapes(2), (0, 4, 4, 0))]))
    assert strongest["patches"] > 2.2


def test_a_measure_that_does_not_order_blurs_cannot_tell(scales: list[Scale]) -> None:
    """Blur leaves brightness as it is."""
    assert {scale.measure.name for scale in scales if not scale.orders("blur")} == {"mean"}
    assert "mean" not in blurs(scales, describe([PATCHES, SPECTRUM, MEAN], [shapes(2)]))


def test_every_degradation_has_a_distance_for_each_step(scales: list[Scale]) -> None:
    for scale in scales:
        assert {kind: len(distances) for kind, distances in scale.steps.items()} == {
            degradation.kind: len(degradation.steps) for degradation in (*OF_IMAGES, *OF_SETS)
        }


def test_images_whose_distance_is_no_number_are_worth_nothing_known(scales: list[Scale]) -> None:
    broken = np.full((120, 28, 28, 1), np.nan, np.float32)
    with np.errstate(invalid="ignore"):
        assert blurs(scales, describe([PATCHES, SPECTRUM, MEAN], [broken])) == {}


@given(st.lists(st.floats(0.01, 10), min_size=6, max_size=6, unique=True), st.floats(0, 20), st.floats(0, 20))
def test_a_larger_distance_is_never_worth_less_blur(distances: list[float], one: float, other: float) -> None:
    floor, *steps = sorted(distances)
    measure = Measure("m", "", lambda images, start: (images,), lambda real, new: (float(new[0][0]),))
    scale = Scale(measure, (np.zeros(1, np.float32),), floor, {"blur": tuple(steps)})
    worth = [scale.blur((np.array([value], np.float32),)) for value in sorted((one, other))]
    assert worth[0] is not None
    assert worth[1] is not None
    assert 0 <= worth[0] <= worth[1]
    for blur, step in zip(BLUR.steps, steps, strict=True):
        assert scale.blur((np.array([step]),)) == pytest.approx(blur, rel=1e-4)


def test_what_is_lost_beyond_others_is_told_by_the_least_kind_measure() -> None:
    assert excess({"patches": 0.7, "random": 1.2}, {"patches": 0.6, "random": 0.7, "other": 3.0}) == pytest.approx(0.5)
    assert excess({}, {"patches": 1.0}) is None
