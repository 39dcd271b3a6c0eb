"""The figure of training curves, and that figures are the same bytes each time."""

from pathlib import Path

import matplotlib
import pyarrow as pa
import pytest
from helpers.figure_pixels import pixels_of, texts_of

from components.evaluate.figures import training
from components.reporting import style
from schemas.artifacts.tables import HISTORY


def history(epochs: int, *, validation: list[float] | None = None) -> pa.Table:
    names = [name for name in HISTORY.names if name != "epoch"]
    rows = [{"epoch": epoch + 1, **dict.fromkeys(names, 1.0 / (epoch + 1))} for epoch in range(epochs)]
    for row, value in zip(rows, validation or [], strict=False):
        row["val_loss"] = value
    return pa.Table.from_pylist(rows, schema=HISTORY)


def test_training_curves_mark_the_epoch_with_the_lowest_validation_loss() -> None:
    figure = training.training_curves(history(4, validation=[4.0, 2.0, 1.0, 3.0]), unit="nats per image")
    assert "best epoch: 3" in texts_of(figure)
    pixels_of(figure)


@pytest.mark.parametrize("validation", [[1.0], [float("nan")], [float("nan"), 2.0]])
def test_training_curves_draw_short_and_diverged_trainings(validation: list[float]) -> None:
    pixels_of(training.training_curves(history(len(validation), validation=validation), unit="loss per image"))


def test_a_figure_has_the_same_bytes_under_any_settings_of_matplotlib(tmp_path: Path) -> None:
    def draw(name: str) -> bytes:
        style.save(training.training_curves(history(5), unit="nats per image"), tmp_path / f"{name}.png")
        return (tmp_path / f"{name}.png").read_bytes()

    first = draw("first")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "savefig.facecolor": "black"}):
        settings = dict(matplotlib.rcParams)
        assert draw("second") == first
        assert dict(matplotlib.rcParams) == settings
