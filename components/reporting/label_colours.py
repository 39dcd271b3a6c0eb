"""A colour for each label of the images in a scatter plot, and the legend that names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from components.reporting.style import ACCENT, COLOURS, OTHER, WIDTH, name_legend, shortened

_NAME_LENGTH = 24  # characters of a label in a legend

Group = tuple[str, str]  # name and colour


def label_groups(labels: NDArray[Any], names: Sequence[str]) -> tuple[NDArray[np.int64], list[Group]]:
    """Group dots by label: the most frequent labels have a colour each, the others share one.

    Args:
        labels: Index into `names`, -1 for none: [n].
        names: All labels of the data, none for unlabelled data.

    Returns:
        The group of each dot, [n], and each group's name and colour.
    """
    if not names:
        return np.zeros(len(labels), np.int64), [("", ACCENT)]
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    frequent = np.argsort(-counts, kind="stable")[: len(COLOURS)]
    coloured = sorted(int(index) for index in frequent if counts[index])
    # A label keeps its colour whether or not others are present, as long as there are colours enough.
    enough = len(names) <= len(COLOURS)
    groups = [(names[index], COLOURS[index if enough else place]) for place, index in enumerate(coloured)]
    group_of = np.full(len(labels), len(coloured), np.int64)
    for place, index in enumerate(coloured):
        group_of[labels == index] = place
    if (group_of == len(coloured)).any():
        groups.append(("other labels" if np.count_nonzero(counts) > len(coloured) else "no label", OTHER))
    return group_of, groups


def label_legend(figure: Figure, groups: Sequence[Group]) -> None:
    """Name the groups and their colours below a figure's axes."""
    names = [shortened(name, length=_NAME_LENGTH) for name, _ in groups]
    dots = [Line2D([], [], linestyle="", marker="o", markersize=6, color=colour) for _, colour in groups]
    characters = int(90 * figure.get_figwidth() / WIDTH)
    columns = max(1, min(len(names), 5, characters // (max(map(len, names)) + 5)))
    # Legends fill column by column; people read row by row.
    order = [place for column in range(columns) for place in range(column, len(names), columns)]
    dots, names = [dots[place] for place in order], [names[place] for place in order]
    legend = figure.legend(
        dots, ["x"] * len(dots), loc="outside lower center", ncols=columns, handletextpad=0.2, columnspacing=1.4
    )
    name_legend(legend, names)
