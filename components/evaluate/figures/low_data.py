"""The figure of the low-data curve: accuracy by the number of real images, with and without new images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from components.reporting.style import ACCENT, MUTED, SECOND, blank, fit, head, styled

Point = tuple[int, float, float, float]  # real images of each label, accuracy, ends of its interval

_LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "real": ("real images alone", {"color": MUTED, "marker": "o"}),
    "new": ("and new images", {"color": SECOND, "marker": "s"}),
    "filtered": ("and filtered new images", {"color": ACCENT, "marker": "^", "linestyle": "--"}),
}
_ASIDE = 0.04  # share of a number by which lines stand beside each other, so that intervals do not cover each other


@styled()
def low_data_curve(lines: Mapping[str, Sequence[Point]]) -> Figure:
    """Draw a line of accuracies for `real` images alone, one with `new` images and one with `filtered` ones."""
    figure = blank(3.4)
    axes = figure.subplots()
    for place, (name, (label, look)) in enumerate(_LINES.items(), start=-1):
        if lines.get(name):
            sizes, *shares = np.array(lines[name], float).T
            middle, low, high = (100 * share for share in shares)
            places = sizes * (1 + place * _ASIDE)
            axes.errorbar(places, middle, [middle - low, high - middle], label=label, markersize=5, capsize=2, **look)
    axes.set_xscale("log")
    axes.set_xticks([point[0] for point in lines["real"]])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.08)
    axes.set_xlabel("real images of each label")
    axes.set_ylabel("correct of the test images, %")
    axes.legend(loc="best")
    head(figure, "Few real images", "What a classifier learns from them, alone and with new images.")
    fit(figure)
    return figure
