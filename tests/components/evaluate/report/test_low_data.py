"""The low-data curve in words: where new images help, and where the report says not to use them."""

from __future__ import annotations

from components.evaluate.figures.low_data import low_data_curve
from components.evaluate.report import low_data
from components.evaluate.samples.kid import Interval
from components.evaluate.samples.low_data_curve import LowData, Size


def size_of(per_label: int, *, new: tuple[float, float], filtered: tuple[float, float]) -> Size:
    gains = {"new": Interval(sum(new) / 2, *new), "filtered": Interval(sum(filtered) / 2, *filtered)}
    accuracy = {"real": Interval(0.5, 0.4, 0.6), **gains}
    return Size(per_label, accuracy, gains)  # type: ignore[arg-type]


CURVE = LowData(
    images=1000,
    kept=900,
    training=5000,
    test_images=300,
    labels=10,
    draws=5,
    sizes=(
        size_of(10, new=(0.05, 0.09), filtered=(0.06, 0.10)),
        size_of(50, new=(-0.01, 0.03), filtered=(0.01, 0.03)),
        size_of(200, new=(-0.02, 0.01), filtered=(-0.01, 0.01)),
        size_of(500, new=(-0.04, -0.02), filtered=(-0.03, -0.01)),
    ),
    left_out={2000: "the label “hat” has only 900 training images"},
)


def test_where_new_images_do_not_help_the_report_says_not_to_use_them() -> None:
    assert low_data.sentences(CURVE) == [
        "With 10 real images of each label, new images help: new images that the filter leaves raise the accuracy by 8.0 "
        "points (95% interval 6.0 to 10.0).",
        "With 50 real images of each label, new images help, but only after the filter: new images that the filter leaves raise "
        "the accuracy by 2.0 points (95% interval 1.0 to 3.0).",
        "With 200 real images of each label, new images do not surely help: they change it by 0.0 points (95% interval −1.0 to "
        "1.0) at best; do not use them for this.",
        "With 500 real images of each label, new images lower the accuracy: they change it by −2.0 points (95% interval −3.0 to "
        "−1.0) at best; do not use them for this.",
        "2,000 real images of each label were left out: the label “hat” has only 900 training images.",
    ]


def test_the_caveat_says_that_the_model_knows_all_training_images() -> None:
    words = low_data.caveat(CURVE)
    assert "comes from 5,000 training images" in words
    assert "the 90.0% of 1,000 new images whose label the classifier of all training images confirms" in words


def test_a_row_has_accuracies_gains_and_the_verdict() -> None:
    rows = low_data.rows(CURVE)
    assert rows[0] == ("10", ["50.0%", "7.0%", "7.0 (5.0 to 9.0)", "8.0%", "8.0 (6.0 to 10.0)", "they help"])
    assert [row[-1] for _, row in rows] == ["they help", "they help", low_data.DO_NOT, low_data.DO_NOT]


def test_the_console_has_one_clause() -> None:
    assert low_data.clause("there are no labels") == "not tried beside few real images: there are no labels"
    assert low_data.clause(CURVE).startswith("with 10 real images of each label new images help: ")


def test_the_figure_has_a_line_for_each_way() -> None:
    axes = low_data_curve(low_data.lines(CURVE)).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "real images alone",
        "and new images",
        "and filtered new images",
    ]
    low_data_curve({"real": [(10, 0.5, 0.4, 0.6)], "new": [(10, 0.5, 0.4, 0.6)], "filtered": []})
