"""The picture of a search draws whatever the search was."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from components.tune.figure import search_figure


def trial(
    number: int, *, latent_dim: int = 2, learning_rate: float = 1e-3, elbo: float | None = -100.0
) -> dict[str, Any]:
    """A row of the trials' table."""
    return {
        "trial": str(number),
        "status": "FAILED" if elbo is None else "COMPLETED",
        "latent_dim": latent_dim,
        "learning_rate": learning_rate,
        "epochs": 1,
        "val_elbo": elbo,
        "reason": "out of memory" if elbo is None else None,
    }


ONE = [trial(0)]
MANY = [
    trial(number, latent_dim=2 ** (number % 7), learning_rate=1e-4 * 1.2**number, elbo=-100.0 + number * 7 % 11)
    for number in range(60)
]
SOME_FAILED = [trial(0, elbo=None), trial(1, elbo=-90.0), trial(2, elbo=None), trial(3, elbo=-95.0)]
ONE_RATE = [trial(number, latent_dim=2**number) for number in range(3)]


@pytest.mark.parametrize(
    ("trials", "best"),
    [(ONE, "0"), (MANY, "3"), (SOME_FAILED, "1"), (ONE_RATE, "2")],
    ids=["one", "many", "some_failed", "one_rate"],
)
def test_a_search_is_drawn(trials: list[dict[str, Any]], best: str) -> None:
    figure = search_figure(trials, best=best)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    with Image.open(buffer) as image:
        assert image.format == "PNG"
        assert image.width > image.height


def test_every_finished_trial_is_a_point_and_the_best_so_far_never_falls() -> None:
    figure = search_figure(MANY, best="3")
    left, right = figure.axes
    points = [tuple(point) for dots in left.collections[:-1] for point in dots.get_offsets()]
    assert sorted(points) == sorted((row["learning_rate"], row["val_elbo"]) for row in MANY)
    [winner] = left.collections[-1].get_offsets()
    assert tuple(winner) == (MANY[3]["learning_rate"], MANY[3]["val_elbo"])
    heights = right.lines[0].get_ydata()
    assert list(heights) == [max(row["val_elbo"] for row in MANY[: number + 1]) for number in range(len(MANY))]


def test_failed_trials_are_not_drawn() -> None:
    left, right = search_figure(SOME_FAILED, best="1").axes
    assert sum(len(dots.get_offsets()) for dots in left.collections[:-1]) == 2
    assert list(right.lines[0].get_ydata()) == [-90.0, -90.0]
