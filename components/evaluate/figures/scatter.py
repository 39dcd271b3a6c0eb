"""The scatter plot of the latent space: where the test images lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from components.reporting.console import counted
from components.reporting.label_colours import label_groups, label_legend
from components.reporting.style import INK, MUTED, blank, fit, head, styled

_STEPS = (1, 2, 5, 10)  # of ticks
_DASHES = (0, (4, 4))


@styled()
def latent_scatter(
    codes: NDArray[Any], *, dims: Sequence[int], labels: NDArray[Any], names: Sequence[str], normal: bool = True
) -> Figure:
    """Draw encoded images as dots over two latent dimensions, or as a histogram over the only one.

    Args:
        codes: Posterior means: [n, D], n at least 1.
        dims: The two dimensions to show, from 0; only the first counts where D is 1.
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.
        normal: Whether the prior is N(0, I), which is then drawn too.
    """
    group_of, groups = label_groups(labels, names)
    colours = [colour for _, colour in groups]
    count = counted(len(codes), "test image")
    figure = blank(6.0)
    axes = figure.add_subplot()
    if codes.shape[1] == 1:
        _draw_histogram(axes, codes[:, 0], group_of=group_of, colours=colours, normal=normal)
        subtitle = f"{count} by their only latent dimension."
        prior = " Dashed: the normal distribution N(0, 1)."
    else:
        _draw_dots(axes, codes[:, list(dims[:2])], dims=dims, group_of=group_of, colours=colours, normal=normal)
        dimensions = "" if codes.shape[1] == 2 else f", dimensions {dims[0] + 1} and {dims[1] + 1} of {codes.shape[1]}"
        subtitle = f"{count}{dimensions}."
        prior = " Circles: one and two deviations of N(0, I)."
    if names:
        label_legend(figure, groups)
    head(figure, "The latent space", subtitle + (prior if normal else ""))
    fit(figure)
    return figure


def _draw_dots(
    axes: Axes,
    points: NDArray[Any],
    *,
    dims: Sequence[int],
    group_of: NDArray[np.int64],
    colours: list[str],
    normal: bool,
) -> None:
    circle: dict[str, Any] = {"edgecolor": MUTED, "linewidth": 0.9, "linestyle": _DASHES, "zorder": 3}
    for radius in (1, 2) if normal else ():
        axes.add_patch(Circle((0, 0), radius, fill=False, **circle))
    palette = np.array(colours)
    size = float(np.clip(24_000 / len(points), 5, 36))
    # All labels in one call and in the images' own order, so that none lies on top of the others.
    axes.scatter(points[:, 0], points[:, 1], s=size, c=palette[group_of], alpha=0.65, linewidths=0)
    if normal:
        axes.update_datalim([(-2.1, -2.1), (2.1, 2.1)])
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.set_xlabel(f"latent dimension {dims[0] + 1}")
    axes.set_ylabel(f"latent dimension {dims[1] + 1}")


def _draw_histogram(
    axes: Axes, values: NDArray[Any], *, group_of: NDArray[np.int64], colours: list[str], normal: bool
) -> None:
    low, high = min(-3.0, float(values.min())), max(3.0, float(values.max()))
    edges = np.linspace(low, high, 61)
    parts = [values[group_of == group] for group in range(len(colours))]
    axes.hist(parts, bins=edges.tolist(), stacked=True, color=colours, linewidth=0)
    if normal:
        grid = np.linspace(low, high, 400)
        density = len(values) * (edges[1] - edges[0]) * np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
        axes.plot(grid, density, color=INK, linewidth=1.2, linestyle=_DASHES)
    axes.set_xlabel("latent dimension 1")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
