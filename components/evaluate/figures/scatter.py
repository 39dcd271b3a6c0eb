"""Figures made of dots: where the test images lie in the latent space."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from components.reporting.console import counted
from components.reporting.style import (
    ACCENT,
    COLOURS,
    FAINT,
    INK,
    MUTED,
    OTHER,
    WIDE,
    WIDTH,
    blank,
    fit,
    head,
    name_legend,
    shortened,
    styled,
)

_STEPS = (1, 2, 5, 10)  # of ticks
_NAME_LENGTH = 24  # characters of a label in a legend
_TITLE_LENGTH = 40  # characters of a panel's title
_PERPLEXITY = 30.0  # of t-SNE, where there are images enough


@styled()
def latent_scatter(
    codes: NDArray[Any], *, dims: Sequence[int], labels: NDArray[Any], names: Sequence[str], normal: bool = True
) -> Figure:
    """Where encoded images lie: dots over two latent dimensions, or a histogram over the only one.

    Args:
        codes: Posterior means: [n, D], n at least 1.
        dims: The two dimensions to show, from 0; only the first counts where D is 1.
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.
        normal: Whether the prior is N(0, I), which is drawn beside them.
    """
    key, groups = _groups(labels, names)
    colours = [colour for _, colour in groups]
    count = counted(len(codes), "test image")
    figure = blank(6.0)
    axes = figure.add_subplot()
    if codes.shape[1] == 1:
        _histogram(axes, codes[:, 0], key=key, colours=colours, normal=normal)
        subtitle = f"{count} by their only latent dimension."
        dashed = " Dashed: the normal distribution N(0, 1)."
    else:
        _dots(axes, codes[:, list(dims[:2])], dims=dims, key=key, colours=colours, normal=normal)
        which = "" if codes.shape[1] == 2 else f", dimensions {dims[0] + 1} and {dims[1] + 1} of {codes.shape[1]}"
        subtitle = f"{count}{which}."
        dashed = " Circles: one and two deviations of N(0, I)."
    if names:
        _legend(figure, groups)
    head(figure, "The latent space", subtitle + (dashed if normal else ""))
    fit(figure)
    return figure


@styled()
def tsne_scatter(panels: Sequence[tuple[str, NDArray[Any]]], *, labels: NDArray[Any], names: Sequence[str]) -> Figure:
    """Where encoded images lie after t-SNE, for one model or for two beside each other.

    Args:
        panels: One or two, each a title, "" for none, and what `embed` made of the codes: [n, 2], n at least 1.
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.
    """
    key, groups = _groups(labels, names)
    palette = np.array([colour for _, colour in groups])
    single = len(panels) == 1
    figure = blank(6.0 if single else 4.6, width=WIDTH if single else WIDE)
    for axes, (title, points) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        # As many dots on half the area; see `_dots` for their order.
        size = float(np.clip((24_000 if single else 12_000) / len(points), 5, 36))
        axes.scatter(points[:, 0], points[:, 1], s=size, c=palette[key], alpha=0.65, linewidths=0)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=FAINT)
        axes.set_title(shortened(title, length=_TITLE_LENGTH), parse_math=False)
    if names:
        _legend(figure, groups)
    count = counted(len(labels), "test image")
    subtitle = f"{count}; those with similar codes are neighbours. The axes of t-SNE have no unit."
    head(figure, "The latent space by t-SNE", subtitle)
    fit(figure)
    return figure


def embed(codes: NDArray[Any], *, seed: int) -> NDArray[np.float64]:
    """Lays codes out in two dimensions by t-SNE, such that neighbours stay neighbours (van der Maaten & Hinton 2008).

    Fewer than four codes, or codes that are all the same, have no neighbours to keep: of these it returns the first two
    dimensions.

    Args:
        codes: [n, D].
        seed: Of the start and of ties. The same codes and seed give the same layout on the same machine.

    Returns:
        [n, 2].
    """
    points = np.asarray(codes, np.float64)
    plain = np.zeros((len(points), 2))
    plain[:, : points.shape[1]] = points[:, :2]
    if len(points) < 4:
        return plain
    # Dimensions that tell nothing change no distance, but they may stand in PCA's way.
    points = points[:, np.ptp(points, axis=0) > 0]
    if points.shape[1] == 0:
        return plain
    points = points - points.mean(axis=0)
    points /= np.abs(points).max()  # t-SNE works in float32, and is blind to scale
    model = TSNE(
        init="pca" if points.shape[1] > 2 else "random",
        perplexity=min(_PERPLEXITY, (len(points) - 1) / 3),
        random_state=seed,
        n_jobs=1,
    )
    # `n_jobs` does not reach the threads of the gradient, whose sum would depend on which of them ends first.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with threadpool_limits(limits=1):
            return np.asarray(model.fit_transform(points), np.float64)


def _legend(figure: Figure, groups: Sequence[tuple[str, str]]) -> None:
    """Names the colours, below a figure's axes."""
    shown = [shortened(name, length=_NAME_LENGTH) for name, _ in groups]
    dots = [Line2D([], [], linestyle="", marker="o", markersize=6, color=colour) for _, colour in groups]
    characters = int(90 * figure.get_figwidth() / WIDTH)
    across = max(1, min(len(shown), 5, characters // (max(map(len, shown)) + 5)))
    # Legends fill column by column; people read row by row.
    order = [place for column in range(across) for place in range(column, len(shown), across)]
    dots, shown = [dots[place] for place in order], [shown[place] for place in order]
    legend = figure.legend(
        dots, ["x"] * len(dots), loc="outside lower center", ncols=across, handletextpad=0.2, columnspacing=1.4
    )
    name_legend(legend, shown)


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


def _dots(
    axes: Any, points: NDArray[Any], *, dims: Sequence[int], key: NDArray[Any], colours: list[str], normal: bool
) -> None:
    dashed: dict[str, Any] = {"edgecolor": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 4)), "zorder": 3}
    for radius in (1, 2) if normal else ():
        axes.add_patch(Circle((0, 0), radius, fill=False, **dashed))
    palette = np.array(colours)
    size = float(np.clip(24_000 / len(points), 5, 36))
    # All labels in one call and in the images' own order, so that none lies on top of the others.
    axes.scatter(points[:, 0], points[:, 1], s=size, c=palette[key], alpha=0.65, linewidths=0)
    if normal:
        axes.update_datalim([(-2.1, -2.1), (2.1, 2.1)])
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.yaxis.set_major_locator(MaxNLocator(12, steps=_STEPS))
    axes.set_xlabel(f"latent dimension {dims[0] + 1}")
    axes.set_ylabel(f"latent dimension {dims[1] + 1}")


def _histogram(axes: Any, values: NDArray[Any], *, key: NDArray[Any], colours: list[str], normal: bool) -> None:
    low, high = min(-3.0, float(values.min())), max(3.0, float(values.max()))
    edges = np.linspace(low, high, 61)
    parts = [values[key == group] for group in range(len(colours))]
    axes.hist(parts, bins=edges, stacked=True, color=colours, linewidth=0)
    if normal:
        grid = np.linspace(low, high, 400)
        prior = len(values) * (edges[1] - edges[0]) * np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
        axes.plot(grid, prior, color=INK, linewidth=1.2, linestyle=(0, (4, 4)))
    axes.set_xlabel("latent dimension 1")
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
