"""What is said of the figures of latent codes."""

from __future__ import annotations

from components.evaluate.reconstruction.measure import Measurement
from components.reporting.console import counted

TOLD = "The model is told the labels: where colours mix, a code says only what the label does not."


def shown_dimensions(measurement: Measurement) -> list[int]:
    """The first two dimensions in use, from 0; where there are fewer, the first unused ones take their place."""
    in_use_first = sorted(range(len(measurement.active)), key=lambda dim: not measurement.active[dim])
    return sorted(in_use_first[:2])


def latent_caption(measurement: Measurement, *, labelled: bool, told: bool, normal: bool) -> str:
    """What to look for in the latent scatter."""
    dims = len(measurement.active)
    if dims == 1:
        start = "Where the test images lie along the model’s only latent dimension. "
    elif dims == 2 or measurement.active.sum() < 2:
        start = "Each dot is a test image, placed by the mean of its codes. "
    else:
        start = f"Each dot is a test image, placed by the first two of its {dims:,} latent dimensions that are in use. "
    look = "Look for the fill: new images are drawn from the dashed shape, so gaps within it make images like no other."
    if not normal:
        look = "The model learned its prior, so codes need not fill any shape. Look for islands: kinds of images."
    if told:
        look += f" {TOLD}"
    elif labelled:
        look += " Labels were not shown to the model; colours that keep apart are kinds that it found by itself."
    return start + look


def latent_alt(measurement: Measurement, *, labelled: bool, normal: bool) -> str:
    """What the latent scatter shows, for somebody who does not see it."""
    count = counted(len(measurement.codes), "test image")
    coloured = ", coloured by label" if labelled else ""
    if len(measurement.active) == 1:
        return f"A histogram of the codes of {count}{coloured}."
    first, second = (dim + 1 for dim in shown_dimensions(measurement))
    dashed = ", within the dashed shape that new images are drawn from" if normal else ""
    return f"A scatter plot of {count} by latent dimensions {first} and {second}{coloured}{dashed}."


def tsne_caption(measurement: Measurement, *, labelled: bool, told: bool) -> str:
    """What to look for in t-SNE's layout."""
    dims = len(measurement.active)
    start = (
        "t-SNE lays the codes out anew, such that near neighbours stay neighbours. "
        if dims <= 2
        else f"t-SNE lays all {dims:,} latent dimensions out in two, such that near neighbours stay neighbours. "
    )
    look = "Look for islands: kinds that the model tells apart without having been told. "
    if told:
        look = f"{TOLD} "
    elif labelled:
        look = "Look for islands of one colour: kinds that the model tells apart without having been told. "
    return start + look + "Ignore how large they are and how far apart, which t-SNE does not keep."
