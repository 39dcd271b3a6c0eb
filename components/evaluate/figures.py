"""Figures made of lines and dots: how training went, and where the test images lie in the latent space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from components.evaluate.style import (
    ACCENT,
    COLOURS,
    INK,
    MARGIN,
    MUTED,
    OTHER,
    SECOND,
    WIDTH,
    blank,
    fit,
    head,
    name_legend,
    shortened,
    styled,
)
from components.evaluate.wording import counted

_PANELS = (("loss", "Total loss"), ("reconstruction", "Reconstruction loss"), ("kl", "KL divergence"))
_STEPS = (1, 2, 5, 10)  # of ticks
_NAME_LENGTH = 24  # characters of a label in a legend


@styled()
def training_curves(history: pa.Table, *, unit: str) -> Figure:
    """Total, reconstruction and KL per epoch, training and validation, with the best epoch marked.

    Args:
        history: `schemas.tables.HISTORY`, a row per epoch, at least one.
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
    handles, names = axes["loss"].get_legend_handles_labels()
    if best is not None:
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, (3, 3))))
        names.append(f"best epoch: {best}")
        index = int(np.nanargmin(validation))
        axes["loss"].plot(best, validation[index], "o", color=ACCENT, markeredgecolor="white", markersize=7, zorder=3)
    # Beside the title: within a panel it would lie on curves sooner or later.
    corner = (1 - MARGIN / WIDTH, 1 - 0.16 / figure.get_figheight())
    legend = figure.legend(handles, names, loc="upper right", bbox_to_anchor=corner, ncols=3, borderaxespad=0)
    legend.set_in_layout(False)
    head(figure, "Training", "What was minimised, epoch by epoch: total = reconstruction + KL.")
    fit(figure)
    return figure


@styled()
def latent_scatter(codes: NDArray[Any], *, dims: Sequence[int], labels: NDArray[Any], names: Sequence[str]) -> Figure:
    """Where encoded images lie: dots over two latent dimensions, or a histogram over the only one.

    Args:
        codes: Posterior means: [n, D], n at least 1.
        dims: The two dimensions to show, from 0; only the first counts where D is 1.
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.
    """
    key, groups = _groups(labels, names)
    colours = [colour for _, colour in groups]
    count = counted(len(codes), "test image")
    figure = blank(6.0)
    axes = figure.add_subplot()
    if codes.shape[1] == 1:
        _histogram(axes, codes[:, 0], key=key, colours=colours)
        subtitle = f"{count} by their only latent dimension. Dashed: the normal distribution N(0, 1)."
    else:
        _dots(axes, codes[:, list(dims[:2])], dims=dims, key=key, colours=colours)
        which = "" if codes.shape[1] == 2 else f", dimensions {dims[0] + 1} and {dims[1] + 1} of {codes.shape[1]}"
        subtitle = f"{count}{which}. Circles: one and two deviations of N(0, I)."
    if names:
        shown = [shortened(name, length=_NAME_LENGTH) for name, _ in groups]
        dots = [Line2D([], [], linestyle="", marker="o", markersize=6, color=colour) for _, colour in groups]
        across = max(1, min(len(shown), 5, 90 // (max(map(len, shown)) + 5)))
        # Legends fill column by column; people read row by row.
        order = [place for column in range(across) for place in range(column, len(shown), across)]
        dots, shown = [dots[place] for place in order], [shown[place] for place in order]
        legend = figure.legend(
            dots, ["x"] * len(dots), loc="outside lower center", ncols=across, handletextpad=0.2, columnspacing=1.4
        )
        name_legend(legend, shown)
    head(figure, "The latent space", subtitle)
    fit(figure)
    return figure


def _groups(labels: NDArray[Any], names: Sequence[str]) -> tuple[NDArray[Any], list[tuple[str, str]]]:
    """A group per dot, [n], and each group's name and colour: the labels, then whatever has no colour of its own."""
    if not names:
        return np.zeros(len(labels), int), [("", ACCENT)]
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    frequent = np.argsort(-counts, kind="stable")[: len(COLOURS)]
    kept = sorted(int(index) for index in frequent if counts[index])
    # A label keeps its colour whether or not others are present, as long as there are colours enough.
    enough = len(names) <= len(COLOURS)
    groups = [(names[index], COLOURS[index if enough else place]) for place, index in enumerate(kept)]
    key = np.full(len(labels), len(kept))
    for place, index in enumerate(kept):
        key[labels == index] = place
    if (key == len(kept)).any():
        groups.append(("other labels" if np.count_nonzero(counts) > len(kept) else "no label", OTHER))
    return key, groups


def _dots(axes: Any, points: NDArray[Any], *, dims: Sequence[int], key: NDArray[Any], colours: list[str]) -> None:
    dashed: dict[str, Any] = {"edgecolor": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 4)), "zorder": 3}
    for radius in (1, 2):
        axes.add_patch(Circle((0, 0), radius, fill=False, **dashed))
    palette = np.array(colours)
    size = float(np.clip(24_000 / len(points), 5, 36))
    # All labels in one call and in the images' own order, so that none lies on top of the others.
    axes.scatter(points[:, 0], points[:, 1], s=size, c=palette[key], alpha=0.65, linewidths=0)
    axes.update_datalim([(-2.1, -2.1), (2.1, 2.1)])
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.set_xlabel(f"latent dimension {dims[0] + 1}")
    axes.set_ylabel(f"latent dimension {dims[1] + 1}")


def _histogram(axes: Any, values: NDArray[Any], *, key: NDArray[Any], colours: list[str]) -> None:
    low, high = min(-3.0, float(values.min())), max(3.0, float(values.max()))
    edges = np.linspace(low, high, 61)
    parts = [values[key == group] for group in range(len(colours))]
    axes.hist(parts, bins=edges, stacked=True, color=colours, linewidth=0)
    grid = np.linspace(low, high, 400)
    prior = len(values) * (edges[1] - edges[0]) * np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    axes.plot(grid, prior, color=INK, linewidth=1.2, linestyle=(0, (4, 4)))
    axes.set_xlabel("latent dimension 1")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
