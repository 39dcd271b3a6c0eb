"""Grids: images at their places, headings and codes as they are, and limits for large images."""

from typing import Any

import numpy as np
import pytest
from helpers.figure_pixels import pixels_of, texts_of

from components.evaluate.figures import grids

SHAPES = [(28, 28, 1), (64, 16, 3), (16, 100, 1), (256, 256, 3)]


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def test_manifold_codes_go_row_by_row_from_the_upper_left() -> None:
    codes = grids.manifold_codes(3, 4.0)
    rows = [[-4, 4], [0, 4], [4, 4], [-4, 0], [0, 0], [4, 0], [-4, -4], [0, -4], [4, -4]]
    np.testing.assert_allclose(codes, rows, atol=1e-6)
    assert grids.manifold_codes(30, 1.0).shape == (900, 2)
    assert codes.dtype == np.float32


def test_a_manifold_puts_images_at_their_codes_without_gaps() -> None:
    grey = (np.arange(100, dtype=np.float32) / 255.0).reshape(100, 1, 1, 1)
    figure = grids.manifold(grey * np.ones((100, 28, 28, 1), np.float32), side=10, span=4.0)
    pixels = pixels_of(figure)
    height, width = pixels.shape[:2]
    (axes,) = figure.axes
    box = axes.get_position()
    for index, (x, y) in enumerate(grids.manifold_codes(10, 4.0)):
        across, up = axes.transData.transform((x, y)) / figure.bbox.size
        assert pixels[int((1 - up) * height), int(across * width), 0] == index
    inside = pixels[
        int((1 - box.y1) * height) + 2 : int((1 - box.y0) * height) - 2,
        int(box.x0 * width) + 2 : int(box.x1 * width) - 2,
    ]
    assert set(np.unique(inside).tolist()) == set(range(100))


@pytest.mark.parametrize(
    ("side", "span", "numbers"),
    [(10, 4.0, ["−4", "−3", "0", "4"]), (30, 1.0, ["−1.0", "0.0", "0.2", "1.0"]), (2, 0.5, ["−0.5", "0.5"])],
)
def test_a_manifold_names_its_values(side: int, span: float, numbers: list[str]) -> None:
    figure = grids.manifold(noise(side * side, 8, 8, 1), side=side, span=span)
    pixels_of(figure)
    words = texts_of(figure)
    assert "The 2-D manifold" in words
    assert any(f"{side} × {side} codes over [−{span:g}, {span:g}]²" in text for text in words)
    (axes,) = figure.axes
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert set(numbers) <= {tick.get_text() for tick in ticks}


@pytest.mark.parametrize(("shape", "side"), [((28, 28, 1), 10), ((64, 64, 3), 30), ((16, 100, 1), 10)])
def test_manifolds_are_neither_tiny_nor_huge(shape: tuple[int, ...], side: int) -> None:
    assert 1000 < pixels_of(grids.manifold(noise(side * side, *shape), side=side, span=1.0)).shape[1] < 2500


def test_a_manifold_of_large_colour_images_shrinks() -> None:
    images = np.broadcast_to(noise(1, 256, 256, 3), (100, 256, 256, 3))
    assert 1000 < pixels_of(grids.manifold(images, side=10, span=4.0)).shape[1] < 2500


def test_uniform_codes_fill_the_box_and_follow_seed_and_index() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) * [1.0, 5.0, 0.0] + [0.0, 1.0, 2.0]
    codes = codes.astype(np.float32)
    uniform = grids.uniform_codes(codes, count=2000, seed=3)
    low, high = codes.min(axis=0), codes.max(axis=0)
    assert uniform.shape == (2000, 3)
    assert uniform.dtype == np.float32
    assert (uniform >= low).all() and (uniform <= high).all()
    np.testing.assert_allclose(uniform.min(axis=0), low, atol=0.01 * np.ptp(codes))
    np.testing.assert_allclose(uniform.mean(axis=0), (low + high) / 2, atol=0.03 * np.ptp(codes))
    np.testing.assert_array_equal(grids.uniform_codes(codes, count=10, seed=3), uniform[:10])
    assert (grids.uniform_codes(codes, count=10, seed=4)[:, 0] != uniform[:10, 0]).all()


def test_uniform_codes_of_a_single_image_are_its_own() -> None:
    assert grids.uniform_codes(np.array([[0.5, -2.0]], np.float32), count=2, seed=0).tolist() == [[0.5, -2.0]] * 2


@pytest.mark.parametrize("shape", SHAPES)
def test_codes_stand_under_images_where_they_have_two_dimensions(shape: tuple[int, ...]) -> None:
    codes = np.linspace(-1.234, 1.0, 20, dtype=np.float32).reshape(10, 2)
    figure = grids.uniform_samples(noise(10, *shape), codes)
    assert 1000 < pixels_of(figure).shape[1] < 2500
    written = [text for text in texts_of(figure) if text.startswith("(")]
    assert len(written) == 10
    assert written[0] == "(−1.23, −1.12)"


def test_large_codes_lose_their_decimals() -> None:
    assert "(−1,234, 5)" in texts_of(grids.uniform_samples(noise(1, 28, 28, 1), np.array([[-1234.5, 5.3]], np.float32)))


@pytest.mark.parametrize("dim", [1, 64])
def test_other_codes_are_not_written(dim: int) -> None:
    figure = grids.uniform_samples(noise(10, 28, 28, 1), noise(10, dim))
    pixels_of(figure)
    assert not any(text.startswith("(") for text in texts_of(figure))


@pytest.mark.parametrize(("count", "shape"), [(1, SHAPES[0]), (5, SHAPES[2]), (3, SHAPES[3])])
def test_hybrids_draw(count: int, shape: tuple[int, ...]) -> None:
    figure = grids.hybrids((noise(count, *shape), noise(count, *shape)), noise(count, *shape))
    pixels = pixels_of(figure)
    assert 1000 < pixels.shape[1] < 2500
    assert {"A", "halfway", "B"} <= set(texts_of(figure))


def test_hybrids_stand_between_their_images() -> None:
    first, second, middle = (np.full((2, 8, 8, 1), value / 255, np.float32) for value in (10, 20, 30))
    pixels = pixels_of(grids.hybrids((first, second), middle))[..., 0]
    column = pixels[:, int(pixels.shape[1] * 0.2)]
    assert [value for value in dict.fromkeys(column.tolist()) if value in (10, 20, 30)] == [10, 30, 20]
    assert set(np.unique(pixels[:, -pixels.shape[1] // 3 :][pixels.shape[0] // 4 :])) == {255}  # room for other pairs


@pytest.mark.parametrize(
    ("rows", "steps", "shape"), [(1, 9, SHAPES[0]), (3, 9, SHAPES[1]), (3, 10, SHAPES[2]), (3, 9, SHAPES[3])]
)
def test_interpolations_draw(rows: int, steps: int, shape: tuple[int, ...]) -> None:
    assert 1000 < pixels_of(grids.interpolation(noise(rows, steps, *shape))).shape[1] < 3200


def test_interpolations_have_the_shares_above_their_columns() -> None:
    figure = grids.interpolation(noise(2, 9, 8, 8, 1))
    heads = [text for text in figure.texts if text.get_text() in {"0", "0.125", "0.5", "1"}]
    assert [text.get_text() for text in heads] == ["0", "0.125", "0.5", "1"]
    places = [text.get_position()[0] for text in heads]
    assert places == sorted(places)
    assert len({text.get_position()[1] for text in heads}) == 1
