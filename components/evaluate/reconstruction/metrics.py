"""The metrics of a model: each is a value per image, computed from the model's terms, with its unit and meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

IWAE = "iwae"
MSE_FLOOR = 1e-10  # a perfect reconstruction has a PSNR of 100 dB, not of infinity


@dataclass(frozen=True)
class Metric:
    """A quantity per image.

    Attributes:
        name: Key in ``metrics.json``.
        title: What a person reads.
        unit: Unit of the value and of its standard error.
        better: Which values are better.
        group: The group of the report that shows it.
        doc: What it measures, for a reader who does not know it.
        per_image: Maps the model's terms (`models.vae.VAE.terms`) to values [B], float32; None: computed by `importance`.
        variational: Whether it needs a KL, which a plain autoencoder does not have.
        density: Whether it needs a likelihood of grey or colour values.
    """

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    group: Literal["likeness", "likelihood"]
    doc: str
    per_image: Callable[[Mapping[str, Any]], Any] | None
    variational: bool = False
    density: bool = False


def mse(terms: Mapping[str, Any]) -> Any:
    """Return the mean squared error over pixels and channels, scale 0 to 1: [B]."""
    return tf.reduce_mean(tf.square(terms["targets"] - terms["reconstructions"]), axis=(1, 2, 3))


def psnr(terms: Mapping[str, Any]) -> Any:
    """Return the peak signal-to-noise ratio, ``-10 · log10 MSE`` for values up to 1, at most 100 dB: [B]."""
    return -10.0 / math.log(10.0) * tf.math.log(tf.maximum(mse(terms), MSE_FLOOR))


def ssim(terms: Mapping[str, Any]) -> Any:
    """Return the structural similarity (Wang et al. 2004): [B]. The window has 11 pixels, or fewer if the image is smaller."""
    _, height, width, _ = terms["targets"].shape
    size = min(11, height, width)
    return tf.image.ssim(terms["targets"], terms["reconstructions"], max_val=1.0, filter_size=size)


METRICS = (
    Metric(
        "ssim",
        "SSIM",
        "at most 1",
        "higher",
        "likeness",
        "Structural similarity: whether image and reconstruction agree, window by window, in brightness, contrast and "
        "structure. 1 is the same image, 0 no likeness.",
        ssim,
    ),
    Metric(
        "psnr",
        "PSNR",
        "dB",
        "higher",
        "likeness",
        "Peak signal-to-noise ratio: squared error on a logarithmic scale. Each 10 dB mean ten times less error; 20 dB "
        "is visibly off, 40 dB is hard to tell from the original. 100 dB is the most that is reported.",
        psnr,
    ),
    Metric(
        "mse",
        "MSE",
        "per pixel, scale 0 to 1",
        "lower",
        "likeness",
        "Mean squared error: the squared difference between an image and its reconstruction, averaged over pixels and "
        "channels, where black is 0 and white is 1.",
        mse,
    ),
    Metric(
        "elbo",
        "ELBO",
        "nats per image",
        "higher",
        "likelihood",
        "Evidence lower bound: reconstruction minus KL, what a variational autoencoder is trained to raise. On average "
        "the model’s log-probability of an image is at least this. Compare it only between models with the same "
        "likelihood, image size and normalisation.",
        lambda terms: terms["log_prob"] - terms["kl"],
        variational=True,
    ),
    Metric(
        IWAE,
        "Log-likelihood",
        "nats per image",
        "higher",
        "likelihood",
        "Importance-weighted bound: like the ELBO, on average at most the model’s log-probability of an image, but closer "
        "to it the more codes are drawn per image. Tables of published models give it, with the sign turned, as NLL.",
        None,
        variational=True,
    ),
    Metric(
        "bits_per_dim",
        "Bits per dimension",
        "bits per pixel and channel",
        "lower",
        "likelihood",
        "The negative ELBO as a code length: bits that it takes, at most about, to store a pixel’s value of 0 to 255 with this "
        "model. It can be compared between image sizes and normalisations.",
        lambda terms: terms["bits_per_dim"],
        variational=True,
        density=True,
    ),
    Metric(
        "log_prob",
        "Reconstruction",
        "nats per image",
        "higher",
        "likelihood",
        "Log-probability of an image given a code drawn for it: how well the decoder finds the image again. It is a "
        "sum over all pixels, so it grows with the image.",
        lambda terms: terms["log_prob"],
    ),
    Metric(
        "kl",
        "KL divergence",
        "nats per image",
        "lower",
        "likelihood",
        "How far an image’s codes lie from the normal distribution that new images are drawn from: how much a code "
        "says of its image. Lower is cheaper, yet at zero codes would say nothing.",
        lambda terms: terms["kl"],
        variational=True,
    ),
)
