"""The scatter plot of the same test images' codes, by t-SNE, a panel for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.reporting.console import counted
from pipeline.tools.compare.images import Outputs, SharedImages
from pipeline.tools.compare.process import SEED


@dataclass(frozen=True)
class ScatterPlot:
    """A figure with its description.

    Attributes:
        png: The image.
        alt: Description for readers who cannot see it.
    """

    png: bytes
    alt: str


def draw_codes(outputs: Sequence[Outputs], test_images: SharedImages | None) -> ScatterPlot | None:
    """Draw where each run's codes of the same test images lie; None: no run has any."""
    with_codes = [output for output in outputs if len(output.codes)]
    if test_images is None or not with_codes:
        return None
    # matplotlib and scikit-learn take a second to load: only where there is something to draw.
    from components.reporting.style import encode_png
    from components.reporting.tsne import embed, tsne_scatter

    names = test_images.label_names
    labels = np.array([-1 if label is None else names.index(label) for label in test_images.labels], np.int64)
    panels = [(_title(output), embed(output.codes, seed=SEED)) for output in with_codes]
    alt = f"Scatter plots of the codes of {counted(len(labels), 'test image')}, laid out by t-SNE, one for each run"
    return ScatterPlot(
        png=encode_png(tsne_scatter(panels, labels=labels, names=names)),
        alt=f"{alt}: {', '.join(output.run.name for output in with_codes)}{'; coloured by label' if names else ''}.",
    )


def _title(output: Outputs) -> str:
    if output.run.setting("loss.kl") == "none":
        return f"{output.run.name}, a plain autoencoder"
    return output.run.name
