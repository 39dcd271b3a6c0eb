"""Scatters: dots in the latent space and after t-SNE, for every kind of codes and labels."""

import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pytest

from components.evaluate.figures import scatter

Saved = Callable[..., np.ndarray[Any, Any]]

HOSTILE = ("_hidden", "$10 & <b>", "\\frac", "", "鳥", "a label that goes on for far longer than there is room")


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("labels", ["none", "some", "many"])
def test_latent_scatter_draws(dim: int, labels: str, saved: Saved) -> None:
    random = np.random.default_rng(0)
    names = {"none": (), "some": HOSTILE, "many": tuple(f"kind {index}" for index in range(50))}[labels]
    found = random.integers(-1, len(names), 300) if names else np.full(300, -1)
    dims = [0, 3] if dim > 3 else [0, 1]
    figure = scatter.latent_scatter(random.normal(size=(300, dim)), dims=dims, labels=found, names=names)
    assert saved(figure).std() > 0
    if labels == "some":
        assert {"_hidden", "$10 & <b>", "no label"} <= set(texts(figure))
    if labels == "many":
        assert "other labels" in texts(figure)


def test_latent_scatter_of_a_collapsed_model(saved: Saved) -> None:
    saved(scatter.latent_scatter(np.zeros((40, 2)), dims=[0, 1], labels=np.full(40, -1), names=()))


@pytest.mark.parametrize("panels", [1, 2])
@pytest.mark.parametrize("labels", ["none", "some", "many"])
def test_tsne_scatter_draws(panels: int, labels: str, saved: Saved) -> None:
    random = np.random.default_rng(0)
    names = {"none": (), "some": HOSTILE, "many": tuple(f"kind {index}" for index in range(50))}[labels]
    found = random.integers(-1, len(names), 60) if names else np.full(60, -1)
    titles = ["$a_b", "a plain autoencoder whose name goes on and on, and then on"][:panels]
    figure = scatter.tsne_scatter([(title, random.normal(size=(60, 2))) for title in titles], labels=found, names=names)
    assert saved(figure).std() > 0
    assert len(figure.axes) == panels
    assert all(axes.get_aspect() == 1 and not len(axes.get_xticks()) for axes in figure.axes)
    assert len(figure.legends) == (0 if labels == "none" else 1)
    words = texts(figure)
    assert "60 test images; those with similar codes are neighbours. The axes of t-SNE have no unit." in words
    assert "$a_b" in words
    if labels == "some":
        assert {"_hidden", "$10 & <b>", "no label"} <= set(words)


@pytest.mark.parametrize("count", [1, 2])
def test_tsne_scatter_of_points_in_one_place(count: int, saved: Saved) -> None:
    saved(scatter.tsne_scatter([("", np.full((count, 2), 3.0))], labels=np.zeros(count, int), names=("a",)))


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [4, 5, 40])
def test_embeddings_have_two_dimensions_and_follow_the_seed(dim: int, count: int) -> None:
    codes = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    before = codes.copy()
    first, second = scatter.embed(codes, seed=5), scatter.embed(codes, seed=5)
    assert first.shape == (count, 2)
    assert first.dtype == np.float64
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(codes, before)
    if dim <= 2:  # the start is random
        assert (scatter.embed(codes, seed=6) != first).any()


@pytest.mark.parametrize("dim", [2, 16])
def test_embeddings_keep_clusters_apart(dim: int) -> None:
    kinds = np.arange(90) % 3
    codes = np.random.default_rng(1).normal(size=(90, dim)) + 20.0 * kinds[:, None]
    found = scatter.embed(codes, seed=0)
    distances = np.linalg.norm(found[:, None] - found[None], axis=-1) + np.where(np.eye(90), np.inf, 0.0)
    assert (kinds[distances.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize("codes", [np.full((40, 5), 0.1, np.float32), np.arange(9.0).reshape(3, 3), np.ones((1, 2))])
def test_embeddings_of_too_little_are_the_codes(codes: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(scatter.embed(codes, seed=0), codes[:, :2])


def test_embeddings_of_too_little_are_padded() -> None:
    found = scatter.embed(np.array([[4.0], [5.0]]), seed=0)
    assert found.tolist() == [[4.0, 0.0], [5.0, 0.0]]
    assert found.dtype == np.float64


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
def test_embeddings_of_odd_codes_are_finite_and_quiet(codes: np.ndarray[Any, Any]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = scatter.embed(codes, seed=0)
    assert found.shape == (30, 2)
    assert np.isfinite(found).all()
    assert np.ptp(found) > 0
    assert told == []
