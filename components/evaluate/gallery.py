"""Which figures a report shows, and what to look for in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.evaluate import figures, mosaics, style
from components.evaluate.measure import Measurement, batch_size
from components.evaluate.report import Shown
from models.likelihoods import Bernoulli
from models.noise import standard_normal
from models.vae import VAE
from schemas.records import Statistics

PAIRS = mosaics.COLUMNS**2
SAMPLES = mosaics.SIDE**2


def draw(
    vae: VAE, *, measurement: Measurement, statistics: Statistics, history: pa.Table, folder: Path, seed: int
) -> list[Shown]:
    """Writes the figures as PNG files, and says of each what to look for, in the report's order.

    Args:
        vae: The model, which makes the new images.
        measurement: The test split as the model sees it.
        statistics: Of the Examples.
        history: `schemas.tables.HISTORY`.
        folder: Where the files go.
        seed: Of the new images' codes; image i depends on (seed, i) alone.
    """
    names = statistics.labels
    shown = []

    def add(name: str, figure: Any, layout: Any, *, title: str, caption: str) -> None:
        path = folder / f"{name}.png"
        style.save(figure, path)
        shown.append(Shown(path, title=title, caption=caption, layout=layout))

    add(
        "reconstructions",
        mosaics.reconstructions(
            measurement.originals,
            measurement.reconstructions,
            names=[names[label] if label >= 0 else "" for label in measurement.labels],
        ),
        "full",
        title="Test images beside their reconstructions",
        caption="The first images of the test split, none chosen by hand. Look for what is lost: a good model keeps "
        "shape, position and shading, and loses texture and sharp edges first.",
    )
    add(
        "samples",
        mosaics.samples(new_images(vae, count=SAMPLES, seed=seed)),
        "half",
        title="New images decoded from random codes",
        caption="What a generator makes of this model. Look for variety as much as for quality: many near copies, or "
        "shapes in between two kinds, show where the latent space is badly filled.",
    )
    add(
        "latent",
        figures.latent_scatter(
            measurement.codes, dims=_shown_dimensions(measurement), labels=measurement.code_labels, names=names
        ),
        "half",
        title="Test images in the latent space",
        caption=_latent_caption(measurement, labelled=bool(names)),
    )
    add(
        "training",
        figures.training_curves(
            history, unit="nats per image" if isinstance(vae.likelihood, Bernoulli) else "loss per image"
        ),
        "beside",
        title="Training and validation loss per epoch",
        caption="Validation images steer training but are not learned from. The curves should fall together: a "
        "validation curve that turns upwards means that the model learns its training images by heart. The weights of "
        "the marked epoch are the ones measured here.",
    )
    return shown


def new_images(vae: VAE, *, count: int, seed: int) -> Any:
    """Images of codes from N(0, I): [count, H, W, C], scale 0 to 1. Image i depends on (seed, i) alone."""
    size = batch_size(*vae.image_shape[:2])
    parts = []
    for first in range(0, count, size):
        codes = standard_normal(seed, start=first, count=min(size, count - first), size=vae.latent_dim)
        parts.append(np.asarray(vae.normalise.to_unit(vae.decode(codes))))
    return np.concatenate(parts)


def _shown_dimensions(measurement: Measurement) -> list[int]:
    """The first two dimensions in use, from 0; where there are fewer, the first unused ones take their place."""
    in_use_first = sorted(range(len(measurement.active)), key=lambda dim: not measurement.active[dim])
    return sorted(in_use_first[:2])


def _latent_caption(measurement: Measurement, *, labelled: bool) -> str:
    dims = len(measurement.active)
    if dims == 1:
        start = "Where the test images lie along the model’s only latent dimension. "
    elif dims == 2 or measurement.active.sum() < 2:
        start = "Each dot is a test image, placed by the mean of its codes. "
    else:
        start = f"Each dot is a test image, placed by the first two of its {dims:,} latent dimensions that are in use. "
    look = "Look for the fill: new images are drawn from the dashed shape, so gaps within it make images like no other."
    if labelled:
        look += " Labels were not shown to the model; colours that keep apart are kinds that it found by itself."
    return start + look
