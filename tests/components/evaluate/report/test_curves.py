"""Curves show the values of the tables, at their positions on the scale."""

import itertools
from typing import Any

import pyarrow as pa
import pytest
from helpers.html_page import page_from

from components.evaluate.report import curves
from components.evaluate.report.curves import Panel, Series
from components.evaluate.report.search import Search
from schemas.artifacts.manifest import Manifest
from schemas.artifacts.tables import HISTORY

NAN = float("nan")
COLUMNS: dict[str, list[float]] = {
    "epoch": [1, 2, 3, 4],
    "loss": [210.5, 150.25, 120.0, 110.0],
    "reconstruction": [205.0, 140.0, 108.0, 97.0],
    "kl": [5.5, 10.25, 12.0, 13.0],
    "val_loss": [180.0, 140.0, 125.0, 126.0],
    "val_reconstruction": [174.0, 129.0, 113.0, 113.0],
    "val_kl": [6.0, 11.0, 12.0, 13.0],
    "learning_rate": [1e-3, 1e-3, 1e-4, 1e-5],
}


def history(**columns: list[float]) -> pa.Table:
    return pa.table({**COLUMNS, **columns}).cast(HISTORY)


def search(*runs: list[float | None], winner: str = "0") -> Search:
    manifest = Manifest(
        type="HyperParameters", digest="ab" * 32, inputs={}, settings={}, counts={}, files={}, recipe={}, versions={},
        duration_seconds=0.0, created="today",
    )  # fmt: skip
    trials = [
        {
            "trial": str(i),
            "status": "COMPLETED",
            "epochs": 3,
            "epochs_run": len(run),
            "images": 10,
            "val_elbo": run[-1] if run else None,
            "val_elbo_by_epoch": run,
            "reason": None,
            "model.latent_dim": 2 * i,
            "train.learning_rate": 0.00123456 * (i + 1),
        }
        for i, run in enumerate(runs)
    ]
    return Search(manifest, trials, winner, {"model.latent_dim": 0}, "it went well")


def values_of(panel: Panel, series: Series) -> list[float]:
    """Values read off the polyline, on the panel's scale."""
    low, high = panel.range
    points = [point.split(",") for line in panel.lines(series) for point in line.split()]
    return [high - float(y) / curves.PLACES * (high - low) for _, y in points]


def test_the_lines_and_the_table_hold_the_history() -> None:
    charts = curves.training(history(), unit="nats per image")
    assert charts.epochs == (1, 2, 3, 4)
    columns = iter([name for part in ("loss", "reconstruction", "kl") for name in (part, f"val_{part}")])
    for panel in charts.panels[:3]:
        for series in panel.series:
            expected = COLUMNS[next(columns)]
            assert list(series.values) == expected
            assert values_of(panel, series) == pytest.approx(expected, rel=1e-4)
    assert charts.heads[:2] == ["Loss, training", "Loss, validation"]
    assert [row[0] for row in charts.rows] == ["210.50", "150.25", "120.00", "110.00"]
    assert charts.rows[3][-1] == "1e-05"


def test_epochs_have_equal_distances() -> None:
    panel = curves.training(history(), unit="nats").panels[0]
    across = [point.split(",")[0] for point in panel.lines(panel.series[0])[0].split()]
    assert [float(x) for x in across] == pytest.approx([0, 1000 / 3, 2000 / 3, 1000], abs=0.01)


def test_the_best_epoch_is_marked_and_read_out_first() -> None:
    charts = curves.training(history(), unit="nats")
    assert charts.marked == charts.start == 2
    assert charts.readout(2).startswith(
        "Epoch 3 (the best, whose weights were kept) – Loss: training 120.00, validation 125.00;"
    )
    assert charts.readout(0).startswith("Epoch 1 – Loss: training 210.50, validation 180.00;")


def test_a_learning_rate_that_changes_is_drawn_on_a_logarithmic_scale() -> None:
    rate = curves.training(history(), unit="nats").panels[-1]
    assert rate.log
    assert values_of(rate, rate.series[0]) == pytest.approx([-3, -3, -4, -5], abs=1e-3)
    assert [text for _, text in rate.ticks] == ["1e-05", "0.0001", "0.001"]
    steady = curves.training(history(learning_rate=[1e-3] * 4), unit="nats")
    assert [panel.title for panel in steady.panels] == ["Loss", "Reconstruction", "KL divergence"]


def test_a_plain_autoencoder_has_no_curve_of_a_kl() -> None:
    charts = curves.training(history(kl=[0.0] * 4, val_kl=[0.0] * 4), unit="nats")
    assert [panel.title for panel in charts.panels] == ["Loss", "Reconstruction", "Learning rate"]


def test_a_line_is_interrupted_where_a_value_is_no_number() -> None:
    charts = curves.training(history(val_loss=[180.0, 170.0, NAN, 126.0]), unit="nats")
    training, validation = charts.panels[0].series
    assert len(charts.panels[0].lines(training)) == 1
    assert [len(line.split()) for line in charts.panels[0].lines(validation)] == [2, 1]
    assert charts.panels[0].places(validation).split()[2] == "-"
    assert charts.rows[2][1] == "–"


@pytest.mark.parametrize("lost", [NAN, float("inf")])
def test_a_history_without_any_number_still_draws(lost: float) -> None:
    charts = curves.training(history(**{name: [lost] * 4 for name in COLUMNS if name != "epoch"}), unit="nats")
    assert charts.marked is None
    assert charts.readout(charts.start).startswith("Epoch 4 – Loss: training –, validation –")
    assert charts.panels[0].description(charts.epochs) == "Loss over epochs 1 to 4, nats: no value is a number."


def test_a_single_epoch_stands_in_the_middle() -> None:
    charts = curves.training(history().slice(0, 1), unit="nats")
    assert charts.ticks == [(50.0, 1)]
    assert [x.split(",")[0] for x in charts.panels[0].lines(charts.panels[0].series[0])] == ["500.00"]


@pytest.mark.parametrize("values", [(0.0, 0.0), (5.0, 5.0), (-3.2, -3.1), (1e-9, 3e-9), (1e7, 3e7), (-1e-3, 2e3)])
def test_ticks_are_few_round_and_within_the_panel(values: tuple[float, float]) -> None:
    panel = Panel("x", "y", (Series("a", "training", values),))
    assert 1 <= len(panel.ticks) <= 7
    assert all(0 <= place <= 100 for place, _ in panel.ticks)
    assert len({text for _, text in panel.ticks}) == len(panel.ticks)


def test_labels_of_curves_that_end_together_keep_apart() -> None:
    panel = Panel("x", "y", tuple(Series(name, name, (9.0, 1.0 + i / 100)) for i, name in enumerate("abc")))
    places = [place for place, _, _ in panel.labels]
    assert all(second - first >= curves.LABEL_GAP - 1e-6 for first, second in itertools.pairwise(places))
    assert max(places) <= 100


def test_the_page_draws_a_dot_and_its_values_for_every_curve() -> None:
    from components.evaluate.report import page
    from components.reporting.html import templates

    charts = curves.training(history(), unit="nats")
    html = str(templates(page.HERE).get_template("report_parts.html.j2").module.charts(charts))  # type: ignore[attr-defined]
    page = page_from(html)
    lines: list[Any] = [item["points"] for item in page.of("polyline")]
    assert lines == [line for panel in charts.panels for series in panel.series for line in panel.lines(series)]
    dots = page.of("circle")
    assert [dot["data-values"] for dot in dots] == ["|".join(values) for values in zip(*charts.rows, strict=True)]
    assert all(len(str(dot["data-places"]).split()) == 4 for dot in dots)
    labels = [item["aria-label"] for item in page.of("svg") if item.get("role") == "img"]
    assert (
        labels[0] == "Loss over epochs 1 to 4, nats: training from 210.50 to 110.00; validation from 180.00 to 126.00."
    )


def test_a_search_shows_its_winner_the_best_other_and_all_others_faintly() -> None:
    charts = curves.searching(search([-9.0, -5.0, -4.0], [-8.0, -6.0], [-7.0, -7.0, -6.5], winner="0"))
    assert charts is not None
    named = {series.name: series.values for series in charts.panels[0].series if series.name}
    assert named == {"winner": (-9.0, -5.0, -4.0), "best other": (-7.0, -6.0, -6.5)}
    assert [series.values for series in charts.panels[0].series if not series.name] == [
        (-8.0, -6.0, None),
        (-7.0, -7.0, -6.5),
    ]
    assert charts.marked is None
    assert charts.legend == [("validation", "winner"), ("training", "best other"), ("other", "every other trial")]


def test_a_search_of_one_trial_has_no_other() -> None:
    charts = curves.searching(search([-9.0, -5.0]))
    assert charts is not None
    assert [series.name for series in charts.panels[0].series] == ["winner"]
    assert curves.searching(search([])) is None


def test_trials_stand_in_a_table_from_the_best_on() -> None:
    heads, rows = curves.trials_table(search([-9.0, -5.0], [-4.0], [], winner="0"))
    assert heads == ["Trial", "model.latent_dim", "train.learning_rate", "Epochs", "Validation ELBO"]
    assert rows == [
        (False, ["1", "2", "0.00247", "1", "−4.00"]),
        (True, ["0", "0", "0.00123", "2", "−5.00"]),
        (False, ["2", "4", "0.0037", "0", "–"]),
    ]


def test_a_rate_of_0_has_no_place_on_a_logarithmic_scale_and_is_read_out() -> None:
    from components.evaluate.report import page
    from components.reporting.html import templates

    charts = curves.training(history(learning_rate=[1e-3, 1e-4, 0.0, 0.0]), unit="nats")  # a cosine ends at 0
    assert charts.readout(2).endswith("Learning rate: rate 0")
    html = str(templates(page.HERE).get_template("report_parts.html.j2").module.charts(charts))  # type: ignore[attr-defined]
    hidden = [dot["data-name"] for dot in page_from(html).of("circle") if dot.get("visibility") == "hidden"]
    assert hidden == ["rate"]
