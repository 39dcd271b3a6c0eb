"""The latent scatter, for every kind of codes and labels."""

from typing import Any

import numpy as np
import pytest
from helpers.figure_pixels import HOSTILE, pixels_of, texts_of

from components.evaluate.figures import scatter

MANY = tuple(f"kind {index}" for index in range(50))


@pytest.mark.parametrize(("dim", "names"), [(1, HOSTILE), (2, ()), (2, HOSTILE), (5, MANY), (1, ())])
def test_latent_scatter_draws(dim: int, names: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    labels: Any = random.integers(-1, len(names), 300) if names else np.full(300, -1)
    dims = [0, 3] if dim > 3 else [0, 1]
    figure = scatter.latent_scatter(random.normal(size=(300, dim)), dims=dims, labels=labels, names=names)
    assert pixels_of(figure, dpi=50).std() > 0
    if names is HOSTILE:
        assert {"_hidden", "$10 & <b>", "no label"} <= set(texts_of(figure))
    if names is MANY:
        assert "other labels" in texts_of(figure)


def test_latent_scatter_of_a_collapsed_model() -> None:
    pixels_of(scatter.latent_scatter(np.zeros((40, 2)), dims=[0, 1], labels=np.full(40, -1), names=()), dpi=50)
