"""Figures of images: every image is drawn, pixel by pixel, for every kind of data."""

import matplotlib
import numpy as np
import pytest
from helpers.figure_pixels import HOSTILE, pixels_of, texts_of

from components.evaluate.figures import mosaics
from components.evaluate.report.wording import SAMPLERS

SOURCE = "the normal distribution N(0, I)"


def test_small_images_are_enlarged_without_blur() -> None:
    images = np.zeros((100, 8, 8, 1), np.float32)
    images[:, ::2] = 0.6
    values = np.unique(pixels_of(mosaics.samples(images, source=SOURCE))[400:, 100:-100])
    assert values.tolist() == [0, 153, 255]  # black, 0.6 · 255, and the gaps' white


def test_every_image_is_drawn() -> None:
    images = (np.arange(100, dtype=np.float32) / 255.0).reshape(100, 1, 1, 1) * np.ones((100, 28, 28, 1), np.float32)
    assert set(range(100)) <= set(np.unique(pixels_of(mosaics.samples(images, source=SOURCE))).tolist())


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (8, 8, 1)), (25, (256, 256, 3)), (7, (64, 16, 3)), (25, (16, 100, 1))]
)
def test_reconstructions_draw(shape: tuple[int, int, int], count: int) -> None:
    images = np.random.default_rng(0).uniform(size=(count, *shape)).astype(np.float32)
    labels = [HOSTILE[index % len(HOSTILE)] for index in range(count)]
    pixels = pixels_of(mosaics.reconstructions(images, 1 - images, labels=labels))
    assert 900 < pixels.shape[1] < 3200


def test_large_samples_shrink() -> None:
    images = np.random.default_rng(0).uniform(size=(100, 128, 128, 3)).astype(np.float32)
    assert pixels_of(mosaics.samples(images, source=SOURCE)).shape[1] < 1800
    assert pixels_of(mosaics.samples(images.repeat(2, axis=1).repeat(2, axis=2)[:9], source=SOURCE)).shape[1] < 1800


def test_samples_say_where_their_codes_come_from() -> None:
    figure = mosaics.samples(np.zeros((4, 8, 8, 1), np.float32), source=SOURCE)
    assert any(SOURCE in text for text in texts_of(figure))


@pytest.mark.parametrize("source", SAMPLERS.values())
def test_no_heading_is_wider_than_its_figure(source: str) -> None:
    figure = mosaics.samples(np.zeros((100, 28, 28, 1), np.float32), source=source)
    edges = [text.get_window_extent().x1 for text in figure.findobj(matplotlib.text.Text)]
    assert max(edges) <= figure.bbox.x1


@pytest.mark.parametrize(("shape", "count"), [((8, 8, 1), 1), ((64, 64, 3), 10), ((16, 100, 1), 7)])
def test_closest_pairs_draw_new_images_left_and_training_images_right(shape: tuple[int, int, int], count: int) -> None:
    new, training = (np.full((count, *shape), value, np.float32) for value in (0.2, 0.8))
    pixels = pixels_of(mosaics.closest(new, training))[..., 0]
    assert 900 < pixels.shape[1] < 3200
    places = [np.flatnonzero((pixels == round(value * 255)).any(axis=0)) for value in (0.2, 0.8)]
    assert places[0].min() < places[1].min()
    assert places[0].max() < places[1].max()
