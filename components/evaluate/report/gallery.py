"""Draws the figures of a report, with a caption for each that says what to look for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from numpy.typing import NDArray

from components.evaluate.figures import grids, mosaics, scatter, training
from components.evaluate.figures import low_data as low_data_figure
from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.report import captions, low_data, wording
from components.evaluate.report.page import Part, ReportFigure
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.new_images import new_images, spread_labels
from components.examples.dataset import images_at_once
from components.images.sheets import shrink_row
from components.reporting import style, tsne
from components.reporting.console import counted
from components.reporting.image_grid import Images
from models.code_samplers import CodeSampler
from models.likelihoods import Bernoulli
from models.vae import VAE
from schemas.artifacts.records import Statistics

PAIRS = mosaics.COLUMNS**2
SAMPLES = mosaics.SIDE**2
UNIFORM = 2 * grids.COLUMNS

MAPS = ((10, 4.0), (30, 1.0))  # of a 2-D latent space: images per row, and the largest value of a code
ROWS = 3  # of an interpolation
STEPS = 9

_PLAIN = (
    "This is a plain autoencoder: nothing in its training drew codes towards the normal distribution, so its new images "
    "are made of codes that may lie far from all of its own."
)


class _Draft(NamedTuple):
    """A figure that is not saved yet; see `ReportFigure`."""

    name: str
    figure: Figure
    part: Part
    layout: Literal["full", "half", "beside"]
    title: str
    alt: str
    caption: str


def draw(
    vae: VAE,
    *,
    measurement: Measurement,
    statistics: Statistics,
    history: pa.Table,
    folder: Path,
    seed: int,
    judgement: Judgement,
) -> list[ReportFigure]:
    """Draw the figures, write them as PNG files, and return them in the report's order.

    Args:
        vae: The model, which also makes the new images.
        measurement: Of the test split.
        statistics: Of the Examples.
        history: `schemas.artifacts.tables.HISTORY`.
        folder: Where the files go.
        seed: Of the new images' codes and of t-SNE; image i depends on (seed, i) alone.
        judgement: The sampler of new images' codes, and the pairs of new and training images that are nearest.
    """
    names = statistics.labels
    figures = []
    for draft in itertools.chain(
        _images(vae, measurement, names=names, seed=seed, sampler=judgement.sampler),
        _pairs(judgement),
        _few(judgement),
        _scatters(vae, measurement, names=names, seed=seed),
        _maps(vae),
        _images_between(vae, measurement),
        _training(vae, history),
    ):
        path = folder / f"{draft.name}.png"
        style.save(draft.figure, path)
        figures.append(
            ReportFigure(path, draft.title, alt=draft.alt, caption=draft.caption, layout=draft.layout, part=draft.part)
        )
    return figures


def _images(
    vae: VAE, measurement: Measurement, *, names: Sequence[str], seed: int, sampler: CodeSampler
) -> Iterator[_Draft]:
    yield _Draft(
        "reconstructions",
        mosaics.reconstructions(
            measurement.originals,
            measurement.reconstructions,
            labels=[names[label] if label >= 0 else "" for label in measurement.labels],
        ),
        part="likeness",
        layout="full",
        title="Test images beside their reconstructions",
        alt=f"A grid of {counted(len(measurement.originals), 'pair')} in rows of {mosaics.COLUMNS}: left a test image, right "
        "its reconstruction.",
        caption="The first images of the test split, none chosen by hand. Look for what is lost: a good model keeps "
        "shape, position and shading, and loses texture and sharp edges first.",
    )
    yield _Draft(
        "samples",
        mosaics.samples(
            np.concatenate(
                list(
                    new_images(vae, count=SAMPLES, seed=seed, labels=spread_labels(vae, count=SAMPLES), sampler=sampler)
                )
            ),
            source=wording.SAMPLERS[sampler.kind],
        ),
        part="new",
        layout="half",
        title="New images decoded from random codes",
        alt=f"A grid of {SAMPLES} new images in rows of {mosaics.SIDE}, their codes from {wording.SAMPLERS[sampler.kind]}.",
        caption="New images as this model's generator makes them. Look for variety as much as for quality: many similar images, "
        "or shapes between two kinds, show where the latent space is badly filled."
        + ("" if vae.variational else f" {_PLAIN}")
        + (" They are sorted by label, with the same number of each." if vae.conditional else ""),
    )
    codes = grids.uniform_codes(measurement.codes, count=UNIFORM, seed=seed)
    code_note = " Below each image is its code, to be found in the latent space." if vae.latent_dim == 2 else ""
    yield _Draft(
        "uniform",
        grids.uniform_samples(decode(vae, codes, labels=spread_labels(vae, count=UNIFORM)), codes),
        part="new",
        layout="half",
        title="New images decoded from codes spread over the whole latent space",
        alt=f"A grid of {UNIFORM} images in rows of {grids.COLUMNS}, decoded from codes drawn evenly from the box that the test "
        "images’ codes span.",
        caption="Every place within the range of the test images’ codes is equally likely here, the corners included. "
        f"Look for images that fail: they show where no training image has its code.{code_note}",
    )


def _pairs(judgement: Judgement) -> Iterator[_Draft]:
    memorisation = judgement.memorisation
    if isinstance(memorisation, str) or not memorisation.pairs:
        return
    yield _Draft(
        "closest",
        mosaics.closest(
            np.stack([pair.synthetic for pair in memorisation.pairs]),
            np.stack([pair.training for pair in memorisation.pairs]),
        ),
        part="new",
        layout="full",
        title="The new images that are nearest to a training image",
        alt=f"{counted(len(memorisation.pairs), 'pair')}, the closest first: left a new image, right the training image "
        "nearest to it.",
        caption=f"The {len(memorisation.pairs)} closest of {memorisation.images:,} new images. Look for pairs that are the same "
        "picture: such images should not be shared.",
    )


def _few(judgement: Judgement) -> Iterator[_Draft]:
    curve = judgement.low_data
    if curve is None or isinstance(curve, str) or not curve.sizes:
        return
    yield _Draft(
        "low-data",
        low_data_figure.low_data_curve(low_data.lines(curve)),
        part="few",
        layout="beside",
        title="A classifier of few real images, with and without new images",
        alt="Lines of a classifier’s accuracy over the number of real images of each label: trained on these alone, with new "
        "images, and with filtered new images.",
        caption="Bars are 95% intervals. Look for where the lines meet: from there on new images do not help. Before, the "
        "intervals of the gain decide, which are narrower than these bars suggest, because all classifiers of a draw saw the "
        "same real images.",
    )


def _scatters(vae: VAE, measurement: Measurement, *, names: Sequence[str], seed: int) -> Iterator[_Draft]:
    yield _Draft(
        "latent",
        scatter.latent_scatter(
            measurement.codes,
            dims=captions.shown_dimensions(measurement),
            labels=measurement.code_labels,
            names=names,
            normal=vae.prior is None,
        ),
        part="latent",
        layout="half",
        title="Test images in the latent space",
        alt=captions.latent_alt(measurement, labelled=bool(names), normal=vae.prior is None),
        caption=captions.latent_caption(
            measurement, labelled=bool(names), conditional=vae.conditional, normal=vae.prior is None
        )
        + ("" if vae.variational else f" {_PLAIN}"),
    )
    codes, labels = measurement.codes[: tsne.MOST_IMAGES], measurement.code_labels[: tsne.MOST_IMAGES]
    yield _Draft(
        "tsne",
        tsne.tsne_scatter([("", tsne.embed(codes, seed=seed))], labels=labels, names=names),
        part="latent",
        layout="half",
        title="Test images in the latent space, laid out by t-SNE",
        alt=f"A scatter plot of {counted(len(codes), 'test image')}, laid out in two dimensions"
        f"{', coloured by label' if names else ''}.",
        caption=captions.tsne_caption(measurement, labelled=bool(names), conditional=vae.conditional),
    )


def _maps(vae: VAE) -> Iterator[_Draft]:
    if vae.latent_dim != 2:
        return
    label = int(np.argmax(vae.label_shares)) if vae.conditional else 0
    of_label = f" All are of the most frequent label, {vae.labels[label]}." if vae.conditional else ""
    words = (
        (
            "The latent space as a map",
            "Each image stands where its code lies. Look for kinds that turn into each other gradually. Of new images, 99 in 100 "
            "come from within a distance of 3 of the centre, so codes at the rim are rare.",
        ),
        (
            "The middle of the map",
            "The same map enlarged: almost half of all new images come from here. Look at the pace of change: where images "
            "jump, or shine through each other, the model has learned nothing in between.",
        ),
    )
    for (side, span), (title, caption) in zip(MAPS, words, strict=True):
        codes = grids.manifold_codes(side, span)
        images = decode(vae, codes, labels=np.full(len(codes), label), across=side)
        figure = grids.manifold(images, side=side, span=span)
        alt = f"A square of {side} × {side} images, decoded from the codes at their places, from −{span:g} to {span:g} both ways."
        yield _Draft(
            f"manifold-{side}", figure, part="latent", layout="half", title=title, alt=alt, caption=caption + of_label
        )


def _images_between(vae: VAE, measurement: Measurement) -> Iterator[_Draft]:
    """Draw images between the codes of the first test image and the second, the third and the fourth, and so on."""
    count = min(len(measurement.originals), len(measurement.codes)) // 2 * 2
    if count == 0:
        return
    first, second = (measurement.codes[start:count:2] for start in (0, 1))  # [pairs, D]
    labels = measurement.code_labels[:count:2]  # of the first of each pair
    of_first = " All are decoded with the label of the first." if vae.conditional else ""
    pairs = min(grids.COLUMNS, count // 2)
    left, right = (measurement.originals[start : 2 * pairs : 2] for start in (0, 1))
    yield _Draft(
        "hybrids",
        grids.hybrids(
            (left, right), decode(vae, (first[:pairs] + second[:pairs]) / np.float32(2), labels=labels[:pairs])
        ),
        part="latent",
        layout="beside",
        title="Pairs of test images, and what lies halfway between them",
        alt=f"{counted(pairs, 'column')} of three images: a test image above, another below, and between them the image decoded "
        "from the mean of their two codes.",
        caption="The first test images, two by two. In the middle stands what the mean of their two codes decodes to. "
        "Look for an image that could be real: two images that shine through each other mean that the model has not "
        "learned what lies between them." + of_first,
    )
    first, second = first[:ROWS, None], second[:ROWS, None]  # [rows, 1, D]
    shares = np.linspace(0.0, 1.0, STEPS, dtype=np.float32)[:, None]
    codes = first + shares * (second - first)  # [rows, STEPS, D]
    images = decode(vae, codes.reshape(-1, vae.latent_dim), labels=np.repeat(labels[:ROWS], STEPS))
    yield _Draft(
        "interpolation",
        grids.interpolation(images.reshape(len(codes), STEPS, *vae.image_shape)),
        part="latent",
        layout="full",
        title="From one test image to another, step by step",
        alt=f"{counted(len(codes), 'row')} of {STEPS} images that turn from the first test image into the second in equal steps "
        "between their codes.",
        caption="The ends are the model’s own versions of two test images; the steps between their codes are of one "
        "length. Look for a change at an even pace, in which every step could be a real image." + of_first,
    )


def loss_unit(vae: VAE) -> str:
    """Return the unit of the total and of the reconstruction loss."""
    in_nats = isinstance(vae.likelihood, Bernoulli) and vae.likelihood.reduction == "sum"
    return "nats per image" if in_nats else "loss per image"


def _training(vae: VAE, history: pa.Table) -> Iterator[_Draft]:
    yield _Draft(
        "training",
        training.training_curves(history, unit=loss_unit(vae)),
        part="training",
        layout="beside",
        title="Training and validation loss per epoch",
        alt="Curves of total loss, reconstruction loss and KL divergence over epochs, of training and of validation images.",
        caption="Validation images steer training but are not learned from. The curves should fall together: a "
        "validation curve that turns upwards means that the model memorises its training images. The weights of "
        "the marked epoch are the ones measured here.",
    )


def decode(vae: VAE, codes: NDArray[np.float32], *, labels: NDArray[np.int64] | None = None, across: int = 0) -> Images:
    """Decode codes [n, D] in batches: [n, H, W, C], scale 0 to 1.

    Args:
        vae: The model.
        codes: [n, D].
        labels: Of a conditional model's images: [n].
        across: Images per row of a figure. Large images are shrunk batch by batch, so that a wide figure's memory does not grow
            with the size of its images; 0: they keep their size.
    """
    height, width, _ = vae.image_shape
    size = images_at_once(height, width)
    parts = []
    for first in range(0, len(codes), size):
        batch_labels = labels[first : first + size] if vae.conditional and labels is not None else None
        images = np.asarray(vae.normalise.to_unit(vae.decode(codes[first : first + size], batch_labels)))
        parts.append(shrink_row(images, row=across * width, most=grids.MAX_ROW_PIXELS))
    return np.concatenate(parts)
