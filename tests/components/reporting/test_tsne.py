"""The layout of codes by t-SNE, and its figure, for every kind of codes and labels."""

import warnings
from typing import Any

import numpy as np
import pytest
from helpers.figure_pixels import HOSTILE, pixels_of, texts_of

from components.reporting import tsne

MANY = tuple(f"kind {index}" for index in range(50))
TITLES = ("$a_b", "a plain autoencoder whose name goes on and on, and then on", "third")


@pytest.mark.parametrize(("panels", "names"), [(1, ()), (2, HOSTILE), (3, MANY)])
def test_every_model_has_a_panel(panels: int, names: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    labels: Any = random.integers(-1, len(names), 60) if names else np.full(60, -1)
    figure = tsne.tsne_scatter(
        [(title, random.normal(size=(60, 2))) for title in TITLES[:panels]], labels=labels, names=names
    )
    assert pixels_of(figure, dpi=50).std() > 0
    assert len(figure.axes) == panels
    assert all(axes.get_aspect() == 1 and not len(axes.get_xticks()) for axes in figure.axes)
    assert len(figure.legends) == (1 if names else 0)
    words = texts_of(figure)
    assert "60 test images; those with similar codes are neighbours. The axes of t-SNE have no unit." in words
    assert "$a_b" in words
    if names is HOSTILE:
        assert {"_hidden", "$10 & <b>", "no label"} <= set(words)


@pytest.mark.parametrize("count", [1, 2])
def test_points_in_one_place_are_drawn(count: int) -> None:
    figure = tsne.tsne_scatter([("", np.full((count, 2), 3.0))], labels=np.zeros(count, int), names=("a",))
    pixels_of(figure, dpi=50)


@pytest.mark.parametrize(("count", "dim"), [(4, 1), (5, 2), (40, 2), (4, 3), (40, 8)])
def test_layouts_have_two_dimensions_and_follow_the_seed(count: int, dim: int) -> None:
    codes = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    before = codes.copy()
    first, second = tsne.embed(codes, seed=5), tsne.embed(codes, seed=5)
    assert first.shape == (count, 2)
    assert first.dtype == np.float64
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(codes, before)
    if dim <= 2:  # the start is random
        assert (tsne.embed(codes, seed=6) != first).any()


@pytest.mark.parametrize("dim", [2, 16])
def test_layouts_keep_clusters_apart(dim: int) -> None:
    kinds = np.arange(90) % 3
    codes = np.random.default_rng(1).normal(size=(90, dim)) + 20.0 * kinds[:, None]
    points = tsne.embed(codes, seed=0)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.where(np.eye(90), np.inf, 0.0)
    assert (kinds[distances.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("codes", [np.full((40, 5), 0.1, np.float32), np.arange(9.0).reshape(3, 3), np.ones((1, 2))])
def test_codes_without_neighbours_stay_as_they_are(codes: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(tsne.embed(codes, seed=0), codes[:, :2])


def test_codes_of_one_dimension_without_neighbours_get_a_second() -> None:
    points = tsne.embed(np.array([[4.0], [5.0]]), seed=0)
    assert points.tolist() == [[4.0, 0.0], [5.0, 0.0]]
    assert points.dtype == np.float64


@pytest.mark.parametrize(
    "codes",
    [
        np.stack([np.arange(30.0), np.full(30, 2.0), np.zeros(30)], axis=1),  # one dimension in use
        np.repeat(np.array([[0.0, 1.0, 2.0], [5.0, 1.0, 0.0]]), 15, axis=0),  # many images, two codes
        np.random.default_rng(0).normal(size=(30, 4)) * 1e-30,
        np.random.default_rng(0).normal(size=(30, 4)) * 1e30,
        np.random.default_rng(0).normal(size=(30, 4)) * 1e-7 + 1000.0,
    ],
    ids=["unused", "equal", "tiny", "huge", "offset"],
)
def test_layouts_of_odd_codes_are_finite_and_without_warnings(codes: np.ndarray[Any, Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        points = tsne.embed(codes, seed=0)
    assert points.shape == (30, 2)
    assert np.isfinite(points).all()
    assert np.ptp(points) > 0
    assert caught == []
