"""Captions of the figures of latent codes."""

from __future__ import annotations

from components.evaluate.reconstruction.measure import Measurement
from components.reporting.console import counted

CONDITIONAL = "The model gets the labels: where colours mix, a code holds only what the label does not say."


def shown_dimensions(measurement: Measurement) -> list[int]:
    """Return the first two dimensions in use, from 0; where there are fewer, the first unused ones take their place."""
    in_use_first = sorted(range(len(measurement.active)), key=lambda dim: not measurement.active[dim])
    return sorted(in_use_first[:2])


def latent_caption(measurement: Measurement, *, labelled: bool, conditional: bool, normal: bool) -> str:
    """Return the caption of the latent scatter: what to look for."""
    dims = len(measurement.active)
    if dims == 1:
        start = "Where the test images lie along the model’s only latent dimension. "
    elif dims == 2 or measurement.active.sum() < 2:
        start = "Each dot is a test image, placed by the mean of its codes. "
    else:
        start = f"Each dot is a test image, placed by the first two of its {dims:,} latent dimensions that are in use. "
    look = (
        "Look for the fill: new images are drawn from the dashed shape, so codes in its gaps make images like no other."
    )
    if not normal:
        look = "The model learned its prior, so codes need not fill any shape. Look for islands: kinds of images."
    if conditional:
        look += f" {CONDITIONAL}"
    elif labelled:
        look += " The model did not get the labels; colours that keep apart are kinds that it found by itself."
    return start + look


def latent_alt(measurement: Measurement, *, labelled: bool, normal: bool) -> str:
    """Describe the latent scatter for readers who cannot see it."""
    count = counted(len(measurement.codes), "test image")
    coloured = ", coloured by label" if labelled else ""
    if len(measurement.active) == 1:
        return f"A histogram of the codes of {count}{coloured}."
    first, second = (dim + 1 for dim in shown_dimensions(measurement))
    dashed = ", within the dashed shape that new images are drawn from" if normal else ""
    return f"A scatter plot of {count} by latent dimensions {first} and {second}{coloured}{dashed}."


def tsne_caption(measurement: Measurement, *, labelled: bool, conditional: bool) -> str:
    """Return the caption of t-SNE's layout: what to look for."""
    dims = len(measurement.active)
    start = (
        "t-SNE lays out the codes so that near neighbours stay neighbours. "
        if dims <= 2
        else f"t-SNE lays out all {dims:,} latent dimensions in two, so that near neighbours stay neighbours. "
    )
    look = "Look for islands: kinds of images that the model separates by itself. "
    if conditional:
        look = f"{CONDITIONAL} "
    elif labelled:
        look = "Look for islands of one colour: kinds of images that the model separates by itself. "
    return start + look + "Ignore their sizes and distances: t-SNE does not keep them."
