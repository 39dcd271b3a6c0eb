"""Codes laid out in two dimensions by t-SNE, for one model or for several side by side."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from components.reporting.console import counted
from components.reporting.label_colours import label_groups, label_legend
from components.reporting.style import FAINT, WIDE, WIDTH, blank, fit, head, shortened, styled

MOST_IMAGES = 2000  # dots; t-SNE of more takes long and looks no different
_PERPLEXITY = 30.0  # where there are images enough
_PANELS_PER_ROW = 2
_TITLE_LENGTH = 40  # characters of a panel's title


@styled()
def tsne_scatter(panels: Sequence[tuple[str, NDArray[Any]]], *, labels: NDArray[Any], names: Sequence[str]) -> Figure:
    """Draw where encoded images lie after t-SNE, a panel for each model.

    Args:
        panels: At least one: a title, "" for none, and what `embed` made of the model's codes: [n, 2], n at least 1.
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.
    """
    group_of, groups = label_groups(labels, names)
    palette = np.array([colour for _, colour in groups])
    single = len(panels) == 1
    columns = min(len(panels), _PANELS_PER_ROW)
    rows = math.ceil(len(panels) / columns)
    figure = blank(6.0 if single else 4.6 * rows, width=WIDTH if single else WIDE)
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (title, points) in zip(all_axes, panels, strict=False):
        # As many dots on half the area. All labels in one call and in the images' order: none lies on top of the others.
        size = float(np.clip((24_000 if single else 12_000) / len(points), 5, 36))
        axes.scatter(points[:, 0], points[:, 1], s=size, c=palette[group_of], alpha=0.65, linewidths=0)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=FAINT)
        axes.set_title(shortened(title, length=_TITLE_LENGTH), parse_math=False)
    for axes in all_axes[len(panels) :]:
        axes.remove()
    if names:
        label_legend(figure, groups)
    count = counted(len(labels), "test image")
    subtitle = f"{count}; those with similar codes are neighbours. The axes of t-SNE have no unit."
    head(figure, "The latent space by t-SNE", subtitle)
    fit(figure)
    return figure


def embed(codes: NDArray[Any], *, seed: int) -> NDArray[np.float64]:
    """Lay codes out in two dimensions by t-SNE, such that neighbours stay neighbours (van der Maaten & Hinton 2008).

    Fewer than four codes, or codes that are all the same, have no neighbours to keep: then the result is their first two
    dimensions.

    Args:
        codes: [n, D].
        seed: Of the start and of ties. The same codes and seed give the same layout on the same machine.

    Returns:
        [n, 2].
    """
    points = np.asarray(codes, np.float64)
    first_two = np.zeros((len(points), 2))
    first_two[:, : points.shape[1]] = points[:, :2]
    if len(points) < 4:
        return first_two
    # Constant dimensions change no distance, but they may break PCA.
    points = points[:, np.ptp(points, axis=0) > 0]
    if points.shape[1] == 0:
        return first_two
    points = points - points.mean(axis=0)
    points /= np.abs(points).max()  # t-SNE works in float32, and is blind to scale
    model = TSNE(
        init="pca" if points.shape[1] > 2 else "random",
        perplexity=min(_PERPLEXITY, (len(points) - 1) / 3),
        random_state=seed,
        n_jobs=1,
    )
    # `n_jobs` does not limit the gradient's threads, whose sum would depend on which of them ends first.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with threadpool_limits(limits=1):
            return np.asarray(model.fit_transform(points), np.float64)
