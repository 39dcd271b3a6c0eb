"""The figure of training: losses per epoch, as lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from components.reporting.style import (
    ACCENT,
    MARGIN,
    MUTED,
    SECOND,
    WIDTH,
    blank,
    fit,
    head,
    styled,
)

_PANELS = (("loss", "Total loss"), ("reconstruction", "Reconstruction loss"), ("kl", "KL divergence"))
_STEPS = (1, 2, 5, 10)  # of ticks


@styled()
def training_curves(history: pa.Table, *, unit: str) -> Figure:
    """Draw total, reconstruction and KL per epoch, of training and validation, and mark the best epoch.

    Args:
        history: `schemas.artifacts.tables.HISTORY`, a row per epoch, at least one.
        unit: Of total and reconstruction; the KL is in nats.
    """
    columns: dict[str, NDArray[Any]] = {name: np.asarray(history[name]) for name in history.column_names}
    epochs, validation = columns["epoch"], columns["val_loss"]
    best = int(epochs[np.nanargmin(validation)]) if np.isfinite(validation).any() else None
    figure = blank(4.6)
    axes = figure.subplot_mosaic([["loss", "loss"], ["reconstruction", "kl"]], height_ratios=[1.25, 1])
    mark = "o" if len(epochs) == 1 else ""
    for name, title in _PANELS:
        panel = axes[name]
        if best is not None:
            panel.axvline(best, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        panel.plot(epochs, columns[name], color=SECOND, marker=mark, label="training")
        panel.plot(epochs, columns[f"val_{name}"], color=ACCENT, marker=mark, label="validation")
        panel.set_title(title)
        panel.set_ylabel("nats per image" if name == "kl" else unit)
        panel.set_xlabel("epoch")
        ticks = 10 if name == "loss" else 6
        panel.xaxis.set_major_locator(MaxNLocator(ticks, steps=_STEPS, integer=True, min_n_ticks=1))
        panel.yaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
        panel.margins(x=0.02)
    handles, labels = axes["loss"].get_legend_handles_labels()
    if best is not None:
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, (3, 3))))
        labels.append(f"best epoch: {best}")
        index = int(np.nanargmin(validation))
        axes["loss"].plot(best, validation[index], "o", color=ACCENT, markeredgecolor="white", markersize=7, zorder=3)
    # Beside the title, because within a panel it could cover curves.
    corner = (1 - MARGIN / WIDTH, 1 - 0.16 / figure.get_figheight())
    legend = figure.legend(handles, labels, loc="upper right", bbox_to_anchor=corner, ncols=3, borderaxespad=0)
    legend.set_in_layout(False)
    head(
        figure,
        "Training",
        "Epoch by epoch: what was minimised, and its parts. The total weighs the KL as loss.kl says.",
    )
    fit(figure)
    return figure
