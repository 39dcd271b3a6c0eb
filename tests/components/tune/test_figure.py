"""The figure of a search can be drawn for any search."""

from __future__ import annotations

import io
from typing import Any

import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch
from PIL import Image

from components.tune.figure import WINNER, search_figure
from schemas.recipe.search import Range

SPACE = {
    "model.latent_dim": (1, 2, 4, 8, 16, 32, 64),
    "train.learning_rate": Range(low=1e-4, high=10.0, log=True),
    "model.hidden": ([16], [512, 256]),
}


def trial(
    number: int,
    *,
    latent_dim: int = 2,
    learning_rate: float = 1e-3,
    hidden: tuple[int, ...] = (16,),
    elbo: float | None = -100.0,
    epochs_run: int = 4,
) -> dict[str, Any]:
    """Return a row of the trials' table."""
    return {
        "trial": str(number),
        "status": "FAILED" if elbo is None else "COMPLETED",
        "epochs": 4,
        "epochs_run": epochs_run,
        "val_elbo": elbo,
        "reason": "out of memory" if elbo is None else None,
        "model.latent_dim": latent_dim,
        "train.learning_rate": learning_rate,
        "model.hidden": list(hidden),
    }


ONE = [trial(1)]
MANY = [
    trial(
        number + 1,
        latent_dim=2 ** (number % 7),
        learning_rate=1e-4 * 1.2**number,
        hidden=(16,) if number % 3 else (512, 256),
        elbo=-100.0 + number * 7 % 11,
        epochs_run=4 if number % 4 else 1,
    )
    for number in range(60)
]
SOME_FAILED = [trial(1, elbo=None), trial(2, elbo=-90.0), trial(3, elbo=None), trial(4, elbo=-95.0)]
ONE_HOPELESS = [trial(number + 1, learning_rate=10.0**-number, elbo=-100.0 - number) for number in range(4)]
ONE_HOPELESS.append(trial(5, elbo=-1e9))


def drawn(trials: list[dict[str, Any]], *, best: str) -> Any:
    """Return the picture, with shares of importance made up."""
    shares = {"model.latent_dim": 0.7, "train.learning_rate": 0.3, "model.hidden": 0.0}
    return search_figure(trials, space=SPACE, best=best, shares=shares if len(trials) > 9 else None)


def lines(figure: Any) -> list[PathPatch]:
    """Return the trials' lines in the parallel coordinates."""
    return [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]


@pytest.mark.parametrize(
    ("trials", "best"),
    [(ONE, "1"), (MANY, "4"), (SOME_FAILED, "2"), (ONE_HOPELESS, "1")],
    ids=["one", "many", "some_failed", "one_hopeless"],
)
def test_a_search_is_drawn(trials: list[dict[str, Any]], best: str) -> None:
    buffer = io.BytesIO()
    drawn(trials, best=best).savefig(buffer, format="png")
    with Image.open(buffer) as image:
        assert image.format == "PNG"
        assert image.width > image.height


def test_every_finished_trial_is_a_line_through_its_values_and_one_is_the_winner() -> None:
    trial_lines = lines(drawn(SOME_FAILED, best="2"))
    assert len(trial_lines) == 2
    [winner] = [line for line in trial_lines if line.get_edgecolor() == to_rgba(WINNER)]
    heights = winner.get_path().vertices[[0, 3, 6, 9], 1]
    assert heights[1] == pytest.approx(0.2)  # 1e-3 between 1e-4 and 10
    assert heights[3] == 1.0  # the largest ELBO


def test_no_line_leaves_the_picture() -> None:
    for trials, best in ((MANY, "4"), (ONE_HOPELESS, "1")):
        figure = drawn(trials, best=best)
        low, high = figure.axes[0].get_ylim()
        for line in lines(figure):
            assert low < line.get_path().vertices[:, 1].min() <= line.get_path().vertices[:, 1].max() < high


def test_a_point_stands_at_its_trials_number_and_a_failed_trial_is_a_gap() -> None:
    axes = next(axes for axes in drawn(SOME_FAILED, best="2").axes if axes.get_title(loc="left") == "best so far")
    [points] = axes.collections
    assert points.get_offsets()[:, 0].tolist() == [2, 4]
    assert axes.get_xlim() == (0.5, 4.5)


def test_the_best_so_far_never_falls_and_counts_whole_trials_only() -> None:
    axes = next(axes for axes in drawn(MANY, best="4").axes if axes.get_title(loc="left") == "best so far")
    [line] = axes.lines
    elbos = [row["val_elbo"] for row in MANY if row["epochs_run"] == 4]
    assert list(line.get_ydata()) == sorted(line.get_ydata())
    assert line.get_ydata()[0] == elbos[0]
    assert line.get_ydata()[-1] == max(elbos)


def test_what_mattered_is_a_bar_per_key_the_longest_on_top() -> None:
    axes = next(axes for axes in drawn(MANY, best="4").axes if axes.get_title(loc="left") == "what mattered")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SPACE)[2::-1]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.0, 30.0, 70.0])
