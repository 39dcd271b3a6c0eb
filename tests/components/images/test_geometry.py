"""Resizing and cropping: every size fits, only `stretch` changes the aspect ratio, windows stay inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from components.images.geometry import Cover, Crop, Fit, Geometry, Pad, Stretch, framing
from schemas.recipe.preprocess import PreprocessSettings

Array = np.ndarray[Any, Any]
lengths = st.integers(1, 700)
sizes = st.tuples(lengths, lengths)
KINDS = (Cover, Fit, Pad, Stretch)
BACKGROUND = (10, 200, 90)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def circle(width: int, height: int) -> Image.Image:
    """Return a white circle in the middle of a black image, a quarter as wide as the shorter side."""
    image = Image.new("L", (width, height), 0)
    radius = min(width, height) / 8
    ImageDraw.Draw(image).ellipse(
        (width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius), fill=255
    )
    return image


def extent(mask: Array, *, axis: int) -> int:
    """Distance from the first to the last row (axis 0) or column (axis 1) with a true value."""
    places = np.unique(np.nonzero(mask)[axis])
    return int(places[-1] - places[0] + 1)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (200, 200), (640, 120), (50, 40)], ids=str)
@pytest.mark.parametrize("frame", [(64, 64), (48, 64), (64, 32)], ids=str)
@pytest.mark.parametrize("kind", [Cover, Fit, Pad])
def test_a_circle_stays_a_circle(kind: type[Geometry], size: tuple[int, int], frame: tuple[int, int]) -> None:
    geometry = kind(frame[0], frame[1], background=(0, 0, 0))
    white = geometry.map(circle(*size))[:, :, 0] > 127
    assert abs(extent(white, axis=1) - extent(white, axis=0)) <= 1
    assert extent(white, axis=1) == pytest.approx(min(size) / 4 * geometry.scales(*size)[0], abs=2)


def test_stretching_makes_an_ellipse_of_a_circle() -> None:
    white = Stretch(height=64, width=128).map(circle(200, 200))[:, :, 0] > 127
    assert extent(white, axis=1) == pytest.approx(32, abs=1)
    assert extent(white, axis=0) == pytest.approx(16, abs=1)


@given(size=sizes, frame=sizes)
@example(size=(507, 450), frame=(28, 28))
@example(size=(76, 28), frame=(651, 128))
def test_any_image_covers_any_frame_exactly(size: tuple[int, int], frame: tuple[int, int]) -> None:
    pixels = Cover(height=frame[0], width=frame[1]).map(Image.new("L", size, 99))
    assert pixels.shape == (*frame, 1)
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) == {99}  # one colour stays one colour: nothing is added at the sides


@every_kind
@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_grey_has_one_channel_and_rgb_three(kind: type[Geometry], mode: str, channels: int) -> None:
    assert kind(height=5, width=7).map(Image.new(mode, (30, 20))).shape == (5, 7, channels)


@given(kind=st.sampled_from(KINDS), size=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 99))
def test_an_image_that_fits_is_not_touched(kind: type[Geometry], size: tuple[int, int], seed: int) -> None:
    height, width = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_array_equal(kind(height=height, width=width).map(Image.fromarray(pixels)), pixels)


@given(kind=st.sampled_from(KINDS), size=sizes, frame=sizes, inside=st.tuples(*[st.floats(0, 0.4)] * 4))
def test_any_image_and_any_part_of_it_becomes_exactly_the_frame(
    kind: type[Geometry], size: tuple[int, int], frame: tuple[int, int], inside: tuple[float, float, float, float]
) -> None:
    width, height = size
    box = (inside[0] * width, inside[1] * height, (1 - inside[2]) * width, (1 - inside[3]) * height)
    geometry = kind(*frame, background=(99, 99, 99))
    for part in (None, box):
        pixels = geometry.map(Image.new("L", size, 99), box=part)
        assert pixels.shape == (*frame, 1)
        assert pixels.dtype == np.uint8
        assert set(np.unique(pixels)) == {99}


@every_kind
@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (1, 1), (65_535, 2)], ids=str)
def test_the_most_extreme_shapes_work(kind: type[Geometry], size: tuple[int, int]) -> None:
    pixels = kind(28, 32, background=(0, 0, 0)).map(Image.new("L", size, 255))
    assert pixels.shape == (28, 32, 1)
    assert pixels.max() == 255  # however thin the line, it is there
    if kind in (Cover, Stretch):
        assert pixels.min() == 255


def filled(geometry: Geometry, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of where an image of one colour ends up; all around is background."""
    pixels = geometry.map(Image.new("RGB", size, (255, 0, 0)))
    image = (pixels == (255, 0, 0)).all(axis=2)
    np.testing.assert_array_equal(pixels[~image], np.broadcast_to(geometry.background, (int((~image).sum()), 3)))
    box = Image.fromarray(image).getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert image.sum() == (right - left) * (bottom - top)
    return left, top, right, bottom


def test_pad_fits_everything_in_and_the_rest_is_background() -> None:
    assert filled(Pad(40, 80, BACKGROUND), (100, 100)) == (20, 0, 60, 40)
    assert filled(Pad(80, 40, BACKGROUND), (100, 50)) == (0, 30, 40, 50)
    assert filled(Pad(80, 40, BACKGROUND), (10, 5)) == (0, 30, 40, 50)  # enlarged


def test_fit_is_pad_that_never_enlarges() -> None:
    assert filled(Fit(40, 80, BACKGROUND), (100, 100)) == (20, 0, 60, 40)
    assert filled(Fit(40, 80, BACKGROUND), (10, 6)) == (35, 17, 45, 23)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Fit(40, 80).map(Image.fromarray(pixels))[17:23, 35:45], pixels)  # untouched


def test_crop_and_stretch_leave_no_background() -> None:
    for kind in (Cover, Stretch):
        for size in ((100, 100), (10, 5), (3, 300)):
            assert filled(kind(40, 80, BACKGROUND), size) == (0, 0, 80, 40)


def test_the_background_of_a_grey_image_is_the_luma_of_the_colour() -> None:
    pixels = Pad(10, 30, BACKGROUND).map(Image.new("L", (10, 10), 255))
    assert pixels[0, 0, 0] == pytest.approx(0.299 * 10 + 0.587 * 200 + 0.114 * 90, abs=1)


@pytest.mark.parametrize("crop", ["none", "baked", "fresh"])
@pytest.mark.parametrize("name", ["crop", "fit", "pad", "stretch"])
def test_a_recipe_names_its_geometry_and_random_crops_are_cut_from_a_larger_frame(name: str, crop: str) -> None:
    preprocess = PreprocessSettings.model_validate(
        {"height": 40, "width": 80, "geometry": name, "crop": crop, "crop_margin": 0.5, "background": BACKGROUND}
    )
    geometry = framing(preprocess)
    kind = {"crop": Cover, "fit": Fit, "pad": Pad, "stretch": Stretch}[name]
    size = (40, 80) if crop == "none" else (60, 120)
    assert geometry == kind(*size, background=BACKGROUND)


def test_a_recipe_that_says_nothing_covers_and_crops() -> None:
    assert framing(PreprocessSettings()) == Cover(28, 28)


@pytest.mark.parametrize("axis", [0, 1], ids=["too high", "too wide"])
def test_what_stands_over_is_cut_evenly_at_both_sides(axis: int) -> None:
    ramp = np.linspace(0, 255, 200).astype(np.uint8)[:, None].repeat(100, axis=1)
    pixels = Cover(height=50, width=50).map(Image.fromarray(ramp if axis == 0 else ramp.T))[:, :, 0].astype(float)
    line = pixels.mean(axis=1 - axis)
    assert line[0] + line[-1] == pytest.approx(255, abs=3)
    assert line[-1] - line[0] == pytest.approx(127, abs=5)  # the middle half of the ramp


def test_making_smaller_averages_and_does_not_alias() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    pixels = Cover(height=32, width=32).map(Image.fromarray(stripes)).astype(float)
    np.testing.assert_allclose(pixels[:, 1:-1], 127.5, atol=3)


@given(shape=st.tuples(st.integers(1, 30), st.integers(1, 30)), data=st.data())
def test_the_centre_is_the_same_distance_from_all_sides(shape: tuple[int, int], data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, shape[0])), data.draw(st.integers(1, shape[1]))
    pixels = np.arange(shape[0] * shape[1]).reshape(*shape, 1)
    centre = Crop(height, width).map(pixels)
    assert centre.shape == (height, width, 1)
    top, left = divmod(int(centre[0, 0, 0]), shape[1])
    assert 0 <= shape[0] - height - 2 * top <= 1
    assert 0 <= shape[1] - width - 2 * left <= 1
    np.testing.assert_array_equal(centre, pixels[top : top + height, left : left + width])


@given(shape=st.tuples(st.integers(1, 30), st.integers(1, 30)), seed=st.integers(0, 2**32), data=st.data())
def test_a_random_window_is_inside_and_whole(shape: tuple[int, int], seed: int, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, shape[0])), data.draw(st.integers(1, shape[1]))
    pixels = np.arange(shape[0] * shape[1]).reshape(*shape, 1)
    window = Crop(height, width).random_map(pixels, np.random.default_rng(seed))
    top, left = divmod(int(window[0, 0, 0]), shape[1])
    np.testing.assert_array_equal(window, pixels[top : top + height, left : left + width])
    assert window.shape == (height, width, 1)


def test_a_random_window_is_decided_by_its_generator_alone() -> None:
    pixels = np.arange(40 * 40).reshape(40, 40, 1)
    crop = Crop(8, 8)
    first, again, other = (crop.random_map(pixels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_window_is_drawn_about_as_often_as_every_other() -> None:
    pixels = np.arange(9).reshape(3, 3, 1)
    rng = np.random.default_rng(0)
    corners = [int(Crop(2, 2).random_map(pixels, rng)[0, 0, 0]) for _ in range(4_000)]
    counts = {corner: corners.count(corner) for corner in (0, 1, 3, 4)}
    assert sum(counts.values()) == 4_000
    assert all(count == pytest.approx(1_000, abs=150) for count in counts.values())


def test_operations_are_frozen_and_equal_by_value() -> None:
    assert Cover(8, 9) == Cover(8, 9)
    with pytest.raises(AttributeError):
        Crop(8, 9).height = 3  # type: ignore[misc]
