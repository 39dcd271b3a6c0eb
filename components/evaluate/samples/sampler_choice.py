"""Which sampler of codes a generator gets: the one whose new images are nearest to validation images. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate.reconstruction.measure import batch_size
from components.evaluate.samples.distances import NOT_FINITE
from components.evaluate.samples.fitted_samplers import fit_samplers
from components.evaluate.samples.frechet import frechet_distance
from components.evaluate.samples.kid import kernel_distance
from components.examples.dataset import labelled_batches
from components.examples.training_images import TrainingImages
from models.code_samplers import CodeSampler
from models.noise import binarised
from models.vae import VAE

FITTED = 20_000  # training images at most, whose codes samplers are fitted to
CHOOSE = 100  # validation images at least, to choose a sampler by

Features = Sequence[NDArray[np.float32]]  # of a set of images, [N, D] for each feature space


@dataclass(frozen=True)
class SamplerResult:
    """A sampler's new images.

    Attributes:
        sampler: Which.
        held_out: Fréchet distance from validation images, by which a sampler is chosen; None where they are too few.
        kernel: Kernel distance from test images; None where features are not finite numbers, as for the next.
        frechet: Fréchet distance from test images.
    """

    sampler: CodeSampler
    held_out: float | None
    kernel: float | None
    frechet: float | None


@dataclass(frozen=True)
class Choice:
    """A sampler, and the others that were tried.

    Attributes:
        sampler: The one that is taken.
        results: Of all.
        place: Number of the feature space in which they were told apart; see `choose_sampler`.
        unchosen: Why they could not be set beside validation images, as a clause; None: they were.
    """

    sampler: CodeSampler
    results: tuple[SamplerResult, ...]
    place: int
    unchosen: str | None


def samplers_of(vae: VAE, images: TrainingImages, *, seed: int, progress: Callable[[int], None]) -> list[CodeSampler]:
    """Those that are tried: the prior, and what is fitted to the posteriors of training images."""
    means, log_variances, labels = [], [], []
    size, done = batch_size(images.statistics.stored_height, images.statistics.stored_width), 0
    for pixels, its_labels in labelled_batches(images.examples, "train", batch_size=size, limit=FITTED):
        if vae.binary:
            pixels = binarised(pixels.numpy(), seed=seed, start=done)
        mean, log_variance = vae.encode({"pixels": pixels, "labels": its_labels} if vae.conditional else pixels)
        means.append(np.asarray(mean))
        log_variances.append(np.asarray(log_variance))
        labels.append(its_labels.numpy())
        done += len(means[-1])
        progress(done)
    fitted = fit_samplers(
        np.concatenate(means),
        np.concatenate(log_variances),
        labels=np.concatenate(labels) if vae.conditional else None,
        label_count=len(vae.labels),
        seed=seed,
    )
    return [vae.prior_sampler(), *fitted]


def choose_sampler(
    samplers: Sequence[CodeSampler],
    *,
    wanted: str,
    new: Sequence[Features],
    test: Features,
    training: Features,
    validation: Features,
    seed: int,
) -> Choice:
    """Sets each sampler's new images beside validation images.

    They are told apart in the last feature space in which all real images have finite features.

    Args:
        samplers: Those that are tried.
        wanted: Kind of the one to take, whatever its images are like; or auto.
        new: Of each sampler's images.
        test: Of test images.
        training: Of training images.
        validation: Of validation images; empty where there are none.
        seed: Of the kernel distance's blocks.
    """
    real = [side for side in (test, training, validation) if side]
    usable = [place for place in range(len(test)) if all(np.isfinite(side[place]).all() for side in real)]
    place = usable[-1] if usable else len(test) - 1
    held_out = len(validation[place]) if validation else 0
    enough = held_out >= CHOOSE
    results = tuple(
        SamplerResult(
            sampler,
            held_out=_finite(frechet_distance, validation[place], features[place]) if enough else None,
            kernel=_finite(lambda *sides: kernel_distance(*sides, seed=seed).value, test[place], features[place]),
            frechet=_finite(frechet_distance, test[place], features[place]),
        )
        for sampler, features in zip(samplers, new, strict=True)
    )
    unchosen = None
    if not enough:
        unchosen = f"it takes {CHOOSE} validation images, and there are {held_out}"
    elif all(result.held_out is None for result in results):
        unchosen = NOT_FINITE
    return Choice(_chosen(results, wanted), results, place, unchosen)


def _finite(distance: Callable[..., float], real: NDArray[np.float32], new: NDArray[np.float32]) -> float | None:
    """A distance of features; None where some are not finite numbers."""
    return distance(real, new) if np.isfinite(real).all() and np.isfinite(new).all() else None


def _chosen(results: Sequence[SamplerResult], wanted: str) -> CodeSampler:
    """What the setting names; else what is nearest to validation images; else the prior.

    Codes of training images themselves are not taken unasked: new images would look like single training images, and the
    generator would hold their codes.
    """
    found = {result.sampler.kind: result for result in results}
    if wanted != "auto":
        return next(result.sampler for kind, result in found.items() if kind == wanted)
    judged = [
        (result.held_out, kind) for kind, result in found.items() if result.held_out is not None and kind != "posterior"
    ]
    return found[min(judged)[1]].sampler if judged else results[0].sampler
